//! The harness of the fuzz targets: one function for each target.
//!
//! Each function feeds an input to the library and panics if a promise is broken. The targets in
//! `fuzz/fuzz_targets` call it with the inputs of libFuzzer, and `tests/it/fuzz.rs` with the
//! corpus, so that a fault that was found stays fixed. CONTRIBUTING.md says how to run the fuzzer.

mod decoder;
mod files;
mod inbound;
mod invitation;
mod keys;
mod printed;
mod records;
mod sessions;

use std::iter;

pub use decoder::decoder;
pub use files::{config_toml, peers_toml};
pub use inbound::inbound;
pub use invitation::invitation;
pub use keys::keys;
pub use printed::harm;
pub use records::records;
pub use sessions::sessions;

/// Returns the lengths of the pieces in which an input is pushed: an endless sequence of numbers
/// from 1 to 257 that depends on `seed`.
fn piece_lengths(seed: u8) -> impl Iterator<Item = usize> {
    let next = |length: usize| (length * 5 + 3) % 257;
    iter::successors(Some(next(seed.into())), move |length| Some(next(*length))).map(|length| length + 1)
}
