//! Tells the user the status of each message, and ends the messages whose status is final.

use super::entry::{OutboxEntry, Queue, Stage};
use super::{Outbox, OutboxOutput, RECEIPT_WITHIN, StatusChange};
use crate::core::time::Time;
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use crate::model::message::MessageId;
use crate::model::peer_id::Recipient;

impl Outbox {
    /// Tells the user that a message waits, once the store has it.
    pub(super) fn tell_queued(&mut self, to: Recipient, id: MessageId, reason: PendingReason) {
        let Some(entry) = self.entry_mut(to, id) else { return };
        if entry.storing {
            return;
        }
        // With a legacy peer, only this change asks something of the user.
        let is_news = to.public_key().is_some() || reason == PendingReason::AnotherPeer;
        if entry.told.is_none() || is_news {
            self.tell(to, id, DeliveryStatus::Queued(reason), false, (0, 1));
        }
    }

    /// Tells the user the status of a message, if it is news.
    pub(super) fn tell(
        &mut self,
        to: Recipient,
        id: MessageId,
        status: DeliveryStatus,
        is_plain: bool,
        parts: (usize, usize),
    ) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        let told_as = queue.successor.unwrap_or(to);
        let Some(entry) = queue.entry(id) else { return };
        let before = entry.told.replace(status.clone());
        if before.as_ref() == Some(&status) {
            return;
        }
        let is_first = before.is_none();
        let text = entry.body();
        let change = StatusChange { op: entry.op, to: told_as, id, status, is_first, is_plain, parts, text };
        self.outputs.push(OutboxOutput::Status(change));
    }

    /// Ends a message: stores and tells its final status, and removes it.
    pub(super) fn ends(&mut self, to: Recipient, id: MessageId, status: DeliveryStatus) {
        let parts = (usize::from(status == DeliveryStatus::Delivered), 1);
        self.ends_with(to, id, status, false, parts);
    }

    pub(super) fn ends_with(
        &mut self,
        to: Recipient,
        id: MessageId,
        status: DeliveryStatus,
        is_plain: bool,
        parts: (usize, usize),
    ) {
        self.store_status(to, id, &status);
        self.tell(to, id, status, is_plain, parts);
        self.remove(to, id);
    }

    /// Gives up messages. One in flight may still arrive, so its status is told when it is known.
    fn give_up_those(
        &mut self,
        to: Recipient,
        status: &DeliveryStatus,
        which: impl Fn(&OutboxEntry) -> bool,
    ) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        let mut gone = Vec::new();
        for entry in queue.entries.iter_mut().filter(|entry| which(entry)) {
            if entry.stage == Stage::InFlight {
                entry.ends_as.get_or_insert_with(|| status.clone());
            } else {
                gone.push(entry.id());
            }
        }
        for id in gone {
            self.ends(to, id, status.clone());
        }
    }

    /// Gives up all messages to a recipient.
    pub(in crate::core) fn give_up(&mut self, to: Recipient, reason: FailureReason) {
        self.give_up_those(to, &DeliveryStatus::Failed(reason), |_| true);
    }

    /// Cancels a message. Returns whether it was queued.
    pub(in crate::core) fn cancel(&mut self, to: Recipient, id: MessageId) -> bool {
        let is_there = self.has(to, id);
        self.give_up_those(to, &DeliveryStatus::Cancelled, |entry| entry.id() == id);
        is_there
    }

    /// Tells the user of messages that have been in flight for [`RECEIPT_WITHIN`] without a
    /// receipt, and of those that wait behind them. The former stay in flight: over a slow line a
    /// receipt takes longer. `reason` says why they wait.
    pub(in crate::core) fn tell_overdue(&mut self, now: Time, reason: impl Fn(Recipient) -> PendingReason) {
        let mut overdue = Vec::new();
        for (to, queue) in &mut self.queues {
            if queue.overdue_at.is_none_or(|at| at > now) {
                continue;
            }
            let is_untold = |entry: &&OutboxEntry| entry.stage == Stage::InFlight || entry.told.is_none();
            overdue
                .extend(queue.entries.iter().filter(is_untold).map(|entry| (*to, entry.id(), entry.stage)));
            // The user is told of a message once the store has it.
            let is_storing = queue.entries.iter().any(|entry| entry.storing && entry.told.is_none());
            queue.overdue_at = is_storing.then(|| now.plus(RECEIPT_WITHIN));
        }
        for (to, id, stage) in overdue {
            let reason = if stage == Stage::InFlight { reason(to) } else { PendingReason::InLine };
            self.tell_queued(to, id, reason);
        }
    }

    /// Gives up the messages that have expired.
    pub(in crate::core) fn expire(&mut self, now: Time) {
        let has_expired = |queue: &Queue| queue.expires().is_some_and(|at| at <= now);
        let expired: Vec<Recipient> =
            self.queues.iter().filter(|(_, queue)| has_expired(queue)).map(|(to, _)| *to).collect();
        for to in expired {
            self.give_up_those(to, &DeliveryStatus::Expired, |entry| entry.expires <= now);
        }
    }

    /// The program ends now: tells what stays for the next run, and what is lost.
    pub(in crate::core) fn abandon(&mut self) {
        let all: Vec<Recipient> = self.queues.keys().copied().collect();
        for to in all {
            self.abandon_queue(to);
        }
    }

    fn abandon_queue(&mut self, to: Recipient) {
        let Some(queue) = self.queues.get(&to) else { return };
        let is_plain = to.public_key().is_none();
        let (mut stay, reason) = (0, queue.pending.unwrap_or(PendingReason::InLine));
        let entries: Vec<(MessageId, bool, bool, bool)> = queue
            .entries
            .iter()
            // The store says that these may be on their way, and nothing else is known of them.
            .filter(|entry| !(is_plain && entry.stage == Stage::InFlight))
            .map(|entry| {
                let stays = self.durable && entry.stored_for.is_some();
                (entry.id(), stays, entry.is_sent, entry.told.is_some())
            })
            .collect();
        for (id, stays, is_sent, was_told) in entries {
            if !stays {
                let status = DeliveryStatus::Failed(FailureReason::Ended { attempted: is_sent });
                self.tell(to, id, status, false, (0, 1));
                self.remove(to, id);
                continue;
            }
            stay += 1;
            if !was_told {
                let reason = if is_sent { PendingReason::NoReceipt } else { reason };
                self.tell(to, id, DeliveryStatus::Queued(reason), false, (0, 1));
            }
        }
        if stay > 0 {
            let told_as = self.queues.get(&to).and_then(|queue| queue.successor).unwrap_or(to);
            self.outputs.push(OutboxOutput::StaysQueued(told_as, stay));
        }
    }
}
