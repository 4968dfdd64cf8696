//! When the queue of a recipient is tried, and what is sent then.

use super::entry::{OutboxEntry, Queue, Stage};
use super::{
    Jitter, LONG_WAIT, MAX_BATCH_BYTES, MAX_BATCH_MESSAGES, Outbox, OutboxOutput, RECEIPT_WITHIN, Route,
};
use crate::core::time::Time;
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Message;

impl Outbox {
    /// The queues that are due, each once. The caller calls [`Outbox::serve`] for each.
    pub(in crate::core) fn due(&self, now: Time) -> Vec<Recipient> {
        let is_due = |(to, queue): &(&Recipient, &Queue)| {
            next_attempt(**to, queue).is_some_and(|at| at <= now)
                || queue.entries.iter().any(|entry| entry.stage == Stage::Cleared)
        };
        self.queues.iter().filter(is_due).map(|(to, _)| *to).collect()
    }

    /// When a queue is due next, or a message expires.
    pub(in crate::core) fn next_wake(&self) -> Option<Time> {
        let wakes = |(to, queue): (&Recipient, &Queue)| {
            [next_attempt(*to, queue), queue.expires(), queue.overdue_at].into_iter().flatten().min()
        };
        self.queues.iter().filter_map(wakes).min()
    }

    /// Sends what can be sent to a recipient that can be written to like this, and has the name
    /// that it is known by now.
    pub(in crate::core) fn serve(
        &mut self,
        to: Recipient,
        route: Route<'_>,
        name: Option<&PeerName>,
        now: Time,
    ) {
        match (to, route) {
            (_, Route::None) => {
                if let Some(queue) = self.queues.get_mut(&to) {
                    queue.not_before = now.plus(LONG_WAIT);
                }
            }
            (Recipient::Peer(PeerId::Key(key)), Route::Session) => self.begin_batch(key, now),
            (_, Route::Session | Route::Unknown) => {
                self.uncommit(to, now);
                self.ask(to, now);
            }
            (_, Route::Plain(check)) => self.serve_plain(to, check, name, now),
        }
        self.store_waiting(to);
    }

    fn begin_batch(&mut self, key: PublicKey, now: Time) {
        let to = Recipient::key(key);
        self.store_waiting(to);
        let Some(queue) = self.queues.get_mut(&to) else { return };
        if queue.not_before > now || queue.is_busy() {
            return;
        }
        let mut bytes = 0;
        let fits = |entry: &&mut OutboxEntry| {
            bytes += entry.bytes();
            !entry.storing && bytes <= MAX_BATCH_BYTES
        };
        let batch: Vec<Message> = queue
            .entries
            .iter_mut()
            .take(MAX_BATCH_MESSAGES)
            .take_while(fits)
            .map(|entry| {
                entry.stage = Stage::InFlight;
                entry.message.clone()
            })
            .collect();
        if !batch.is_empty() {
            queue.overdue_at = Some(now.plus(RECEIPT_WITHIN));
            self.outputs.push(OutboxOutput::SendBatch { key, messages: batch });
        }
    }

    pub(super) fn ask(&mut self, to: Recipient, now: Time) {
        let Some(queue) = self.queues.get_mut(&to).filter(|_| !self.leaving) else { return };
        if !queue.is_busy() && queue.has_waiting() && queue.not_before <= now {
            queue.asking = true;
            queue.last_attempt = Some(now);
            self.outputs.push(OutboxOutput::Ask(to));
        }
    }

    /// Sends the messages unencrypted whose attempt is stored.
    fn send_cleared(&mut self, to: Recipient) {
        let queue = self.queues.get_mut(&to);
        for entry in queue.into_iter().flat_map(|queue| &mut queue.entries) {
            if entry.stage == Stage::Cleared {
                entry.stage = Stage::InFlight;
                self.outputs.push(OutboxOutput::SendPlain { to, id: entry.id(), body: entry.body() });
            }
        }
    }

