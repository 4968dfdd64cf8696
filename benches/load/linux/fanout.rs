//! `@all` to 1,000 peers, against a bare parallel dial loop; with peers among them that refuse or
//! never answer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::crowd::{Crowd, bare_fan_out};
use super::ours::Ours;
use super::process::{peak_resident_kilobytes, threads};
use super::{Findings, RUNS, SOON};
use crate::common::figures::milliseconds;
use crate::common::table::{Compared, Target};

/// Peers that live for ever, and those that refuse, or never answer, where some do.
pub(super) const CROWD: (usize, usize) = (900, 100);

/// Threads of the bare dial loop.
const BARE_THREADS: usize = 32;

/// The program's own time for connecting, in milliseconds.
const CONNECT_TIMEOUT: f64 = 3_000.0;

/// Time between two looks at the number of threads.
const LOOK: Duration = Duration::from_millis(2);

/// Three programs for each run: everybody lives, some refuse, some never answer. All of them have
/// had no work for so long that their dialing threads have ended, as anybody's who says something
/// now and then.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let bare = format!("bare dial loop, {BARE_THREADS} threads");
    let new = |what: &str, baseline: &str, target| Compared::new(what, baseline, "ms").with(target);
    let twice = Target::RatioAtMost(2.0);
    let mut all = new("@all, 1000 live: until the last has it", &bare, twice);
    let mut refusing = new("@all, 100 of 1000 refuse: until the last live one has it", "all live", twice);
    let soon = Target::AtMost(1_500.0);
    let mut silent = new("@all, 100 of 1000 never answer: until the last live one has it", "all live", soon);
    let within = Target::RatioAtMost(1.1);
    let mut told = new("@all, 100 of 1000 never answer: until everything is told", "connect timeout", within);
    let mut most_threads = Compared::new("threads while 100 of 1000 never answer, most", "idle", "number");
    let mut memory = Compared::new("resident memory with 1000 peers, peak", "before @all", "MB");
    for _ in 0..RUNS {
        let mut crowds = Vec::new();
        let mut programs = Vec::new();
        for _ in 0..3 {
            let crowd = Crowd::new(CROWD.0, CROWD.1)?;
            programs.push(start(&crowd)?);
            crowds.push(crowd);
        }
        for program in &programs {
            wait_until_idle(program)?;
        }
        let idle = threads(programs[2].pid())?;
        let before = peak_resident_kilobytes(programs[2].pid())?;

        let everybody = CROWD.0 + CROWD.1;
        let with_all = say_to_all(&mut programs[0], &crowds[0], everybody)?.last;
        let begun = Instant::now();
        bare_fan_out(&crowds[0].addrs(), BARE_THREADS, b"127.0.0.1:9 Bare soup is ready #")?;
        all.add(with_all, milliseconds(crowds[0].last_has_it(everybody)? - begun));

        crowds[1].refuse()?;
        refusing.add(say_to_all(&mut programs[1], &crowds[1], CROWD.0)?.last, with_all);

        crowds[2].fall_silent()?;
        let said = say_to_all(&mut programs[2], &crowds[2], CROWD.0)?;
        silent.add(said.last, with_all);
        told.add(said.told, CONNECT_TIMEOUT);
        most_threads.add(said.threads as f64, idle as f64);
        let peak = peak_resident_kilobytes(programs[2].pid())?;
        memory.add(peak as f64 / 1024.0, before as f64 / 1024.0);
    }
    Ok(Findings { rows: vec![all, refusing, silent, told, most_threads, memory], ..Findings::default() })
}

/// Starts the program with the crowd as its static peers, and waits until it has found all of them.
pub(super) fn start(crowd: &Crowd) -> anyhow::Result<Ours> {
    let file = crowd.peers_file();
    let program = Ours::start(&["--peers", file.to_str().context("a path of letters")?])?;
    let expected = format!("All {} static peers are there.", CROWD.0 + CROWD.1);
    program.wait_for(&expected, SOON)?;
    Ok(program)
}

/// Waits until the threads that dialed have ended for want of work.
pub(super) fn wait_until_idle(program: &Ours) -> anyhow::Result<()> {
    let deadline = Instant::now() + SOON;
    // Main, the input, the ticker, two listeners, the sessions, the store writer, and the one for
    // signals.
    while threads(program.pid())? > 8 {
        ensure!(Instant::now() < deadline, "its threads do not end");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// What came of a text to all.
struct Said {
    /// Until the last live one has it, and until everything is told, in milliseconds.
    last: f64,
    told: f64,
    /// Threads at most.
    threads: usize,
}

fn say_to_all(program: &mut Ours, crowd: &Crowd, live: usize) -> anyhow::Result<Said> {
    let pid = program.pid();
    let over = AtomicBool::new(false);
    let most = AtomicUsize::new(0);
    let (begun, last, told) = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                most.fetch_max(threads(pid).unwrap_or(0), Ordering::SeqCst);
                thread::sleep(LOOK);
            }
        });
        let begun = Instant::now();
        let said = program.line("@all soup is ready #").and_then(|()| {
            let last = crowd.last_has_it(live)?;
            program.wait_for(&format!("Sent to {live} of "), SOON)?;
            Ok((begun, last, Instant::now()))
        });
        over.store(true, Ordering::SeqCst);
        said
    })?;
    crowd.nobody_has_more()?;
    Ok(Said {
        last: milliseconds(last - begun),
        told: milliseconds(told - begun),
        threads: most.load(Ordering::SeqCst),
    })
}
