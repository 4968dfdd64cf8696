//! The line that is being typed: keys go in, the edited line comes out. Pure.
//!
//! Promised: the cursor stands between characters as people see them, no control character but the
//! line end gets in, and nothing typed is lost by one stroke: what is removed comes back with
//! undoing, a cleared line with Up as well. Left to others: what a finished line means, which lines
//! are worth remembering, and how the line is drawn.
//!
//! In a text of several lines, Home, End and the keys that delete to the start or the end mean the
//! line of the cursor, and once they are there, the whole text or the line end; Up and Down move
//! between the lines first.

mod buffer;
mod edits;
mod search;

use std::collections::VecDeque;
use std::ops::Range;

use buffer::Buffer;
use edits::{EditKind, cleaned};
use search::Search;

use super::history::{History, Way};

/// Bytes that a typed line may have; more than can be sent at once, so that the limit named is that
/// of sending.
pub const MAX_LINE_BYTES: usize = 32 * 1024;

/// A stroke, whatever keyboard it came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A character to insert.
    Char(char),
    /// A line end to insert.
    Newline,
    /// Remove what is before the cursor.
    Backspace,
    /// Remove what is at the cursor.
    Delete,
    /// Move by one character.
    Left,
    /// Move by one character.
    Right,
    /// Move to the beginning of the word.
    WordLeft,
    /// Move to the end of the word.
    WordRight,
    /// Move to the beginning.
    Home,
    /// Move to the end.
    End,
    /// Move to the line above, or to what was typed before.
    Up,
    /// Move to the line below, or to what was typed later.
    Down,
    /// Remove what is before the cursor, back to white space.
    DeleteWord,
    /// Remove the word of letters and digits before the cursor.
    DeleteWordBack,
    /// Remove the word of letters and digits behind the cursor.
    DeleteWordAhead,
    /// Remove all before the cursor.
    DeleteToStart,
    /// Remove all from the cursor on.
    DeleteToEnd,
    /// Insert what was last removed by more than a character.
    Yank,
    /// Let the two characters around the cursor change places.
    Transpose,
    /// Take the last step back.
    Undo,
    /// Search what was typed before; in a search, further back.
    Search,
    /// Search the other way.
    SearchNewer,
    /// Give up a search.
    Cancel,
    /// Complete what is typed.
    Tab,
    /// The line is finished.
    Enter,
    /// Clear the line; go back, if nothing is typed.
    Escape,
    /// Clear the line; leave, if nothing is typed.
    Interrupt,
    /// Leave, if nothing is typed.
    EndOfInput,
    /// Stop the program for a while.
    Suspend,
    /// Clear the screen.
    ClearScreen,
}

/// What a stroke meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Typed {
    /// The line changed, or the cursor moved.
    Edited,
    /// The line is full; nothing was put in.
    Full,
    /// The line is finished, but it does not have all that was typed: it would have so many bytes.
    /// It is remembered for Up.
    TooLong(usize),
    /// The line is finished; this is it.
    Line(String),
    /// The user wants what is typed to be completed.
    Complete,
    /// The user goes back, with nothing typed.
    Escape,
    /// The user wants to leave.
    Leave,
    /// The user interrupts the program.
    Interrupt,
    /// The user wants to stop the program for a while.
    Suspend,
    /// The user wants an empty screen.
    ClearScreen,
}

/// A pasted text does not fit into the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong {
    /// The bytes of the text.
    pub bytes: usize,
    /// The bytes that fit.
    pub room: usize,
}

/// A line, the cursor in it, and what was typed before.
#[derive(Clone, Debug, Default)]
pub struct Editor {
    buffer: Buffer,
    /// Bytes typed into the full line since it was last changed.
    excess: usize,
    history: History,
    search: Option<Search>,
    /// What was searched for last.
    searched: String,
    /// What was last removed by more than a character.
    killed: String,
    /// The line as it was before each step, the last step last.
    steps: VecDeque<Buffer>,
    last: EditKind,
    /// The column that Up and Down keep to, also through shorter lines.
    column: Option<usize>,
}

impl Editor {
    /// What is typed so far; during a search, what is found.
    pub fn text(&self) -> &str {
        self.buffer.text()
    }

