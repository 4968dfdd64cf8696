//! What all benchmarks share: figures of several runs, and the table that tells them.

// Each benchmark is a program of its own that takes what it needs of this.
#![allow(dead_code)]

pub(crate) mod figures;
#[cfg(target_os = "linux")]
pub(crate) mod parts;
pub(crate) mod table;

/// What `cargo bench` adds to the arguments and `cargo test --all-targets`, which builds the program slow, does not.
pub(crate) const BENCH: &str = "--bench";

/// The parts of the benchmark `name` that are to be measured, none for all; nothing where it is not run to be measured, or cannot be, which is
/// said.
#[allow(clippy::print_stdout)]
pub(crate) fn parts_wanted(name: &str, args: Vec<String>) -> Option<Vec<String>> {
    if !args.iter().any(|arg| arg == BENCH) {
        println!("This measures the release build: cargo bench --bench {name}");
        return None;
    }
    if cfg!(not(target_os = "linux")) {
        println!("This reads what Linux counts of each process.");
        return None;
    }
    Some(args.into_iter().filter(|arg| !arg.starts_with("--")).collect())
}
