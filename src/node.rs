//! The runtime: owns the one lock, feeds the rules with what happens, and does what they want done.
//!
//! Under the lock there is only computing and putting into queues; nothing is dialled, read, written or printed.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::chat::{
    Action, Answer, Chat, Command, Event, JobId, Me, Offer, OpId, Pin, Proof, Received, Row, Sent,
    StaticPeer, Target, Time, Transmit,
};
use crate::crypto;
use crate::key::{KEY_BYTES, PeerKey};
use crate::mailbox::Mailbox;
use crate::message::{Decoded, Failure, Fate};
use crate::net::{self, Delivery, Dialler, Errand, Identity, Listener, Recipient, Reply, Report};
use crate::peer::{Name, PeerAddr, Source};
use crate::wire;

/// Who we are and whom we know.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Our name.
    pub name: Name,
    /// The IP to listen at.
    pub bind: Ipv4Addr,
    /// The port to listen at; 0 for any.
    pub port: u16,
    /// The IP that others are told to dial, if not the one we dial from.
    pub advertise: Option<Ipv4Addr>,
    /// Whom to dial from the start.
    pub peers: Vec<StaticPeer>,
}

/// Why a node cannot start. Its display is a whole sentence for a user.
#[derive(Debug)]
pub enum StartError {
    /// Somebody listens there already.
    PortInUse(SocketAddrV4),
    /// The operating system does not let us.
    NotPermitted(SocketAddrV4),
    /// The IP is not this machine's.
    NotOurs(Ipv4Addr),
    /// Anything else.
    Other(SocketAddrV4, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortInUse(addr) => write!(
                f,
                "Port {} is already in use, perhaps by another p2p-chat; choose another one, or 0 for any that is free.",
                addr.port()
            ),
            Self::NotPermitted(addr) => write!(
                f,
                "Listening at port {} is not permitted; choose one from 1024 to 65535, or 0 for any that is free.",
                addr.port()
            ),
            Self::NotOurs(ip) => {
                write!(
                    f,
                    "{ip} is no address of this machine; give --bind one that is, or leave it out to listen at all of them."
                )
            }
            Self::Other(addr, error) => write!(f, "Cannot listen at {addr}: {error}."),
        }
    }
}

impl std::error::Error for StartError {}

impl StartError {
    fn of(addr: SocketAddrV4, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse(addr),
            io::ErrorKind::PermissionDenied => Self::NotPermitted(addr),
            io::ErrorKind::AddrNotAvailable => Self::NotOurs(*addr.ip()),
            _ => Self::Other(addr, error),
        }
    }
}

/// A running peer.
pub struct Node {
    shared: Arc<Shared>,
    listener: Listener,
    ticker: Option<JoinHandle<()>>,
    addr: SocketAddrV4,
    start: OpId,
}

struct Shared {
    state: Mutex<State>,
    /// Wakes the ticker when something became due earlier than it sleeps.
    earlier: Condvar,
    began: Instant,
    port: u16,
    outlet: Box<dyn Outlet>,
    dialler: OnceLock<Dialler>,
}

struct State {
    chat: Chat,
    /// What we are called from now on.
    name: Name,
    ticker_sleeps_until: Option<Time>,
    stopping: bool,
}

/// Where events go.
trait Outlet: Send + Sync {
    /// Puts an event in, on account of the source that caused it.
    fn put(&self, event: Event, source: Option<Ipv4Addr>);
    fn has_room(&self, source: Ipv4Addr) -> bool;
    fn wait_for_room(&self, source: Ipv4Addr, deadline: Instant) -> bool;
}

impl<T: From<Event> + Send> Outlet for Arc<Mailbox<T>> {
    fn put(&self, event: Event, source: Option<Ipv4Addr>) {
        Mailbox::put_from(self, event.into(), source);
    }

    fn has_room(&self, source: Ipv4Addr) -> bool {
        Mailbox::has_room(self, source)
    }

    fn wait_for_room(&self, source: Ipv4Addr, deadline: Instant) -> bool {
        Mailbox::wait_for_room(self, source, deadline)
    }
}

