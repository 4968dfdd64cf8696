//! The line editor: takes keys and returns the edited line. Pure.
//!
//! The cursor is always between characters as users see them (grapheme clusters). The line has no
//! control character except the line end. No single key loses text: undo brings back deleted text,
//! and Up brings back a cleared line. Other modules decide what a finished line means, which lines
//! are remembered, and how the line is drawn.
//!
//! In a message of several lines, Home, End and the keys that delete to the start or the end apply
//! to the line of the cursor first, and then to the whole message or the line end. Up and Down
//! first move between the lines.

mod buffer;
mod edits;
mod search;

use std::collections::VecDeque;
use std::ops::Range;

use buffer::Buffer;
use edits::{EditKind, cleaned};
use search::Search;

use super::input_history::{History, Way};

/// The maximum length of a typed line in bytes. It is more than can be sent at once, so the error
/// names the limit for messages.
pub const MAX_LINE_BYTES: usize = 32 * 1024;

/// A key, independent of the keyboard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A character to insert.
    Char(char),
    /// A line end to insert.
    Newline,
    /// Delete the character before the cursor.
    Backspace,
    /// Delete the character at the cursor.
    Delete,
    /// Move one character back.
    Left,
    /// Move one character forward.
    Right,
    /// Move to the beginning of the word.
    WordLeft,
    /// Move to the end of the word.
    WordRight,
    /// Move to the beginning.
    Home,
    /// Move to the end.
    End,
    /// Move to the line above, or to an earlier line.
    Up,
    /// Move to the line below, or to a later line.
    Down,
    /// Delete back to white space.
    DeleteWord,
    /// Delete the word of letters and digits before the cursor.
    DeleteWordBack,
    /// Delete the word of letters and digits after the cursor.
    DeleteWordAhead,
    /// Delete everything before the cursor.
    DeleteToStart,
    /// Delete everything from the cursor on.
    DeleteToEnd,
    /// Insert the last deleted text of more than one character.
    Yank,
    /// Swap the two characters around the cursor.
    Transpose,
    /// Undo the last step.
    Undo,
    /// Search earlier lines; in a search, go further back.
    Search,
    /// Search in the other direction.
    SearchNewer,
    /// Cancel a search.
    Cancel,
    /// Complete the word.
    Tab,
    /// Finish the line.
    Enter,
    /// Clear the line; if it is empty, go back.
    Escape,
    /// Clear the line; if it is empty, leave.
    Interrupt,
    /// Leave, if the line is empty.
    EndOfInput,
    /// Suspend the program.
    Suspend,
    /// Clear the screen.
    ClearScreen,
}

/// The effect of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Typed {
    /// The line changed, or the cursor moved.
    Edited,
    /// The line is full, so nothing was inserted.
    Full,
    /// The line is finished but incomplete: with everything typed it would have this many bytes. It
    /// is remembered for Up.
    TooLong(usize),
    /// The line is finished.
    Line(String),
    /// The user wants to complete the word.
    Complete,
    /// The user goes back from an empty line.
    Escape,
    /// The user wants to leave.
    Leave,
    /// The user interrupts the program.
    Interrupt,
    /// The user wants to suspend the program.
    Suspend,
    /// The user wants a cleared screen.
    ClearScreen,
}

/// A pasted text does not fit into the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong {
    /// The length of the text in bytes.
    pub bytes: usize,
    /// The free bytes of the line.
    pub room: usize,
}

/// A line with its cursor, and the earlier lines.
#[derive(Clone, Debug, Default)]
pub struct Editor {
    buffer: Buffer,
    /// The bytes typed into the full line since it last changed.
    excess: usize,
    history: History,
    search: Option<Search>,
    /// The text of the last search.
    searched: String,
    /// The last deleted text of more than one character.
    killed: String,
    /// The line before each step, the latest step last.
    steps: VecDeque<Buffer>,
    last: EditKind,
    /// The column that Up and Down keep to, even through shorter lines.
    column: Option<usize>,
}

impl Editor {
    /// Returns the typed text; during a search, the match.
    pub fn text(&self) -> &str {
        self.buffer.text()
    }

    /// Returns the byte position of the cursor.
    pub fn cursor(&self) -> usize {
        self.buffer.cursor()
    }

    /// Whether the line is empty.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// Empties the line and returns its text.
    pub fn take(&mut self) -> String {
        self.end_search();
        let text = std::mem::take(&mut self.buffer).into_text();
        self.history.end_walk(&text);
        self.steps.clear();
        self.excess = 0;
        self.last = EditKind::Other;
        self.column = None;
        text
    }

    /// Remembers a line for Up and for searching. Returns `false` for a blank line and for one
    /// equal to the last.
    pub fn remember(&mut self, line: &str) -> bool {
        self.end_search();
        self.history.remember(line)
    }

    /// Replaces a range, widened to whole characters, by `with`, and puts the cursor after it. Does
    /// nothing if the line would be too long.
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

    /// Inserts a pasted text without acting on it: it finishes no line, and tabs and other control
    /// characters become spaces. During a search, its first line is searched for.
    ///
    /// # Errors
    ///
    /// If it does not fit. Then nothing is inserted.
    pub fn paste(&mut self, text: &str) -> Result<(), TooLong> {
        let text = cleaned(text.trim_end_matches(['\r', '\n']));
        let room = if self.search.is_some() { MAX_LINE_BYTES } else { self.room() };
        let bytes = text.len();
        if bytes > room {
            return Err(TooLong { bytes, room });
        }
        if self.search.is_some() {
            self.extend_query(text.lines().next().unwrap_or_default());
            return Ok(());
        }
        if text.is_empty() {
            return Ok(());
        }
        self.step(EditKind::Other);
        self.insert(&text);
        Ok(())
    }

    /// Handles a key.
    pub fn key(&mut self, key: Key) -> Typed {
        let bytes = self.text().len();
        let typed = self.stroke(key);
        if !matches!(key, Key::Char(_) | Key::Newline) && self.text().len() != bytes {
            self.excess = 0;
        }
        typed
    }

    fn stroke(&mut self, key: Key) -> Typed {
        // These keys change neither the line nor a search.
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