    /// The byte before which the cursor stands.
    pub fn cursor(&self) -> usize {
        self.buffer.cursor()
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// Empties the line, and returns what was typed.
    pub fn take(&mut self) -> String {
        self.end_search();
        let text = std::mem::take(&mut self.buffer).into_text();
        self.history.end_walk(&text);
        self.start_with(Buffer::default());
        text
    }

    fn start_with(&mut self, buffer: Buffer) {
        self.buffer = buffer;
        self.steps.clear();
        self.excess = 0;
        self.last = EditKind::Other;
        self.column = None;
    }

    /// Remembers a line for Up and for searching. Returns `false` for a blank line and for one that
    /// was remembered last.
    pub fn remember(&mut self, line: &str) -> bool {
        self.end_search();
        self.history.remember(line)
    }

    /// Puts `with` into the place of what is in the range, which is widened to whole characters;
    /// the cursor stands behind it. What would make the line too long is not done.
    pub fn replace(&mut self, range: Range<usize>, with: &str) {
        self.end_search();
        let range = self.buffer.snapped(range);
        let with = cleaned(with);
        if self.text().len() - range.len() + with.len() <= MAX_LINE_BYTES {
            self.step(EditKind::Other);
            self.buffer.replace(range, &with);
            self.column = None;
        }
    }

    /// Inserts a text from the clipboard, which is never obeyed: it finishes no line, tabs become
    /// spaces, and so do other controls. During a search, its first line is searched for.
    ///
    /// # Errors
    /// If it does not fit. Then nothing is inserted.
    pub fn paste(&mut self, text: &str) -> Result<(), TooLong> {
        let text = cleaned(text.trim_end_matches(['\r', '\n']));
        if self.search.is_some() {
            return self.extend_query(text.lines().next().unwrap_or_default());
        }
        if text.is_empty() {
            return Ok(());
        }
        let (bytes, room) = (text.len(), self.room());
        if bytes > room {
            return Err(TooLong { bytes, room });
        }
        self.step(EditKind::Other);
        self.insert(&text);
        Ok(())
    }

    /// Takes a stroke.
    pub fn key(&mut self, key: Key) -> Typed {
        let bytes = self.text().len();
        let typed = self.stroke(key);
        if !matches!(key, Key::Char(_) | Key::Newline) && self.text().len() != bytes {
            self.excess = 0;
        }
        typed
    }

    fn stroke(&mut self, key: Key) -> Typed {
        // These leave the line alone, and a search.
        match key {
            Key::Suspend => return Typed::Suspend,
            Key::ClearScreen => return Typed::ClearScreen,
            _ => {}
        }
        if let Some(typed) = self.search_key(key) {
            return typed;
        }
        let column = self.column.take();
        if let Key::Char(c) = key {
            return self.type_in(c);
        }
        let cursor = self.cursor();
        match key {
            Key::Newline => return self.type_in('\n'),
            Key::Backspace => self.erase(self.buffer.before()..cursor),
            Key::Delete => self.erase(cursor..self.buffer.after()),
            Key::EndOfInput if self.is_empty() => return Typed::Leave,
            Key::EndOfInput => self.erase(cursor..self.buffer.after()),
            Key::Left => self.go(self.buffer.before()),
            Key::Right => self.go(self.buffer.after()),
            Key::WordLeft => self.go(self.buffer.word_start(char::is_alphanumeric)),
            Key::WordRight => self.go(self.buffer.word_end(char::is_alphanumeric)),
            Key::Home => self.go(self.or_further(self.buffer.line_start(), 0)),
            Key::End => self.go(self.or_further(self.buffer.line_end(), self.text().len())),
            Key::Up => self.up_or_down(Way::Older, column),
            Key::Down => self.up_or_down(Way::Newer, column),
            Key::DeleteWord => self.kill(self.buffer.word_start(|c| !c.is_whitespace())..cursor),
            Key::DeleteWordBack => self.kill(self.buffer.word_start(char::is_alphanumeric)..cursor),
            Key::DeleteWordAhead => self.kill(cursor..self.buffer.word_end(char::is_alphanumeric)),
            Key::DeleteToStart => {
                self.kill(self.or_further(self.buffer.line_start(), self.buffer.before())..cursor)
            }
            Key::DeleteToEnd => {
                self.kill(cursor..self.or_further(self.buffer.line_end(), self.buffer.after()))
            }
            Key::Yank => return self.yank(),
            Key::Transpose => self.transpose(),
            Key::Undo => self.undo(),
            Key::Search => self.begin_search(Way::Older),
            Key::SearchNewer => self.begin_search(Way::Newer),
            Key::Tab => return Typed::Complete,
            Key::Enter if self.excess > 0 => {
                let bytes = self.text().len() + self.excess;
                self.clear();
                return Typed::TooLong(bytes);
            }
            Key::Enter => return Typed::Line(self.take()),
            Key::Escape if self.is_empty() => return Typed::Escape,
            Key::Interrupt if self.is_empty() => return Typed::Interrupt,
            Key::Escape | Key::Interrupt => self.clear(),
            Key::Cancel | Key::Char(_) | Key::Suspend | Key::ClearScreen => {}
        }
        Typed::Edited
    }
}

#[cfg(test)]
mod tests;
