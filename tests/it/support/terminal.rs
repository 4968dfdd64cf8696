//! Runs one p2p-chat process on a pseudo-terminal, types keys and reads the screen as a user does.
//!
//! The screen is that of the vt100 crate, which does not wrap lines anew when the window changes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{self, Child, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pts, Pty, open};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{ControlModes, InputModes, LocalModes, OutputModes, tcgetattr};
use signal_hook::consts::SIGINT;
use tempfile::TempDir;

use super::SOON;
use super::peer::Builder;

/// The columns of the screen at least, even if the window has fewer: the vt100 crate panics at a
/// wide character in one column.
const MIN_COLUMNS: u16 = 2;

/// A running program and the window it is in. It is killed when dropped.
pub(crate) struct Terminal {
    name: String,
    /// `None` once waited for.
    child: Option<Child>,
    pid: Pid,
    /// `None` once hung up.
    pty: Option<Arc<Pty>>,
    window: Arc<Window>,
    reader: Option<JoinHandle<()>>,
    /// The reader ends when this is gone.
    hang_up: Option<UnixStream>,
    found: Modes,
    _dir: TempDir,
}

/// What a terminal does with what is typed and printed: the flags of its termios.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Modes {
    pub(crate) input: InputModes,
    pub(crate) output: OutputModes,
    pub(crate) control: ControlModes,
    pub(crate) local: LocalModes,
}

impl Modes {
    fn of(pty: &Pty) -> Self {
        let termios = tcgetattr(pty).expect("a terminal");
        Self {
            input: termios.input_modes,
            output: termios.output_modes,
            control: termios.control_modes,
            local: termios.local_modes,
        }
    }

    /// Whether the terminal echoes and edits lines itself, as a shell expects to find it.
    pub(crate) fn are_usual(&self) -> bool {
        self.local.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }
}

struct Window {
    state: Mutex<Shown>,
    changed: Condvar,
}

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
    /// Nothing can follow.
    over: bool,
}

impl Window {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.state.lock().expect("not poisoned")
    }

    /// Waits until `fits`; says whether it came to that.
    fn wait(&self, fits: impl FnMut(&Shown) -> bool) -> bool {
        self.wait_within(SOON, fits)
    }

    /// The same within this time.
    fn wait_within(&self, time: Duration, mut fits: impl FnMut(&Shown) -> bool) -> bool {
        let deadline = Instant::now() + time;
        let mut shown = self.lock();
        while !fits(&shown) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || shown.over {
                return false;
            }
            shown = self.changed.wait_timeout(shown, left).expect("not poisoned").0;
        }
        true
    }

    /// Reads the output until the last process has closed the terminal, or the other end of
    /// `hang_up` is closed.
    fn read(&self, mut pty: &Pty, hang_up: &UnixStream) {
        let mut bytes = [0; 4096];
        loop {
            let mut ready = [PollFd::new(pty, PollFlags::IN), PollFd::new(hang_up, PollFlags::IN)];
            poll(&mut ready, None).expect("two descriptors");
            if !ready[1].revents().is_empty() {
                return;
            }
            let count = pty.read(&mut bytes).unwrap_or(0);
            let mut shown = self.lock();
            shown.parser.process(&bytes[..count]);
            shown.raw.extend_from_slice(&bytes[..count]);
            shown.over = count == 0;
            let over = shown.over;
            drop(shown);
            self.changed.notify_all();
            if over {
                return;
            }
        }
    }
}

impl Terminal {
    /// Starts the program in a window of this size, and waits for nothing.
    pub(crate) fn start(builder: Builder, rows: u16, columns: u16) -> Self {
        Self::open(builder, rows, columns, |command, pts| Command::from(command).spawn(pts))
    }

    /// The same with standard output to a file.
    pub(crate) fn start_printing_to(file: File, builder: Builder, rows: u16, columns: u16) -> Self {
        Self::open(builder, rows, columns, |command, pts| Command::from(command).stdout(file).spawn(pts))
    }

    /// Does the same with a terminal that does not control the program's session, so that the
    /// system sends no signal when the terminal hangs up.
    pub(crate) fn start_without_control(builder: Builder, rows: u16, columns: u16) -> Self {
        Self::open(builder, rows, columns, |mut command, pts| {
            let end = || pts.as_fd().try_clone_to_owned().map(Stdio::from);
            Ok(command.stdin(end()?).stdout(end()?).stderr(end()?).spawn()?)
        })
    }

