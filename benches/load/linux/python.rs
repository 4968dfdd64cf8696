//! A flood, against a listener as most programs of this kind are written: in Python, with a short
//! queue, one `recv` and one thread for everything.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use super::ours::{Ours, Output};
use super::{Findings, RUNS};
use crate::common::table::{Compared, Target};

/// How long it is flooded: longer than one repetition of a lost first packet, which comes after a
/// second.
const FLOOD: Duration = Duration::from_secs(3);

/// Senders at a time.
const SENDERS: usize = 8;

/// The listener.
const LISTENER: &str = "
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', 0))
server.listen(5)
print('listening at port', server.getsockname()[1], '.', flush=True)
while True:
    connection, _ = server.accept()
    try:
        data = connection.recv(1024).decode()
        if data:
            address, name, text = data.split(' ', 2)
            print(f'{name} ({address}): {text}', flush=True)
    except ConnectionError:
        pass
    connection.close()
";

/// Measures both by turns.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let what = format!("messages shown of a flood by {SENDERS} senders");
    let mut shown = Compared::new(what, "Python, listen(5)", "1/s").with(Target::RatioAtLeast(100.0));
    let there = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        let note = "Not measured: there is no python3 here.".to_owned();
        return Ok(Findings { notes: vec![note], ..Findings::default() });
    }
    for _ in 0..RUNS {
        let mut command = Command::new("python3");
        command.args(["-c", LISTENER]);
        let python = Ours::start_other(command)?;
        let theirs = flood(python.addr.port(), python.output())?;
        drop(python);
        let program = Ours::start(&["--no-static"])?;
        let ours = flood(program.addr.port(), program.output())?;
        shown.add(ours, theirs);
    }
    Ok(Findings { rows: vec![shown], ..Findings::default() })
}

/// Messages shown in a second while everybody sends as fast as they can.
fn flood(port: u16, output: &Output) -> anyhow::Result<f64> {
    let until = Instant::now() + FLOOD;
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        let sending: Vec<_> = (1..=SENDERS)
            .map(|sender| {
                scope.spawn({
                    let sent = &sent;
                    move || send(sender, port, until, sent)
                })
            })
            .collect();
        thread::sleep(until.saturating_duration_since(Instant::now()));
        let shown = output.marks();
        for thread in sending {
            let Ok(result) = thread.join() else { bail!("a sender panicked") };
            result?;
        }
        ensure!(shown > 0, "nothing was shown");
        ensure!(shown <= sent.load(Ordering::SeqCst), "more was shown than sent");
        Ok(shown as f64 / FLOOD.as_secs_f64())
    })
}

/// Sends as the older programs do until it is over. Whoever cannot connect meanwhile has waited for
/// nothing.
fn send(sender: usize, port: u16, until: Instant, sent: &AtomicUsize) -> anyhow::Result<()> {
    for number in 0.. {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let ip = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(number % 16)?);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        // On Linux this bounds connecting, too.
        socket.set_write_timeout(Some(left))?;
        if socket.connect(&SocketAddrV4::new(ip, port).into()).is_err() {
            continue;
        }
        let bytes = format!("127.0.0.1:{sender} S{sender} no. {number} see you at one#");
        sent.fetch_add(1, Ordering::SeqCst);
        // Whoever listens may close before it has read.
        let _ = socket.send(bytes.as_bytes()).context("sending");
    }
    Ok(())
}
