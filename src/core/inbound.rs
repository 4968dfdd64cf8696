//! Messages that arrive in sessions: received, staged, stored, shown, acknowledged.
//!
//! A message is stored before it is shown and gets its receipt. A message that cannot be stored is
//! shown, but gets no receipt, so that its sender keeps it and sends it again.

use std::collections::HashSet;
use std::sync::Arc;

use super::dedup::{DedupCache, Duplicate};
use super::event::{Action, Event};
use super::time::Time;
use super::{State, who};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::Letter;
use crate::model::stored::{Assurance, RowId, Write};
use crate::model::untrusted::Text;

/// Messages that were shown and not stored, at most. Beyond that, a message that cannot be stored
/// is not shown either; its sender sends it again.
const MAX_UNSTORED: usize = 4_096;

/// Messages that came, to be stored before anything else is done about them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Staged {
    /// Messages that are stored already. They get their receipts at once.
    pub receipts: Vec<MessageId>,
    /// What their sender is called.
    pub name: Option<PeerName>,
    /// How sure it is that their sender is the one it is named as.
    pub assurance: Assurance,
    /// Messages to be stored. [`State::commit`] takes the result.
    pub letters: Vec<Letter>,
}

/// What to do about a message that is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Commit {
    /// Show it; `again` if an earlier run may have shown it.
    Show { again: bool, row: RowId },
    /// It was shown before: its row is marked so.
    MarkShown(RowId),
    /// It has a row that is marked already.
    Nothing,
}

/// Which messages came, and which of them are not stored.
#[derive(Debug)]
pub(super) struct Inbound {
    dedup: DedupCache,
    /// Messages that were shown and could not be stored.
    unstored: HashSet<(PublicKey, MessageId)>,
    /// Whether the store tells after a restart what it has seen.
    durable: bool,
}

impl Inbound {
    pub(super) fn new(durable: bool) -> Self {
        Self { dedup: DedupCache::default(), unstored: HashSet::new(), durable }
    }

    /// Splits messages into those that are stored already, which get receipts, and the others.
    fn stage(&self, key: PublicKey, letters: Vec<Letter>) -> (Vec<MessageId>, Vec<Letter>) {
        let is_stored = |letter: &Letter| {
            let is_duplicate = self.dedup.check(key, letter.id, letter.again) == Duplicate::Yes;
            is_duplicate && !self.unstored.contains(&(key, letter.id))
        };
        let (stored, letters): (Vec<Letter>, Vec<Letter>) = letters.into_iter().partition(is_stored);
        (stored.into_iter().map(|letter| letter.id).collect(), letters)
    }

    /// Records that a message is stored. It has no row if the store knew it from an earlier run.
    fn stored(&mut self, key: PublicKey, letter: &Letter, row: Option<RowId>) -> Commit {
        let was_shown = self.unstored.remove(&(key, letter.id));
        let duplicate = self.dedup.check(key, letter.id, letter.again);
        self.dedup.record(key, letter.id, letter.again);
        match row {
            Some(row) if was_shown || duplicate == Duplicate::Yes => Commit::MarkShown(row),
            Some(row) => Commit::Show { again: duplicate == Duplicate::Maybe && !self.durable, row },
            None => Commit::Nothing,
        }
    }

    /// Records that a message could not be stored. Returns whether to show it all the same.
    fn not_stored(&mut self, key: PublicKey, letter: &Letter) -> bool {
        let is_duplicate = self.dedup.check(key, letter.id, letter.again) == Duplicate::Yes;
        if is_duplicate || self.unstored.len() >= MAX_UNSTORED {
            return false;
        }
        self.dedup.record(key, letter.id, letter.again);
        self.unstored.insert((key, letter.id))
    }
}

impl State {
    /// Stores an unencrypted message. It gets its receipt whether or not that succeeds: its sender
    /// cannot rely on the receipt anyway.
    pub(super) fn heard_in_plain(
        &mut self,
        from: Recipient,
        name: Option<PeerName>,
        assurance: Assurance,
        text: &Text,
    ) {
        self.write(Write::Heard { from, name, assurance, body: text.raw().into() });
    }

