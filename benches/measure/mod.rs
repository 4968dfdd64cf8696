//! The measurements, and the table of what came out.

mod backlog;
mod figures;
#[cfg(target_os = "linux")]
mod idle;
mod keystrokes;
mod sender;
mod terminal;

use std::fmt::{self, Display, Formatter};

use anyhow::Context;

use figures::Spread;

/// Times that everything is measured: odd, so that the median is one of them, and as many as a minute has room for.
const RUNS: usize = 7;

/// What was measured of ours, and of the baseline in the same run, for each run.
struct Compared {
    what: String,
    baseline: String,
    unit: &'static str,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Compared {
    fn new(what: impl Into<String>, baseline: impl Into<String>, unit: &'static str) -> Self {
        Self { what: what.into(), baseline: baseline.into(), unit, ours: Vec::new(), theirs: Vec::new() }
    }

    fn add(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
    }
}

/// One row of the table. Ratios are taken run by run, so that what disturbs both in one run cancels out.
impl Display for Compared {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { what, baseline, unit, ours, theirs } = self;
        let ratio = if theirs.iter().all(|&value| value > 0.0) {
            Spread::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs)).to_string()
        } else {
            "none to 0".into()
        };
        let [ours, theirs] = [ours, theirs].map(|values| Spread::of(values.iter().copied()));
        write!(f, "| {what}, {unit} | {ours} | {baseline}: {theirs} | {ratio} |")
    }
}

/// Measures everything.
///
/// # Errors
/// Where something did not work, such as a message that was lost.
pub(crate) fn table() -> anyhow::Result<String> {
    let mut rows = Vec::new();
    rows.extend(keystrokes::measure().context("keystrokes")?);
    rows.push(backlog::measure().context("the backlog")?);
    #[cfg(target_os = "linux")]
    rows.extend(idle::measure().context("idling")?);
    let mut table = format!("Medians of {RUNS} runs, and the lowest and highest of them:\n\n");
    table += "| what | p2p-chat | baseline | ratio |\n|---|---|---|---|\n";
    for row in rows {
        table += &format!("{row}\n");
    }
    if !cfg!(target_os = "linux") {
        table += "\nWake-ups are counted only where Linux counts them.\n";
    }
    Ok(table)
}
