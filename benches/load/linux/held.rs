//! What a well-behaved peer notices while an attacker holds 2,000 connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use super::bare::Bare;
use super::ours::{Ours, Output};
use super::process::{peak_resident_kilobytes, threads};
use super::senders::{Manner, exchange};
use super::{Findings, RUNS, SOON};
use crate::common::figures::percentile;
use crate::common::table::{Compared, Target};

/// Connections that are held.
const HELD: usize = 2_000;

/// Messages of the well-behaved peer in each state of things, and the time between them.
const MESSAGES: usize = 60;
const SPACING: Duration = Duration::from_millis(20);

/// Time between two bytes of a dripping connection: less than the silence that ends a message.
const DRIP: Duration = Duration::from_millis(100);

/// The attacker dials anew, all at once and this often, where a connection was closed: to hold them
/// is what it wants.
const PASSES_BETWEEN_DIALS: usize = 10;

/// How the connections are held.
#[derive(Clone, Copy)]
struct Attack {
    what: &'static str,
    drips: bool,
    one_address: bool,
}

const ATTACKS: [Attack; 3] = [
    Attack { what: "idle, from one address", drips: false, one_address: true },
    Attack { what: "dripping, from one address", drips: true, one_address: true },
    Attack { what: "dripping, from 2000 addresses", drips: true, one_address: false },
];

/// Measures each attack on a program of its own, before and while it lasts.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    for attack in ATTACKS {
        let what = |figure: &str| format!("{HELD} connections {}: {figure}", attack.what);
        let usual = "before";
        let mut middle = Compared::new(what("message shown, p50"), usual, "ms");
        let mut longest =
            Compared::new(what("message shown, longest"), usual, "ms").with(Target::TimesAndMore(1.2, 50.0));
        let mut bare = Compared::new(what("message shown, longest"), "bare limiter, held alike", "ms");
        let mut memory =
            Compared::new(what("resident memory, peak"), usual, "MB").with(Target::TimesAndMore(1.0, 20.0));
        let mut most_threads = Compared::new(what("threads"), usual, "number");
        let mut held = Vec::new();
        for _ in 0..RUNS {
            let program = Ours::start(&["--no-static"])?;
            let before = send_evenly(program.addr, program.output())?;
            let memory_before = peak_resident_kilobytes(program.pid())?;
            let threads_before = threads(program.pid())?;
            let ((during, threads_during), open) = while_attacked(attack, program.addr, || {
                Ok((send_evenly(program.addr, program.output())?, threads(program.pid())?))
            })?;
            middle.add(percentile(&during, 50), percentile(&before, 50));
            longest.add(percentile(&during, 100), percentile(&before, 100));
            let memory_during = peak_resident_kilobytes(program.pid())?;
            memory.add(memory_during as f64 / 1024.0, memory_before as f64 / 1024.0);
            most_threads.add(threads_during as f64, threads_before as f64);
            held.push(open);
            let limiter = Bare::start(&["limiter"])?;
            let evenly = || send_evenly(limiter.addr, limiter.output());
            bare.add(
                percentile(&during, 100),
                percentile(&while_attacked(attack, limiter.addr, evenly)?.0, 100),
            );
        }
        held.sort_unstable();
        found.notes.push(format!(
            "{}: of the {HELD}, {} were open when the last message had been shown; the others waited to be dialed anew.",
            attack.what,
            held[held.len() / 2]
        ));
        found.rows.extend([middle, longest, bare, memory, most_threads]);
    }
    Ok(found)
}

/// The times from just before a message is sent until it is read from the pipe.
fn send_evenly(to: SocketAddrV4, output: &Output) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    let seen_before = output.marks();
    for number in 1..=MESSAGES {
        let begun = Instant::now();
        exchange(Manner::Waits, to, b"127.0.0.1:1 Ann see you at one #")?;
        let shown = output.wait(|_, seen| seen >= seen_before + number, Instant::now() + SOON);
        ensure!(shown, "message {number} was never shown");
        times.push(begun.elapsed());
        thread::sleep(SPACING);
    }
    Ok(times)
}

/// Does something while the attack lasts; what comes of it, and the connections still held then.
fn while_attacked<T>(
    attack: Attack,
    to: SocketAddrV4,
    act: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, usize)> {
    let over = AtomicBool::new(false);
    let open = AtomicUsize::new(0);
    thread::scope(|scope| {
        let attacker = scope.spawn(|| hold(attack, to, &over, &open));
        while open.load(Ordering::SeqCst) == 0 && !attacker.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        let done = act();
        over.store(true, Ordering::SeqCst);
        let Ok(held) = attacker.join() else { bail!("the attacker panicked") };
        held.context("the attacker")?;
        Ok((done?, open.load(Ordering::SeqCst)))
    })
}

/// Holds the connections until it is over. `open` says how many are, once all have been dialed.
fn hold(attack: Attack, to: SocketAddrV4, over: &AtomicBool, open: &AtomicUsize) -> anyhow::Result<()> {
    let source = |number: usize| -> anyhow::Result<Ipv4Addr> {
        let number = if attack.one_address { 8 } else { number };
        Ok(Ipv4Addr::new(127, 0, u8::try_from(number / 250)?, u8::try_from(number % 250 + 1)?))
    };
    let mut held = Vec::new();
    for pass in 0.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let begun = Instant::now();
        if pass % PASSES_BETWEEN_DIALS == 0 {
            held.resize_with(HELD, || None);
            for (number, place) in held.iter_mut().enumerate().filter(|(_, place)| place.is_none()) {
                *place = Some(dial(source(number)?, to)?);
            }
        }
        for place in &mut held {
            if place.as_mut().is_some_and(|stream| !still_open(stream, attack.drips)) {
                *place = None;
            }
        }
        open.store(held.iter().flatten().count().max(1), Ordering::SeqCst);
        thread::sleep(DRIP.saturating_sub(begun.elapsed()));
    }
    Ok(())
}

fn dial(from: Ipv4Addr, to: SocketAddrV4) -> anyhow::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddrV4::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), SOON)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Writes one byte, if it drips; whether the other side still holds the connection.
fn still_open(stream: &mut TcpStream, drips: bool) -> bool {
    let waits = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
    if drips && stream.write(b"x").is_err_and(|error| !waits(error)) {
        return false;
    }
    match stream.read(&mut [0; 64]) {
        Ok(count) => count > 0,
        Err(error) => waits(error),
    }
}
