//! Lays out the prompt, the typed line and the printed lines on the rows of a window. Pure.
//!
//! The typed line is wrapped between any two characters as users see them (grapheme clusters), as a
//! terminal does. Every character is shown harmless, so a pasted control character or invisible
//! character can be seen. Printed lines are wrapped between words, and their further rows are
//! indented. The last column stays free, because a character there makes some terminals go to the
//! next row.

use std::borrow::Cow;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::style::{BAR, Ink, Line};
use crate::model::untrusted::harmless;

/// Replaces a character that is wider than the window.
const TOO_WIDE: &str = "?";

/// The minimum number of rows with marks: the row of the cursor, one mark above and one below.
const MIN_ROWS_WITH_MARKS: usize = 3;

/// A row of the prompt and the typed text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PromptRow {
    /// The part of the prompt in this row. It stands before the text.
    pub prompt: String,
    /// The part of the text in this row, or the mark that counts the hidden rows.
    pub text: String,
}

/// The rows of the prompt and the typed text, and the cursor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The rows, at least one.
    pub rows: Vec<PromptRow>,
    /// The row and the column of the cursor, counted from 0.
    pub cursor: (usize, usize),
}

/// Lays out the prompt and the text on at most `max_rows` rows (at least one) of a window of
/// `columns` columns. `cursor` is a byte of the text. If there are too few rows, those around the
/// cursor are shown.
pub fn lay_out(prompt: &str, text: &str, cursor: usize, columns: usize, max_rows: usize) -> Layout {
    let room = columns.saturating_sub(1).max(1);
    let max_rows = max_rows.max(1);
    let prompt = end_of(prompt, room, room.saturating_mul(max_rows) / 2);
    let whole = format!("{prompt}{text}");
    let cursor = prompt.len() + cursor;
    let mut spread = Spread { room, starts: vec![0], at: 0, column: 0, cursor: (0, 0) };
    // A mark at the beginning of the text does not join the prompt.
    for unit in prompt.graphemes(true).chain(text.graphemes(true)) {
        spread.put(unit, &whole, cursor);
    }
    if cursor >= whole.len() {
        spread.put_cursor();
    }
    let seen = Seen::around(spread.cursor.0, spread.starts.len(), max_rows);
    let row = |number| match seen.mark(number) {
        // A mark is ASCII.
        Some(mark) => PromptRow { text: mark[..mark.len().min(room)].to_owned(), ..PromptRow::default() },
        None => spread.row(number, &whole, prompt.len()),
    };
    Layout {
        rows: seen.rows.clone().map(row).collect(),
        cursor: (spread.cursor.0 - seen.rows.start, spread.cursor.1),
    }
}

/// Returns the end of a prompt that takes at most `columns`. The words next to the text matter
/// most, and the text matters more than the prompt.
fn end_of(prompt: &str, room: usize, columns: usize) -> &str {
    let mut at = 0;
    let widths: Vec<(usize, usize)> = prompt
        .graphemes(true)
        .map(|unit| {
            at += unit.len();
            (unit.len(), shown(unit, &prompt[at..], room).1)
        })
        .collect();
    let mut taken: usize = widths.iter().map(|(_, width)| width).sum();
    let mut begin = 0;
    for (len, width) in widths {
        if taken <= columns {
            break;
        }
        taken -= width;
        begin += len;
    }
    &prompt[begin..]
}

/// Returns a character as it is shown before `rest`, and its width in columns.
fn shown<'a>(unit: &'a str, rest: &str, room: usize) -> (Cow<'a, str>, usize) {
    if let [b' '..=b'~'] = unit.as_bytes() {
        return (unit.into(), 1);
    }
    let shown = harmless_before(unit, rest);
    match shown.width() {
        width if width > room => (TOO_WIDE.into(), TOO_WIDE.len()),
        width => (shown.into(), width),
    }
}

/// Makes a character harmless. Whether a joiner at its end has an effect depends on `rest`.
fn harmless_before(unit: &str, rest: &str) -> String {
    let Some(next) = rest.chars().next().filter(|_| unit.ends_with(['\u{200c}', '\u{200d}'])) else {
        return harmless(unit);
    };
    let both = format!("{unit}{next}");
    if harmless(&both) == both { unit.to_owned() } else { harmless(unit) }
}

