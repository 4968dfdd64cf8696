//! The parts, and the minimal programs that they are compared with.

mod bare;
mod begin;
mod crowd;
mod dialback;
mod fanout;
mod held;
mod list;
mod ours;
mod process;
mod python;
mod receive;
mod senders;

use std::process::ExitCode;
use std::time::Duration;

use crate::common::parts::{self, Findings, Part};
pub(crate) use bare::{BARE, be as be_bare};

/// Times that everything is measured: odd, so that the median is one of them, and as many as some
/// minutes have room for.
const RUNS: usize = 5;

/// How long anything may take that shall happen.
const SOON: Duration = Duration::from_secs(15);

const PARTS: [Part; 7] = [
    ("receive", receive::measure),
    ("fanout", fanout::measure),
    ("held", held::measure),
    ("list", list::measure),
    ("start", begin::measure),
    ("dialback", dialback::measure),
    ("python", python::measure),
];

/// Measures the parts of these names, or all, and prints a table of each as soon as it is there.
pub(crate) fn measure(names: &[String]) -> ExitCode {
    parts::measure("load", &PARTS, RUNS, names)
}
