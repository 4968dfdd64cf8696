//! What storing messages costs: messages with history, search in a million messages, and the start
//! with them. docs/BENCHMARKS.md says what each figure is.

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod disk;
mod messages;
mod search;
mod start;

use std::process::ExitCode;

/// Runs of each measurement: odd, so that the median is one of them.
const RUNS: usize = 5;

fn main() -> ExitCode {
    let parts: [common::Part; 3] =
        [("messages", messages::measure), ("search", search::measure), ("start", start::measure)];
    common::run("history", RUNS, &parts)
}
