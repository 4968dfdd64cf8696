//! Starting with two years of history, and what it takes of memory.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::store::Sqlite;
use tempfile::TempDir;

use super::corpus::Corpus;
use super::ours::{Ours, command, listens_in};
use super::process::{memory, peak_resident_kilobytes};
use super::years::{Years, file_in, profile_in};
use super::{RUNS, SOON, disk};
use crate::common::figures::percentile;
use crate::common::table::{Compared, Target};

/// Starts of one run, of which the middle one counts: one alone is too short for a figure.
const STARTS: usize = 21;

/// Messages of a profile of somebody who has begun to chat.
const SMALL: u64 = 1_000;

/// How long a program has for coming to rest.
const REST: Duration = Duration::from_secs(1);

/// Measures starts by turns, and memory.
pub(super) fn measure(years: &Years) -> anyhow::Result<Vec<Compared>> {
    let (empty, small) = (disk::dir()?, disk::dir()?);
    profile_in(&empty)?;
    profile_in(&small)?;
    Corpus::new().fill(&mut Sqlite::open(&file_in(small.path()))?, SMALL)?;
    let new = |what: &str, baseline: &str| Compared::new(format!("start, {what}"), baseline, "ms");
    let mut many = new("1000000 messages", "no message").with(Target::TimesAndMore(1.0, 20.0));
    let mut few = new("1000 messages", "--no-history").with(Target::RatioAtMost(3.0));
    let mut scale = new("1000 messages", "true, until its end");
    let mut ends =
        Compared::new("end, from the line until the process has ended, 1000 messages", "--no-history", "ms");
    let memory_row = |what: &str, baseline: &str| Compared::new(what, baseline, "MB");
    let mut resident = memory_row("resident memory, idle, 1000000 messages", "no message");
    let mut own = memory_row("memory that is no file's, idle, 1000000 messages", "no message");
    let mut searched =
        memory_row("resident memory, peak, after a search, 1000000 messages", "no message, idle");
    let mut without = memory_row("resident memory, idle, no message", "--no-history");
    let mut size = memory_row("size of the program", "the file of `true`").with(Target::AtMost(8.0));
    let bytes = |path: &str| Ok::<_, anyhow::Error>(fs::metadata(path)?.len() as f64 / 1024.0 / 1024.0);
    for _ in 0..RUNS {
        let mut times: [Vec<Duration>; 5] = Default::default();
        let mut ended: [Vec<Duration>; 2] = Default::default();
        for _ in 0..STARTS {
            times[0].push(started(&years.dir, &[])?.0);
            times[1].push(started(&empty, &[])?.0);
            let with = started(&small, &[])?;
            let without = started(&small, &["--no-history"])?;
            times[2].push(with.0);
            times[3].push(without.0);
            ended[0].push(with.1);
            ended[1].push(without.1);
            times[4].push(start_of_true()?);
        }
        let [of_many, of_none, of_few, of_no_history, of_true] = times.map(|times| percentile(&times, 50));
        many.add(of_many, of_none);
        few.add(of_few, of_no_history);
        scale.add(of_few, of_true);
        let [with, without_any] = ended.map(|times| percentile(&times, 50));
        ends.add(with, without_any);

        let (of_many, of_none, of_no_history) = (
            at_rest(&years.dir, &[])?,
            at_rest(&empty, &[])?,
            at_rest(&empty_profile()?, &["--no-history"])?,
        );
        let none = memory(of_none.pid())?;
        let all = memory(of_many.pid())?;
        resident.add(all.resident, none.resident);
        own.add(all.anonymous, none.anonymous);
        without.add(none.resident, memory(of_no_history.pid())?.resident);
        searched.add(peak_after_search(of_many, years)?, none.resident);
        size.add(bytes(env!("CARGO_BIN_EXE_p2p-chat"))?, bytes("/bin/true")?);
    }
    Ok(vec![many, few, scale, ends, resident, own, searched, without, size])
}

fn empty_profile() -> anyhow::Result<TempDir> {
    let dir = disk::dir()?;
    profile_in(&dir)?;
    Ok(dir)
}

/// From just before it is started until its sentence can be read; and from the end of its input until it has ended.
fn started(dir: &TempDir, args: &[&str]) -> anyhow::Result<(Duration, Duration)> {
    let mut command = command(dir);
    command.arg("--no-static").args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let said = listens_in(&mut child);
    let taken = begun.elapsed();
    let begun = Instant::now();
    drop(child.stdin.take());
    child.wait()?;
    said.map(|_| (taken, begun.elapsed()))
}

fn start_of_true() -> anyhow::Result<Duration> {
    let mut command = std::process::Command::new("/bin/true");
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    let begun = Instant::now();
    command.spawn()?.wait()?;
    Ok(begun.elapsed())
}

fn at_rest(dir: &TempDir, args: &[&str]) -> anyhow::Result<Ours> {
    let mut command = command(dir);
    command.arg("--no-static").args(args);
    let program = Ours::start_other(command)?;
    thread::sleep(REST);
    Ok(program)
}

/// The most that it had at once, once it has shown what it found.
fn peak_after_search(mut program: Ours, years: &Years) -> anyhow::Result<f64> {
    program.line(&format!("/history {}", years.corpus.word(1)))?;
    program.wait_for(years.corpus.word(1), SOON)?;
    let peak = peak_resident_kilobytes(program.pid())? as f64 / 1024.0;
    program.line("0")?;
    program.wait_for_end(SOON)?;
    Ok(peak)
}
