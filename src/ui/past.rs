//! What was said, told again as it stands in the history. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::style::{Ink, Line};
use super::words::Voice;
use crate::escape::Text;
use crate::ledger::{Assurance, Condition, Entry, Way};

/// Recipients of one text that are named; the others are counted.
const MAX_NAMED: usize = 3;

/// What stands behind a message that may have been shown before.
const IN_DOUBT: &str = " [perhaps it was shown before]";

/// How the past is told.
pub struct Past<'a> {
    /// How things are said here.
    pub voice: &'a Voice<'a>,
    /// What whoever a message is from or to is called.
    pub label: &'a dyn Fn(&Entry) -> String,
    /// The time of a message, in milliseconds since 1970, as it stands before a line, and its day.
    pub moment: &'a dyn Fn(u64) -> (Arc<str>, Arc<str>),
    /// The day that needs no line to begin it.
    pub today: &'a str,
    /// It is not certain that these were not shown before.
    pub in_doubt: bool,
}

impl Past<'_> {
    /// The lines of these messages, oldest first, and between two days the line that begins the second. A text to several is one.
    pub fn lines(&self, entries: &[Entry]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut day: Arc<str> = self.today.into();
        for group in groups(entries) {
            let (stamp, of) = (self.moment)(group[0].time);
            if of != day {
                lines.push(day_line(&of));
                day = of;
            }
            lines.extend(self.told(&stamp, group));
        }
        lines
    }

    /// The first of these that the user has not read, if there is one and others are before it.
    pub fn first_new(entries: &[Entry]) -> Option<usize> {
        entries.iter().position(|entry| matches!(entry.way, Way::In { new: true, .. }))
    }

    fn told(&self, stamp: &str, group: &[Entry]) -> Vec<Line> {
        let first = &group[0];
        let stamp = Line::of(Ink::Faint, stamp);
        let text = Text::new(&*first.body);
        let has_lines = !matches!(first.assurance, Assurance::Plain | Assurance::Claimed)
            || matches!(first.way, Way::Out(_));
        let label = (self.label)(first);
        match first.way {
            Way::In { .. } => {
                let remark = match first.assurance {
                    Assurance::Plain => " (plain)",
                    Assurance::Claimed => " (plain, unproven)",
                    Assurance::Verified | Assurance::Encrypted => "",
                };
                let before = stamp.and(Ink::Faint, format!("{label}{remark}: "));
                self.voice.text(before, &text, if self.in_doubt { IN_DOUBT } else { "" }, has_lines)
            }
            Way::Out(_) => {
                let named: Vec<String> =
                    group.iter().take(MAX_NAMED).map(|entry| (self.label)(entry)).collect();
                let more = group.len() - named.len();
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let before = stamp.and(Ink::Faint, format!("you to {}{more}: ", named.join(", ")));
                let end = format!(" ({})", became(group));
                self.voice.text(before, &text, &end, has_lines)
            }
        }
    }
}

/// Messages one after the other that are one text to several.
fn groups(entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    entries.chunk_by(|one, next| {
        let are_ours = matches!((one.way, next.way), (Way::Out(_), Way::Out(_)));
        are_ours && one.id.is_some() && one.id == next.id && one.party != next.party
    })
}

/// What became of one text, for all its recipients.
fn became(group: &[Entry]) -> String {
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    for entry in group {
        if let Way::Out(condition) = entry.way {
            *counts.entry(condition.number()).or_default() += 1;
        }
    }
    let one = counts.len() == 1;
    let words = counts.into_iter().filter_map(|(number, count)| {
        let words = condition_words(Condition::of(number)?);
        Some(if one { words.to_owned() } else { format!("{count} {words}") })
    });
    words.collect::<Vec<_>>().join(", ")
}

/// What is known of a text of ours, in a word or two.
pub fn condition_words(condition: Condition) -> &'static str {
    match condition {
        Condition::Queued => "queued",
        Condition::Sent => "sent, no receipt yet",
        Condition::Delivered => "delivered",
        Condition::HandedOver => "handed over",
        Condition::Uncertain => "perhaps not read",
        Condition::Astray => "went to somebody else",
        Condition::NotSent => "not sent",
        Condition::NotAccepted => "not taken",
        Condition::Withdrawn => "not delivered",
        Condition::Expired => "expired",
        Condition::Cancelled => "cancelled",
    }
}

/// The line that begins a day.
pub fn day_line(day: &str) -> Line {
    Line::of(Ink::Faint, format!("--- {day} ---"))
}
