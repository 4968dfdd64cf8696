//! The encrypted exchange between two p2p-chat peers: TLS 1.3 with raw Ed25519 keys on both sides (RFC 7250), behind one line of ASCII.
//!
//! In scope: our key as TLS wants it, the lines, the handshake with the check of the other's key, bytes both ways, each within its time; and
//! what is said inside, as far as it is the same whatever the chat thinks of it ([`talk`]).
//! Out of scope: which key to expect, and what follows from one that was proven; that is the chat's. What is said inside is
//! [`crate::protocol::session::Record`]'s. rustls and aws-lc are named in this room alone, where no file does more than one thing with them.
//!
//! Sessions are never resumed: the verifier would not be asked again, so a key that was blocked meanwhile would not be noticed, and a
//! connection that is kept saves more.

mod channel;
mod key;
mod refused;
pub mod talk;
mod timed;
mod tls;
mod verifier;

pub use channel::{Channel, HELLO_WITHIN, OK_WITHIN, accept, dial};
pub use key::{OwnKey, jitter, random_number};
pub use refused::Refused;
pub use tls::Tls;
pub(in crate::net) use tls::TlsConnection;
pub use verifier::{Expectation, WrongKey};

#[cfg(test)]
mod tests;
