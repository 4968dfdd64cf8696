//! What encryption costs, compared with bare TLS: handshakes, messages with receipts, and memory.
//! docs/BENCHMARKS.md says what each figure is.

mod acceptor;
mod bare;
#[path = "../common/mod.rs"]
mod common;
mod handshake;
mod memory;
mod messages;
mod node;

use std::process::ExitCode;

/// Runs of each measurement: odd, so that the median is one of them.
const RUNS: usize = 5;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|arg| arg == memory::HOLDER) {
        return common::report(memory::HOLDER, memory::hold());
    }
    let parts: [common::Part; 3] =
        [("handshake", handshake::measure), ("messages", messages::measure), ("memory", memory::measure)];
    common::run("sessions", RUNS, &parts)
}