impl Node {
    /// Listens, and dials the static peers in the background. Events go to `mailbox`.
    ///
    /// # Errors
    /// Where it cannot listen, or has no thread to do so.
    pub fn start<T>(config: NodeConfig, mailbox: &Arc<Mailbox<T>>) -> Result<Self, StartError>
    where
        T: From<Event> + Send + 'static,
    {
        let NodeConfig { name, bind, port, advertise, peers } = config;
        let asked = SocketAddrV4::new(bind, port);
        let (socket, addr) = Listener::bind(asked).map_err(|error| StartError::of(asked, error))?;
        let port = addr.port();
        let chat = Chat::new(Me { bind, port, advertise });
        let shared = Arc::new(Shared {
            state: Mutex::new(State { chat, name, ticker_sleeps_until: None, stopping: false }),
            earlier: Condvar::new(),
            began: Instant::now(),
            port,
            outlet: Box::new(Arc::clone(mailbox)),
            dialler: OnceLock::new(),
        });
        let weak = Arc::downgrade(&shared);
        let identity = Identity { bind, port, advertise };
        let dialler = Dialler::new(identity, move |report| Shared::report(&weak, report));
        // Nobody else can have set it: the shared state was made three lines above.
        let _ = shared.dialler.set(dialler);
        // Whoever dials meanwhile waits in the backlog, so static peers are known as such before they can speak.
        for peer in &peers {
            shared.learn_if_own(peer.addr.ip(), peer.addr.port());
        }
        let start = shared.with_chat(|chat, now| chat.start(peers, now));
        let listener = Listener::serve(socket, addr, Inbox(Arc::clone(&shared)))
            .map_err(|error| StartError::Other(addr, error))?;
        let ticking = Arc::clone(&shared);
        let ticker = thread::Builder::new()
            .name("ticker".into())
            .spawn(move || ticking.tick())
            .map(Some)
            .map_err(|error| StartError::Other(addr, error))?;
        Ok(Self { shared, listener, ticker, addr, start })
    }

    /// What we are called.
    pub fn name(&self) -> Name {
        self.shared.state.lock().name.clone()
    }

    /// Calls us otherwise. What is on its way keeps the name that it was begun with.
    pub fn set_name(&self, name: Name) {
        self.shared.state.lock().name = name;
    }

    /// Where it listens, with the port that was taken.
    pub fn addr(&self) -> SocketAddrV4 {
        self.addr
    }

    /// The dialling of the static peers, which is settled as a command is.
    pub fn start_op(&self) -> OpId {
        self.start
    }

    /// Does what the user wants, without waiting for anything; what comes of it is told in events.
    pub fn command(&self, command: Command) -> OpId {
        if let Command::Send { to: Target::These(addrs), .. } | Command::Connect(Target::These(addrs)) =
            &command
        {
            addrs.iter().for_each(|addr| self.shared.learn_if_own(addr.ip(), addr.port()));
        }
        self.shared.with_chat(|chat, now| chat.command(command, now))
    }

    /// The peer list as it is believed to be, unverified.
    pub fn rows(&self) -> Vec<Row> {
        let now = self.shared.now();
        self.shared.state.lock().chat.rows(now)
    }

    /// How many peers are there, as far as is known.
    pub fn here(&self) -> usize {
        self.shared.state.lock().chat.here()
    }

    /// Whether a peer is in the list.
    pub fn knows(&self, addr: PeerAddr) -> bool {
        self.shared.state.lock().chat.knows(addr)
    }

    /// Whether somebody who dials `addr` reaches us.
    pub fn is_own(&self, addr: PeerAddr) -> bool {
        self.shared.learn_if_own(addr.ip(), addr.port());
        self.shared.state.lock().chat.is_own(addr)
    }

    /// What is known of the key of a peer, if it has proven one.
    pub fn pin_of(&self, _addr: PeerAddr) -> Option<Pin> {
        None // JOIN
    }

    /// How sure it is that whoever is written to at an address is who is known to be there.
    pub fn proof_of(&self, addr: PeerAddr) -> Proof {
        match self.pin_of(addr) {
            Some(pin) if pin.verified.is_some() => Proof::Verified,
            Some(_) => Proof::Encrypted,
            None => Proof::Plain,
        }
    }

