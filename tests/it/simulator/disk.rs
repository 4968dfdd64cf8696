//! The disk of a person, written as src/runtime/store_writer.rs does, without a thread: all writes
//! that wait are applied at once, some time later, and the core is told some time after that. A
//! kill loses what is not applied, and the core what it was not told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use p2p_chat::model::stored::{RowId, StoreOp, StoreResult};
use p2p_chat::runtime::{QueuedWrite, write_batch};
use p2p_chat::store::{Sqlite, StoreError};
use parking_lot::Mutex;

use super::ledger::Ledger;
use super::ours::Cause;
use super::peer::Pid;
use super::world::{Event, World};

/// Writes in one commit, as in src/runtime/store_writer.rs, and writes that may wait in a world of
/// this size.
const MAX_BATCH: usize = 512;
const MAX_WAITING: usize = 4_096;

/// Milliseconds between a message on the screen and the note that it was shown.
const NOTED_AFTER: (usize, usize) = (0, 300);

/// The part of a disk that outlives the process.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) store: Arc<Mutex<Sqlite>>,
    /// Whether the next run finds it.
    pub(super) durable: bool,
    /// How long a message waits.
    pub(super) expire: Duration,
    pub(super) ledger: Ledger,
}

/// The disk of a process.
pub(super) struct Disk {
    pub(super) image: Image,
    queue: VecDeque<QueuedWrite>,
    /// Writes that were applied or failed, and of which the core is not told yet.
    applied: Vec<(QueuedWrite, Result<StoreResult, StoreError>)>,
    at_work: bool,
    /// It is full until then.
    full_until: Duration,
    /// Messages on the screen that are not noted yet.
    shown: Vec<RowId>,
}

impl Disk {
    pub(super) fn new(image: Image) -> Self {
        Self {
            image,
            queue: VecDeque::new(),
            applied: Vec::new(),
            at_work: false,
            full_until: Duration::ZERO,
            shown: Vec::new(),
        }
    }

    /// Whether all writes about messages are applied and told. That a peer was seen is written at
    /// any time.
    pub(super) fn is_idle(&self) -> bool {
        let is_done = |write: &QueuedWrite| matches!(write.op, StoreOp::Seen { .. });
        self.queue.iter().all(is_done)
            && self.applied.iter().all(|(write, _)| is_done(write))
            && self.shown.is_empty()
    }

    /// Applies all writes or none, and notes what is on the disk now.
    fn apply(&mut self, writes: &[StoreOp], clock: u64) -> Result<Vec<StoreResult>, StoreError> {
        let written = self.image.store.lock().apply(writes, clock)?;
        writes.iter().zip(&written).for_each(|(write, written)| self.image.ledger.wrote(write, written));
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

    pub(super) fn writes(&mut self, pid: Pid, op: &StoreOp) {
        self.check_write(pid, op);
        self.note_called(op);
        if let StoreOp::Incoming { from, .. } = op {
            self.note_sign(pid, *from);
        }
    }

    /// Queues a write.
    pub(super) fn puts(&mut self, pid: Pid, write: QueuedWrite) {
        let disk = self.disk_mut(pid);
        disk.queue.push_back(write);
        let waiting = disk.queue.len();
        if !std::mem::replace(&mut disk.at_work, true) {
            let after = self.random.ms(0, self.plan.disk);
            self.later(after, Event::Applies(pid));
        }
        if waiting > MAX_WAITING {
            self.fail(pid, format_args!("has {waiting} things to be written"));
        }
    }

    /// Applies the writes that wait.
    pub(super) fn applies(&mut self, pid: Pid) {
        if !self.processes[pid].alive {
            return;
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
        let batch: Vec<QueuedWrite> = disk.queue.drain(..count).collect();
        // Memory is never full.
        let is_bad = (is_full || one_by_one) && disk.image.durable;
        // All together fail; one by one, some succeed.
        let fails = |_: &QueuedWrite| is_bad && (is_full || self.random.in_thousand(500));
        let mut fails: VecDeque<bool> = batch.iter().map(fails).collect();
        if is_bad {
            self.count("disk: failed");
        }
        let disk = self.disk_mut(pid);
        let applied = write_batch(batch, |ops| match ops {
            [op] if fails.pop_front() == Some(true) => {
                disk.image.ledger.failed(op);
                Err(StoreError::Full)
            }
            [_, _, ..] if is_bad => Err(StoreError::Full),
            _ => Ok(disk.apply(ops, clock).expect("the simulated disk is in memory")),
        });
        disk.applied = applied;
        if count > 1 {
            self.count("disk: several at once");
        }
    }

    /// Applies all writes and tells the core, without any time passing.
    pub(super) fn disk_catches_up(&mut self, pid: Pid) {
        self.tells_applied(pid);
        while !self.disk(pid).queue.is_empty() {
            self.applies_now(pid);
            self.tells_applied(pid);
        }
    }

    /// Tells the core what was applied.
    pub(super) fn applied(&mut self, pid: Pid) {
        if !self.processes[pid].alive {
            return;
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
        for (write, result) in std::mem::take(&mut self.disk_mut(pid).applied) {
            self.trace.note(format_args!("{:?} {pid} applied {write:?}: {result:?}", self.now));
            if let StoreOp::Incoming { from, messages, .. } = &write.op {
                let (key, messages) = (*from, messages.clone());
                let (_, done) = self.step(pid, Cause::Met, |step| step.wrote(write, result));
                self.check_shown(pid, key, &messages, done);
            } else {
                self.step(pid, Cause::Written, |step| step.wrote(write, result));
            }
            self.turn_over(pid);
        }
    }

    /// Notes a little later that a message is on the screen.
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
        let rows = std::mem::take(&mut self.disk_mut(pid).shown);
        if !rows.is_empty() {
            self.step(pid, Cause::Written, |step| step.store(StoreOp::MarkShown(rows)));
        }
    }

    /// Ends a program that has said goodbye: it takes nothing more, and writes all that waits.
    pub(super) fn ends(&mut self, pid: Pid) {
        let process = &self.processes[pid];
        if process.alive && process.stopped.is_none() {
            self.ours_mut(pid).machine.close();
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
