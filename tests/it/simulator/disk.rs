//! The disk of somebody who has a key, and who writes to it as src/runtime/store_writer.rs does, without a thread: all that waits is applied in one
//! go, some time later, and some time after that the rules are told. A kill loses what is not applied, and the rules what they were not told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use p2p_chat::core::{Output, WriteId};
use p2p_chat::model::stored::{RowId, StoreOp, StoreResult};
use p2p_chat::store::{Sqlite, Store, StoreError};
use parking_lot::Mutex;

use super::ledger::Ledger;
use super::messages::Turn;
use super::ours::Cause;
use super::peer::Pid;
use super::world::{Event, World};

/// What is written in one go at most, and what may wait for it in a world of this size; the first is that of src/runtime/store_writer.rs, which nobody
/// outside can name.
const MAX_BATCH: usize = 512;
const MAX_WAITING: usize = 4_096;

/// Milliseconds between a message on the screen and the note that it was shown.
const NOTED_AFTER: (usize, usize) = (0, 300);

/// Something to be written.
#[derive(Debug)]
enum Job {
    StoreOp(Option<WriteId>, StoreOp),
    Take(Turn, StoreOp),
}

/// What of a disk outlives the process.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) store: Arc<Mutex<Sqlite>>,
    /// It is there for the next life; otherwise it is written at once, and gone with the process.
    pub(super) durable: bool,
    /// How long a text waits.
    pub(super) expire: Duration,
    /// What is known to be on it.
    pub(super) ledger: Ledger,
}

/// The disk of a process.
pub(super) struct Disk {
    pub(super) kept: Kept,
    queue: VecDeque<Job>,
    /// What was applied or failed, of which the rules are not told yet.
    applied: Vec<(Job, Result<StoreResult, StoreError>)>,
    at_work: bool,
    /// Nothing can be written until then.
    full_until: Duration,
    /// Messages that are on the screen, of which nobody has noted it.
    shown: Vec<RowId>,
}

impl Disk {
    pub(super) fn new(kept: Kept) -> Self {
        Self {
            kept,
            queue: VecDeque::new(),
            applied: Vec::new(),
            at_work: false,
            full_until: Duration::ZERO,
            shown: Vec::new(),
        }
    }

    /// Whether everything about messages is applied and told. That a peer was seen is written at any
    /// time.
    pub(super) fn is_idle(&self) -> bool {
        let is_done = |job: &Job| matches!(job, Job::StoreOp(_, StoreOp::Seen { .. }));
        self.queue.iter().all(is_done)
            && self.applied.iter().all(|(job, _)| is_done(job))
            && self.shown.is_empty()
    }

    /// Applies these, all or none, and takes note of what is on the disk now.
    fn apply(&mut self, writes: &[StoreOp], clock: u64) -> Result<Vec<StoreResult>, StoreError> {
        let written = self.kept.store.apply(writes, clock)?;
        writes.iter().zip(&written).for_each(|(write, written)| self.kept.ledger.wrote(write, written));
        Ok(written)
    }
}

impl World {
    /// Milliseconds since 1970.
    pub(super) fn clock(&self) -> u64 {
        1_800_000_000_000 + u64::try_from(self.now.as_millis()).expect("64 bits")
    }

    pub(super) fn disk(&self, pid: Pid) -> &Disk {
        &self.ours(pid).keyed.disk
    }

    pub(super) fn disk_mut(&mut self, pid: Pid) -> &mut Disk {
        &mut self.ours_mut(pid).keyed.disk
    }

    /// The rules want something written: `StoreWriter::write`. What follows at once is returned.
    pub(super) fn writes(&mut self, pid: Pid, id: Option<WriteId>, write: StoreOp) -> Vec<Output> {
        self.check_write(pid, &write);
        self.note_called(&write);
        if self.disk_mut(pid).kept.durable {
            self.puts(pid, Job::StoreOp(id, write));
            return Vec::new();
        }
        let (clock, now) = (self.clock(), self.now);
        let result = self.disk_mut(pid).apply(&[write], clock).map(drop);
        let ours = self.ours_mut(pid);
        let time = ours.time(now);
        match (id, result) {
            (Some(id), result) => ours.state.stored(id, result, time),
            (None, Err(error)) => ours.state.storing_failed(error, time),
            (None, Ok(())) => Vec::new(),
        }
    }

    /// Texts came that are to be written down: `Shared::take`. The answer is given when that is done.
    pub(super) fn writes_down(&mut self, pid: Pid, turn: Turn, write: StoreOp) {
        if self.disk_mut(pid).kept.durable {
            return self.puts(pid, Job::Take(turn, write));
        }
        let clock = self.clock();
        let result = self.disk_mut(pid).apply(&[write], clock).map(|mut written| written.remove(0));
        self.wrote_down(pid, turn, result);
    }

    fn puts(&mut self, pid: Pid, job: Job) {
        let disk = self.disk_mut(pid);
        disk.queue.push_back(job);
        let waiting = disk.queue.len();
        if !std::mem::replace(&mut disk.at_work, true) {
            let after = self.random.ms(0, self.plan.disk);
            self.later(after, Event::Applies(pid));
        }
        if waiting > MAX_WAITING {
            self.fail(pid, format_args!("has {waiting} things to be written"));
        }
    }

