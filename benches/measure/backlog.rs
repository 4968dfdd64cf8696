//! The time until a terminal that did not read for a while has shown what has come meanwhile.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use tempfile::TempDir;

use super::RUNS;
use super::sender::{SOON, Sender, check_all_shown};
use super::terminal::{Buffer, Chat, Terminal};
use crate::common::figures::milliseconds;
use crate::common::table::Compared;

/// Messages that wait while the terminal is not read.
const MESSAGES: usize = 10_000;

/// Those that the program has taken out of its mailbox, and is writing, before the others fill it: the mailbox holds 8,192.
/// They are far more than a pseudo-terminal holds, so that the writing does not come to its end.
const BEING_WRITTEN: usize = 2_000;

/// Messages after which the program writes no more to a terminal that is not read. One is at least 100 bytes with the dock
/// below it; Linux holds some 16 KB.
const PLUG: usize = 500;

/// Who sends them, each from a thread of its own: few, for the order of each is checked.
const NAMES: [&str; 4] = ["Ann", "Ben", "Cem", "Dora"];

/// Ends the last message of each part, and occurs nowhere else.
const END: &str = "#";

/// How long `cat` has for writing as much as there is room for.
const STUCK: Duration = Duration::from_millis(100);

/// Measures both by turns.
pub(super) fn measure() -> anyhow::Result<Compared> {
    let mut shown = Compared::new(format!("{MESSAGES} queued messages shown"), "cat", "ms");
    for _ in 0..RUNS {
        let (ours, bytes) = show_messages()?;
        shown.add(milliseconds(ours), milliseconds(cat(&bytes)?));
    }
    Ok(shown)
}

/// How long it takes our program, and what it writes.
fn show_messages() -> anyhow::Result<(Duration, Vec<u8>)> {
    let Chat { mut terminal, addr, dir: _dir } = Chat::start()?;
    let mut plug = Sender::new("Plug", 9, addr);
    let mut ports = 1..;
    let mut senders = NAMES.map(|name| Sender::new(name, ports.next().expect("an endless range"), addr));
    // Nothing is read, so the program gets stuck in writing, and the rest stays in the mailbox.
    for _ in 1..PLUG {
        plug.send()?;
    }
    plug.send_ending_with(END)?;
    send(&mut senders, BEING_WRITTEN / NAMES.len())?;
    // It gets free, takes all that is in the mailbox, and gets stuck in writing that.
    let mut buffer = Buffer::default();
    let bytes = read_to_end_mark(&mut terminal, &mut buffer)?;
    terminal.put(&bytes);
    send(&mut senders, (MESSAGES - BEING_WRITTEN) / NAMES.len() - 1)?;
    let [others @ .., last] = &mut senders;
    others.iter_mut().try_for_each(Sender::send)?;
    last.send_ending_with(END)?;

    let begun = Instant::now();
    let bytes = read_to_end_mark(&mut terminal, &mut buffer)?;
    let taken = begun.elapsed();

    terminal.put(&bytes);
    let mut all = vec![plug];
    all.extend(senders);
    check_all_shown(&terminal.rows(), &all)?;
    Ok((taken, bytes))
}

/// Has all of them send so many at the same time.
fn send(senders: &mut [Sender], count: usize) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let mut sending = Vec::new();
        for sender in senders {
            sending.push(scope.spawn(move || (0..count).try_for_each(|_| sender.send())));
        }
        sending.into_iter().try_for_each(|thread| match thread.join() {
            Ok(sent) => sent,
            Err(_) => bail!("a sender panicked"),
        })
    })
}

/// How long it takes to show just these bytes.
fn cat(bytes: &[u8]) -> anyhow::Result<Duration> {
    let dir = TempDir::new()?;
    let path = dir.path().join("bytes");
    fs::write(&path, bytes)?;
    let mut command = Command::new("cat");
    command.arg(&path);
    let mut terminal = Terminal::start(command)?;
    thread::sleep(STUCK);
    let mut buffer = Buffer::default();
    let begun = Instant::now();
    let shown = read_to_end_mark(&mut terminal, &mut buffer)?;
    let taken = begun.elapsed();
    // What follows the mark came in the same piece with it or not.
    let same = bytes.starts_with(&shown) || shown.starts_with(bytes);
    ensure!(same, "cat wrote other bytes");
    Ok(taken)
}

/// Reads until the mark, without a look at anything else.
fn read_to_end_mark(terminal: &mut Terminal, buffer: &mut Buffer) -> anyhow::Result<Vec<u8>> {
    let deadline = Instant::now() + SOON;
    let mut all = Vec::new();
    loop {
        let bytes = terminal.read(deadline, buffer)?;
        ensure!(!bytes.is_empty(), "after {} bytes nothing more was written", all.len());
        all.extend_from_slice(bytes);
        if bytes.contains(&END.as_bytes()[0]) {
            return Ok(all);
        }
    }
}
