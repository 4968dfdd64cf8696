//! Starting, resting, and size.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tempfile::TempDir;

use super::bare::Bare;
use super::ours::{Ours, command, listens_in};
use super::process::memory;
use super::{Findings, RUNS};
use crate::common::figures::milliseconds;
use crate::common::table::{Compared, Target};

/// Starts of one run, of which the middle one counts: one alone is too short for a figure.
const STARTS: usize = 21;

/// How long a program has for coming to rest.
const REST: Duration = Duration::from_secs(1);

/// The size of the program stays below this.
const MAX_PROGRAM_BYTES: u64 = 10_000_000;

/// Measures all of it, each start beside one of `true`.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let mut start = Compared::new("start, until it says that it listens", "true, until its end", "ms")
        .with(Target::RatioAtMost(3.0));
    let memory_row = |what: &str| Compared::new(what, "bare receiver", "MB");
    let mut resident = memory_row("resident memory, idle").with(Target::RatioAtMost(2.0));
    let mut proportional = memory_row("resident memory of its own and its share of what is shared, idle");
    let mut anonymous = memory_row("memory that is no file's, idle");
    let mut size = Compared::new("size of the program", "the file of `true`", "MB");
    let megabytes = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
    let file_of_true = fs::metadata("/bin/true")?.len();
    let ours = fs::metadata(env!("CARGO_BIN_EXE_p2p-chat"))?.len();
    ensure!(ours < MAX_PROGRAM_BYTES, "the program has {ours} bytes, not less than {MAX_PROGRAM_BYTES}");
    for _ in 0..RUNS {
        let mut times = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            times.0.push(start_of_ours()?);
            times.1.push(start_of_true()?);
        }
        let middle = |mut times: Vec<Duration>| {
            times.sort();
            milliseconds(times[STARTS / 2])
        };
        start.add(middle(times.0), middle(times.1));

        let program = Ours::start(&["--no-static"])?;
        let dir = TempDir::new()?;
        let bare = Bare::start_copy(&dir, &["receiver"])?;
        thread::sleep(REST);
        let (ours_now, bare_now) = (memory(program.pid())?, memory(bare.pid())?);
        resident.add(ours_now.resident, bare_now.resident);
        proportional.add(ours_now.proportional, bare_now.proportional);
        anonymous.add(ours_now.anonymous, bare_now.anonymous);
        size.add(megabytes(ours), megabytes(file_of_true));
    }
    Ok(Findings { rows: vec![start, resident, proportional, anonymous, size], ..Findings::default() })
}

/// From just before it is started until its sentence can be read.
fn start_of_ours() -> anyhow::Result<Duration> {
    let dir = TempDir::new()?;
    let mut command = command(&dir);
    command.arg("--no-static").stdin(Stdio::piped()).stdout(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let said = listens_in(&mut child);
    let taken = begun.elapsed();
    child.kill()?;
    child.wait()?;
    said.map(|_| taken)
}

fn start_of_true() -> anyhow::Result<Duration> {
    let mut command = Command::new("/bin/true");
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let ended = child.wait()?;
    let taken = begun.elapsed();
    ensure!(ended.success(), "true is false");
    Ok(taken)
}
