//! What keeping messages costs: writing them down durably, beside SQLite alone; texts and plain messages, with and without history; and
//! two years of history, searched and started with. Run by `cargo bench --bench history`, or one part of it by
//! `cargo bench --bench history -- durable`; docs/BENCHMARKS.md tells what each figure is.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod linux;

use std::process::ExitCode;

use common::BENCH;

/// Fails where something does not work, such as a text without a receipt; never because of a figure.
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == BENCH) {
        println!("This measures the release build: cargo bench --bench history");
        return ExitCode::SUCCESS;
    }
    #[cfg(target_os = "linux")]
    return linux::measure(&args.into_iter().filter(|arg| !arg.starts_with("--")).collect::<Vec<_>>());
    #[cfg(not(target_os = "linux"))]
    {
        println!("This reads what Linux counts of each process.");
        ExitCode::SUCCESS
    }
}