    /// The same by an interactive bash, whose prompt is `sh$ ` and which has job control.
    pub(crate) fn start_in_shell(builder: Builder, rows: u16, columns: u16) -> Self {
        let terminal = Self::open(builder, rows, columns, |command, pts| {
            let word = |word: &OsStr| format!("'{}'", word.to_str().expect("UTF-8").replace('\'', "'\\''"));
            let words: Vec<String> =
                std::iter::once(command.get_program()).chain(command.get_args()).map(word).collect();
            let dir = command.get_current_dir().expect("its own directory");
            let start = dir.join("start");
            std::fs::write(&start, format!("PS1='sh$ '\nchat() {{ {}; }}\n", words.join(" ")))
                .expect("written");
            let mut shell = process::Command::new("bash");
            shell.current_dir(dir).env_clear().env("PATH", "/usr/bin:/bin");
            shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            shell.args(["--noprofile", "--rcfile"]).arg(start).arg("-i");
            Command::from(shell).spawn(pts)
        });
        terminal.waits_for("sh$");
        terminal.enters("chat");
        terminal
    }

    fn open(
        builder: Builder,
        rows: u16,
        columns: u16,
        spawn: impl FnOnce(process::Command, Pts) -> pty_process::Result<Child>,
    ) -> Self {
        stop_ignoring_interrupts();
        let (mut command, dir) = builder.command();
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
            // Like xterm, the emulator does not wrap lines anew when its window gets narrower.
            command.env("XTERM_VERSION", "vt100 of the tests");
        }
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(rows, columns)).expect("a size");
        let found = Modes::of(&pty);
        let child = spawn(command, pts).expect("the program starts");
        let pid = Pid::from_child(&child);
        let parser = vt100::Parser::new(rows, columns.max(MIN_COLUMNS), 0);
        let shown = Shown { parser, raw: Vec::new(), over: false };
        let window = Arc::new(Window { state: Mutex::new(shown), changed: Condvar::new() });
        let pty = Arc::new(pty);
        let (reading, read) = (Arc::clone(&window), Arc::clone(&pty));
        let (hang_up, hung_up) = UnixStream::pair().expect("two sockets");
        let reader = Some(thread::spawn(move || reading.read(&read, &hung_up)));
        Self {
            name: builder.name().to_owned(),
            child: Some(child),
            pid,
            pty: Some(pty),
            window,
            reader,
            hang_up: Some(hang_up),
            found,
            _dir: dir,
        }
    }

    /// Where it is dialed, once it has said so.
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        let mut port = None;
        let said = self.window.wait(|shown| {
            let text = String::from_utf8_lossy(&shown.raw).replace("\r\n  ", " ");
            let rest = text.split(", listening on ").nth(1);
            let addr = rest.and_then(|rest| rest.split_once(['\r', '\n', ' ', '\u{1b}']));
            port = addr.map(|(addr, _)| addr.rsplit(':').next().expect("a port").parse().expect("a port"));
            port.is_some()
        });
        assert!(said, "{} never said where it listens:\n{}", self.name, self.screen());
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port.expect("said"))
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name and address by which others show it.
    pub(crate) fn shown(&self) -> String {
        format!("{} ({})", self.name, self.addr())
    }

    /// Types text.
    pub(crate) fn keys(&self, text: &str) {
        self.key(text.as_bytes());
    }

    /// Types text and Enter.
    pub(crate) fn enters(&self, line: &str) {
        self.keys(&format!("{line}\r"));
    }

    /// Presses a key that sends these bytes.
    pub(crate) fn key(&self, bytes: &[u8]) {
        let mut pty = self.pty();
        pty.write_all(bytes).expect("it takes keys");
    }

    /// Waits until the screen is as `fits` says; `what` says the same to the reader of a failure.
    pub(crate) fn shows(&self, what: &str, fits: impl Fn(&vt100::Screen) -> bool) {
        let fitted = self.window.wait(|shown| fits(shown.parser.screen()));
        let (row, column) = self.cursor();
        assert!(
            fitted,
            "{} never showed {what}; the cursor is in row {row} at column {column}:\n{}",
            self.name,
            self.screen()
        );
    }

    /// Waits until `text` is on the screen, on one row or broken over several, between words by the
    /// program or anywhere by the terminal.
    pub(crate) fn waits_for(&self, text: &str) {
        self.shows(&format!("`{text}`"), |screen| {
            screen.contents().contains(text) || unwrapped(screen).contains(text)
        });
    }

    /// Waits until the last row that is not empty is `row`, with the cursor at this column.
    pub(crate) fn waits_for_line(&self, row: &str, column: usize) {
        self.shows(&format!("`{row}` last, with the cursor at column {column}"), |screen| {
            let (at, cursor) = screen.cursor_position();
            let rows = rows(screen);
            let last = rows.iter().rposition(|row| !row.is_empty());
            last == Some(usize::from(at)) && rows[usize::from(at)] == row && usize::from(cursor) == column
        });
    }

    /// Returns the rows of the screen without trailing blanks and without the empty rows at the
    /// end.
    pub(crate) fn screen(&self) -> String {
        rows(self.window.lock().parser.screen()).join("\n").trim_end().to_owned()
    }

    /// What `read` reads from the screen.
    pub(crate) fn cells<T>(&self, read: impl FnOnce(&vt100::Screen) -> T) -> T {
        read(self.window.lock().parser.screen())
    }

    /// The row and the column of the cursor, from 0.
    pub(crate) fn cursor(&self) -> (u16, u16) {
        self.window.lock().parser.screen().cursor_position()
    }

    /// Gives the window another size.
    pub(crate) fn begins_resize(&self, rows: u16, columns: u16) {
        let mut shown = self.window.lock();
        shown.parser.screen_mut().set_size(rows, columns.max(MIN_COLUMNS));
        self.pty().resize(Size::new(rows, columns)).expect("a size");
    }

    /// The same, and waits until the program has drawn something since.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let before = self.window.lock().raw.len();
        self.begins_resize(rows, columns);
        let drew = self.window.wait(|shown| shown.raw.len() > before);
        assert!(drew, "{} drew nothing in its new window:\n{}", self.name, self.screen());
    }

    /// Everything that was printed, echoes included.
    pub(crate) fn raw_output(&self) -> Vec<u8> {
        self.window.lock().raw.clone()
    }

    /// Returns what is printed within this time, as soon as anything is.
    pub(crate) fn prints_within(&self, time: Duration) -> Vec<u8> {
        let before = self.window.lock().raw.len();
        self.window.wait_within(time, |shown| shown.raw.len() > before);
        self.window.lock().raw[before..].to_vec()
    }

    /// What the terminal does now with what is typed and printed.
    pub(crate) fn modes(&self) -> Modes {
        Modes::of(self.pty())
    }

    /// What it did before the program started.
    pub(crate) fn modes_found(&self) -> Modes {
        self.found.clone()
    }

    /// Sends a signal.
    pub(crate) fn gets(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("it runs");
    }

    /// Closes the terminal under the program, as closing the window does.
    pub(crate) fn hangs_up(&mut self) {
        self.hang_up = None;
        let reader = self.reader.take().expect("hung up once");
        reader.join().expect("the reader ends");
        self.pty = None;
    }

    /// Waits for the program to end, and for the last that it prints.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("waited for once");
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            // Nobody listens any more if this took too long.
            let _ = ended.send(child.wait());
        });
        let Ok(status) = end.recv_timeout(SOON) else {
            let _ = kill_process(self.pid, Signal::KILL);
            panic!("{} did not end:\n{}", self.name, self.screen());
        };
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader ends");
        }
        status.expect("it ended")
    }

    fn pty(&self) -> &Pty {
        self.pty.as_deref().expect("not hung up")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Makes programs that are started from now on obey Ctrl-C as in a terminal of their own.
///
/// A shell without job control starts `cargo test &` with SIGINT ignored, and child processes
/// inherit that. A signal with a handler gets its default back in a new program, so this installs a
/// handler that does what the default does.
fn stop_ignoring_interrupts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let always = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_default(SIGINT, always).expect("a known signal");
    });
}

/// What stands on a screen, without the line ends and the indents that the program has put between
/// the words of a line.
pub(crate) fn unwrapped(screen: &vt100::Screen) -> String {
    let mut text = String::new();
    for row in screen.contents().lines() {
        let further = row.trim_start_matches([' ', '│']);
        let is_further = row.starts_with("  ");
        text.push(if is_further { ' ' } else { '\n' });
        text.push_str(if is_further { further } else { row });
    }
    text
}

/// The rows of a screen, without the blanks at their ends.
pub(crate) fn rows(screen: &vt100::Screen) -> Vec<String> {
    let (_, columns) = screen.size();
    screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
}
