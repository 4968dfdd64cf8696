//! Messages, one after the other, in one of the forms that they are written in.

use std::io::{self, Write};

use super::calendar::Calendar;
use super::{json, markdown};
use crate::model::stored::StoredMessage;
use crate::ui::past::People;
use crate::ui::past::{Folder, Told, lines};

/// A form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// As the chat shows them.
    Text,
    /// A line of JSON for each row.
    Json,
    /// Paragraphs under the days.
    Markdown,
}

/// Writes rows, the oldest first.
pub(super) struct Writer<'a, W> {
    form: Form,
    people: &'a People,
    calendar: Calendar,
    folder: Folder,
    out: W,
}

impl<'a, W: Write> Writer<'a, W> {
    pub(super) fn new(form: Form, people: &'a People, calendar: Calendar, out: W) -> Self {
        Self { form, people, calendar, folder: Folder::default(), out }
    }

    pub(super) fn take(&mut self, entry: StoredMessage) -> io::Result<()> {
        if self.form == Form::Json {
            return self.out.write_all(json::line(&entry)?.as_bytes());
        }
        self.folder.take(entry).map_or(Ok(()), |told| self.tell(&told))
    }

    /// Writes what is left.
    pub(super) fn end(mut self) -> io::Result<()> {
        let last = std::mem::take(&mut self.folder).end();
        last.map_or(Ok(()), |told| self.tell(&told))?;
        self.out.flush()
    }

    fn tell(&mut self, told: &Told) -> io::Result<()> {
        let time = told.first.time;
        let day = self.calendar.begins_day(time);
        let text = if self.form == Form::Markdown {
            let heading = day.as_deref().map(markdown::heading).unwrap_or_default();
            heading + &markdown::paragraph(told, &self.calendar.minute(time), self.people)
        } else {
            let day = day.map(|day| format!("--- {day} ---\n")).unwrap_or_default();
            day + &lines(told, &self.calendar.stamp(time), self.people)
        };
        self.out.write_all(text.as_bytes())
    }
}
