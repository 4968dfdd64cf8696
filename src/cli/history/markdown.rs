//! A message as Markdown (CommonMark 0.31): a paragraph, in which nothing of what was said is
//! markup. Pure.

use crate::model::stored::Direction;
use crate::model::untrusted::harmless;
use crate::tui::history_view::HistoryMessage;
use crate::tui::history_view::People;
use crate::tui::history_view::{outcome, with};
use crate::tui::{ALL, TO, sent_mark};

/// What has a meaning anywhere in a line, in CommonMark or in what is usual beyond it: tables,
/// footnotes, mathematics, emoji, mentions, links.
const MARKUP: &[char] = &[
    '\\', '`', '*', '_', '{', '}', '[', ']', '<', '>', '(', ')', '#', '!', '|', '~', '&', ':', '@', '$', '^',
    '=',
];

pub(super) fn heading(day: &str) -> String {
    format!("## {day}\n\n")
}

/// Returns the paragraph of a message with a blank line after it. `time` follows the name. `late`
/// says when the message was sent, if it arrived much later.
pub(super) fn paragraph(told: &HistoryMessage, time: &str, late: Option<String>, people: &People) -> String {
    let who = with(told, people, |name| format!("**{}**", escaped(&name)));
    let who = match told.first.direction {
        Direction::Outgoing { .. } => format!("{TO}{who}"),
        Direction::Incoming { .. } if told.first.to_all => format!("{who} {TO}**{ALL}**"),
        Direction::Incoming { .. } => who,
    };
    // A break at the end of a paragraph would be a backslash in it.
    let body = told.first.body.trim_end();
    // The break makes a line of a blank one, so that the paragraph goes on.
    let rows: Vec<String> = body.split('\n').map(|row| escaped(row.trim_start_matches(' '))).collect();
    format!("{who}{time}: {}{}{}\n\n", rows.join("\\\n"), outcome(told), sent_mark(late))
}

/// A line that means nothing but itself.
fn escaped(line: &str) -> String {
    let line = harmless(line);
    let mut out = String::with_capacity(line.len());
    for (at, c) in line.char_indices() {
        let before = &line[..at];
        let marks = match c {
            // A list, or the line under a heading.
            '-' | '+' => before.trim_start().is_empty() || before.ends_with(c),
            // A numbered list, or the beginning of an address that some make a link of.
            '.' => {
                let number = before.trim_start();
                let is_www = before.len() >= 3 && before.as_bytes()[at - 3..].eq_ignore_ascii_case(b"www");
                number.bytes().all(|byte| byte.is_ascii_digit()) || is_www
            }
            c => MARKUP.contains(&c),
        };
        if marks {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delivery::DeliveryStatus;
    use crate::model::name::PeerName;
    use crate::model::stored::StoredMessage;
    use crate::tui::history_view::Grouping;
    use crate::tui::history_view::examples::{NASTY, from_bob, key, to};
    use proptest::prelude::*;

    fn shown(entry: StoredMessage) -> String {
        let people = People::new(vec![(key(1), entry.name.clone())]);
        let mut grouping = Grouping::default();
        assert!(grouping.take(entry).is_none());
        paragraph(&grouping.end().unwrap(), " 14:03", None, &people)
    }

    #[test]
    fn late_message_says_when_it_was_sent() {
        let people = People::new(vec![(key(1), Some(PeerName::new("Bob")))]);
        let mut grouping = Grouping::default();
        assert!(grouping.take(from_bob(1, "hi")).is_none());
        let text = paragraph(&grouping.end().unwrap(), " 14:03", Some("Mon 09:00".into()), &people);
        assert_eq!(text, "**Bob** 14:03: hi (sent Mon 09:00)\n\n");
    }

    /// What is markup somewhere, listed here once more so that the list above is not its own judge.
    const MEANS_SOMETHING: &str = "\\`*_{}[]<>()#!|~&:@$^=";

    /// What a reader of CommonMark makes of a line without any markup: none is left, and no
    /// character is lost.
    fn rendered(line: &str) -> String {
        let mut out = String::new();
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            if c == '\\' {
                let next = chars.next().expect("a backslash stands before something");
                assert!(next.is_ascii_punctuation(), "{next:?} in {line:?}");
                out.push(next);
                continue;
            }
            assert!(!MEANS_SOMETHING.contains(c), "{c:?} in {line:?}");
            out.push(c);
        }
        let first = line.trim_start();
        assert!(!first.starts_with(['-', '+']), "{line:?}");
        let digits = first.trim_start_matches(|c: char| c.is_ascii_digit());
        assert!(!digits.starts_with(['.', ')']), "{line:?}");
        assert!(!line.to_lowercase().contains("www."), "{line:?}");
        out
    }

    #[test]
    fn a_message_is_a_paragraph() {
        assert_eq!(
            shown(from_bob(1, "Hello, world. It's me - Bob")),
            "**Bob** 14:03: Hello, world. It's me - Bob\n\n"
        );
        let to_all = StoredMessage { to_all: true, ..from_bob(1, "hi") };
        assert_eq!(shown(to_all), "**Bob** → **all** 14:03: hi\n\n");
        assert_eq!(shown(from_bob(1, "one\n\n  two\n")), "**Bob** 14:03: one\\\n\\\ntwo\n\n");
        let ours = StoredMessage {
            name: Some(PeerName::new("a_b")),
            peer: key(1),
            ..to(2, 1, DeliveryStatus::Delivered)
        };
        assert_eq!(shown(ours), "→ **a\\_b** (unencrypted) 14:03: hello (delivered)\n\n");
    }

    #[test]
    fn whatever_a_text_is_it_is_no_markup() {
        for body in NASTY {
            let text = shown(from_bob(1, body));
            let text = text.strip_prefix("**Bob** 14:03: ").unwrap().strip_suffix("\n\n").unwrap();
            assert!(!text.contains("\n\n"), "{text:?}");
            for (line, row) in text.split("\\\n").zip(body.trim_end().split('\n')) {
                assert_eq!(rendered(line), harmless(row.trim_start_matches(' ')), "{text:?}");
            }
        }
        let named = StoredMessage { name: Some(PeerName::new("<b>*x*")), ..from_bob(1, "hi") };
        assert_eq!(shown(named), "**\\<b\\>\\*x\\*·aeaq** 14:03: hi\n\n");
    }

    proptest! {
        #[test]
        fn any_line_is_itself(line in "\\PC*|[-+*_#=>0-9.) `\\\\|<&w]*") {
            prop_assert_eq!(rendered(&escaped(&line)), harmless(&line));
        }
    }
}
