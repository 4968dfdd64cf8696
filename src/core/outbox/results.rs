//! What became of a message that was sent, and of the question how to write to its recipient.

use super::entry::{OutboxEntry, Stage};
use super::{Jitter, Outbox};
use crate::core::time::Time;
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use crate::model::key::PublicKey;
use crate::model::message::{MessageId, SendError, SendResult};
use crate::model::peer_id::Recipient;
use crate::model::session::ByeReason;

/// The answer to the question how to write to a recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::core) enum RouteAnswer {
    /// Unencrypted.
    Plain,
    /// There is no answer, for this reason.
    Failed(SendResult),
}

/// How a batch ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::core) enum BatchEnd {
    /// The peer answered as it should.
    Answered,
    /// It did not, and the messages without a receipt wait.
    Held(PendingReason),
    /// It never will.
    Refused(FailureReason),
}

impl Outbox {
    /// Takes the answer to [`super::OutboxOutput::Ask`]. The caller then serves the queue. If a key
    /// has proven itself at an address, it calls [`Outbox::rebind`] before.
    pub(in crate::core) fn answered(&mut self, to: Recipient, answer: RouteAnswer, now: Time) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        queue.asking = false;
        if self.forget_if_empty(to) {
            return;
        }
        let Some(queue) = self.queues.get_mut(&to) else { return };
        match answer {
            RouteAnswer::Plain => {
                queue.must_ask = false;
                queue.not_before = now;
            }
            RouteAnswer::Failed(result) => self.could_not_ask(to, result, now),
        }
    }

    fn could_not_ask(&mut self, to: Recipient, result: SendResult, now: Time) {
        // The result is that of the question; of the message itself, nothing was sent.
        let result = match result {
            SendResult::Failed(_) => result,
            _ => SendResult::Failed(SendError::NotAnswered),
        };
        let reason = pending_reason(&result);
        let Some(queue) = self.queues.get(&to) else { return };
        let waiting = queue.entries.iter().filter(|entry| entry.is_waiting());
        let ends: Vec<MessageId> = waiting
            .filter(|entry| reason.is_none() || self.would_wait_in_vain(entry))
            .map(OutboxEntry::id)
            .collect();
        for id in ends {
            self.ends_with(to, id, status_of(&result), false, (0, 1));
        }
        if let Some(reason) = reason {
            self.hold(to, reason, now, Jitter(0));
        }
    }

    /// Whether a message that could not be sent would be lost without a word if it waited: the
    /// program ends, and keeps nothing.
    fn would_wait_in_vain(&self, entry: &OutboxEntry) -> bool {
        self.leaving && !self.durable && entry.told.is_none()
    }

    /// Takes the result of an unencrypted send. The caller then serves the queue.
    pub(in crate::core) fn plain_sent(
        &mut self,
        to: Recipient,
        id: MessageId,
        result: SendResult,
        parts: (usize, usize),
        now: Time,
    ) {
        let Some(entry) = self.entry(to, id) else { return };
        if entry.stage != Stage::InFlight {
            return;
        }
        let nothing_sent = parts.0 == 0;
        let may_wait = nothing_sent && !self.would_wait_in_vain(entry);
        let reason = pending_reason(&result).filter(|_| may_wait);
        if let Some(reason) = reason {
            match entry.ends_as.clone() {
                Some(status) => self.ends(to, id, status),
                None => self.waits_again(to, id),
            }
            self.hold(to, reason, now, Jitter(0));
            return;
        }
        let status = status_of(&result);
        if !nothing_sent && matches!(result, SendResult::Failed(_)) {
            // Some of its parts may have been read.
            self.store_status(to, id, &DeliveryStatus::Unknown);
            self.forget_stored(to, id);
        }
        let is_plain = !matches!(result, SendResult::Failed(_));
        self.ends_with(to, id, status, is_plain, parts);
        if let Some(queue) = self.queues.get_mut(&to) {
            (queue.failures, queue.pending, queue.not_before) = (0, None, now);
        }
    }

    /// Handles receipts from a key. A receipt counts only for a message that was sent.
    pub(in crate::core) fn receipts(&mut self, key: PublicKey, ids: &[MessageId], now: Time) {
        let to = Recipient::key(key);
        let Some(queue) = self.queues.get_mut(&to) else { return };
        let has_receipt = |entry: &&mut OutboxEntry| {
            (entry.is_sent || entry.stage == Stage::InFlight) && ids.contains(&entry.id())
        };
        let mut delivered = Vec::new();
        for entry in queue.entries.iter_mut().filter(has_receipt) {
            if entry.stage == Stage::InFlight {
                (queue.failures, queue.not_before) = (0, now);
            }
            entry.stage = Stage::Waiting;
            entry.ends_as = None;
            delivered.push(entry.id());
        }
        for id in delivered {
            self.ends(to, id, DeliveryStatus::Delivered);
        }
    }

    /// Handles the end of a batch. Of the messages without a receipt, the first `sent` may have
    /// reached the peer; receipts were reported before.
    pub(in crate::core) fn batch_ended(
        &mut self,
        key: PublicKey,
        sent: usize,
        end: &BatchEnd,
        now: Time,
        jitter: Jitter,
    ) {
        let to = Recipient::key(key);
        let Some(queue) = self.queues.get_mut(&to) else { return };
        queue.overdue_at = None;
        let mut statuses = Vec::new();
        let mut place = 0;
        for entry in &mut queue.entries {
            let was_in_batch = entry.stage == Stage::InFlight;
            if was_in_batch {
                entry.is_sent |= place < sent;
                place += 1;
                entry.message.again |= entry.is_sent;
                entry.stage = Stage::Waiting;
            }
            if let Some(status) = status_after(entry, end, was_in_batch) {
                statuses.push((entry.id(), was_in_batch, entry.is_sent, status));
            }
        }
        let (in_batch, successor) = (place, queue.successor);
        for (id, was_in_batch, is_sent, status) in statuses {
            let is_replaced = status == DeliveryStatus::Failed(FailureReason::Replaced);
            match (status, successor) {
                (_, Some(new)) if is_replaced && was_in_batch && !is_sent => {
                    self.move_those(to, new, |entry| entry.id() == id, now);
                }
                (DeliveryStatus::Queued(reason), _) => {
                    if is_sent {
                        self.store_sent(to, id);
                    }
                    self.tell_queued(to, id, reason);
                }
                (status, _) => self.ends(to, id, status),
            }
        }
        let Some(queue) = self.queues.get_mut(&to) else { return };
        let reason = match end {
            BatchEnd::Held(reason) => Some(*reason),
            BatchEnd::Answered | BatchEnd::Refused(_) => None,
        };
        queue.put_off(reason, now, jitter);
        if *end == BatchEnd::Answered && in_batch == 0 {
            (queue.failures, queue.not_before) = (0, now);
        }
    }
}

