//! A network that goes wrong on purpose: a TCP proxy inside the test process, in front of one peer.
//!
//! # How two programs talk through it
//! A peer is dialed where its header claims to be, or its hello says that it listens, at the IP
//! that its connection came from; so a proxy at a port of its own would only be asked by whoever
//! was told of it, and every answer would go past it. Therefore the proxy listens at the *same
//! port* as its peer, at 127.0.0.1, from where it dials as well; the peer listens at, and dials
//! from, another address of the loopback network ([`BEHIND`], `--bind`) and claims to be at the
//! proxy's (`--advertise`). With a proxy before each of two peers both know nothing but the
//! proxies, and both directions go wrong. The stand-ins of the legacy programs claim another IP in
//! the same way.
//!
//! # What it promises
//! It looks at the first bytes of each connection, or at its end if it has none, and asks its plan
//! what to do with it. So a plan can tell texts from probes, and a seeded plan does the same to the
//! same text however the machine is loaded. Every connection has a thread, and every wait in it an
//! end.

mod carry;
mod seed;

use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Builder, SOON, nobody};
use crate::legacy::{Legacy, Program};

pub(crate) use seed::{Rng, Seed, number};

/// Where proxies listen, and dial from.
const FRONT: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Where the peers behind them listen: an address of the loopback network that no other test uses.
const BEHIND: Ipv4Addr = Ipv4Addr::new(127, 0, 77, 1);

/// What goes wrong with one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The peer is connected to only after this time.
    DelayConnection(Duration),
    /// The peer is connected to at once and gets the bytes only after this time.
    DelayBytes(Duration),
    /// The peer's answer and its closing come back only after this time.
    DelayAnswer(Duration),
    /// Every byte comes alone.
    SingleBytes,
    /// The peer gets so many bytes; then both sides are reset.
    ResetAfter(usize),
    /// The peer gets everything and answers; then the dialer is reset instead of getting the
    /// answer.
    ResetBeforeReceipt,
    /// The connection is made and read from; nothing goes on, and it never ends.
    BlackHole,
    /// The peer gets everything and answers; the dialer gets neither the answer nor the end.
    HalfOpen,
    /// Everything is read and the connection closed in good order; the peer gets nothing.
    Swallow,
    /// The connection is kept until another with a message, which came later, is over.
    HoldForNext,
}

type Plan = Box<dyn FnMut(&[u8]) -> Fault + Send>;

/// A proxy before one peer. Dropping it ends whatever it still holds.
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
    /// Connections that something is still to be done with.
    under_way: usize,
    /// The latest connection with a message that is over, as an index of `done`.
    latest_over: Option<usize>,
    /// Connections that shall never end, as long as the proxy lives.
    held: Vec<TcpStream>,
    /// The dialers' ends of the connections that there are.
    open: Vec<(usize, TcpStream)>,
    /// What was done to which connection, for whoever looks for the cause of a failure.
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
    /// A proxy that does nothing wrong yet, before a port that nobody listens at yet.
    pub(crate) fn new() -> Self {
        // Another test process may take the port between the look and the binding.
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

    /// The same peer, behind this proxy.
    pub(crate) fn before(&self, peer: Builder) -> Builder {
        peer.port(self.port).arg("--bind").arg(BEHIND).arg("--advertise").arg(FRONT)
    }

    /// A legacy program, behind this proxy.
    pub(crate) fn before_legacy(&self, program: Program) -> Legacy {
        Legacy::start_at(program, self.shared.peer).expect("nobody listens at the port").claiming(FRONT)
    }

    /// Where the peer is dialed, and what it claims.
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        SocketAddrV4::new(FRONT, self.port)
    }

    /// From now on does to each connection what `plan` says, given the first bytes of it; none mean
    /// a probe.
    pub(crate) fn follows(&self, plan: impl FnMut(&[u8]) -> Fault + Send + 'static) {
        self.shared.lock().plan = Box::new(plan);
    }

    /// From now on does this to every connection, probes too.
    pub(crate) fn does(&self, fault: Fault) {
        self.follows(move |_| fault);
    }

    /// From now on does this to every connection whose message holds `words`, and nothing to
    /// others.
    pub(crate) fn does_to(&self, words: &str, fault: Fault) {
        let words = words.to_owned();
        self.follows(
            move |bytes| {
                if String::from_utf8_lossy(bytes).contains(&words) { fault } else { Fault::None }
            },
        );
    }

    /// From now on does nothing wrong to new connections. What it holds it keeps: a network that
    /// works again does not bring back what it lost.
    pub(crate) fn heals(&self) {
        self.does(Fault::None);
    }

    /// Breaks every connection that there is, those that are kept, too.
    pub(crate) fn breaks_all(&self) {
        let mut state = self.shared.lock();
        state.held.clear();
        state.breaks_open();
    }

    /// Waits until everything is done that it still had to do, so that nothing that was delayed
    /// comes later.
    pub(crate) fn settles(&self) {
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), SOON, |s| s.under_way > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert_eq!(state.under_way, 0, "the proxy never settles: {:?}", state.done);
    }

    /// Waits until it has met a connection whose message holds `words`.
    pub(crate) fn has_met(&self, words: &str) {
        let unmet = |state: &mut State| !state.done.iter().any(|(said, _)| said.contains(words));
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), SOON, unmet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!unmet(&mut state), "nobody said `{words}`: {:?}", state.done);
    }

    /// What it did to connections whose messages hold `words`.
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
        // Accepting has no other way to be woken.
        let _ = TcpStream::connect_timeout(&self.addr().into(), Duration::from_secs(1));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A plan may panic under the lock; the state itself is whole at all times.
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
            // Whatever breaks here breaks one connection, which is what faults are for.
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
