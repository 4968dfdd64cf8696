//! The disk of somebody who has a key, and who writes to it as src/runtime/store_writer.rs does,
//! without a thread: all that waits is applied in one go, some time later, and some time after that
//! the rules are told. A kill loses what is not applied, and the rules what they were not told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use p2p_chat::model::stored::{RowId, StoreOp, StoreResult};
use p2p_chat::runtime::{QueuedWrite, write_batch};
use p2p_chat::store::{Sqlite, Store, StoreError};
use parking_lot::Mutex;

use super::ledger::Ledger;
use super::ours::Cause;
use super::peer::Pid;
use super::world::{Event, World};

/// What is written in one go at most, and what may wait for it in a world of this size; the first
/// is that of src/runtime/store_writer.rs, which nobody outside can name.
const MAX_BATCH: usize = 512;
const MAX_WAITING: usize = 4_096;

/// Milliseconds between a message on the screen and the note that it was shown.
const NOTED_AFTER: (usize, usize) = (0, 300);

/// What of a disk outlives the process.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) store: Arc<Mutex<Sqlite>>,
    /// It is there for the next life; otherwise it is gone with the process.
    pub(super) durable: bool,
    /// How long a text waits.
    pub(super) expire: Duration,
    /// What is known to be on it.
    pub(super) ledger: Ledger,
}

/// The disk of a process.
pub(super) struct Disk {
    pub(super) kept: Kept,
    queue: VecDeque<QueuedWrite>,
    /// What was applied or failed, of which the rules are not told yet.
    applied: Vec<(QueuedWrite, Result<StoreResult, StoreError>)>,
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

    /// Whether everything about messages is applied and told. That a peer was seen is written at
    /// any time.
    pub(super) fn is_idle(&self) -> bool {
        let is_done = |write: &QueuedWrite| matches!(write.op, StoreOp::Seen { .. });
        self.queue.iter().all(is_done)
            && self.applied.iter().all(|(write, _)| is_done(write))
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

    /// Something is about to be written, or was.
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

    /// What waits is applied, in one go.
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
        // Memory takes everything.
        let is_bad = (is_full || one_by_one) && disk.kept.durable;
        // Not in one go; one by one, some can be written.
        let fails = |_: &QueuedWrite| is_bad && (is_full || self.random.in_thousand(500));
        let mut fails: VecDeque<bool> = batch.iter().map(fails).collect();
        if is_bad {
            self.count("disk: failed");
        }
        let disk = self.disk_mut(pid);
        let applied = write_batch(batch, |ops| match ops {
            [op] if fails.pop_front() == Some(true) => {
                disk.kept.ledger.failed(op);
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

    /// What waits is applied, and the rules are told, without any time passing.
    pub(super) fn disk_catches_up(&mut self, pid: Pid) {
        self.tells_applied(pid);
        while !self.disk(pid).queue.is_empty() {
            self.applies_now(pid);
            self.tells_applied(pid);
        }
    }

    /// The rules are told what was applied.
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
        let rows = std::mem::take(&mut self.disk_mut(pid).shown);
        if !rows.is_empty() {
            self.step(pid, Cause::Written, |step| step.store(StoreOp::MarkShown(rows)));
        }
    }

    /// A program that has said goodbye ends: it takes nothing more, and writes down what there is
    /// to be.
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
