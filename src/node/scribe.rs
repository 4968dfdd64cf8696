//! Who writes down what the rules want written: a thread of its own, so that nobody waits for the disk who need not, or, where everything is
//! kept in memory, whoever has the lock.
//!
//! All that waits is written in one go (a group commit): while one batch is on its way to the disk the next one gathers.

mod work;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use super::shared::Shared;
use crate::chat::{Intake, WriteId};
use crate::model::address::Source;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::stored::{RowId, Write, Written};
use crate::store::{Store, StoreError};
pub(super) use work::start;

/// What may wait to be written before plain messages are held back: as many as may wait to be shown.
const MAX_WAITING: usize = 16_384;

/// Bytes of texts that came and may wait to be written, as many as all outboxes hold. Where the disk has stopped, their senders send them
/// again and again, and what has waited for too long is still here.
const MAX_TAKEN_BYTES: usize = 64 * 1024 * 1024;

/// What a text costs here beside its body, generously.
const LETTER_BYTES: usize = 256;

/// What is written in one go at most, so that the first of them does not wait for all that come behind it.
const MAX_BATCH: usize = 512;

/// How long whoever sends texts waits for them to be written down; a disk that takes longer has stopped, and they come again.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

/// How the node keeps what is said.
pub struct Keeping {
    /// Where it is kept.
    pub store: Box<dyn Store>,
    /// It is there for the next run; then it takes a disk, and a thread to wait for it.
    pub durable: bool,
    /// How long a text waits for its recipient.
    pub expire: Duration,
    /// How long messages are kept; none for ever.
    pub retention: Option<Duration>,
}

/// Something to be written, and who hears what became of it.
struct Job {
    write: Write,
    then: Then,
}

/// Who hears what became of something written.
enum Then {
    /// The rules, where that fails.
    Nobody,
    /// The rules.
    Rules(WriteId),
    /// The rules, and who has texts of this source taken.
    Taker(Source, SyncSender<Vec<MessageId>>),
}

impl Job {
    /// The bytes of texts that came.
    fn taken_bytes(&self) -> usize {
        match &self.write {
            Write::Taken { letters, .. } => {
                letters.iter().map(|letter| letter.body.len() + LETTER_BYTES).sum()
            }
            _ => 0,
        }
    }
}

/// What waits to be written.
#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// The bytes of those of them that are texts that came.
    taken_bytes: usize,
    stopping: bool,
    /// The thread writes no more.
    ended: bool,
}

/// The one who writes.
pub(super) enum Scribe {
    /// Whoever has the lock does.
    Inline(Mutex<Box<dyn Store>>),
    /// A thread does.
    Thread(Arc<Desk>),
}

/// What the thread is given.
#[derive(Default)]
pub(super) struct Desk {
    queue: Mutex<Queue>,
    filled: Condvar,
    emptied: Condvar,
}

/// Milliseconds since 1970; a clock before that is as wrong as one in 1970.
pub(super) fn clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Desk {
    /// Has it done, unless too many texts wait already.
    fn put(&self, job: Job) {
        let mut queue = self.queue.lock();
        let bytes = job.taken_bytes();
        if bytes > 0 && queue.taken_bytes + bytes > MAX_TAKEN_BYTES {
            return;
        }
        queue.taken_bytes += bytes;
        queue.jobs.push_back(job);
        if queue.jobs.len() == 1 {
            self.filled.notify_one();
        }
    }
}

impl Queue {
    fn next_batch(&mut self) -> Vec<Job> {
        let count = self.jobs.len().min(MAX_BATCH);
        let batch: Vec<Job> = self.jobs.drain(..count).collect();
        self.taken_bytes -= batch.iter().map(Job::taken_bytes).sum::<usize>();
        batch
    }
}

impl Scribe {
    /// Whether what comes in plain may still be taken.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Inline(_) => true,
            Self::Thread(desk) => desk.queue.lock().jobs.len() < MAX_WAITING,
        }
    }

    /// Writes it now, or has it written. What is done is returned; otherwise it is told later.
    pub(super) fn write(&self, id: Option<WriteId>, write: Write) -> Option<Result<(), Arc<str>>> {
        match self {
            Self::Inline(store) => Some(store.lock().apply(&[write], clock()).map(drop).map_err(words)),
            Self::Thread(desk) => {
                desk.put(Job { write, then: id.map_or(Then::Nobody, Then::Rules) });
                None
            }
        }
    }

    /// Has what waits written, and ends the thread; says whether that was done by `deadline`.
    pub(super) fn write_out(&self, deadline: Instant) -> bool {
        let Self::Thread(desk) = self else { return true };
        let mut queue = desk.queue.lock();
        queue.stopping = true;
        desk.filled.notify_one();
        while !queue.ended {
            if desk.emptied.wait_until(&mut queue, deadline).timed_out() {
                return queue.ended;
            }
        }
        true
    }
}

