//! Texts on their way, counted by the address that they are for, whether anybody is listed there or not.

use std::collections::HashMap;

use super::Chat;
use crate::model::peer_id::Recipient;

/// Messages that may be queued for one legacy peer or unproven address; as many as for a key.
pub const MAX_TEXTS_WAITING: usize = super::MAX_OPEN_TEXTS;

/// The same limit for all of them together. The longest message has 64 KiB, so a script that writes
/// to hundreds of offline peers takes at most a quarter of a gigabyte.
const MAX_TEXTS_IN_ALL: usize = 4 * MAX_TEXTS_WAITING;

/// How many texts are on their way to each address; no more entries than there are jobs.
#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<Recipient, usize>);

impl Texts {
    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are for all.
    fn all(&self) -> usize {
        self.0.values().sum()
    }

    /// How many are on their way to an address, or wait for it.
    pub(super) fn to(&self, peer_id: Recipient) -> usize {
        self.0.get(&peer_id).copied().unwrap_or(0)
    }
}

impl Chat {
    /// Whether no further text may be sent to an address before one that waits is gone.
    pub(super) fn is_full_of_texts(&self, peer_id: Recipient) -> bool {
        self.texts.to(peer_id) >= MAX_TEXTS_WAITING || self.texts.all() >= MAX_TEXTS_IN_ALL
    }

    pub(super) fn text_begins(&mut self, peer_id: Recipient) {
        *self.texts.0.entry(peer_id).or_default() += 1;
        self.note_texts(peer_id);
    }

    pub(super) fn text_ends(&mut self, peer_id: Recipient) {
        if let Some(count) = self.texts.0.get_mut(&peer_id) {
            *count -= 1;
            if *count == 0 {
                self.texts.0.remove(&peer_id);
            }
        }
        self.note_texts(peer_id);
    }

    /// Assigns the messages for an address to the legacy peer there from now on.
    pub(super) fn texts_follow(&mut self, from: Recipient, to: Recipient) {
        if let Some(count) = self.texts.0.remove(&from) {
            *self.texts.0.entry(to).or_default() += count;
        }
        self.note_texts(to);
    }

    /// Lets the row of an address, which may be new, know how many texts are for it, for it stays as long as there are any.
    pub(super) fn note_texts(&mut self, peer_id: Recipient) {
        let count = self.texts.to(peer_id);
        if self.table.peer(peer_id).is_some_and(|peer| peer.texts_waiting != count) {
            self.table.update(peer_id, |peer| peer.texts_waiting = count);
        }
    }
}
