//! What keeping messages costs: writing them down durably, beside SQLite alone; texts and plain messages, with and without history; and
//! two years of history, searched and started with. Run by `cargo bench --bench history`, or one part of it by
//! `cargo bench --bench history -- durable`; docs/BENCHMARKS.md tells what each figure is.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod linux;

use std::process::ExitCode;

/// Fails where something does not work, such as a text without a receipt; never because of a figure.
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    #[cfg(target_os = "linux")]
    if let Some(parts) = common::parts_wanted("history", args) {
        return linux::measure(&parts);
    }
    #[cfg(not(target_os = "linux"))]
    common::parts_wanted("history", args);
    ExitCode::SUCCESS
}