    /// Takes messages of a proven key. What is returned has to be stored, and then
    /// [`State::commit`]; `None` if messages of this key are not welcome.
    pub fn stage(
        &mut self,
        key: PublicKey,
        letters: Vec<Letter>,
        now: Time,
    ) -> (Option<Staged>, Vec<Action>) {
        let id = Recipient::key(key);
        let is_welcome = self.trust.writable(key).is_some();
        if !is_welcome || self.closed || !self.knows(id) {
            return (None, Vec::new());
        }
        let (receipts, letters) = self.inbound.stage(key, letters);
        let who = self.who(id);
        let verified = who.proof == super::Proof::Verified;
        let assurance = if verified { Assurance::Verified } else { Assurance::Encrypted };
        self.hears(id, now);
        self.settle_watches(now);
        (Some(Staged { receipts, name: who.name, assurance, letters }), self.done())
    }

    /// Takes the result of storing messages of a proven key: a row for each, or the reason why it
    /// failed. Shows those that are no duplicates. Returns the messages that get a receipt.
    pub fn commit(
        &mut self,
        key: PublicKey,
        letters: Vec<Letter>,
        result: Result<Vec<Option<RowId>>, Arc<str>>,
        now: Time,
    ) -> (Vec<MessageId>, Vec<Action>) {
        if self.closed && !self.durable {
            return (Vec::new(), Vec::new());
        }
        let mut receipts = Vec::new();
        match result {
            Ok(rows) => {
                for (letter, row) in letters.into_iter().zip(rows) {
                    receipts.push(letter.id);
                    self.trust.keep(key);
                    match self.inbound.stored(key, &letter, row) {
                        Commit::Show { again, row } => self.shows(key, &letter, again, Some(row)),
                        Commit::MarkShown(row) => self.write(Write::Shown(vec![row])),
                        Commit::Nothing => {}
                    }
                }
            }
            Err(why) => {
                for letter in letters {
                    if self.inbound.not_stored(key, &letter) {
                        self.shows(key, &letter, false, None);
                    }
                }
                self.not_kept(why, now);
            }
        }
        (receipts, self.done())
    }

    fn shows(&mut self, key: PublicKey, letter: &Letter, again: bool, row: Option<RowId>) {
        if self.closed {
            // It is stored as not shown, and shown at the next start.
            return;
        }
        let from = self.peers.update(Recipient::key(key), |peer| {
            peer.told = true;
            who(peer)
        });
        if let Some(from) = from {
            self.tell(Event::Message { from, text: Text::new(&*letter.body), cut: false, again, row });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: PublicKey = PublicKey::new([1; 32]);

    fn letter(n: u8, again: bool) -> Letter {
        Letter { id: MessageId::new([n; 16]), time: 0, again, body: "hi".into() }
    }

    #[test]
    fn stored_message_gets_a_receipt_at_once() {
        let mut inbound = Inbound::new(true);
        let one = letter(1, false);
        assert_eq!(inbound.stage(BOB, vec![one.clone()]), (Vec::new(), vec![one.clone()]));
        let show = Commit::Show { again: false, row: RowId(7) };
        assert_eq!(inbound.stored(BOB, &one, Some(RowId(7))), show);
        assert_eq!(inbound.stage(BOB, vec![one.clone()]), (vec![one.id], Vec::new()));
    }

    #[test]
    fn unstored_message_is_shown_once_and_stored_later() {
        let mut inbound = Inbound::new(true);
        let one = letter(1, false);
        assert!(inbound.not_stored(BOB, &one));
        assert!(!inbound.not_stored(BOB, &one));
        assert_eq!(inbound.stage(BOB, vec![one.clone()]), (Vec::new(), vec![one.clone()]));
        assert_eq!(inbound.stored(BOB, &one, Some(RowId(7))), Commit::MarkShown(RowId(7)));
        assert_eq!(inbound.stage(BOB, vec![one.clone()]).0, [one.id]);
    }

    #[test]
    fn only_a_store_in_memory_leaves_doubt() {
        for durable in [false, true] {
            let mut inbound = Inbound::new(durable);
            let show = Commit::Show { again: !durable, row: RowId(7) };
            assert_eq!(inbound.stored(BOB, &letter(1, true), Some(RowId(7))), show);
        }
    }

    #[test]
    fn unstored_messages_are_bounded() {
        let mut inbound = Inbound::new(true);
        for n in 0..MAX_UNSTORED {
            let id = MessageId::new((n as u128).to_be_bytes());
            assert!(inbound.not_stored(BOB, &Letter { id, ..letter(0, false) }));
        }
        assert!(!inbound.not_stored(BOB, &letter(0xff, false)));
    }
}
