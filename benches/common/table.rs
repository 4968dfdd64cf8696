//! The rows of a table: what was measured of ours and of its baseline, the ratio of both, and the target.

use std::fmt::{self, Display, Formatter};

use super::figures::Spread;

/// What was measured of ours, and of the baseline in the same run, for each run.
pub(crate) struct Compared {
    what: String,
    baseline: String,
    unit: &'static str,
    target: Option<Target>,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// What shall be reached by the median.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// The ratio is at most this.
    RatioAtMost(f64),
    /// The ratio is at least this.
    RatioAtLeast(f64),
    /// Ours is at most this.
    AtMost(f64),
    /// Ours is at most so many times the baseline, and this more.
    TimesAndMore(f64, f64),
}

impl Compared {
    pub(crate) fn new(what: impl Into<String>, baseline: impl Into<String>, unit: &'static str) -> Self {
        let (what, baseline) = (what.into(), baseline.into());
        Self { what, baseline, unit, target: None, ours: Vec::new(), theirs: Vec::new() }
    }

    pub(crate) fn with(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    pub(crate) fn add(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
    }

    /// Ratios run by run, so that what disturbs both in one run cancels out; `None` where there is none to nothing.
    fn ratio(&self) -> Option<Spread> {
        let Self { ours, theirs, .. } = self;
        let is_ratio = theirs.iter().all(|&value| value > 0.0);
        is_ratio.then(|| Spread::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs)))
    }

    /// The target, and whether it was reached.
    fn judged(&self) -> String {
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).median;
        let ratio = self.ratio().map(|ratio| ratio.median);
        let ours = spread(&self.ours);
        let (target, reached) = match self.target {
            None => return String::new(),
            Some(Target::RatioAtMost(most)) => {
                (format!("ratio <= {most}"), ratio.is_some_and(|it| it <= most))
            }
            Some(Target::RatioAtLeast(least)) => {
                (format!("ratio >= {least}"), ratio.is_some_and(|it| it >= least))
            }
            Some(Target::AtMost(most)) => (format!("<= {most}"), ours <= most),
            Some(Target::TimesAndMore(times, more)) => {
                let excesses = self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| ours - theirs * times);
                (format!("<= {times} x + {more}"), Spread::of(excesses).median <= more)
            }
        };
        format!("{target}: {}", if reached { "reached" } else { "**missed**" })
    }
}

impl Display for Compared {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { what, baseline, unit, ours, theirs, .. } = self;
        let ratio = self.ratio().map_or_else(|| "none to 0".into(), |ratio| ratio.to_string());
        let [ours, theirs] = [ours, theirs].map(|values| Spread::of(values.iter().copied()));
        write!(f, "| {what}, {unit} | {ours} | {baseline}: {theirs} | {ratio} |")?;
        if self.target.is_some() { write!(f, " {} |", self.judged()) } else { Ok(()) }
    }
}

/// What stands above a table, or above several.
pub(crate) fn what_the_figures_are(runs: usize) -> String {
    format!("Medians of {runs} runs, and the lowest and highest of them:\n")
}

/// The table of all rows. Where one has a target, there is a column for targets.
pub(crate) fn table(rows: &[Compared]) -> String {
    let targets = rows.iter().any(|row| row.target.is_some());
    let mut table = String::from("| what | p2p-chat | baseline | ratio |");
    table += if targets { " target |\n" } else { "\n" };
    table += "|---|---|---|---|";
    table += if targets { "---|\n" } else { "\n" };
    for row in rows {
        table += &row.to_string();
        table += if targets && row.target.is_none() { " |\n" } else { "\n" };
    }
    table
}
