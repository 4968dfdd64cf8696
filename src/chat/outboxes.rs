//! The outboxes of all keys: how much they hold together, and whose turn it is.
//!
//! They are kept by key and not by row, for what waits is for a person and stays so when the address changes. A key is written to with a
//! [`Writable`] only, which nothing but the pins gives out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::outbox::{Jitter, NEARLY_FULL, NotPut, OutText, Outbox, TextNews, TextState, TurnEnd, Waiting};
use super::time::Time;
use super::trust::Writable;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::session::Lost;

/// Bytes that all outboxes hold together: a thousand different texts of the longest kind.
pub const MAX_ALL_BYTES: usize = 64 * 1024 * 1024;

/// What an entry costs beside its body, which is shared by all whom a text goes to: so ten thousand full outboxes are bounded, too.
const ENTRY_BYTES: usize = 128;

/// The texts to all keys that have no receipt.
#[derive(Default, Debug)]
pub struct Outboxes {
    of: BTreeMap<PublicKey, Outbox>,
    schedule: BTreeSet<(Time, PublicKey)>,
    /// When the next text to each key expires.
    expiries: BTreeSet<(Time, PublicKey)>,
    /// How many outboxes hold a text, and the bytes of its body, which all of them share.
    bodies: HashMap<MessageId, (usize, usize)>,
    bytes: usize,
}

impl Outboxes {
    /// The texts to a key that have no receipt, oldest first.
    pub fn open(&self, key: PublicKey) -> impl Iterator<Item = &OutText> {
        self.of.get(&key).into_iter().flat_map(Outbox::open)
    }

    /// What all of them hold.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the first turn may begin, or the first text expires.
    pub fn next_wake(&self) -> Option<Time> {
        let first = |of: &BTreeSet<(Time, PublicKey)>| of.first().map(|(at, _)| *at);
        [first(&self.schedule), first(&self.expiries)].into_iter().flatten().min()
    }

    /// Gives up the texts to one key that have expired; none if none has.
    pub fn expire(&mut self, now: Time) -> Option<(PublicKey, Vec<TextNews>)> {
        let (_, key) = *self.expiries.first().filter(|(at, _)| *at <= now)?;
        Some((key, self.change(key, |outbox| outbox.expire(now))))
    }

    /// As [`Outbox::cancel`].
    pub fn cancel(&mut self, key: PublicKey, id: MessageId) -> (bool, Vec<TextNews>) {
        self.change(key, |outbox| outbox.cancel(id))
    }

    /// As [`Outbox::waiting`], of all keys.
    pub fn waiting(&self) -> impl Iterator<Item = (PublicKey, Waiting<'_>)> {
        self.of.iter().flat_map(|(key, outbox)| outbox.waiting().map(|waiting| (*key, waiting)))
    }

    /// Whether the user should know that there is little room left for all together.
    pub fn are_nearly_full(&self) -> bool {
        self.bytes * 100 >= MAX_ALL_BYTES * NEARLY_FULL
    }

    /// How many texts wait for a key, and whether there is room for a few more only.
    pub fn filled(&self, key: PublicKey) -> (usize, bool) {
        self.of.get(&key).map_or((0, false), |outbox| (outbox.open().len(), outbox.is_nearly_full()))
    }

    /// The key whose turn it has been for longest, if it is anybody's. Who may not be written to is put off with
    /// [`Outboxes::give_up`].
    pub fn due(&self, now: Time) -> Option<PublicKey> {
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
        let (id, body) = (text.letter.id, text.letter.body.len());
        self.change(to.key(), |outbox| outbox.put(text))?;
        self.holds(id, body);
        Ok(())
    }

    /// As [`Outbox::stored`].
    pub fn stored(&mut self, key: PublicKey, id: MessageId, now: Time) -> Option<TextNews> {
        self.change(key, |outbox| outbox.stored(id, now))
    }

    /// As [`Outbox::hurry`].
    pub fn hurry(&mut self, key: PublicKey, now: Time) {
        self.change(key, |outbox| outbox.hurry(now));
    }

    /// Begins a key's turn, if it is time.
    pub fn begin_turn(&mut self, to: Writable<'_>, now: Time) -> Vec<OutText> {
        self.change(to.key(), |outbox| outbox.begin_turn(now))
    }

    /// As [`Outbox::turn_ended`].
    pub fn turn_ended(
        &mut self,
        key: PublicKey,
        written: usize,
        receipts: &[MessageId],
        end: TurnEnd,
        now: Time,
        jitter: Jitter,
    ) -> Vec<TextNews> {
        self.change(key, |outbox| outbox.turn_ended(written, receipts, end, now, jitter))
    }

    /// As [`Outbox::met`].
    pub fn met(&mut self, key: PublicKey, now: Time) {
        self.change(key, |outbox| outbox.met(now));
    }

    /// As [`Outbox::give_up`].
    pub fn give_up(&mut self, key: PublicKey, lost: Lost) -> Vec<TextNews> {
        self.change(key, |outbox| outbox.give_up(lost))
    }

    /// Gives everything up, also what is on its way: the program ends.
    pub fn abandon(&mut self) -> Vec<(PublicKey, TextNews)> {
        let left = |(key, outbox): (&PublicKey, &Outbox)| {
            let news = |text: &OutText| (*key, text.news(TextState::Failed(Lost::Left)));
            outbox.open().map(news).collect::<Vec<_>>()
        };
        let lost = self.of.iter().flat_map(left).collect();
        *self = Self::default();
        lost
    }

    /// The keys that something waits for.
    pub fn keys(&self) -> impl Iterator<Item = PublicKey> {
        self.of.keys().copied()
    }

    /// What is for one key is for another from now on, which the user trusts in its place: the texts that have moved, which are to be
    /// written down as such, and those that did not fit.
    pub fn follow(&mut self, from: PublicKey, to: Writable<'_>) -> (Vec<MessageId>, Vec<TextNews>) {
        let texts = self.change(from, Outbox::leave_to_another);
        let (mut moved, mut lost) = (Vec::new(), Vec::new());
        for text in texts {
            let id = text.letter.id;
            match self.change(to.key(), |outbox| outbox.put(text.clone())) {
                Ok(()) => {
                    self.holds(id, text.letter.body.len());
                    moved.push(id);
                }
                Err(NotPut::Doubled) => moved.push(id),
                Err(NotPut::Full | NotPut::TooLong) => lost.push(text.news(TextState::Failed(Lost::TooMany))),
            }
        }
        (moved, lost)
    }

    /// Changes an outbox, and keeps the indexes true; an empty one is not kept.
    fn change<T>(&mut self, key: PublicKey, change: impl FnOnce(&mut Outbox) -> T) -> T {
        let outbox = self.of.entry(key).or_default();
        let (due, expiry) = (outbox.due(), outbox.next_expiry());
        let result = change(outbox);
        reschedule(&mut self.schedule, key, due, outbox.due());
        reschedule(&mut self.expiries, key, expiry, outbox.next_expiry());
        let removed = outbox.take_removed();
        if outbox.is_empty() {
            self.of.remove(&key);
        }
        removed.into_iter().for_each(|id| self.holds_no_more(id));
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

fn reschedule(
    schedule: &mut BTreeSet<(Time, PublicKey)>,
    key: PublicKey,
    before: Option<Time>,
    now: Option<Time>,
) {
    if before != now {
        before.map(|at| schedule.remove(&(at, key)));
        now.map(|at| schedule.insert((at, key)));
    }
}

#[cfg(test)]
mod tests;
