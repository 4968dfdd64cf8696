//! Takes the results of writes.

use std::time::Duration;

use super::State;
use super::event::{Event, Output};
use super::outbox::WriteId;
use super::time::Time;
use crate::model::stored::{StoreError, StoreOp};

/// How often the user is told that something cannot be stored.
const TELL_SPACING: Duration = Duration::from_secs(60);

impl State {
    /// Has something stored that nothing waits for.
    pub(super) fn write(&mut self, write: StoreOp) {
        self.act(Output::Store(None, write));
    }

    /// Takes the result of a write.
    pub fn stored(&mut self, id: WriteId, result: Result<(), StoreError>, now: Time) -> Vec<Output> {
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
    pub fn storing_failed(&mut self, why: StoreError, now: Time) -> Vec<Output> {
        self.not_stored(why, now);
        self.done()
    }

    /// Handles a clock of this machine that is far from the recorded one. Both are in milliseconds
    /// since 1970.
    pub fn clock_doubted(&mut self, clock: u64, noted: u64) -> Vec<Output> {
        self.tell(Event::ClockDoubted { clock: clock / 1_000, noted: noted / 1_000 });
        self.done()
    }

    pub(super) fn not_stored(&mut self, why: StoreError, now: Time) {
        let told_at = &mut self.not_stored_told_at;
        if told_at.is_none_or(|at| now.since(at) >= TELL_SPACING) {
            *told_at = Some(now);
            self.tell(Event::NotStored(why));
        }
    }
}
