//! Background store writer. Batches queued writes so that callers never block on the store.
//!
//! While one batch is on its way to the disk, the next one gathers (group commit). A store in
//! memory is written in the same way.

mod thread;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use super::ports::{Put, QueuedWrite, StoreQueue};
use crate::model::address::SourcePrefix;
use crate::model::fair_share::FairShare;
use crate::model::stored::{StoreOp, StoreResult};
use crate::store::{Sqlite, StoreError};
pub(super) use thread::start;

/// Bytes of received messages that may wait to be written: with `crate::mailbox::ROOM` and
/// [`crate::net::sessions::MAX_HELD_BYTES`] 16 MiB. A disk that works empties it in a second.
pub const MAX_WAITING_BYTES: usize = 6 * 1024 * 1024;

/// Bytes that a waiting message takes beside its text, at most.
const MESSAGE_BYTES: usize = 256;

/// Writes in one batch at most, so that the first does not wait for all that come behind it.
const MAX_BATCH: usize = 512;

/// Messages of strangers in one batch at most. They take longer to write than others where an older
/// one has to go, and a contact's message waits for the whole batch.
const MAX_STRANGERS_IN_BATCH: usize = 128;

/// How the node stores messages.
pub struct Keeping {
    /// Where they are stored.
    pub store: Arc<Mutex<Sqlite>>,
    /// The same store, for reading while the writer runs.
    pub reader: Arc<Mutex<Sqlite>>,
    /// The store is on a disk and outlives the program.
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
            StoreOp::IncomingPlain { body, .. } => body.len() + MESSAGE_BYTES,
            _ => 0,
        }
    }

    /// The source of the stranger who sent the messages.
    fn stranger(&self) -> Option<SourcePrefix> {
        match &self.op {
            StoreOp::Incoming { stranger, .. } | StoreOp::IncomingPlain { stranger, .. } => *stranger,
            _ => None,
        }
    }
}

/// A write to a file beside the store. It blocks until the disk has it.
pub(super) type FileWrite = Box<dyn FnOnce() + Send>;

/// The queued writes.
struct Pending {
    /// Writes to other files, which come first: there is seldom one.
    files: VecDeque<FileWrite>,
    /// All but the messages of strangers, in their order.
    jobs: VecDeque<QueuedWrite>,
    /// The messages of strangers, in the order of each source.
    of_strangers: HashMap<SourcePrefix, VecDeque<QueuedWrite>>,
    /// Sources of strangers whose messages wait, in the order of their turns.
    turns: VecDeque<SourcePrefix>,
    /// A place for each byte of received messages.
    room: FairShare,
    /// Of `jobs`, all that were ever added.
    added: u64,
    /// Of those, how many are written or have failed.
    written: u64,
    /// Something waits that is not merely the news that a peer was seen, or somebody waits for all.
    is_urgent: bool,
    stopping: bool,
    /// The thread has ended.
    ended: bool,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            files: VecDeque::new(),
            jobs: VecDeque::new(),
            of_strangers: HashMap::new(),
            turns: VecDeque::new(),
            room: FairShare::new(MAX_WAITING_BYTES),
            added: 0,
            written: 0,
            is_urgent: false,
            stopping: false,
            ended: false,
        }
    }
}

/// The queue of the thread.
#[derive(Default)]
pub(super) struct WriterQueue {
    queue: Mutex<Pending>,
    /// Wakes the thread when there is something to write.
    filled: Condvar,
    /// Wakes the threads that wait for room, or for the thread to end.
    emptied: Condvar,
}

