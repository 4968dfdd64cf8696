//! Medians, percentiles and spreads.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// The median of several runs, with the lowest and the highest.
pub(crate) struct Spread {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    /// Panics without a value.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self { median: values[values.len() / 2], lowest: values[0], highest: values[values.len() - 1] }
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { median, lowest, highest } = self;
        let is_whole = [median, lowest, highest].iter().all(|value| value.fract() == 0.0);
        let digits = if is_whole || *lowest >= 1_000.0 { 0 } else { 2 };
        write!(f, "{median:.digits$} ({lowest:.digits$}-{highest:.digits$})")
    }
}

/// Returns the time that `percent` of all times do not exceed, in milliseconds.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    milliseconds(times[rank - 1])
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Returns how many a second there were, if each of `times` was for `count` of them.
pub(crate) fn per_second(times: &[Duration], count: usize) -> f64 {
    (count * times.len()) as f64 / times.iter().sum::<Duration>().as_secs_f64()
}
