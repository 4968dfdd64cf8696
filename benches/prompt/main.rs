//! What the user at the prompt notices: keystrokes while messages come, whether the program is idle
//! when nothing happens, and what discovery brings and costs. docs/BENCHMARKS.md says what each
//! figure is.

#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
mod discovery;
#[cfg(unix)]
mod idle;
#[cfg(unix)]
mod keystrokes;
#[cfg(unix)]
mod sender;
#[cfg(unix)]
mod terminal;

use std::process::ExitCode;

/// Runs of each measurement: odd, so that the median is one of them.
const RUNS: usize = 7;

fn main() -> ExitCode {
    #[cfg(unix)]
    const PARTS: [common::Part; 3] =
        [("keystrokes", keystrokes::measure), ("idle", idle::measure), ("discovery", discovery::measure)];
    #[cfg(not(unix))]
    const PARTS: [common::Part; 0] = [];
    common::run("prompt", RUNS, &PARTS)
}