    /// The keys that wait for the user's word, and how many more there were for which there was no room.
    pub fn offers(&self) -> (Vec<Offer>, u64) {
        (Vec::new(), 0) // JOIN
    }

    /// Those of them that a word of the user may mean.
    pub fn offers_for(&self, _word: &str) -> Vec<Offer> {
        Vec::new() // JOIN
    }

    /// The pins that a word of the user may mean: a name, or the beginning of a key.
    pub fn pins_for(&self, _word: &str) -> Vec<Pin> {
        Vec::new() // JOIN
    }

    /// The key that others know us by.
    pub fn own_key(&self) -> PeerKey {
        PeerKey::new([0; KEY_BYTES]) // JOIN
    }

    /// The digits that we and whoever holds `key` compare. It takes some milliseconds, and no lock.
    pub fn code_with(&self, key: PeerKey) -> String {
        crypto::short_code(self.own_key(), key)
    }

    /// Takes nothing more from the network: what comes from now on is not acknowledged. What was taken before is in the
    /// mailbox when this returns.
    pub fn close(&self) {
        self.shared.state.lock().chat.close();
    }

    /// Closes the listener, ends all threads, and waits for them until `deadline`. Goodbyes are a command of their own,
    /// which comes before. Threads that the operating system still holds by then end with the process.
    pub fn stop(&mut self, deadline: Instant) {
        self.listener.stop(deadline);
        if let Some(dialler) = self.shared.dialler.get() {
            dialler.stop(deadline);
        }
        self.shared.state.lock().stopping = true;
        self.shared.earlier.notify_all();
        // The ticker never blocks on anything but the lock and its own sleep, which has just ended.
        if self.ticker.take().is_some_and(|ticker| ticker.join().is_err()) {
            log::error!("the ticker thread had failed");
        }
    }
}

impl Shared {
    fn now(&self) -> Time {
        Time::at(self.began.elapsed())
    }

    /// Lets the rules do something, and does what they want because of it.
    fn with_chat<T>(&self, act: impl FnOnce(&mut Chat, Time) -> (T, Vec<Action>)) -> T {
        self.with_chat_for(None, act)
    }

    /// The same because of what a source of the network sent.
    fn with_chat_for<T>(
        &self,
        source: Option<Ipv4Addr>,
        act: impl FnOnce(&mut Chat, Time) -> (T, Vec<Action>),
    ) -> T {
        let mut state = self.state.lock();
        let now = self.now();
        let (result, actions) = act(&mut state.chat, now);
        self.perform(&mut state, actions, source, now);
        drop(state);
        self.staff();
        result
    }

