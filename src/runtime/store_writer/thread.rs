//! The thread that writes to the store in batches, and passes the result of each write to the
//! machine.

use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::super::ports::{QueuedWrite, ReportTo};
use super::super::shared::Shared;
use super::{FileWrite, WriterQueue, clock, write_batch};
use crate::core::Event;
use crate::model::stored::{Selection, StoreOp, StoreResult};
use crate::store::{Sqlite, StoreError};

/// How often the clock is recorded, and messages older than `--keep-history` are deleted.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(3_600);

/// How long another process may lock the file before a write fails. Each try waits some seconds by
/// itself.
const BUSY_WITHIN: Duration = Duration::from_secs(30);

/// How long the news that peers were seen waits for more of it, if nothing else is to be written.
/// When many peers come online, it is then written in a few batches.
const SEEN_WITHIN: Duration = Duration::from_secs(1);

/// How long there is nothing to write before the store tidies up.
const IDLE_AFTER: Duration = Duration::from_millis(200);

/// Starts the thread that writes for `shared`.
pub(in super::super) fn start(
    shared: &Arc<Shared>,
    store: Arc<Mutex<Sqlite>>,
    retention: Option<Duration>,
) -> std::io::Result<JoinHandle<()>> {
    let (jobs, weak) = (Arc::clone(&shared.store_writer), Arc::downgrade(shared));
    let work = move || {
        let work = Work {
            store,
            jobs,
            shared: weak,
            retention,
            maintained_at: None,
            doubted: false,
            untidy: false,
            tidies: false,
        };
        work.run();
    };
    thread::Builder::new().name("store writer".into()).spawn(work)
}

/// The next task of the thread.
enum Next {
    File(FileWrite),
    /// Write these.
    Batch(Vec<QueuedWrite>),
    /// Let the store tidy up.
    Tidy,
    /// When to check the clock and delete old messages.
    Maintain,
    /// End, because the program ends and nothing is left.
    End,
}

/// The state of the thread.
struct Work {
    store: Arc<Mutex<Sqlite>>,
    jobs: Arc<WriterQueue>,
    shared: Weak<Shared>,
    retention: Option<Duration>,
    /// The last time that old messages were deleted under a clock that was right.
    maintained_at: Option<Instant>,
    /// Whether the user was told that the clock may be wrong.
    doubted: bool,
    /// Messages were forgotten, and the store may have something to tidy up.
    untidy: bool,
    /// It did so just now, without a batch since.
    tidies: bool,
}

impl Drop for Work {
    /// Wakes the threads that wait for the thread to end, however it ends.
    fn drop(&mut self) {
        self.jobs.queue.lock().ended = true;
        self.jobs.emptied.notify_all();
    }
}

impl Work {
    fn run(mut self) {
        self.maintain();
        while let Some(batch) = self.next_batch() {
            self.write(batch);
            self.maintain();
        }
    }

    /// Waits for something to write; `None` when the program ends and nothing is left. The store
    /// tidies up meanwhile.
    fn next_batch(&mut self) -> Option<Vec<QueuedWrite>> {
        loop {
            match self.wait() {
                Next::Batch(batch) => return Some(batch),
                Next::File(write) => {
                    write();
                    if let Some(shared) = self.shared.upgrade() {
                        shared.events.put(Event::ContactsChanged, None);
                    }
                    continue;
                }
                Next::End => return None,
                Next::Maintain => {
                    self.maintain();
                    continue;
                }
                Next::Tidy => {}
            }
            self.tidies = true;
            let tidied = self.store.lock().tidy();
            self.untidy = match tidied {
                Ok(more) => more,
                Err(error) => {
                    // It tries again when something else is forgotten.
                    log::warn!("forgotten messages may still be in the file: {error}");
                    false
                }
            };
        }
    }

    fn wait(&mut self) -> Next {
        let mut queue = self.jobs.queue.lock();
        let now = Instant::now();
        let idle_at = now + if self.tidies { Duration::ZERO } else { IDLE_AFTER };
        let maintain_at = now + MAINTENANCE_INTERVAL;
        loop {
            if let Some(write) = queue.files.pop_front() {
                return Next::File(write);
            }
            if !queue.is_empty() {
                let seen_at = now + SEEN_WITHIN;
                while !queue.is_urgent && !self.jobs.filled.wait_until(&mut queue, seen_at).timed_out() {}
                return Next::Batch(self.jobs.next_batch(&mut queue));
            }
            if queue.stopping {
                return Next::End;
            }
            if !self.untidy {
                if self.jobs.filled.wait_until(&mut queue, maintain_at).timed_out() && queue.is_empty() {
                    return Next::Maintain;
                }
            } else if self.jobs.filled.wait_until(&mut queue, idle_at).timed_out() && queue.is_empty() {
                return Next::Tidy;
            }
        }
    }

    /// Writes a batch and passes the results on.
    fn write(&mut self, batch: Vec<QueuedWrite>) {
        self.tidies = false;
        let clock = clock();
        let results = write_batch(batch, |ops| self.apply(ops, clock));
        self.jobs.is_written();
        let Some(shared) = self.shared.upgrade() else { return };
        for (write, result) in results {
            if result.is_err() || !matches!(write.report_to, ReportTo::CoreOnError) {
                shared.step(|step| step.wrote(write, result));
            }
        }
    }

    /// Writes, and waits for another process that has locked the file: `p2p-chat history --forget`
    /// may take a while.
    fn apply(&mut self, writes: &[StoreOp], clock: u64) -> Result<Vec<StoreResult>, StoreError> {
        let until = Instant::now() + BUSY_WITHIN;
        loop {
            let done = self.store.lock().apply(writes, clock);
            match done {
                Err(StoreError::Busy) if Instant::now() < until && !self.jobs.queue.lock().stopping => {}
                done => return done,
            }
        }
    }

    /// Checks the clock. If it is right, deletes messages older than `--keep-history` once an hour.
    fn maintain(&mut self) {
        let clock = clock();
        self.check_clock(clock);
        let Some(retention) = self.retention.filter(|_| !self.doubted) else { return };
        if self.maintained_at.is_some_and(|at| at.elapsed() < MAINTENANCE_INTERVAL) {
            return;
        }
        self.maintained_at = Some(Instant::now());
        let until = clock.saturating_sub(u64::try_from(retention.as_millis()).unwrap_or(u64::MAX));
        let old = Selection { with: None, since: None, until: Some(until) };
        let forgotten = self.store.lock().apply(&[StoreOp::Forget(old)], clock);
        match forgotten {
            Ok(_) => self.untidy = true,
            Err(error) => log::warn!("old messages could not be forgotten: {error}"),
        }
    }

    /// Tells the user if the clock has become doubtful.
    fn check_clock(&mut self, clock: u64) {
        let noted = self.store.lock().note_clock(clock);
        match noted {
            Ok(None) => self.doubted = false,
            Ok(Some(noted)) => {
                if !std::mem::replace(&mut self.doubted, true)
                    && let Some(shared) = self.shared.upgrade()
                {
                    shared.step(|step| step.clock_doubted(clock, noted));
                }
            }
            // The doubt stays as it was.
            Err(error) => log::warn!("the clock could not be recorded: {error}"),
        }
    }
}
