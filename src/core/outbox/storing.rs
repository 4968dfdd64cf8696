//! Stores each message and its status, and makes a message wait until that is done.

use std::collections::BTreeMap;
use std::time::Duration;

use super::entry::{OutboxEntry, Stage};
use super::{Jitter, Outbox, OutboxOutput};
use crate::core::time::Time;
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use crate::model::message::MessageId;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::{Assurance, StoreError, StoreOp};

/// A write whose result the outbox waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WriteId(pub u64);

/// What follows when the write is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AfterWrite {
    /// The message may be sent to a key, and the user may rely on its being queued.
    Queued,
    /// The message may be sent unencrypted.
    Attempt,
}

/// The writes that the outbox waits for.
#[derive(Debug, Default)]
pub(super) struct Barriers {
    last: u64,
    waiting: BTreeMap<WriteId, (Recipient, MessageId, AfterWrite)>,
}

impl Barriers {
    pub(super) fn add(&mut self, to: Recipient, id: MessageId, then: AfterWrite) -> WriteId {
        self.last += 1;
        let write = WriteId(self.last);
        self.waiting.insert(write, (to, id, then));
        write
    }

    /// Forgets the writes for a message that leaves its queue.
    pub(super) fn forget(&mut self, to: Recipient, id: MessageId) {
        self.waiting.retain(|_, (of, waiting, _)| (*of, *waiting) != (to, id));
    }

    /// What waits for the messages of one recipient waits for those of the other.
    pub(super) fn rebind(&mut self, from: Recipient, to: Recipient) {
        let of_from = self.waiting.values_mut().filter(|(of, ..)| *of == from);
        of_from.for_each(|(of, ..)| *of = to);
    }
}

impl Outbox {
    /// Whether a message that was entered is not stored yet.
    pub(in crate::core) fn is_storing(&self) -> bool {
        !self.barriers.waiting.is_empty()
    }

