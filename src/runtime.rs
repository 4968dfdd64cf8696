//! The runtime: owns the one lock, passes events to the core, and carries out its outputs.
//!
//! A [`Machine`] is the state, and a [`Step`] handles one input. The threads of a [`Node`] are
//! loops around it: they wait for something, lock, take a step, and drop the lock. In a step the
//! core computes and its outputs are queued. Nothing is dialed, read, written or printed. The
//! simulator takes the same steps from one thread, with a clock and a network of its own.

mod contacts;
mod discovery;
mod draft;
mod inbox;
mod machine;
mod ports;
mod sessions;
mod shared;
mod start_error;
mod step;
mod store_writer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use zeroize::Zeroizing;

pub use crate::net::{CONNECT_TIMEOUT, EOF_TIMEOUT};
pub(crate) use contacts::{ContactBook, Noted, RELOAD_INTERVAL};
pub(crate) use draft::body_of;
use inbox::Inbox;
pub use machine::{Machine, MachineConfig};
pub use ports::{EventSink, Ports, Put, QueuedWrite, StoreQueue};
use sessions::ToMachine;
use shared::Shared;
pub(crate) use start_error::StartError;
pub use step::Step;
pub use store_writer::{Keeping, MAX_WAITING_BYTES, write_batch};

use crate::core::{
    Command, ContactChange, CoreConfig, DiscoveryMode, Event, IntroducedPeer, KnownContact, MadeIntroduction,
    Me, Meeting, OpId, PeerInfo, PeerRequest, Pin, Policy, PresenceStatus, Restored, Row, SavedIntroductions,
    State, StaticPeer, Verification, WaitingMessage,
};
use crate::crypto;
use crate::interfaces;
use crate::mailbox::{Mailbox, ROOM};
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::{Name, PeerName};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{ByeReason, Message};
use crate::model::stored::{Query, QueuedMessage, RowId, StoreOp, StoredMessage};
use crate::net::secure::{self, OwnKey, Tls};
use crate::net::sessions::{MAX_HELD_BYTES, Sessions, SessionsConfig};
use crate::net::{self, DialSource, Dialer, Discovery, DiscoveryConfig, Listener, Listening, Resolver, Tcp};
use crate::protocol::session::ContactCard;
use crate::store::{Sqlite, StoreError};

/// How long [`Node::messages`] waits for the disk. A write takes milliseconds; after half a second
/// the program would seem to hang.
const SETTLE_WITHIN: Duration = Duration::from_millis(500);

/// Bytes at most of what came and is neither shown nor stored.
pub const MAX_STAGED_BYTES: usize = 16 * 1024 * 1024;

const _: () = assert!(ROOM + MAX_WAITING_BYTES + MAX_HELD_BYTES == MAX_STAGED_BYTES);

/// What a node starts with.
#[derive(Clone)]
pub struct NodeConfig {
    /// Our own name.
    pub name: Name,
    /// The IP in our headers, if it is not the one that we dial from.
    pub advertise: Option<Ipv4Addr>,
    /// The peers to dial at the start.
    pub peers: Vec<StaticPeer>,
    /// The secret of our key, which is overwritten in memory when it is dropped.
    pub seed: Zeroizing<[u8; KEY_BYTES]>,
    /// The pinned keys of earlier runs and of peers.toml.
    pub pins: Vec<Pin>,
    /// The contacts of earlier runs.
    pub contacts: Vec<KnownContact>,
    /// The policy for strangers.
    pub policy: Policy,
    /// The blocked sources.
    pub blocked_sources: Vec<SourcePrefix>,
    /// No message is sent or accepted unencrypted.
    pub require_encryption: bool,
    /// Who can discover us on the local network.
    pub discovery: DiscoveryMode,
    /// The introductions of earlier runs.
    pub introductions: SavedIntroductions,
}

