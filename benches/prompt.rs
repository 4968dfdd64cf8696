//! How the prompt feels, measured on the released program: keystrokes while messages come, a backlog that is shown, and
//! whether it is really idle. Run by `cargo bench --bench prompt`; docs/BENCHMARKS.md tells what each figure is.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;
#[cfg(unix)]
mod measure;

use std::process::ExitCode;

use common::BENCH;

/// Fails where something does not work, such as a message that is lost; never because of a figure.
fn main() -> ExitCode {
    if !std::env::args().any(|arg| arg == BENCH) {
        println!("This measures the release build: cargo bench --bench prompt");
        return ExitCode::SUCCESS;
    }
    measure_all()
}

#[cfg(unix)]
fn measure_all() -> ExitCode {
    match measure::table() {
        Ok(table) => {
            println!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("prompt: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(unix))]
fn measure_all() -> ExitCode {
    println!("This measures on a pseudo-terminal, which only Unix has.");
    ExitCode::SUCCESS
}
