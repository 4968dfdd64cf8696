//! How much the outbox holds: per recipient, and in all.

use std::collections::HashMap;

use crate::model::message::MessageId;

/// Messages queued for one recipient at most: more than a user writes to a peer that is offline for
/// a week.
pub const MAX_QUEUE_MESSAGES: usize = 1_000;

/// Bytes queued for one recipient at most: sixty-four messages of the longest kind.
pub(super) const MAX_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of all queues at most: a thousand different messages of the longest kind.
pub(super) const MAX_OUTBOX_BYTES: usize = 64 * 1024 * 1024;

/// What an entry counts beside its text, which all recipients of a message share: about its size
/// in memory.
pub(super) const ENTRY_BYTES: usize = 256;

/// The bytes of all queued messages. The text of a message to several recipients counts once.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// How many entries share a text, and its bytes.
    bodies: HashMap<MessageId, (usize, usize)>,
    bytes: usize,
}

impl Limits {
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn has_room(&self, id: Option<MessageId>, body: usize) -> bool {
        let is_counted = id.is_some_and(|id| self.bodies.contains_key(&id));
        let more = ENTRY_BYTES + if is_counted { 0 } else { body };
        self.bytes + more <= MAX_OUTBOX_BYTES
    }

    pub(super) fn add(&mut self, id: MessageId, body: usize) {
        let (count, _) = self.bodies.entry(id).or_insert((0, body));
        self.bytes += ENTRY_BYTES + if *count == 0 { body } else { 0 };
        *count += 1;
    }

    pub(super) fn remove(&mut self, id: MessageId) {
        if let Some((count, body)) = self.bodies.get_mut(&id) {
            *count -= 1;
            self.bytes -= ENTRY_BYTES + if *count == 0 { *body } else { 0 };
            if *count == 0 {
                self.bodies.remove(&id);
            }
        }
    }
}
