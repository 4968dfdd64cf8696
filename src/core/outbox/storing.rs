//! Stores each message and its status, and makes a message wait until that is done.

use std::collections::BTreeMap;
use std::time::Duration;

use super::entry::{Entry, Stage};
use super::{Jitter, Moved, Outbox, OutboxOutput};
use crate::core::time::Time;
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::{Assurance, StoreError, StoreOp};

/// A write whose result the outbox waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WriteId(pub u64);

/// What follows when the write is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    /// The message may be sent to a key, and the user may rely on its being queued.
    Queued,
    /// The message may be sent unencrypted.
    Attempt,
}

/// The writes that the outbox waits for.
#[derive(Debug, Default)]
pub(super) struct Barriers {
    last: u64,
    waiting: BTreeMap<WriteId, (Recipient, MessageId, Then)>,
}

impl Barriers {
    fn add(&mut self, to: Recipient, id: MessageId, then: Then) -> WriteId {
        self.last += 1;
        let write = WriteId(self.last);
        self.waiting.insert(write, (to, id, then));
        write
    }

    /// Forgets what waits for a message: it goes another way.
    fn forget(&mut self, to: Recipient, id: MessageId) {
        self.waiting.retain(|_, (of, waiting, _)| (*of, *waiting) != (to, id));
    }

    /// What waits for the messages of one recipient waits for those of the other.
    fn rebind(&mut self, from: Recipient, to: Recipient) {
        let of_from = self.waiting.values_mut().filter(|(of, ..)| *of == from);
        of_from.for_each(|(of, ..)| *of = to);
    }
}

impl Outbox {
    /// Whether a message that was entered is not stored yet.
    pub fn is_storing(&self) -> bool {
        !self.barriers.waiting.is_empty()
    }

