//! What has to hold of encrypted messages: shown once, delivered or reported, in order, never
//! unencrypted, never to another peer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use p2p_chat::core::{OpId, PeerInfo, Pin, PresenceStatus};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::{MessageId, PeerProtocol};
use p2p_chat::model::name::{PeerName, folded};
use p2p_chat::model::peer_id::{PeerId, Recipient};
use p2p_chat::model::session::Message;
use p2p_chat::model::stored::StoreOp;

use super::disk::{Disk, Image};
use super::peer::Pid;
use super::sessions::Sessions;
use super::world::World;

/// What a process knows about keys, for the checks.
pub(super) struct Keyed {
    pub(super) key: PublicKey,
    /// The keys of others that it has stored.
    pub(super) pins: BTreeMap<PublicKey, Pin>,
    pub(super) sessions: Sessions,
    pub(super) disk: Disk,
    /// The messages of its user, by command.
    pub(super) messages: BTreeMap<OpId, Sent>,
    /// When each key last showed that it is there.
    pub(super) signs: BTreeMap<PublicKey, Duration>,
    /// When sessions with each key failed lately.
    pub(super) failed: BTreeMap<PublicKey, VecDeque<Duration>>,
    /// The keys that receipts have promised, by the process that gave them.
    pub(super) promised: BTreeSet<(PeerAddr, Pid)>,
    /// The addresses at which processes have proven their keys when dialed.
    pub(super) proven: BTreeSet<(PeerAddr, Pid)>,
    /// Keys that have ever said goodbye, or that the user disconnected.
    pub(super) parted: BTreeSet<PublicKey>,
}

/// The only recipient of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meant {
    /// The peer with this key.
    Key(PublicKey),
    /// The legacy program at this address; never a key.
    Legacy(PeerAddr),
    /// The first peer that proves itself at this address, once one has.
    Address(PeerAddr, Option<Recipient>),
}

impl Meant {
    /// Returns whom a message to this recipient is for.
    pub(super) fn of(to: Recipient) -> Self {
        match to {
            Recipient::Peer(PeerId::Key(key)) => Self::Key(key),
            Recipient::Peer(PeerId::Legacy(legacy)) => Self::Legacy(legacy.addr()),
            Recipient::Address(addr) => Self::Address(addr, None),
        }
    }

    /// Whether the peer with this key may have the message.
    fn is_for_key(self, key: PublicKey) -> bool {
        match self {
            Self::Key(meant) => meant == key,
            Self::Legacy(_) => false,
            Self::Address(_, bound) => bound == Some(Recipient::key(key)),
        }
    }

    /// Whether the message may leave unencrypted to this address. On one machine a program may
    /// claim another loopback address than the one that it is found at.
    pub(super) fn is_for_plain(self, to: PeerAddr) -> bool {
        let is_at = |addr: PeerAddr| addr == to || (addr.ip().is_loopback() && to.ip().is_loopback());
        match self {
            Self::Key(_) => false,
            Self::Legacy(addr) => is_at(addr),
            Self::Address(addr, bound) => is_at(addr) && bound.is_none_or(|id| id.public_key().is_none()),
        }
    }

    /// Whether a message for this recipient may be stored for that one.
    pub(super) fn may_be_stored_for(self, to: Recipient) -> bool {
        match self {
            Self::Address(addr, bound) => to == Recipient::Address(addr) || bound == Some(to),
            Self::Key(_) | Self::Legacy(_) => Self::of(to) == self,
        }
    }
}

/// The status of a message.
pub(super) struct Sent {
    pub(super) id: MessageId,
    /// Recipients for whom the user was told that it waits, and those of them whose end was told.
    pub(super) waiting: usize,
    pub(super) ended: usize,
}

/// A message as its sender typed it.
pub(super) struct Typed {
    pub(super) by: Pid,
    pub(super) number: u64,
    /// Its recipients when the user entered it.
    pub(super) meant: Vec<Meant>,
    /// What the peer at each address called itself when the message was entered. A key of another
    /// name does not get it before the user has confirmed that.
    pub(super) called: BTreeMap<PeerAddr, PeerName>,
    pub(super) is_confirmed: bool,
    /// The keys that have acknowledged it.
    pub(super) taken: BTreeSet<PublicKey>,
    /// Its sender was told that it waits or was delivered.
    pub(super) is_promised: bool,
    /// The user has sent it again, so it arrives behind later ones.
    pub(super) is_resent: bool,
    /// The user was told that it is not sent any more. A copy that was on its way may still arrive,
    /// behind later ones.
    pub(super) is_given_up: bool,
}

impl Typed {
    /// Binds a message for an address to the peer there.
    fn bind(&mut self, addr: PeerAddr, id: Recipient) {
        for meant in &mut self.meant {
            if *meant == Meant::Address(addr, None) {
                *meant = Meant::Address(addr, Some(id));
            }
        }
    }

