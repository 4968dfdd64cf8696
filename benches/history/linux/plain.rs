//! Plain messages received, kept and not kept.

use std::time::Instant;

use super::ours::{Ours, command};
use super::process::cpu_time;
use super::senders::{Manner, Sending, Shown, send};
use super::{Findings, RUNS, SOON, disk};
use crate::common::table::Compared;

/// Messages of one run, as in the benchmark of the whole program.
const MESSAGES: usize = 20_000;

/// Senders at a time.
const SENDERS: [usize; 2] = [1, 8];

/// Measures both by turns.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    for manner in [Manner::Closes, Manner::Waits] {
        for senders in SENDERS {
            let verb = if manner == Manner::Closes { "close" } else { "wait" };
            let s = if senders == 1 { "sender that" } else { "senders that each" };
            let how = format!("{senders} {s} {verb}s");
            let mut rate = Compared::new(format!("plain messages shown, {how}"), "--no-history", "1/s");
            let mut work = Compared::new(format!("CPU time per message, {how}"), "--no-history", "us");
            for _ in 0..RUNS {
                let (ours, theirs) = (run(manner, senders, &[])?, run(manner, senders, &["--no-history"])?);
                rate.add(ours.rate, theirs.rate);
                work.add(ours.work, theirs.work);
                for (which, run) in [("kept", ours), ("not kept", theirs)] {
                    if run.shown.lost + run.shown.twice > 0 {
                        found.faults.push(format!("{how}, {which}: {:?}", run.shown));
                    }
                }
            }
            found.rows.extend([rate, work]);
        }
    }
    Ok(found)
}

struct Run {
    rate: f64,
    work: f64,
    shown: Shown,
}

/// Sends everything, and waits until it is printed.
fn run(manner: Manner, senders: usize, args: &[&str]) -> anyhow::Result<Run> {
    let dir = disk::dir()?;
    let mut command = command(&dir);
    command.arg("--no-static").args(args);
    let program = Ours::start_other(command)?;
    let before = cpu_time(program.pid())?;
    let Sending { begun, .. } = send(manner, senders, MESSAGES, program.addr.port())?;
    // What is lost is found when it is counted.
    program.output().wait(|_, marks| marks >= MESSAGES, Instant::now() + SOON);
    let taken = begun.elapsed();
    let work = cpu_time(program.pid())?.saturating_sub(before);
    let shown = Shown::of(&program.output().text(), senders, MESSAGES)?;
    Ok(Run {
        rate: MESSAGES as f64 / taken.as_secs_f64(),
        work: work.as_secs_f64() * 1e6 / MESSAGES as f64,
        shown,
    })
}