    /// What waits is applied, in one go.
    pub(super) fn applies(&mut self, pid: Pid) {
        if !self.processes[pid].alive {
            return;
        }
        if self.processes[pid].stopped.is_some() {
            return self.later(Duration::from_millis(500), Event::Applies(pid));
        }
        self.applies_now(pid);
        let after = self.random.ms(0, 3);
        self.later(after, Event::Applied(pid));
    }

    fn applies_now(&mut self, pid: Pid) {
        let (now, clock) = (self.now, self.clock());
        if self.random.in_thousand(self.plan.disk_full) {
            let until = now + self.random.ms(0, 20_000);
            self.disk_mut(pid).full_until = until;
        }
        let one_by_one = self.random.in_thousand(self.plan.disk_full);
        let most = if self.random.in_thousand(300) { self.random.within(1, 3) } else { MAX_BATCH };
        let disk = self.disk_mut(pid);
        let is_full = disk.full_until > now;
        let count = disk.queue.len().min(most);
        let batch: Vec<Job> = disk.queue.drain(..count).collect();
        let writes: Vec<StoreOp> = batch.iter().map(write_of).collect();
        let results: Vec<Result<StoreResult, StoreError>> = if is_full || one_by_one {
            // Not in one go; one by one, as src/runtime/store_writer.rs tries it then, some can be written.
            let fails: Vec<bool> = writes.iter().map(|_| is_full || self.random.in_thousand(500)).collect();
            self.count("disk: failed");
            let disk = self.disk_mut(pid);
            let one = |(write, fails): (&StoreOp, bool)| {
                if fails {
                    disk.kept.ledger.failed(write);
                    return Err(StoreError::Full);
                }
                disk.apply(std::slice::from_ref(write), clock).map(|mut written| written.remove(0))
            };
            writes.iter().zip(fails).map(one).collect()
        } else {
            let written = disk.apply(&writes, clock).expect("memory takes everything");
            written.into_iter().map(Ok).collect()
        };
        if count > 1 {
            self.count("disk: several at once");
        }
        self.disk_mut(pid).applied = batch.into_iter().zip(results).collect();
    }

    /// The rules are told what was applied.
    pub(super) fn applied(&mut self, pid: Pid) {
        if !self.processes[pid].alive {
            return;
        }
        if self.processes[pid].stopped.is_some() {
            return self.later(Duration::from_millis(500), Event::Applied(pid));
        }
        self.tells_applied(pid);
        if self.disk_mut(pid).queue.is_empty() {
            self.disk_mut(pid).at_work = false;
        } else {
            let after = self.random.ms(0, self.plan.disk);
            self.later(after, Event::Applies(pid));
        }
    }

    fn tells_applied(&mut self, pid: Pid) {
        for (job, result) in std::mem::take(&mut self.disk_mut(pid).applied) {
            self.trace.note(format_args!("{:?} {pid} applied {job:?}: {result:?}", self.now));
            match job {
                Job::Take(turn, _) => self.wrote_down(pid, turn, result),
                Job::StoreOp(Some(id), _) => {
                    let result = result.map(drop);
                    self.with_state(pid, Cause::Written, |state, now| ((), state.stored(id, result, now)));
                }
                Job::StoreOp(None, _) => {
                    if let Err(error) = result {
                        self.with_state(pid, Cause::Written, |state, now| {
                            ((), state.storing_failed(error, now))
                        });
                    }
                }
            }
            self.turn_over(pid);
        }
    }

    /// A message is on the screen, which is noted a little later.
    pub(super) fn on_screen(&mut self, pid: Pid, row: RowId) {
        let disk = self.disk_mut(pid);
        disk.shown.push(row);
        if disk.shown.len() == 1 {
            let after = self.random.ms(NOTED_AFTER.0, NOTED_AFTER.1);
            self.later(after, Event::NotesShown(pid));
        }
    }

    /// `Node::shown`.
    pub(super) fn notes_shown(&mut self, pid: Pid) {
        if !self.processes[pid].alive {
            return;
        }
        if self.processes[pid].stopped.is_some() {
            return self.later(Duration::from_millis(500), Event::NotesShown(pid));
        }
        let rows = std::mem::take(&mut self.disk_mut(pid).shown);
        if !rows.is_empty() {
            self.writes(pid, None, StoreOp::MarkShown(rows));
        }
    }

    /// A program that has said goodbye ends: it takes nothing more, and writes down what there is to be.
    pub(super) fn ends(&mut self, pid: Pid) {
        let process = &self.processes[pid];
        if process.alive && process.stopped.is_none() {
            self.ours_mut(pid).state.close();
            self.notes_shown(pid);
            while !self.disk_mut(pid).is_idle() {
                self.tells_applied(pid);
                self.applies_now(pid);
                self.tells_applied(pid);
            }
            self.with_pool(pid, |pool, now, handler| pool.close(now, handler));
        }
        self.kill(pid);
    }
}

fn write_of(job: &Job) -> StoreOp {
    match job {
        Job::StoreOp(_, write) | Job::Take(_, write) => write.clone(),
    }
}