    /// Has the messages stored that wait and are not stored yet.
    pub(super) fn store_waiting(&mut self, to: Recipient) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        for entry in &mut queue.entries {
            if entry.is_waiting() && entry.stored_for.is_none() && !entry.is_unstorable {
                entry.stored_for = Some(to);
                entry.storing = true;
                let write = self.barriers.add(to, entry.id(), Then::Queued);
                // An earlier run may have sent it to this key.
                let attempted = entry.message.again && to.public_key().is_some();
                let add = add(to, entry, attempted, self.expire);
                self.outputs.push(OutboxOutput::Store(Some(write), add));
            }
        }
    }

    /// Has it stored that a message is about to be sent unencrypted.
    pub(super) fn commit(&mut self, to: Recipient, id: MessageId) {
        let Some(entry) = self.queues.get_mut(&to).and_then(|queue| queue.entry(id)) else { return };
        entry.stage = Stage::Committing;
        entry.stored_as_queued = entry.stored_for.is_some();
        let write = match entry.stored_for {
            Some(to) => queued(to, id, true),
            None => add(to, entry, true, self.expire),
        };
        entry.stored_for = entry.stored_for.or(Some(to));
        entry.stored_as_attempted = true;
        let barrier = self.barriers.add(to, id, Then::Attempt);
        self.outputs.push(OutboxOutput::Store(Some(barrier), write));
    }

    /// The messages that were about to be sent unencrypted to a recipient wait again: it can no
    /// longer be written to like that.
    pub(super) fn uncommit(&mut self, to: Recipient, now: Time) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        let cleared = queue.entries.iter().filter(|entry| entry.stage == Stage::Cleared);
        let cleared: Vec<MessageId> = cleared.map(Entry::id).collect();
        if !cleared.is_empty() {
            queue.not_before = queue.not_before.min(now);
        }
        for id in cleared {
            self.waits_again(to, id);
        }
    }

    /// A message that was about to be sent unencrypted, or could not be, waits again.
    pub(super) fn waits_again(&mut self, to: Recipient, id: MessageId) {
        let Some(entry) = self.queues.get_mut(&to).and_then(|queue| queue.entry(id)) else { return };
        entry.stage = Stage::Waiting;
        if let (true, Some(to)) = (std::mem::take(&mut entry.stored_as_attempted), entry.stored_for) {
            entry.storing = true;
            let barrier = self.barriers.add(to, id, Then::Queued);
            self.outputs.push(OutboxOutput::Store(Some(barrier), queued(to, id, false)));
        }
    }

    /// Takes the result of a write. A new message that the store has no room for is refused; after
    /// any other error it goes out all the same. The caller then serves the queues that are due.
    ///
    /// Returns whether a message was refused.
    pub fn stored(&mut self, write: WriteId, result: &Result<(), StoreError>, now: Time) -> bool {
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

    /// Whether nothing has been sent of a message, and the user has not been told that it is queued.
    fn is_new(&self, to: Recipient, id: MessageId) -> bool {
        let entry = self.queues.get(&to).and_then(|queue| queue.entries.get(queue.position(id)?));
        entry.is_some_and(|entry| entry.stage != Stage::InFlight && !entry.is_sent && entry.told.is_none())
    }

    /// Continues with a message whose write is done.
    fn goes_on(&mut self, to: Recipient, id: MessageId, then: Then, is_stored: bool, now: Time) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        let (is_put_off, pending) = (!queue.asking && queue.not_before > now, queue.pending);
        let Some(entry) = queue.entry(id) else { return };
        match then {
            Then::Queued => {
                entry.storing = false;
                if !is_stored {
                    (entry.stored_for, entry.is_unstorable) = (None, true);
                    (entry.stored_as_queued, entry.stored_as_attempted) = (false, false);
                }
                if let Some(reason) = pending.filter(|_| is_put_off && entry.is_waiting()) {
                    self.tell_queued(to, id, reason);
                }
            }
            // An earlier entry of the same message was given up, and the user has entered it again.
            Then::Attempt if entry.stage != Stage::Committing => {}
            Then::Attempt if is_stored || !entry.stored_as_queued => {
                if !is_stored {
                    (entry.stored_for, entry.stored_as_attempted) = (None, false);
                }
                entry.stage = Stage::Cleared;
            }
            Then::Attempt => {
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
        let Some(entry) = self.queues.get_mut(&to).and_then(|queue| queue.entry(id)) else { return };
        let stays = matches!(status, DeliveryStatus::Failed(FailureReason::Ended { .. }));
        if let Some(to) = entry.stored_for.filter(|_| status.is_final() && !stays) {
            let write = StoreOp::Status { to, id, status: status.clone(), attempted: false };
            self.outputs.push(OutboxOutput::Store(None, write));
        }
    }

    /// The store is told nothing more of a message.
    pub(super) fn forget_stored(&mut self, to: Recipient, id: MessageId) {
        if let Some(entry) = self.queues.get_mut(&to).and_then(|queue| queue.entry(id)) {
            entry.stored_for = None;
        }
    }

    /// Tells the store that a message to a key was sent, so that it is marked as sent before after a
    /// restart.
    pub(super) fn store_sent(&mut self, to: Recipient, id: MessageId) {
        let Some(entry) = self.queues.get_mut(&to).and_then(|queue| queue.entry(id)) else { return };
        if let (false, Some(to)) = (std::mem::replace(&mut entry.stored_as_attempted, true), entry.stored_for)
        {
            self.outputs.push(OutboxOutput::Store(None, queued(to, id, true)));
        }
    }

    /// Moves the messages for an address to the peer that proved itself there. A key gets those that
    /// are not on their way, and that are not for a peer of another name. The caller then serves
    /// the queue.
    pub fn rebind(&mut self, from: Recipient, to: Recipient, name: Option<&PeerName>, now: Time) -> Moved {
        if to.public_key().is_some() {
            let is_for_it = |entry: &Entry| entry.stage != Stage::InFlight && !entry.is_for_another(name);
            if let Some(queue) = self.queues.get_mut(&from) {
                queue.asking = false;
            }
            let moved = self.move_those(from, to, is_for_it, now);
            if !self.forget_if_empty(from) {
                self.hold(from, PendingReason::AnotherPeer, now, Jitter(0));
            }
            return moved;
        }
        let Some(queue) = self.queues.get(&from) else { return Moved::default() };
        let moved = Moved {
            count: queue.entries.len(),
            is_direct: queue.entries.iter().any(|entry| entry.is_direct),
        };
        for id in queue.entries.iter().map(Entry::id).collect::<Vec<_>>() {
            if self.has(to, id) {
                self.is_queued_already(from, to, id);
            }
        }
        let Some(queue) = self.queues.remove(&from) else { return moved };
        self.barriers.rebind(from, to);
        let into = self.queues.entry(to).or_default();
        into.asking |= queue.asking;
        into.must_ask |= queue.must_ask;
        into.not_before = into.not_before.max(queue.not_before);
        into.pending = into.pending.or(queue.pending);
        into.failures = into.failures.max(queue.failures);
        into.last_attempt = into.last_attempt.max(queue.last_attempt);
        for mut entry in queue.entries {
            if let Some(from) = entry.stored_for.filter(|from| *from != to) {
                entry.stored_for = Some(to);
                self.outputs.push(OutboxOutput::Store(None, StoreOp::Move { id: entry.id(), from, to }));
            }
            into.bytes += entry.bytes();
            into.entries.push_back(entry);
        }
        let count = into.entries.len();
        self.outputs.extend([OutboxOutput::Count(from, 0), OutboxOutput::Count(to, count)]);
        moved
    }

    /// The user trusts a new key in place of the old one: it gets what waits. A message in flight
    /// goes to it if it turns out not to have been sent, also one that is on its way to a key
    /// before the old one.
    pub fn succeed(&mut self, old: Recipient, new: Recipient, now: Time) {
        for queue in self.queues.values_mut().filter(|queue| queue.successor == Some(old)) {
            queue.successor = Some(new);
        }
        if let Some(queue) = self.queues.get_mut(&new) {
            // The user takes an earlier key back.
            queue.successor = None;
            let replaced = DeliveryStatus::Failed(FailureReason::Replaced);
            for entry in queue.entries.iter_mut().filter(|entry| entry.ends_as.as_ref() == Some(&replaced)) {
                entry.ends_as = None;
            }
        }
        let Some(queue) = self.queues.get_mut(&old) else { return };
        queue.successor = Some(new);
        for entry in queue.entries.iter_mut().filter(|entry| entry.stage == Stage::InFlight) {
            entry.ends_as.get_or_insert(DeliveryStatus::Failed(FailureReason::Replaced));
        }
        self.move_those(old, new, |entry| entry.stage != Stage::InFlight, now);
    }

    /// Moves messages to a key.
    pub(super) fn move_those(
        &mut self,
        from: Recipient,
        to: Recipient,
        which: impl Fn(&Entry) -> bool,
        now: Time,
    ) -> Moved {
        let mut moved = Moved::default();
        let Some(queue) = self.queues.get(&from) else { return moved };
        let chosen: Vec<MessageId> =
            queue.entries.iter().filter(|entry| which(entry)).map(Entry::id).collect();
        for id in chosen {
            moved.count += 1;
            let Some(entry) = self.queues.get(&from).and_then(|queue| queue.entries.get(queue.position(id)?))
            else {
                continue;
            };
            moved.is_direct |= entry.is_direct;
            if self.has(to, id) {
                self.is_queued_already(from, to, id);
            } else if self.room_for_moved(to, entry.bytes()) {
                self.moves(from, to, id, now);
            } else {
                self.ends(from, id, DeliveryStatus::Failed(FailureReason::QueueFull));
            }
        }
        moved
    }

    fn room_for_moved(&self, to: Recipient, bytes: usize) -> bool {
        self.queues.get(&to).is_none_or(|queue| {
            queue.entries.len() < super::MAX_QUEUE_MESSAGES && queue.bytes + bytes <= super::MAX_QUEUE_BYTES
        })
    }

    /// Drops a message that its new recipient has in its queue: the user addressed that peer twice.
    /// One message has one row and one status.
    fn is_queued_already(&mut self, from: Recipient, to: Recipient, id: MessageId) {
        self.barriers.forget(from, id);
        let Some(entry) = self.remove(from, id) else { return };
        if let Some(from) = entry.stored_for {
            self.outputs.push(OutboxOutput::Store(None, StoreOp::Move { id, from, to }));
        }
        if entry.told.is_none() {
            self.outputs.push(OutboxOutput::Duplicate(entry.op));
        }
    }

    fn moves(&mut self, from: Recipient, to: Recipient, id: MessageId, now: Time) {
        self.barriers.forget(from, id);
        let Some(mut entry) = self.remove(from, id) else { return };
        entry.stage = Stage::Waiting;
        entry.ends_as = None;
        if let Some(from) = entry.stored_for {
            entry.stored_for = Some(to);
            if std::mem::take(&mut entry.stored_as_attempted) && !entry.is_sent {
                self.outputs.push(OutboxOutput::Store(None, queued(from, id, false)));
            }
            entry.storing = true;
            let barrier = self.barriers.add(to, id, Then::Queued);
            self.outputs.push(OutboxOutput::Store(Some(barrier), StoreOp::Move { id, from, to }));
        }
        self.add(to, entry);
        if let Some(queue) = self.queues.get_mut(&to) {
            queue.hurry(now);
        }
    }
}

/// Adds a queued message to the store.
fn add(to: Recipient, entry: &Entry, attempted: bool, expire: Duration) -> StoreOp {
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
fn queued(to: Recipient, id: MessageId, attempted: bool) -> StoreOp {
    StoreOp::Status { to, id, status: DeliveryStatus::Queued(PendingReason::InLine), attempted }
}
