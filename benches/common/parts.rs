//! A benchmark in parts, each with a table that is printed as soon as it is there.

use std::process::ExitCode;

use anyhow::{Context, bail};

use super::table::{Compared, table, what_the_figures_are};

/// What a part found.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) rows: Vec<Compared>,
    /// What did not work.
    pub(crate) faults: Vec<String>,
    /// What a reader of the rows has to know.
    pub(crate) notes: Vec<String>,
}

/// A name, and what measures.
pub(crate) type Part = (&'static str, fn() -> anyhow::Result<Findings>);

/// Measures the parts of these names, or all, each so many times, as the benchmark of that name.
#[allow(clippy::print_stderr, reason = "a bench talks to a person")]
pub(crate) fn measure(bench: &str, parts: &[Part], runs: usize, names: &[String]) -> ExitCode {
    match measure_parts(parts, runs, names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{bench}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure_parts(parts: &[Part], runs: usize, names: &[String]) -> anyhow::Result<()> {
    if let Some(name) = names.iter().find(|name| parts.iter().all(|(part, _)| part != name)) {
        let known: Vec<_> = parts.iter().map(|(part, _)| *part).collect();
        bail!("there is no part {name}; there are {}", known.join(", "));
    }
    println!("{}", what_the_figures_are(runs));
    let mut faults = Vec::new();
    for (name, part) in
        parts.iter().filter(|(part, _)| names.is_empty() || names.iter().any(|name| name == part))
    {
        let load = std::fs::read_to_string("/proc/loadavg").context("the load average")?;
        let found = part().with_context(|| (*name).to_owned())?;
        println!("#### {name}\n\nLoad average before it: {}.\n", load.split(' ').next().unwrap_or_default());
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
