//! What the threads of a node share: the core behind the one lock, and carrying out its outputs.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::store_writer::StoreWriter;
use crate::core::{Env, Event, Jitter, JobId, Output, PlainRequest, PlainResult, State, Time};
use crate::mailbox::Mailbox;
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::delivery::DeliveryStatus;
use crate::model::key::PublicKey;
use crate::model::message::{SendError, SendResult};
use crate::model::name::{Name, PeerName};
use crate::net::sessions::Sessions;
use crate::net::{self, Dialer, Errand, Report, secure};
use crate::protocol::session::{Hello, MAX_ADDRESSES};

/// What the threads of a node share.
pub(super) struct Shared {
    pub(super) locked: Mutex<Locked>,
    /// Wakes the ticker when something became due earlier than it sleeps.
    pub(super) earlier: Condvar,
    pub(super) began: Instant,
    pub(super) port: u16,
    pub(super) own: PublicKey,
    /// The receipt with our key, the same for every message.
    pub(super) receipt: String,
    /// Where else others may dial us.
    pub(super) addresses: Mutex<Vec<SocketAddr>>,
    /// The IP that we listen at.
    pub(super) bind: IpAddr,
    pub(super) listens_v6: bool,
    pub(super) events: Box<dyn EventQueue>,
    pub(super) dialer: Dialer,
    pub(super) sessions: Sessions,
    pub(super) store_writer: StoreWriter,
}

/// Reads the clock and draws a random number, which the core cannot.
pub(super) fn moment() -> Env {
    // A clock before 1970 is as wrong as one in 1970.
    let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Env { date, jitter: Jitter(secure::jitter()) }
}

/// What the lock protects.
pub(super) struct Locked {
    pub(super) state: State,
    pub(super) ticker_sleeps_until: Option<Time>,
    /// The IPs of this machine when they were last read.
    pub(super) machine_ips: Vec<IpAddr>,
    /// When to read them again.
    pub(super) look_at_ips: Time,
    pub(super) looked_at_ips: Time,
    pub(super) stopping: bool,
}

/// Where events go.
pub(super) trait EventQueue: Send + Sync {
    /// Adds an event. It counts against the source that caused it.
    fn put(&self, event: Event, source: Option<SourcePrefix>);
    fn has_room(&self, source: SourcePrefix) -> bool;
    fn wait_for_room(&self, source: SourcePrefix, deadline: Instant) -> bool;
}

impl<T: From<Event> + Send> EventQueue for Arc<Mailbox<T>> {
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

/// How far two readings of the addresses of this machine are apart after dials that failed.
const NETWORK_SPACING: Duration = Duration::from_secs(5);

/// How often the addresses of this machine are read.
pub(super) const NETWORK_INTERVAL: Duration = Duration::from_secs(60);

impl Locked {
    /// A message did not arrive: the addresses of this machine may have changed. Returns whether they
    /// are read earlier now.
    fn look_at_ips_soon(&mut self, now: Time) -> bool {
        let soon = self.looked_at_ips.plus(NETWORK_SPACING).max(now);
        let is_earlier = soon < self.look_at_ips;
        if is_earlier {
            self.look_at_ips = soon;
        }
        is_earlier
    }
}

impl Shared {
    pub(super) fn now(&self) -> Time {
        Time::at(self.began.elapsed())
    }

    /// Calls the core under the lock, and carries out its outputs.
    pub(super) fn with_state<T>(&self, act: impl FnOnce(&mut State, Time) -> (T, Vec<Output>)) -> T {
        self.with_state_for(None, act)
    }

    /// The same for something that a source of the network sent: the events count against it.
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
        // Starting threads takes a while.
        self.dialer.staff();
        result
    }

