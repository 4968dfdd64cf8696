//! The time from a keystroke until its character is on the screen, with and without messages that
//! arrive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::sender::Sender;
use super::terminal::Chat;
use crate::RUNS;
use crate::common::figures::percentile;
use crate::common::table::Compared;

/// Keystrokes of one run, with messages or without: three beyond the 99th percentile.
const KEYSTROKES: usize = 300;

/// Typed before the line is emptied again. It fits in one row.
const LINE: &[u8] = b"abcdefghijklmnopqrstuvwxyzabcdefghijklmn";

/// The key that empties the line: Ctrl-U.
const EMPTY: &[u8] = b"\x15";

/// Messages a second.
const RATE: u32 = 200;

/// Pauses between keystrokes, as the least, the step and the number of steps. They vary by more
/// than the time between two messages, so that a keystroke meets them at any moment.
const PAUSES: (Duration, Duration, u32) = (Duration::from_millis(5), Duration::from_micros(700), 10);

pub(super) fn measure() -> anyhow::Result<Vec<Compared>> {
    let row = |percentile| {
        let what = format!("keystroke to screen, {RATE} messages/s, {percentile}");
        Compared::new(what, "no messages", "ms")
    };
    let (mut median, mut worst) = (row("p50"), row("p99"));
    for _ in 0..RUNS {
        let mut chat = Chat::start()?;
        let alone = type_lines(&mut chat)?;
        let busy = type_while_messages_come(&mut chat)?;
        median.add(percentile(&busy, 50), percentile(&alone, 50));
        worst.add(percentile(&busy, 99), percentile(&alone, 99));
    }
    Ok(vec![median, worst])
}

fn type_while_messages_come(chat: &mut Chat) -> anyhow::Result<Vec<Duration>> {
    let over = AtomicBool::new(false);
    let mut sender = Sender::new(chat.addr);
    let times = thread::scope(|scope| {
        let sending = scope.spawn(|| send_evenly(&mut sender, &over));
        let times = type_lines(chat);
        over.store(true, Ordering::SeqCst);
        sending.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
        times
    })?;
    let last = sender.last();
    chat.terminal.wait(&last, |terminal| terminal.screen().contents().contains(&last))?;
    sender.check_shown(&chat.terminal.rows())?;
    Ok(times)
}

fn send_evenly(sender: &mut Sender, over: &AtomicBool) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut sent = 0;
    while !over.load(Ordering::SeqCst) {
        let due = begun + Duration::from_secs(1) * sent / RATE;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        sender.send()?;
        sent += 1;
    }
    // Fewer messages would be another measurement.
    let due = begun.elapsed().as_secs_f64() * f64::from(RATE);
    ensure!(f64::from(sent) > due * 0.9, "only {sent} of {due:.0} messages could be sent in time");
    Ok(())
}

/// Types at the prompt, each character a pause after the one before is on the screen.
fn type_lines(chat: &mut Chat) -> anyhow::Result<Vec<Duration>> {
    let terminal = &mut chat.terminal;
    let prompt = terminal.typed_row();
    let (_, begin) = terminal.screen().cursor_position();
    let mut times = Vec::new();
    while times.len() < KEYSTROKES {
        for (before, key) in (begin..).zip(LINE) {
            let pressed = Instant::now();
            terminal.keys(&[*key])?;
            let message = char::from(*key).to_string();
            terminal.wait(&message, |terminal| {
                let (row, column) = terminal.screen().cursor_position();
                let cell = terminal.screen().cell(row, before);
                column == before + 1 && cell.is_some_and(|cell| cell.contents() == message)
            })?;
            times.push(pressed.elapsed());
            let (least, step, steps) = PAUSES;
            terminal.follow(least + step * (u32::try_from(times.len())? * 3 % steps))?;
        }
        let line = std::str::from_utf8(LINE).context("letters")?;
        ensure!(terminal.typed_row() == format!("{prompt}{line}"), "typed as {}", terminal.typed_row());
        terminal.keys(EMPTY)?;
        terminal.wait("an empty line", |terminal| terminal.screen().cursor_position().1 == begin)?;
    }
    times.truncate(KEYSTROKES);
    Ok(times)
}
