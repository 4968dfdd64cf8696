//! What all benchmarks share: figures of several runs, and the table that tells them.

// Each benchmark is a program of its own that takes what it needs of this.
#![allow(dead_code)]

pub(crate) mod figures;
#[cfg(target_os = "linux")]
pub(crate) mod parts;
pub(crate) mod table;

/// What `cargo bench` adds to the arguments and `cargo test --all-targets`, which builds the program slow, does not.
pub(crate) const BENCH: &str = "--bench";
