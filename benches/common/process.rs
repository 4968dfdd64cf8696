//! What Linux counts of a process.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// Returns the processor time of all threads that have not ended, to the nanosecond.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let mut all = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // It may have ended meanwhile.
        let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let ran = times.split(' ').next().and_then(|ran| ran.parse().ok()).context("no time")?;
        all += Duration::from_nanos(ran);
    }
    Ok(all)
}

/// Returns the number of threads.
pub(crate) fn threads(pid: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.count())
}

/// The memory of a process, in megabytes.
pub(crate) struct Memory {
    pub(crate) resident: f64,
    /// The part that belongs to no file: heap, stacks, changed data.
    pub(crate) anonymous: f64,
}

/// Returns the memory of a process now. Only root can read that of a release build.
pub(crate) fn memory(pid: u32) -> anyhow::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let megabytes = |name: &str| {
        let kilobytes = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
        let kilobytes: f64 = kilobytes.with_context(|| format!("no {name}"))?.parse()?;
        anyhow::Ok(kilobytes / 1024.0)
    };
    Ok(Memory { resident: megabytes("Rss:")?, anonymous: megabytes("Anonymous:")? })
}