impl NodeConfig {
    /// Returns the defaults for a key: no peers and no other keys known, unencrypted messages
    /// allowed.
    pub fn new(name: Name, seed: [u8; KEY_BYTES]) -> Self {
        Self {
            name,
            advertise: None,
            peers: Vec::new(),
            seed: Zeroizing::new(seed),
            pins: Vec::new(),
            contacts: Vec::new(),
            policy: Policy::default(),
            blocked_sources: Vec::new(),
            require_encryption: false,
            discovery: DiscoveryMode::Off,
            introductions: SavedIntroductions::default(),
        }
    }
}

impl fmt::Debug for NodeConfig {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The sockets that a node listens at.
pub struct Bound {
    bind: IpAddr,
    /// One socket of each address family, the first one being the main one.
    sockets: Vec<(TcpListener, SocketAddr)>,
}

impl Bound {
    /// Listens at `bind`; port 0 stands for any free port.
    ///
    /// # Errors
    /// If the port is taken or not permitted, or if the IP is not this machine's.
    pub fn new(bind: IpAddr, port: u16) -> Result<Self, StartError> {
        let sockets = net::bind(bind, port).map_err(|(addr, error)| StartError::of(addr, error))?;
        Ok(Self { bind, sockets })
    }
}

/// A running peer.
pub struct Node {
    shared: Arc<Shared>,
    own: OwnKey,
    listener: Listener,
    ticker: Option<JoinHandle<()>>,
    store_writer: Option<JoinHandle<()>>,
    /// The store that is read.
    history: Arc<Mutex<Sqlite>>,
    durable: bool,
    addrs: Vec<SocketAddr>,
    listening: Listening,
    discovery: Mutex<Option<Discovery>>,
    start: OpId,
}

impl Node {
    /// Serves the bound sockets, dials the static peers in the background, and sends the messages
    /// that an earlier run left queued. Events go to `mailbox`.
    ///
    /// # Errors
    /// If the key cannot be used, the queued messages cannot be read, or no thread can be started.
    pub fn start<T>(
        bound: Bound,
        config: NodeConfig,
        keeping: Keeping,
        mailbox: &Arc<Mailbox<T>>,
    ) -> Result<Self, StartError>
    where
        T: From<Event> + Send + 'static,
    {
        let NodeConfig { name, advertise, peers, seed, pins, contacts, .. } = config;
        let NodeConfig { policy, blocked_sources, require_encryption, discovery, introductions, .. } = config;
        let Keeping { store, reader: history, durable, expire, retention } = keeping;
        let own = OwnKey::from_seed(&seed).ok_or(StartError::NoKey)?;
        let tls = Arc::new(Tls::new(&own).map_err(|_| StartError::NoKey)?);
        let Bound { bind, sockets } = bound;
        let addrs: Vec<SocketAddr> = sockets.iter().map(|(_, addr)| *addr).collect();
        let addr = addrs.first().copied().unwrap_or(SocketAddr::new(bind, 0));
        let failed = |error| StartError::Other(addr, error);
        // Dialing the static peers may take all descriptors, so the listener gets its own before.
        let prepared = Listener::prepare(sockets).map_err(failed)?;
        let port = addr.port();
        let me = Me { bind, port, advertise };
        let key = own.public();
        let core = CoreConfig {
            pins,
            policy,
            blocked_sources,
            require_encryption,
            discovery,
            durable,
            expire,
            introductions,
            ..CoreConfig::new(me, name, key)
        };
        let waiting =
            waiting_in(&mut store.lock(), expire, store_writer::clock()).map_err(StartError::NoHistory)?;
        let listens_v6 = addrs.iter().any(SocketAddr::is_ipv6);
        let machine = Machine::new(MachineConfig {
            core,
            listens_v6,
            ips: interfaces::machine_ips().unwrap_or_default(),
        });
        let source = DialSource { bind, port, advertise };
        let began = Instant::now();
        let config = SessionsConfig { tls, bind, run: secure::random_number(), began };
        let sessions = Sessions::new(config).map_err(failed)?;
        let shared = Arc::new_cyclic(|weak: &Weak<Shared>| {
            let (reporting, resolving) = (weak.clone(), weak.clone());
            let dialer = Dialer::new(source, move |report| Shared::report(&reporting, report));
            let resolver = Resolver::new(move |host, found| Shared::resolved(&resolving, host, found));
            Shared::new(machine, Arc::clone(mailbox) as _, Tcp { sessions, dialer, resolver, began })
        });
        shared.tcp.sessions.start(ToMachine(Arc::downgrade(&shared))).map_err(failed)?;
        // The listener starts last, so static peers are known as such before they can send
        // anything.
        let start = shared.step(|step| step.start(peers, contacts, waiting));
        let store_writer = store_writer::start(&shared, store, retention).map(Some).map_err(failed)?;
        let listener = prepared.serve(Inbox(Arc::clone(&shared))).map_err(failed)?;
        let ticking = Arc::clone(&shared);
        let ticker = thread::Builder::new().name("ticker".into()).spawn(move || ticking.tick());
        let ticker = ticker.map(Some).map_err(failed)?;
        let listening = Listening { bind, port, ipv6: listens_v6 };
        let discovery = Mutex::default();
        let node = Self {
            shared,
            own,
            listener,
            ticker,
            store_writer,
            history,
            durable,
            addrs,
            listening,
            discovery,
            start,
        };
        node.start_discovery();
        Ok(node)
    }