    /// Carries out the outputs of the core, under the lock, so that the user and each peer get them
    /// in the order of the core. Events and requests go into queues, so nothing blocks.
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
                Output::Tell(event) => {
                    if matches!(event, Event::Delivery { status: DeliveryStatus::Queued(_), .. }) {
                        locked.look_at_ips_soon(now);
                    }
                    told.push(event);
                }
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
                    self.sessions.request(request);
                }
                Output::Plain(request) => {
                    if let Err(refused) = self.queue_plain(request, locked.state.name().clone()) {
                        actions.extend(locked.state.plain_sent(refused, now));
                    }
                }
            }
        }
        // Requests are queued before events: on a busy machine the thread woken first runs first, and
        // the user can wait.
        told.into_iter().for_each(|event| self.events.put(event, source));
        let due = locked.state.next_wake().map_or(locked.look_at_ips, |due| due.min(locked.look_at_ips));
        if locked.ticker_sleeps_until.is_none_or(|until| due < until) {
            self.earlier.notify_one();
        }
    }

    /// Queues an unencrypted request.
    ///
    /// # Errors
    /// The result, if the queue is full.
    pub(super) fn queue_plain(&self, request: PlainRequest, name: Name) -> Result<(), PlainResult> {
        let PlainRequest { job, to, fallback, form, message, deadline } = request;
        let deadline = deadline.map(|at| self.began + at.since_start());
        let errand = Errand { id: job.0, name, to, fallback, form, message, deadline };
        self.dialer.push(errand).map_err(|_| PlainResult {
            job,
            to,
            result: SendResult::Failed(SendError::NoResources),
            parts: (0, 1),
            capability: None,
        })
    }

    /// Returns our hello to a peer at this IP. A peer on this machine needs no further addresses.
    pub(super) fn hello(&self, name: &Name, to: IpAddr) -> Hello {
        Hello {
            addresses: if to.is_loopback() { Vec::new() } else { self.addresses.lock().clone() },
            ..Hello::new(PeerName::new(name.as_str()), self.port)
        }
    }

    /// Learns whether an address with our port is ours. The test binds a socket, so it runs without
    /// the lock, once for each address.
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

    /// Records the IPs of this machine as addresses where others may dial us, if we listen at all of
    /// them. Returns these addresses.
    pub(super) fn set_addresses(&self, ips: &[IpAddr]) -> Vec<SocketAddr> {
        let is_listened = |ip: &&IpAddr| self.bind.is_unspecified() && (ip.is_ipv4() || self.listens_v6);
        let ips = ips.iter().filter(is_listened).take(MAX_ADDRESSES);
        let addresses: Vec<SocketAddr> = ips.map(|ip| SocketAddr::new(*ip, self.port)).collect();
        self.addresses.lock().clone_from(&addresses);
        addresses
    }

    /// A dial has failed: the addresses of this machine may have changed.
    pub(super) fn look_at_ips_soon(&self) {
        if self.locked.lock().look_at_ips_soon(self.now()) {
            self.earlier.notify_one();
        }
    }

    /// Runs the ticker thread: sleeps until something is due, and does it.
    pub(super) fn tick(&self) {
        let mut locked = self.locked.lock();
        while !locked.stopping {
            let now = self.now();
            if locked.look_at_ips <= now {
                let ips = MutexGuard::unlocked(&mut locked, || net::machine_ips(true));
                locked.look_at_ips = now.plus(NETWORK_INTERVAL);
                locked.looked_at_ips = now;
                if std::mem::replace(&mut locked.machine_ips, ips.clone()) != ips {
                    self.sessions.readdress(self.set_addresses(&ips), ips.clone());
                    let outputs = locked.state.network_changed(now);
                    self.perform(&mut locked, outputs, None, now);
                }
                continue;
            }
            let due = locked.state.next_wake().map_or(locked.look_at_ips, |due| due.min(locked.look_at_ips));
            if due <= now {
                let outputs = locked.state.tick(now);
                self.perform(&mut locked, outputs, None, now);
                MutexGuard::unlocked(&mut locked, || self.dialer.staff());
            } else {
                locked.ticker_sleeps_until = Some(due);
                // A millisecond more, so that it is due then.
                let left = due.since(now) + Duration::from_millis(1);
                self.earlier.wait_for(&mut locked, left);
            }
        }
    }
}