impl Shared {
    /// Has texts that came written down, and shown after that; returned are those that get their receipts.
    pub(super) fn take(&self, key: PublicKey, source: Source, intake: Intake) -> Vec<MessageId> {
        let Intake { mut receipts, name, assurance, letters } = intake;
        if letters.is_empty() {
            return receipts;
        }
        let write = Write::Taken { from: key, name, assurance, letters };
        match &self.scribe {
            Scribe::Inline(store) => {
                let result = store.lock().apply(std::slice::from_ref(&write), clock());
                receipts.extend(self.taken(source, write, rows(result)));
            }
            Scribe::Thread(desk) => {
                let (reply, taken) = mpsc::sync_channel(1);
                // Where there is no room for them, nobody replies, and they come again.
                desk.put(Job { write, then: Then::Taker(source, reply) });
                receipts.extend(taken.recv_timeout(TAKEN_WITHIN).unwrap_or_default());
            }
        }
        receipts
    }

    fn taken(
        &self,
        source: Source,
        write: Write,
        result: Result<Vec<Option<RowId>>, Arc<str>>,
    ) -> Vec<MessageId> {
        let Write::Taken { from: key, letters, .. } = write else { return Vec::new() };
        self.with_chat_for(Some(source.share()), |chat, now| chat.taken(key, letters, result, now))
    }

    /// Tells what became of something written.
    fn wrote(&self, then: Then, write: Write, result: Result<Written, StoreError>) {
        match then {
            Then::Taker(source, reply) => {
                let receipts = self.taken(source, write, rows(result.map(|written| vec![written])));
                // Whoever waited may have given up; then the texts come again, and get their receipts.
                let _ = reply.try_send(receipts);
            }
            Then::Rules(id) => {
                let result = result.map(drop).map_err(words);
                self.with_chat(|chat, now| ((), chat.written(id, result, now)));
            }
            Then::Nobody => {
                if let Err(error) = result {
                    let why = words(error);
                    self.with_chat(|chat, now| ((), chat.failed_to_write(why, now)));
                }
            }
        }
    }
}

/// The numbers of the texts that were taken.
fn rows(result: Result<Vec<Written>, StoreError>) -> Result<Vec<Option<RowId>>, Arc<str>> {
    match result.map(|mut written| written.pop()) {
        Ok(Some(Written::Taken(rows))) => Ok(rows),
        Ok(_) => Err("the store gave no answer".into()),
        Err(error) => Err(words(error)),
    }
}

fn words(error: StoreError) -> Arc<str> {
    error.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::KEY_BYTES;
    use crate::model::session::Letter;
    use crate::model::stored::Assurance;

    /// A turn of one text of a megabyte.
    fn take() -> Job {
        let (from, source) = (PublicKey::new([1; KEY_BYTES]), Source::from(std::net::Ipv4Addr::LOCALHOST));
        let (id, body) = (MessageId::new([2; 16]), "x".repeat(1024 * 1024).into());
        let letters = vec![Letter { id, time: 0, again: false, body }];
        let write = Write::Taken { from, name: None, assurance: Assurance::Encrypted, letters };
        Job { write, then: Then::Taker(source, mpsc::sync_channel(1).0) }
    }

    #[test]
    fn a_disk_that_has_stopped_does_not_gather_texts_without_end_and_has_room_again_when_it_goes_on() {
        let desk = Desk::default();
        (0..100).for_each(|_| desk.put(take()));
        desk.put(Job { write: Write::Shown(Vec::new()), then: Then::Nobody });
        assert_eq!(desk.queue.lock().jobs.len(), 63 + 1, "of the user's own nothing is left out");
        assert_eq!(desk.queue.lock().next_batch().len(), 63 + 1);
        desk.put(take());
        assert_eq!(desk.queue.lock().jobs.len(), 1);
    }
}
