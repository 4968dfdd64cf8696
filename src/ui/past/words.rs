//! Who said it and what became of it, in words. Pure.

use super::people::{People, remark};
use super::told::{MOST_NAMED, Told};
use crate::model::stored::{Condition, Direction};

/// The word for what is known of a text of ours. Scripts read it (docs/HISTORY.md), so none is ever changed.
pub(crate) fn state(condition: Condition) -> &'static str {
    match condition {
        Condition::Queued => "queued",
        Condition::Sent => "sent",
        Condition::Delivered => "delivered",
        Condition::HandedOver => "handed over",
        Condition::Uncertain => "uncertain",
        Condition::Astray => "astray",
        Condition::NotSent => "not sent",
        Condition::NotAccepted => "not accepted",
        Condition::Withdrawn => "withdrawn",
        Condition::Expired => "expired",
        Condition::Cancelled => "cancelled",
    }
}

/// Whom a message came from, or all that it went to, as far as they fit; each name as `show` has it.
pub(crate) fn with(told: &Told, people: &People, show: impl Fn(String) -> String) -> String {
    let named = |at: usize| {
        told.with
            .get(at)
            .map(|(party, name, assurance)| show(people.called(*party, name.as_ref())) + remark(*assurance))
    };
    let named = |from: std::ops::Range<usize>| from.filter_map(named).collect::<Vec<_>>().join(", ");
    match told.count {
        0 | 1 => named(0..1),
        count if count <= MOST_NAMED => format!("{} and {}", named(0..count - 1), named(count - 1..count)),
        count => format!("{} and {} more", named(0..MOST_NAMED - 1), count + 1 - MOST_NAMED),
    }
}

/// What became of a text of ours, in brackets; nothing of what came.
pub(crate) fn outcome(told: &Told) -> String {
    match (told.first.way, &told.conditions[..]) {
        (Direction::In { .. }, _) | (_, []) => String::new(),
        (_, [(condition, _)]) => format!(" ({})", state(*condition)),
        (_, several) => {
            let parts: Vec<String> =
                several.iter().map(|(condition, count)| format!("{count} {}", state(*condition))).collect();
            format!(" ({})", parts.join(", "))
        }
    }
}
