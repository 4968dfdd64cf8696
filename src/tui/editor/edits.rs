//! The edits that keys make to the line.

use std::ops::Range;

use super::buffer::Buffer;
use super::{Editor, MAX_LINE_BYTES, Typed};
use crate::tui::input_history::Way;

/// The maximum number of steps that can be undone. A typed word is one step, so this covers a long
/// message. Each step may hold a whole line, so all steps take at most three megabytes.
pub(super) const MAX_STEPS: usize = 100;

/// The replacement for a tab in pasted text.
const TAB: &str = "    ";

/// The kind of the last edit. Consecutive edits of one kind are undone, or inserted again,
/// together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum EditKind {
    #[default]
    Other,
    Typing,
    Erasing,
    Killing,
    Walking,
}

/// Returns a text as the line may contain it, without control characters other than the line end.
pub(super) fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                clean.push('\n');
            }
            '\t' => clean.push_str(TAB),
            '\n' => clean.push('\n'),
            _ if c.is_control() => clean.push(' '),
            _ => clean.push(c),
        }
    }
    clean
}

impl Editor {
    /// Returns how many more bytes fit into the line.
    pub(super) fn room(&self) -> usize {
        MAX_LINE_BYTES.saturating_sub(self.text().len())
    }

    /// Saves the line before an edit so that the edit can be undone, unless the edit continues the
    /// last one.
    pub(super) fn step(&mut self, edit: EditKind) {
        let joins = matches!(edit, EditKind::Typing | EditKind::Erasing | EditKind::Walking);
        if std::mem::replace(&mut self.last, edit) == edit && joins {
            return;
        }
        if self.steps.len() == MAX_STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back(self.buffer.clone());
    }

    pub(super) fn undo(&mut self) {
        self.last = EditKind::Other;
        if let Some(buffer) = self.steps.pop_back() {
            self.buffer = buffer;
        }
    }

    pub(super) fn insert(&mut self, text: &str) {
        self.buffer.replace(self.cursor()..self.cursor(), text);
    }

    pub(super) fn type_in(&mut self, c: char) -> Typed {
        if c.is_control() && c != '\n' {
            return Typed::Edited;
        }
        if c.len_utf8() > self.room() {
            let was_full = self.excess > 0;
            self.excess += c.len_utf8();
            return if was_full { Typed::Edited } else { Typed::Full };
        }
        let before = &self.text()[..self.cursor()];
        if before.ends_with(char::is_whitespace) && !c.is_whitespace() {
            // A new word is a new step.
            self.last = EditKind::Other;
        }
        self.step(EditKind::Typing);
        self.insert(c.encode_utf8(&mut [0; 4]));
        Typed::Edited
    }

    pub(super) fn erase(&mut self, range: Range<usize>) {
        if !range.is_empty() {
            self.step(EditKind::Erasing);
            self.buffer.replace(range, "");
        }
    }

    /// Removes text that Yank can insert again, together with the text that the previous key
    /// removed this way.
    pub(super) fn kill(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        if self.last != EditKind::Killing {
            self.killed.clear();
        }
        self.step(EditKind::Killing);
        let ahead = range.start == self.cursor();
        let gone = self.buffer.remove(range);
        self.killed.insert_str(if ahead { self.killed.len() } else { 0 }, &gone);
    }

    pub(super) fn yank(&mut self) -> Typed {
        if self.killed.len() > self.room() {
            return Typed::Full;
        }
        if !self.killed.is_empty() {
            self.step(EditKind::Other);
            let killed = std::mem::take(&mut self.killed);
            self.insert(&killed);
            self.killed = killed;
        }
        Typed::Edited
    }

    pub(super) fn transpose(&mut self) {
        if let Some((range, swapped)) = self.buffer.transposed() {
            self.step(EditKind::Other);
            self.buffer.replace(range, &swapped);
        }
    }

    pub(super) fn go(&mut self, to: usize) {
        self.last = EditKind::Other;
        self.buffer.go(to);
    }

    /// Returns the near position, or the far one if the cursor is already at the near one.
    pub(super) fn or_further(&self, near: usize, far: usize) -> usize {
        if near == self.cursor() { far } else { near }
    }

    pub(super) fn up_or_down(&mut self, way: Way, column: Option<usize>) {
        let column = column.unwrap_or_else(|| self.buffer.column());
        let place = match way {
            Way::Older => self.buffer.above(column),
            Way::Newer => self.buffer.below(column),
        };
        if let Some(place) = place {
            self.go(place);
            self.column = Some(column);
        } else if let Some(line) = self.history.step(way, self.buffer.text()) {
            self.step(EditKind::Walking);
            self.buffer = Buffer::at_end(line);
        }
    }

    /// Empties the line, and remembers its text.
    pub(super) fn clear(&mut self) {
        self.step(EditKind::Other);
        let text = std::mem::take(&mut self.buffer).into_text();
        self.history.remember(&text);
    }
}