/// The status of a message when a batch to its recipient has ended; `None` if it does not change.
fn status_after(entry: &mut OutboxEntry, end: &BatchEnd, was_in_batch: bool) -> Option<DeliveryStatus> {
    if let Some(status) = entry.ends_as.take() {
        return Some(status);
    }
    match end {
        BatchEnd::Refused(reason) => Some(DeliveryStatus::Failed(reason.clone())),
        // The peer may have it, and only the receipt is missing.
        BatchEnd::Held(PendingReason::Unreachable) if entry.is_sent => {
            Some(DeliveryStatus::Queued(PendingReason::NoReceipt))
        }
        BatchEnd::Held(reason) => Some(DeliveryStatus::Queued(*reason)),
        BatchEnd::Answered => was_in_batch.then_some(DeliveryStatus::Queued(PendingReason::NoReceipt)),
    }
}

/// Why a message waits that could not be sent for this reason; `None` if trying again would not
/// help.
fn pending_reason(result: &SendResult) -> Option<PendingReason> {
    let SendResult::Failed(failure) = result else { return None };
    match failure {
        SendError::Refused
        | SendError::TimedOut
        | SendError::NoRoute
        | SendError::NoResources
        | SendError::Cancelled
        | SendError::NotAnswered
        | SendError::TurnedAway(ByeReason::Leaves | ByeReason::Idle)
        | SendError::Other(_) => Some(PendingReason::Unreachable),
        SendError::NoSession => Some(PendingReason::NoSession),
        SendError::Incompatible => Some(PendingReason::Incompatible),
        SendError::NotSecure => Some(PendingReason::NotSecure),
        SendError::TurnedAway(ByeReason::NotDecided) => Some(PendingReason::NotAcceptedYet),
        SendError::TurnedAway(ByeReason::NoRoom) => Some(PendingReason::NoRoom),
        SendError::WrongKey | SendError::TurnedAway(_) | SendError::NotTrusted(_) => None,
    }
}

/// The status of something that was sent with this result.
pub(in crate::core) fn status_of(result: &SendResult) -> DeliveryStatus {
    match result {
        SendResult::Delivered => DeliveryStatus::Delivered,
        SendResult::HandedOver => DeliveryStatus::Sent,
        SendResult::Astray(addr) => DeliveryStatus::Failed(FailureReason::ReachedAnother(Some(*addr))),
        SendResult::Failed(failure) => DeliveryStatus::Failed(FailureReason::NotSent(failure.clone())),
        SendResult::NoReceipt | SendResult::Unanswered | SendResult::Broken => DeliveryStatus::Unknown,
    }
}
