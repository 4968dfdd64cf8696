//! What encrypted sessions cost: handshakes, messages with receipts, memory, and a message to 500
//! peers, compared with bare TLS. Run by `cargo bench --bench talk`, or one part of it by `cargo
//! bench --bench talk -- texts`; docs/BENCHMARKS.md tells what each figure is.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod linux;

use std::process::ExitCode;

/// Fails where something does not work, such as a text without a receipt; never because of a
/// figure.
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    #[cfg(target_os = "linux")]
    if args.first().is_some_and(|first| first == linux::HOLDER) {
        return linux::be_holder();
    }
    #[cfg(target_os = "linux")]
    if let Some(parts) = common::parts_wanted("talk", args) {
        return linux::measure(&parts);
    }
    #[cfg(not(target_os = "linux"))]
    common::parts_wanted("talk", args);
    ExitCode::SUCCESS
}
