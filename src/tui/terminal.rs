//! The terminal in the view of the system: its mode, its size, and whether this program or a shell
//! uses it.

use std::env;
use std::io;
#[cfg(not(unix))]
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::MoveToColumn;
use crossterm::event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange};
use crossterm::queue;
use crossterm::terminal::{self, Clear, ClearType};

/// The size if the terminal does not report one.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// Whether this program has put the terminal into raw mode. Then it has to be restored however the
/// program ends.
static RAW: AtomicBool = AtomicBool::new(false);

/// Whether the terminal reports the focus of its window because this program asked.
static TELLS_FOCUS: AtomicBool = AtomicBool::new(false);

/// Takes the terminal over: keys and pastes arrive one by one, and the terminal changes nothing
/// that is printed.
pub(super) fn take_over(tell_focus: bool) -> io::Result<()> {
    terminal::enable_raw_mode()?;
    RAW.store(true, Ordering::SeqCst);
    TELLS_FOCUS.store(tell_focus, Ordering::SeqCst);
    write_out(&beginning()?)
}

/// Takes over a terminal that a shell has had in between. `None` if this program has not taken it
/// over before.
pub(super) fn take_over_again() -> io::Result<Option<Vec<u8>>> {
    if !RAW.load(Ordering::SeqCst) || !is_in_foreground() {
        return Ok(None);
    }
    // crossterm assumes that it is still raw.
    terminal::disable_raw_mode()?;
    terminal::enable_raw_mode()?;
    beginning().map(Some)
}

fn beginning() -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    queue!(out, EnableBracketedPaste)?;
    if TELLS_FOCUS.load(Ordering::SeqCst) {
        queue!(out, EnableFocusChange)?;
    }
    Ok(out)
}

fn end() -> Vec<u8> {
    let mut out = Vec::new();
    // Writing into a vector cannot fail.
    let _ = queue!(out, DisableBracketedPaste);
    if TELLS_FOCUS.load(Ordering::SeqCst) {
        let _ = queue!(out, DisableFocusChange);
    }
    out
}

/// Gives the terminal to a shell for a while.
pub(super) fn give_back() -> io::Result<()> {
    write_out(&end())?;
    terminal::disable_raw_mode()
}

/// Restores the terminal. It may be called at any time, more than once, and in a panic.
pub(crate) fn restore_terminal() {
    if RAW.swap(false, Ordering::SeqCst) && is_in_foreground() {
        // If the terminal is gone, there is nothing to restore.
        let mut out = end();
        let _ = queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown));
        let _ = write_out(&out);
        let _ = terminal::disable_raw_mode();
    }
}

/// Does the same without writing to the terminal, because another thread may be blocked writing to
/// it.
pub(crate) fn abandon_terminal() {
    if RAW.swap(false, Ordering::SeqCst) && is_in_foreground() {
        let _ = terminal::disable_raw_mode();
    }
}

/// Whether this program may change the terminal. If it tries in the background, the system stops
/// it, and then it could not even be ended.
#[cfg(unix)]
pub(crate) fn is_in_foreground() -> bool {
    match rustix::termios::tcgetpgrp(io::stdin()) {
        Ok(group) => group == rustix::process::getpgrp(),
        // It is not our controlling terminal, so the system does not stop us.
        Err(_) => true,
    }
}

/// Whether this program may change the terminal: on other systems always.
#[cfg(not(unix))]
pub fn is_in_foreground() -> bool {
    true
}

/// Returns whether the terminal handles no control sequences: TERM is dumb, empty or not set. On
/// Windows, where it is usually not set, only `dumb` counts.
pub(crate) fn is_dumb() -> bool {
    env::var_os("TERM").filter(|term| !term.is_empty()).map_or(!cfg!(windows), |term| term == "dumb")
}

/// Returns the width of the window in columns.
pub fn columns() -> usize {
    size().0
}

/// Returns the columns and rows of the window.
pub(super) fn size() -> (usize, usize) {
    let told = terminal::size().ok().filter(|(columns, rows)| *columns > 0 && *rows > 0);
    told.map_or(USUAL_SIZE, |(columns, rows)| (columns.into(), rows.into()))
}

/// Whether the terminal wraps rows again when its window gets narrower. Most do. Exceptions are
/// xterm, which a variable reveals, and GNU screen. Inside tmux, tmux does it.
pub(super) fn breaks_lines_anew() -> bool {
    let has = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    has("TMUX") || !(has("XTERM_VERSION") || has("STY"))
}

/// Writes everything at once. The handle of the standard library would write up to the last line
/// end first, and a terminal might show that state. No descriptor is opened for it, because none
/// may be left.
#[cfg(unix)]
pub(super) fn write_out(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(&stdout, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            // Another program that shares it has made it non-blocking.
            Err(rustix::io::Errno::AGAIN) => wait_until_writable(&stdout)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(unix)]
fn wait_until_writable(stdout: &io::Stdout) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};

    match poll(&mut [PollFd::new(stdout, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Writes everything through the handle that converts to the encoding of the console.
#[cfg(not(unix))]
pub(super) fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
