//! The minimal programs: this very program, started with other arguments, so that what they take is
//! counted per process.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, ensure};
use socket2::{Domain, Protocol, Socket, Type};
use tempfile::TempDir;

use super::SOON;
use super::ours::{MARK, Output};

/// The first argument of a minimal program.
pub(crate) const BARE: &str = "bare";

/// Connections that the system keeps for a minimal receiver: as many as for ours.
pub(super) const BACKLOG: i32 = 4096;

/// What a minimal program prints before its port.
const PORT: &str = "port ";

/// Is the minimal program that the arguments name.
pub(crate) fn be(args: &[String]) -> ExitCode {
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receiver"] => receive(),
        ["receivers"] => receive_together(),
        ["limiter"] => limit_connections(),
        ["echo"] => echo(),
        ["dialback"] => dial_back(),
        ["chat", peer] => chat(peer),
        _ => Err(anyhow::anyhow!("no such program")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare {args:?}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Accepts, reads once and closes, in one thread, for ever. At every connection that ends with the
/// mark of the last messages, that is passed on with the number of messages so far.
fn receive() -> anyhow::Result<()> {
    let (socket, _) = listen_anywhere()?;
    let mut stdout = io::stdout().lock();
    let mut buffer = [0; 1024];
    let mut taken = 0_usize;
    loop {
        let (mut stream, _) = socket.accept()?;
        let count = stream.read(&mut buffer)?;
        drop(stream);
        taken += usize::from(count > 0);
        if let Some(&byte) = buffer[..count].last()
            && byte == LAST
        {
            writeln!(stdout, "{taken} {}", char::from(MARK))?;
        }
    }
}

/// The same in several threads, which get a larger share of a busy machine.
fn receive_together() -> anyhow::Result<()> {
    let (socket, _) = listen_anywhere()?;
    let receive = || -> anyhow::Result<()> {
        let mut buffer = [0; 1024];
        loop {
            let (mut stream, _) = socket.accept()?;
            let count = stream.read(&mut buffer)?;
            drop(stream);
            if buffer[..count].last() == Some(&LAST) {
                writeln!(io::stdout(), "{}", char::from(MARK))?;
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..TOGETHER).map(|_| scope.spawn(receive)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })
}

/// Threads of [`receive_together`].
const TOGETHER: usize = 12;

/// Accepts in one thread. What comes from [`FRIEND`] is read and passed on with a mark; of all
/// others it keeps some and closes the oldest, as the least that can be done about those who only
/// hold their connections.
fn limit_connections() -> anyhow::Result<()> {
    let (socket, _) = listen_anywhere()?;
    let mut stdout = io::stdout().lock();
    let mut buffer = [0; 1024];
    let mut kept = VecDeque::new();
    loop {
        let (mut stream, source) = socket.accept()?;
        if source.ip() != FRIEND {
            kept.push_back(stream);
            kept.drain(..kept.len().saturating_sub(KEPT));
        } else if stream.read(&mut buffer)? > 0 {
            writeln!(stdout, "{}", char::from(MARK))?;
        }
    }
}

/// Whom [`limit_connections`] serves: where a connection comes from that is not bound elsewhere.
const FRIEND: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Connections that [`limit_connections`] keeps: as many as ours reads at most.
const KEPT: usize = 64;

/// Gives back what it reads, on one connection.
fn echo() -> anyhow::Result<()> {
    let (socket, _) = listen_anywhere()?;
    let (mut stream, _) = socket.accept()?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count])?;
    }
}

/// Accepts, reads once, closes, and dials the address in the header to answer. Only the answer to a
/// text has a mark: `connect`, which our program sends first, is no line of the user.
fn dial_back() -> anyhow::Result<()> {
    let (socket, port) = listen_anywhere()?;
    let mut buffer = [0; 1024];
    loop {
        let (mut stream, _) = socket.accept()?;
        let count = stream.read(&mut buffer)?;
        drop(stream);
        let text = std::str::from_utf8(&buffer[..count])?;
        let header = text.split(' ').next();
        // An empty connection only asks whether we are here.
        let Some(Ok(to)) = header.map(str::parse::<SocketAddrV4>) else { continue };
        let mark = if text.ends_with(" connect") { '.' } else { char::from(MARK) };
        let mut stream = TcpStream::connect(to)?;
        stream.write_all(format!("127.0.0.1:{port} Bare connect_ack to you {mark}").as_bytes())?;
    }
}

/// Says each line to the peer, and prints what it answers on a connection of its own.
fn chat(peer: &str) -> anyhow::Result<()> {
    let (socket, port) = listen_anywhere()?;
    let peer: SocketAddrV4 = peer.parse()?;
    let mut buffer = [0; 1024];
    for line in io::stdin().lines() {
        let mut stream = TcpStream::connect(peer)?;
        stream.write_all(format!("127.0.0.1:{port} Bare {}", line?).as_bytes())?;
        drop(stream);
        let (mut stream, _) = socket.accept()?;
        let count = stream.read(&mut buffer)?;
        writeln!(io::stdout(), "{}", std::str::from_utf8(&buffer[..count])?)?;
    }
    Ok(())
}

/// Listens and says where.
fn listen_anywhere() -> anyhow::Result<(TcpListener, u16)> {
    let socket = listen(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), BACKLOG)?;
    let port = socket.local_addr()?.port();
    writeln!(io::stdout(), "{PORT}{port}")?;
    Ok((socket, port))
}

/// Ends a message after which the minimal receiver says how many it has.
pub(super) const LAST: u8 = b'!';

/// A listening socket with this backlog.
pub(super) fn listen(addr: SocketAddrV4, backlog: i32) -> anyhow::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// A running minimal program. It is killed when dropped.
pub(super) struct Bare {
    child: Child,
    stdin: ChildStdin,
    output: Output,
    pub(super) addr: SocketAddrV4,
}

impl Bare {
    /// Starts it, and waits until it has said where it listens.
    pub(super) fn start(args: &[&str]) -> anyhow::Result<Self> {
        Self::start_file(&std::env::current_exe()?, args)
    }

    /// The same from a copy of this program, so that it shares no memory with the benchmark.
    pub(super) fn start_copy(dir: &TempDir, args: &[&str]) -> anyhow::Result<Self> {
        let copy = dir.path().join("bare");
        std::fs::copy(std::env::current_exe()?, &copy)?;
        Self::start_file(&copy, args)
    }

    fn start_file(file: &Path, args: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(file);
        command.arg(BARE).args(args).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().context("no standard input")?;
        let output = Output::read(child.stdout.take().context("no standard output")?);
        let told = output.wait(|text, _| text.contains(&b'\n'), Instant::now() + SOON);
        ensure!(told, "{args:?} never said where it listens");
        let text = output.text();
        let port = text.trim().strip_prefix(PORT).and_then(|port| port.parse().ok());
        let addr = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port.context("no port")?);
        Ok(Self { child, stdin, output, addr })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    /// Types a line.
    pub(super) fn line(&mut self, line: &str) -> anyhow::Result<()> {
        Ok(writeln!(self.stdin, "{line}")?)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
