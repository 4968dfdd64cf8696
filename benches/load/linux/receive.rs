//! Receiving one message per connection, against a minimal receiver that prints nothing.

use std::time::{Duration, Instant};

use super::bare::Bare;
use super::ours::{Ours, Output};
use super::process::cpu_time;
use super::senders::{Manner, Sending, Shown, send};
use super::{Findings, RUNS, SOON};
use crate::common::figures::milliseconds;
use crate::common::table::{Compared, Target};

/// Messages of one run. Enough that half a second passes, and that all queues are full if they ever
/// will be.
const MESSAGES: usize = 20_000;

/// Senders at a time.
const SENDERS: [usize; 2] = [1, 8];

/// Measures both by turns. The manner that is held against the targets is that of the older
/// programs, which close at once and so send fastest.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    for manner in [Manner::Closes, Manner::Waits] {
        for senders in SENDERS {
            compare(manner, senders, &mut found)?;
        }
    }
    Ok(found)
}

/// One run of one receiver.
struct Run {
    rate: f64,
    cpu_per_message: f64,
    longest_connect: f64,
}

fn compare(manner: Manner, senders: usize, found: &mut Findings) -> anyhow::Result<()> {
    let s = if senders == 1 { "sender that" } else { "senders that each" };
    let how = match manner {
        Manner::Closes => format!("{senders} {s} closes"),
        Manner::Waits => format!("{senders} {s} waits"),
    };
    let row = |what: &str, unit, target| {
        let row = Compared::new(format!("{what}, {how}"), "bare receiver", unit);
        if manner == Manner::Closes { row.with(target) } else { row }
    };
    let mut rate = row("messages shown", "1/s", Target::RatioAtLeast(0.35));
    let mut cpu = row("CPU time per message", "us", Target::RatioAtMost(2.0));
    let mut connect = row("longest connect", "ms", Target::AtMost(500.0));
    let mut lost = row("lost or shown twice", "number", Target::AtMost(0.0));
    let together = "bare receiver, 12 threads";
    let mut beside = Compared::new(format!("longest connect, {how}"), together, "ms");
    // Whoever does not wait for one message to be taken before sending the next has no claim to an
    // order.
    let mut late =
        Compared::new(format!("shown behind a later one of its sender, {how}"), "bare receiver", "number");
    if manner == Manner::Waits {
        late = late.with(Target::AtMost(0.0));
    }
    for _ in 0..RUNS {
        let bare = Bare::start(&["receiver"])?;
        let theirs = run(bare.pid(), bare.addr.port(), bare.output(), manner, senders, senders)?;
        let text = bare.output().text();
        let taken = text.lines().last().and_then(|line| line.split(' ').next()?.parse::<usize>().ok());
        let bare_lost = MESSAGES - taken.unwrap_or(0);
        drop(bare);
        let many = Bare::start(&["receivers"])?;
        let theirs_together = run(many.pid(), many.addr.port(), many.output(), manner, senders, senders)?;
        drop(many);

        let program = Ours::start(&["--no-static"])?;
        let ours = run(program.pid(), program.addr.port(), program.output(), manner, senders, MESSAGES)?;
        let shown = Shown::of(&program.output().text(), senders, MESSAGES)?;
        drop(program);

        rate.add(ours.rate, theirs.rate);
        cpu.add(ours.cpu_per_message, theirs.cpu_per_message);
        connect.add(ours.longest_connect, theirs.longest_connect);
        beside.add(ours.longest_connect, theirs_together.longest_connect);
        lost.add((shown.lost + shown.twice) as f64, bare_lost as f64);
        late.add(shown.late as f64, 0.0);
        if shown.lost + shown.twice > 0 || (manner == Manner::Waits && shown.late > 0) {
            found.faults.push(format!("{how}: {shown:?}"));
        }
    }
    found.rows.extend([rate, cpu, connect, beside, lost, late]);
    Ok(())
}

/// Sends everything, and waits until so many marks are printed.
fn run(
    pid: u32,
    port: u16,
    output: &Output,
    manner: Manner,
    senders: usize,
    marks: usize,
) -> anyhow::Result<Run> {
    let cpu_before = cpu_time(pid)?;
    let Sending { begun, longest_connect } = send(manner, senders, MESSAGES, port)?;
    // What is lost is found when it is counted.
    output.wait(|_, seen| seen >= marks, Instant::now() + SOON);
    let taken = begun.elapsed();
    let cpu = cpu_time(pid)? - cpu_before;
    Ok(Run {
        rate: MESSAGES as f64 / taken.as_secs_f64(),
        cpu_per_message: cpu.div_f64(MESSAGES as f64).as_secs_f64() * 1e6,
        longest_connect: milliseconds(longest_connect.max(Duration::from_nanos(1))),
    })
}
