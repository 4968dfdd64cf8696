//! Many dialed connections at once: bounded threads, and for each peer one message after the other.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::STACK_BYTES;
use super::dial::{self, Identity, Said};
use super::errand::{Errand, Report};
use crate::model::address::PeerAddr;
use crate::model::message::{SendError, SendResult};

/// Threads that dial at once at most. Peers that never answer hold one for seconds each; with this many, five hundred
/// such still delay nobody, and each thread costs some tens of kilobytes only while it is needed.
pub const MAX_DIALERS: usize = 512;

/// Threads that are taken on at once, and again whenever those that there are get stuck. So many dial a thousand peers that
/// answer as quickly as any number does, and a thread costs more than dialing.
const SOME_DIALERS: usize = 32;

/// They are stuck when fewer than half of them have ended an errand within this time: a peer that answers does in a tenth of it.
const STUCK_AFTER: Duration = Duration::from_millis(5);

/// After a thread could not be had, this long passes until the next is asked for.
const SHORT_FOR: Duration = Duration::from_secs(1);

/// Errands under way or waiting at most: three for each peer of a full table.
pub const MAX_ERRANDS: usize = 30_000;

/// The name of the threads in which a panic ends one errand only.
pub(crate) const DIALER: &str = "dialer";

/// An idle thread ends after this long, so that a burst does not hold its threads for ever.
const IDLE_FOR: Duration = Duration::from_secs(5);

type Callback = dyn Fn(Report) + Send + Sync;

/// Dials in threads of its own, as many as are needed and at most [`MAX_DIALERS`]. Messages to one peer go one after
/// the other in the order given; probes wait for nobody.
pub struct Dialer {
    shared: Arc<Shared>,
}

struct Shared {
    identity: Identity,
    report: Arc<Callback>,
    state: Mutex<State>,
    work: Condvar,
    ended: Condvar,
    /// Ends the watch.
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Errand>,
    /// Those whom somebody is talking to, and what else is to be said to them.
    lanes: HashMap<PeerAddr, VecDeque<Errand>>,
    errands: usize,
    /// Threads, those that wait for work, and those that have not begun to.
    threads: usize,
    idle: usize,
    starting: usize,
    /// A thread watches whether the others are stuck.
    watched: bool,
    /// Errands that have ended.
    done: usize,
    stopping: bool,
}