    /// Puts events into the mailbox and errands into the dialler's queue. Both are put there under the lock, so that
    /// what is told and what is said to a peer has the order of the rules; neither blocks.
    fn perform(&self, state: &mut State, actions: Vec<Action>, source: Option<Ipv4Addr>, now: Time) {
        let mut told = Vec::new();
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Tell(event) => told.push(event),
                // TODO: the join.
                Action::Talk(talk) => log::debug!("{talk:?}"),
                Action::Transmit(transmit) => {
                    if let Err(refused) = self.push(transmit, state.name.clone()) {
                        actions.extend(state.chat.sent(refused, now));
                    }
                }
            }
        }
        // Whoever dials is woken first: the user can wait, and on a busy machine the one woken first runs first.
        told.into_iter().for_each(|event| self.outlet.put(event, source));
        let sooner = match (state.chat.next_wake(), state.ticker_sleeps_until) {
            (Some(due), Some(until)) => due < until,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if sooner {
            self.earlier.notify_one();
        }
    }

    /// What the dialler does not take has failed.
    fn push(&self, transmit: Transmit, name: Name) -> Result<(), Sent> {
        let Transmit { job, to, fallback, form, message, deadline } = transmit;
        let deadline = deadline.map(|at| self.began + at.since_start());
        let errand = Errand { id: job.0, to, fallback, form, name, message, deadline };
        match self.dialler.get().map(|dialler| dialler.push(errand)) {
            Some(Ok(())) => Ok(()),
            _ => Err(Sent {
                job,
                to,
                fate: Fate::Failed(Failure::NoResources),
                parts: (0, 1),
                capability: None,
            }),
        }
    }

    /// Has the dialler take on the threads that its queue needs; without the lock, for making one takes a while.
    fn staff(&self) {
        if let Some(dialler) = self.dialler.get() {
            dialler.staff();
        }
    }

    /// Remembers an IP with our port as ours if it is this machine's. The test is a bind, so it is made without the
    /// lock; it happens once for each such address.
    fn learn_if_own(&self, ip: Ipv4Addr, port: u16) {
        if port == self.port && self.state.lock().chat.may_be_own(ip, port) && net::is_local(ip) {
            self.state.lock().chat.learn_own_ip(ip);
        }
    }

    fn report(shared: &Weak<Self>, report: Report) {
        let Some(shared) = shared.upgrade() else { return };
        let Report { id, to, fate, parts } = report;
        log::debug!("job {id} to {to}: {fate:?}");
        shared.with_chat(|chat, now| {
            ((), chat.sent(Sent { job: JobId(id), to, fate, parts, capability: None }, now))
        });
    }

    /// What the ticker thread does: sleep until something is due, and do it.
    fn tick(&self) {
        let mut state = self.state.lock();
        while !state.stopping {
            let now = self.now();
            match state.chat.next_wake() {
                Some(due) if due <= now => {
                    let actions = state.chat.tick(now);
                    self.perform(&mut state, actions, None, now);
                    MutexGuard::unlocked(&mut state, || self.staff());
                }
                due => {
                    state.ticker_sleeps_until = due;
                    match due {
                        // A millisecond more than the difference: what was due is then past, not just about to be.
                        Some(due) => {
                            let left = due.since(now) + Duration::from_millis(1);
                            self.earlier.wait_for(&mut state, left);
                        }
                        None => self.earlier.wait(&mut state),
                    }
                }
            }
        }
    }
}

/// What the listener delivers to.
struct Inbox(Arc<Shared>);

impl Recipient for Inbox {
    fn deliver(&self, delivery: Delivery, wait_until: Option<Instant>) -> Reply {
        let shared = &self.0;
        let room = match wait_until {
            None => shared.outlet.has_room(delivery.source),
            Some(deadline) => shared.outlet.wait_for_room(delivery.source, deadline),
        };
        if !room {
            return Reply::Full(delivery);
        }
        let Delivery { source, local, decoder } = delivery;
        let cut = decoder.is_cut();
        let decoded = decoder.finish();
        log::debug!("from {source}: {decoded:?}");
        #[cfg(debug_assertions)]
        panic_if_asked(&decoded);
        let source = Source(source);
        for message in &decoded {
            if let Decoded::Message(message) = message {
                shared.learn_if_own(source.0, message.claimed.port);
            }
        }
        let answer = shared.with_chat_for(Some(source.0), |chat, now| {
            chat.learn_own_ip(local);
            chat.received(Received { source, decoded, cut }, now)
        });
        Reply::Answer(match answer {
            Answer::Nothing => Vec::new(),
            Answer::Receipt => wire::receipt(shared.port).into_bytes(),
            Answer::Connected => wire::CONNECTED.as_bytes().to_vec(),
        })
    }

    fn refused(&self, source: Ipv4Addr) {
        self.0.with_chat(|chat, now| ((), chat.refused(Source(source), now)));
    }
}

/// Lets the tests see that a panic in the handling of one connection ends that connection only. Not in release builds.
#[cfg(debug_assertions)]
fn panic_if_asked(decoded: &[Decoded]) {
    use crate::message::{Body, Plain};

    let Ok(word) = std::env::var("P2P_CHAT_TEST_PANIC") else {
        return;
    };
    for message in decoded {
        if let Decoded::Message(Plain { body: Body::Text(text), .. }) = message {
            assert!(text.raw() != word, "asked to panic by a test");
        }
    }
}
