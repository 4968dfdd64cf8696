//! Threads that come when there is something to do, and go when there was nothing for a while.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::net::STACK_BYTES;

/// An idle thread ends after this long, so that a burst does not hold its threads for ever.
const IDLE_FOR: Duration = Duration::from_secs(5);

/// Does jobs one after the other, in as many threads as there are jobs, up to a bound.
pub(super) struct Crew<J> {
    shared: Arc<Shared<J>>,
}

struct Shared<J> {
    name: &'static str,
    most: usize,
    run: Box<dyn Fn(J) + Send + Sync>,
    state: Mutex<State<J>>,
    work: Condvar,
    ended: Condvar,
}

struct State<J> {
    jobs: VecDeque<J>,
    /// Threads, those that wait for a job, and those that have not begun to.
    threads: usize,
    idle: usize,
    starting: usize,
    stopping: bool,
}

impl<J: Send + 'static> Crew<J> {
    /// A crew without threads yet; they will have this name.
    pub(super) fn new(name: &'static str, most: usize, run: impl Fn(J) + Send + Sync + 'static) -> Self {
        let state = State { jobs: VecDeque::new(), threads: 0, idle: 0, starting: 0, stopping: false };
        let shared = Shared {
            name,
            most,
            run: Box::new(run),
            state: Mutex::new(state),
            work: Condvar::new(),
            ended: Condvar::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has a job done, after those that wait. Where not one thread can be had, it is done on this one.
    pub(super) fn push(&self, job: J) {
        let mut state = self.shared.state.lock();
        state.jobs.push_back(job);
        if state.jobs.len() <= state.idle + state.starting || state.threads >= self.shared.most {
            self.shared.work.notify_one();
            return;
        }
        state.threads += 1;
        state.starting += 1;
        let shared = Arc::clone(&self.shared);
        let builder = thread::Builder::new().name(self.shared.name.into()).stack_size(STACK_BYTES);
        let Err(error) = MutexGuard::unlocked(&mut state, || builder.spawn(move || work(&shared))) else {
            return;
        };
        log::warn!("no further thread to talk in: {error}");
        state.threads -= 1;
        state.starting -= 1;
        let helpless = if state.threads == 0 { state.jobs.pop_front() } else { None };
        drop(state);
        helpless.into_iter().for_each(|job| run(&self.shared, job));
    }

    /// How many threads it has.
    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.shared.state.lock().threads
    }

    /// Begins no more jobs, and waits for those begun until `deadline`. Given back are those that were not.
    pub(super) fn stop(&self, deadline: Instant) -> Vec<J> {
        let mut state = self.shared.state.lock();
        state.stopping = true;
        let left = state.jobs.drain(..).collect();
        self.shared.work.notify_all();
        while state.threads > 0 && !self.shared.ended.wait_until(&mut state, deadline).timed_out() {}
        left
    }
}

fn work<J>(shared: &Shared<J>) {
    let mut state = shared.state.lock();
    state.starting -= 1;
    while !state.stopping {
        if let Some(job) = state.jobs.pop_front() {
            MutexGuard::unlocked(&mut state, || run(shared, job));
            continue;
        }
        state.idle += 1;
        let waited = shared.work.wait_for(&mut state, IDLE_FOR);
        state.idle -= 1;
        if waited.timed_out() && state.jobs.is_empty() {
            break;
        }
    }
    state.threads -= 1;
    shared.ended.notify_all();
}

fn run<J>(shared: &Shared<J>, job: J) {
    if catch_unwind(AssertUnwindSafe(|| (shared.run)(job))).is_err() {
        log::error!("the handling of an encrypted talk failed; its connection is closed");
    }
}
