//! Texts on their way, counted by the address that they are for, whether anybody is listed there or not.

use std::collections::HashMap;

use super::Chat;
use crate::model::address::PeerAddr;

/// Texts that may wait for one address. Nobody types sixty-four lines ahead of a peer that does not answer; a script that
/// does is told.
pub const MAX_TEXTS_WAITING: usize = 64;

/// How many texts are on their way to each address; no more entries than there are jobs.
#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<PeerAddr, usize>);

impl Texts {
    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are on their way to an address, or wait for it.
    pub(super) fn to(&self, addr: PeerAddr) -> usize {
        self.0.get(&addr).copied().unwrap_or(0)
    }
}

impl Chat {
    /// Whether no further text may be sent to an address before one that waits is gone.
    pub(super) fn is_full_of_texts(&self, addr: PeerAddr) -> bool {
        self.texts.to(addr) >= MAX_TEXTS_WAITING
    }

    pub(super) fn text_begins(&mut self, addr: PeerAddr) {
        *self.texts.0.entry(addr).or_default() += 1;
        self.note_texts(addr);
    }

    pub(super) fn text_ends(&mut self, addr: PeerAddr) {
        if let Some(count) = self.texts.0.get_mut(&addr) {
            *count -= 1;
            if *count == 0 {
                self.texts.0.remove(&addr);
            }
        }
        self.note_texts(addr);
    }

    /// A peer was found elsewhere, and what is for it is for that address from now on.
    pub(super) fn texts_follow(&mut self, from: PeerAddr, to: PeerAddr) {
        if let Some(count) = self.texts.0.remove(&from) {
            *self.texts.0.entry(to).or_default() += count;
        }
        self.note_texts(to);
    }

    /// Lets the row of an address, which may be new, know how many texts are for it, for it stays as long as there are any.
    pub(super) fn note_texts(&mut self, addr: PeerAddr) {
        let count = self.texts.to(addr);
        if self.table.peer(addr).is_some_and(|peer| peer.texts_waiting != count) {
            self.table.update(addr, |peer| peer.texts_waiting = count);
        }
    }
}
