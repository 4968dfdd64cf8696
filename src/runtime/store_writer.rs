//! Background store writer. Batches queued writes so that callers never block on the disk.
//!
//! While one batch is on its way to the disk, the next one gathers (group commit). A store in memory
//! needs no thread: the caller writes at once.

mod thread;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use super::sessions::RETRY_AFTER;
use super::shared::Shared;
use crate::core::{Staged, WriteId};
use crate::model::address::Source;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::stored::{RowId, StoreOp, StoreResult};
use crate::net::sessions::LinkId;
use crate::store::{Store, StoreError};
pub(super) use thread::start;

/// Writes that may wait before unencrypted messages have to wait for room: as many as may wait to be
/// shown.
const MAX_WAITING: usize = 16_384;

/// Bytes of received messages that may wait to be written, as many as the outbox holds. While the disk
/// does not answer, senders send their messages again, and the earlier copies are still here.
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that a waiting message takes beside its text, at most.
const MESSAGE_BYTES: usize = 256;

/// Writes in one batch at most, so that the first does not wait for all that come behind it.
const MAX_BATCH: usize = 512;

/// How the node stores messages.
pub struct Keeping {
    /// Where they are stored.
    pub store: Box<dyn Store>,
    /// The store is on a disk and outlives the program, so a thread writes to it.
    pub durable: bool,
    /// How long a message waits for its recipient.
    pub expire: Duration,
    /// How long messages are kept; `None` for ever.
    pub retention: Option<Duration>,
}

/// A write, and who is told its result.
struct QueuedWrite {
    write: StoreOp,
    report_to: ReportTo,
}

/// Who is told the result of a write.
enum ReportTo {
    /// The core, if it fails.
    CoreOnError,
    /// The core.
    Core(WriteId),
    /// The core, and the session that received the messages from this source.
    Session(Source, LinkId),
}

impl QueuedWrite {
    /// The bytes of received messages.
    fn received_bytes(&self) -> usize {
        match &self.write {
            StoreOp::Incoming { messages, .. } => {
                messages.iter().map(|message| message.body.len() + MESSAGE_BYTES).sum()
            }
            _ => 0,
        }
    }
}

/// The writes that wait.
#[derive(Default)]
struct Pending {
    jobs: VecDeque<QueuedWrite>,
    /// The bytes of received messages among them.
    received_bytes: usize,
    stopping: bool,
    /// The thread has ended.
    ended: bool,
}

/// Who writes to the store.
pub(super) enum StoreWriter {
    /// The caller, at once.
    Inline(Mutex<Box<dyn Store>>),
    /// A thread.
    Thread(Arc<WriterQueue>),
}

/// The queue of the thread.
#[derive(Default)]
pub(super) struct WriterQueue {
    queue: Mutex<Pending>,
    /// Wakes the thread when there is something to write.
    filled: Condvar,
    /// Wakes those who wait for room, or for the thread to end.
    emptied: Condvar,
}

/// Milliseconds since 1970; a clock before that is as wrong as one in 1970.
pub(super) fn clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl WriterQueue {
    /// Queues a job. Returns `false` if it is of received messages and too many wait already.
    fn put(&self, job: QueuedWrite) -> bool {
        let mut queue = self.queue.lock();
        let bytes = job.received_bytes();
        if bytes > 0 && queue.received_bytes + bytes > MAX_WAITING_BYTES {
            return false;
        }
        queue.received_bytes += bytes;
        queue.jobs.push_back(job);
        if queue.jobs.len() == 1 {
            self.filled.notify_one();
        }
        true
    }

    /// Takes the next batch out of the locked `queue`, which makes room.
    fn next_batch(&self, queue: &mut Pending) -> Vec<QueuedWrite> {
        let count = queue.jobs.len().min(MAX_BATCH);
        let batch: Vec<QueuedWrite> = queue.jobs.drain(..count).collect();
        queue.received_bytes -= batch.iter().map(QueuedWrite::received_bytes).sum::<usize>();
        self.emptied.notify_all();
        batch
    }
}

impl Pending {
    fn has_room(&self) -> bool {
        self.jobs.len() < MAX_WAITING
    }
}

impl StoreWriter {
    /// Returns whether unencrypted messages may still be accepted.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Inline(_) => true,
            Self::Thread(jobs) => jobs.queue.lock().has_room(),
        }
    }

    /// Waits for room for an unencrypted message until `deadline`. Returns whether there is any.
    pub(super) fn wait_for_room(&self, deadline: Instant) -> bool {
        let Self::Thread(jobs) = self else { return true };
        let mut queue = jobs.queue.lock();
        while !queue.has_room() {
            if jobs.emptied.wait_until(&mut queue, deadline).timed_out() {
                return queue.has_room();
            }
        }
        true
    }

    /// Writes at once and returns the result, or queues the write and returns `None`; then `state` is
    /// told later.
    pub(super) fn write(&self, id: Option<WriteId>, write: StoreOp) -> Option<Result<(), StoreError>> {
        match self {
            Self::Inline(store) => Some(store.lock().apply(&[write], clock()).map(drop)),
            Self::Thread(jobs) => {
                jobs.put(QueuedWrite { write, report_to: id.map_or(ReportTo::CoreOnError, ReportTo::Core) });
                None
            }
        }
    }

    /// Writes what waits and ends the thread. Returns whether that was done by `deadline`.
    pub(super) fn write_out(&self, deadline: Instant) -> bool {
        let Self::Thread(jobs) = self else { return true };
        let mut queue = jobs.queue.lock();
        queue.stopping = true;
        jobs.filled.notify_one();
        while !queue.ended {
            if jobs.emptied.wait_until(&mut queue, deadline).timed_out() {
                return queue.ended;
            }
        }
        true
    }
}

