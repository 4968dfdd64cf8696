//! Messages, one after the other, in one of the forms that they are written in.

use std::io::{self, Write};

use super::calendar::Calendar;
use super::{json, markdown};
use crate::model::stored::StoredMessage;
use crate::tui::history_view::People;
use crate::tui::history_view::{Grouping, HistoryMessage, lines};
use crate::tui::{Further, Line, rows_of};

/// How messages are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// As the chat shows them.
    Text,
    /// A line of JSON for each row.
    Json,
    /// Paragraphs under the days.
    Markdown,
}

/// Writes rows, the oldest first.
pub(super) struct Writer<'a, W> {
    format: Format,
    people: &'a People,
    calendar: Calendar,
    grouping: Grouping,
    /// The columns of the terminal that reads the text, if one does.
    columns: Option<usize>,
    out: W,
}

impl<'a, W: Write> Writer<'a, W> {
    pub(super) fn new(
        format: Format,
        people: &'a People,
        calendar: Calendar,
        columns: Option<usize>,
        out: W,
    ) -> Self {
        Self { format, people, calendar, grouping: Grouping::default(), columns, out }
    }

    pub(super) fn take(&mut self, entry: StoredMessage) -> io::Result<()> {
        if self.format == Format::Json {
            return self.out.write_all(json::line(&entry)?.as_bytes());
        }
        self.grouping.take(entry).map_or(Ok(()), |told| self.tell(&told))
    }

    /// Writes what is left.
    pub(super) fn end(mut self) -> io::Result<()> {
        let last = std::mem::take(&mut self.grouping).end();
        last.map_or(Ok(()), |told| self.tell(&told))?;
        self.out.flush()
    }

    fn tell(&mut self, told: &HistoryMessage) -> io::Result<()> {
        let time = told.first.time;
        let day = self.calendar.begins_day(time);
        let late = told.late(|sent, came| self.calendar.late(sent, came));
        let text = if self.format == Format::Markdown {
            let heading = day.as_deref().map(markdown::heading).unwrap_or_default();
            heading + &markdown::paragraph(told, &self.calendar.minute(time), late, self.people)
        } else {
            let day = day.map(|day| format!("--- {day} ---\n")).unwrap_or_default();
            let lines = lines(told, &self.calendar.stamp(time), late, self.people);
            // No row of a terminal can be taken for another message.
            let rows = |line: Line| {
                self.columns
                    .map_or_else(|| vec![line.clone()], |columns| rows_of(&line, columns, Further::Blanks))
            };
            lines.into_iter().flat_map(rows).fold(day, |text, row| text + &row.to_string() + "\n")
        };
        self.out.write_all(text.as_bytes())
    }
}
