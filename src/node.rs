//! The runtime: owns the one lock, passes events to the core, and carries out its outputs.
//!
//! Under the lock the core computes and its outputs are queued. Nothing is dialed, read or printed
//! under it, and only a store in memory is written.

mod inbox;
mod sessions;
mod shared;
mod start_error;
mod store_writer;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use inbox::Inbox;
use sessions::ToCore;
use shared::{Locked, NETWORK_INTERVAL, Shared};
pub use start_error::StartError;
pub use store_writer::Keeping;
use store_writer::{StoreWriter, WriterQueue};

use crate::core::Time;
use crate::core::{
    As, Command, ContactChange, CoreConfig, Event, KnownContact, Me, Offer, OpId, Pin, Policy, Restored, Row,
    State, StaticPeer, Target, Verification, WaitingMessage,
};
use crate::crypto;
use crate::mailbox::Mailbox;
use crate::model::address::PeerAddr;
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::{Name, PeerName};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{ByeReason, Message};
use crate::model::stored::{QueuedMessage, RowId, StoreOp};
use crate::net::secure::{self, OwnKey, Tls};
use crate::net::sessions::{Sessions, SessionsConfig};
use crate::net::{self, Dialer, Identity, Listener};
use crate::protocol::plain;
use crate::store::{Store, StoreError};

/// What a node starts with.
#[derive(Clone)]
pub struct NodeConfig {
    /// Our own name.
    pub name: Name,
    /// The IP in our headers, if it is not the one that we dial from.
    pub advertise: Option<Ipv4Addr>,
    /// The peers to dial at the start.
    pub peers: Vec<StaticPeer>,
    /// The secret of our key.
    pub seed: [u8; KEY_BYTES],
    /// The pinned keys of earlier runs and of peers.toml.
    pub pins: Vec<Pin>,
    /// The contacts of earlier runs.
    pub contacts: Vec<KnownContact>,
    /// The policy for unknown keys.
    pub policy: Policy,
    /// No message is sent or accepted unencrypted.
    pub require_encryption: bool,
}