    /// Unbinds a message that is found stored for an address: nothing of it has left, so it is for
    /// the next peer there.
    pub(super) fn unbind(&mut self, addr: PeerAddr) {
        for meant in &mut self.meant {
            if matches!(meant, Meant::Address(at, _) if *at == addr) {
                *meant = Meant::Address(addr, None);
            }
        }
    }

    /// Returns the recipient as which the peer with this key has the message. Messages to one
    /// recipient arrive in order; a peer may also get others that were for its address before it
    /// was known.
    pub(super) fn queue_of(&self, key: PublicKey) -> Option<Recipient> {
        let as_key = self.meant.contains(&Meant::Key(key)).then_some(Recipient::key(key));
        let at = |meant: &Meant| match *meant {
            Meant::Address(addr, bound) if bound == Some(Recipient::key(key)) => Some(addr.into()),
            _ => None,
        };
        as_key.or_else(|| self.meant.iter().find_map(at))
    }

    /// Whether the peer with this key, which is dialed at these addresses, may have the message.
    pub(super) fn is_for_key(&mut self, key: PublicKey, addrs: &[PeerAddr]) -> bool {
        if self.is_confirmed && !self.meant.iter().any(|meant| meant.is_for_key(key)) {
            addrs.iter().for_each(|addr| self.bind(*addr, Recipient::key(key)));
        }
        self.meant.iter().any(|meant| meant.is_for_key(key))
    }
}

impl Keyed {
    pub(super) fn new(
        key: PublicKey,
        pins: BTreeMap<PublicKey, Pin>,
        image: Image,
        sessions: Sessions,
    ) -> Self {
        Self {
            key,
            pins,
            sessions,
            disk: Disk::new(image),
            messages: BTreeMap::new(),
            signs: BTreeMap::new(),
            failed: BTreeMap::new(),
            promised: BTreeSet::new(),
            proven: BTreeSet::new(),
            parted: BTreeSet::new(),
        }
    }
}

/// The key of a person of this number.
pub(super) fn key_of_person(person: usize) -> PublicKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&u64::try_from(person + 1).expect("64 bits").to_be_bytes());
    PublicKey::new(bytes)
}

impl World {
    pub(super) fn keyed_mut(&mut self, pid: Pid) -> &mut Keyed {
        &mut self.ours_mut(pid).keyed
    }

    /// Notes a message that is about to be sent, and returns it.
    pub(super) fn note_typed(&mut self, pid: Pid, op: OpId, body: &str, to: &[Recipient]) -> Message {
        let number = self.texts;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let id = MessageId::new(bytes);
        let typed = Typed {
            by: pid,
            number,
            meant: to.iter().copied().map(Meant::of).collect(),
            called: BTreeMap::new(),
            is_confirmed: false,
            taken: BTreeSet::new(),
            is_promised: false,
            is_resent: false,
            is_given_up: false,
        };
        self.typed.insert(id, typed);
        self.keyed_mut(pid).messages.insert(op, Sent { id, waiting: 0, ended: 0 });
        Message { id, time: self.clock(), again: false, to_all: false, body: body.into() }
    }

    /// A peer has proven itself at an address, and gets the messages for that address.
    pub(super) fn note_proven(&mut self, pid: Pid, addr: PeerAddr, who: &PeerInfo) {
        let id = who.id;
        let here = self.hosts[self.processes[pid].host].0;
        let ip = addr.v4().map(|ip| if ip.is_loopback() { here } else { ip });
        let was_there = |key| ip.is_some_and(|ip| self.listened.contains(&(ip, addr.port(), key)));
        if id.public_key().is_some_and(|key| !was_there(key)) {
            self.fail(pid, format_args!("takes {addr} for that of {who:?}, which never was there"));
        }
        let listener = self.listener_at(pid, addr);
        let listener =
            listener.filter(|other| self.key_of(*other).is_some_and(|key| id == Recipient::key(key)));
        if let Some(listener) = listener {
            self.keyed_mut(pid).proven.insert((addr, listener));
        }
        let is_it = |called: &PeerName, name: &PeerName| folded(called.as_str()) == folded(name.as_str());
        for typed in self.typed_by_person(pid) {
            let names = typed.called.get(&addr).zip(who.name.as_ref());
            if id.public_key().is_none() || names.is_none_or(|(called, name)| is_it(called, name)) {
                typed.bind(addr, id);
            }
        }
    }

    pub(super) fn typed_mut(&mut self, id: MessageId) -> &mut Typed {
        self.typed.get_mut(&id).expect("a user has typed it")
    }

    /// Returns all messages of the user of a process, in all runs.
    fn typed_by_person(&mut self, pid: Pid) -> impl Iterator<Item = &mut Typed> {
        let own = self.key_of(pid);
        let runs: BTreeSet<Pid> =
            (0..self.processes.len()).filter(|other| self.key_of(*other) == own).collect();
        self.typed.values_mut().filter(move |typed| runs.contains(&typed.by))
    }

