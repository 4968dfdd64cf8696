//! Background store writer. Batches queued writes so that callers never block on the disk.
//!
//! While one batch is on its way to the disk, the next one gathers (group commit). A store in memory
//! needs no thread: the caller writes at once.

mod thread;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use super::ports::{Put, QueuedWrite, ReportTo, StoreQueue};
use crate::model::stored::{StoreOp, StoreResult};
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

impl QueuedWrite {
    /// The bytes of received messages.
    fn received_bytes(&self) -> usize {
        match &self.op {
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
    /// Queues a job, unless it is of received messages and too many wait already.
    fn put(&self, job: QueuedWrite) -> Put {
        let mut queue = self.queue.lock();
        let bytes = job.received_bytes();
        if bytes > 0 && queue.received_bytes + bytes > MAX_WAITING_BYTES {
            return Put::Full(job);
        }
        queue.received_bytes += bytes;
        queue.jobs.push_back(job);
        if queue.jobs.len() == 1 {
            self.filled.notify_one();
        }
        Put::Queued
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

impl StoreQueue for StoreWriter {
    fn put(&self, write: QueuedWrite) -> Put {
        match self {
            Self::Inline(store) => {
                let result = one(store.lock().apply(std::slice::from_ref(&write.op), clock()));
                Put::Written(write, result)
            }
            Self::Thread(jobs) => jobs.put(write),
        }
    }
}

/// Writes a batch in one go; if that fails, one by one, so that one write that cannot succeed holds up
/// no other. `apply` writes all or none.
pub fn write_batch(
    batch: Vec<QueuedWrite>,
    mut apply: impl FnMut(&[StoreOp]) -> Result<Vec<StoreResult>, StoreError>,
) -> Vec<(QueuedWrite, Result<StoreResult, StoreError>)> {
    let (ops, reports): (Vec<StoreOp>, Vec<ReportTo>) =
        batch.into_iter().map(|QueuedWrite { op, report_to }| (op, report_to)).unzip();
    let results: Vec<Result<StoreResult, StoreError>> = match apply(&ops) {
        Ok(written) => written.into_iter().map(Ok).collect(),
        // Each would wait as long again.
        Err(error @ StoreError::Busy) => ops.iter().map(|_| Err(error.clone())).collect(),
        Err(error) if ops.len() == 1 => vec![Err(error)],
        Err(error) => {
            log::warn!("a batch of {} could not be written: {error}", ops.len());
            ops.chunks(1).map(|op| one(apply(op))).collect()
        }
    };
    let writes = ops.into_iter().zip(reports).map(|(op, report_to)| QueuedWrite { op, report_to });
    writes.zip(results).collect()
}

/// The result of a single write.
fn one(result: Result<Vec<StoreResult>, StoreError>) -> Result<StoreResult, StoreError> {
    result.map(|mut written| written.pop().unwrap_or(StoreResult::Done))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::Source;
    use crate::model::key::{KEY_BYTES, PublicKey};
    use crate::model::message::MessageId;
    use crate::model::session::Message;
    use crate::model::stored::Assurance;
    use crate::net::sessions::LinkId;

    /// A received message of a megabyte.
    fn received() -> QueuedWrite {
        let (from, source) = (PublicKey::new([1; KEY_BYTES]), Source::from(std::net::Ipv4Addr::LOCALHOST));
        let (id, body) = (MessageId::new([2; 16]), "x".repeat(1024 * 1024).into());
        let messages = vec![Message { id, time: 0, again: false, body }];
        let op =
            StoreOp::Incoming { from, name: None, assurance: Assurance::Encrypted, stranger: None, messages };
        QueuedWrite { op, report_to: ReportTo::Session(source, LinkId(1)) }
    }

    #[test]
    fn stopped_disk_bounds_waiting_messages() {
        let jobs = WriterQueue::default();
        let queued = (0..100).filter(|_| matches!(jobs.put(received()), Put::Queued)).count();
        assert_eq!(queued, 63);
        jobs.put(QueuedWrite::new(None, StoreOp::MarkShown(Vec::new())));
        assert_eq!(jobs.queue.lock().jobs.len(), 63 + 1, "every other write waits");
        assert_eq!(jobs.next_batch(&mut jobs.queue.lock()).len(), 63 + 1);
        jobs.put(received());
        assert_eq!(jobs.queue.lock().jobs.len(), 1);
    }
}
