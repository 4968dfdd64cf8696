//! A word and its answer on a connection back, against minimal programs that do the same.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::ensure;
use socket2::{Domain, Protocol, Socket, Type};

use super::bare::{BACKLOG, Bare, listen};
use super::ours::{Ours, Output};
use super::{Findings, RUNS, SOON};
use crate::common::figures::percentile;
use crate::common::table::{Compared, Target};

/// Round trips of one run: two beyond the 99th percentile.
const ROUND_TRIPS: usize = 200;

/// Measures all of them by turns.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let row = |what: &str, baseline: &str| Compared::new(format!("{what}, p50"), baseline, "ms");
    let target = Target::RatioAtMost(1.5);
    let mut answer = row("connect sent until connect_ack is read", "bare dial-back").with(target);
    let mut worst = Compared::new("connect sent until connect_ack is read, p99", "bare dial-back", "ms");
    let mut echo = row("connect sent until connect_ack is read", "bare echo on one connection");
    let mut reply = row("line typed until the reply to it is printed", "bare chat").with(target);
    for _ in 0..RUNS {
        let bare = Bare::start(&["dialback"])?;
        let theirs = ask_to_be_listed(bare.addr)?;
        let program = Ours::start(&["--no-static"])?;
        let ours = ask_to_be_listed(program.addr)?;
        drop(program);
        answer.add(percentile(&ours, 50), percentile(&theirs, 50));
        worst.add(percentile(&ours, 99), percentile(&theirs, 99));
        echo.add(percentile(&ours, 50), percentile(&echo_times()?, 50));

        let mut chat = Bare::start(&["chat", &bare.addr.to_string()])?;
        let mut times = Vec::new();
        for number in 1..=ROUND_TRIPS {
            let begun = Instant::now();
            chat.line("are you there?")?;
            times.push(when_marked(chat.output(), number, begun)?);
        }
        let mut program = Ours::start(&["--no-static"])?;
        let ours = talk(&mut program, bare.addr)?;
        reply.add(percentile(&ours, 50), percentile(&times, 50));
    }
    Ok(Findings { rows: vec![answer, worst, echo, reply], ..Findings::default() })
}

/// Says `connect` from ever new addresses, for nobody is acknowledged twice in two seconds, and
/// waits each time until the answer has come on a connection back.
fn ask_to_be_listed(to: SocketAddrV4) -> anyhow::Result<Vec<Duration>> {
    let listener = listen(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), BACKLOG)?;
    let port = listener.local_addr()?.port();
    let mut times = Vec::new();
    for number in 0..ROUND_TRIPS {
        let ip = Ipv4Addr::new(127, 5, 0, u8::try_from(number + 1)?);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddrV4::new(ip, 0).into())?;
        let begun = Instant::now();
        socket.connect(&to.into())?;
        TcpStream::from(socket).write_all(format!("{ip}:{port} Ann connect").as_bytes())?;
        wait_for_answer(&listener)?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// Accepts until somebody says something: whoever speaks is also looked for, with an empty
/// connection.
fn wait_for_answer(listener: &TcpListener) -> anyhow::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(SOON))?;
        let count = stream.read(&mut buffer)?;
        if buffer[..count].windows(11).any(|piece| piece == b"connect_ack") {
            return Ok(());
        }
    }
}

fn echo_times() -> anyhow::Result<Vec<Duration>> {
    let echo = Bare::start(&["echo"])?;
    let mut stream = TcpStream::connect(echo.addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SOON))?;
    let mut buffer = [0; 1024];
    let mut times = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let begun = Instant::now();
        stream.write_all(b"127.0.0.1:9 Ann connect")?;
        ensure!(stream.read(&mut buffer)? > 0, "the echo has ended");
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// Types lines to a peer that dials back with an answer, each when the one before is settled.
fn talk(program: &mut Ours, peer: SocketAddrV4) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    for number in 1..=ROUND_TRIPS {
        let begun = Instant::now();
        program.line(&format!("@{peer} are you there?"))?;
        times.push(when_marked(program.output(), number, begun)?);
        // It asks anew when the line before is settled.
        let settled = |text: &[u8], _| String::from_utf8_lossy(text).matches("Choice").count() > number;
        ensure!(program.output().wait(settled, Instant::now() + SOON), "{}", program.output().text());
    }
    Ok(times)
}

fn when_marked(output: &Output, count: usize, begun: Instant) -> anyhow::Result<Duration> {
    let printed = output.wait(|_, marks| marks >= count, Instant::now() + SOON);
    let taken = begun.elapsed();
    ensure!(printed, "reply {count} was never printed: {}", output.text());
    Ok(taken)
}
