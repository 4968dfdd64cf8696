//! `@all` to 1,000 legacy peers, compared with a bare dial loop.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::crowd::{Crowd, dial_all};
use crate::RUNS;
use crate::common::SOON;
use crate::common::figures::milliseconds;
use crate::common::process::threads;
use crate::common::program::Program;
use crate::common::table::Compared;

/// Peers that stay, and those that may fall silent.
const CROWD: (usize, usize) = (900, 100);

/// Threads of the bare dial loop.
const BARE_THREADS: usize = 32;

/// Threads of the idle program: main, the input, the ticker, two listeners, the sessions, the store
/// writer, and the one for signals.
const IDLE_THREADS: usize = 8;

/// The time that the program has for connecting, in milliseconds.
const CONNECT_TIMEOUT: f64 = 3_000.0;

pub(crate) fn measure() -> anyhow::Result<Vec<Compared>> {
    let bare = format!("bare dial loop, {BARE_THREADS} threads");
    let mut all = Compared::new("@all, 1000 live: until the last has it", bare, "ms");
    let silent = "@all, 100 of 1000 never answer: until";
    let mut reached = Compared::new(format!("{silent} the last live one has it"), "all live", "ms");
    let mut told = Compared::new(format!("{silent} everything is told"), "connect timeout", "ms");
    for _ in 0..RUNS {
        let everybody = CROWD.0 + CROWD.1;
        let (crowd, mut program) = start()?;
        let (with_all, _) = say_to_all(&mut program, &crowd, everybody)?;
        let begun = Instant::now();
        dial_all(&crowd.addrs(), BARE_THREADS, b"127.0.0.1:9 Bare soup is ready #")?;
        all.add(with_all, milliseconds(crowd.last_has_it(everybody)? - begun));
        drop(program);

        let (mut crowd, mut program) = start()?;
        crowd.fall_silent()?;
        let (last, all_told) = say_to_all(&mut program, &crowd, CROWD.0)?;
        reached.add(last, with_all);
        told.add(all_told, CONNECT_TIMEOUT);
    }
    Ok(vec![all, reached, told])
}

/// Starts a crowd, and the program with it as static peers. Waits until all are found and the
/// threads that dialed have ended, as they have for a user who writes now and then.
fn start() -> anyhow::Result<(Crowd, Program)> {
    let crowd = Crowd::new(CROWD.0, CROWD.1)?;
    let file = crowd.peers_file();
    let program = Program::ours(&["--peers", file.to_str().context("a path of letters")?])?;
    program.wait_for(&format!("All {} static peers are there.", CROWD.0 + CROWD.1), 1)?;
    let deadline = Instant::now() + SOON;
    while threads(program.pid())? > IDLE_THREADS {
        ensure!(Instant::now() < deadline, "its threads do not end");
        thread::sleep(Duration::from_millis(50));
    }
    Ok((crowd, program))
}

/// Writes to all. Returns the time until the last of `live` peers has the message, and until the
/// program has printed the result, in milliseconds.
fn say_to_all(program: &mut Program, crowd: &Crowd, live: usize) -> anyhow::Result<(f64, f64)> {
    let begun = Instant::now();
    program.line("@all soup is ready #")?;
    let last = crowd.last_has_it(live)?;
    program.wait_for(&format!("Sent to {live} of "), 1)?;
    let told = begun.elapsed();
    crowd.nobody_has_more()?;
    Ok((milliseconds(last - begun), milliseconds(told)))
}
