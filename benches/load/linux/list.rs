//! Listing 1,000 peers with a look at each, and Exit with a goodbye to each, where some never
//! answer.

use std::time::{Duration, Instant};

use super::crowd::Crowd;
use super::fanout::{CROWD, start};
use super::ours::Ours;
use super::{Findings, RUNS};
use crate::common::figures::milliseconds;
use crate::common::table::{Compared, Target};

/// What people still feel as an answer to what they did, in milliseconds.
const TARGET: f64 = 2_000.0;

/// Longer than either may take, so that a missed target is a figure.
const LATE: Duration = Duration::from_secs(30);

/// Two programs for each run: for one everybody lives, for the other some have fallen silent.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let row = |what: &str| {
        let what = format!("{what}, 100 of 1000 never answer");
        Compared::new(what, "all live", "ms").with(Target::AtMost(TARGET))
    };
    let mut list = row("until the verified list is printed");
    let mut exit = row("until the program has ended");
    for _ in 0..RUNS {
        let crowd = Crowd::new(CROWD.0, CROWD.1)?;
        let with_all = list_and_exit(start(&crowd)?, CROWD.0 + CROWD.1)?;
        drop(crowd);
        let mut crowd = Crowd::new(CROWD.0, CROWD.1)?;
        let program = start(&crowd)?;
        crowd.fall_silent()?;
        let with_silent = list_and_exit(program, CROWD.0)?;
        list.add(with_silent.0, with_all.0);
        exit.add(with_silent.1, with_all.1);
    }
    Ok(Findings { rows: vec![list, exit], ..Findings::default() })
}

/// How long both took, in milliseconds.
fn list_and_exit(mut program: Ours, there: usize) -> anyhow::Result<(f64, f64)> {
    let begun = Instant::now();
    program.line("2")?;
    program.wait_for(&format!("{} peers, {there} online", CROWD.0 + CROWD.1), LATE)?;
    let listed = begun.elapsed();
    let begun = Instant::now();
    program.line("0")?;
    program.wait_for_end(LATE)?;
    Ok((milliseconds(listed), milliseconds(begun.elapsed())))
}
