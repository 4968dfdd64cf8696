//! The minimal programs: this very program, started with other arguments, so that what they take is counted per process.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use socket2::{Domain, Protocol, Socket, Type};

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

/// Accepts, reads once and closes, in one thread, for ever. At every connection that ends with the mark of the last
/// messages, that is passed on with the number of messages so far.
fn receive() -> anyhow::Result<()> {
    let socket = listen(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), BACKLOG)?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{PORT}{}", socket.local_addr()?.port())?;
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
    output: Output,
    pub(super) addr: SocketAddrV4,
}

impl Bare {
    /// Starts it, and waits until it has said where it listens.
    pub(super) fn start(args: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(BARE).args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = Output::read(child.stdout.take().context("no standard output")?);
        let told = output.wait(|text, _| text.contains(&b'\n'), Instant::now() + SOON);
        ensure!(told, "{args:?} never said where it listens");
        let text = output.text();
        let port = text.trim().strip_prefix(PORT).and_then(|port| port.parse().ok());
        let addr = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port.context("no port")?);
        Ok(Self { child, output, addr })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn output(&self) -> &Output {
        &self.output
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
