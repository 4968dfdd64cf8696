//! A faulty network: a TCP proxy inside the test process, in front of one peer.
//!
//! # How two programs communicate through it
//! A peer is dialed at the source IP of its connection, with the port from its header or hello. If
//! the proxy had a port of its own, answers would not pass through it. So the proxy listens at the
//! *same port* as its peer, at 127.0.0.1, and dials from there. The peer listens at and dials from
//! another loopback address ([`BEHIND`], `--bind`) and advertises the proxy's (`--advertise`). With
//! a proxy in front of each of two peers, both know only the proxies, and both directions are
//! faulty. The stand-ins for the legacy programs claim another IP in the same way.
//!
//! # What it promises
//! The proxy reads the first bytes of each connection, or its end if there are none, and asks its
//! plan what to do with it. So a plan can distinguish messages from probes, and a seeded plan does
//! the same to the same message under any load. Every connection has a thread, and every wait in it
//! has a limit.

mod carry;
mod seed;

use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Builder, SOON, nobody};
use crate::legacy::{Legacy, Program};

pub(crate) use seed::{Rng, Seed, number};

/// The address that proxies listen at and dial from.
const FRONT: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The address of the peers behind the proxies. No other test uses it.
const BEHIND: Ipv4Addr = Ipv4Addr::new(127, 0, 77, 1);

/// A fault of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The proxy connects to the peer after this time.
    DelayConnection(Duration),
    /// The proxy connects to the peer at once and passes on the bytes after this time.
    DelayBytes(Duration),
    /// The peer's answer and the end of its stream come back after this time.
    DelayAnswer(Duration),
    /// Every byte is passed on alone.
    SingleBytes,
    /// The peer gets this many bytes, then both sides are reset.
    ResetAfter(usize),
    /// The peer gets everything and answers. The dialer gets a reset instead of the answer.
    ResetBeforeReceipt,
    /// The proxy accepts and reads, but passes nothing on and never closes.
    BlackHole,
    /// The peer gets everything and answers. The dialer gets neither the answer nor the end.
    HalfOpen,
    /// The proxy reads everything and closes in order. The peer gets nothing.
    Swallow,
    /// The proxy holds the connection until a later connection with a message has ended.
    HoldForNext,
}

type Plan = Box<dyn FnMut(&[u8]) -> Fault + Send>;

/// A proxy in front of one peer. Dropping it ends the connections that it still holds.
pub(crate) struct Faulty {
    shared: Arc<Shared>,
    port: u16,
}

struct Shared {
    peer: SocketAddrV4,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    plan: Plan,
    /// The number of connections with work left.
    under_way: usize,
    /// The last ended connection with a message, as an index into `done`.
    latest_over: Option<usize>,
    /// Connections that stay open as long as the proxy exists.
    held: Vec<TcpStream>,
    /// The dialers' ends of the open connections.
    open: Vec<(usize, TcpStream)>,
    /// The message and the fault of each connection, to explain a failure.
    done: Vec<(String, Fault)>,
    stopping: bool,
}

impl State {
    fn breaks_open(&mut self) {
        for (_, stream) in &self.open {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Faulty {
    /// Creates a proxy without faults in front of a free port.
    pub(crate) fn new() -> Self {
        // Another test process may take the port between the check and the bind.
        let (port, socket) = loop {
            let port = nobody().port();
            if let Ok(socket) = TcpListener::bind((FRONT, port)) {
                break (port, socket);
            }
        };
        let state = State {
            plan: Box::new(|_| Fault::None),
            under_way: 0,
            latest_over: None,
            held: Vec::new(),
            open: Vec::new(),
            done: Vec::new(),
            stopping: false,
        };
        let shared = Arc::new(Shared {
            peer: SocketAddrV4::new(BEHIND, port),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || serve(&socket, &serving));
        Self { shared, port }
    }

    /// Returns the peer's builder, placed behind this proxy.
    pub(crate) fn before(&self, peer: Builder) -> Builder {
        peer.port(self.port).arg("--bind").arg(BEHIND).arg("--advertise").arg(FRONT)
    }

    /// Starts a legacy program behind this proxy.
    pub(crate) fn before_legacy(&self, program: Program) -> Legacy {
        Legacy::start_at(program, self.shared.peer).expect("nobody listens at the port").claiming(FRONT)
    }

    /// Returns the address at which the peer is dialed and which it claims.
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        SocketAddrV4::new(FRONT, self.port)
    }

    /// From now on applies `plan` to the first bytes of each connection. No bytes mean a probe.
    pub(crate) fn follows(&self, plan: impl FnMut(&[u8]) -> Fault + Send + 'static) {
        self.shared.lock().plan = Box::new(plan);
    }

    /// From now on applies the fault to every connection, also to probes.
    pub(crate) fn does(&self, fault: Fault) {
        self.follows(move |_| fault);
    }

    /// From now on applies the fault to every connection whose message has `words`, and to no
    /// other.
    pub(crate) fn does_to(&self, words: &str, fault: Fault) {
        let words = words.to_owned();
        self.follows(
            move |bytes| {
                if String::from_utf8_lossy(bytes).contains(&words) { fault } else { Fault::None }
            },
        );
    }

    /// From now on passes on new connections without a fault. It does not release the connections
    /// that it holds: a network that works again does not bring back what it has lost.
    pub(crate) fn heals(&self) {
        self.does(Fault::None);
    }

    /// Breaks every open connection, also those that the proxy holds.
    pub(crate) fn breaks_all(&self) {
        let mut state = self.shared.lock();
        state.held.clear();
        state.breaks_open();
    }

    /// Waits until the proxy has no work left, so that nothing delayed arrives later.
    pub(crate) fn settles(&self) {
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), SOON, |s| s.under_way > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert_eq!(state.under_way, 0, "the proxy never settles: {:?}", state.done);
    }

    /// Waits for a connection whose message has `words`.
    pub(crate) fn has_met(&self, words: &str) {
        let unmet = |state: &mut State| !state.done.iter().any(|(said, _)| said.contains(words));
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), SOON, unmet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!unmet(&mut state), "nobody said `{words}`: {:?}", state.done);
    }

    /// Returns the faults of the connections whose messages had `words`.
    pub(crate) fn did_to(&self, words: &str) -> Vec<Fault> {
        let state = self.shared.lock();
        state.done.iter().filter(|(said, _)| said.contains(words)).map(|(_, fault)| *fault).collect()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopping = true;
        state.held.clear();
        state.breaks_open();
        drop(state);
        self.shared.changed.notify_all();
        // Only a connection wakes the accepting thread.
        let _ = TcpStream::connect_timeout(&self.addr().into(), Duration::from_secs(1));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A plan may panic under the lock. The state is always consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(socket: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let accepted = socket.accept();
        let mut state = shared.lock();
        if state.stopping {
            return;
        }
        let Ok((dialer, _)) = accepted else { continue };
        state.under_way += 1;
        drop(state);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // An error here breaks one connection, as a fault does.
            let held = carry::connection(&shared, dialer).unwrap_or_default();
            let mut state = shared.lock();
            state.under_way -= 1;
            if !state.stopping {
                state.held.extend(held);
            }
            drop(state);
            shared.changed.notify_all();
        });
    }
}
