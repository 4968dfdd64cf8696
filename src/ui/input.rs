//! Where strokes and lines come from: a thread that blocks on the terminal or on standard input.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::editor::{Key, MAX_LINE_BYTES};

/// What the person, or the script in their place, did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A stroke on a terminal.
    Key(Key),
    /// A text from the clipboard.
    Paste(String),
    /// The window has another size.
    Resized,
    /// A whole line of a pipe, a file or a terminal that edits lines itself.
    Line(String),
    /// A line longer than [`MAX_LINE_BYTES`], which is not kept.
    LineTooLong,
    /// There is no more.
    End,
    /// The terminal is gone.
    HangUp,
}

/// Reads the keys of a terminal in raw mode in a thread of its own, until the terminal is gone.
///
/// # Errors
/// Where no thread can be had.
pub fn read_keys(take: impl Fn(Input) + Clone + Send + 'static) -> io::Result<()> {
    watch_for_hangup(take.clone())?;
    let read = move || {
        loop {
            match event::read() {
                Ok(event::Event::Key(key)) => {
                    if let Some(key) = key_of(key) {
                        take(Input::Key(key));
                    }
                }
                Ok(event::Event::Paste(text)) => take(Input::Paste(text)),
                Ok(event::Event::Resize(..)) => take(Input::Resized),
                Ok(_) => {}
                Err(_) => return take(Input::HangUp),
            }
        }
    };
    // Nothing can end a blocked read, so nobody waits for this thread; it ends with the process.
    thread::Builder::new().name("keys".into()).spawn(read).map(drop)
}

/// Says when the terminal vanishes: crossterm's reading does not end then, and SIGHUP goes
/// only to programs whose controlling terminal it was.
#[cfg(unix)]
fn watch_for_hangup(take: impl Fn(Input) + Send + 'static) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};

    let watch = move || {
        let stdin = io::stdin();
        // Without any flags, only a hang-up or an error ends the waiting.
        let mut terminal = [PollFd::new(&stdin, PollFlags::empty())];
        while let Err(rustix::io::Errno::INTR) = poll(&mut terminal, None) {}
        take(Input::HangUp);
    };
    thread::Builder::new().name("hangup".into()).spawn(watch).map(drop)
}

/// Elsewhere the program ends with its window.
#[cfg(not(unix))]
fn watch_for_hangup(_take: impl Fn(Input) + Send + 'static) -> io::Result<()> {
    Ok(())
}

fn key_of(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    Some(match key.code {
        // AltGr is Control and Alt together on Windows, and makes an ordinary character.
        KeyCode::Char(c) if control && !alt => match c.to_ascii_lowercase() {
            'a' => Key::Home,
            'b' => Key::Left,
            'c' => Key::Interrupt,
            'd' => Key::EndOfInput,
            'e' => Key::End,
            'f' => Key::Right,
            'h' => Key::Backspace,
            'k' => Key::DeleteToEnd,
            'l' => Key::Redraw,
            'u' => Key::DeleteToStart,
            'w' => Key::DeleteWord,
            'j' | 'm' => Key::Enter,
            _ => return None,
        },
        KeyCode::Char(c) if control == alt => Key::Char(c),
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        _ => return None,
    })
}

/// Reads standard input line by line in a thread of its own. The next line is read when something is put into the
/// channel returned, so that a script does not run ahead of what it causes.
///
/// # Errors
/// Where no thread can be had.
pub fn read_lines(take: impl Fn(Input) + Send + 'static) -> io::Result<SyncSender<()>> {
    let (next, wanted) = sync_channel(1);
    let read = move || {
        let mut input = io::stdin().lock();
        while wanted.recv().is_ok() {
            let line = next_line(&mut input);
            let over = line == Input::End;
            take(line);
            if over {
                return;
            }
        }
    };
    thread::Builder::new().name("lines".into()).spawn(read)?;
    Ok(next)
}

fn next_line(input: &mut impl BufRead) -> Input {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_LINE_BYTES + 1).unwrap_or(u64::MAX);
    match input.by_ref().take(limit).read_until(b'\n', &mut bytes) {
        Ok(0) | Err(_) => return Input::End,
        Ok(_) => {}
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if bytes.len() > MAX_LINE_BYTES {
        return if skip_line(input) { Input::LineTooLong } else { Input::End };
    }
    let line = String::from_utf8_lossy(&bytes);
    Input::Line(line.trim_end_matches('\r').to_owned())
}

/// Passes over the rest of a line; says whether reading worked.
fn skip_line(input: &mut impl BufRead) -> bool {
    input.skip_until(b'\n').is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_newlines_and_the_last_needs_none() {
        let mut input = &b"one\r\n\ntwo"[..];
        let lines = ["one", "", "two"].map(|line| Input::Line(line.into()));
        assert_eq!([(); 3].map(|()| next_line(&mut input)), lines);
        assert_eq!(next_line(&mut input), Input::End);
    }

    #[test]
    fn an_endless_line_is_passed_over_and_the_next_is_read() {
        let text = format!("{}\nnext\n", "x".repeat(MAX_LINE_BYTES + 10));
        let mut input = text.as_bytes();
        assert_eq!(next_line(&mut input), Input::LineTooLong);
        assert_eq!(next_line(&mut input), Input::Line("next".into()));
    }
}
