//! The unencrypted way out: bounded workers, and for each peer one message after the other.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::STACK_BYTES;
use super::dial::{self, CONNECT_TIMEOUT, Identity, QUICK_CONNECT, Said};
use super::errand::{Errand, Report};
use crate::model::address::PeerAddr;
use crate::model::message::{LOG_TARGET, Outgoing, SendError, SendResult};

/// Workers at most. Of a thousand peers, a hundred may not answer at all. Each of these holds a
/// worker for `QUICK_CONNECT` before the others are served: half a second in all with this many
/// workers, and a second with 32, which is too long for a message to everybody.
pub const MAX_DIALERS: usize = 64;

/// Workers that may take up what lasts long: a second attempt to connect, or a `connect`, whose
/// receipt may take many seconds. The others remain for peers that answer.
const MAX_SLOW: usize = 48;

/// Errands under way or waiting at most: three for each peer of a full table.
pub const MAX_ERRANDS: usize = 30_000;

/// The name of the workers. A panic in one ends one errand only.
pub(crate) const DIALER: &str = "dialer";

/// A worker without work ends after this long.
const IDLE_FOR: Duration = Duration::from_secs(5);

type Callback = dyn Fn(Report) + Send + Sync;

/// Dials in workers of its own, as many as are needed and at most [`MAX_DIALERS`]. Messages to one
/// peer go one after the other in the order given; probes do not wait.
pub struct Dialer {
    shared: Arc<Shared>,
}

struct Shared {
    identity: Identity,
    report: Arc<Callback>,
    state: Mutex<State>,
    work: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Errands that are over soon.
    ready: VecDeque<Task>,
    /// Errands that may last long: at most [`MAX_SLOW`] are under way.
    slow: VecDeque<Task>,
    slow_under_way: usize,
    /// The peers to which something is being sent, and what follows it.
    lanes: HashMap<PeerAddr, VecDeque<Errand>>,
    errands: usize,
    /// Workers, and those of them that wait for work.
    workers: usize,
    idle: usize,
    /// Workers that have not begun to work.
    starting: usize,
    stopping: bool,
}

/// An errand and how it is to be done.
struct Task {
    errand: Errand,
    /// The first attempt to connect has timed out.
    is_second: bool,
}

impl Task {
    fn is_slow(&self) -> bool {
        self.is_second || self.errand.message == Outgoing::Connect
    }

    /// Whether this is the report of a first attempt that was not connected.
    fn is_worth_another(&self, report: &Report) -> bool {
        !self.is_second && report.parts.0 == 0 && report.result == SendResult::Failed(SendError::TimedOut)
    }
}

impl Dialer {
    /// A dialer without workers yet. `report` is called from its workers, once for every errand
    /// taken.
    pub fn new(identity: Identity, report: impl Fn(Report) + Send + Sync + 'static) -> Self {
        let shared = Shared {
            identity,
            report: Arc::new(report),
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes an errand into the queue, without waiting for anything. [`Dialer::staff`] has to
    /// follow.
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
        state.put(Task { errand, is_second: false });
        self.shared.work.notify_one();
        Ok(())
    }

    /// Starts workers for the errands that have none, as far as [`MAX_DIALERS`] and the system
    /// allow. Errands that find no worker at all are reported as failed.
    pub fn staff(&self) {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        while state.lacks_workers() {
            state.workers += 1;
            state.starting += 1;
            let spawned = MutexGuard::unlocked(&mut state, || spawn(shared));
            let Err(error) = spawned else { continue };
            state.workers -= 1;
            state.starting -= 1;
            let helpless = if state.workers == 0 { state.take_all() } else { Vec::new() };
            drop(state);
            log::error!("no further thread to dial with: {error}");
            helpless.into_iter().for_each(|errand| shared.fail(errand, SendError::NoResources));
            return;
        }
    }

    /// Takes no more errands, reports those not begun as cancelled, and waits for the others until
    /// `deadline`.
    pub fn stop(&self, deadline: Instant) {
        let mut state = self.shared.state.lock();
        state.stopping = true;
        let cancelled = state.take_all();
        self.shared.work.notify_all();
        MutexGuard::unlocked(&mut state, || {
            cancelled.into_iter().for_each(|errand| self.shared.fail(errand, SendError::Cancelled));
        });
        while state.workers > 0 && !self.shared.ended.wait_until(&mut state, deadline).timed_out() {}
    }
}

impl State {
    fn put(&mut self, task: Task) {
        if task.is_slow() { self.slow.push_back(task) } else { self.ready.push_back(task) }
    }