/// Returns the milliseconds since 1970. A clock before 1970 counts as 1970.
pub(super) fn clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl WriterQueue {
    /// The batches taken so far are written.
    fn is_written(&self) {
        let mut queue = self.queue.lock();
        queue.written = queue.added - queue.jobs.len() as u64;
        self.emptied.notify_all();
    }

    /// Takes the next batch out of the locked `queue`, which makes room.
    fn next_batch(&self, queue: &mut Pending) -> Vec<QueuedWrite> {
        let batch = queue.take_batch();
        queue.is_urgent = !queue.is_empty();
        for job in &batch {
            queue.room.release_many(job.source, job.received_bytes());
        }
        self.emptied.notify_all();
        batch
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.jobs.is_empty() && self.turns.is_empty()
    }

    fn add(&mut self, job: QueuedWrite) {
        let mut job = job;
        if let Some(older) = self.older_seen(&job) {
            // One without a name would keep that of the older one in the store.
            if let (StoreOp::Seen { name: new @ None, .. }, StoreOp::Seen { name: old, .. }) =
                (&mut job.op, &mut older.op)
            {
                *new = old.take();
            }
            older.op = job.op;
            return;
        }
        if let Some(source) = job.stranger() {
            let waiting = self.of_strangers.entry(source).or_default();
            if waiting.is_empty() {
                self.turns.push_back(source);
            }
            waiting.push_back(job);
            return;
        }
        if matches!(job.op, StoreOp::Forget(_)) {
            // What came before it is forgotten, too.
            let strangers = self.take_strangers(usize::MAX);
            self.added += strangers.len() as u64;
            self.jobs.extend(strangers);
        }
        self.added += 1;
        self.jobs.push_back(job);
    }

    /// Returns the queued write that this one replaces: the news that the same peer was seen. So a
    /// stuck disk has one for each peer. A write in between that changes the peer's part of the
    /// store keeps them apart.
    fn older_seen(&mut self, job: &QueuedWrite) -> Option<&mut QueuedWrite> {
        let StoreOp::Seen { peer, .. } = &job.op else { return None };
        let is_change = |older: &QueuedWrite| matches!(older.op, StoreOp::Forget(_) | StoreOp::Accept(_));
        let is_same = |older: &QueuedWrite| matches!(&older.op, StoreOp::Seen { peer: of, .. } if of == peer);
        self.jobs.iter_mut().rev().take_while(|older| !is_change(older)).find(|older| is_same(older))
    }

    /// Takes the next batch. Each source of strangers has its turn.
    fn take_batch(&mut self) -> Vec<QueuedWrite> {
        let strangers = self.take_strangers(MAX_STRANGERS_IN_BATCH);
        let count = self.jobs.len().min(MAX_BATCH - strangers.len());
        let mut batch: Vec<QueuedWrite> = self.jobs.drain(..count).collect();
        batch.extend(strangers);
        batch
    }

    fn take_strangers(&mut self, most: usize) -> Vec<QueuedWrite> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(source) = self.turns.pop_front()
            && let Some(waiting) = self.of_strangers.get_mut(&source)
        {
            taken.extend(waiting.pop_front());
            if waiting.is_empty() {
                self.of_strangers.remove(&source);
            } else {
                self.turns.push_back(source);
            }
        }
        taken
    }
}

impl WriterQueue {
    /// Waits for room for messages from `source` until `deadline`. Returns whether there is any.
    pub(super) fn wait_for_room(&self, source: SourcePrefix, deadline: Instant) -> bool {
        let mut queue = self.queue.lock();
        while !queue.room.has_room(source) {
            if self.emptied.wait_until(&mut queue, deadline).timed_out() {
                return queue.room.has_room(source);
            }
        }
        true
    }

    /// Waits until all earlier writes are done, except those of strangers' messages. Returns
    /// whether they were done by `deadline`.
    pub(super) fn settle(&self, deadline: Instant) -> bool {
        let mut queue = self.queue.lock();
        let until = queue.added;
        if queue.written < until {
            queue.is_urgent = true;
            self.filled.notify_one();
        }
        while queue.written < until && !queue.ended {
            if self.emptied.wait_until(&mut queue, deadline).timed_out() {
                return queue.written >= until;
            }
        }
        true
    }

    /// Queues a write to another file.
    pub(super) fn put_file(&self, write: FileWrite) {
        let mut queue = self.queue.lock();
        queue.files.push_back(write);
        queue.is_urgent = true;
        drop(queue);
        self.filled.notify_one();
    }

