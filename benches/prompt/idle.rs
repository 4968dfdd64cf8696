//! Wake-ups of the program while nothing happens, as Linux counts them.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::terminal::{Chat, Terminal};
use crate::RUNS;
use crate::common::table::Compared;

/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(5);

/// How long the programs have to come to rest.
const REST: Duration = Duration::from_secs(1);

/// Measures all programs at the same time, because programs that sleep do not disturb each other.
pub(super) fn measure() -> anyhow::Result<Vec<Compared>> {
    let mut programs = Vec::new();
    for _ in 0..RUNS {
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        programs.push((Chat::start()?, Terminal::start(sleep)?));
    }
    thread::sleep(REST);
    let count = || {
        let of_run = |(chat, sleep): &(Chat, Terminal)| {
            anyhow::Ok((switches(chat.terminal.pid())?, switches(sleep.pid())?))
        };
        programs.iter().map(of_run).collect::<anyhow::Result<Vec<(Switches, Switches)>>>()
    };
    let before = count()?;
    thread::sleep(IDLE);
    let mut row = Compared::new(format!("wake-ups in {} s", IDLE.as_secs()), "sleep", "number");
    for (before, after) in before.iter().zip(&count()?) {
        row.add(wake_ups(&before.0, &after.0), wake_ups(&before.1, &after.1));
    }
    Ok(vec![row])
}

/// The context switches of each thread since it began.
pub(super) type Switches = HashMap<String, u32>;

pub(super) fn switches(pid: u32) -> anyhow::Result<Switches> {
    let mut switches = Switches::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|number| number.trim().parse::<u32>().ok()).with_context(|| format!("no {name}"))
        };
        let count = field("voluntary_ctxt_switches:")? + field("nonvoluntary_ctxt_switches:")?;
        switches.insert(field("Pid:")?.to_string(), count);
    }
    Ok(switches)
}

/// Counts how often a thread ran in between. One that has ended ran once more.
pub(super) fn wake_ups(before: &Switches, after: &Switches) -> f64 {
    let ended = before.keys().filter(|thread| !after.contains_key(*thread)).count();
    let ran = after.iter().map(|(thread, count)| count - before.get(thread).unwrap_or(&0)).sum::<u32>();
    f64::from(ran) + ended as f64
}