    /// Has the messages stored that wait and are not stored yet.
    pub(super) fn store_waiting(&mut self, to: Recipient) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        for entry in &mut queue.entries {
            if entry.is_waiting() && entry.stored_for.is_none() && !entry.is_unstorable {
                entry.stored_for = Some(to);
                entry.storing = true;
                let write = self.barriers.add(to, entry.id(), AfterWrite::Queued);
                // An earlier run may have sent it to this key.
                let attempted = entry.message.again && to.public_key().is_some();
                let add = add(to, entry, attempted, self.expire);
                self.outputs.push(OutboxOutput::Store(Some(write), add));
            }
        }
    }

    /// Has it stored that a message is about to be sent unencrypted.
    pub(super) fn commit(&mut self, to: Recipient, id: MessageId) {
        let expire = self.expire;
        let Some(entry) = self.entry_mut(to, id) else { return };
        entry.stage = Stage::Committing;
        entry.stored_as_queued = entry.stored_for.is_some();
        let write = match entry.stored_for {
            Some(to) => queued(to, id, true),
            None => add(to, entry, true, expire),
        };
        entry.stored_for = entry.stored_for.or(Some(to));
        entry.stored_as_attempted = true;
        let barrier = self.barriers.add(to, id, AfterWrite::Attempt);
        self.outputs.push(OutboxOutput::Store(Some(barrier), write));
    }

    /// The messages that were about to be sent unencrypted to a recipient wait again: it can no
    /// longer be written to like that.
    pub(super) fn uncommit(&mut self, to: Recipient, now: Time) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        let cleared = queue.entries.iter().filter(|entry| entry.stage == Stage::Cleared);
        let cleared: Vec<MessageId> = cleared.map(OutboxEntry::id).collect();
        if !cleared.is_empty() {
            queue.not_before = queue.not_before.min(now);
        }
        for id in cleared {
            self.waits_again(to, id);
        }
    }

    /// A message that was about to be sent unencrypted, or could not be, waits again.
    pub(super) fn waits_again(&mut self, to: Recipient, id: MessageId) {
        let Some(entry) = self.entry_mut(to, id) else { return };
        entry.stage = Stage::Waiting;
        if let (true, Some(to)) = (std::mem::take(&mut entry.stored_as_attempted), entry.stored_for) {
            entry.storing = true;
            let barrier = self.barriers.add(to, id, AfterWrite::Queued);
            self.outputs.push(OutboxOutput::Store(Some(barrier), queued(to, id, false)));
        }
    }

    /// Takes the result of a write. A new message that the store has no room for is refused; after
    /// any other error it goes out all the same. The caller then serves the queues that are due.
    ///
    /// Returns whether a message was refused.
    pub(in crate::core) fn stored(
        &mut self,
        write: WriteId,
        result: &Result<(), StoreError>,
        now: Time,
    ) -> bool {
        let Some((to, id, then)) = self.barriers.waiting.remove(&write) else { return false };
        if *result == Err(StoreError::NoRoom) && self.is_new(to, id) {
            self.forget_stored(to, id);
            let why = FailureReason::Rejected(RejectReason::NoMemory);
            self.ends(to, id, DeliveryStatus::Failed(why));
            return true;
        }
        self.goes_on(to, id, then, result.is_ok(), now);
        false
    }

    /// Whether nothing has been sent of a message, and the user has not been told that it is
    /// queued.
    fn is_new(&self, to: Recipient, id: MessageId) -> bool {
        self.entry(to, id)
            .is_some_and(|entry| entry.stage != Stage::InFlight && !entry.is_sent && entry.told.is_none())
    }

    /// Continues with a message whose write is done.
    fn goes_on(&mut self, to: Recipient, id: MessageId, then: AfterWrite, is_stored: bool, now: Time) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        let (is_put_off, pending) = (!queue.asking && queue.not_before > now, queue.pending);
        let Some(entry) = queue.entry(id) else { return };
        match then {
            AfterWrite::Queued => {
                entry.storing = false;
                if !is_stored {
                    (entry.stored_for, entry.is_unstorable) = (None, true);
                    (entry.stored_as_queued, entry.stored_as_attempted) = (false, false);
                }
                if let Some(reason) = pending.filter(|_| is_put_off && entry.is_waiting()) {
                    self.tell_queued(to, id, reason);
                }
            }
            AfterWrite::Attempt if is_stored || !entry.stored_as_queued => {
                if !is_stored {
                    (entry.stored_for, entry.stored_as_attempted) = (None, false);
                }
                entry.stage = Stage::Cleared;
            }
            AfterWrite::Attempt => {
                // The store has it as queued, so it would go out once more after a restart.
                entry.stage = Stage::Waiting;
                entry.stored_as_attempted = false;
                self.hold(to, PendingReason::NotStored, now, Jitter(0));
            }
        }
    }

    /// Tells the store the final status of a message that it has. A message that the end of the
    /// program cut short stays queued there.
    pub(super) fn store_status(&mut self, to: Recipient, id: MessageId, status: &DeliveryStatus) {
        let Some(entry) = self.entry_mut(to, id) else { return };
        let stays = matches!(status, DeliveryStatus::Failed(FailureReason::Ended { .. }));
        if let Some(to) = entry.stored_for.filter(|_| status.is_final() && !stays) {
            let write = StoreOp::Status { to, id, status: status.clone(), attempted: false };
            self.outputs.push(OutboxOutput::Store(None, write));
        }
    }

    /// The store is told nothing more of a message.
    pub(super) fn forget_stored(&mut self, to: Recipient, id: MessageId) {
        if let Some(entry) = self.entry_mut(to, id) {
            entry.stored_for = None;
        }
    }

    /// Tells the store that a message to a key was sent, so that it is marked as sent before after
    /// a restart.
    pub(super) fn store_sent(&mut self, to: Recipient, id: MessageId) {
        let Some(entry) = self.entry_mut(to, id) else { return };
        if let (false, Some(to)) = (std::mem::replace(&mut entry.stored_as_attempted, true), entry.stored_for)
        {
            self.outputs.push(OutboxOutput::Store(None, queued(to, id, true)));
        }
    }
}

/// Adds a queued message to the store.
fn add(to: Recipient, entry: &OutboxEntry, attempted: bool, expire: Duration) -> StoreOp {
    let is_encrypted = matches!(to, Recipient::Peer(PeerId::Key(_)));
    let assurance = if is_encrypted { Assurance::Encrypted } else { Assurance::Plain };
    let expire = u64::try_from(expire.as_millis()).unwrap_or(u64::MAX);
    StoreOp::Outgoing {
        to,
        name: entry.name.clone(),
        message: entry.message.clone(),
        status: DeliveryStatus::Queued(PendingReason::InLine),
        attempted,
        assurance,
        expires: entry.message.time.saturating_add(expire),
    }
}

/// Tells the store that a message is queued, and whether it may have been sent.
pub(super) fn queued(to: Recipient, id: MessageId, attempted: bool) -> StoreOp {
    StoreOp::Status { to, id, status: DeliveryStatus::Queued(PendingReason::InLine), attempted }
}