    /// Starts discovery unless the mode is `Off`. A program that listens only at a loopback address
    /// cannot be reached by others, so it does not start it.
    fn start_discovery(&self) {
        let mode = self.discovery_mode();
        if mode == DiscoveryMode::Off || self.listening.bind.is_loopback() {
            return;
        }
        let (key, name, listening) = (self.own.public(), self.name(), self.listening);
        let config = DiscoveryConfig { mode, key, name, listening };
        match Discovery::start(config, discovery::ToMachine(Arc::downgrade(&self.shared))) {
            Ok(discovery) => *self.discovery.lock() = Some(discovery),
            Err(error) => log::warn!("cannot discover peers on this network: {error}"),
        }
    }

    /// Tells the network that we leave, and stops looking for others.
    fn stop_discovery(&self) {
        let running = self.discovery.lock().take();
        if let Some(running) = running {
            running.stop();
        }
    }

    /// Locks the core, which answers questions.
    fn state(&self) -> impl Deref<Target = State> {
        MutexGuard::map(self.shared.locked.lock(), |locked| &mut locked.machine.state)
    }

    /// Returns who can discover us on the local network, as the user chose.
    pub fn discovery_mode(&self) -> DiscoveryMode {
        self.state().discovery_mode()
    }

    /// Changes who can discover us. Telling the network takes up to 200 ms.
    pub fn set_discovery_mode(&self, mode: DiscoveryMode) {
        self.stop_discovery();
        self.shared.step(|step| step.set_discovery_mode(mode));
        self.start_discovery();
    }

    /// Reads the addresses of this machine, as the ticker does once a minute.
    pub fn read_ips(&self) {
        // If they cannot be read, for example without a free descriptor, they are as before.
        if let Ok(ips) = interfaces::machine_ips() {
            self.shared.step(|step| step.ips_read(ips));
        }
    }

    /// Restarts discovery if the networks of this machine have changed, and forgets earlier
    /// announcements. Takes up to 200 ms then.
    pub fn follow_networks(&self) {
        if self.discovery.lock().as_ref().is_some_and(Discovery::is_out_of_date) {
            self.set_discovery_mode(self.discovery_mode());
        }
    }

    /// Returns the networks where we can be discovered, for the screen, or why we cannot although
    /// discovery is on. `None` if discovery does not run.
    pub fn visible_networks(&self) -> Option<Result<Vec<String>, String>> {
        self.discovery.lock().as_ref().map(Discovery::visible_networks)
    }

