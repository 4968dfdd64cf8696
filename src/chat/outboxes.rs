//! The outboxes of all keys: how much they hold together, and whose turn it is.
//!
//! They are kept by key and not by row, for what waits is for a person and stays so when the address changes. A key is written to with a
//! [`Writable`] only, which nothing but the pins gives out.

use std::collections::{BTreeSet, HashMap};

use super::outbox::{Jitter, NotPut, OutText, Outbox, TextNews, TextState, TurnEnd};
use super::time::Time;
use super::trust::Writable;
use crate::key::PeerKey;
use crate::message::MessageId;
use crate::talk::Lost;

/// Bytes that all outboxes hold together: a thousand different texts of the longest kind.
pub const MAX_ALL_BYTES: usize = 64 * 1024 * 1024;

/// What an entry costs beside its body, which is shared by all whom a text goes to: so ten thousand full outboxes are bounded, too.
const ENTRY_BYTES: usize = 128;

/// The texts to all keys that have no receipt.
#[derive(Default, Debug)]
pub struct Outboxes {
    of: HashMap<PeerKey, Outbox>,
    schedule: BTreeSet<(Time, PeerKey)>,
    /// How many outboxes hold a text, and the bytes of its body, which all of them share.
    bodies: HashMap<MessageId, (usize, usize)>,
    bytes: usize,
}

impl Outboxes {
    /// The texts to a key that have no receipt, oldest first.
    pub fn open(&self, key: PeerKey) -> impl Iterator<Item = &OutText> {
        self.of.get(&key).into_iter().flat_map(Outbox::open)
    }

    /// What all of them hold.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the first turn may begin.
    pub fn next_wake(&self) -> Option<Time> {
        self.schedule.first().map(|(at, _)| *at)
    }

    /// The key whose turn it has been for longest, if it is anybody's. Who may not be written to is put off with
    /// [`Outboxes::give_up`].
    pub fn due(&self, now: Time) -> Option<PeerKey> {
        self.schedule.first().filter(|(at, _)| *at <= now).map(|(_, key)| *key)
    }

    /// Adds a text for a key.
    ///
    /// # Errors
    /// As [`Outbox::put`], and where all outboxes together are full.
    pub fn put(&mut self, to: Writable<'_>, text: OutText) -> Result<(), NotPut> {
        let more =
            ENTRY_BYTES + if self.bodies.contains_key(&text.letter.id) { 0 } else { text.letter.body.len() };
        if self.bytes + more > MAX_ALL_BYTES {
            return Err(NotPut::Full);
        }
        self.change(to.key(), |outbox| outbox.put(text))
    }

    /// As [`Outbox::hurry`].
    pub fn hurry(&mut self, key: PeerKey, now: Time) {
        self.change(key, |outbox| outbox.hurry(now));
    }

    /// As [`Outbox::news_of_last`].
    pub fn news_of_last(&mut self, key: PeerKey, now: Time) -> Option<TextNews> {
        self.change(key, |outbox| outbox.news_of_last(now))
    }

    /// Begins a key's turn, if it is time.
    pub fn begin_turn(&mut self, to: Writable<'_>, now: Time) -> Vec<OutText> {
        self.change(to.key(), |outbox| outbox.begin_turn(now))
    }

    /// As [`Outbox::written`].
    pub fn written(&mut self, key: PeerKey, count: usize) -> Vec<TextNews> {
        self.change(key, |outbox| outbox.written(count))
    }

    /// As [`Outbox::turn_ended`].
    pub fn turn_ended(
        &mut self,
        key: PeerKey,
        written: usize,
        receipts: &[MessageId],
        end: TurnEnd,
        now: Time,
        jitter: Jitter,
    ) -> Vec<TextNews> {
        self.change(key, |outbox| outbox.turn_ended(written, receipts, end, now, jitter))
    }

    /// As [`Outbox::met`].
    pub fn met(&mut self, key: PeerKey, now: Time) {
        self.change(key, |outbox| outbox.met(now));
    }

    /// As [`Outbox::give_up`].
    pub fn give_up(&mut self, key: PeerKey, lost: Lost) -> Vec<TextNews> {
        self.change(key, |outbox| outbox.give_up(lost))
    }

    /// Gives everything up, also what is on its way: the program ends.
    pub fn abandon(&mut self) -> Vec<(PeerKey, TextNews)> {
        let left = |(key, outbox): (&PeerKey, &Outbox)| {
            let news = |text: &OutText| {
                let state = TextState::Failed(Lost::Left);
                (*key, TextNews { id: text.letter.id, op: text.op, state })
            };
            outbox.open().map(news).collect::<Vec<_>>()
        };
        let lost = self.of.iter().flat_map(left).collect();
        *self = Self::default();
        lost
    }

    /// The keys that something waits for.
    pub fn keys(&self) -> impl Iterator<Item = PeerKey> {
        self.of.keys().copied()
    }

    /// What is for one key is for another from now on, which the user trusts in its place.
    pub fn follow(&mut self, from: PeerKey, to: Writable<'_>) -> Vec<TextNews> {
        let texts = self.change(from, Outbox::leave_to_another);
        let put = |text: OutText| {
            let (id, op) = (text.letter.id, text.op);
            let lost = TextNews { id, op, state: TextState::Failed(Lost::TooMany) };
            (self.change(to.key(), |outbox| outbox.put(text)) == Err(NotPut::Full)).then_some(lost)
        };
        texts.into_iter().filter_map(put).collect()
    }

    /// Changes an outbox, and keeps the indexes true; an empty one is not kept.
    fn change<T>(&mut self, key: PeerKey, change: impl FnOnce(&mut Outbox) -> T) -> T {
        let outbox = self.of.entry(key).or_default();
        let due = outbox.due();
        let before: Vec<MessageId> = outbox.open().map(|text| text.letter.id).collect();
        let result = change(outbox);
        if due != outbox.due() {
            due.map(|at| self.schedule.remove(&(at, key)));
            outbox.due().map(|at| self.schedule.insert((at, key)));
        }
        let after: HashMap<MessageId, usize> =
            outbox.open().map(|text| (text.letter.id, text.letter.body.len())).collect();
        let is_over = outbox.is_empty();
        for id in before.iter().filter(|id| !after.contains_key(id)) {
            self.holds_no_more(*id);
        }
        for (id, bytes) in after.into_iter().filter(|(id, _)| !before.contains(id)) {
            self.holds(id, bytes);
        }
        if is_over {
            self.of.remove(&key);
        }
        result
    }

    fn holds(&mut self, id: MessageId, body: usize) {
        let (count, _) = self.bodies.entry(id).or_insert((0, body));
        self.bytes += ENTRY_BYTES + if *count == 0 { body } else { 0 };
        *count += 1;
    }

    fn holds_no_more(&mut self, id: MessageId) {
        if let Some((count, body)) = self.bodies.get_mut(&id) {
            *count -= 1;
            self.bytes -= ENTRY_BYTES + if *count == 0 { *body } else { 0 };
            if *count == 0 {
                self.bodies.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