    /// The user wants a waiting message sent now, whatever the peer calls itself.
    pub(super) fn note_confirmed(&mut self, id: MessageId) {
        if let Some(typed) = self.typed.get_mut(&id) {
            typed.is_confirmed = true;
        }
    }

    /// Notes what the recipient of a stored message called itself.
    pub(super) fn note_called(&mut self, write: &StoreOp) {
        if let StoreOp::Outgoing { to: Recipient::Address(addr), name: Some(name), message, .. } = write
            && let Some(typed) = self.typed.get_mut(&message.id)
        {
            typed.called.insert(*addr, name.clone());
        }
    }

    /// The user sends a message again that is stored for this recipient.
    pub(super) fn note_meant_again(&mut self, pid: Pid, id: MessageId, to: Recipient) {
        let meant = &self.typed[&id].meant;
        let is_meant = meant.iter().any(|meant| meant.may_be_stored_for(to));
        if !is_meant {
            self.fail(pid, format_args!("has stored {id:?} for {to:?}, and it was for {meant:?}"));
        }
        let Recipient::Address(addr) = to else { return };
        // It was never sent from the queue. If it waits no more, it is for the peer that the
        // address means by now.
        let waiting = self.ours(pid).state().waiting(self.ours(pid).time(self.now));
        let is_queued = waiting.iter().any(|text| text.to == to);
        let means = if is_queued { to } else { self.means(pid, to) };
        let typed = self.typed_mut(id);
        typed.called.remove(&addr);
        for meant in &mut typed.meant {
            if matches!(meant, Meant::Address(at, _) if *at == addr) {
                *meant = match means {
                    Recipient::Address(_) => Meant::Address(addr, None),
                    Recipient::Peer(_) => Meant::Address(addr, Some(means)),
                };
            }
        }
    }

    /// A key has shown that it is there.
    pub(super) fn note_sign(&mut self, pid: Pid, key: PublicKey) {
        let now = self.now;
        self.keyed_mut(pid).signs.insert(key, now);
    }

    /// Each key has one row, and our own has none.
    pub(super) fn check_keyed_table(&self, pid: Pid) {
        let ours = self.ours(pid);
        let keyed = &ours.keyed;
        let mut keys = BTreeSet::new();
        for row in ours.state().rows(ours.time(self.now)) {
            let PeerProtocol::Session(key) = row.protocol else { continue };
            if key == keyed.key || !keys.insert(key) {
                self.fail(pid, format_args!("lists {key} twice, or itself, at {:?}", row.addr));
            }
        }
    }

    /// Returns the rows of peers with a key, without times.
    pub(super) fn keyed_rows(&self, pid: Pid) -> Vec<p2p_chat::core::Row> {
        let ours = self.ours(pid);
        // Copying the rows of a full table takes long.
        if ours.keyed.pins.is_empty() && ours.keyed.signs.is_empty() {
            return Vec::new();
        }
        let mut rows = ours.state().rows(ours.time(self.now));
        rows.retain(|row| matches!(row.protocol, PeerProtocol::Session(_)));
        rows.iter_mut().for_each(|row| row.last_heard = None);
        rows
    }

    /// Whether a process lists another as connected.
    pub(super) fn is_listed(&self, pid: Pid, other: Pid) -> bool {
        let key = self.key_of(other);
        let there = |row: &p2p_chat::core::Row| {
            matches!(row.protocol, PeerProtocol::Session(of) if Some(of) == key)
                && row.state == PresenceStatus::Connected
        };
        key.is_some() && self.keyed_rows(pid).iter().any(there)
    }

    /// Whether a process waits for its user's decision about the key of another.
    pub(super) fn awaits_decision(&self, pid: Pid, other: Pid) -> bool {
        let key = self.key_of(other);
        let (requests, more) = self.ours(pid).state().trusted().requests();
        key.is_some() && (more > 0 || requests.iter().any(|request| request.met.id.key() == key))
    }

    /// Whether the process with this key does not take that of `pid`.
    pub(super) fn is_refused(&self, pid: Pid, key: PublicKey) -> bool {
        let own = self.key_of(pid).expect("it has a key");
        (0..self.processes.len())
            .filter(|other| self.processes[*other].alive && self.key_of(*other) == Some(key))
            .any(|other| {
                let (requests, more) = self.ours(other).state().trusted().requests();
                more > 0 || requests.iter().any(|request| request.met.id.key() == Some(own))
            })
    }

    pub(super) fn listener_at(&self, pid: Pid, addr: PeerAddr) -> Option<Pid> {
        let (host, _) = self.route(pid, addr.v4()?)?;
        self.listener(host, addr.plain()?.socket())
    }

    /// Returns the process that answers at this address.
    pub(super) fn reached_at(&self, pid: Pid, addr: PeerAddr) -> Option<Pid> {
        let (host, _) = self.route(pid, addr.v4()?)?;
        self.listener_at(pid, addr).filter(|_| !self.is_shut(self.processes[pid].host, host))
    }
}