impl Dialer {
    /// A dialer without threads yet. `report` is called from its threads, once for every errand taken.
    pub fn new(identity: Identity, report: impl Fn(Report) + Send + Sync + 'static) -> Self {
        let shared = Shared {
            identity,
            report: Arc::new(report),
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
            stopped: Condvar::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes an errand into the queue, without waiting for anything. [`Dialer::staff`] has to follow.
    ///
    /// # Errors
    /// Gives it back if [`MAX_ERRANDS`] are under way or the dialer is stopping.
    pub fn push(&self, errand: Errand) -> Result<(), Box<Errand>> {
        let mut state = self.shared.state.lock();
        if state.stopping || state.errands >= MAX_ERRANDS {
            return Err(Box::new(errand));
        }
        state.errands += 1;
        if let Some(lane) = errand.queue() {
            if let Some(waiting) = state.lanes.get_mut(&lane) {
                waiting.push_back(errand);
                return Ok(());
            }
            state.lanes.insert(lane, VecDeque::new());
        }
        state.ready.push_back(errand);
        self.shared.work.notify_one();
        Ok(())
    }

    /// Takes on threads for the errands that are ready and have none: `SOME_DIALERS`, and more when these are stuck, as far as
    /// [`MAX_DIALERS`] and the system allow. Errands that find no thread at all are reported as failed.
    pub fn staff(&self) {
        let mut state = self.shared.state.lock();
        take_on(&self.shared, &mut state, SOME_DIALERS);
        if state.lacks_threads() && !state.watched {
            state.watched = true;
            let shared = Arc::clone(&self.shared);
            let watch = thread::Builder::new().name(DIALER.into()).stack_size(STACK_BYTES);
            if let Err(error) = watch.spawn(move || watch_over(&shared)) {
                state.watched = false;
                log::error!("no thread to watch over dialing with: {error}");
            }
        }
    }

    /// Takes no more errands, reports those not begun as cancelled, and waits for the others until `deadline`.
    pub fn stop(&self, deadline: Instant) {
        let mut state = self.shared.state.lock();
        state.stopping = true;
        let cancelled = state.take_all();
        self.shared.work.notify_all();
        self.shared.stopped.notify_all();
        MutexGuard::unlocked(&mut state, || {
            cancelled.into_iter().for_each(|errand| self.shared.fail(errand, SendError::Cancelled));
        });
        while (state.threads > 0 || state.watched)
            && !self.shared.ended.wait_until(&mut state, deadline).timed_out()
        {}
    }
}

impl State {
    /// Whether errands wait for a thread that could be had.
    fn lacks_threads(&self) -> bool {
        !self.stopping && self.threads < MAX_DIALERS && self.ready.len() > self.idle + self.starting
    }

    /// Everything that is not under way yet.
    fn take_all(&mut self) -> Vec<Errand> {
        let mut all: Vec<Errand> = self.ready.drain(..).collect();
        all.extend(self.lanes.drain().flat_map(|(_, lane)| lane));
        self.errands -= all.len();
        all
    }
}

impl Shared {
    fn fail(&self, errand: Errand, failure: SendError) {
        (self.report)(errand.failed(failure));
    }
}

fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    thread::Builder::new().name(DIALER.into()).stack_size(STACK_BYTES).spawn(move || work(&shared)).map(drop)
}

/// Takes on threads for what is ready, up to so many in all; says whether they could be had.
fn take_on(shared: &Arc<Shared>, state: &mut MutexGuard<'_, State>, most: usize) -> bool {
    while state.lacks_threads() && state.threads < most {
        state.threads += 1;
        state.starting += 1;
        let spawned = MutexGuard::unlocked(state, || spawn(shared));
        let Err(error) = spawned else { continue };
        state.threads -= 1;
        state.starting -= 1;
        let helpless = if state.threads == 0 { state.take_all() } else { Vec::new() };
        MutexGuard::unlocked(state, || {
            log::error!("no further thread to dial with: {error}");
            helpless.into_iter().for_each(|errand| shared.fail(errand, SendError::NoResources));
        });
        return false;
    }
    true
}

/// Takes on more threads as often as those that there are get stuck, until there is a thread for everything.
fn watch_over(shared: &Arc<Shared>) {
    let mut state = shared.state.lock();
    let mut pause = STUCK_AFTER;
    while state.lacks_threads() {
        let done = state.done;
        shared.stopped.wait_for(&mut state, pause);
        if state.done.wrapping_sub(done) < (state.threads / 2).max(1) {
            let most = state.threads + SOME_DIALERS;
            pause = if take_on(shared, &mut state, most) { STUCK_AFTER } else { SHORT_FOR };
        }
    }
    state.watched = false;
    shared.ended.notify_all();
}

/// What each thread does until there is nothing to do.
fn work(shared: &Shared) {
    let mut state = shared.state.lock();
    state.starting -= 1;
    loop {
        if let Some(errand) = state.ready.pop_front() {
            MutexGuard::unlocked(&mut state, || {
                if catch_unwind(AssertUnwindSafe(|| run(shared, &errand))).is_err() {
                    log::error!("the report of job {} failed", errand.id);
                }
            });
            state.errands -= 1;
            state.done = state.done.wrapping_add(1);
            if let Some(lane) = errand.queue() {
                next_in_lane(&mut state, lane);
            }
            continue;
        }
        if state.stopping {
            break;
        }
        state.idle += 1;
        let waited = shared.work.wait_for(&mut state, IDLE_FOR);
        state.idle -= 1;
        if waited.timed_out() && state.ready.is_empty() {
            break;
        }
    }
    state.threads -= 1;
    shared.ended.notify_all();
}

/// Whoever has said something to a peer goes on with what waits for it, or closes the lane.
fn next_in_lane(state: &mut State, lane: PeerAddr) {
    match state.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
        Some(next) => state.ready.push_front(next),
        None => drop(state.lanes.remove(&lane)),
    }
}

/// Does an errand. It is reported whatever happens.
fn run(shared: &Shared, errand: &Errand) {
    let done = catch_unwind(AssertUnwindSafe(|| say(shared, errand)));
    (shared.report)(done.unwrap_or_else(|_| errand.broken()));
}

fn say(shared: &Shared, errand: &Errand) -> Report {
    let &Errand { id, ref name, to, fallback, form, ref message, deadline } = errand;
    log::debug!("job {id} to {to}: {message:?}");
    let first = dial::say(&shared.identity, name, to, form, message, deadline);
    let (to, said) = match (&first.result, fallback) {
        // What has had a part of a text is the one meant, whatever becomes of the rest.
        (SendResult::Failed(SendError::Refused), Some(other)) if first.parts.0 == 0 => {
            let second = dial::say(&shared.identity, name, other, form, message, deadline);
            // Only if nothing was sent there either, nothing was sent.
            match second {
                Said { result: SendResult::Failed(_), parts: (0, _), .. } => (to, first),
                second => (other, second),
            }
        }
        _ => (to, first),
    };
    let Said { result, parts, capability } = said;
    Report { id, to, result, parts, capability }
}

#[cfg(test)]
mod tests;
