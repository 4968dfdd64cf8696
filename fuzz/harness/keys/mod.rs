//! The target `keys`: the prompt, from key events of the terminal to what the menu does with a
//! line.
//!
//! The input is a sequence of strokes. Text is typed; other bytes are keys without a character,
//! keys with modifiers, pastes, changes of the window size, and changes of the line by the program.

mod checks;
mod codes;
mod people;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use p2p_chat::model::message::MAX_SENT_BYTES;
use p2p_chat::protocol::plain;
use p2p_chat::tui::{
    Act, Chosen, Editor, Ink, Key, Line, MAX_LINE_BYTES, Menu, TooLong, Turn, Typed, complete, in_columns,
    key_of, typed_lines,
};

use super::printed::{assert_harmless, assert_lines_harmless};
use codes::{code_of, first_char};
use people::People;

/// Strokes of one input.
const MAX_STROKES: usize = 128;

/// Copies of the last paste that one byte pastes, enough to fill the line.
const COPIES: usize = 2_000;

/// Strokes in lines longer than [`LONG`]. Each can take time in proportion to the line.
const STROKES_IN_LONG: usize = 4;

/// Bytes above which a line is long. Long lines are not drawn, because that is slow.
const LONG: usize = 1_024;

/// Makes the strokes of the input.
///
/// # Panics
/// If the cursor is inside a character, a bound is exceeded, a row is wider than the window, a
/// drawn character is harmful, a typed line comes out changed, or undoing does not restore the
/// first line.
pub fn keys(input: &[u8]) {
    let mut user = User::default();
    let mut rest = input;
    let mut in_long = 0;
    for _ in 0..MAX_STROKES {
        if rest.is_empty() {
            break;
        }
        let used = user.stroke(rest);
        rest = &rest[used..];
        user.check();
        in_long += usize::from(user.editor.text().len() > LONG);
        if in_long > STROKES_IN_LONG {
            break;
        }
    }
    user.draw();
    user.undo_all();
}

/// A user at the prompt, with the line, the menu and the window.
struct User {
    editor: Editor,
    menu: Menu,
    people: People,
    /// The last paste.
    pasted: String,
    /// Columns and rows of the window.
    size: (usize, usize),
    /// What the line held before its first stroke. Undoing leads back to it.
    first: String,
    /// Strokes since then.
    strokes: usize,
    /// The typed text, while every stroke of the line was a plain character.
    plain: Option<String>,
}

impl Default for User {
    fn default() -> Self {
        Self {
            editor: Editor::default(),
            menu: Menu::new(true),
            people: People::new(),
            pasted: "漢 e\u{301}\x1b[31m\r\n\tx".into(),
            size: (80, 24),
            first: String::new(),
            strokes: 0,
            plain: Some(String::new()),
        }
    }
}

impl User {
    /// Makes the stroke at the start of the input and returns its number of bytes.
    fn stroke(&mut self, input: &[u8]) -> usize {
        let byte = |at: usize| input.get(at).copied().unwrap_or(0);
        if let Some(c) = first_char(input).filter(|c| !c.is_control()) {
            self.key(KeyCode::Char(c), KeyModifiers::NONE);
            return c.len_utf8();
        }
        match byte(0) {
            b'\r' => self.key(KeyCode::Enter, KeyModifiers::NONE),
            b'\t' => self.key(KeyCode::Tab, KeyModifiers::NONE),
            0x1b => self.key(KeyCode::Esc, KeyModifiers::NONE),
            0x7f => self.key(KeyCode::Backspace, KeyModifiers::NONE),
            control @ 0x01..=0x1a => {
                self.key(KeyCode::Char(char::from(control + 0x60)), KeyModifiers::CONTROL)
            }
            0x00 | 0x1c..=0x1f => self.key(KeyCode::Char('7'), KeyModifiers::CONTROL),
            0xff => {
                let text = &input[1..];
                let end = text.iter().position(|byte| *byte == 0xff).unwrap_or(text.len());
                self.pasted = String::from_utf8_lossy(&text[..end]).into_owned();
                self.paste(1);
                return (end + 2).min(input.len());
            }
            0xfe => {
                self.size = (usize::from(byte(1)), usize::from(byte(2) & 0x3f));
                self.draw();
                return input.len().min(3);
            }
            0xfd => {
                let code = code_of(byte(1));
                let modifiers = KeyModifiers::from_bits_truncate(byte(2));
                let kinds = [KeyEventKind::Press, KeyEventKind::Repeat, KeyEventKind::Release];
                self.event(KeyEvent::new_with_kind(code, modifiers, kinds[usize::from(byte(3)) % 3]));
                return input.len().min(4);
            }
            0xfc => self.paste(COPIES),
            0xfb => {
                let (start, end) = (usize::from(byte(1)), usize::from(byte(2)));
                let with = self.pasted.clone();
                self.change();
                self.editor.replace(start..end, &with);
                return input.len().min(3);
            }
            0xfa => {
                self.menu.heard(Chosen::one(self.people.rows[0].id, "Bob".into()));
            }
            other => self.key(code_of(other), KeyModifiers::NONE),
        }
        1
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.event(KeyEvent::new(code, modifiers));
    }