/// Records where each row begins while characters are put one after the other.
struct Spread {
    room: usize,
    starts: Vec<usize>,
    /// The position of the next character, and its column.
    at: usize,
    column: usize,
    cursor: (usize, usize),
}

impl Spread {
    fn put(&mut self, unit: &str, whole: &str, cursor: usize) {
        let end = self.at + unit.len();
        let width = (unit != "\n").then(|| shown(unit, &whole[end..], self.room).1);
        width.inspect(|width| self.make_room(*width));
        if (self.at..end).contains(&cursor) {
            self.put_cursor();
        }
        self.at = end;
        match width {
            Some(width) => self.column += width,
            None => self.begin_row(),
        }
    }

    fn put_cursor(&mut self) {
        self.make_room(1);
        self.cursor = (self.starts.len() - 1, self.column);
    }

    /// Begins a row if this many columns do not fit into the current one. A character without width
    /// needs one column for the cursor.
    fn make_room(&mut self, columns: usize) {
        if self.column > 0 && self.column + columns.max(1) > self.room {
            self.begin_row();
        }
    }

    fn begin_row(&mut self) {
        self.starts.push(self.at);
        self.column = 0;
    }

    /// Returns a row, of which the part before the byte `text` is of the prompt.
    fn row(&self, number: usize, whole: &str, text: usize) -> PromptRow {
        let start = self.starts[number];
        let end = self.starts.get(number + 1).copied().unwrap_or(self.at);
        let part = |mut at: usize, end: usize| {
            let units = whole[at..end].trim_end_matches('\n').graphemes(true);
            units.fold(String::new(), |part, unit| {
                at += unit.len();
                part + &shown(unit, &whole[at..], self.room).0
            })
        };
        PromptRow { prompt: part(start.min(text), end.min(text)), text: part(start.max(text), end.max(text)) }
    }
}

struct Seen {
    rows: Range<usize>,
    all: usize,
    has_marks: bool,
}

impl Seen {
    /// Chooses as many rows as allowed, with the row of the cursor in the middle as far as
    /// possible.
    fn around(cursor: usize, all: usize, max_rows: usize) -> Self {
        let count = all.min(max_rows);
        let first = cursor.saturating_sub(count / 2).min(all - count);
        Self { rows: first..first + count, all, has_marks: max_rows >= MIN_ROWS_WITH_MARKS }
    }

    /// Returns the mark that replaces the first or the last row if there are more rows.
    fn mark(&self, row: usize) -> Option<String> {
        let below = self.all - self.rows.end;
        match row {
            _ if !self.has_marks => None,
            // The row that the mark replaces is hidden as well.
            _ if row == self.rows.start && row > 0 => Some(format!("... {} rows above", row + 1)),
            _ if row + 1 == self.rows.end && below > 0 => Some(format!("... {} rows below", below + 1)),
            _ => None,
        }
    }
}

/// The minimum indent of the further rows of a line, in columns.
const MIN_INDENT: usize = 2;

/// The maximum indent, as a part of the width of the window. The rest is for words.
const INDENT_PART: usize = 4;

/// The beginning of the further rows of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Further {
    /// Blanks.
    Blanks,
    /// A bar if the line is a message, and blanks otherwise.
    Bar,
}

