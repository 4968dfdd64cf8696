//! Idle talks, none of which holds a thread: one thread waits for all of them.
//!
//! Whoever has said what there was to say gives its talk to be kept. When something comes on it, or its time is over, a thread of the crew
//! attends to it; or somebody takes it who has something to say. Where there are too many, the one that would end first goes.

mod state;

use std::net::TcpStream;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use self::state::{Entry, State};
use super::bell::{Bell, Waited};
use super::crew::Crew;
use crate::model::address::Source;
use crate::model::key::PublicKey;
use crate::model::session::ByeReason;
use crate::net::STACK_BYTES;

/// Something that can be kept.
pub(super) trait Kept: Send + 'static {
    /// With whom it is.
    fn key(&self) -> PublicKey;
    /// Its connection, on which it is seen when something comes.
    fn stream(&self) -> &Arc<TcpStream>;
    /// When it is to be attended to even if nothing comes.
    fn until(&self) -> Instant;
    /// Who opened it, if others do: whoever has most makes room.
    fn source(&self) -> Option<Source>;
    /// Ends it in good order, at once, for this reason if the other side is to know one.
    fn part(self, bye: Option<ByeReason>);
}

/// Why a talk is attended to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    /// Something has come, or its time is over.
    Due,
    /// It has to make room for another, at once.
    Displaced,
    /// There is another with the same key, and one is enough.
    Replaced,
}

/// What is to be done with a talk that was attended to.
pub(super) enum Then<T> {
    /// Keep it until it is due.
    Keep(T),
    /// Attend to it again, after others that are due.
    Again(T),
    /// It has ended.
    Ended,
}

/// Keeps idle talks.
pub(super) struct Keeper<T: Kept> {
    shared: Arc<Shared<T>>,
}

struct Shared<T: Kept> {
    most: usize,
    /// The thread that waits does not look at a talk that is kept for less than this: whoever says one thing after the other takes it again.
    rest: Duration,
    attend: Box<dyn Fn(T, Why) -> Then<T> + Send + Sync>,
    crew: Crew<(T, Why)>,
    /// Of the thread that waits; none until there is something to wait for.
    bell: OnceLock<Bell>,
    state: Mutex<State<T>>,
    ended: Condvar,
}

impl<T: Kept> Keeper<T> {
    /// Keeps at most so many, which may rest for so long before anything that comes is noticed, and are attended to in threads of that name,
    /// at most so many.
    pub(super) fn new(
        (most, rest): (usize, Duration),
        (name, threads): (&'static str, usize),
        attend: impl Fn(T, Why) -> Then<T> + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new_cyclic(|weak: &Weak<Shared<T>>| {
            let own = Weak::clone(weak);
            Shared {
                most,
                rest,
                attend: Box::new(attend),
                crew: Crew::new(name, threads, move |(talk, why)| {
                    if let Some(shared) = own.upgrade() {
                        shared.attend(talk, why);
                    }
                }),
                bell: OnceLock::new(),
                state: Mutex::default(),
                ended: Condvar::new(),
            }
        });
        Self { shared }
    }

    /// Keeps a talk.
    pub(super) fn keep(&self, talk: T) {
        self.shared.keep(talk);
    }

    /// Takes the talk with this key, if one is kept.
    pub(super) fn take(&self, key: &PublicKey) -> Option<T> {
        let mut state = self.shared.state.lock();
        let id = *state.of_key.get(key)?;
        state.remove(id)
    }

    /// Attends to a new talk on this thread, for a while; it counts among those that are kept. It is given back where there are too many, all
    /// of which are busy.
    pub(super) fn begin(&self, talk: T) -> Result<(), T> {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        if state.stopping {
            return Err(talk);
        }
        let displaced = state.displaced(shared.most);
        if state.kept.len() + state.busy >= shared.most {
            return Err(talk);
        }
        state.busy += 1;
        drop(state);
        shared.end(displaced, Why::Displaced);
        shared.attend(talk, Why::Due);
        Ok(())
    }

    /// Ends all with this key that are kept, for this reason.
    pub(super) fn part(&self, key: &PublicKey, bye: ByeReason) {
        let mut state = self.shared.state.lock();
        let of_key = state.kept.iter().filter(|(_, entry)| entry.talk.key() == *key);
        let ids: Vec<u64> = of_key.map(|(id, _)| *id).collect();
        let all: Vec<T> = ids.into_iter().filter_map(|id| state.remove(id)).collect();
        drop(state);
        all.into_iter().for_each(|talk| talk.part(Some(bye)));
    }

    /// How many are kept, and how many threads that takes.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        let state = self.shared.state.lock();
        (state.kept.len(), self.shared.crew.threads() + usize::from(state.watched))
    }

