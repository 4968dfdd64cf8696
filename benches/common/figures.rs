//! Medians, percentiles and spreads.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// What several runs gave.
pub(crate) struct Spread {
    pub(crate) median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    /// That of values of which there is at least one.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self { median: values[values.len() / 2], lowest: values[0], highest: values[values.len() - 1] }
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { median, lowest, highest } = self;
        // Counts are whole, and times, rates and ratios have as many digits as mean anything.
        let values = [median, lowest, highest];
        let whole = values.iter().all(|value| value.fract() == 0.0) || *lowest >= 1_000.0;
        let digits = if whole { 0 } else { 2 };
        write!(f, "{median:.digits$} ({lowest:.digits$}-{highest:.digits$})")
    }
}

/// The value that so many hundredths of all do not exceed, in milliseconds.
pub(crate) fn percentile(times: &[Duration], hundredths: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    let rank = (times.len() * hundredths).div_ceil(100).max(1);
    milliseconds(times[rank - 1])
}

/// A time as the table tells it.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
