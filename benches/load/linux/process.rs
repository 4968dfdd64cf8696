//! What Linux counts of a process.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// The time that all threads of a process have had a processor, to the nanosecond; of those that have not ended.
pub(super) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let mut all = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // It may have ended meanwhile.
        let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let ran = times.split(' ').next().and_then(|ran| ran.parse().ok()).context("no time")?;
        all += Duration::from_nanos(ran);
    }
    Ok(all)
}
