//! The outbox: every outgoing message, from when the user enters it until its status is final.
//!
//! There is one queue for each recipient, and the recipient decides how its messages are delivered:
//! - To a key: at least once. A message is stored before it is sent, goes out in batches, and is
//!   sent again until its receipt arrives.
//! - To a legacy peer: at most once, one message at a time. That a message is about to be sent is
//!   stored before it is. Only a message with no byte sent is tried again, because a legacy peer
//!   cannot tell a second copy.
//! - To an address at which no peer has proven itself: it is asked first how to write to it.
//!
//! The outbox knows neither peers nor keys. Its caller says how a recipient can be written to (a
//! [`Route`]) whenever a queue is due, carries out the [`OutboxOutput`]s, and reports what became
//! of them. Messages are stored through [`OutboxOutput::Store`]. A new message that the store in
//! memory has no room for is refused. After any other error, messages are sent all the same, but
//! are not there after a restart.

mod attempts;
mod entry;
mod limits;
mod moves;
mod results;
mod statuses;
mod storing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ids::OpId;
use super::peer_info::PeerInfo;
use super::time::Time;
use crate::model::delivery::{DeliveryStatus, PendingReason, RejectReason};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::Message;
use crate::model::stored::StoreOp;
use entry::{OutboxEntry, Queue};
pub use limits::MAX_QUEUE_MESSAGES;
use limits::{ENTRY_BYTES, MAX_OUTBOX_BYTES, MAX_QUEUE_BYTES};
pub(super) use results::{BatchEnd, RouteAnswer, status_of};
use storing::Barriers;
pub(crate) use storing::WriteId;

/// Messages of one batch to a key: no more than the other side takes (docs/PROTOCOL.md).
pub(in crate::core) const MAX_BATCH_MESSAGES: usize = 64;

/// Bytes of one batch to a key, heads included (docs/PROTOCOL.md).
pub(in crate::core) const MAX_BATCH_BYTES: usize = 256 * 1024;

/// How long a message may be in flight before the user is told that no receipt has come. A receipt
/// takes two round trips and a commit at most, so this is long for all but the slowest lines.
pub(in crate::core) const RECEIPT_WITHIN: Duration = Duration::from_secs(5);

/// The wait after the first failed attempt; it doubles with each further one.
pub(in crate::core) const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait between two attempts: a peer that is back gets its messages within a minute,
/// even if nothing else shows that it is back.
pub(in crate::core) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Attempts in a row that no program with sessions answered before the queue waits for
/// [`LONG_WAIT`].
pub(in crate::core) const MAX_NO_SESSION: u32 = 3;

/// The wait when another program seems to be at the address: a legacy program shows each attempt to
/// its user.
pub(in crate::core) const LONG_WAIT: Duration = Duration::from_secs(600);

/// A random number that shortens a wait by up to a quarter, so that peers that lost the same peer
/// do not all come back at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Jitter(pub u8);

/// How a recipient can be written to at the moment.
#[derive(Clone, Copy)]
pub(in crate::core) enum Route<'a> {
    /// In a session with its key.
    Session,
    /// Unencrypted. The function returns why a message may not be sent to it in this form.
    Plain(&'a dyn Fn(&str) -> Option<RejectReason>),
    /// It has to be asked.
    Unknown,
    /// Not at the moment; the caller calls [`Outbox::met`] when that changes.
    None,
}

/// What the caller has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::core) enum OutboxOutput {
    /// Store this, and call [`Outbox::stored`] with the number if there is one.
    Store(Option<WriteId>, StoreOp),
    /// Find out how to write to the recipient, and call [`Outbox::answered`].
    Ask(Recipient),
    /// Send this message unencrypted, and call [`Outbox::plain_sent`].
    SendPlain {
        to: Recipient,
        id: MessageId,
        /// Its text.
        body: Arc<str>,
    },
    /// Send these messages in a session, and call [`Outbox::receipts`] and, at the end,
    /// [`Outbox::batch_ended`].
    SendBatch {
        /// The recipient.
        key: PublicKey,
        /// The messages, oldest first.
        messages: Vec<Message>,
    },
    /// Tell the user the status of a message.
    Status(StatusChange),
    /// The message is queued for this recipient already; its command ends without a status.
    Duplicate(OpId),
    /// Tell the user that so many messages wait for the recipient until the next run.
    StaysQueued(Recipient, usize),
    /// So many messages are queued for the recipient now.
    Count(Recipient, usize),
}

/// The status of a message, for the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::core) struct StatusChange {
    /// The command that sent it.
    pub(in crate::core) op: OpId,
    pub(in crate::core) to: Recipient,
    pub(in crate::core) id: MessageId,
    /// What is known of it now.
    pub(in crate::core) status: DeliveryStatus,
    /// It is the first status that the user is told.
    pub(in crate::core) is_first: bool,
    /// It was sent unencrypted.
    pub(in crate::core) is_plain: bool,
    /// How many parts of a long message were sent unencrypted, and how many there are.
    pub(in crate::core) parts: (usize, usize),
    pub(in crate::core) text: Arc<str>,
}

