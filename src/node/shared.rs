//! What the node's threads share: the rules behind the one lock, and what is done because of them.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::store_writer::StoreWriter;
use crate::core::{
    Env, Event, Jitter, JobId, Output, PlainRequest, PlainResult, State, Time,
};
use crate::mailbox::Mailbox;
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::key::PublicKey;
use crate::model::message::{SendError, SendResult};
use crate::model::name::{Name, PeerName};
use crate::net::sessions::Sessions;
use crate::net::{self, Dialer, Errand, Report, secure};
use crate::protocol::session::Hello;

/// What the node's threads share.
pub(super) struct Shared {
    pub(super) locked: Mutex<Locked>,
    /// Wakes the ticker when something became due earlier than it sleeps.
    pub(super) earlier: Condvar,
    pub(super) began: Instant,
    pub(super) port: u16,
    pub(super) own: PublicKey,
    /// The receipt that names our key; it is the same for every message.
    pub(super) receipt: String,
    /// Where else we listen, as far as others could dial it.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) outlet: Box<dyn Outlet>,
    pub(super) dialer: OnceLock<Dialer>,
    pub(super) sessions: OnceLock<Sessions>,
    pub(super) store_writer: StoreWriter,
}

/// What the rules cannot know by themselves: the clock, and a random number.
pub(super) fn moment() -> Env {
    // A clock before 1970 is as wrong as one in 1970.
    let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Env { date, jitter: Jitter(secure::jitter()) }
}

/// What the lock is for.
pub(super) struct Locked {
    pub(super) state: State,
    /// What we are called from now on.
    pub(super) name: Name,
    pub(super) ticker_sleeps_until: Option<Time>,
    /// The IPs of this machine when they were last read, and when to read them again.
    pub(super) machine_ips: Vec<IpAddr>,
    pub(super) look_at_ips: Time,
    pub(super) stopping: bool,
}

/// Where events go.
pub(super) trait Outlet: Send + Sync {
    /// Puts an event in, on account of the source that caused it.
    fn put(&self, event: Event, source: Option<SourcePrefix>);
    fn has_room(&self, source: SourcePrefix) -> bool;
    fn wait_for_room(&self, source: SourcePrefix, deadline: Instant) -> bool;
}

impl<T: From<Event> + Send> Outlet for Arc<Mailbox<T>> {
    fn put(&self, event: Event, source: Option<SourcePrefix>) {
        Mailbox::put_from(self, event.into(), source);
    }

    fn has_room(&self, source: SourcePrefix) -> bool {
        Mailbox::has_room(self, source)
    }

    fn wait_for_room(&self, source: SourcePrefix, deadline: Instant) -> bool {
        Mailbox::wait_for_room(self, source, deadline)
    }
}

/// How often the addresses of this machine are read.
pub(super) const NETWORK_INTERVAL: Duration = Duration::from_secs(60);

impl Shared {
    pub(super) fn now(&self) -> Time {
        Time::at(self.began.elapsed())
    }

    /// Lets the rules do something, and does what they want because of it.
    pub(super) fn with_state<T>(&self, act: impl FnOnce(&mut State, Time) -> (T, Vec<Output>)) -> T {
        self.with_state_for(None, act)
    }

    /// The same because of what a source of the network sent.
    pub(super) fn with_state_for<T>(
        &self,
        source: Option<SourcePrefix>,
        act: impl FnOnce(&mut State, Time) -> (T, Vec<Output>),
    ) -> T {
        let mut locked = self.locked.lock();
        let now = self.now();
        let (result, actions) = act(&mut locked.state, now);
        self.perform(&mut locked, actions, source, now);
        drop(locked);
        self.staff();
        result
    }

