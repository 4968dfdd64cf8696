//! The released program under load: receiving unencrypted messages, `@all` to 1,000 peers, and its
//! start, beside minimal programs. docs/BENCHMARKS.md says what each figure is.

mod all;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod receive;
mod start;

use std::process::ExitCode;

/// Runs of each measurement: odd, so that the median is one of them.
const RUNS: usize = 5;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|arg| arg == receive::BARE) {
        return common::report(receive::BARE, receive::receive());
    }
    let parts: [common::Part; 3] =
        [("receive", receive::measure), ("all", all::measure), ("start", start::measure)];
    common::run("load", RUNS, &parts)
}
