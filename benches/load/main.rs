//! The whole program under load, measured on the released binary beside minimal programs that do
//! the same. Run by `cargo bench --bench load`, or one part of it by `cargo bench --bench load --
//! receive`; docs/BENCHMARKS.md tells what each figure is.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod linux;

use std::process::ExitCode;

/// Fails where something does not work, such as a message that is lost; never because of a figure.
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    #[cfg(target_os = "linux")]
    if let Some((linux::BARE, args)) = args.split_first().map(|(first, args)| (first.as_str(), args)) {
        return linux::be_bare(args);
    }
    #[cfg(target_os = "linux")]
    if let Some(parts) = common::parts_wanted("load", args) {
        return linux::measure(&parts);
    }
    #[cfg(not(target_os = "linux"))]
    common::parts_wanted("load", args);
    ExitCode::SUCCESS
}