    /// Puts events into the mailbox and errands into the dialer's queue. Both are put there under the lock, so that
    /// what is told and what is said to a peer has the order of the rules; neither blocks.
    pub(super) fn perform(
        &self,
        locked: &mut Locked,
        actions: Vec<Output>,
        source: Option<SourcePrefix>,
        now: Time,
    ) {
        let mut told = Vec::new();
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Output::Tell(event) => told.push(event),
                Output::Store(id, write) => {
                    if let Some(result) = self.store_writer.write(id, write) {
                        actions.extend(match (id, result) {
                            (Some(id), result) => locked.state.stored(id, result, now),
                            (None, Err(why)) => locked.state.storing_failed(why, now),
                            (None, Ok(())) => Vec::new(),
                        });
                    }
                }
                Output::Session(request) => {
                    if let Some(sessions) = self.sessions.get() {
                        sessions.request(request);
                    }
                }
                Output::Plain(transmit) => {
                    if let Err(refused) = self.push(transmit, locked.name.clone()) {
                        actions.extend(locked.state.plain_sent(refused, now));
                    }
                }
            }
        }
        // Whoever dials is woken first: the user can wait, and on a busy machine the one woken first runs first.
        told.into_iter().for_each(|event| self.outlet.put(event, source));
        let sooner = match (locked.state.next_wake(), locked.ticker_sleeps_until) {
            (Some(due), Some(until)) => due < until,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if sooner {
            self.earlier.notify_one();
        }
    }

    /// Sends an unencrypted message. A request that the dialer does not take has failed.
    pub(super) fn push(&self, request: PlainRequest, name: Name) -> Result<(), PlainResult> {
        let PlainRequest { job, to, fallback, form, message, deadline } = request;
        let deadline = deadline.map(|at| self.began + at.since_start());
        let errand = Errand { id: job.0, name, to, fallback, form, message, deadline };
        match self.dialer.get().map(|dialer| dialer.push(errand)) {
            Some(Ok(())) => Ok(()),
            _ => Err(PlainResult {
                job,
                to,
                result: SendResult::Failed(SendError::NoResources),
                parts: (0, 1),
                capability: None,
            }),
        }
    }

    /// Who we are to somebody at this IP. Where else we listen is of no use to who reaches us within this machine.
    pub(super) fn hello(&self, name: &Name, to: IpAddr) -> Hello {
        Hello {
            addresses: if to.is_loopback() { Vec::new() } else { self.addresses.clone() },
            ..Hello::new(PeerName::new(name.as_str()), self.port)
        }
    }

    /// Has the dialer take on the threads that its queue needs; without the lock, for making one takes a while.
    pub(super) fn staff(&self) {
        if let Some(dialer) = self.dialer.get() {
            dialer.staff();
        }
    }

    /// Remembers an IP with our port as ours if it is this machine's. The test is a bind, so it is made without the
    /// lock; it happens once for each such address.
    pub(super) fn learn_if_own(&self, addr: PeerAddr) {
        let (ip, port) = (addr.ip(), addr.port());
        if port == self.port && self.locked.lock().state.may_be_own(ip, port) && net::is_local(addr) {
            self.locked.lock().state.learn_own_ip(ip);
        }
    }

    pub(super) fn report(shared: &Weak<Self>, report: Report) {
        let Some(shared) = shared.upgrade() else { return };
        log::debug!("{report:?}");
        let Report { id, to, result, parts, capability } = report;
        let result = PlainResult { job: JobId(id), to, result, parts, capability };
        shared.with_state(|state, now| ((), state.plain_sent(result, now)));
    }

    /// What the ticker thread does: sleep until something is due, and do it.
    pub(super) fn tick(&self) {
        let mut locked = self.locked.lock();
        while !locked.stopping {
            let now = self.now();
            if locked.look_at_ips <= now {
                let ips = MutexGuard::unlocked(&mut locked, || net::machine_ips(true));
                locked.look_at_ips = now.plus(NETWORK_INTERVAL);
                if std::mem::replace(&mut locked.machine_ips, ips.clone()) != ips {
                    let outputs = locked.state.network_changed(now);
                    self.perform(&mut locked, outputs, None, now);
                }
                continue;
            }
            let due = locked.state.next_wake().map_or(locked.look_at_ips, |due| due.min(locked.look_at_ips));
            if due <= now {
                let outputs = locked.state.tick(now);
                self.perform(&mut locked, outputs, None, now);
                MutexGuard::unlocked(&mut locked, || self.staff());
            } else {
                locked.ticker_sleeps_until = Some(due);
                // A millisecond more than the difference: what was due is then past.
                let left = due.since(now) + Duration::from_millis(1);
                self.earlier.wait_for(&mut locked, left);
            }
        }
    }
}
