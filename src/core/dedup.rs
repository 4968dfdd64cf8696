//! Recognizes duplicates among the messages of proven keys, so that each is shown once.
//!
//! In memory only; cleared on restart. A message that its sender marks as sent before may have been
//! shown by an earlier run. After the first message of a key without that mark it cannot have been:
//! the messages of one sender come in the order in which they were entered. This needs no clock.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::model::key::PublicKey;
use crate::model::message::MessageId;

/// Ids that are remembered of one key. A sender waits for the receipts of one batch of 64 messages,
/// so none that it may send again is forgotten. Four times as many leave room for another
/// implementation that sends more at once.
pub(super) const MAX_DEDUP_IDS: usize = 256;

/// Keys of which ids are remembered, about as many as the peer table has rows. All ids of all keys
/// take 40 MB.
pub(super) const MAX_DEDUP_KEYS: usize = 10_000;

/// Whether a message arrived before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Duplicate {
    /// It did not.
    No,
    /// It did not in this run, but an earlier run may have shown it. The user is told.
    Maybe,
    /// It did. It gets a receipt and is not shown.
    Yes,
}

/// The ids of the last messages of each key.
#[derive(Default, Debug)]
pub(super) struct DedupCache {
    keys: HashMap<PublicKey, Ids>,
    /// The keys in the order of their last messages. The first one is forgotten first.
    order: BTreeMap<u64, PublicKey>,
    last: u64,
}

#[derive(Default, Debug)]
struct Ids {
    ids: VecDeque<MessageId>,
    /// A message without the mark came, so no later one was sent before our start.
    fresh: bool,
    /// Its place in the order.
    place: u64,
}

impl DedupCache {
    /// Judges a message of this key; `again` is the sender's mark for one that it sent before.
    /// Records nothing.
    pub(super) fn check(&self, key: PublicKey, id: MessageId, again: bool) -> Duplicate {
        let known = self.keys.get(&key);
        if known.is_some_and(|known| known.ids.contains(&id)) {
            Duplicate::Yes
        } else if again && !known.is_some_and(|known| known.fresh) {
            Duplicate::Maybe
        } else {
            Duplicate::No
        }
    }

    /// Records a message that was accepted. One that found no room comes again and is no duplicate
    /// then, so it must not be recorded.
    pub(super) fn record(&mut self, key: PublicKey, id: MessageId, again: bool) {
        if !self.keys.contains_key(&key) && self.keys.len() >= MAX_DEDUP_KEYS {
            self.forget_oldest();
        }
        let known = self.keys.entry(key).or_default();
        if !known.ids.contains(&id) {
            if known.ids.len() >= MAX_DEDUP_IDS {
                known.ids.pop_front();
            }
            known.ids.push_back(id);
            known.fresh |= !again;
        }
        self.order.remove(&known.place);
        self.last += 1;
        known.place = self.last;
        self.order.insert(self.last, key);
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