impl NodeConfig {
    /// Returns the defaults for a key: no peers and no other keys known, unencrypted messages allowed.
    pub fn new(name: Name, seed: [u8; KEY_BYTES]) -> Self {
        Self {
            name,
            advertise: None,
            peers: Vec::new(),
            seed,
            pins: Vec::new(),
            contacts: Vec::new(),
            policy: Policy::default(),
            require_encryption: false,
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
    listener: Listener,
    ticker: Option<JoinHandle<()>>,
    store_writer: Option<JoinHandle<()>>,
    addrs: Vec<SocketAddr>,
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
        let NodeConfig { name, advertise, peers, seed, pins, contacts, policy, require_encryption } = config;
        let Keeping { mut store, durable, expire, retention } = keeping;
        let own = OwnKey::from_seed(&seed).ok_or(StartError::NoKey)?;
        let tls = Arc::new(Tls::new(&own).map_err(|_| StartError::NoKey)?);
        let Bound { bind, sockets } = bound;
        let addrs: Vec<SocketAddr> = sockets.iter().map(|(_, addr)| *addr).collect();
        let addr = addrs.first().copied().unwrap_or(SocketAddr::new(bind, 0));
        // Dialing the static peers may take all descriptors, so the listener gets its own before.
        let prepared = Listener::prepare(sockets).map_err(|error| StartError::Other(addr, error))?;
        let port = addr.port();
        let me = Me { bind, port, advertise };
        let key = own.public();
        let state =
            State::new(CoreConfig { me, name, key, pins, policy, require_encryption, durable, expire });
        let waiting = waiting_in(&mut *store, expire).map_err(StartError::NoHistory)?;
        let (store_writer, store) = match durable {
            true => (StoreWriter::Thread(Arc::<WriterQueue>::default()), Some((store, retention))),
            false => (StoreWriter::Inline(Mutex::new(store)), None),
        };
        let machine_ips = net::machine_ips(true);
        let look_at_ips = Time::at(NETWORK_INTERVAL);
        let ips = machine_ips.clone();
        let identity = Identity { bind, port, advertise };
        let began = Instant::now();
        let config = SessionsConfig { tls, bind, run: secure::random_number(), began };
        let sessions = Sessions::new(config).map_err(|error| StartError::Other(addr, error))?;
        let shared = Arc::new_cyclic(|weak: &Weak<Shared>| Shared {
            locked: Mutex::new(Locked {
                state,
                ticker_sleeps_until: None,
                machine_ips,
                look_at_ips,
                looked_at_ips: Time::default(),
                stopping: false,
            }),
            earlier: Condvar::new(),
            began,
            port,
            own: key,
            receipt: plain::receipt(port, Some(&key)),
            bind,
            listens_v6: addrs.iter().any(SocketAddr::is_ipv6),
            addresses: Mutex::new(Vec::new()),
            events: Box::new(Arc::clone(mailbox)),
            dialer: {
                let weak = weak.clone();
                Dialer::new(identity, move |report| Shared::report(&weak, report))
            },
            sessions,
            store_writer,
        });
        shared.set_addresses(&ips);
        shared
            .sessions
            .start(ToCore(Arc::downgrade(&shared)))
            .map_err(|error| StartError::Other(addr, error))?;
        // The listener starts last, so static peers are known as such before they can send anything.
        for peer in &peers {
            shared.learn_if_own(peer.addr);
        }
        for text in &waiting {
            if let Recipient::Address(addr) = text.to {
                shared.learn_if_own(addr);
            }
        }
        let start = shared.with_state(|state, now| state.start(peers, contacts, now));
        shared.with_state(|state, now| ((), state.restore(waiting, now)));
        let store_writer = match store {
            Some((store, retention)) => store_writer::start(&shared, store, retention)
                .map_err(|error| StartError::Other(addr, error))?,
            None => None,
        };
        let listener =
            prepared.serve(Inbox(Arc::clone(&shared))).map_err(|error| StartError::Other(addr, error))?;
        let ticking = Arc::clone(&shared);
        let ticker = thread::Builder::new()
            .name("ticker".into())
            .spawn(move || ticking.tick())
            .map(Some)
            .map_err(|error| StartError::Other(addr, error))?;
        Ok(Self { shared, listener, ticker, store_writer, addrs, start })
    }

    /// Our own name.
    pub fn name(&self) -> Name {
        self.shared.locked.lock().state.name().clone()
    }

    /// Changes our own name. Requests under way keep the former one.
    pub fn set_name(&self, name: Name) {
        self.shared.sessions.rename(PeerName::new(name.as_str()));
        self.shared.locked.lock().state.set_name(name);
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
        self.shared.own
    }

    /// The pin of a recipient that has a key.
    pub fn pin_of(&self, id: Recipient) -> Option<Pin> {
        self.shared.locked.lock().state.pinned(id).cloned()
    }

    /// Whether a recipient is a contact.
    pub fn is_contact(&self, id: Recipient) -> bool {
        self.shared.locked.lock().state.is_contact(id)
    }

    /// Records the user's nickname for a peer, or removes it.
    pub fn set_alias(&self, id: Recipient, name: Option<Name>) {
        self.shared.locked.lock().state.set_alias(id, name);
    }

    /// The contacts known by key that are not in the peer list.
    pub fn unlisted_contacts(&self) -> Vec<Pin> {
        self.shared.locked.lock().state.unlisted_contacts()
    }

    /// The blocked contacts, which are not in the peer list.
    pub fn blocked_contacts(&self) -> Vec<Pin> {
        self.shared.locked.lock().state.blocked_contacts()
    }

    /// The recipients of a typed address; several contacts may have proven themselves at one
    /// address.
    pub fn at(&self, addr: PeerAddr) -> Vec<Recipient> {
        self.shared.locked.lock().state.at(addr)
    }

    /// The address that a recipient is dialed at first.
    pub fn dialed_at(&self, id: Recipient) -> Option<PeerAddr> {
        self.shared.locked.lock().state.dialed_at(id)
    }

    /// The pins that a word of the user may mean.
    pub fn pins_for(&self, word: &str) -> Vec<Pin> {
        self.shared.locked.lock().state.trusted().pins_for(word).into_iter().cloned().collect()
    }

    /// The keys that wait for the user's decision, and how many more there were.
    pub fn offers(&self) -> (Vec<Offer>, u64) {
        let locked = self.shared.locked.lock();
        let (offers, more) = locked.state.trusted().offers();
        (offers.to_vec(), more)
    }

    /// The offers that a word of the user may mean.
    pub fn offers_for(&self, word: &str) -> Vec<Offer> {
        self.shared.locked.lock().state.trusted().offers_for(word).into_iter().cloned().collect()
    }

    /// The policy for unknown keys.
    pub fn policy(&self) -> Policy {
        self.shared.locked.lock().state.trusted().policy()
    }

    /// Returns the changes of contacts since the last call, which have to be saved.
    pub fn take_contact_changes(&self) -> Vec<ContactChange> {
        self.shared.locked.lock().state.take_contact_changes()
    }

    /// Carries out a command without waiting for its results, which follow as events.
    pub fn command(&self, command: Command) -> OpId {
        if let Command::Send { to: Target::These(addrs), .. } | Command::Connect(Target::These(addrs)) =
            &command
        {
            addrs.iter().filter_map(|id| id.addr()).for_each(|addr| self.shared.learn_if_own(addr));
        }
        let parted = match &command {
            Command::Block(key) | Command::Trust(_, As::NewKeyOf(key)) => Some(*key),
            Command::Forget(id) => id.public_key(),
            Command::SetContact { contact, .. } if contact.blocked => contact.id.key(),
            _ => None,
        };
        let op = self.shared.with_state(|state, now| state.command(command, now));
        if let Some(key) = parted {
            // A session that is open was accepted when the key was trusted. The next one is judged anew.
            self.shared.sessions.part(key, ByeReason::Idle);
        }
        op
    }

    /// The peer list as it is believed to be, unverified.
    pub fn rows(&self) -> Vec<Row> {
        let now = self.shared.now();
        self.shared.locked.lock().state.rows(now)
    }

    /// How many peers are online, as far as is known.
    pub fn here(&self) -> usize {
        self.shared.locked.lock().state.here()
    }

    /// Returns how many messages wait for a recipient.
    pub fn queued(&self, id: Recipient) -> usize {
        self.shared.locked.lock().state.queued(id)
    }

    /// Whether a peer is in the list.
    pub fn knows(&self, id: Recipient) -> bool {
        self.shared.locked.lock().state.knows(id)
    }

    /// Whether dialing `addr` reaches this program itself.
    pub fn is_own(&self, addr: PeerAddr) -> bool {
        self.shared.learn_if_own(addr);
        self.shared.locked.lock().state.is_own(addr)
    }

    /// How sure the program is that a recipient is the one it is named as.
    pub fn verification_of(&self, id: Recipient) -> Verification {
        self.shared.locked.lock().state.verification_of(id)
    }

    /// Returns the digits that the user and the owner of `key` compare. Takes some milliseconds.
    pub fn code_with(&self, key: PublicKey) -> String {
        crypto::short_code(self.own_key(), key)
    }

    /// Records that these messages have been shown to the user.
    pub fn shown(&self, rows: Vec<RowId>) {
        if !rows.is_empty() {
            self.shared.store_writer.write(None, StoreOp::MarkShown(rows));
        }
    }

    /// Records that the user has read everything from this peer.
    pub fn read(&self, peer: Recipient) {
        self.shared.store_writer.write(None, StoreOp::MarkRead(peer));
    }

    /// The stored conversations of a recipient: its own, and for a legacy peer also that of its
    /// address from before the peer proved itself.
    pub fn conversations_of(id: Recipient) -> Vec<Recipient> {
        let unproven = match id {
            Recipient::Peer(PeerId::Legacy(legacy)) => Some(Recipient::Address(legacy.addr())),
            Recipient::Peer(PeerId::Key(_)) | Recipient::Address(_) => None,
        };
        [id].into_iter().chain(unproven).collect()
    }

    /// The messages that wait.
    pub fn waiting(&self) -> Vec<WaitingMessage> {
        let now = self.shared.now();
        self.shared.locked.lock().state.waiting(now)
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

    /// Accepts nothing more from the network: what arrives from now on is not acknowledged. What was
    /// accepted before is in the mailbox when this returns.
    pub fn close(&self) {
        self.shared.locked.lock().state.close();
    }

    /// Closes the listener, ends all threads, and waits for them until `deadline`. Threads that the
    /// operating system still holds by then end with the process. [`Command::Leave`] comes before.
    pub fn stop(&mut self, deadline: Instant) {
        self.listener.stop(deadline);
        self.shared.dialer.stop(deadline);
        self.shared.sessions.stop(deadline);
        self.shared.locked.lock().stopping = true;
        self.shared.earlier.notify_all();
        // The ticker only blocks on the lock and its own sleep, which has just ended.
        if self.ticker.take().is_some_and(|ticker| ticker.join().is_err()) {
            log::error!("the ticker thread had failed");
        }
    }
}

/// Reads the messages of an earlier run that wait.
fn waiting_in(store: &mut dyn Store, expire: Duration) -> Result<Vec<Restored>, StoreError> {
    let queued = store.queued()?;
    let clock = store_writer::clock();
    let restored =
        |QueuedMessage { to, name: called, message, attempted, expires }: QueuedMessage| Restored {
            to,
            cut_off: attempted && to.public_key().is_none(),
            // Wherever the clock was set, no message waits longer than the user allows.
            left: Duration::from_millis(expires.saturating_sub(clock)).min(expire),
            // A message that waits for a legacy peer or an address was not sent before.
            message: Message {
                again: message.again && matches!(to, Recipient::Peer(PeerId::Key(_))),
                ..message
            },
            name: called,
        };
    Ok(queued.into_iter().map(restored).collect())
}
