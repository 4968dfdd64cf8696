//! Wake-ups of the program while nothing happens, as Linux counts them.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::terminal::{Chat, Terminal};
use crate::RUNS;
use crate::common::table::Compared;

/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(5);

/// How long the programs have to come to rest.
const REST: Duration = Duration::from_secs(1);

/// Typed and not sent.
const HALF_A_LINE: &str = "half a li";

/// Measures all programs at the same time, because programs that sleep do not disturb each other.
pub(super) fn measure() -> anyhow::Result<Vec<Compared>> {
    let mut programs = [Vec::new(), Vec::new(), Vec::new()];
    let mut dirs = Vec::new();
    for _ in 0..RUNS {
        for (kind, typed) in ["", HALF_A_LINE].into_iter().enumerate() {
            let Chat { mut terminal, dir, .. } = Chat::start()?;
            let before = switches(terminal.pid())?;
            terminal.keys(typed.as_bytes())?;
            terminal.wait("what was typed", |terminal| terminal.typed_row().ends_with(typed))?;
            let counted = wake_ups(&before, &switches(terminal.pid())?) > 0.0;
            ensure!(counted || typed.is_empty(), "keys were read, and no wake-up was counted");
            programs[kind].push(terminal);
            dirs.push(dir);
        }
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        programs[2].push(Terminal::start(sleep)?);
    }
    thread::sleep(REST);
    let before = switches_of_all(&programs)?;
    thread::sleep(IDLE);
    let after = switches_of_all(&programs)?;

    let seconds = IDLE.as_secs();
    let what = |prompt| format!("wake-ups in {seconds} s at {prompt}");
    let row = |prompt| Compared::new(what(prompt), "sleep", "number");
    let mut rows = vec![row("an empty prompt"), row("half a line typed")];
    for run in 0..RUNS {
        let count = |kind: usize| wake_ups(&before[kind][run], &after[kind][run]);
        for (kind, row) in rows.iter_mut().enumerate() {
            row.add(count(kind), count(2));
        }
    }
    Ok(rows)
}

/// The context switches of each thread since it began.
pub(super) type Switches = HashMap<String, u32>;

fn switches_of_all(programs: &[Vec<Terminal>]) -> anyhow::Result<Vec<Vec<Switches>>> {
    let of_kind = |kind: &Vec<Terminal>| kind.iter().map(|terminal| switches(terminal.pid())).collect();
    programs.iter().map(of_kind).collect()
}

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
