//! Unencrypted messages, one connection each, as legacy programs send them: connect, write, close.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use crate::RUNS;
use crate::common::process::cpu_time;
use crate::common::program::{MARK, Program, listen_and_say_where};
use crate::common::table::Compared;

/// The name of the minimal receiver.
pub(crate) const BARE: &str = "receiver";

/// Messages of one run: half a second of them, so that all queues fill if they ever will.
const MESSAGES: usize = 20_000;

/// Senders at a time.
const SENDERS: [usize; 2] = [1, 8];

/// Addresses of the receiver that are dialed by turns. A pair of addresses has 28,000 ports, and a
/// system that has used nearly all of them searches for a free one.
const ADDRESSES: usize = 8;

/// Ends the last message of a sender.
const LAST: u8 = b'!';

pub(crate) fn measure() -> anyhow::Result<Vec<Compared>> {
    let mut rows = Vec::new();
    for senders in SENDERS {
        let row = |what: &str, unit| {
            Compared::new(format!("{what}, from {senders} at a time"), "bare receiver", unit)
        };
        let mut rate = row("messages shown", "1/s");
        let mut work = row("CPU time per message", "us");
        for _ in 0..RUNS {
            let bare = Program::bare(BARE)?;
            let theirs = run(&bare, senders, senders)?;
            drop(bare);
            let program = Program::ours(&["--no-static"])?;
            let ours = run(&program, senders, MESSAGES)?;
            check_shown(&program.text(), senders)?;
            rate.add(ours.0, theirs.0);
            work.add(ours.1, theirs.1);
        }
        rows.extend([rate, work]);
    }
    Ok(rows)
}

/// Is the minimal receiver: accepts, reads once and closes, in one thread. It prints a mark for the
/// last message of each sender.
#[allow(clippy::print_stdout)]
pub(crate) fn receive() -> anyhow::Result<()> {
    let listener = listen_and_say_where()?;
    let mut stdout = io::stdout().lock();
    let mut buffer = [0; 1024];
    loop {
        let (mut stream, _) = listener.accept()?;
        let count = stream.read(&mut buffer)?;
        drop(stream);
        if buffer[..count].last() == Some(&LAST) {
            writeln!(stdout, "{}", char::from(MARK))?;
        }
    }
}

/// Sends everything, and waits for so many marks. Returns messages a second, and the CPU time for
/// each in microseconds.
fn run(program: &Program, senders: usize, marks: usize) -> anyhow::Result<(f64, f64)> {
    let before = cpu_time(program.pid())?;
    let begun = send(senders, program.addr.port())?;
    program.wait_for_marks(marks)?;
    let taken = begun.elapsed();
    let work = cpu_time(program.pid())?.saturating_sub(before);
    Ok((MESSAGES as f64 / taken.as_secs_f64(), work.as_secs_f64() * 1e6 / MESSAGES as f64))
}

/// Has each sender send its messages, one after the other. Returns when they began.
fn send(senders: usize, port: u16) -> anyhow::Result<Instant> {
    let start = Barrier::new(senders + 1);
    let each = MESSAGES / senders;
    let send_all = |sender: usize| -> anyhow::Result<()> {
        start.wait();
        for number in 1..=each {
            let ip = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(number % ADDRESSES)?);
            let mut bytes = message(sender, number).into_bytes();
            bytes.extend((number == each).then_some(LAST));
            let stream = TcpStream::connect(SocketAddrV4::new(ip, port));
            let sent = stream.and_then(|mut stream| stream.write_all(&bytes));
            sent.with_context(|| format!("no. {number} of sender {sender}"))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let send_all = &send_all;
        let threads: Vec<_> = (1..=senders).map(|n| scope.spawn(move || send_all(n))).collect();
        start.wait();
        let begun = Instant::now();
        for thread in threads {
            let Ok(sent) = thread.join() else { bail!("a sender panicked") };
            sent?;
        }
        Ok(begun)
    })
}

/// Returns a message of a usual length. No program listens at so low a port.
fn message(sender: usize, number: usize) -> String {
    format!("127.0.0.1:{sender} S{sender} {} see you at one{}", tag(sender, number), char::from(MARK))
}

fn tag(sender: usize, number: usize) -> String {
    format!("no. {number} of {sender}")
}

/// Checks that each message was shown once.
fn check_shown(printed: &str, senders: usize) -> anyhow::Result<()> {
    let mut shown = HashSet::new();
    for line in printed.lines().filter(|line| line.contains(char::from(MARK))) {
        let (_, text) = line.split_once("no. ").with_context(|| format!("no message: {line}"))?;
        let (tag, _) = text.split_once(" see ").with_context(|| format!("half a message: {line}"))?;
        ensure!(shown.insert(format!("no. {tag}")), "shown twice: {line}");
    }
    let all = (1..=senders).flat_map(|sender| (1..=MESSAGES / senders).map(move |n| tag(sender, n)));
    let lost = all.filter(|tag| !shown.contains(tag)).count();
    ensure!(lost == 0, "{lost} messages of {senders} senders are lost");
    Ok(())
}