    fn event(&mut self, event: KeyEvent) {
        let Some(key) = key_of(event) else { return };
        let was_empty = self.editor.is_empty();
        let typed = self.editor.key(key);
        if was_empty && !self.editor.is_empty() {
            self.menu.begins_line();
        }
        self.strokes += 1;
        match (key, &mut self.plain) {
            (Key::Char(c), Some(plain)) if !c.is_control() => plain.push(c),
            (Key::Enter | Key::Suspend | Key::ClearScreen, _) => {}
            _ => self.plain = None,
        }
        match typed {
            Typed::Line(line) => self.line(&line),
            Typed::Complete => self.complete(),
            Typed::Escape => {
                let say = self.menu.escape();
                say.iter().for_each(|line| assert_harmless(line));
                self.begin("");
            }
            Typed::Full => {
                // The line is full, or the search.
                let is_full =
                    self.editor.text().len() + 4 > MAX_LINE_BYTES || self.editor.search_prompt().is_some();
                assert!(is_full || key == Key::Yank);
                self.plain = None;
            }
            Typed::TooLong(bytes) => {
                assert!(bytes > MAX_LINE_BYTES && self.editor.is_empty());
                self.plain = None;
            }
            _ => {}
        }
    }

    /// Starts a line that holds this text.
    fn begin(&mut self, text: &str) {
        self.first = text.to_owned();
        self.strokes = 0;
        self.plain = text.is_empty().then(String::new);
    }

    /// Notes a change of the line that is not a key.
    fn change(&mut self) {
        self.strokes += 1;
        self.plain = None;
    }

    fn paste(&mut self, copies: usize) {
        let text = if copies == 1 { self.pasted.clone() } else { self.pasted.repeat(copies) };
        self.change();
        let before = self.editor.text().to_owned();
        let searching = self.editor.search_prompt().is_some();
        if let Err(TooLong { bytes, room }) = self.editor.paste(&text) {
            assert!(bytes > room && self.editor.text() == before);
            assert!(searching || before.len() + room == MAX_LINE_BYTES);
        }
    }

    /// Gives a finished line to the menu and does what the app would do with the answer.
    fn line(&mut self, line: &str) {
        if let Some(plain) = self.plain.take() {
            assert_eq!(line, plain, "the typed line comes out changed");
        }
        if self.menu.remembers(line) {
            self.editor.remember(line);
        }
        assert!(self.editor.is_empty());
        assert_harmless(&self.menu.prompt());
        let Turn { say, act, refused } = self.menu.line(line, &self.people);
        say.iter().for_each(|line| assert_harmless(line));
        if line.len() <= LONG {
            assert_lines_harmless(&typed_lines(Line::of(Ink::Strong, "to Bob> "), line));
        }
        if refused {
            self.editor.remember(line);
        }
        match act {
            Some(Act::Send(to, text)) => {
                assert_harmless(&to.label);
                let parts = plain::messages_for(&text, &self.people.name);
                for part in parts.iter().flatten() {
                    assert!(part.len() <= MAX_SENT_BYTES && !part.contains('\n'));
                }
                self.menu.ask_text_again(to);
            }
            Some(Act::Rename(name)) => self.people.name = name,
            _ => {}
        }
        assert!(self.editor.is_empty());
        self.begin("");
    }

    /// Completes the word at the cursor, as Tab does.
    fn complete(&mut self) {
        let place = self.menu.place();
        let completed = complete(self.editor.text(), self.editor.cursor(), place, &self.people);
        self.change();
        if let Some((range, with)) = completed.replace {
            self.editor.replace(range, &with);
        }
        for line in in_columns(&completed.candidates, self.size.0) {
            assert_harmless(&line);
        }
    }
}
