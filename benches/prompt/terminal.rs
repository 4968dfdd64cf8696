//! A program on a pseudo-terminal.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use pty_process::Size;
use pty_process::blocking::{self, Pty};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tempfile::TempDir;

use crate::common::SOON;
use crate::common::program;

/// Rows and columns of the window.
const SIZE: (u16, u16) = (24, 80);

/// Rows above the window that can be read again: more than a measurement prints.
const SCROLLBACK: usize = 20_000;

/// How long the program has to print the other lines of its start.
const SETTLED: Duration = Duration::from_millis(300);

/// Bytes read at once: as many as the system gives at most.
const CHUNK: usize = 4_096;

/// A running program and its window. Killed when dropped.
pub(super) struct Terminal {
    child: Child,
    pty: Pty,
    parser: vt100::Parser,
    buffer: [u8; CHUNK],
}

impl Terminal {
    /// Starts a command in a raw window, as ours makes it.
    pub(super) fn start(command: Command) -> anyhow::Result<Self> {
        let (pty, pts) = blocking::open()?;
        pty.resize(Size::new(SIZE.0, SIZE.1))?;
        let mut modes = tcgetattr(&pty)?;
        modes.make_raw();
        tcsetattr(&pty, OptionalActions::Now, &modes)?;
        let child = blocking::Command::from(command).spawn(pts)?;
        let parser = vt100::Parser::new(SIZE.0, SIZE.1, SCROLLBACK);
        Ok(Self { child, pty, parser, buffer: [0; CHUNK] })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Returns the row of the cursor, up to the cursor.
    pub(super) fn typed_row(&self) -> String {
        let (row, column) = self.screen().cursor_position();
        self.screen().contents_between(row, 0, row, column)
    }

    pub(super) fn keys(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.pty.write_all(bytes)?)
    }

    /// Reads what arrives until `deadline`, and shows it. Returns whether anything did.
    fn read(&mut self, deadline: Instant) -> anyhow::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut ready = [PollFd::new(&self.pty, PollFlags::IN)];
        if poll(&mut ready, Some(&Timespec::try_from(left)?))? == 0 {
            return Ok(false);
        }
        let count = self.pty.read(&mut self.buffer).context("the program has ended")?;
        ensure!(count > 0, "the program has ended");
        self.parser.process(&self.buffer[..count]);
        Ok(true)
    }

    /// Shows what is printed until the screen is as `fits` says.
    pub(super) fn wait(&mut self, what: &str, fits: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + SOON;
        while !fits(self) {
            let more = self.read(deadline)?;
            ensure!(more, "{what} was never shown:\n{}", self.screen().contents());
        }
        Ok(())
    }

    /// Shows what is printed for this long.
    pub(super) fn follow(&mut self, time: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            self.read(deadline)?;
        }
        Ok(())
    }

    /// Returns the rows above the window, and those in it.
    pub(super) fn rows(&mut self) -> Vec<String> {
        let screen = self.parser.screen_mut();
        screen.set_scrollback(usize::MAX);
        let above = screen.scrollback();
        let mut rows = Vec::new();
        for back in (1..=above).rev() {
            screen.set_scrollback(back);
            rows.extend(screen.rows(0, SIZE.1).next());
        }
        screen.set_scrollback(0);
        rows.extend(screen.rows(0, SIZE.1));
        rows
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our program at its prompt, in a directory of its own.
pub(super) struct Chat {
    pub(super) terminal: Terminal,
    pub(super) addr: SocketAddrV4,
    _dir: TempDir,
}

impl Chat {
    /// Starts it, with no peer known, and waits for the prompt.
    pub(super) fn start() -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        let mut command = program::ours(dir.path());
        command.env("TERM", "xterm-256color").args(["--bind", "127.0.0.1", "--no-static"]);
        let mut terminal = Terminal::start(command)?;
        let port = |terminal: &Terminal| program::port(&terminal.screen().contents());
        terminal.wait("the port", |terminal| port(terminal).is_some())?;
        terminal.wait("a prompt", |terminal| terminal.screen().cursor_position().1 > 0)?;
        terminal.follow(SETTLED)?;
        let port = port(&terminal).context("no port")?;
        Ok(Self { terminal, addr: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), _dir: dir })
    }
}