    /// Returns the discovered strangers that are not in the peer list.
    pub fn discovered_strangers(&self) -> Vec<PeerInfo> {
        self.state().book().discovered_strangers()
    }

    /// Our own name.
    pub fn name(&self) -> Name {
        self.state().name().clone()
    }

    /// The addresses that it listens at, one for each address family.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The first of [`Node::addrs`].
    pub fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// The command that dials the static peers.
    pub fn start_op(&self) -> OpId {
        self.start
    }

    /// Our own public key.
    pub fn own_key(&self) -> PublicKey {
        self.own.public()
    }

    /// Returns our signed contact card for a key. `None` if it cannot be signed, which is not
    /// expected.
    pub fn card_for(&self, to: PublicKey, addrs: &[PeerAddr]) -> Option<ContactCard> {
        let name = PeerName::new(self.name().as_str());
        let card = ContactCard::unsigned(to, self.own_key(), &name, store_writer::clock(), addrs);
        let signature = self.own.sign(&card.signed_bytes())?;
        Some(card.signed(signature))
    }

    /// Returns the introductions that wait for the user's decision.
    pub fn introductions(&self) -> Vec<IntroducedPeer> {
        self.state().undecided_introductions(date())
    }

    /// Returns the introductions that the user has ignored and can still accept.
    pub fn ignored_introductions(&self) -> Vec<IntroducedPeer> {
        self.state().ignored_introductions(date())
    }

    /// Returns the introductions that the user made and that wait for an answer or a session, and
    /// those that the user has accepted and that wait for a card.
    pub fn waiting_introductions(&self) -> (Vec<MadeIntroduction>, Vec<IntroducedPeer>) {
        self.state().waiting_introductions(date())
    }

    /// Returns what is to be saved of the introductions.
    pub fn take_introductions(&self) -> SavedIntroductions {
        self.shared.locked.lock().machine.take_introductions(date())
    }

    /// The pin of a recipient that has a key.
    pub fn pin_of(&self, id: Recipient) -> Option<Pin> {
        self.state().trusted().pin_of(id).cloned()
    }

    /// Whether a recipient is a contact.
    pub fn is_contact(&self, id: Recipient) -> bool {
        self.state().book().is_contact(id)
    }

    /// Whether a recipient is a contact in later runs too.
    pub fn is_lasting_contact(&self, id: Recipient) -> bool {
        self.state().book().is_lasting_contact(id)
    }

    /// The contacts known by key that are not in the peer list.
    pub fn unlisted_contacts(&self) -> Vec<Pin> {
        self.state().book().unlisted_contacts()
    }

    /// The blocked contacts, which are not in the peer list.
    pub fn blocked_contacts(&self) -> Vec<Pin> {
        self.state().trusted().blocked_pins()
    }

    /// The blocked legacy peers, which are not in the peer list.
    pub fn blocked_legacy(&self) -> Vec<PeerInfo> {
        self.state().book().blocked_legacy()
    }

    /// Returns whether the user has blocked a recipient, or the source of a stranger without a key.
    pub fn is_blocked(&self, id: Recipient) -> bool {
        self.state().book().is_blocked(id)
    }

    /// Whether a recipient is a blocked legacy peer.
    pub fn is_blocked_legacy(&self, id: Recipient) -> bool {
        self.state().trusted().is_blocked_legacy(id)
    }

    /// The blocked sources.
    pub fn blocked_sources(&self) -> Vec<SourcePrefix> {
        self.state().trusted().blocked_sources().collect()
    }

    /// The recipients of a typed address; several contacts may have proven themselves at one
    /// address.
    pub fn at(&self, addr: PeerAddr) -> Vec<Recipient> {
        self.state().book().at(addr)
    }

    /// The address that a recipient is dialed at first.
    pub fn dialed_at(&self, id: Recipient) -> Option<PeerAddr> {
        self.state().book().dialed_at(id)
    }

