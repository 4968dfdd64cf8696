//! The lines that were printed on a terminal: as rows, with long messages cut, and again after the
//! width of the window has changed. Pure.

use std::collections::VecDeque;

use super::layout::{Further, rows_of};
use super::message::counted;
use super::style::{Ink, Line};

/// The maximum number of rows of a message that are shown at once: about two screens. `/show` shows
/// the others.
pub(super) const MAX_MESSAGE_ROWS: usize = 100;

/// The maximum number of printed lines that are remembered, to print those in sight again. It is
/// more than the rows of a window.
const MAX_LINES: usize = 200;

/// The maximum size of these lines. Usual ones have about 20 KB, and long messages push out the
/// others.
const MAX_BYTES: usize = 1024 * 1024;

/// The maximum number of long messages that `/show` can show whole. Each has at most 64 KiB.
const MAX_LONG: usize = 20;

/// Lines that belong together: a message, or another line with its further lines.
#[derive(Clone, Debug)]
struct Block {
    lines: Vec<Line>,
    /// The number for `/show` if it is cut.
    number: Option<usize>,
}

impl Block {
    /// Returns its rows in a window of this width.
    fn rows(&self, columns: usize, further: Further) -> Vec<Line> {
        let mut rows: Vec<Line> =
            self.lines.iter().flat_map(|line| rows_of(line, columns, further)).collect();
        if let Some(number) = self.number
            && rows.len() > MAX_MESSAGE_ROWS
        {
            let more = counted(rows.len() - MAX_MESSAGE_ROWS, "more line");
            rows.truncate(MAX_MESSAGE_ROWS);
            rows.push(Line::of(Ink::Strong, format!("{more}: /show {number}")));
        }
        rows
    }
}

/// The lines that were printed last.
#[derive(Clone, Debug, Default)]
pub(super) struct Printed {
    blocks: VecDeque<Block>,
    /// The long messages, and the number of the first.
    long: VecDeque<Vec<Line>>,
    before_long: usize,
}

impl Printed {
    /// Adds lines that are printed in a window of this width, and returns their rows.
    pub(super) fn take(&mut self, lines: &[Line], columns: usize, further: Further) -> Vec<Line> {
        let mut rows = Vec::new();
        for lines in lines.chunk_by(|_, next| next.is_further()) {
            let mut block = Block { lines: lines.to_vec(), number: None };
            let mut its_rows = block.rows(columns, further);
            if its_rows.len() > MAX_MESSAGE_ROWS && lines.first().is_some_and(Line::can_be_cut) {
                block.number = Some(self.number(block.lines.clone()));
                its_rows = block.rows(columns, further);
            }
            rows.append(&mut its_rows);
            self.blocks.push_back(block);
        }
        let (mut lines, mut bytes) = (0, 0);
        let is_kept = |block: &&Block| {
            lines += block.lines.len();
            bytes += block.lines.iter().flat_map(Line::parts).map(|(_, text)| text.len()).sum::<usize>();
            lines <= MAX_LINES && bytes <= MAX_BYTES
        };
        let kept = self.blocks.iter().rev().take_while(is_kept).count().max(1);
        self.blocks.drain(..self.blocks.len().saturating_sub(kept));
        rows
    }

    fn number(&mut self, lines: Vec<Line>) -> usize {
        if self.long.len() == MAX_LONG {
            self.long.pop_front();
            self.before_long += 1;
        }
        self.long.push_back(lines);
        self.before_long + self.long.len()
    }

    /// Returns the lines of the long message with this number.
    pub(super) fn long(&self, number: usize) -> Option<&[Line]> {
        let at = number.checked_sub(self.before_long + 1)?;
        self.long.get(at).map(Vec::as_slice)
    }

    /// Forgets all lines: none is in sight any more, or their place is unknown.
    pub(super) fn is_gone(&mut self) {
        self.blocks.clear();
    }

