//! Reads keys and lines in a thread that blocks on the terminal or on standard input.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::editor::{Key, MAX_LINE_BYTES};

/// The maximum length of a line from a terminal that edits lines itself, as on Linux. It drops
/// anything beyond, so a line of this length may be cut.
const TERMINAL_LINE_BYTES: usize = 4095;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    Key(Key),
    Paste(String),
    /// The window has another size.
    Resized,
    /// The window got or lost the focus.
    Focus(bool),
    /// A whole line from a pipe, a file or a terminal that edits lines itself.
    Line(String),
    /// A line that was dropped, and why: a sentence.
    Dropped(String),
    End,
    /// The terminal is gone.
    HangUp,
}

/// Reads the keys of a terminal in raw mode in a thread of its own, until the terminal is gone.
///
/// # Errors
///
/// If no thread can be started.
pub(crate) fn read_keys(take: impl Fn(Input) + Clone + Send + 'static) -> io::Result<()> {
    watch_for_hangup(take.clone())?;
    let read = move || {
        loop {
            let input = next_input();
            let is_over = input == Input::HangUp;
            take(input);
            if is_over {
                return;
            }
        }
    };
    // A blocked read cannot be interrupted, so the thread is not joined; it ends with the process.
    thread::Builder::new().name("keys".into()).spawn(read).map(drop)
}

/// Waits for the next input on a terminal in raw mode.
pub(crate) fn next_input() -> Input {
    loop {
        return match event::read() {
            Ok(event::Event::Key(key)) => match key_of(key) {
                Some(key) => Input::Key(key),
                None => continue,
            },
            Ok(event::Event::Paste(text)) => Input::Paste(text),
            Ok(event::Event::Resize(..)) => Input::Resized,
            Ok(event::Event::FocusGained) => Input::Focus(true),
            Ok(event::Event::FocusLost) => Input::Focus(false),
            Ok(_) => continue,
            Err(_) => Input::HangUp,
        };
    }
}

/// Reports when the terminal vanishes: crossterm does not stop reading then, and SIGHUP goes only
/// to processes whose controlling terminal it was.
///
/// # Errors
///
/// If no thread can be started.
#[cfg(unix)]
pub(crate) fn watch_for_hangup(take: impl Fn(Input) + Send + 'static) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};

    let watch = move || {
        let stdin = io::stdin();
        // Without flags, the call ends only with a hang-up or an error.
        let mut terminal = [PollFd::new(&stdin, PollFlags::empty())];
        while let Err(rustix::io::Errno::INTR) = poll(&mut terminal, None) {}
        take(Input::HangUp);
    };
    thread::Builder::new().name("hangup".into()).spawn(watch).map(drop)
}

/// On other systems the program ends with its window.
#[cfg(not(unix))]
fn watch_for_hangup(_take: impl Fn(Input) + Send + 'static) -> io::Result<()> {
    Ok(())
}

/// Returns the meaning of a key as in readline; `None` if it has none.
pub fn key_of(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let shift = key.modifiers.contains(KeyModifiers::SHIFT);
    Some(match key.code {
        // On Windows, AltGr is Control and Alt together, and makes an ordinary character.
        KeyCode::Char(c) if control && alt && cfg!(windows) => Key::Char(c),
        KeyCode::Char(c) if control && alt => return control_alt(c),
        KeyCode::Char(c) if control => return control_and(c),
        KeyCode::Char(c) if alt => return alt_and(c),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Backspace if control || alt => Key::DeleteWordBack,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete if control || alt => Key::DeleteWordAhead,
        KeyCode::Delete => Key::Delete,
        KeyCode::Left if control || alt => Key::WordLeft,
        KeyCode::Left => Key::Left,
        KeyCode::Right if control || alt => Key::WordRight,
        KeyCode::Right => Key::Right,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        // Most terminals report only Alt.
        KeyCode::Enter if alt || shift => Key::Newline,
        KeyCode::Enter => Key::Enter,
        KeyCode::Tab => Key::Tab,
        KeyCode::Esc => Key::Escape,
        _ => return None,
    })
}