    /// Writes what waits and ends the thread. Returns whether that was done by `deadline`.
    pub(super) fn write_out(&self, deadline: Instant) -> bool {
        let mut queue = self.queue.lock();
        (queue.stopping, queue.is_urgent) = (true, true);
        self.filled.notify_one();
        while !queue.ended {
            if self.emptied.wait_until(&mut queue, deadline).timed_out() {
                return queue.ended;
            }
        }
        true
    }
}

impl StoreQueue for WriterQueue {
    /// Queues a job, unless it is of messages of a session and there is no room for them.
    fn put(&self, job: QueuedWrite) -> Put {
        let mut queue = self.queue.lock();
        let bytes = job.received_bytes();
        if let Some(source) = job.source
            && matches!(job.op, StoreOp::Incoming { .. })
            && !queue.room.has_room(source)
        {
            return Put::Full(job);
        }
        queue.room.take_many(job.source, bytes);
        let (was_empty, was_urgent) = (queue.is_empty(), queue.is_urgent);
        queue.is_urgent |= !matches!(job.op, StoreOp::Seen { .. });
        queue.add(job);
        if was_empty || queue.is_urgent && !was_urgent {
            self.filled.notify_one();
        }
        Put::Queued
    }

    fn has_room(&self, source: SourcePrefix) -> bool {
        self.queue.lock().room.has_room(source)
    }
}

/// Writes a batch in one go; if that fails, one by one, so that one write that cannot succeed holds
/// up no other. `apply` writes all or none.
pub fn write_batch(
    batch: Vec<QueuedWrite>,
    mut apply: impl FnMut(&[StoreOp]) -> Result<Vec<StoreResult>, StoreError>,
) -> Vec<(QueuedWrite, Result<StoreResult, StoreError>)> {
    let (ops, others): (Vec<StoreOp>, Vec<_>) =
        batch.into_iter().map(|QueuedWrite { op, report_to, source }| (op, (report_to, source))).unzip();
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
    let writes =
        ops.into_iter().zip(others).map(|(op, (report_to, source))| QueuedWrite { op, report_to, source });
    writes.zip(results).collect()
}

