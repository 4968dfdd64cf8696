//! What a kept connection takes of memory: in a process of its own for each side, which holds a thousand of them and does nothing else.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context, ensure};
use p2p_chat::net::secure::talk::Dialed;
use socket2::{Domain, Socket, Type};

use super::bare::{BareTls, Client, Server};
use super::door::Door;
use super::ours::{Ours, Output};
use super::process::memory;
use super::{Findings, RUNS, SOON, own};
use crate::common::table::Compared;

/// The first argument of a process that holds connections.
pub(crate) const HOLDER: &str = "holder";

/// Connections that are held.
const HELD: u32 = 1_000;

/// What a holder prints before its port, and when it has so many as it shall.
const PORT: &str = "port ";
const ALL: &str = "all\n";

/// Measures each side of ours beside the same of bare TLS.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let new = |what: &str, baseline: &str| Compared::new(what, baseline, "KB");
    let mut dialed = new("memory for each connection that was dialed", "bare TLS");
    let mut accepted = new("memory for each connection that was accepted", "bare TLS");
    let mut program = new("the program: for each peer that has dialed it", "bare TLS, accepted");
    for _ in 0..RUNS {
        dialed.add(of_dialed("ours")?, of_dialed("bare")?);
        let bare = of_accepted("bare")?;
        accepted.add(of_accepted("ours")?, bare);
        program.add(of_program()?, bare);
    }
    Ok(Findings { rows: vec![dialed, accepted, program], ..Findings::default() })
}

/// Is the holder that the arguments name.
pub(crate) fn be(args: &[String]) -> ExitCode {
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["dials", whose, port] => dials(whose, port),
        ["accepts", whose] => accepts(whose),
        _ => Err(anyhow::anyhow!("no such holder")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holder {args:?}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Dials so often, and holds all, until its input ends. Before it begins it says so and waits for a line.
fn dials(whose: &str, port: &str) -> anyhow::Result<()> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
    let (ann, key, bare) = (own::tls(1)?, own::tls(2)?.own(), BareTls::new()?);
    let mut ours: Vec<Dialed> = Vec::with_capacity(HELD as usize);
    let mut others: Vec<Client> = Vec::with_capacity(HELD as usize);
    // The first makes what all have in common.
    let mut dial = || -> anyhow::Result<()> {
        match whose {
            "ours" => ours.push(own::dial(&ann, addr, key)?),
            _ => others.push(bare.dial(addr)?),
        }
        Ok(())
    };
    dial()?;
    say(ALL)?;
    wait_for_a_line()?;
    (1..HELD).try_for_each(|_| dial())?;
    say(ALL)?;
    wait_for_a_line()
}

/// Accepts so many, and holds all, until its input ends. It says so at the first and at the last.
fn accepts(whose: &str) -> anyhow::Result<()> {
    let (bob, bare) = (own::tls(2)?, BareTls::new()?);
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    say(&format!("{PORT}{}\n", listener.local_addr()?.port()))?;
    let mut ours = Vec::with_capacity(HELD as usize);
    let mut others: Vec<Server> = Vec::with_capacity(HELD as usize);
    for count in 1..=HELD {
        let (stream, _) = listener.accept()?;
        match whose {
            "ours" => ours.push(own::accept(&bob, stream)?),
            _ => others.push(bare.accept(stream)?),
        }
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
    fn start(args: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(HOLDER).args(args).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
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

fn of_dialed(whose: &str) -> anyhow::Result<f64> {
    let (bob, bare, is_ours) = (own::tls(2)?, BareTls::new()?, whose == "ours");
    let held: Arc<Mutex<(Vec<_>, Vec<Server>)>> = Arc::default();
    let door = Door::open(1, move |stream| {
        let mut held = held.lock().map_err(|_| anyhow::anyhow!("a panic before"))?;
        if is_ours {
            held.0.push(own::accept(&bob, stream)?)
        } else {
            held.1.push(bare.accept(stream)?)
        }
        Ok(())
    })?;
    let mut holder = Holder::start(&["dials", whose, &door.addr.port().to_string()])?;
    holder.wait(1)?;
    let before = holder.anonymous()?;
    holder.go_on()?;
    holder.wait(2)?;
    Ok(each(before, holder.anonymous()?, HELD - 1))
}

fn of_accepted(whose: &str) -> anyhow::Result<f64> {
    let (ann, key, bare) = (own::tls(1)?, own::tls(2)?.own(), BareTls::new()?);
    let mut holder = Holder::start(&["accepts", whose])?;
    let told = holder.output.wait(|text, _| text.contains(&b'\n'), Instant::now() + SOON);
    ensure!(told, "it never said where it listens");
    let text = holder.output.text();
    let port = text.lines().next().and_then(|line| line.strip_prefix(PORT)).context("no port")?;
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    let mut before = 0.0;
    for count in 1..=HELD {
        match whose {
            "ours" => ours.push(own::dial(&ann, addr, key)?),
            _ => others.push(bare.dial(addr)?),
        }
        if count == 1 {
            holder.wait(1)?;
            before = holder.anonymous()?;
            holder.go_on()?;
        }
    }
    holder.wait(2)?;
    Ok(each(before, holder.anonymous()?, HELD - 1))
}

/// The whole program as the acceptor, whom somebody of another key dials from each of so many addresses: with a row, and what is remembered of
/// the key.
fn of_program() -> anyhow::Result<f64> {
    let program = Ours::start(&["--no-static"])?;
    let dial = |number: u32| -> anyhow::Result<Dialed> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + number);
        socket.bind(&SocketAddrV4::new(ip, 0).into())?;
        socket.connect(&program.addr.into())?;
        greet_whomever(number, socket.into())
    };
    let mut held = vec![dial(1)?];
    let before = memory(program.pid())?.anonymous;
    for number in 2..=HELD {
        held.push(dial(number)?);
    }
    let after = memory(program.pid())?.anonymous;
    for talk in held {
        // Had it been ended to make room, it would not have been counted.
        talk.look().map_err(|end| anyhow::anyhow!("it was not kept: {end:?}"))?.part(None);
    }
    Ok(each(before, after, HELD - 1))
}

/// As the one of this number, without knowing whom.
fn greet_whomever(number: u32, stream: TcpStream) -> anyhow::Result<Dialed> {
    use p2p_chat::net::secure::{self, Expectation};

    let channel = secure::dial(&*own::tls(number)?, stream, Expectation::Any, Instant::now() + SOON)
        .map_err(|refused| anyhow::anyhow!("no encryption: {refused:?}"))?;
    let met = Dialed::greet(channel, own::hello(&format!("P{number}"), 5000));
    Ok(met.map_err(|end| anyhow::anyhow!("no hello: {end:?}"))?.0)
}
