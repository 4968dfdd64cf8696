//! The parts, and what they are compared with.

mod bare;
mod door;
mod fanout;
mod handshake;
mod memory;
mod own;
mod texts;

// What the benchmark of the whole program has for starting it and looking at it.
#[allow(dead_code)]
#[path = "../../load/linux/ours.rs"]
mod ours;
#[allow(dead_code)]
#[path = "../../load/linux/process.rs"]
mod process;

use std::process::ExitCode;
use std::time::Duration;

use crate::common::parts::{self, Findings, Part};
pub(crate) use memory::{HOLDER, be as be_holder};

/// Times that everything is measured: odd, so that the median is one of them, and as many as two
/// minutes have room for.
const RUNS: usize = 5;

/// How long anything may take that shall happen.
const SOON: Duration = Duration::from_secs(15);

const PARTS: [Part; 4] = [
    ("handshake", handshake::measure),
    ("texts", texts::measure),
    ("memory", memory::measure),
    ("fanout", fanout::measure),
];

/// Measures the parts of these names, or all, and prints a table of each as soon as it is there.
pub(crate) fn measure(names: &[String]) -> ExitCode {
    parts::measure("talk", &PARTS, RUNS, names)
}
