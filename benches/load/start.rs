//! The start, the memory and the size of the program.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tempfile::TempDir;

use super::receive::BARE;
use crate::RUNS;
use crate::common::figures::percentile;
use crate::common::process::memory;
use crate::common::program::{Program, ours};
use crate::common::table::Compared;

/// Starts of one run, of which the median counts: one start is too short for a figure.
const STARTS: usize = 21;

/// How long a program has to come to rest.
const REST: Duration = Duration::from_secs(1);

pub(crate) fn measure() -> anyhow::Result<Vec<Compared>> {
    let mut start = Compared::new("start, until it says that it listens", "true, until its end", "ms");
    let mut resident = Compared::new("resident memory, idle", "bare receiver", "MB");
    let mut size = Compared::new("size of the program", "the file of `true`", "MB");
    let megabytes = |path: &str| anyhow::Ok(fs::metadata(path)?.len() as f64 / 1024.0 / 1024.0);
    for _ in 0..RUNS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            ours.push(start_ours()?);
            theirs.push(start_true()?);
        }
        start.add(percentile(&ours, 50), percentile(&theirs, 50));
        let (program, bare) = (Program::ours(&["--no-static"])?, Program::bare(BARE)?);
        thread::sleep(REST);
        resident.add(memory(program.pid())?.resident, memory(bare.pid())?.resident);
        size.add(megabytes(env!("CARGO_BIN_EXE_p2p-chat"))?, megabytes("/bin/true")?);
    }
    Ok(vec![start, resident, size])
}

/// Returns the time from just before a start until the first line can be read.
fn start_ours() -> anyhow::Result<Duration> {
    let dir = TempDir::new()?;
    let mut command = ours(dir.path());
    command.arg("--no-static");
    let begun = Instant::now();
    let program = Program::start(&mut command)?;
    let taken = begun.elapsed();
    drop(program);
    Ok(taken)
}

fn start_true() -> anyhow::Result<Duration> {
    let mut command = Command::new("/bin/true");
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let status = child.wait()?;
    let taken = begun.elapsed();
    ensure!(status.success(), "true is false");
    Ok(taken)
}
