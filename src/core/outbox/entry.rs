//! One outgoing message and its queue.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{FIRST_WAIT, Jitter, LONG_WAIT, LONGEST_WAIT, MAX_NO_SESSION, NewMessage};
use crate::core::ids::OpId;
use crate::core::time::Time;
use crate::model::delivery::{DeliveryStatus, PendingReason};
use crate::model::message::MessageId;
use crate::model::name::{PeerName, folded};
use crate::model::peer_id::Recipient;
use crate::model::session::Message;

/// What a record of a session adds to a message's bytes at most: its head, the id, the time, and
/// the heads of its fields (docs/PROTOCOL.md).
pub(super) const RECORD_BYTES: usize = 64;

/// How far a message is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// It waits for its turn.
    Waiting,
    /// The store is told that it is about to be sent unencrypted.
    Committing,
    /// That is stored; it may be sent unencrypted.
    Cleared,
    /// It is on its way.
    InFlight,
}

/// One outgoing message for one recipient.
#[derive(Clone, Debug)]
pub(super) struct OutboxEntry {
    pub(super) op: OpId,
    pub(super) message: Message,
    pub(super) expires: Time,
    /// The recipient's name when the user entered the message; `None` if not yet known.
    pub(super) name: Option<PeerName>,
    /// The user wrote to this recipient, not to all peers.
    pub(super) is_direct: bool,
    /// The user wants it sent although the legacy peer's name has changed.
    pub(super) confirmed: bool,
    pub(super) stage: Stage,
    /// The recipient it is stored for; `None` if it is not in the store.
    pub(super) stored_for: Option<Recipient>,
    /// The store has not confirmed yet that it has the message.
    pub(super) storing: bool,
    /// The store failed to take it.
    pub(super) is_unstorable: bool,
    /// The store says that it may be on its way.
    pub(super) stored_as_attempted: bool,
    /// It was stored as queued before it was stored as attempted.
    pub(super) stored_as_queued: bool,
    /// It was sent to a key before, so the peer may have it.
    pub(super) is_sent: bool,
    /// The last status the user was told.
    pub(super) told: Option<DeliveryStatus>,
    /// It was given up while in flight; this is its status unless the flight shows another.
    pub(super) ends_as: Option<DeliveryStatus>,
    /// The user entered it in an earlier run.
    pub(super) is_restored: bool,
}

/// The bytes that a message takes in a batch.
pub(super) fn bytes(body: &str) -> usize {
    body.len() + RECORD_BYTES
}

impl OutboxEntry {
    /// A message that the user has just entered.
    pub(super) fn new(new: NewMessage, is_sent: bool, expires: Time) -> Self {
        let NewMessage { op, message, name, is_direct } = new;
        Self {
            op,
            message,
            expires,
            name,
            is_direct,
            confirmed: false,
            stage: Stage::Waiting,
            stored_for: None,
            storing: false,
            is_unstorable: false,
            stored_as_attempted: false,
            stored_as_queued: false,
            is_sent,
            told: None,
            ends_as: None,
            is_restored: false,
        }
    }

    pub(super) fn id(&self) -> MessageId {
        self.message.id
    }

    /// The bytes that it takes in a batch.
    pub(super) fn bytes(&self) -> usize {
        bytes(&self.message.body)
    }

    /// Whether the result of a write is awaited.
    pub(super) fn waits_for_store(&self) -> bool {
        self.storing || self.stage == Stage::Committing
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }

    /// Whether a peer of this name is another than the one the message was written to. A name is
    /// only a claim, but a legacy peer has nothing better.
    pub(super) fn is_for_another(&self, name: Option<&PeerName>) -> bool {
        let differ = |now: &PeerName, then: &PeerName| folded(now.as_str()) != folded(then.as_str());
        !self.confirmed && name.zip(self.name.as_ref()).is_some_and(|(now, then)| differ(now, then))
    }

    pub(super) fn body(&self) -> Arc<str> {
        Arc::clone(&self.message.body)
    }
}

/// The messages to one recipient, in the order in which they were entered.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) entries: VecDeque<OutboxEntry>,
    pub(super) bytes: usize,
    /// A request is finding out how to write to the recipient.
    pub(super) asking: bool,
    /// This has to be found out before the next message is sent, because the last one was not sent.
    pub(super) must_ask: bool,
    /// No attempt before this.
    pub(super) not_before: Time,
    pub(super) last_attempt: Option<Time>,
    /// Attempts in a row without success.
    pub(super) failures: u32,
    /// Of these, the last ones that no program with sessions answered.
    pub(super) no_session: u32,
    /// When the user is told of messages in flight that have no receipt by then.
    pub(super) overdue_at: Option<Time>,
    /// Why the last attempt failed.
    pub(super) pending: Option<PendingReason>,
    /// The key that the user trusts in place of this one: it gets what comes back unsent.
    pub(super) successor: Option<Recipient>,
}

impl Queue {
    pub(super) fn position(&self, id: MessageId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.id() == id)
    }

    pub(super) fn entry(&mut self, id: MessageId) -> Option<&mut OutboxEntry> {
        self.entries.iter_mut().find(|entry| entry.id() == id)
    }

    /// Whether a message is on its way, or the answer how to write to the recipient.
    pub(super) fn is_busy(&self) -> bool {
        self.asking || self.entries.iter().any(|entry| !entry.is_waiting())
    }

    /// Whether some message waits and has not been given up.
    pub(super) fn has_waiting(&self) -> bool {
        self.entries.iter().any(OutboxEntry::is_waiting)
    }

    /// When the first message expires that has not been given up.
    pub(super) fn expires(&self) -> Option<Time> {
        let open = self.entries.iter().filter(|entry| entry.ends_as.is_none());
        open.map(|entry| entry.expires).min()
    }

    /// Puts off the next attempt after one that failed for this reason.
    pub(super) fn put_off(&mut self, reason: Option<PendingReason>, now: Time, jitter: Jitter) {
        self.pending = reason;
        self.last_attempt = Some(now);
        let is_no_session = reason == Some(PendingReason::NoSession);
        self.no_session = if is_no_session { self.no_session.saturating_add(1) } else { 0 };
        let is_long = reason == Some(PendingReason::AnotherPeer) || self.no_session >= MAX_NO_SESSION;
        let doubled = FIRST_WAIT.saturating_mul(1 << self.failures.min(6));
        let wait = if is_long { LONG_WAIT } else { doubled.min(LONGEST_WAIT) };
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.plus(wait - wait / 4 * u32::from(jitter.0) / 255);
    }

    /// Allows the next attempt at once, but not within a second of the last one: two peers that are
    /// both full would dial each other without end.
    pub(super) fn hurry(&mut self, now: Time) {
        let earliest = self.last_attempt.map_or(now, |last| last.plus(FIRST_WAIT).max(now));
        self.not_before = self.not_before.min(earliest);
    }
}
