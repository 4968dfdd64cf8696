//! The start with a long history.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::disk::{MANY, profile, start_in};
use crate::RUNS;
use crate::common::figures::percentile;
use crate::common::table::Compared;

/// Starts of one run, of which the median counts: one start is too short for a figure.
const STARTS: usize = 21;

pub(crate) fn measure() -> anyhow::Result<Vec<Compared>> {
    let ((many, _), (none, _)) = (profile(MANY)?, profile(0)?);
    let mut row = Compared::new(format!("start, {MANY} messages"), "no message", "ms");
    for _ in 0..RUNS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            ours.push(start(&many)?);
            theirs.push(start(&none)?);
        }
        row.add(percentile(&ours, 50), percentile(&theirs, 50));
    }
    Ok(vec![row])
}

/// Returns the time from just before a start until the first line can be read.
fn start(dir: &TempDir) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let program = start_in(dir)?;
    let taken = begun.elapsed();
    program.end()?;
    Ok(taken)
}
