//! Programs that the benchmarks start without a terminal: the released one, and minimal ones to
//! compare it with.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, ensure};
use socket2::{Domain, Protocol, Socket, Type};
use tempfile::TempDir;

use super::SOON;

/// A byte in every message that is waited for, and in nothing else that is printed.
pub(crate) const MARK: u8 = b'#';

/// Bytes read at once: as many as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// The queue of new connections of minimal programs: as long as ours.
const BACKLOG: i32 = 4_096;

/// A running program that listens at a port. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Output>,
    pub(crate) addr: SocketAddrV4,
    /// Removed with it.
    dir: Option<TempDir>,
}

impl Program {
    /// Starts ours in a directory of its own.
    pub(crate) fn ours(args: &[&str]) -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        Self::start_in(ours(dir.path()).args(args), dir)
    }

    /// Starts a program that has a directory of its own.
    pub(crate) fn start_in(command: &mut Command, dir: TempDir) -> anyhow::Result<Self> {
        let mut program = Self::start(command)?;
        program.dir = Some(dir);
        Ok(program)
    }

    /// Starts a copy of the benchmark, which shares no memory with it, as a minimal program.
    pub(crate) fn bare(name: &str) -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        let copy = dir.path().join("bare");
        std::fs::copy(std::env::current_exe()?, &copy)?;
        Self::start_in(Command::new(copy).arg(name).env_clear(), dir)
    }

    /// Starts a program, and returns when its output says where it listens.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdout = child.stdout.take().context("no standard output")?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 1024];
        let port = loop {
            let count = stdout.read(&mut chunk)?;
            ensure!(count > 0, "it never said where it listens");
            bytes.extend_from_slice(&chunk[..count]);
            if let Some(port) = port(&String::from_utf8_lossy(&bytes)) {
                break port;
            }
        };
        let output = Arc::new(Output::default());
        output.push(&bytes);
        let reader = Arc::clone(&output);
        thread::spawn(move || reader.read(stdout));
        let addr = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, output, addr, dir: None })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types a line.
    pub(crate) fn line(&mut self, line: &str) -> anyhow::Result<()> {
        Ok(writeln!(self.stdin.as_mut().context("no standard input")?, "{line}")?)
    }

    /// Waits until the output holds these words so many times.
    pub(crate) fn wait_for(&self, words: &str, times: usize) -> anyhow::Result<()> {
        let is_there = |printed: &Printed| {
            let pieces = printed.bytes.windows(words.len());
            pieces.filter(|piece| *piece == words.as_bytes()).count() >= times
        };
        ensure!(
            self.output.wait(is_there),
            "it did not say {words:?} {times} times, but: {}",
            self.end_of_text()
        );
        Ok(())
    }

    /// Waits until the output holds so many marks.
    pub(crate) fn wait_for_marks(&self, marks: usize) -> anyhow::Result<()> {
        let is_there = |printed: &Printed| printed.marks >= marks;
        ensure!(self.output.wait(is_there), "fewer than {marks} messages were shown");
        Ok(())
    }

    /// Returns the output so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().bytes).into_owned()
    }

    fn end_of_text(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Ends its input, and waits until it has ended.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        drop(self.stdin.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended as {status}");
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the command for ours. It reads and writes nothing outside of `dir`.
pub(crate) fn ours(dir: &Path) -> Command {
    named(dir, "Bench")
}

/// The same with another name.
pub(crate) fn named(dir: &Path, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2p-chat"));
    command.current_dir(dir).env_clear();
    for folder in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
        command.env(folder, dir);
    }
    // Measurements must not announce themselves on the network of the machine.
    command.env("P2P_CHAT_DISCOVER", "off");
    command.args(["--name", name, "--port", "0"]);
    command
}

/// Returns the port in the line that says where a program listens, once the line is whole.
pub(crate) fn port(text: &str) -> Option<u16> {
    let (line, _) = text.split_once("listening ")?.1.split_once('\n')?;
    line.split([' ', ':']).find_map(|word| word.trim_end_matches(['.', ',', '\r']).parse().ok())
}

/// Listens at any port of all loopback addresses.
pub(crate) fn listen() -> anyhow::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Listens as a minimal program, and says where.
#[allow(clippy::print_stdout)]
pub(crate) fn listen_and_say_where() -> anyhow::Result<TcpListener> {
    let listener = listen()?;
    println!("listening at port {}", listener.local_addr()?.port());
    Ok(listener)
}

/// The output of a program, read by a thread that does nothing else.
#[derive(Default)]
struct Output {
    printed: Mutex<Printed>,
    more: Condvar,
}

#[derive(Default)]
struct Printed {
    bytes: Vec<u8>,
    marks: usize,
    over: bool,
}

impl Output {
    fn lock(&self) -> std::sync::MutexGuard<'_, Printed> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut stdout: ChildStdout) {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count) = stdout.read(&mut chunk)
            && count > 0
        {
            self.push(&chunk[..count]);
        }
        self.lock().over = true;
        self.more.notify_all();
    }

    fn push(&self, bytes: &[u8]) {
        let marks = bytes.iter().filter(|byte| **byte == MARK).count();
        let mut printed = self.lock();
        printed.bytes.extend_from_slice(bytes);
        printed.marks += marks;
        drop(printed);
        self.more.notify_all();
    }

    /// Waits until the output is as wanted. Returns whether it got so.
    fn wait(&self, is_so: impl Fn(&Printed) -> bool) -> bool {
        let deadline = Instant::now() + SOON;
        let mut printed = self.lock();
        while !is_so(&printed) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || printed.over {
                return false;
            }
            let waited = self.more.wait_timeout(printed, left);
            printed = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
