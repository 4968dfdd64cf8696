//! What Linux counts of a process.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// The time that all threads of a process have had a processor, to the nanosecond; of those that
/// have not ended.
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

/// Its threads.
pub(super) fn threads(pid: u32) -> anyhow::Result<usize> {
    status(pid, "Threads:")
}

/// The most memory of its own that it has had at once.
pub(super) fn peak_resident_kilobytes(pid: u32) -> anyhow::Result<usize> {
    status(pid, "VmHWM:")
}

/// A number of its status.
fn status(pid: u32, name: &str) -> anyhow::Result<usize> {
    field(&format!("/proc/{pid}/status"), name)
}

/// The number behind a name in a file of Linux's about a process.
fn field(path: &str, name: &str) -> anyhow::Result<usize> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    line.trim().trim_end_matches(" kB").parse().with_context(|| format!("no number: {line}"))
}

/// The memory of a process, in megabytes.
pub(super) struct Memory {
    /// All that is in memory of it.
    pub(super) resident: f64,
    /// The same, with what it shares with others counted in parts.
    pub(super) proportional: f64,
    /// What comes from no file: heap, stacks, changed data.
    pub(super) anonymous: f64,
}

/// How much memory it has now, of each kind. Of a release build only root can read it.
pub(super) fn memory(pid: u32) -> anyhow::Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let megabytes = |name| Ok::<_, anyhow::Error>(field(&path, name)? as f64 / 1024.0);
    let (resident, proportional, anonymous) =
        (megabytes("Rss:")?, megabytes("Pss:")?, megabytes("Anonymous:")?);
    Ok(Memory { resident, proportional, anonymous })
}