fn control_and(c: char) -> Option<Key> {
    Some(match c.to_ascii_lowercase() {
        'a' => Key::Home,
        'b' => Key::Left,
        'c' => Key::Interrupt,
        'd' => Key::EndOfInput,
        'e' => Key::End,
        'f' => Key::Right,
        'g' => Key::Cancel,
        'h' => Key::Backspace,
        'i' => Key::Tab,
        'j' | 'm' => Key::Enter,
        'k' => Key::DeleteToEnd,
        'l' => Key::ClearScreen,
        'n' => Key::Down,
        'p' => Key::Up,
        'r' => Key::Search,
        's' => Key::SearchNewer,
        't' => Key::Transpose,
        'u' => Key::DeleteToStart,
        'w' => Key::DeleteWord,
        'y' => Key::Yank,
        'z' => Key::Suspend,
        // Most terminals send the same byte for all of them, and crossterm takes it for 7.
        '7' | '_' | '/' => Key::Undo,
        _ => return None,
    })
}

fn alt_and(c: char) -> Option<Key> {
    Some(match c.to_ascii_lowercase() {
        'b' => Key::WordLeft,
        'f' => Key::WordRight,
        'd' => Key::DeleteWordAhead,
        _ => return None,
    })
}

/// Alt with Backspace and with Enter, from terminals that send Control-H and Control-J for these
/// keys.
fn control_alt(c: char) -> Option<Key> {
    match c.to_ascii_lowercase() {
        'h' => Some(Key::DeleteWordBack),
        'j' | 'm' => Some(Key::Newline),
        _ => None,
    }
}

/// Reads standard input line by line in a thread of its own. It reads the next line when something
/// is sent into the returned channel, so that a script does not run ahead of its own effects.
///
/// # Errors
///
/// If no thread can be started.
pub(crate) fn read_lines(take: impl Fn(Input) + Send + 'static) -> io::Result<SyncSender<()>> {
    let (next, wanted) = sync_channel(1);
    let may_cut = cfg!(unix) && io::stdin().is_terminal();
    let read = move || {
        let mut input = BufReader::new(Patient(io::stdin()));
        let mut is_first = true;
        while wanted.recv().is_ok() {
            let line = match next_line(&mut input) {
                Input::Line(line) if may_cut && line.len() >= TERMINAL_LINE_BYTES => Input::Dropped(format!(
                    "The line was dropped: it has {TERMINAL_LINE_BYTES} bytes or more, and the terminal cuts such lines."
                )),
                Input::Line(line) if is_first => Input::Line(without_mark(line)),
                line => line,
            };
            is_first = false;
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

/// Standard input. Reading waits even if another program that shares it has made it non-blocking.
struct Patient(io::Stdin);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                #[cfg(unix)]
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_until_readable(&self.0)?,
                read => return read,
            }
        }
    }
}

#[cfg(unix)]
fn wait_until_readable(stdin: &io::Stdin) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};

    match poll(&mut [PollFd::new(stdin, PollFlags::IN)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
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
        return match input.skip_until(b'\n') {
            // The rest includes the line end, if there is one.
            Ok(rest) => Input::Dropped(format!(
                "The line of {} bytes was dropped: a line has at most {MAX_LINE_BYTES} bytes.",
                bytes.len() + rest.saturating_sub(1)
            )),
            Err(_) => Input::End,
        };
    }
    match String::from_utf8(bytes) {
        Ok(line) => Input::Line(line.trim_end_matches('\r').to_owned()),
        Err(_) => Input::Dropped("The line was dropped: it is not UTF-8.".into()),
    }
}

