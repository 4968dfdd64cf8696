//! Messages that arrive in sessions: received, staged, stored, shown, acknowledged.
//!
//! A message is stored before it is shown and gets its receipt. A message that cannot be stored is
//! shown, but gets no receipt, so that its sender keeps it and sends it again.

use std::collections::HashSet;

use super::State;
use super::dedup::{DedupCache, Duplicate};
use super::event::{Event, Output};
use super::time::Time;
use super::trust::Trust;
use crate::model::address::Source;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::Message;
use crate::model::stored::{Assurance, RowId, StoreError, StoreOp, Stored};
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
    /// Their sender is no contact.
    pub stranger: bool,
    /// Messages to be stored. [`State::messages_stored`] takes the result.
    pub messages: Vec<Message>,
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
    fn stage(&self, key: PublicKey, messages: Vec<Message>) -> (Vec<MessageId>, Vec<Message>) {
        let is_stored = |message: &Message| {
            let is_duplicate = self.dedup.check(key, message.id, message.again) == Duplicate::Yes;
            is_duplicate && !self.unstored.contains(&(key, message.id))
        };
        let (stored, messages): (Vec<Message>, Vec<Message>) = messages.into_iter().partition(is_stored);
        (stored.into_iter().map(|message| message.id).collect(), messages)
    }

    /// Records that a message is stored. It has no row if the store knew it from an earlier run.
    fn stored(&mut self, key: PublicKey, message: &Message, row: Option<RowId>) -> Commit {
        let was_shown = self.unstored.remove(&(key, message.id));
        let duplicate = self.dedup.check(key, message.id, message.again);
        self.dedup.record(key, message.id, message.again);
        match row {
            Some(row) if was_shown || duplicate == Duplicate::Yes => Commit::MarkShown(row),
            Some(row) => Commit::Show { again: duplicate == Duplicate::Maybe && !self.durable, row },
            None => Commit::Nothing,
        }
    }

    /// Records that a message could not be stored. Returns whether to show it all the same.
    fn not_stored(&mut self, key: PublicKey, message: &Message) -> bool {
        let is_duplicate = self.dedup.check(key, message.id, message.again) == Duplicate::Yes;
        if is_duplicate || self.unstored.len() >= MAX_UNSTORED {
            return false;
        }
        self.dedup.record(key, message.id, message.again);
        self.unstored.insert((key, message.id))
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
        source: Source,
        text: &Text,
    ) {
        // Anybody can write in the name of a peer with a key.
        let is_contact = assurance == Assurance::Plain && self.book().is_contact(from);
        let stranger = (!is_contact).then(|| source.share());
        self.write(StoreOp::IncomingPlain { from, name, assurance, stranger, body: text.raw().into() });
    }

    /// Takes messages of a proven key. What is returned has to be stored, and then
    /// [`State::messages_stored`]; `None` if messages of this key are not welcome.
    pub fn messages_received(
        &mut self,
        key: PublicKey,
        messages: Vec<Message>,
        now: Time,
    ) -> (Option<Staged>, Vec<Output>) {
        let id = Recipient::key(key);
        let is_welcome = self.trust.is_writable(key);
        if !is_welcome && !self.closed {
            self.trust.hold(key, &messages);
        }
        if !is_welcome || self.closed || !self.peers.knows(id) {
            return (None, Vec::new());
        }
        let (receipts, messages) = self.inbound.stage(key, messages);
        let who = self.book().who(id);
        let verified = who.verification == super::Verification::Verified;
        let assurance = if verified { Assurance::Verified } else { Assurance::Encrypted };
        self.hears(id, now);
        self.settle_watches(now);
        let stranger = !self.book().is_contact(id);
        (Some(Staged { receipts, name: who.name, assurance, stranger, messages }), self.done())
    }

    /// Takes the result of storing messages of a proven key, or the reason why it failed. Shows
    /// those that are new. Returns the messages that get a receipt.
    pub fn messages_stored(
        &mut self,
        key: PublicKey,
        messages: Vec<Message>,
        result: Result<Vec<Stored>, StoreError>,
        now: Time,
    ) -> (Vec<MessageId>, Vec<Output>) {
        if self.closed && !self.durable {
            return (Vec::new(), Vec::new());
        }
        let mut receipts = Vec::new();
        match result {
            Ok(stored) => {
                for (message, stored) in messages.into_iter().zip(stored) {
                    if stored == Stored::NoRoom {
                        // Its sender sends it again.
                        continue;
                    }
                    receipts.push(message.id);
                    if self.trust.keep(key) {
                        self.seen(Recipient::key(key));
                    }
                    match self.inbound.stored(key, &message, stored.row()) {
                        Commit::Show { again, row } => self.shows(key, &message, again, Some(row)),
                        Commit::MarkShown(row) => self.write(StoreOp::MarkShown(vec![row])),
                        Commit::Nothing => {}
                    }
                }
            }
            Err(why) => {
                for message in messages {
                    if self.inbound.not_stored(key, &message) {
                        self.shows(key, &message, false, None);
                    }
                }
                self.not_stored(why, now);
            }
        }
        (receipts, self.done())
    }

    fn shows(&mut self, key: PublicKey, message: &Message, again: bool, row: Option<RowId>) {
        if self.closed {
            // It is stored as not shown, and shown at the next start.
            return;
        }
        if self.trust.trust(key) == Trust::Blocked {
            // The user has blocked the key since. The message is in the history only.
            row.into_iter().for_each(|row| self.write(StoreOp::MarkShown(vec![row])));
            return;
        }
        let id = Recipient::key(key);
        // The row may be gone since: the user has forgotten the key, or trusts another in its
        // place.
        let from = self.peers.message_shown(id).unwrap_or_else(|| self.book().who(id));
        self.tell_message(Event::Message {
            from,
            text: Text::new(&*message.body),
            cut: false,
            sent: Some(message.time),
            again,
            to_all: message.to_all,
            row,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: PublicKey = PublicKey::new([1; 32]);

    fn message(n: u8, again: bool) -> Message {
        Message { id: MessageId::new([n; 16]), time: 0, again, to_all: false, body: "hi".into() }
    }

    #[test]
    fn only_a_store_in_memory_leaves_doubt() {
        for durable in [false, true] {
            let mut inbound = Inbound::new(durable);
            let show = Commit::Show { again: !durable, row: RowId(7) };
            assert_eq!(inbound.stored(BOB, &message(1, true), Some(RowId(7))), show);
        }
    }

    #[test]
    fn unstored_messages_are_bounded() {
        let mut inbound = Inbound::new(true);
        for n in 0..MAX_UNSTORED {
            let id = MessageId::new((n as u128).to_be_bytes());
            assert!(inbound.not_stored(BOB, &Message { id, ..message(0, false) }));
        }
        assert!(!inbound.not_stored(BOB, &message(0xff, false)));
    }
}
