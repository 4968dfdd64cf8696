//! A message as the chat shows it: `[14:03:07] Bob: hello`. Pure.

use super::people::People;
use super::told::Told;
use super::words::{outcome, with};
use crate::model::message::LINE_MARK;
use crate::model::untrusted::harmless;

/// The prefix of the further lines of a message, so that none can look like another message.
const BAR: &str = "  │ ";

/// Lines that a text is shown in; one of more stays on one line, with marks. As in the chat.
const MAX_LINES: usize = 100;

/// The lines of a message, each with its end, behind `stamp`. Everything in them that came from the
/// network is harmless.
pub(crate) fn lines(told: &Told, stamp: &str, people: &People) -> String {
    let who = with(told, people, |name| name);
    let ours = told.first.direction.is_outgoing();
    let does = told.first.body.strip_prefix("/me ").filter(|action| !ours && !action.trim().is_empty());
    let (before, body) = match does {
        Some(action) => (format!("{stamp}** {who} "), action),
        None if ours => (format!("{stamp}you to {who}: "), &*told.first.body),
        None => (format!("{stamp}{who}: "), &*told.first.body),
    };
    let rows: Vec<&str> = body.split('\n').collect();
    let shown = if rows.len() > MAX_LINES {
        harmless(&rows.join(LINE_MARK))
    } else {
        rows.into_iter().map(harmless).collect::<Vec<_>>().join(&format!("\n{BAR}"))
    };
    format!("{before}{shown}{}\n", outcome(told))
}

#[cfg(test)]
mod tests {
    use super::super::examples::{NASTY, QUEUED, from_bob, key, to};
    use super::super::told::Folder;
    use super::*;
    use crate::model::delivery::DeliveryStatus;
    use crate::model::name::PeerName;
    use crate::model::stored::{Assurance, StoredMessage};

    fn shown(rows: impl IntoIterator<Item = StoredMessage>) -> String {
        let people = People::new(vec![(key(1), Some(PeerName::new("Bob")))]);
        let mut folder = Folder::default();
        let mut told: Vec<Told> = rows.into_iter().filter_map(|row| folder.take(row)).collect();
        told.extend(folder.end());
        told.iter().map(|told| lines(told, "[14:03:07] ", &people)).collect()
    }

    #[test]
    fn a_message_is_shown_as_in_the_chat() {
        let verified = StoredMessage { assurance: Assurance::Verified, ..from_bob(1, "really me") };
        let claimed = StoredMessage { assurance: Assurance::Claimed, ..from_bob(1, "me, too") };
        let delivered = to(2, 1, DeliveryStatus::Delivered).direction;
        let out = StoredMessage { direction: delivered, ..from_bob(2, "hello") };
        for (entry, line) in [
            (from_bob(1, "hi"), "[14:03:07] Bob: hi\n"),
            (from_bob(1, "/me waves"), "[14:03:07] ** Bob waves\n"),
            (from_bob(1, "/me "), "[14:03:07] Bob: /me \n"),
            (verified, "[14:03:07] Bob (verified): really me\n"),
            (claimed, "[14:03:07] Bob (plain, unproven): me, too\n"),
            (out, "[14:03:07] you to Bob: hello (delivered)\n"),
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
        let name = |row: u16| format!("N{row}·{} (plain)", 5_000 + row);
        let (one, two, three) = (name(1), name(2), name(3));
        assert_eq!(
            shown(all.clone()),
            format!("[14:03:07] you to {one}, {two} and 3 more: hello (4 handed over, 1 queued)\n")
        );
        assert_eq!(
            shown(all[..3].to_vec()),
            format!("[14:03:07] you to {one}, {two} and {three}: hello (2 handed over, 1 queued)\n")
        );
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
            assert!(text.ends_with('\n') && text.lines().count() <= MAX_LINES, "{body:?}");
        }
    }
}
