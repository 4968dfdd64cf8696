//! What the store has taken, or failed to take, and the goodbyes that wait for that.

use std::sync::Arc;
use std::time::Duration;

use super::State;
use super::event::{Event, Output};
use super::outbox::WriteId;
use super::time::Time;
use crate::model::stored::StoreOp;

/// How often the user is told that something cannot be stored.
const TELL_SPACING: Duration = Duration::from_secs(60);

impl State {
    /// Has something stored that nothing waits for.
    pub(super) fn write(&mut self, write: StoreOp) {
        self.act(Output::Store(None, write));
    }

    /// The store has taken something, or cannot, for this reason.
    pub fn written(&mut self, id: WriteId, result: Result<(), Arc<str>>, now: Time) -> Vec<Output> {
        self.outbox.stored(id, result.is_ok(), now);
        self.carry_out(now);
        if let Err(why) = result {
            self.not_kept(why, now);
        }
        self.serve_due(now);
        self.leaves_on(now);
        self.settle_watches(now);
        self.done()
    }

    /// Something that nothing waits for could not be stored.
    pub fn failed_to_write(&mut self, why: Arc<str>, now: Time) -> Vec<Output> {
        self.not_kept(why, now);
        self.done()
    }

    pub(super) fn not_kept(&mut self, why: Arc<str>, now: Time) {
        let told_at = &mut self.not_stored_told_at;
        if told_at.is_none_or(|at| now.since(at) >= TELL_SPACING) {
            *told_at = Some(now);
            self.tell(Event::NotKept(why));
        }
    }
}
