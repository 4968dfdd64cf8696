//! What holds for any input, as one function for each fuzz target. Only tests and the fuzzer have this module.
//!
//! Each function takes the bytes that libFuzzer made up, does with the program what they say, and panics where
//! something does not hold that is promised. The same functions replay the corpus in `cargo test`, so that what the
//! fuzzer has found once stays found. How to fuzz is in docs/FAULTS.md; the targets that call these are in `fuzz/`.

mod decoder;
mod files;
mod inbound;
mod keys;
mod printed;
mod records;

pub use decoder::decoder;
pub use files::{config_toml, peers_toml};
pub use inbound::inbound;
pub use keys::keys;
pub use records::records;
