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

use anyhow::{Context, bail};

use crate::common::table::{Compared, table, what_the_figures_are};
pub(crate) use bare::{BARE, be as be_bare};

/// Times that everything is measured: odd, so that the median is one of them, and as many as some minutes have room for.
const RUNS: usize = 5;

/// How long anything may take that shall happen.
const SOON: Duration = Duration::from_secs(15);

/// What a part found.
#[derive(Default)]
struct Findings {
    rows: Vec<Compared>,
    /// What did not work.
    faults: Vec<String>,
    /// What a reader of the rows has to know.
    notes: Vec<String>,
}

type Part = fn() -> anyhow::Result<Findings>;

const PARTS: [(&str, Part); 7] = [
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
    match measure_parts(names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure_parts(names: &[String]) -> anyhow::Result<()> {
    if let Some(name) = names.iter().find(|name| PARTS.iter().all(|(part, _)| part != name)) {
        let known = PARTS.map(|(part, _)| part).join(", ");
        bail!("there is no part {name}; there are {known}");
    }
    println!("{}", what_the_figures_are(RUNS));
    let mut faults = Vec::new();
    for (name, part) in
        PARTS.iter().filter(|(part, _)| names.is_empty() || names.iter().any(|name| name == part))
    {
        let load = std::fs::read_to_string("/proc/loadavg").context("the load average")?;
        let found = part().with_context(|| (*name).to_owned())?;
        println!("#### {name}\n\nLoad average before it: {}.", load.split(' ').next().unwrap_or_default());
        if !found.rows.is_empty() {
            println!("{}", table(&found.rows));
        }
        for note in found.notes {
            println!("{note}\n");
        }
        faults.extend(found.faults.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("; ")) }
}
