//! Attacks on the encrypted exchange, each with the outcome that docs/SECURITY.md promises.
//!
//! Where the program is attacked it is the real one, as who dials or as who is dialled. What it does with each single byte of a talk is shown
//! over its library, for a thousand processes would take too long.

mod bytes;
