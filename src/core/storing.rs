//! Takes the results of writes, and makes goodbyes wait for them.

use std::time::Duration;

use super::State;
use super::event::{Event, OpId, Output};
use super::outbox::WriteId;
use super::time::Time;
use crate::model::peer_id::Recipient;
use crate::model::stored::{StoreError, StoreOp};

/// How often the user is told that something cannot be stored.
const TELL_SPACING: Duration = Duration::from_secs(60);

/// How long leaving waits until what was entered is stored; a disk that takes longer has stopped.
const STORED_WITHIN: Duration = Duration::from_millis(900);

/// A goodbye that waits until what was entered is stored.
#[derive(Debug)]
struct Goodbye {
    to: Recipient,
    op: OpId,
    deadline: Option<Time>,
}

/// Goodbyes that wait until what was entered is stored and on its way, so that they go behind it.
#[derive(Debug, Default)]
pub(super) struct Goodbyes {
    /// The program ends, and goodbyes wait until then at most.
    until: Option<Time>,
    /// The command to leave, whose goodbyes all wait.
    leave: Option<OpId>,
    /// Further goodbyes.
    waiting: Vec<Goodbye>,
    /// When the user was last told that something cannot be stored.
    told_at: Option<Time>,
}

impl State {
    /// Has something stored that nothing waits for.
    pub(super) fn write(&mut self, write: StoreOp) {
        self.act(Output::Store(None, write));
    }

    /// Takes the result of a write.
    pub fn written(&mut self, id: WriteId, result: Result<(), StoreError>, now: Time) -> Vec<Output> {
        let is_refused = self.outbox.stored(id, &result, now);
        self.carry_out(now);
        // A message that is refused has its own line.
        if let Some(why) = result.err().filter(|_| !is_refused) {
            self.not_stored(why, now);
        }
        self.serve_due(now);
        self.leaves_on(now);
        self.settle_watches(now);
        self.done()
    }

    /// Takes the error of a write that nothing waits for.
    pub fn failed_to_write(&mut self, why: StoreError, now: Time) -> Vec<Output> {
        self.not_stored(why, now);
        self.done()
    }

    pub(super) fn not_stored(&mut self, why: StoreError, now: Time) {
        let told_at = &mut self.goodbyes.told_at;
        if told_at.is_none_or(|at| now.since(at) >= TELL_SPACING) {
            *told_at = Some(now);
            self.tell(Event::NotStored(why));
        }
    }

    /// The program ends. Returns whether its goodbyes wait for the store.
    pub(super) fn leaves_once_stored(&mut self, op: OpId, now: Time) -> bool {
        self.goodbyes.until = Some(now.plus(STORED_WITHIN));
        let waits = self.outbox.is_storing();
        if waits {
            self.goodbyes.leave = Some(op);
        }
        waits
    }

    /// Makes a goodbye wait if it has to go behind a message that is being stored. Returns whether
    /// it waits.
    pub(super) fn postpones(&mut self, to: Recipient, op: OpId, deadline: Option<Time>) -> bool {
        let waits = self.goodbyes.until.is_some() && self.outbox.is_storing();
        if waits {
            self.goodbyes.waiting.push(Goodbye { to, op, deadline });
        }
        waits
    }

    /// When goodbyes wait no longer.
    pub(super) fn leaves_by(&self) -> Option<Time> {
        let waits = self.goodbyes.leave.is_some() || !self.goodbyes.waiting.is_empty();
        self.goodbyes.until.filter(|_| waits)
    }

    /// Says the goodbyes if what was entered is stored, or that takes too long.
    pub(super) fn leaves_on(&mut self, now: Time) {
        let is_late = self.goodbyes.until.is_some_and(|by| by <= now);
        if self.outbox.is_storing() && self.goodbyes.until.is_some() && !is_late {
            return;
        }
        if is_late {
            self.goodbyes.until = None;
        }
        let leave = self.goodbyes.leave.take();
        let waiting = std::mem::take(&mut self.goodbyes.waiting);
        if let Some(op) = leave {
            self.serve_due(now);
            self.say_goodbyes(op, now);
        }
        for Goodbye { to, op, deadline } in waiting {
            self.say_goodbye(to, op, deadline);
        }
    }
}