    /// Sends the messages whose attempt is stored. Then takes the next one that may go to a legacy
    /// peer of this name, and has its attempt stored: all of them when the program ends, so that
    /// the goodbye goes behind them.
    fn serve_plain(
        &mut self,
        to: Recipient,
        check: &dyn Fn(&str) -> Option<RejectReason>,
        name: Option<&PeerName>,
        now: Time,
    ) {
        self.send_cleared(to);
        if self.queues.get(&to).is_some_and(|queue| queue.must_ask) {
            self.ask(to, now);
            return;
        }
        loop {
            let Some(queue) = self.queues.get_mut(&to) else { return };
            if queue.not_before > now || (queue.is_busy() && !self.leaving) || queue.asking {
                return;
            }
            let next = queue.entries.iter().find(|entry| entry.is_waiting() && !entry.is_for_another(name));
            let Some((id, rejected)) = next.map(|entry| (entry.id(), check(&entry.message.body))) else {
                if queue.has_waiting() {
                    self.hold(to, PendingReason::AnotherPeer, now, Jitter(0));
                }
                return;
            };
            match rejected {
                Some(why) => self.ends(to, id, DeliveryStatus::Failed(FailureReason::Rejected(why))),
                None => self.commit(to, id),
            }
        }
    }

    /// Makes the messages of a recipient wait for this reason, and the next attempt with them.
    /// Those in flight are not affected.
    pub(in crate::core) fn hold(&mut self, to: Recipient, reason: PendingReason, now: Time, jitter: Jitter) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        queue.asking = false;
        queue.must_ask = to.public_key().is_none();
        queue.put_off(Some(reason), now, jitter);
        let waiting: Vec<MessageId> =
            queue.entries.iter().filter(|entry| entry.is_waiting()).map(OutboxEntry::id).collect();
        for id in waiting {
            self.tell_queued(to, id, reason);
        }
    }

    /// Makes the next attempt wait until this time at least: the recipient has asked for that.
    pub(in crate::core) fn wait_until(&mut self, to: Recipient, time: Time) {
        if let Some(queue) = self.queues.get_mut(&to) {
            queue.not_before = queue.not_before.max(time);
        }
    }

    /// Makes the messages wait for the user: the recipient was a legacy peer, and another peer is
    /// at its address.
    pub(in crate::core) fn hold_for_user(&mut self, to: Recipient, now: Time) {
        self.uncommit(to, now);
        self.hold(to, PendingReason::AnotherPeer, now, Jitter(0));
    }

    /// The recipient has shown that it is online: its queue is tried at once.
    pub(in crate::core) fn met(&mut self, to: Recipient, now: Time) {
        if let Some(queue) = self.queues.get_mut(&to) {
            queue.failures = 0;
            queue.no_session = 0;
            queue.hurry(now);
        }
    }

    /// A legacy peer of this name has sent something from the recipient's address. Its queue is
    /// tried, unless all messages are for a peer of another name: each attempt shows at a legacy
    /// program, and its answer would be the reason for the next.
    pub(in crate::core) fn spoke(&mut self, to: Recipient, name: Option<&PeerName>, now: Time) {
        let Some(queue) = self.queues.get(&to) else { return };
        let is_held = queue.pending == Some(PendingReason::AnotherPeer);
        if !(is_held && queue.entries.iter().all(|entry| entry.is_for_another(name))) {
            self.met(to, now);
        }
    }

    /// Tries all queues at once.
    pub(in crate::core) fn hurry_all(&mut self, now: Time) {
        let all: Vec<Recipient> = self.queues.keys().copied().collect();
        all.into_iter().for_each(|to| self.met(to, now));
    }

    /// The user wants this message sent now, although the legacy peer's name may have changed.
    pub(in crate::core) fn confirm(&mut self, to: Recipient, id: MessageId, now: Time) {
        if let Some(entry) = self.entry_mut(to, id) {
            entry.confirmed = true;
        }
        self.met(to, now);
    }
}

/// When the next attempt for a queue may begin; `None` if there is nothing to attempt.
fn next_attempt(to: Recipient, queue: &Queue) -> Option<Time> {
    let is_ready = match to.public_key() {
        Some(_) => queue.entries.front().is_some_and(|entry| !entry.storing),
        None => queue.has_waiting(),
    };
    (is_ready && !queue.is_busy()).then_some(queue.not_before)
}
