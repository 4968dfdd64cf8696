//! A program on a pseudo-terminal, whose reader decides when it reads.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use pty_process::Size;
use pty_process::blocking::{self, Pty};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tempfile::TempDir;

use super::sender::SOON;

/// Rows and columns of the window: those of the terminals of old, with which most still begin.
const SIZE: (u16, u16) = (24, 80);

/// Rows above the window that can be read again: more than any measurement prints.
const SCROLLBACK: usize = 20_000;

/// Silence after which the program has said what it says at its start.
const SETTLED: Duration = Duration::from_millis(300);

/// Bytes read at once: as many as the system gives at most.
const CHUNK: usize = 4_096;

/// A running program and its window. It is killed when dropped.
pub(super) struct Terminal {
    child: Child,
    pty: Pty,
    parser: vt100::Parser,
}

impl Terminal {
    /// Starts a command in a window that changes nothing of what is printed, as ours has it.
    pub(super) fn start(command: Command) -> anyhow::Result<Self> {
        let (pty, pts) = blocking::open()?;
        pty.resize(Size::new(SIZE.0, SIZE.1))?;
        let mut modes = tcgetattr(&pty)?;
        modes.make_raw();
        tcsetattr(&pty, OptionalActions::Now, &modes)?;
        let child = blocking::Command::from(command).spawn(pts)?;
        Ok(Self { child, pty, parser: vt100::Parser::new(SIZE.0, SIZE.1, SCROLLBACK) })
    }

    /// The number of its process.
    #[cfg(target_os = "linux")]
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What is on the screen now.
    pub(super) fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// The row that the cursor stands in, up to the cursor.
    pub(super) fn typed_row(&self) -> String {
        let (row, column) = self.screen().cursor_position();
        self.screen().contents_between(row, 0, row, column)
    }

    /// Presses keys that send these bytes.
    pub(super) fn keys(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.pty.write_all(bytes)?)
    }

    /// Puts on the screen what was read.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
    }

    /// Reads what there is, waiting for it until `deadline`; nothing if there is nothing until then.
    pub(super) fn read<'a>(&mut self, deadline: Instant, buffer: &'a mut Buffer) -> anyhow::Result<&'a [u8]> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut ready = [PollFd::new(&self.pty, PollFlags::IN)];
        if poll(&mut ready, Some(&Timespec::try_from(left)?))? == 0 {
            return Ok(&[]);
        }
        let count = self.pty.read(&mut buffer.0).context("the program has ended")?;
        ensure!(count > 0, "the program has ended");
        Ok(&buffer.0[..count])
    }

    /// Shows what is printed until the screen is as `fits` says.
    pub(super) fn wait(&mut self, what: &str, fits: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + SOON;
        let mut buffer = Buffer::default();
        while !fits(self) {
            let bytes = self.read(deadline, &mut buffer)?;
            if bytes.is_empty() {
                bail!("{what} was never shown:\n{}", self.screen().contents());
            }
            self.put(bytes);
        }
        Ok(())
    }

    /// Shows what is printed for this long.
    pub(super) fn follow(&mut self, time: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + time;
        let mut buffer = Buffer::default();
        while Instant::now() < deadline {
            let bytes = self.read(deadline, &mut buffer)?;
            self.put(bytes);
        }
        Ok(())
    }

    /// All that can be read by scrolling back, and the screen.
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

/// What is read into.
pub(super) struct Buffer([u8; CHUNK]);

impl Default for Buffer {
    fn default() -> Self {
        Self([0; CHUNK])
    }
}

/// Our program at its prompt, in a directory of its own.
pub(super) struct Chat {
    pub(super) terminal: Terminal,
    /// Where messages for it go.
    pub(super) addr: SocketAddrV4,
    pub(super) dir: TempDir,
}

impl Chat {
    /// Starts it, knowing nobody, and waits until it asks.
    pub(super) fn start() -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_p2p-chat"));
        command.current_dir(dir.path()).env_clear().env("TERM", "xterm-256color");
        for folder in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env(folder, dir.path());
        }
        command.args(["--name", "Bench", "--port", "0", "--bind", "127.0.0.1", "--no-static"]);
        let mut terminal = Terminal::start(command)?;
        terminal.wait("where it listens", |terminal| port(terminal.screen()).is_some())?;
        terminal.wait("a prompt", |terminal| terminal.screen().cursor_position().1 > 0)?;
        terminal.follow(SETTLED)?;
        let port = port(terminal.screen()).context("it has said where it listens")?;
        Ok(Self { terminal, addr: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), dir })
    }
}

/// The port that the program says it listens at, once the sentence is whole.
fn port(screen: &vt100::Screen) -> Option<u16> {
    let text = screen.contents();
    let (addr, _) = text.split_once(", listening on ")?.1.split_once([' ', '\n', '\r'])?;
    addr.rsplit_once(':')?.1.parse().ok()
}
