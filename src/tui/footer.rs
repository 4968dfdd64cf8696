//! The rows at the bottom: the status line, and the prompt with the typed text.

use std::io;

use crossterm::cursor::{MoveToColumn, MoveUp};
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::editor::Editor;
use super::layout::lay_out;
use super::status::{MIN_COLUMNS, MIN_ROWS, Status};
use super::style::{Ink, Line, Palette};

/// The rows at the bottom of the window: the status line, and the prompt with the typed text.
#[derive(Debug)]
pub struct Footer {
    rows: Vec<Line>,
    /// Row and column, from the first of the footer.
    cursor: (usize, usize),
    /// The size of the window that it is laid out for: columns and rows.
    pub(super) size: (usize, usize),
}

impl Footer {
    /// Whether a window of this size (columns, rows) has a status line.
    pub(super) fn has_room_for_status((columns, rows): (usize, usize)) -> bool {
        columns >= MIN_COLUMNS && rows >= MIN_ROWS
    }

    /// Lays out the footer for a window of this size (columns, rows). At least a third of the
    /// window stays for the lines above it.
    pub fn of(prompt: &Line, editor: &Editor, status: Option<&Status>, size: (usize, usize)) -> Self {
        let (columns, window_rows) = size;
        let mut rows = Vec::new();
        if let Some(status) = status.filter(|_| Self::has_room_for_status(size)) {
            rows.push(status.line(columns - 1));
        }
        let room = (window_rows * 2 / 3).saturating_sub(rows.len()).max(1);
        let search = editor.search_prompt();
        let (ink, words) = match &search {
            Some(words) => (Ink::Faint, words.clone()),
            None => (prompt.parts().next().map_or(Ink::Plain, |(ink, _)| ink), prompt.to_string()),
        };
        let layout = lay_out(&words, editor.text(), editor.cursor(), columns, room);
        let above = rows.len();
        rows.extend(layout.rows.into_iter().map(|row| Line::of(ink, row.prompt).then(row.text)));
        let (row, column) = layout.cursor;
        Self { rows, cursor: (row + above, column), size }
    }

    /// Writes the footer to `out`, starting at the cursor, which must be in the first column.
    /// Leaves the cursor where the user types. `before` is the footer that this one overwrites, if
    /// any; rows that are equal are not drawn again.
    pub fn draw(&self, out: &mut Vec<u8>, palette: Palette, before: Option<&Self>) -> io::Result<()> {
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(b"\r\n");
            }
            let last = at + 1 == self.rows.len();
            if !last && before.is_some_and(|before| before.rows.get(at) == Some(row)) {
                continue;
            }
            // No row reaches the last column, so clearing behind it removes no part of it.
            out.extend_from_slice(row.paint(palette).as_bytes());
            queue!(out, Clear(ClearType::UntilNewLine))?;
        }
        let last = self.rows.len().saturating_sub(1);
        // Rows of an earlier and higher footer. The last row is not cleared, because clearing
        // starts at the cursor.
        queue!(out, Clear(ClearType::FromCursorDown))?;
        if let Ok(up @ 1..) = u16::try_from(last - self.cursor.0) {
            queue!(out, MoveUp(up))?;
        }
        queue!(out, MoveToColumn(u16::try_from(self.cursor.1).unwrap_or(u16::MAX)))
    }

    /// Returns the number of rows from the first of the footer to that of the cursor. `broken_at`
    /// is the width for which the terminal has wrapped the rows again.
    pub(super) fn rows_above_cursor(&self, broken_at: Option<usize>) -> usize {
        let (row, column) = self.cursor;
        let Some(columns) = broken_at else { return row };
        let above: usize = self.rows[..row].iter().map(|row| broken_rows(row, columns)).sum();
        let width = self.rows[row].to_string().width();
        // At the end of a full row the cursor is still in that row.
        let column = if column > 0 && column >= width { column - 1 } else { column };
        above + column / columns.max(1)
    }

    pub(super) fn rows(&self, broken_at: Option<usize>) -> usize {
        let height = |row: &Line| broken_at.map_or(1, |columns| broken_rows(row, columns));
        self.rows.iter().map(height).sum()
    }
}

/// Returns how many rows a row takes when it is wrapped at this width.
pub(super) fn broken_rows(row: &Line, columns: usize) -> usize {
    let (mut rows, mut taken) = (1, 0);
    for width in row.to_string().graphemes(true).map(UnicodeWidthStr::width) {
        if taken > 0 && taken + width > columns {
            rows += 1;
            taken = 0;
        }
        taken += width;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: &[&str], cursor: (usize, usize)) -> Footer {
        Footer { rows: rows.iter().map(|row| Line::from(*row)).collect(), cursor, size: (80, 24) }
    }

    #[test]
    fn footer_height_counts_rewrapped_rows() {
        let footer = drawn(&["── status", "to Bob> hello", "world"], (2, 5));
        assert_eq!(footer.rows_above_cursor(None), 2);
        assert_eq!(footer.rows_above_cursor(Some(80)), 2);
        assert_eq!(footer.rows_above_cursor(Some(10)), 3);
        assert_eq!(footer.rows_above_cursor(Some(5)), 5);
        assert_eq!(drawn(&["0123456789"], (0, 10)).rows_above_cursor(Some(5)), 1);
        assert_eq!(drawn(&["0123456789"], (0, 7)).rows_above_cursor(Some(5)), 1);
        assert_eq!(drawn(&["0123456789"], (0, 4)).rows_above_cursor(Some(5)), 0);
    }

    #[test]
    fn wide_characters_are_not_broken_in_two() {
        assert_eq!(broken_rows(&"漢字漢字".into(), 5), 2);
        assert_eq!(broken_rows(&"漢字漢字".into(), 3), 4);
        assert_eq!(broken_rows(&"".into(), 5), 1);
    }
}
