//! What encryption costs: handshakes, texts with receipts, kept connections, and a text to a thousand, beside TLS with nothing
//! around it. Run by `cargo bench --bench talk`, or one part of it by `cargo bench --bench talk -- texts`;
//! docs/BENCHMARKS.md tells what each figure is.

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
    if let Some((linux::HOLDER, args)) = args.split_first().map(|(first, args)| (first.as_str(), args)) {
        return linux::be_holder(args);
    }
    #[cfg(target_os = "linux")]
    if let Some(parts) = common::parts_wanted("talk", args) {
        return linux::measure(&parts);
    }
    #[cfg(not(target_os = "linux"))]
    common::parts_wanted("talk", args);
    ExitCode::SUCCESS
}
