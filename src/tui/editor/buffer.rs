//! A text and a cursor, which is always between grapheme clusters.

use std::ops::Range;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};
use unicode_width::UnicodeWidthStr;

/// The edited text. It may have several lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Buffer {
    text: String,
    cursor: usize,
}

impl Buffer {
    pub(super) fn at_end(text: String) -> Self {
        Self { cursor: text.len(), text }
    }

    /// Creates a text with the cursor at a position, or before the character around that position.
    pub(super) fn at(text: String, cursor: usize) -> Self {
        Self { cursor: floor(&text, cursor), text }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Moves to a position, which is a boundary.
    pub(super) fn go(&mut self, to: usize) {
        self.cursor = to;
    }

    /// Replaces a range between two boundaries by a text, and puts the cursor after it.
    pub(super) fn replace(&mut self, range: Range<usize>, with: &str) {
        self.cursor = range.start + with.len();
        self.text.replace_range(range, with);
        // The inserted text and its neighbours may have joined to one character.
        self.cursor = ceiling(&self.text, self.cursor);
    }

    /// Deletes a range between two boundaries.
    pub(super) fn remove(&mut self, range: Range<usize>) -> String {
        let gone = self.text[range.clone()].to_owned();
        self.replace(range, "");
        gone
    }

    /// Widens a range until its ends are boundaries.
    pub(super) fn snapped(&self, range: Range<usize>) -> Range<usize> {
        let start = floor(&self.text, range.start);
        start..ceiling(&self.text, range.end).max(start)
    }

    pub(super) fn before(&self) -> usize {
        back(&self.text, self.cursor)
    }

    pub(super) fn after(&self) -> usize {
        on(&self.text, self.cursor)
    }

    /// Returns the beginning of the last word that begins before the cursor.
    pub(super) fn word_start(&self, word: fn(char) -> bool) -> usize {
        let mut start = 0;
        let mut within = false;
        // Searches forward: going back over flags would count all of them each time.
        for (at, grapheme) in self.text[..self.cursor].grapheme_indices(true) {
            let was_within = std::mem::replace(&mut within, grapheme.starts_with(word));
            if within && !was_within {
                start = at;
            }
        }
        start
    }

    /// Returns the end of the first word that ends after the cursor.
    pub(super) fn word_end(&self, word: fn(char) -> bool) -> usize {
        let mut within = false;
        for (at, grapheme) in self.text[self.cursor..].grapheme_indices(true) {
            let was_within = std::mem::replace(&mut within, grapheme.starts_with(word));
            if was_within && !within {
                return self.cursor + at;
            }
        }
        self.text.len()
    }

    pub(super) fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    pub(super) fn line_end(&self) -> usize {
        self.line_end_from(self.cursor)
    }

    fn line_end_from(&self, from: usize) -> usize {
        self.text[from..].find('\n').map_or(self.text.len(), |at| from + at)
    }

    /// Returns the columns from the beginning of the line to the cursor.
    pub(super) fn column(&self) -> usize {
        self.text[self.line_start()..self.cursor].graphemes(true).map(UnicodeWidthStr::width).sum()
    }

    /// Returns the position in the line above that is nearest to a column, if there is a line
    /// above.
    pub(super) fn above(&self, column: usize) -> Option<usize> {
        let end = self.line_start().checked_sub(1)?;
        let start = self.text[..end].rfind('\n').map_or(0, |at| at + 1);
        Some(self.place_in(start..end, column))
    }

    /// Returns the position in the line below that is nearest to a column, if there is a line
    /// below.
    pub(super) fn below(&self, column: usize) -> Option<usize> {
        let start = self.line_end() + 1;
        (start <= self.text.len()).then(|| self.place_in(start..self.line_end_from(start), column))
    }

    fn place_in(&self, line: Range<usize>, column: usize) -> usize {
        let mut taken = 0;
        for (at, grapheme) in self.text[line.clone()].grapheme_indices(true) {
            taken += grapheme.width();
            if taken > column {
                return line.start + at;
            }
        }
        line.end
    }

    /// Returns the two characters to swap: those around the cursor, or the last two at the end.
    pub(super) fn transposed(&self) -> Option<(Range<usize>, String)> {
        let middle = if self.cursor == self.text.len() { self.before() } else { self.cursor };
        let (start, end) = (back(&self.text, middle), on(&self.text, middle));
        let (first, second) = (&self.text[start..middle], &self.text[middle..end]);
        (!first.is_empty() && !second.is_empty()).then(|| (start..end, format!("{second}{first}")))
    }
}

/// Returns the last boundary before a boundary.
fn back(text: &str, at: usize) -> usize {
    // The whole text is one chunk, so no call can ask for more.
    GraphemeCursor::new(at, text.len(), true).prev_boundary(text, 0).ok().flatten().unwrap_or(0)
}

/// Returns the first boundary after a position.
fn on(text: &str, at: usize) -> usize {
    GraphemeCursor::new(at, text.len(), true).next_boundary(text, 0).ok().flatten().unwrap_or(text.len())
}

fn is_boundary(text: &str, at: usize) -> bool {
    GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or(true)
}

/// Returns the last boundary that is not after a position.
pub(super) fn floor(text: &str, at: usize) -> usize {
    let at = text.floor_char_boundary(at);
    if is_boundary(text, at) { at } else { back(text, at) }
}

/// Returns the first boundary that is not before a position.
fn ceiling(text: &str, at: usize) -> usize {
    let at = text.ceil_char_boundary(at.min(text.len()));
    if is_boundary(text, at) { at } else { on(text, at) }
}
