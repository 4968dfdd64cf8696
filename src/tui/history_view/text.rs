//! A message as the chat shows it: `[14:03:07] Bob: hello`. Pure.

use super::grouping::HistoryMessage;
use super::people::People;
use super::words::{outcome, with};
use crate::model::stored::Direction;
use crate::tui::message::{ALL, Shown, sent_mark};
use crate::tui::style::{Ink, Line};

/// Returns the lines of a message after `stamp`. `late` says when it was sent if it came much
/// later.
pub(crate) fn lines(
    message: &HistoryMessage,
    stamp: &str,
    late: Option<String>,
    people: &People,
) -> Vec<Line> {
    let who = (Ink::Faint, with(message, people, |name| name));
    let all = || (Ink::Faint, ALL.to_owned());
    let (from, to) = match message.first.direction {
        Direction::Outgoing { .. } => (None, Some(who)),
        Direction::Incoming { .. } => (Some(who), message.first.to_all.then(all)),
    };
    let (text, marks) = (message.first.body.split('\n').collect(), outcome(message) + &sent_mark(late));
    let lines = Shown { stamp, from, to, own_name: people.own_name(), text, marks }.lines();
    lines.into_iter().map(|line| line.in_ink(Ink::Faint)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::examples::{NASTY, QUEUED, from_bob, key, to};
    use super::super::grouping::Grouping;
    use super::*;
    use crate::model::delivery::DeliveryStatus;
    use crate::model::name::PeerName;
    use crate::model::stored::{Assurance, StoredMessage};
    use crate::model::untrusted::harmless;

    fn shown(rows: impl IntoIterator<Item = StoredMessage>) -> String {
        let people = People::new(vec![(key(1), Some(PeerName::new("Bob")))]).with_own_name("Alice");
        let mut grouping = Grouping::default();
        let mut messages: Vec<HistoryMessage> =
            rows.into_iter().filter_map(|row| grouping.take(row)).collect();
        messages.extend(grouping.end());
        let lines = messages.iter().flat_map(|message| lines(message, "[14:03:07] ", None, &people));
        lines.map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn a_message_is_shown_as_in_the_chat() {
        let verified = StoredMessage { assurance: Assurance::Verified, ..from_bob(1, "really me") };
        let claimed = StoredMessage { assurance: Assurance::Claimed, ..from_bob(1, "me, too") };
        let delivered = to(2, 1, DeliveryStatus::Delivered).direction;
        let out = StoredMessage { direction: delivered.clone(), ..from_bob(2, "hello") };
        let acts = StoredMessage { direction: delivered, ..from_bob(2, "/me waves") };
        let to_all = StoredMessage { to_all: true, ..from_bob(1, "soup is ready") };
        for (entry, line) in [
            (from_bob(1, "hi"), "[14:03:07] Bob: hi\n"),
            (from_bob(1, "/me waves"), "[14:03:07] ** Bob waves\n"),
            (from_bob(1, "/me "), "[14:03:07] Bob: /me \n"),
            (verified, "[14:03:07] Bob (verified): really me\n"),
            (claimed, "[14:03:07] Bob (unencrypted, unproven): me, too\n"),
            (to_all, "[14:03:07] Bob → all: soup is ready\n"),
            (out, "[14:03:07] → Bob: hello (delivered)\n"),
            (acts, "[14:03:07] → Bob: ** Alice waves (delivered)\n"),
            (from_bob(1, "one\ntwo"), "[14:03:07] Bob: one\n  │ two\n"),
        ] {
            assert_eq!(shown([entry]), line);
        }
    }

    #[test]
    fn a_text_to_several_is_one_line() {
        let five = (1..=5).map(|row| to(row, 1, if row == 2 { QUEUED } else { DeliveryStatus::Sent }));
        let all: Vec<StoredMessage> = five.collect();
        // No peer has this as its last name, so all have their ports.
        let name = |row: u16| format!("N{row}·{} (unencrypted)", 5_000 + row);
        let (one, two, three) = (name(1), name(2), name(3));
        assert_eq!(
            shown(all.clone()),
            format!("[14:03:07] → {one}, {two} and 3 more: hello (4 sent, 1 queued)\n")
        );
        assert_eq!(
            shown(all[..3].to_vec()),
            format!("[14:03:07] → {one}, {two} and {three}: hello (2 sent, 1 queued)\n")
        );
    }

    #[test]
    fn message_to_all_names_no_recipients() {
        let rows = (1..=2).map(|row| {
            let status = if row == 1 { QUEUED } else { DeliveryStatus::Delivered };
            StoredMessage { to_all: true, ..to(row, 1, status) }
        });
        assert_eq!(shown(rows), "[14:03:07] → all: hello (1 queued, 1 delivered)\n");
    }

    #[test]
    fn no_text_forges_a_message() {
        let long = "\n".repeat(65_536);
        for body in NASTY.into_iter().chain([&*long]) {
            let text = shown([from_bob(1, body)]);
            for (at, line) in text.lines().enumerate() {
                let beginning = if at == 0 { "[14:03:07] Bob: " } else { "  │ " };
                assert!(line.starts_with(beginning), "{line:?} of {body:?}");
                assert_eq!(harmless(line), line, "{body:?}");
            }
            assert_eq!(text.lines().count(), body.split('\n').count(), "{body:?}");
        }
    }
}