    /// Returns the lines in sight of the last rows, as rows for a window of `columns` columns, and
    /// how many rows they take now. At most `above` rows are in sight. They were printed for
    /// `before` columns; `height` returns the number of rows that the terminal makes of one of them
    /// now. Rows above those are as the terminal has wrapped them, and are forgotten here.
    pub(super) fn in_sight(
        &mut self,
        above: usize,
        before: usize,
        columns: usize,
        height: impl Fn(&Line) -> usize,
    ) -> (usize, Vec<Line>) {
        let (mut taken, mut first) = (0, self.blocks.len());
        while taken < above && first > 0 {
            first -= 1;
            taken += self.blocks[first].rows(before, Further::Blanks).iter().map(&height).sum::<usize>();
        }
        self.blocks.drain(..first);
        let blocks = self.blocks.iter();
        (taken.min(above), blocks.flat_map(|block| block.rows(columns, Further::Blanks)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Vec<Line> {
        let mut lines = text.split('\n');
        let first = Line::from("[t] Bob: ").begins_message().then(lines.next().unwrap_or_default());
        std::iter::once(first).chain(lines.map(|line| Line::further().then(line))).collect()
    }

    fn texts(rows: &[Line]) -> Vec<String> {
        rows.iter().map(Line::to_string).collect()
    }

    fn long(lines: usize) -> Vec<Line> {
        message(&vec!["x"; lines].join("\n"))
    }

    #[test]
    fn cut_message_is_shown_whole_by_number() {
        let mut printed = Printed::default();
        let take = |printed: &mut Printed, lines: &[Line]| printed.take(lines, 80, Further::Blanks);
        assert_eq!(take(&mut printed, &long(MAX_MESSAGE_ROWS)).len(), MAX_MESSAGE_ROWS);
        let cut = texts(&take(&mut printed, &long(MAX_MESSAGE_ROWS + 40)));
        assert_eq!(cut.len(), MAX_MESSAGE_ROWS + 1);
        assert_eq!(cut[MAX_MESSAGE_ROWS], "40 more lines: /show 1");
        let one_line = message(&"word ".repeat(2_000));
        let cut = texts(&take(&mut printed, &one_line));
        assert_eq!(cut[MAX_MESSAGE_ROWS], "43 more lines: /show 2");
        assert_eq!(printed.long(2), Some(&*one_line));
        let whole: Vec<Line> = printed.long(1).unwrap().iter().cloned().map(Line::shown_whole).collect();
        assert_eq!(take(&mut printed, &whole).len(), MAX_MESSAGE_ROWS + 40);
        for _ in 0..MAX_LONG - 1 {
            take(&mut printed, &long(MAX_MESSAGE_ROWS + 1));
        }
        assert!(printed.long(0).is_none() && printed.long(1).is_none() && printed.long(2).is_some());
        assert!(printed.long(MAX_LONG + 1).is_some() && printed.long(MAX_LONG + 2).is_none());
    }

    #[test]
    fn visible_rows_are_wrapped_for_new_width() {
        let mut printed = Printed::default();
        let lines: Vec<Line> = ["one two", "three four", "five six"].into_iter().flat_map(message).collect();
        printed.take(&lines, 80, Further::Blanks);
        let at = |above, columns| {
            let (up, rows) = printed.clone().in_sight(above, 80, columns, |_| 1);
            (up, texts(&rows))
        };
        assert_eq!(at(10, 80).0, 3);
        assert_eq!(at(2, 80), (2, vec!["[t] Bob: three four".into(), "[t] Bob: five six".into()]));
        assert_eq!(at(1, 15), (1, vec!["[t] Bob: five".into(), "   six".into()]));
        // Rows that the terminal has wrapped.
        assert_eq!(printed.clone().in_sight(10, 80, 10, |_| 2).0, 6);
        // Only lines that are printed again have a known place.
        printed.in_sight(1, 80, 15, |_| 1);
        assert_eq!(printed.in_sight(10, 15, 80, |_| 1), (2, lines[2..].to_vec()));
        printed.is_gone();
        assert_eq!(printed.in_sight(10, 80, 80, |_| 1), (0, Vec::new()));
    }

    #[test]
    fn remembered_lines_are_bounded() {
        let mut printed = Printed::default();
        for _ in 0..3 * MAX_LINES {
            printed.take(&message("hi"), 80, Further::Blanks);
        }
        assert_eq!(printed.blocks.len(), MAX_LINES);
        for _ in 0..4 {
            printed.take(&message(&"x".repeat(MAX_BYTES / 2)), 80, Further::Blanks);
        }
        assert_eq!(printed.blocks.len(), 1);
    }
}
