//! The thread of the scribe: takes what waits, has the store write it, and tells the rules.

use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::super::shared::Shared;
use super::{Desk, Job, Scribe, Then, clock};
use crate::model::stored::{Selection, Write, Written};
use crate::store::{Store, StoreError};

/// How often what is older than the user wants is forgotten.
const RETENTION_EVERY: Duration = Duration::from_secs(3_600);

/// How long another process may have the file before what is to be written counts as failed. Each try waits some seconds by itself.
const BUSY_WITHIN: Duration = Duration::from_secs(30);

/// How long nothing is to be written before the store tidies up.
const IDLE_AFTER: Duration = Duration::from_millis(200);

/// Starts the thread that writes for `shared`.
pub(in super::super) fn start(
    shared: &Arc<Shared>,
    store: Box<dyn Store>,
    retention: Option<Duration>,
) -> std::io::Result<Option<JoinHandle<()>>> {
    let Scribe::Thread(desk) = &shared.scribe else { return Ok(None) };
    let (desk, weak) = (Arc::clone(desk), Arc::downgrade(shared));
    let work = move || {
        Work { store, desk, shared: weak, retention, forgotten_at: None, untidy: false, tidies: false }.run()
    };
    thread::Builder::new().name("scribe".into()).spawn(work).map(Some)
}

/// What the thread does next.
enum Next {
    /// Write these.
    Batch(Vec<Job>),
    /// Tidy up: nothing has come for so long that there is time for it.
    Tidy,
    /// Nothing: the program ends.
    End,
}

/// What the thread has.
struct Work {
    store: Box<dyn Store>,
    desk: Arc<Desk>,
    shared: Weak<Shared>,
    retention: Option<Duration>,
    forgotten_at: Option<Instant>,
    /// Messages were forgotten, and the store may have something to tidy up.
    untidy: bool,
    /// It did that just now.
    tidies: bool,
}

impl Drop for Work {
    /// However the thread ends, whoever waits for that hears of it.
    fn drop(&mut self) {
        self.desk.queue.lock().ended = true;
        self.desk.emptied.notify_all();
    }
}

impl Work {
    fn run(mut self) {
        self.forget_old();
        while let Some(batch) = self.next_batch() {
            self.write(batch);
            self.forget_old();
        }
    }

    /// Waits for something to write; nothing once there is nothing more and the program ends. The store tidies up meanwhile.
    fn next_batch(&mut self) -> Option<Vec<Job>> {
        loop {
            match self.wait() {
                Next::Batch(batch) => return Some(batch),
                Next::End => return None,
                Next::Tidy => {}
            }
            self.tidies = true;
            self.untidy = match self.store.tidy() {
                Ok(more) => more,
                Err(error) => {
                    // It is tried again after something else was forgotten.
                    log::warn!("what was forgotten may still be in the file: {error}");
                    false
                }
            };
        }
    }

    fn wait(&mut self) -> Next {
        let mut queue = self.desk.queue.lock();
        let idle_at = Instant::now() + if self.tidies { Duration::ZERO } else { IDLE_AFTER };
        loop {
            if !queue.jobs.is_empty() {
                return Next::Batch(queue.next_batch());
            }
            if queue.stopping {
                return Next::End;
            }
            if !self.untidy {
                self.desk.filled.wait(&mut queue);
            } else if self.desk.filled.wait_until(&mut queue, idle_at).timed_out() && queue.jobs.is_empty() {
                return Next::Tidy;
            }
        }
    }

    /// Writes all of these in one go; where that fails, one by one, so that what can be written is.
    fn write(&mut self, batch: Vec<Job>) {
        let (writes, thens): (Vec<Write>, Vec<Then>) =
            batch.into_iter().map(|Job { write, then }| (write, then)).unzip();
        self.tidies = false;
        let clock = clock();
        let results: Vec<Result<Written, StoreError>> = match self.apply(&writes, clock) {
            Ok(written) => written.into_iter().map(Ok).collect(),
            // Each by itself would wait as long again.
            Err(error @ StoreError::Busy) => writes.iter().map(|_| Err(error.clone())).collect(),
            Err(error) if writes.len() == 1 => vec![Err(error)],
            Err(error) => {
                log::warn!("{} things could not be written in one go: {error}", writes.len());
                writes.chunks(1).map(|write| one(self.store.apply(write, clock))).collect()
            }
        };
        let Some(shared) = self.shared.upgrade() else { return };
        for ((then, write), result) in thens.into_iter().zip(writes).zip(results) {
            shared.wrote(then, write, result);
        }
    }

    /// Writes, and waits for another process that has the file: `p2p-chat history --forget` may have much to do.
    fn apply(&mut self, writes: &[Write], clock: u64) -> Result<Vec<Written>, StoreError> {
        let until = Instant::now() + BUSY_WITHIN;
        loop {
            match self.store.apply(writes, clock) {
                Err(StoreError::Busy) if Instant::now() < until && !self.desk.queue.lock().stopping => {}
                done => return done,
            }
        }
    }

    /// Forgets what is older than the user wants, now and then.
    fn forget_old(&mut self) {
        let Some(retention) = self.retention else { return };
        if self.forgotten_at.is_some_and(|at| at.elapsed() < RETENTION_EVERY) {
            return;
        }
        self.forgotten_at = Some(Instant::now());
        let clock = clock();
        let until = clock.saturating_sub(u64::try_from(retention.as_millis()).unwrap_or(u64::MAX));
        let old = Selection { with: None, since: None, until: Some(until) };
        match self.store.apply(&[Write::Forget(old)], clock) {
            Ok(_) => self.untidy = true,
            Err(error) => log::warn!("what is older than it should be could not be forgotten: {error}"),
        }
    }
}

/// What became of the only one.
fn one(result: Result<Vec<Written>, StoreError>) -> Result<Written, StoreError> {
    result.map(|mut written| written.pop().unwrap_or(Written::Done))
}