/// Wraps a printed line into the rows of a window of this width. No further row begins at the first
/// column, so no part of a line can be mistaken for another line.
pub fn rows_of(line: &Line, columns: usize, further: Further) -> Vec<Line> {
    let room = columns.saturating_sub(1).max(1);
    let text = line.to_string();
    if text.len() <= room {
        return vec![line.clone()];
    }
    let has_bar = further == Further::Bar && line.is_message();
    let indent = if has_bar { BAR.width() } else { line.text_column().min(columns / INDENT_PART) };
    let indent = indent.max(MIN_INDENT).min(room / 2);
    let least = if has_bar { indent } else { MIN_INDENT.min(indent) };
    let row = |(at, row): (usize, WrappedRow)| match at {
        0 => line.part(row.text),
        _ if has_bar => {
            let bar: String = BAR.chars().take(row.column).collect();
            line.part(row.text).behind(Ink::Faint, bar)
        }
        _ => line.part(row.text).behind(Ink::Plain, " ".repeat(row.column)),
    };
    wrap(&text, room, indent, least).into_iter().enumerate().map(row).collect()
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct WrappedRow {
    column: usize,
    text: Range<usize>,
}

/// Wraps a text between words into rows of at most `room` columns. Further rows begin at column
/// `indent`, or at `least` if a word fits only then. A word that is longer than a row is broken, if
/// possible before a field of an address. Spaces at the end of a row are left out.
fn wrap(text: &str, room: usize, indent: usize, least: usize) -> Vec<WrappedRow> {
    let mut rows = vec![WrappedRow { column: 0, text: 0..0 }];
    let mut column = 0;
    for word in words(text) {
        if word.is_blank {
            column += word.columns;
            continue;
        }
        if column + word.columns <= room {
            column += word.columns;
            extend(&mut rows, word.range);
        } else if word.columns + least <= room {
            column = if word.columns + indent <= room { indent } else { least };
            rows.push(WrappedRow { column, text: word.range });
            column += word.columns;
        } else {
            for part in parts(text, word.range) {
                let width = columns_of_all(&text[part.clone()]);
                if column + width > room && indent + width <= room && column > indent {
                    rows.push(WrappedRow { column: indent, text: part.start..part.start });
                    column = indent;
                }
                let mut at = part.start;
                for unit in text[part.clone()].graphemes(true) {
                    let (unit, width) = (at..at + unit.len(), columns_of(unit));
                    at = unit.end;
                    if column + width > room && column > indent {
                        rows.push(WrappedRow { column: indent, text: unit });
                        column = indent;
                    } else {
                        extend(&mut rows, unit);
                    }
                    column += width;
                }
            }
        }
    }
    rows
}

/// Splits a word before the fields of an address such as an invitation, which begin with `?` or
/// `&`.
fn parts(text: &str, word: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let begins = text[word.clone()].match_indices(['?', '&']).map(|(at, _)| word.start + at);
    let is_within_ascii = |at: &usize| *at > word.start && text.as_bytes()[at - 1].is_ascii();
    let begins: Vec<usize> = begins.filter(is_within_ascii).collect();
    let ends = begins.clone().into_iter().chain([word.end]);
    [word.start].into_iter().chain(begins).zip(ends).map(|(begin, end)| begin..end)
}

/// Extends the last row to the end of this part of the text.
fn extend(rows: &mut [WrappedRow], part: Range<usize>) {
    if let Some(row) = rows.last_mut() {
        row.text.end = part.end;
    }
}

/// A part of a text that is not broken if it fits into a row.
struct Word {
    range: Range<usize>,
    columns: usize,
    is_blank: bool,
}

/// Splits a text into words and the spaces between them. A wide character is a word of its own,
/// because its scripts have no spaces between words. A no-break space belongs to its word.
fn words(text: &str) -> impl Iterator<Item = Word> + '_ {
    let mut at = 0;
    let units = text.graphemes(true).map(move |unit| {
        let range = at..at + unit.len();
        at = range.end;
        Word { range, columns: columns_of(unit), is_blank: unit == " " }
    });
    let mut units = units.peekable();
    std::iter::from_fn(move || {
        let mut word = units.next()?;
        let is_wide = word.columns > 1;
        let joins = |next: &Word, is_blank| {
            next.columns == 0 || next.is_blank == is_blank && next.columns == 1 && !is_wide
        };
        while let Some(next) = units.next_if(|next| joins(next, word.is_blank)) {
            word.range.end = next.range.end;
            word.columns += next.columns;
        }
        Some(word)
    })
}

fn columns_of_all(text: &str) -> usize {
    text.graphemes(true).map(columns_of).sum()
}

fn columns_of(unit: &str) -> usize {
    if unit.len() == 1 { 1 } else { unit.width() }
}

#[cfg(test)]
mod tests;