impl Shared {
    /// Stores received messages, and has them shown then and acknowledged.
    pub(super) fn store(&self, link: LinkId, source: Source, key: PublicKey, staged: Staged) {
        let Staged { receipts, name, assurance, messages } = staged;
        if !receipts.is_empty() {
            self.answer(link, receipts, Vec::new());
        }
        if messages.is_empty() {
            return;
        }
        let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        let write = StoreOp::Incoming { from: key, name, assurance, messages };
        match &self.store_writer {
            StoreWriter::Inline(store) => {
                let result = store.lock().apply(std::slice::from_ref(&write), clock());
                self.acknowledge(link, source, write, rows(result));
            }
            StoreWriter::Thread(jobs) => {
                if !jobs.put(QueuedWrite { write, report_to: ReportTo::Session(source, link) }) {
                    self.answer(link, Vec::new(), ids);
                }
            }
        }
    }

    /// Tells a session which messages are stored and which are not.
    pub(super) fn answer(&self, link: LinkId, receipts: Vec<MessageId>, others: Vec<MessageId>) {
        self.sessions.stored(link, receipts, others, RETRY_AFTER);
    }

    /// Shows stored messages and sends their receipts.
    fn acknowledge(
        &self,
        link: LinkId,
        source: Source,
        write: StoreOp,
        result: Result<Vec<Option<RowId>>, StoreError>,
    ) {
        let mut others: Vec<MessageId> = match &write {
            StoreOp::Incoming { messages, .. } => messages.iter().map(|message| message.id).collect(),
            _ => Vec::new(),
        };
        let receipts = self.commit(source, write, result);
        others.retain(|id| !receipts.contains(id));
        self.answer(link, receipts, others);
    }

    fn commit(
        &self,
        source: Source,
        write: StoreOp,
        result: Result<Vec<Option<RowId>>, StoreError>,
    ) -> Vec<MessageId> {
        let StoreOp::Incoming { from: key, messages, .. } = write else { return Vec::new() };
        self.with_state_for(Some(source.share()), |state, now| {
            state.messages_stored(key, messages, result, now)
        })
    }

    /// Tells the result of a write.
    fn wrote(&self, report_to: ReportTo, write: StoreOp, result: Result<StoreResult, StoreError>) {
        match report_to {
            ReportTo::Session(source, link) => {
                self.acknowledge(link, source, write, rows(result.map(|written| vec![written])));
            }
            ReportTo::Core(id) => {
                let result = result.map(drop);
                self.with_state(|state, now| ((), state.stored(id, result, now)));
            }
            ReportTo::CoreOnError => {
                if let Err(error) = result {
                    self.with_state(|state, now| ((), state.storing_failed(error, now)));
                }
            }
        }
    }
}

/// The row numbers of stored messages.
fn rows(result: Result<Vec<StoreResult>, StoreError>) -> Result<Vec<Option<RowId>>, StoreError> {
    match result.map(|mut written| written.pop()) {
        Ok(Some(StoreResult::Incoming(rows))) => Ok(rows),
        Ok(_) => Err(StoreError::Other("the store gave no answer".into())),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::KEY_BYTES;
    use crate::model::session::Message;
    use crate::model::stored::Assurance;

    /// A received message of a megabyte.
    fn received() -> QueuedWrite {
        let (from, source) = (PublicKey::new([1; KEY_BYTES]), Source::from(std::net::Ipv4Addr::LOCALHOST));
        let (id, body) = (MessageId::new([2; 16]), "x".repeat(1024 * 1024).into());
        let messages = vec![Message { id, time: 0, again: false, body }];
        let write = StoreOp::Incoming { from, name: None, assurance: Assurance::Encrypted, messages };
        QueuedWrite { write, report_to: ReportTo::Session(source, LinkId(1)) }
    }

    #[test]
    fn stopped_disk_bounds_waiting_messages() {
        let jobs = WriterQueue::default();
        let queued = (0..100).filter(|_| jobs.put(received())).count();
        assert_eq!(queued, 63);
        jobs.put(QueuedWrite { write: StoreOp::MarkShown(Vec::new()), report_to: ReportTo::CoreOnError });
        assert_eq!(jobs.queue.lock().jobs.len(), 63 + 1, "every other write waits");
        assert_eq!(jobs.next_batch(&mut jobs.queue.lock()).len(), 63 + 1);
        jobs.put(received());
        assert_eq!(jobs.queue.lock().jobs.len(), 1);
    }
}
