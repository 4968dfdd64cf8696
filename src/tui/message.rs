//! The one form of a message: `[14:03] Bob → all: soup is ready`. Pure.
//!
//! It has the time, the sender, the recipients unless the user is the only one, and the text. The
//! user's own messages begin with the arrow. Live lines, the history on the screen and the history
//! as text all have this form.

use super::style::{Ink, Line};
use crate::model::untrusted::harmless;

/// Stands before a recipient. No name of a peer contains it (`model::name`).
pub(crate) const TO: &str = "→ ";

/// The recipient of a message to all. No peer is called this.
pub(crate) const ALL: &str = "all";

/// Stands after a message that may have been shown before.
pub(crate) const IN_DOUBT: &str = " [may have been shown before]";

#[derive(Clone, Debug, Default)]
pub(crate) struct Shown<'a> {
    /// The time, as in `[14:03] `, or nothing.
    pub(crate) stamp: &'a str,
    /// The sender; `None` if it is the user.
    pub(crate) from: Option<(Ink, String)>,
    /// The recipients; `None` if the user is the only one.
    pub(crate) to: Option<(Ink, String)>,
    /// The user's name. It stands in an action of theirs, as the recipients see it.
    pub(crate) own_name: &'a str,
    /// The text, line by line. It may come from the network.
    pub(crate) text: Vec<&'a str>,
    pub(crate) marks: String,
}

impl Shown<'_> {
    pub(crate) fn lines(self) -> Vec<Line> {
        let stamp = Line::at(self.stamp);
        let mut text = self.text;
        // The convention of XEP-0245: the command is sent as it was typed.
        let does = text.first().and_then(|first| first.strip_prefix("/me "));
        let does = does.filter(|does| {
            !does.trim().is_empty() || text.iter().skip(1).any(|line| !line.trim().is_empty())
        });
        let is_action = does.is_some();
        if let Some(does) = does {
            text[0] = does;
        }
        let Some((ink, from)) = self.from else {
            let (ink, to) = self.to.unwrap_or((Ink::Plain, String::new()));
            let head = stamp.and(Ink::Faint, TO).and(ink, to).then(": ");
            let head = if is_action { head.then(format!("** {} ", self.own_name)) } else { head };
            return under(head, &text, &self.marks);
        };
        let stamp = if is_action { stamp.then("** ") } else { stamp };
        let (from, is_private) = (stamp.and(ink, from), self.to.is_none());
        let head = match self.to {
            Some((ink, to)) => from.and(Ink::Faint, format!(" {TO}")).and(ink, to),
            None => from,
        };
        under(head.then(if is_action && is_private { " " } else { ": " }), &text, &self.marks)
    }
}

/// Returns the lines of a text, the first after `head`, and `marks` after the last.
pub(crate) fn under(head: Line, text: &[&str], marks: &str) -> Vec<Line> {
    let last = text.len().saturating_sub(1);
    let mut head = Some(head.begins_message());
    let line = |(at, line): (usize, &&str)| {
        let marks = if at == last { marks } else { "" };
        head.take().unwrap_or_else(Line::further).then(harmless(line) + marks)
    };
    text.iter().enumerate().map(line).collect()
}

/// Returns the lines of a typed text that is no message, after its prompt.
pub fn typed_lines(prompt: Line, typed: &str) -> Vec<Line> {
    let mut prompt = Some(prompt);
    let line = |line| prompt.take().unwrap_or_else(Line::further).then(harmless(line));
    typed.split('\n').map(line).collect()
}

/// Returns the mark of a message that was sent much earlier than it arrived.
pub(crate) fn sent_mark(sent: Option<String>) -> String {
    sent.map_or_else(String::new, |sent| format!(" (sent {sent})"))
}

/// Returns a number of things: `1 peer`, `2 peers`.
pub(crate) fn counted(count: impl TryInto<u64>, thing: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(from: Option<&str>, to: Option<&str>, text: &str) -> Vec<String> {
        let named = |name: &str| (Ink::Plain, name.to_owned());
        let text = text.split('\n').collect();
        let (from, to) = (from.map(named), to.map(named));
        let marks = " (sent Mon 14:03)".into();
        let shown = Shown { stamp: "[14:03] ", from, to, own_name: "Alice", text, marks };
        shown.lines().iter().map(Line::to_string).collect()
    }

    #[test]
    fn message_has_one_form_in_both_directions() {
        for (from, to, line) in [
            (Some("Bob"), None, "[14:03] Bob: Hello (sent Mon 14:03)"),
            (Some("Bob"), Some("all"), "[14:03] Bob → all: Hello (sent Mon 14:03)"),
            (None, Some("Bob"), "[14:03] → Bob: Hello (sent Mon 14:03)"),
        ] {
            assert_eq!(shown(from, to, "Hello"), [line]);
        }
    }

    #[test]
    fn further_lines_stand_behind_a_bar() {
        let lines = shown(Some("Bob"), None, "one\n[14:03] Carol: two\x1b[2J");
        assert_eq!(lines, ["[14:03] Bob: one", "  │ [14:03] Carol: two\\x1b[2J (sent Mon 14:03)"]);
    }

    #[test]
    fn action_has_no_colon() {
        assert_eq!(shown(Some("Bob"), None, "/me waves"), ["[14:03] ** Bob waves (sent Mon 14:03)"]);
        assert_eq!(shown(Some("Bob"), None, "/me "), ["[14:03] Bob: /me  (sent Mon 14:03)"]);
        assert_eq!(
            shown(Some("Bob"), Some(ALL), "/me waves"),
            ["[14:03] ** Bob → all: waves (sent Mon 14:03)"]
        );
        assert_eq!(shown(None, Some("Bob"), "/me waves"), ["[14:03] → Bob: ** Alice waves (sent Mon 14:03)"]);
        assert_eq!(shown(None, Some("Bob"), "/me "), ["[14:03] → Bob: /me  (sent Mon 14:03)"]);
    }
}
