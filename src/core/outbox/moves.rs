//! Moves messages from one recipient to another: to the peer that proves itself at an address, and
//! to the new key of a peer.

use super::entry::{OutboxEntry, Stage};
use super::storing::{AfterWrite, queued};
use super::{Jitter, MAX_QUEUE_BYTES, MAX_QUEUE_MESSAGES, Moved, Outbox, OutboxOutput};
use crate::core::time::Time;
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::stored::StoreOp;

impl Outbox {
    /// Moves the messages for an address to the peer that proved itself there. A key gets those
    /// that are not on their way, and that are not for a peer of another name. The caller then
    /// serves the queue.
    pub(in crate::core) fn rebind(
        &mut self,
        from: Recipient,
        to: Recipient,
        name: Option<&PeerName>,
        now: Time,
    ) -> Moved {
        if to.public_key().is_some() {
            let is_for_it =
                |entry: &OutboxEntry| entry.stage != Stage::InFlight && !entry.is_for_another(name);
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
        for id in queue.entries.iter().map(OutboxEntry::id).collect::<Vec<_>>() {
            // Of two, the one in flight stays: the other would be a second copy.
            if self.entry(from, id).is_some_and(|entry| entry.stage == Stage::InFlight) {
                self.drop_duplicate(to, from, id);
            } else if self.has(to, id) {
                self.drop_duplicate(from, to, id);
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
    pub(in crate::core) fn succeed(&mut self, old: Recipient, new: Recipient, now: Time) {
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
        which: impl Fn(&OutboxEntry) -> bool,
        now: Time,
    ) -> Moved {
        let mut moved = Moved::default();
        let Some(queue) = self.queues.get(&from) else { return moved };
        let chosen: Vec<MessageId> =
            queue.entries.iter().filter(|entry| which(entry)).map(OutboxEntry::id).collect();
        for id in chosen {
            moved.count += 1;
            let Some(entry) = self.entry(from, id) else { continue };
            moved.is_direct |= entry.is_direct;
            if self.has(to, id) {
                self.drop_duplicate(from, to, id);
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
            queue.entries.len() < MAX_QUEUE_MESSAGES && queue.bytes + bytes <= MAX_QUEUE_BYTES
        })
    }

    /// Drops a message of one queue that is in the other, too, because the user addressed a peer
    /// twice. One message has one row and one status.
    fn drop_duplicate(&mut self, from: Recipient, to: Recipient, id: MessageId) {
        let Some(entry) = self.remove(from, id) else { return };
        if let Some(from) = entry.stored_for {
            self.outputs.push(OutboxOutput::Store(None, StoreOp::Move { id, from, to }));
        }
        if entry.told.is_none() {
            self.outputs.push(OutboxOutput::Duplicate(entry.op));
        }
    }

    fn moves(&mut self, from: Recipient, to: Recipient, id: MessageId, now: Time) {
        let Some(mut entry) = self.remove(from, id) else { return };
        entry.stage = Stage::Waiting;
        entry.ends_as = None;
        if let Some(from) = entry.stored_for {
            entry.stored_for = Some(to);
            if std::mem::take(&mut entry.stored_as_attempted) && !entry.is_sent {
                self.outputs.push(OutboxOutput::Store(None, queued(from, id, false)));
            }
            entry.storing = true;
            let barrier = self.barriers.add(to, id, AfterWrite::Queued);
            self.outputs.push(OutboxOutput::Store(Some(barrier), StoreOp::Move { id, from, to }));
        }
        self.add(to, entry).hurry(now);
    }
}
