//! What the threads of a node share: the machine behind the one lock, and where its outputs go.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::machine::Machine;
use super::ports::{EventSink, Ports};
use super::step::Step;
use super::store_writer::WriterQueue;
use crate::core::{Env, Event, Jitter, PlainResult, Time};
use crate::interfaces;
use crate::mailbox::Mailbox;
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::host::{HostAddr, LookupError};
use crate::net::{Tcp, secure};

/// What the threads of a node share.
pub(super) struct Shared {
    pub(super) locked: Mutex<Locked>,
    /// Wakes the ticker when something became due earlier than it sleeps.
    pub(super) earlier: Condvar,
    pub(super) events: Arc<dyn EventQueue>,
    pub(super) tcp: Tcp,
    pub(super) store_writer: Arc<WriterQueue>,
}

/// What the lock protects.
pub(super) struct Locked {
    pub(super) machine: Machine,
    pub(super) ticker_sleeps_until: Option<Time>,
    pub(super) stopping: bool,
}

/// Where events go, with a reader that makes room.
pub(super) trait EventQueue: EventSink + Send + Sync {
    /// Waits for room until `deadline`. Returns whether there is any.
    fn wait_for_room(&self, source: SourcePrefix, deadline: Instant) -> bool;
}

impl<T: From<Event> + Send> EventSink for Mailbox<T> {
    fn put(&self, event: Event, source: Option<SourcePrefix>) {
        let bytes = event.text_bytes();
        self.put_from(event.into(), bytes, source);
    }

    fn has_room(&self, source: SourcePrefix) -> bool {
        Self::has_room(self, source)
    }
}

impl<T: From<Event> + Send> EventQueue for Mailbox<T> {
    fn wait_for_room(&self, source: SourcePrefix, deadline: Instant) -> bool {
        Self::wait_for_room(self, source, deadline)
    }
}

/// Reads the clock and draws a random number, which the core cannot.
pub(super) fn env() -> Env {
    // A clock before 1970 is as wrong as one in 1970.
    let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Env { date, jitter: Jitter(secure::jitter()) }
}

impl Shared {
    pub(super) fn new(machine: Machine, events: Arc<dyn EventQueue>, tcp: Tcp) -> Self {
        Self {
            locked: Mutex::new(Locked { machine, ticker_sleeps_until: None, stopping: false }),
            earlier: Condvar::new(),
            events,
            tcp,
            store_writer: Arc::new(WriterQueue::default()),
        }
    }

    pub(super) fn now(&self) -> Time {
        Time::at(self.tcp.began.elapsed())
    }

    /// Takes one step under the lock.
    pub(super) fn step<T>(&self, act: impl FnOnce(&mut Step<'_>) -> T) -> T {
        let result = self.step_locked(&mut self.locked.lock(), act);
        // Starting threads takes a while.
        self.tcp.start_threads();
        result
    }

    fn step_locked<T>(&self, locked: &mut Locked, act: impl FnOnce(&mut Step<'_>) -> T) -> T {
        let ports = Ports { transport: &self.tcp, store: &*self.store_writer, events: &*self.events };
        let result = act(&mut locked.machine.step(self.now(), ports));
        let due = locked.machine.next_wake();
        if locked.ticker_sleeps_until.is_none_or(|until| due < until) {
            self.earlier.notify_one();
        }
        result
    }

    /// Passes the result of an unencrypted request on.
    pub(super) fn report(shared: &Weak<Self>, result: PlainResult) {
        let Some(shared) = shared.upgrade() else { return };
        log::debug!("{result:?}");
        shared.step(|step| step.plain_sent(result));
    }

    /// Passes what a host name resolves to on.
    pub(super) fn resolved(shared: &Weak<Self>, host: HostAddr, found: Result<Vec<PeerAddr>, LookupError>) {
        let Some(shared) = shared.upgrade() else { return };
        shared.step(|step| step.resolved(host, found));
    }

    /// Runs the ticker thread: sleeps until something is due, and does it.
    pub(super) fn tick(&self) {
        let mut locked = self.locked.lock();
        while !locked.stopping {
            let now = self.now();
            let due = locked.machine.next_wake();
            if due > now {
                locked.ticker_sleeps_until = Some(due);
                // A millisecond more, so that it is due then.
                let left = due.since(now) + Duration::from_millis(1);
                self.earlier.wait_for(&mut locked, left);
                continue;
            }
            if locked.machine.wants_ips(now) {
                let ips = MutexGuard::unlocked(&mut locked, interfaces::machine_ips);
                // If they cannot be read, for example without a free descriptor, they are as
                // before.
                let ips = ips.unwrap_or_else(|_| locked.machine.ips.clone());
                self.step_locked(&mut locked, |step| step.ips_read(ips));
            } else {
                self.step_locked(&mut locked, |step| step.tick());
            }
            MutexGuard::unlocked(&mut locked, || self.tcp.start_threads());
        }
    }
}
