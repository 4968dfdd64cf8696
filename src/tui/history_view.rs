//! Stored messages, on the screen and in `p2p-chat history`. Pure.

#[cfg(test)]
pub(crate) mod examples;
mod grouping;
mod people;
mod text;
mod words;

use super::message::IN_DOUBT;
use super::style::{Ink, Line};
use crate::model::stored::{Direction, StoredMessage};
pub(crate) use grouping::{Grouping, HistoryMessage, are_one};
pub use people::People;
pub(crate) use text::lines;
pub(crate) use words::{outcome, state, with};

/// Shows stored messages on the screen.
pub struct HistoryView<'a> {
    /// The peers and their labels.
    pub people: &'a People,
    /// Returns the time of a message (in milliseconds since 1970) as it stands before a line, and
    /// its day.
    pub moment: &'a dyn Fn(u64) -> (std::sync::Arc<str>, std::sync::Arc<str>),
    /// Returns when a message was sent, in words, if it arrived much later. Both times are in
    /// milliseconds since 1970.
    pub late: &'a dyn Fn(u64, u64) -> Option<String>,
    /// The day that needs no line at its beginning.
    pub today: &'a str,
    /// The messages may have been shown before.
    pub in_doubt: bool,
}

impl HistoryView<'_> {
    /// Returns the lines of these messages, oldest first, with a line for each day that begins. A
    /// message to several peers is one.
    pub fn lines(&self, entries: impl IntoIterator<Item = StoredMessage>) -> Vec<Line> {
        let mut grouping = Grouping::default();
        let mut messages: Vec<HistoryMessage> =
            entries.into_iter().filter_map(|entry| grouping.take(entry)).collect();
        messages.extend(grouping.end());
        let mut all = Vec::new();
        let mut day = self.today.to_owned();
        for message in messages {
            let (stamp, of) = (self.moment)(message.first.time);
            if *of != *day {
                all.push(day_line(&of));
                day = of.to_string();
            }
            all.extend(lines(&message, &stamp, message.late(self.late), self.people));
            if let Some(last) = all.pop() {
                all.push(if self.in_doubt { last.and(Ink::Faint, IN_DOUBT) } else { last });
            }
        }
        all
    }

    /// Returns the position of the first message that is new: it came since the user last dealt
    /// with its sender. `None` if all are read.
    pub fn first_new(entries: &[StoredMessage]) -> Option<usize> {
        entries.iter().position(|entry| matches!(entry.direction, Direction::Incoming { new: true, .. }))
    }
}

pub(crate) fn day_line(day: &str) -> Line {
    Line::of(Ink::Faint, format!("--- {day} ---"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::examples::{from_bob, key};
    use super::*;
    use crate::model::name::PeerName;

    fn shown(entries: Vec<StoredMessage>, in_doubt: bool) -> Vec<String> {
        let people = People::new(vec![(key(1), Some(PeerName::new("Bob")))]);
        let moment = |time: u64| (Arc::from("[t] "), Arc::from(if time < 100 { "Friday" } else { "today" }));
        let past =
            HistoryView { people: &people, moment: &moment, late: &|_, _| None, today: "today", in_doubt };
        past.lines(entries).iter().map(Line::to_string).collect()
    }

    fn at(time: u64, entry: StoredMessage) -> StoredMessage {
        StoredMessage { time, ..entry }
    }

    #[test]
    fn another_day_than_today_is_named() {
        let entries =
            vec![at(1, from_bob(1, "one")), at(2, from_bob(2, "two")), at(100, from_bob(3, "three"))];
        assert_eq!(
            shown(entries, false),
            ["--- Friday ---", "[t] Bob: one", "[t] Bob: two", "--- today ---", "[t] Bob: three"]
        );
    }

    #[test]
    fn possibly_repeated_message_is_marked() {
        let lines = shown(vec![at(100, from_bob(1, "one\ntwo"))], true);
        assert_eq!(lines, ["[t] Bob: one", "  │ two [may have been shown before]"]);
    }
}
