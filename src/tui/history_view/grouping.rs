//! Groups the rows of the store into messages: the rows of one outgoing message to several
//! recipients are one. Pure.

use super::words::state;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::stored::{Assurance, Direction, StoredMessage};

/// Recipients of one message that are named, at most. More are counted.
pub(crate) const MOST_NAMED: usize = 3;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HistoryMessage {
    pub(crate) first: StoredMessage,
    /// Its sender or its first recipients, each with the name and the assurance of that time.
    pub(crate) with: Vec<(Recipient, Option<PeerName>, Assurance)>,
    pub(crate) count: usize,
    /// Each status of an outgoing message, and how many recipients have it.
    pub(crate) states: Vec<(&'static str, usize)>,
}

impl HistoryMessage {
    fn new(first: StoredMessage) -> Self {
        let mut message = Self { with: Vec::new(), count: 0, states: Vec::new(), first: first.clone() };
        message.count(&first);
        message
    }

    /// Returns what `words` makes of the times when a received message was sent and arrived. `None`
    /// for an outgoing one.
    pub(crate) fn late(&self, words: impl Fn(u64, u64) -> Option<String>) -> Option<String> {
        let sent = self.first.sent.filter(|_| !self.first.direction.is_outgoing())?;
        words(sent, self.first.time)
    }

    fn count(&mut self, entry: &StoredMessage) {
        self.count += 1;
        if self.with.len() < MOST_NAMED {
            self.with.push((entry.peer, entry.name.clone(), entry.assurance));
        }
        let Direction::Outgoing { status, attempted, .. } = &entry.direction else { return };
        let state = state(status, *attempted);
        match self.states.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => self.states.push((state, 1)),
        }
    }
}

/// Returns whether two consecutive rows belong to one outgoing message.
pub(crate) fn are_one(one: &StoredMessage, other: &StoredMessage) -> bool {
    one.direction.is_outgoing() && other.direction.is_outgoing() && one.id.is_some() && one.id == other.id
}

/// Groups rows into messages, one row at a time.
#[derive(Default)]
pub(crate) struct Grouping(Option<HistoryMessage>);

impl Grouping {
    /// Takes the next row. Returns the message before it if that is complete now.
    pub(crate) fn take(&mut self, entry: StoredMessage) -> Option<HistoryMessage> {
        match &mut self.0 {
            Some(message) if are_one(&message.first, &entry) => {
                message.count(&entry);
                None
            }
            last => last.replace(HistoryMessage::new(entry)),
        }
    }

    /// Returns the last message.
    pub(crate) fn end(self) -> Option<HistoryMessage> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::{QUEUED, from_bob, to};
    use super::*;
    use crate::model::delivery::DeliveryStatus;

    #[test]
    fn text_to_several_peers_is_one_message() {
        let rows = [
            from_bob(1, "hi"),
            from_bob(2, "hi"),
            to(3, 1, DeliveryStatus::Delivered),
            to(4, 1, QUEUED),
            to(5, 1, DeliveryStatus::Delivered),
            to(6, 1, DeliveryStatus::Delivered),
            to(7, 2, DeliveryStatus::Delivered),
            from_bob(8, "in between"),
            to(9, 2, DeliveryStatus::Delivered),
        ];
        let mut grouping = Grouping::default();
        let mut messages: Vec<HistoryMessage> =
            rows.into_iter().filter_map(|row| grouping.take(row)).collect();
        messages.extend(grouping.end());
        let seen: Vec<_> =
            messages.iter().map(|message| (message.first.row.0, message.count, message.with.len())).collect();
        assert_eq!(seen, [(1, 1, 1), (2, 1, 1), (3, 4, 3), (7, 1, 1), (8, 1, 1), (9, 1, 1)]);
        assert_eq!(messages[2].states, [("delivered", 3), ("queued", 1)]);
    }
}
