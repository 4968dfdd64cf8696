//! Which texts of proven keys came already, so that each is shown once however often it is sent.
//!
//! It forgets with the program. What a sender marks as sent before may therefore have been shown by us before our start; from a key's
//! first text that is *not* so marked on, that cannot be, for texts of one sender come in the order in which they were typed. No clock is
//! needed for that, neither ours nor the sender's.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::model::key::PublicKey;
use crate::model::message::MessageId;

/// Ids of one key that are remembered. Of what a sender has written at most a turn of 64 texts has no receipt, so nothing that it may still
/// send again is forgotten; four times that leaves room for another implementation that writes more.
pub const MAX_SEEN_IDS: usize = 256;

/// Keys that ids are remembered of: as many as there are rows. All of them with all their ids are 40 MB, which takes two and a half million texts.
pub const MAX_SEEN_KEYS: usize = 10_000;

/// What the ids say about a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Novelty {
    /// It did not come before.
    New,
    /// It did not come since our start, but may have before; it is shown with that remark.
    PerhapsAgain,
    /// It came: a receipt for it, and nothing shown.
    Double,
}

/// The ids of the texts that came.
#[derive(Default, Debug)]
pub struct Seen {
    keys: HashMap<PublicKey, Texts>,
    /// Whose texts came longest ago; they are forgotten first.
    order: BTreeMap<u64, PublicKey>,
    last: u64,
}

#[derive(Default, Debug)]
struct Texts {
    ids: VecDeque<MessageId>,
    /// A text that was not sent before has come, so what comes now was not sent before our start.
    fresh: bool,
    /// Its place in the order.
    turn: u64,
}

impl Seen {
    /// What is to be thought of a text of this key; `again` is the sender's mark for what it has sent before. Nothing is noted by it.
    pub fn look(&self, key: PublicKey, id: MessageId, again: bool) -> Novelty {
        let texts = self.keys.get(&key);
        if texts.is_some_and(|texts| texts.ids.contains(&id)) {
            Novelty::Double
        } else if again && !texts.is_some_and(|texts| texts.fresh) {
            Novelty::PerhapsAgain
        } else {
            Novelty::New
        }
    }

    /// Notes a text that was taken, and not before: one that found no room will come again, and is then no double.
    pub fn note(&mut self, key: PublicKey, id: MessageId, again: bool) {
        if !self.keys.contains_key(&key) && self.keys.len() >= MAX_SEEN_KEYS {
            self.forget_oldest();
        }
        let texts = self.keys.entry(key).or_default();
        if !texts.ids.contains(&id) {
            if texts.ids.len() >= MAX_SEEN_IDS {
                texts.ids.pop_front();
            }
            texts.ids.push_back(id);
            texts.fresh |= !again;
        }
        self.order.remove(&texts.turn);
        self.last += 1;
        texts.turn = self.last;
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
