//! Sends unencrypted messages: a bounded pool of workers, and a queue for each peer that keeps its
//! messages in order.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::STACK_BYTES;
use super::dial::{self, CONNECT_TIMEOUT, DialSource, QUICK_CONNECT, Said};
use super::send_job::SendJob;
use crate::core::PlainResult;
use crate::model::address::PeerAddr;
use crate::model::message::{LOG_TARGET, Outgoing, SendError, SendResult};

/// The maximum number of workers. A hundred of a thousand peers may not answer, and each of them
/// occupies a worker for `QUICK_CONNECT`. With 64 workers they delay a message to all by half a
/// second. With 32 they would delay it by a second, which is too long.
pub const MAX_DIALERS: usize = 64;

/// The maximum number of workers that run slow tasks: a second attempt to connect, or a `connect`,
/// whose receipt can take many seconds. The remaining workers serve peers that answer.
const MAX_SLOW: usize = 48;

/// The maximum number of jobs that are running or queued: three for each peer of a full table.
pub const MAX_SEND_JOBS: usize = 30_000;

/// The name of the worker threads. The panic hook does not end the program for a panic in one.
pub(crate) const DIALER: &str = "dialer";

/// The time after which an idle worker ends.
const IDLE_FOR: Duration = Duration::from_secs(5);

type Callback = dyn Fn(PlainResult) + Send + Sync;

/// Runs send jobs on its own workers, at most [`MAX_DIALERS`]. Messages to one peer are sent one
/// at a time, in the order in which they were queued. Probes do not wait for them.
pub struct Dialer {
    shared: Arc<Shared>,
}

struct Shared {
    source: DialSource,
    report: Arc<Callback>,
    state: Mutex<State>,
    work: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Tasks that end soon.
    ready: VecDeque<Task>,
    /// Tasks that may take long. At most [`MAX_SLOW`] of them run at once.
    slow: VecDeque<Task>,
    slow_running: usize,
    /// An entry for each peer with a running message: the jobs that wait for it to end.
    queues: HashMap<PeerAddr, VecDeque<SendJob>>,
    /// Jobs that are running or queued.
    jobs: usize,
    workers: usize,
    /// Workers that wait for a task.
    idle: usize,
    /// Workers whose thread has not started to run yet.
    starting: usize,
    stopping: bool,
}

/// One attempt to do a job.
struct Task {
    job: SendJob,
    /// Whether the first attempt timed out before it connected.
    is_second: bool,
}

impl Task {
    fn is_slow(&self) -> bool {
        self.is_second || self.job.message == Outgoing::Connect
    }

    /// Returns whether this was a first attempt that timed out before it connected.
    fn should_retry(&self, report: &PlainResult) -> bool {
        !self.is_second && report.parts.0 == 0 && report.result == SendResult::Failed(SendError::TimedOut)
    }
}

impl Dialer {
    /// Creates a dialer without workers. It calls `report` once for every job that it has taken,
    /// usually on a worker.
    pub fn new(source: DialSource, report: impl Fn(PlainResult) + Send + Sync + 'static) -> Self {
        let shared = Shared {
            source,
            report: Arc::new(report),
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Queues a job and returns at once. The caller then has to call [`Dialer::start_workers`].
    ///
    /// # Errors
    /// The job itself, if there are [`MAX_SEND_JOBS`] already or the dialer is stopping.
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
        state.push(Task { job, is_second: false });
        self.shared.work.notify_one();
        Ok(())
    }

    /// Starts a worker for each task that waits for one, within [`MAX_DIALERS`]. If the system
    /// starts no thread and there is no worker, it reports all queued jobs as failed.
    pub fn start_workers(&self) {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        while state.needs_worker() {
            state.workers += 1;
            state.starting += 1;
            let spawned = MutexGuard::unlocked(&mut state, || spawn(shared));
            let Err(error) = spawned else { continue };
            state.workers -= 1;
            state.starting -= 1;
            let failed = if state.workers == 0 { state.drain() } else { Vec::new() };
            drop(state);
            log::error!("cannot start another thread to dial: {error}");
            failed.into_iter().for_each(|job| shared.fail(job, SendError::NoResources));
            return;
        }
    }

    /// Stops taking jobs, reports those that have not started as cancelled, and waits until
    /// `deadline` for those that run.
    pub fn stop(&self, deadline: Instant) {
        let mut state = self.shared.state.lock();
        state.stopping = true;
        let cancelled = state.drain();
        self.shared.work.notify_all();
        MutexGuard::unlocked(&mut state, || {
            cancelled.into_iter().for_each(|job| self.shared.fail(job, SendError::Cancelled));
        });
        while state.workers > 0 && !self.shared.ended.wait_until(&mut state, deadline).timed_out() {}
    }
}

impl State {
    fn push(&mut self, task: Task) {
        if task.is_slow() { self.slow.push_back(task) } else { self.ready.push_back(task) }
    }

