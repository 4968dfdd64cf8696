//! Rows of results: ours, the baseline, and their ratio.

use std::fmt::{self, Display, Formatter};

use super::figures::Spread;

/// A row: what was measured of ours and of its baseline in each run.
pub(crate) struct Compared {
    what: String,
    baseline: String,
    unit: &'static str,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Compared {
    pub(crate) fn new(what: impl Into<String>, baseline: impl Into<String>, unit: &'static str) -> Self {
        let (what, baseline) = (what.into(), baseline.into());
        Self { what, baseline, unit, ours: Vec::new(), theirs: Vec::new() }
    }

    pub(crate) fn add(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
    }

    /// Combines the two figures of each run, so that what disturbs both in a run cancels out.
    fn by_run(&self, combine: impl Fn(f64, f64) -> f64) -> Spread {
        Spread::of(self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| combine(*ours, *theirs)))
    }

    /// Returns `None` if a baseline is zero.
    fn ratio(&self) -> Option<Spread> {
        let is_ratio = self.theirs.iter().all(|value| *value > 0.0);
        is_ratio.then(|| self.by_run(|ours, theirs| ours / theirs))
    }
}

impl Display for Compared {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { what, baseline, unit, .. } = self;
        let (ours, theirs) = (self.by_run(|ours, _| ours), self.by_run(|_, theirs| theirs));
        let ratio = self.ratio().map_or_else(|| "none to 0".into(), |ratio| ratio.to_string());
        write!(f, "| {what}, {unit} | {ours} | {baseline}: {theirs} | {ratio} |")
    }
}

pub(crate) fn table(rows: &[Compared]) -> String {
    let head = "| what | p2p-chat | baseline | ratio |\n|---|---|---|---|\n";
    head.to_owned() + &rows.iter().map(|row| format!("{row}\n")).collect::<String>()
}