    /// The pins that a word of the user may mean.
    pub fn pins_for(&self, word: &str) -> Vec<Pin> {
        self.state().trusted().pins_for(word).into_iter().cloned().collect()
    }

    /// The peers that wait for the user's decision, and how many more found no room.
    pub fn requests(&self) -> (Vec<PeerRequest>, usize) {
        self.state().requests()
    }

    /// The requests that a word of the user may mean.
    pub fn requests_for(&self, word: &str) -> Vec<PeerRequest> {
        self.state().requests_for(word)
    }

    /// The refused strangers that a word of the user may mean.
    pub fn refused_for(&self, word: &str) -> Vec<Meeting> {
        self.state().trusted().refused_for(word).into_iter().cloned().collect()
    }

    /// The policy for strangers.
    pub fn policy(&self) -> Policy {
        self.state().trusted().policy()
    }

    /// Returns the changes of contacts since the last call, which have to be saved.
    pub fn take_contact_changes(&self) -> Vec<ContactChange> {
        self.shared.locked.lock().machine.take_contact_changes()
    }

    /// Carries out a command without waiting for its results, which follow as events.
    pub fn command(&self, command: Command) -> OpId {
        let is_announced =
            matches!(command, Command::SetName(_)) && self.discovery_mode() == DiscoveryMode::On;
        let op = self.shared.step(|step| step.command(command));
        if is_announced {
            // The announcement contains the name.
            self.stop_discovery();
            self.start_discovery();
        }
        op
    }

    /// The peer list as it is believed to be, unverified.
    pub fn rows(&self) -> Vec<Row> {
        let now = self.shared.now();
        self.state().rows(now)
    }

    /// How many peers are online, as far as is known.
    pub fn online_count(&self) -> usize {
        self.state().online_count()
    }

    /// Returns how many messages wait for a recipient.
    pub fn queued(&self, id: Recipient) -> usize {
        self.state().queued(id)
    }

    /// Whether queued messages survive the end of the program.
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    /// Whether a peer is in the list.
    pub fn knows(&self, id: Recipient) -> bool {
        self.state().book().knows(id)
    }

    /// Whether dialing `addr` reaches this program itself.
    pub fn is_own(&self, addr: PeerAddr) -> bool {
        self.shared.step(|step| step.is_own(addr))
    }

    /// How sure the program is that a recipient is the one it is named as.
    pub fn verification_of(&self, id: Recipient) -> Verification {
        self.state().book().verification_of(id)
    }

    /// Returns the presence of a recipient; `None` if it is not in the table.
    pub fn presence_of(&self, id: Recipient) -> Option<PresenceStatus> {
        self.state().book().presence_of(id)
    }

    /// Returns why an online recipient does not accept our messages, if it said so.
    pub fn refusal_of(&self, id: Recipient) -> Option<ByeReason> {
        self.state().book().refusal_of(id)
    }

    /// Returns whether the user has muted a recipient.
    pub fn is_muted(&self, id: Recipient) -> bool {
        self.state().conversations().muted().contains(&id)
    }

    /// Returns the muted recipients.
    pub fn muted(&self) -> BTreeSet<Recipient> {
        self.state().conversations().muted().clone()
    }

    /// Returns the peers with unread messages, which arrived while a conversation with others was
    /// open, and how many.
    pub fn unread(&self) -> BTreeMap<Recipient, usize> {
        self.state().conversations().unread().clone()
    }

    /// Returns the digits that the user and the owner of `key` compare. Takes some milliseconds.
    pub fn code_with(&self, key: PublicKey) -> String {
        crypto::short_code(self.own_key(), key)
    }

    /// Has the store writer carry out a write to another file. [`Event::ContactsChanged`] follows.
    pub(crate) fn write_file(&self, write: store_writer::FileWrite) {
        self.shared.store_writer.put_file(write);
    }