    /// The next task for a worker.
    fn take(&mut self) -> Option<Task> {
        let slow_room = self.slow_under_way < MAX_SLOW;
        let task = self.ready.pop_front().or_else(|| slow_room.then(|| self.slow.pop_front())?)?;
        self.slow_under_way += usize::from(task.is_slow());
        Some(task)
    }

    /// How many tasks workers could take up now.
    fn tasks(&self) -> usize {
        self.ready.len() + self.slow.len().min(MAX_SLOW - self.slow_under_way)
    }

    /// Whether tasks wait for a worker that could be started.
    fn lacks_workers(&self) -> bool {
        !self.stopping && self.workers < MAX_DIALERS && self.tasks() > self.idle + self.starting
    }

    /// A task is done. What follows it to the same peer is next.
    fn done(&mut self, task: &Task) {
        self.errands -= 1;
        let Some(lane) = task.errand.queue() else { return };
        match self.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(errand) => {
                let task = Task { errand, is_second: false };
                if task.is_slow() { self.slow.push_front(task) } else { self.ready.push_front(task) }
            }
            None => drop(self.lanes.remove(&lane)),
        }
    }

    /// Everything that is not under way yet.
    fn take_all(&mut self) -> Vec<Errand> {
        let tasks = self.ready.drain(..).chain(self.slow.drain(..));
        let mut all: Vec<Errand> = tasks.map(|task| task.errand).collect();
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

/// What each worker does until there is nothing to do.
fn work(shared: &Shared) {
    let mut state = shared.state.lock();
    state.starting -= 1;
    loop {
        if let Some(mut task) = state.take() {
            let is_slow = task.is_slow();
            let report = MutexGuard::unlocked(&mut state, || attempt(shared, &task));
            state.slow_under_way -= usize::from(is_slow);
            if task.is_worth_another(&report) && !state.stopping {
                task.is_second = true;
                state.put(task);
                shared.work.notify_one();
            } else {
                MutexGuard::unlocked(&mut state, || tell(shared, report));
                state.done(&task);
            }
            continue;
        }
        if state.stopping {
            break;
        }
        state.idle += 1;
        let waited = shared.work.wait_for(&mut state, IDLE_FOR);
        state.idle -= 1;
        if waited.timed_out() && state.tasks() == 0 {
            break;
        }
    }
    state.workers -= 1;
    shared.ended.notify_all();
}

/// Reports what became of an errand.
fn tell(shared: &Shared, report: Report) {
    let id = report.id;
    if catch_unwind(AssertUnwindSafe(|| (shared.report)(report))).is_err() {
        log::error!("the report of job {id} failed");
    }
}

/// Does an errand. There is a report whatever happens.
fn attempt(shared: &Shared, task: &Task) -> Report {
    let connect_within = if task.is_second { CONNECT_TIMEOUT } else { QUICK_CONNECT };
    let said = catch_unwind(AssertUnwindSafe(|| say(shared, &task.errand, connect_within)));
    match said {
        // The first attempt took all of the time.
        Ok(Report { result: SendResult::Failed(SendError::Cancelled), .. }) if task.is_second => {
            task.errand.failed(SendError::TimedOut)
        }
        Ok(report) => report,
        Err(_) => task.errand.broken(),
    }
}

fn say(shared: &Shared, errand: &Errand, connect_within: Duration) -> Report {
    let &Errand { id, ref name, to, fallback, form, ref message, deadline } = errand;
    match message {
        Outgoing::Text(parts) => {
            log::debug!("job {id} to {to}: a message of {} parts", parts.len());
            log::debug!(target: LOG_TARGET, "job {id} to {to}: {parts:?}");
        }
        message => log::debug!("job {id} to {to}: {message:?}"),
    }
    let say = |to| dial::say(&shared.identity, name, to, form, message, connect_within, deadline);
    let first = say(to);
    let (to, said) = match (&first.result, fallback) {
        // If it has had a part of a text, it is the right one, whatever becomes of the rest.
        (SendResult::Failed(SendError::Refused), Some(other)) if first.parts.0 == 0 => {
            // Only if nothing was sent there either, nothing was sent.
            match say(other) {
                Said { result: SendResult::Failed(error), parts: (0, _), .. }
                    if error != SendError::TimedOut || connect_within == CONNECT_TIMEOUT =>
                {
                    (to, first)
                }
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