/// The result of a single write.
fn one(result: Result<Vec<StoreResult>, StoreError>) -> Result<StoreResult, StoreError> {
    result.map(|mut written| written.pop().unwrap_or(StoreResult::Done))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::ports::ReportTo;
    use super::*;
    use crate::model::address::Source;
    use crate::model::key::{KEY_BYTES, PublicKey};
    use crate::model::message::MessageId;
    use crate::model::name::PeerName;
    use crate::model::peer_id::PeerId;
    use crate::model::session::Message;
    use crate::model::stored::{Assurance, Selection};
    use crate::net::sessions::LinkId;

    /// A message of these bytes, of a stranger or of a contact.
    fn received(last: u8, is_stranger: bool, bytes: usize) -> QueuedWrite {
        let (from, source) = (PublicKey::new([1; KEY_BYTES]), Source::from(Ipv4Addr::new(127, 0, 0, last)));
        let (id, body) = (MessageId::new([2; 16]), "x".repeat(bytes).into());
        let messages = vec![Message { id, time: 0, again: false, to_all: false, body }];
        let stranger = is_stranger.then(|| source.share());
        let op = StoreOp::Incoming { from, name: None, assurance: Assurance::Encrypted, stranger, messages };
        QueuedWrite { op, report_to: ReportTo::Session(source, LinkId(1)), source: Some(source.share()) }
    }

    /// Puts in messages of 64 KiB until there is no room, and returns how many there was room for.
    fn fill(jobs: &WriterQueue, last: u8) -> usize {
        let put = || matches!(jobs.put(received(last, true, 64 * 1024)), Put::Queued);
        std::iter::repeat_with(put).take_while(|is_queued| *is_queued).count()
    }

    /// The sources of a batch, 0 for a write that the user caused.
    fn sources(batch: &[QueuedWrite]) -> Vec<u8> {
        let last = |write: &QueuedWrite| match write.source {
            Some(SourcePrefix::V4(ip)) => ip.octets()[3],
            _ => 0,
        };
        batch.iter().map(last).collect()
    }

    #[test]
    fn stopped_disk_bounds_waiting_bytes() {
        let jobs = WriterQueue::default();
        let counts = [fill(&jobs, 1), fill(&jobs, 2), fill(&jobs, 3)];
        assert_eq!(counts, [48, 24, 12], "each gets half of what is free");
        jobs.put(QueuedWrite::new(None, StoreOp::MarkShown(Vec::new())));
        let mut queue = jobs.queue.lock();
        while !queue.is_empty() {
            jobs.next_batch(&mut queue);
        }
        assert!(queue.room.is_empty(), "{:?}", queue.room);
        drop(queue);
        assert_eq!(fill(&jobs, 1), 48);
    }

    #[test]
    fn flood_of_strangers_delays_no_other_write() {
        let jobs = WriterQueue::default();
        (0..1_000).for_each(|_| drop(jobs.put(received(1, true, 1))));
        jobs.put(received(2, true, 1));
        jobs.put(received(3, false, 1));
        jobs.put(QueuedWrite::new(None, StoreOp::MarkShown(Vec::new())));
        let batch = sources(&jobs.next_batch(&mut jobs.queue.lock()));
        assert_eq!((&batch[..5], batch.len()), (&[3, 0, 1, 2, 1][..], 2 + MAX_STRANGERS_IN_BATCH));
    }

    #[test]
    fn stopped_disk_keeps_one_sight_of_each_peer() {
        let jobs = WriterQueue::default();
        let seen = |peer: u8, name: Option<&str>| {
            let (peer, name) = (PeerId::Key(PublicKey::new([peer; KEY_BYTES])), name.map(PeerName::new));
            jobs.put(QueuedWrite::new(None, StoreOp::Seen { peer, name, contact: false, addrs: Vec::new() }));
        };
        for number in 0..1_000 {
            (1..=2).for_each(|peer| seen(peer, Some(&format!("Eve{number}"))));
        }
        seen(2, None);
        jobs.put(QueuedWrite::new(None, StoreOp::Forget(Selection::default())));
        (1..=2).for_each(|peer| seen(peer, Some("Eve")));
        let batch = jobs.next_batch(&mut jobs.queue.lock());
        let names: Vec<&str> = batch
            .iter()
            .filter_map(|write| match &write.op {
                StoreOp::Seen { name, .. } => name.as_ref().map(PeerName::as_str),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["Eve999", "Eve999", "Eve", "Eve"]);
    }

    #[test]
    fn reader_waits_for_batch_under_way() {
        let jobs = WriterQueue::default();
        assert!(jobs.settle(Instant::now()), "nothing was put in");
        jobs.put(QueuedWrite::new(None, StoreOp::MarkShown(Vec::new())));
        assert!(!jobs.settle(Instant::now()), "it waits");
        jobs.next_batch(&mut jobs.queue.lock());
        assert!(!jobs.settle(Instant::now()), "it is on its way to the disk");
        jobs.put(received(1, true, 1));
        jobs.is_written();
        assert!(jobs.settle(Instant::now()), "it is written");
    }

    #[test]
    fn forgetting_follows_what_came_before() {
        let jobs = WriterQueue::default();
        (0..1_000).for_each(|_| drop(jobs.put(received(1, true, 1))));
        jobs.put(QueuedWrite::new(None, StoreOp::Forget(Selection::default())));
        jobs.put(received(1, true, 1));
        let mut written = Vec::new();
        while !jobs.queue.lock().is_empty() {
            written.extend(sources(&jobs.next_batch(&mut jobs.queue.lock())));
        }
        // The message after it may be written before it or after it.
        assert_eq!(written.iter().filter(|last| **last == 1).count(), 1_001);
        assert!(written.iter().position(|last| *last == 0).unwrap() >= 1_000);
    }
}
