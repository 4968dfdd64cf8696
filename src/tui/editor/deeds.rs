//! What the strokes do to the line.

use std::ops::Range;

use super::buffer::Buffer;
use super::{Editor, MAX_LINE_BYTES, Typed};
use crate::tui::history::Way;

/// Steps that can be undone. A word typed is one, so this is a long message; each may hold a whole
/// line, which makes three megabytes at most.
pub(super) const MAX_STEPS: usize = 100;

/// What a tab in a pasted text becomes.
const TAB: &str = "    ";

/// What a stroke did, as far as it matters to the next: those of one kind are undone, or inserted
/// again, as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum EditKind {
    #[default]
    Other,
    Typing,
    Erasing,
    Killing,
    Walking,
}

/// What of a text may stand in the line: of the control characters only the line end.
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
    /// Bytes that can still be put in.
    pub(super) fn room(&self) -> usize {
        MAX_LINE_BYTES.saturating_sub(self.text().len())
    }

    /// Keeps the line as it is, for undoing what is about to be done, unless that goes on with what
    /// was done last.
    pub(super) fn step(&mut self, deed: EditKind) {
        let joins = matches!(deed, EditKind::Typing | EditKind::Erasing | EditKind::Walking);
        if std::mem::replace(&mut self.last, deed) == deed && joins {
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

    /// Inserts a text at the cursor.
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
            // A word begins, and with it a step.
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

    /// Removes what Yank can insert again, together with what was removed the same way just before.
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

    /// The near place, or the far one if the cursor is at the near one already.
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

    /// Empties the line, and remembers what was in it.
    pub(super) fn clear(&mut self) {
        self.step(EditKind::Other);
        let text = std::mem::take(&mut self.buffer).into_text();
        self.history.remember(&text);
    }
}
