//! The unencrypted way out: bounded workers, and for each peer one message after the other.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::STACK_BYTES;
use super::dial::{self, CONNECT_TIMEOUT, Identity, QUICK_CONNECT, Said};
use super::send_job::{Report, SendJob};
use crate::model::address::PeerAddr;
use crate::model::message::{LOG_TARGET, Outgoing, SendError, SendResult};

/// Workers at most. Of a thousand peers, a hundred may not answer at all. Each of these holds a
/// worker for `QUICK_CONNECT` before the others are served: half a second in all with this many
/// workers, and a second with 32, which is too long for a message to everybody.
pub const MAX_DIALERS: usize = 64;

/// Workers that may take up what lasts long: a second attempt to connect, or a `connect`, whose
/// receipt may take many seconds. The others remain for peers that answer.
const MAX_SLOW: usize = 48;

/// Jobs under way or waiting at most: three for each peer of a full table.
pub const MAX_SEND_JOBS: usize = 30_000;

/// The name of the workers. A panic in one ends one job only.
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
    /// Jobs that are over soon.
    ready: VecDeque<Task>,
    /// Jobs that may last long: at most [`MAX_SLOW`] are under way.
    slow: VecDeque<Task>,
    slow_under_way: usize,
    /// The peers to which something is being sent, and what follows it.
    queues: HashMap<PeerAddr, VecDeque<SendJob>>,
    jobs: usize,
    /// Workers, and those of them that wait for work.
    workers: usize,
    idle: usize,
    /// Workers that have not begun to work.
    starting: usize,
    stopping: bool,
}

/// A job and how it is to be done.
struct Task {
    job: SendJob,
    /// The first attempt to connect has timed out.
    is_second: bool,
}

impl Task {
    fn is_slow(&self) -> bool {
        self.is_second || self.job.message == Outgoing::Connect
    }

    /// Whether this is the report of a first attempt that was not connected.
    fn is_worth_another(&self, report: &Report) -> bool {
        !self.is_second && report.parts.0 == 0 && report.result == SendResult::Failed(SendError::TimedOut)
    }
}

impl Dialer {
    /// A dialer without workers yet. `report` is called from its workers, once for every job
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

    /// Takes a job into the queue, without waiting for anything. [`Dialer::staff`] has to
    /// follow.
    ///
    /// # Errors
    /// Gives it back if [`MAX_SEND_JOBS`] are under way or the dialer is stopping.
    pub fn push(&self, job: SendJob) -> Result<(), Box<SendJob>> {
        let mut state = self.shared.state.lock();
        if state.stopping || state.jobs >= MAX_SEND_JOBS {
            return Err(Box::new(job));
        }
        state.jobs += 1;
        if let Some(queue) = job.queue() {
            if let Some(waiting) = state.queues.get_mut(&queue) {
                waiting.push_back(job);
                return Ok(());
            }
            state.queues.insert(queue, VecDeque::new());
        }
        state.put(Task { job, is_second: false });
        self.shared.work.notify_one();
        Ok(())
    }

    /// Starts workers for the jobs that have none, as far as [`MAX_DIALERS`] and the system
    /// allow. Jobs that find no worker at all are reported as failed.
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
            helpless.into_iter().for_each(|job| shared.fail(job, SendError::NoResources));
            return;
        }
    }

    /// Takes no more jobs, reports those not begun as cancelled, and waits for the others until
    /// `deadline`.
    pub fn stop(&self, deadline: Instant) {
        let mut state = self.shared.state.lock();
        state.stopping = true;
        let cancelled = state.take_all();
        self.shared.work.notify_all();
        MutexGuard::unlocked(&mut state, || {
            cancelled.into_iter().for_each(|job| self.shared.fail(job, SendError::Cancelled));
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
        self.jobs -= 1;
        let Some(queue) = task.job.queue() else { return };
        match self.queues.get_mut(&queue).and_then(VecDeque::pop_front) {
            Some(job) => {
                let task = Task { job, is_second: false };
                if task.is_slow() { self.slow.push_front(task) } else { self.ready.push_front(task) }
            }
            None => drop(self.queues.remove(&queue)),
        }
    }

    /// Everything that is not under way yet.
    fn take_all(&mut self) -> Vec<SendJob> {
        let tasks = self.ready.drain(..).chain(self.slow.drain(..));
        let mut all: Vec<SendJob> = tasks.map(|task| task.job).collect();
        all.extend(self.queues.drain().flat_map(|(_, queue)| queue));
        self.jobs -= all.len();
        all
    }
}

impl Shared {
    fn fail(&self, job: SendJob, failure: SendError) {
        (self.report)(job.failed(failure));
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

/// Reports what became of a job.
fn tell(shared: &Shared, report: Report) {
    let id = report.id;
    if catch_unwind(AssertUnwindSafe(|| (shared.report)(report))).is_err() {
        log::error!("the report of job {id} failed");
    }
}

/// Does a job. There is a report whatever happens.
fn attempt(shared: &Shared, task: &Task) -> Report {
    let connect_within = if task.is_second { CONNECT_TIMEOUT } else { QUICK_CONNECT };
    let said = catch_unwind(AssertUnwindSafe(|| say(shared, &task.job, connect_within)));
    match said {
        // The first attempt took all of the time.
        Ok(Report { result: SendResult::Failed(SendError::Cancelled), .. }) if task.is_second => {
            task.job.failed(SendError::TimedOut)
        }
        Ok(report) => report,
        Err(_) => task.job.broken(),
    }
}

fn say(shared: &Shared, job: &SendJob, connect_within: Duration) -> Report {
    let &SendJob { id, ref name, to, fallback, form, ref message, deadline } = job;
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