/// Removes the byte order mark that Windows editors put at the beginning of a file.
fn without_mark(line: String) -> String {
    line.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
    const ALT: KeyModifiers = KeyModifiers::ALT;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
        key_of(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn control_keys_are_those_of_readline() {
        let expected = [
            ("ab", [Key::Home, Key::Left]),
            ("cd", [Key::Interrupt, Key::EndOfInput]),
            ("ef", [Key::End, Key::Right]),
            ("gh", [Key::Cancel, Key::Backspace]),
            ("ij", [Key::Tab, Key::Enter]),
            ("kl", [Key::DeleteToEnd, Key::ClearScreen]),
            ("mn", [Key::Enter, Key::Down]),
            ("pr", [Key::Up, Key::Search]),
            ("st", [Key::SearchNewer, Key::Transpose]),
            ("uw", [Key::DeleteToStart, Key::DeleteWord]),
            ("yz", [Key::Yank, Key::Suspend]),
            ("7_", [Key::Undo, Key::Undo]),
        ];
        for (messages, keys) in expected {
            let got = messages.chars().map(|c| key(KeyCode::Char(c), CONTROL)).collect::<Vec<_>>();
            assert_eq!(got, keys.map(Some), "{messages}");
        }
        for c in "oqvx] ".chars() {
            assert_eq!(key(KeyCode::Char(c), CONTROL), None, "{c}");
        }
    }

    #[test]
    fn alt_and_control_work_on_words() {
        for (c, expected) in [('b', Key::WordLeft), ('F', Key::WordRight), ('d', Key::DeleteWordAhead)] {
            assert_eq!(key(KeyCode::Char(c), ALT), Some(expected));
        }
        for modifier in [ALT, CONTROL] {
            assert_eq!(key(KeyCode::Left, modifier), Some(Key::WordLeft));
            assert_eq!(key(KeyCode::Right, modifier), Some(Key::WordRight));
            assert_eq!(key(KeyCode::Backspace, modifier), Some(Key::DeleteWordBack));
            assert_eq!(key(KeyCode::Delete, modifier), Some(Key::DeleteWordAhead));
            assert_eq!(key(KeyCode::Home, modifier), Some(Key::Home));
            assert_eq!(key(KeyCode::End, modifier), Some(Key::End));
        }
        assert_eq!(key(KeyCode::Char('x'), ALT), None);
    }

    #[test]
    fn alt_enter_inserts_a_line_end() {
        assert_eq!(key(KeyCode::Enter, KeyModifiers::NONE), Some(Key::Enter));
        assert_eq!(key(KeyCode::Enter, ALT), Some(Key::Newline));
        assert_eq!(key(KeyCode::Tab, KeyModifiers::NONE), Some(Key::Tab));
        assert_eq!(key(KeyCode::BackTab, KeyModifiers::SHIFT), None);
    }

    #[test]
    fn alt_gr_inserts_characters() {
        let expected = cfg!(windows).then_some(Key::Char('@'));
        assert_eq!(key(KeyCode::Char('@'), CONTROL | ALT), expected);
        assert_eq!(key(KeyCode::Char('@'), KeyModifiers::NONE), Some(Key::Char('@')));
    }

    #[test]
    fn letting_a_key_go_is_no_stroke() {
        let released = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(key_of(released), None);
    }

    #[test]
    fn last_line_needs_no_newline() {
        let mut input = &b"one\r\n\ntwo"[..];
        let lines = ["one", "", "two"].map(|line| Input::Line(line.into()));
        assert_eq!([(); 3].map(|()| next_line(&mut input)), lines);
        assert_eq!(next_line(&mut input), Input::End);
    }

    #[test]
    fn line_that_is_not_utf8_is_dropped() {
        let mut input = &b"caf\xe9\nnext\n"[..];
        assert_eq!(next_line(&mut input), Input::Dropped("The line was dropped: it is not UTF-8.".into()));
        assert_eq!(next_line(&mut input), Input::Line("next".into()));
    }

    #[test]
    fn byte_order_mark_is_skipped() {
        assert_eq!(without_mark("\u{feff}1".into()), "1");
        assert_eq!(without_mark("1\u{feff}".into()), "1\u{feff}");
    }

    #[test]
    fn endless_line_is_skipped() {
        let text = format!("{}\nnext\n", "x".repeat(MAX_LINE_BYTES + 10));
        let mut input = text.as_bytes();
        let Input::Dropped(why) = next_line(&mut input) else { panic!("it is dropped") };
        assert!(why.starts_with(&format!("The line of {} bytes was dropped", MAX_LINE_BYTES + 10)), "{why}");
        assert_eq!(next_line(&mut input), Input::Line("next".into()));
    }
}