#[derive(Clone, Debug)]
pub(in crate::core) struct NewMessage {
    /// The command that sends it.
    pub(in crate::core) op: OpId,
    pub(in crate::core) message: Message,
    /// The recipient's name, if it is known.
    pub(in crate::core) name: Option<PeerName>,
    /// The user wrote to this recipient, not to all peers.
    pub(in crate::core) is_direct: bool,
}

/// A message that waits, for the user's list: `/outbox`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingMessage {
    /// The recipient, as it is named.
    pub who: PeerInfo,
    /// The recipient.
    pub to: Recipient,
    /// The message.
    pub message: Message,
    /// It is on its way at the moment.
    pub in_flight: bool,
    /// It was sent before, and may have arrived.
    pub is_sent: bool,
    /// Why it waits.
    pub reason: PendingReason,
    /// How long it waits before it expires.
    pub left: Duration,
}

/// What moved from one queue to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::core) struct Moved {
    /// How many messages.
    pub(in crate::core) count: usize,
    /// The user wrote one of them to this recipient, not to all peers.
    pub(in crate::core) is_direct: bool,
}

/// All outgoing messages whose status is not final.
#[derive(Debug)]
pub(in crate::core) struct Outbox {
    queues: BTreeMap<Recipient, Queue>,
    /// The bytes of all queued messages, each with [`ENTRY_BYTES`].
    bytes: usize,
    barriers: Barriers,
    /// How long a new message waits at most.
    expire: Duration,
    /// What is stored is there in the next run.
    durable: bool,
    /// The program ends: nothing waits for a turn any more.
    leaving: bool,
    outputs: Vec<OutboxOutput>,
}

impl Outbox {
    /// Returns an empty outbox whose messages wait at most `expire`. `durable`: what is stored is
    /// there in the next run.
    pub(in crate::core) fn new(expire: Duration, durable: bool) -> Self {
        Self {
            queues: BTreeMap::new(),
            bytes: 0,
            barriers: Barriers::default(),
            expire,
            durable,
            leaving: false,
            outputs: Vec::new(),
        }
    }

    /// Takes what the caller has to do.
    pub(in crate::core) fn take_outputs(&mut self) -> Vec<OutboxOutput> {
        std::mem::take(&mut self.outputs)
    }

    /// The number of messages queued for a recipient, those in flight included.
    pub(in crate::core) fn count(&self, to: Recipient) -> usize {
        self.queues.get(&to).map_or(0, |queue| queue.entries.len())
    }

    /// Whether messages wait for the answer how to write to a recipient.
    pub(in crate::core) fn is_asking(&self, to: Recipient) -> bool {
        self.queues.get(&to).is_some_and(|queue| queue.asking)
    }

    /// Records that a request is finding out how to write to a recipient, if messages wait for it.
    /// Returns whether they do.
    pub(in crate::core) fn asks(&mut self, to: Recipient) -> bool {
        let Some(queue) = self.queues.get_mut(&to) else { return false };
        queue.asking |= queue.has_waiting();
        queue.asking
    }

    /// The recipients that have a queue.
    pub(in crate::core) fn recipients(&self) -> Vec<Recipient> {
        self.queues.keys().copied().collect()
    }

    /// Whether messages of an earlier run wait for a recipient.
    pub(in crate::core) fn has_restored(&self, to: Recipient) -> bool {
        self.queues.get(&to).is_some_and(|queue| queue.entries.iter().any(|entry| entry.is_restored))
    }

    /// Whether a message is queued for a recipient, or is on its way.
    pub(in crate::core) fn has(&self, to: Recipient, id: MessageId) -> bool {
        self.entry(to, id).is_some()
    }

    fn entry(&self, to: Recipient, id: MessageId) -> Option<&OutboxEntry> {
        self.queues.get(&to)?.entries.iter().find(|entry| entry.id() == id)
    }

    fn entry_mut(&mut self, to: Recipient, id: MessageId) -> Option<&mut OutboxEntry> {
        self.queues.get_mut(&to)?.entry(id)
    }

    /// Adds a message to the queue of its recipient. The caller then calls [`Outbox::serve`] for
    /// the recipient.
    ///
    /// # Errors
    /// If the queue or the outbox is full, or the message is longer than a batch.
    pub(in crate::core) fn put(
        &mut self,
        to: Recipient,
        new: NewMessage,
        now: Time,
    ) -> Result<(), RejectReason> {
        let is_sent = new.message.again && to.public_key().is_some();
        let entry = OutboxEntry::new(new, is_sent, now.plus(self.expire));
        if self.has(to, entry.id()) {
            self.outputs.push(OutboxOutput::Duplicate(entry.op));
            return Ok(());
        }
        self.room_for(to, &entry.message.body)?;
        let queue = self.add(to, entry);
        // The user wants it there now.
        queue.hurry(now);
        if to.public_key().is_some() && queue.is_busy() {
            // The user may have been told already that those before it have no receipt.
            queue.overdue_at.get_or_insert(now.plus(RECEIPT_WITHIN));
        }
        Ok(())
    }

