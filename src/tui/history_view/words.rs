//! The sender or the recipients of a message, and its status, in words. Pure.

use super::grouping::{HistoryMessage, MOST_NAMED};
use super::people::{People, remark};
use crate::model::delivery::{DeliveryStatus, FailureReason};
use crate::tui::message::ALL;

/// Returns the word for the status of an outgoing message. `attempted` says that it may have been
/// sent. Scripts read these words (docs/HISTORY.md), so they never change.
pub(crate) fn state(status: &DeliveryStatus, attempted: bool) -> &'static str {
    match status {
        DeliveryStatus::Queued(_) if attempted => "no receipt yet",
        DeliveryStatus::Queued(_) => "queued",
        DeliveryStatus::Sent => "sent",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Failed(reason) => match reason {
            FailureReason::NotAccepted => "not accepted",
            FailureReason::Blocked | FailureReason::Forgotten | FailureReason::Replaced => "withdrawn",
            FailureReason::ReachedAnother(_) => "astray",
            FailureReason::Ended { .. }
            | FailureReason::QueueFull
            | FailureReason::NotSent(_)
            | FailureReason::Rejected(_) => "not sent",
        },
        DeliveryStatus::Expired => "expired",
        DeliveryStatus::Cancelled => "cancelled",
        DeliveryStatus::Unknown => "uncertain",
    }
}

/// Returns the sender, or the recipients as far as they fit. Each name is as `show` has it.
pub(crate) fn with(message: &HistoryMessage, people: &People, show: impl Fn(String) -> String) -> String {
    if message.first.to_all && message.first.direction.is_outgoing() {
        return show(ALL.to_owned());
    }
    let named = |at: usize| {
        message
            .with
            .get(at)
            .map(|(peer, name, assurance)| show(people.called(*peer, name.as_ref())) + remark(*assurance))
    };
    let named = |from: std::ops::Range<usize>| from.filter_map(named).collect::<Vec<_>>().join(", ");
    match message.count {
        0 | 1 => named(0..1),
        count if count <= MOST_NAMED => format!("{} and {}", named(0..count - 1), named(count - 1..count)),
        count => format!("{} and {} more", named(0..MOST_NAMED - 1), count + 1 - MOST_NAMED),
    }
}

/// Returns the statuses of an outgoing message in brackets; nothing for a received one.
pub(crate) fn outcome(message: &HistoryMessage) -> String {
    match &message.states[..] {
        [] => String::new(),
        [(state, _)] => format!(" ({state})"),
        several => {
            let parts: Vec<String> =
                several.iter().map(|(state, count)| format!("{count} {state}")).collect();
            format!(" ({})", parts.join(", "))
        }
    }
}