    /// Records that these messages have been shown to the user.
    pub fn shown(&self, rows: Vec<RowId>) {
        if !rows.is_empty() {
            self.shared.step(|step| step.store(StoreOp::MarkShown(rows)));
        }
    }

    /// The messages that wait.
    pub fn waiting(&self) -> Vec<WaitingMessage> {
        let now = self.shared.now();
        self.state().waiting(now)
    }

    /// Returns the stored messages that match a query, oldest first. Waits up to 500 ms for earlier
    /// writes, so that the result has every status that was shown.
    pub fn messages(&self, query: &Query) -> Result<Vec<StoredMessage>, StoreError> {
        if !self.shared.store_writer.settle(Instant::now() + SETTLE_WITHIN) {
            log::warn!("the history does not have the latest messages yet");
        }
        self.history.lock().messages(query)
    }

    /// Returns received messages that may not have been shown, oldest first; at most the newest
    /// `limit`.
    pub fn unshown(&self, limit: usize) -> Result<Vec<StoredMessage>, StoreError> {
        self.history.lock().unshown(limit)
    }

    /// Returns every peer with stored messages and its last name, the one with the newest message
    /// first.
    pub fn peers_in_history(&self) -> Result<Vec<(Recipient, Option<PeerName>)>, StoreError> {
        self.history.lock().peers()
    }

    /// Stores what is still to be stored, and ends the store writer; to be called after
    /// [`Node::stop`]. What the disk does not take until `deadline` is lost.
    pub fn write_out(&mut self, deadline: Instant) {
        if !self.shared.store_writer.write_out(deadline) {
            log::error!("the history could not be written to its end in time");
        } else if self.store_writer.take().is_some_and(|writer| writer.join().is_err()) {
            log::error!("the thread that writes the history had failed");
        }
    }

    /// Accepts nothing more from the network: what arrives from now on is not acknowledged. What
    /// was accepted before is in the mailbox when this returns.
    pub fn close(&self) {
        self.shared.locked.lock().machine.close();
    }

    /// Closes the listener, ends all threads, and waits for them until `deadline`. Threads that the
    /// operating system still holds by then end with the process. [`Command::Leave`] comes before.
    pub fn stop(&mut self, deadline: Instant) {
        self.stop_discovery();
        self.listener.stop(deadline);
        self.shared.tcp.resolver.stop();
        self.shared.tcp.dialer.stop(deadline);
        self.shared.tcp.sessions.stop(deadline);
        self.shared.locked.lock().stopping = true;
        self.shared.earlier.notify_all();
        // The ticker only blocks on the lock and its own sleep, which has just ended.
        if self.ticker.take().is_some_and(|ticker| ticker.join().is_err()) {
            log::error!("the ticker thread had failed");
        }
    }
}

/// Returns the clock, in seconds since 1970.
fn date() -> u64 {
    store_writer::clock() / 1_000
}

/// Reads the messages of an earlier run that wait, each for `expire` at most. `clock` is the time
/// in milliseconds since 1970. If it may be wrong, none has expired.
pub fn waiting_in(store: &mut Sqlite, expire: Duration, clock: u64) -> Result<Vec<Restored>, StoreError> {
    let is_doubtful = store.note_clock(clock)?.is_some();
    let queued = store.queued()?;
    let left = |expires: u64| match expires {
        _ if is_doubtful => expire,
        0 => expire,
        _ => Duration::from_millis(expires.saturating_sub(clock)).min(expire),
    };
    let restored =
        |QueuedMessage { to, name: called, message, attempted, expires }: QueuedMessage| Restored {
            to,
            cut_off: attempted && to.public_key().is_none(),
            // Wherever the clock was set, no message waits longer than the user allows.
            left: left(expires),
            // A message that waits for a legacy peer or an address was not sent before.
            message: Message {
                again: message.again && matches!(to, Recipient::Peer(PeerId::Key(_))),
                ..message
            },
            name: called,
        };
    Ok(queued.into_iter().map(restored).collect())
}