    /// Keeps nothing more, and waits for its threads until `deadline`. Given back is what was kept.
    pub(super) fn stop(&self, deadline: Instant) -> Vec<T> {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        state.stopping = true;
        state.of_key.clear();
        let mut left: Vec<T> = state.kept.drain().map(|(_, entry)| entry.talk).collect();
        drop(state);
        if let Some(bell) = shared.bell.get() {
            bell.ring();
        }
        left.extend(shared.crew.stop(deadline).into_iter().map(|(talk, _)| talk));
        let mut state = shared.state.lock();
        while state.watched && !shared.ended.wait_until(&mut state, deadline).timed_out() {}
        left
    }
}

impl<T: Kept> Shared<T> {
    fn keep(self: &Arc<Self>, talk: T) {
        let mut state = self.state.lock();
        if state.stopping || !self.watch(&mut state) {
            drop(state);
            return talk.part(Some(ByeReason::Idle));
        }
        let displaced = state.displaced(self.most);
        let (until, rests_until) = (talk.until(), Instant::now() + self.rest);
        state.last_id += 1;
        let id = state.last_id;
        let before = state.of_key.insert(talk.key(), id).filter(|_| talk.source().is_none());
        state.kept.insert(id, Entry { talk, until, rests_until });
        let replaced = before.and_then(|id| state.remove(id));
        let is_late = state.waits_until.is_none_or(|waits| rests_until < waits);
        if is_late {
            state.waits_until = Some(rests_until);
        }
        drop(state);
        if let Some(bell) = self.bell.get().filter(|_| is_late) {
            bell.ring();
        }
        self.end(displaced, Why::Displaced);
        self.end(replaced, Why::Replaced);
    }

    /// Ends one that was kept.
    fn end(&self, talk: Option<T>, why: Why) {
        if let Some(talk) = talk {
            (self.attend)(talk, why);
        }
    }

    /// Attends to a talk that is busy.
    fn attend(self: &Arc<Self>, talk: T, why: Why) {
        // Counted out also where attending panics.
        let busy = Busy(self);
        match (self.attend)(talk, why) {
            Then::Keep(talk) => {
                drop(busy);
                self.keep(talk);
            }
            Then::Again(talk) => {
                self.state.lock().busy += 1;
                self.crew.push((talk, Why::Due));
            }
            Then::Ended => {}
        }
    }

    /// Sees to it that a thread waits; whether one does.
    fn watch(self: &Arc<Self>, state: &mut MutexGuard<'_, State<T>>) -> bool {
        if state.watched {
            return true;
        }
        if self.bell.get().is_none() {
            match Bell::new() {
                Ok(bell) => drop(self.bell.set(bell)),
                Err(error) => {
                    log::warn!("no connection can be kept: {error}");
                    return false;
                }
            }
        }
        let shared = Arc::clone(self);
        let builder = thread::Builder::new().name("keeper".into()).stack_size(STACK_BYTES);
        match builder.spawn(move || shared.wait()) {
            Ok(_) => state.watched = true,
            Err(error) => log::warn!("no thread to keep connections with: {error}"),
        }
        state.watched
    }

    /// What the thread does that waits. With nothing to wait for it sleeps until something is put here.
    fn wait(&self) {
        let Some(bell) = self.bell.get() else { return };
        let mut waited = Waited::new();
        let mut state = self.state.lock();
        while !state.stopping {
            let (due, until) = state.look(Instant::now(), &mut waited);
            state.waits_until = until;
            let ready = MutexGuard::unlocked(&mut state, || {
                due.into_iter().for_each(|talk| self.crew.push((talk, Why::Due)));
                bell.wait(&waited, until)
            });
            let come = waited.drain(..).enumerate().filter_map(|(index, (id, stream))| {
                (state.kept.contains_key(&id) && ready.has(index, &stream)).then(|| state.remove(id))?
            });
            let come: Vec<T> = come.collect();
            state.busy += come.len();
            MutexGuard::unlocked(&mut state, || {
                come.into_iter().for_each(|talk| self.crew.push((talk, Why::Due)));
            });
        }
        state.watched = false;
        self.ended.notify_all();
    }
}

/// A talk that is attended to.
struct Busy<'a, T: Kept>(&'a Shared<T>);

impl<T: Kept> Drop for Busy<'_, T> {
    fn drop(&mut self) {
        self.0.state.lock().busy -= 1;
    }
}

#[cfg(test)]
mod tests;