    /// Takes the next task that a worker may run now.
    fn pop(&mut self) -> Option<Task> {
        let slow_allowed = self.slow_running < MAX_SLOW;
        let task = self.ready.pop_front().or_else(|| slow_allowed.then(|| self.slow.pop_front())?)?;
        self.slow_running += usize::from(task.is_slow());
        Some(task)
    }

    /// Returns the number of tasks that workers could take now.
    fn runnable(&self) -> usize {
        self.ready.len() + self.slow.len().min(MAX_SLOW - self.slow_running)
    }

    /// Returns whether a task waits for a worker and another one may be started.
    fn needs_worker(&self) -> bool {
        !self.stopping && self.workers < MAX_DIALERS && self.runnable() > self.idle + self.starting
    }

    /// Removes a finished task and makes the peer's next job the next task.
    fn finish(&mut self, task: &Task) {
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

    /// Removes and returns all jobs that have not started.
    fn drain(&mut self) -> Vec<SendJob> {
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

/// Runs tasks until there have been none for [`IDLE_FOR`] or the dialer stops.
fn work(shared: &Shared) {
    let mut state = shared.state.lock();
    state.starting -= 1;
    loop {
        if let Some(mut task) = state.pop() {
            let is_slow = task.is_slow();
            let report = MutexGuard::unlocked(&mut state, || attempt(shared, &task));
            state.slow_running -= usize::from(is_slow);
            if task.should_retry(&report) && !state.stopping {
                task.is_second = true;
                state.push(task);
                shared.work.notify_one();
            } else {
                MutexGuard::unlocked(&mut state, || deliver(shared, report));
                state.finish(&task);
            }
            continue;
        }
        if state.stopping {
            break;
        }
        state.idle += 1;
        let waited = shared.work.wait_for(&mut state, IDLE_FOR);
        state.idle -= 1;
        if waited.timed_out() && state.runnable() == 0 {
            break;
        }
    }
    state.workers -= 1;
    shared.ended.notify_all();
}

/// Calls the report callback, and logs a panic in it.
fn deliver(shared: &Shared, report: PlainResult) {
    let id = report.job.0;
    if catch_unwind(AssertUnwindSafe(|| (shared.report)(report))).is_err() {
        log::error!("the report callback panicked for job {id}");
    }
}

/// Runs a task. Returns a report even if it panics.
fn attempt(shared: &Shared, task: &Task) -> PlainResult {
    let connect_within = if task.is_second { CONNECT_TIMEOUT } else { QUICK_CONNECT };
    let outcome = catch_unwind(AssertUnwindSafe(|| send(shared, &task.job, connect_within)));
    match outcome {
        // The first attempt used all the time until the deadline.
        Ok(PlainResult { result: SendResult::Failed(SendError::Cancelled), .. }) if task.is_second => {
            task.job.failed(SendError::TimedOut)
        }
        Ok(report) => report,
        Err(_) => task.job.ended(SendResult::Broken),
    }
}

/// Sends the message of a job, to the fallback address if the first address refuses.
fn send(shared: &Shared, job: &SendJob, connect_within: Duration) -> PlainResult {
    let &SendJob { id: number, ref name, to, fallback, form, ref message, deadline } = job;
    let id = number.0;
    match message {
        Outgoing::Text(parts) => {
            log::debug!("job {id} to {to}: a message of {} parts", parts.len());
            log::debug!(target: LOG_TARGET, "job {id} to {to}: {parts:?}");
        }
        message => log::debug!("job {id} to {to}: {message:?}"),
    }
    let send_to = |to| dial::say(&shared.source, name, to, form, message, connect_within, deadline);
    let first = send_to(to);
    let (to, said) = match (&first.result, fallback) {
        // A peer that took a part of the message gets the rest.
        (SendResult::Failed(SendError::Refused), Some(other)) if first.parts.0 == 0 => {
            // "Refused" is the result only if the fallback received nothing either.
            match send_to(other) {
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
    PlainResult { job: number, to, result, parts, capability }
}

#[cfg(test)]
mod tests;
