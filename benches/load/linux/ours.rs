//! The released program without a terminal, and what it prints on a pipe.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::SOON;

/// Ends the last word of every message that is waited for, and occurs nowhere else in what is
/// printed.
pub(super) const MARK: u8 = b'#';

/// Bytes read at once: as many as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// Our program. It is killed when dropped.
pub(super) struct Ours {
    child: Child,
    stdin: ChildStdin,
    output: Output,
    pub(super) addr: SocketAddrV4,
    _dir: TempDir,
}

impl Ours {
    /// Starts it with these further arguments, and waits until it has said where it listens.
    pub(super) fn start(args: &[&str]) -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        let mut command = command(&dir);
        command.args(args);
        Self::start_in(dir, command)
    }

    /// Starts another program that says in the same words where it listens.
    pub(super) fn start_other(command: Command) -> anyhow::Result<Self> {
        Self::start_in(TempDir::new()?, command)
    }

    fn start_in(dir: TempDir, mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().context("no standard input")?;
        let output = Output::read(child.stdout.take().context("no standard output")?);
        let told = output.wait(|text, _| port(text).is_some(), Instant::now() + SOON);
        ensure!(told, "it never said where it listens: {}", output.text());
        let port = port(output.text().as_bytes()).context("no port")?;
        Ok(Self { child, stdin, output, addr: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), _dir: dir })
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

    /// Waits until it has printed this.
    pub(super) fn wait_for(&self, words: &str, within: Duration) -> anyhow::Result<()> {
        let is_there = |text: &[u8], _| text.windows(words.len()).any(|piece| piece == words.as_bytes());
        let told = self.output.wait(is_there, Instant::now() + within);
        ensure!(told, "it never said {words:?}: {}", self.output.text());
        Ok(())
    }
}

impl Ours {
    /// Waits until it has ended by itself.
    pub(super) fn wait_for_end(&mut self, within: Duration) -> anyhow::Result<()> {
        // Its output ends with it.
        let deadline = Instant::now() + within;
        ensure!(self.output.wait_for_end(deadline), "it does not end: {}", self.output.text());
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended as {status}");
        Ok(())
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program in a directory of its own, where nothing of the user's is read or written.
pub(super) fn command(dir: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2p-chat"));
    command.current_dir(dir.path()).env_clear();
    for folder in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
        command.env(folder, dir.path());
    }
    command.args(["--name", "Bench", "--port", "0"]);
    command
}

/// Reads until it has said where it listens.
pub(super) fn listens_in(child: &mut Child) -> anyhow::Result<u16> {
    let stdout = child.stdout.as_mut().context("no standard output")?;
    let mut text = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let count = stdout.read(&mut chunk)?;
        ensure!(count > 0, "it never said where it listens");
        text.extend_from_slice(&chunk[..count]);
        if let Some(port) = port(&text) {
            return Ok(port);
        }
    }
}

/// The port that the program says it listens at, once the sentence is whole.
fn port(text: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(text);
    let (addr, _) = text.split_once(", listening on ")?.1.split_once([' ', '\n', '\r'])?;
    addr.rsplit_once(':')?.1.parse().ok()
}

/// What a program has printed so far, read by a thread that does nothing else.
pub(super) struct Output {
    shared: Arc<Shared>,
    _reader: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
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
    pub(super) fn read(stdout: ChildStdout) -> Self {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        Self { shared, _reader: thread::spawn(move || own.read(stdout)) }
    }

    /// Waits until what was printed, or the number of marks in it, is as wanted; says whether it
    /// got so.
    pub(super) fn wait(&self, is_so: impl Fn(&[u8], usize) -> bool, deadline: Instant) -> bool {
        let mut printed = self.shared.printed.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if is_so(&printed.bytes, printed.marks) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || printed.over {
                return false;
            }
            let waited = self.shared.more.wait_timeout(printed, left);
            printed = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until nothing more will come; says whether that is so.
    pub(super) fn wait_for_end(&self, deadline: Instant) -> bool {
        let printed = self.shared.printed.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.shared.more.wait_timeout_while(printed, left, |printed| !printed.over);
        waited.unwrap_or_else(PoisonError::into_inner).0.over
    }

    /// The marks printed so far.
    pub(super) fn marks(&self) -> usize {
        self.shared.printed.lock().unwrap_or_else(PoisonError::into_inner).marks
    }

    /// All that was printed so far.
    pub(super) fn text(&self) -> String {
        let printed = self.shared.printed.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&printed.bytes).into_owned()
    }
}

impl Shared {
    fn read(&self, mut stdout: ChildStdout) {
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = stdout.read(&mut chunk).unwrap_or(0);
            let bytes = &chunk[..count];
            let marks = bytes.iter().filter(|byte| **byte == MARK).count();
            let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
            printed.bytes.extend_from_slice(bytes);
            printed.marks += marks;
            printed.over = count == 0;
            drop(printed);
            self.more.notify_all();
            if count == 0 {
                return;
            }
        }
    }
}
