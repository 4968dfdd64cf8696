//! The memory of an open session: of the program, and of a process that accepts bare TLS and holds
//! as many connections.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use socket2::{Domain, Socket, Type};

use super::bare::{BareTls, Client};
use super::ours::{Ours, Output};
use super::own::Blocking;
use super::process::memory;
use super::{Findings, RUNS, SOON, own};
use crate::common::table::{Compared, Target};

/// The first argument of a process that holds connections.
pub(crate) const HOLDER: &str = "holder";

/// Connections that are held: nearly as many as the program allows strangers
/// (`MAX_STRANGER_SESSIONS`).
const HELD: u32 = 250;

/// What a holder prints before its port, and when it has so many as it shall.
const PORT: &str = "port ";
const ALL: &str = "all\n";

/// Measures the program beside a process that accepts bare TLS.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let what = "the program: for each peer that has dialed it";
    let mut program = Compared::new(what, "bare TLS, accepted", "KB").with(Target::RatioAtMost(2.0));
    for _ in 0..RUNS {
        program.add(of_program()?, of_bare()?);
    }
    Ok(Findings { rows: vec![program], ..Findings::default() })
}

/// Holds connections, as this process was started for.
pub(crate) fn be() -> ExitCode {
    match accepts() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holder: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Accepts so many connections and holds them until its input ends. Says so after the first, which
/// brings what all have in common, and after the last.
fn accepts() -> anyhow::Result<()> {
    let bare = BareTls::new()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    say(&format!("{PORT}{}\n", listener.local_addr()?.port()))?;
    let mut held = Vec::with_capacity(HELD as usize);
    for count in 1..=HELD {
        let (stream, _) = listener.accept()?;
        held.push(bare.accept(stream)?);
        if count == 1 || count == HELD {
            say(ALL)?;
            wait_for_a_line()?;
        }
    }
    Ok(())
}

fn say(words: &str) -> anyhow::Result<()> {
    io::stdout().write_all(words.as_bytes())?;
    Ok(io::stdout().flush()?)
}

fn wait_for_a_line() -> anyhow::Result<()> {
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// A running holder. It is killed when dropped.
struct Holder {
    child: Child,
    output: Output,
}

impl Holder {
    fn start() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(HOLDER).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = Output::read(child.stdout.take().context("no standard output")?);
        Ok(Self { child, output })
    }

    /// Waits until it has said so many times that it has all.
    fn wait(&self, times: usize) -> anyhow::Result<()> {
        let said = |text: &[u8], _| String::from_utf8_lossy(text).matches(ALL).count() >= times;
        ensure!(self.output.wait(said, Instant::now() + SOON), "it never had all: {}", self.output.text());
        Ok(())
    }

    /// Has it go on.
    fn go_on(&mut self) -> anyhow::Result<()> {
        Ok(writeln!(self.child.stdin.as_mut().context("no standard input")?)?)
    }

    fn anonymous(&self) -> anyhow::Result<f64> {
        Ok(memory(self.child.id())?.anonymous)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kilobytes for each, of so many more.
fn each(before: f64, after: f64, count: u32) -> f64 {
    (after - before) * 1024.0 / f64::from(count)
}

fn of_bare() -> anyhow::Result<f64> {
    let bare = BareTls::new()?;
    let mut holder = Holder::start()?;
    let told = holder.output.wait(|text, _| text.contains(&b'\n'), Instant::now() + SOON);
    ensure!(told, "it never said where it listens");
    let text = holder.output.text();
    let port = text.lines().next().and_then(|line| line.strip_prefix(PORT)).context("no port")?;
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
    let mut held = vec![bare.dial(addr)?];
    holder.wait(1)?;
    let before = holder.anonymous()?;
    holder.go_on()?;
    for _ in 1..HELD {
        held.push(bare.dial(addr)?);
    }
    holder.wait(2)?;
    Ok(each(before, holder.anonymous()?, HELD - 1))
}

/// The program, dialed by peers with different keys from different addresses. Each has a row, and
/// the program remembers its key.
fn of_program() -> anyhow::Result<f64> {
    let program = Ours::start(&["--no-static"])?;
    let dial = |number: u32| -> anyhow::Result<Blocking<Client>> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + number);
        socket.bind(&SocketAddrV4::new(ip, 0).into())?;
        socket.connect(&program.addr.into())?;
        own::dial(&format!("P{number}"), &*own::tls(number)?, socket.into())
    };
    let mut held = vec![dial(1)?];
    let before = memory(program.pid())?.anonymous;
    for number in 2..=HELD {
        held.push(dial(number)?);
    }
    let after = memory(program.pid())?.anonymous;
    // A session that was ended to make room would not have been counted.
    held.iter_mut().try_for_each(Blocking::is_open)?;
    Ok(each(before, after, HELD - 1))
}
