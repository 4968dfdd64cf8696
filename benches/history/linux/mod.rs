//! The parts, and what they are compared with.

mod corpus;
mod disk;
mod durable;
mod plain;
mod search;
mod start;
mod texts;
mod years;

// What the benchmark of the whole program has for starting it, sending to it and looking at it.
#[allow(dead_code)]
#[path = "../../load/linux/bare.rs"]
mod bare;
#[allow(dead_code)]
#[path = "../../load/linux/ours.rs"]
mod ours;
#[allow(dead_code)]
#[path = "../../load/linux/process.rs"]
mod process;
#[allow(dead_code)]
#[path = "../../load/linux/senders.rs"]
mod senders;

use std::process::ExitCode;
use std::time::Duration;

use crate::common::parts::{self, Findings, Part};

/// Times that everything is measured: odd, so that the median is one of them, and as many as some minutes have room for.
const RUNS: usize = 5;

/// How long anything may take that shall happen.
const SOON: Duration = Duration::from_secs(30);

const PARTS: [Part; 4] = [
    ("durable", durable::measure),
    ("texts", texts::measure),
    ("plain", plain::measure),
    ("years", years::measure),
];

/// Measures the parts of these names, or all, and prints a table of each as soon as it is there.
pub(crate) fn measure(names: &[String]) -> ExitCode {
    parts::measure("history", &PARTS, RUNS, names)
}