    /// Adds a message of an earlier run. One that there is no room for stays in the store.
    ///
    /// # Errors
    /// If the queue or the outbox is full, or the message is longer than a batch.
    pub(in crate::core) fn restore(
        &mut self,
        to: Recipient,
        new: NewMessage,
        expires: Time,
    ) -> Result<(), RejectReason> {
        let is_sent = new.message.again;
        let message = Message { again: to.public_key().is_some(), ..new.message };
        let entry = OutboxEntry {
            stored_for: Some(to),
            stored_as_attempted: is_sent,
            stored_as_queued: true,
            told: Some(DeliveryStatus::Queued(PendingReason::InLine)),
            is_restored: true,
            ..OutboxEntry::new(NewMessage { message, ..new }, is_sent, expires)
        };
        if !self.has(to, entry.id()) {
            self.room_for(to, &entry.message.body)?;
            self.add(to, entry).must_ask = true;
        }
        Ok(())
    }

    /// Checks that there is room for a message.
    ///
    /// # Errors
    /// If the queue or the outbox is full, or the message is longer than a batch.
    pub(in crate::core) fn room_for(&self, to: Recipient, body: &str) -> Result<(), RejectReason> {
        let bytes = entry::bytes(body);
        if bytes > MAX_BATCH_BYTES {
            return Err(RejectReason::TooLongForLegacy);
        }
        let queue = self.queues.get(&to);
        let (count, queued) = queue.map_or((0, 0), |queue| (queue.entries.len(), queue.bytes));
        if count >= MAX_QUEUE_MESSAGES || queued + bytes > MAX_QUEUE_BYTES {
            return Err(RejectReason::QueueFull);
        }
        if self.bytes + body.len() + ENTRY_BYTES > MAX_OUTBOX_BYTES {
            return Err(RejectReason::OutboxFull);
        }
        Ok(())
    }

    /// Adds an entry to the end of a queue, and returns the queue.
    fn add(&mut self, to: Recipient, entry: OutboxEntry) -> &mut Queue {
        self.bytes += entry.message.body.len() + ENTRY_BYTES;
        let queue = self.queues.entry(to).or_default();
        queue.bytes += entry.bytes();
        queue.entries.push_back(entry);
        self.outputs.push(OutboxOutput::Count(to, queue.entries.len()));
        queue
    }

    /// Removes an entry. The caller has set its status.
    fn remove(&mut self, to: Recipient, id: MessageId) -> Option<OutboxEntry> {
        let queue = self.queues.get_mut(&to)?;
        let at = queue.position(id)?;
        let entry = queue.entries.remove(at)?;
        if entry.waits_for_store() {
            // The user may enter the message again before that is done.
            self.barriers.forget(to, id);
        }
        queue.bytes -= entry.bytes();
        self.bytes -= entry.message.body.len() + ENTRY_BYTES;
        let count = queue.entries.len();
        self.forget_if_empty(to);
        self.outputs.push(OutboxOutput::Count(to, count));
        Some(entry)
    }

    /// Forgets a queue without messages. Returns whether there is none now.
    fn forget_if_empty(&mut self, to: Recipient) -> bool {
        let is_over = self.queues.get(&to).is_none_or(|queue| queue.entries.is_empty() && !queue.asking);
        if is_over {
            self.queues.remove(&to);
        }
        is_over
    }

    /// The messages that wait, by recipient, and for each in the order in which they were entered.
    /// `who` says how a recipient is named.
    pub(in crate::core) fn waiting(
        &self,
        who: impl Fn(Recipient) -> PeerInfo,
        now: Time,
    ) -> Vec<WaitingMessage> {
        let of_queue = |(to, queue): (&Recipient, &Queue)| {
            let reason = |entry: &OutboxEntry| match &entry.told {
                Some(DeliveryStatus::Queued(reason)) if to.public_key().is_some() => *reason,
                _ => queue.pending.unwrap_or(PendingReason::InLine),
            };
            let waiting = queue.entries.iter().map(|entry| WaitingMessage {
                who: who(*to),
                to: *to,
                message: entry.message.clone(),
                in_flight: queue.asking || !entry.is_waiting(),
                is_sent: entry.is_sent,
                reason: reason(entry),
                left: entry.expires.since(now),
            });
            waiting.collect::<Vec<_>>()
        };
        self.queues.iter().flat_map(of_queue).collect()
    }

    /// The program ends. Messages to legacy peers no longer wait for each other.
    pub(in crate::core) fn leave(&mut self) {
        self.leaving = true;
    }
}
