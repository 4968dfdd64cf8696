//! What is promised of texts to peers that have proven a key: shown once, delivered or told, in
//! order, never in plain, never to another.

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

use super::disk::{Disk, Kept};
use super::peer::Pid;
use super::sessions::Sessions;
use super::world::World;

/// What a process with a key has, and what is known of it that the rules must keep to.
pub(super) struct Keyed {
    pub(super) key: PublicKey,
    /// What it has written down of others' keys.
    pub(super) pins: BTreeMap<PublicKey, Pin>,
    pub(super) sessions: Sessions,
    /// Where it keeps what is said.
    pub(super) disk: Disk,
    /// The texts that its user has sent, by command.
    pub(super) messages: BTreeMap<OpId, Sent>,
    /// When each key last showed that it is there.
    pub(super) signs: BTreeMap<PublicKey, Duration>,
    /// When talks with each key failed lately.
    pub(super) failed: BTreeMap<PublicKey, VecDeque<Duration>>,
    /// The keys that receipts have promised, by the process that gave them.
    pub(super) promised: BTreeSet<(PeerAddr, Pid)>,
    /// Where processes have proven their keys when they were dialed.
    pub(super) proven: BTreeSet<(PeerAddr, Pid)>,
    /// Keys that have said goodbye in a session, or that the user sent away, ever.
    pub(super) parted: BTreeSet<PublicKey>,
}

/// Whom a message is for, and nobody else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meant {
    /// The peer with this key.
    Key(PublicKey),
    /// The legacy program at this address; never a key.
    Legacy(PeerAddr),
    /// The first peer that proves itself at this address, as soon as one has.
    Address(PeerAddr, Option<Recipient>),
}

impl Meant {
    /// Whom a message is for that is sent to this recipient.
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

/// What has become of a text of a command.
pub(super) struct Sent {
    pub(super) id: MessageId,
    /// Those that were told to wait, and those of them of which the end was told.
    pub(super) waiting: usize,
    pub(super) ended: usize,
}

/// A text of somebody with a key.
pub(super) struct Penned {
    pub(super) by: Pid,
    pub(super) number: u64,
    /// Whom it was meant for when the user entered it.
    pub(super) meant: Vec<Meant>,
    /// What the peer at each address called itself when the message was entered. A key of another
    /// name does not get it before the user has confirmed that.
    pub(super) called: BTreeMap<PeerAddr, PeerName>,
    pub(super) is_confirmed: bool,
    /// Who has given a receipt for it.
    pub(super) taken: BTreeSet<PublicKey>,
    /// Its sender was told that it waits or was delivered.
    pub(super) is_promised: bool,
    /// Its sender has had it sent again, which puts it behind what was typed later.
    pub(super) is_resent: bool,
    /// Its sender was told that it is not sent any more. What was on its way then may still arrive,
    /// behind what was typed later.
    pub(super) is_given_up: bool,
}

impl Penned {
    /// What was meant for an address is for the peer there from now on.
    fn bind(&mut self, addr: PeerAddr, id: Recipient) {
        for meant in &mut self.meant {
            if *meant == Meant::Address(addr, None) {
                *meant = Meant::Address(addr, Some(id));
            }
        }
    }

    /// A message is found stored for an address: nothing of it has left that is stored, so it is
    /// for the next peer there.
    pub(super) fn unbind(&mut self, addr: PeerAddr) {
        for meant in &mut self.meant {
            if matches!(meant, Meant::Address(at, _) if *at == addr) {
                *meant = Meant::Address(addr, None);
            }
        }
    }

    /// The recipient that the peer with this key has the message as. Messages to the same recipient
    /// arrive in order; a peer may get others that were meant for its address before it was known.
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
        kept: Kept,
        sessions: Sessions,
    ) -> Self {
        Self {
            key,
            pins,
            sessions,
            disk: Disk::new(kept),
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

    /// The message of a text that is about to be sent.
    pub(super) fn pens(&mut self, pid: Pid, op: OpId, body: &str, to: &[Recipient]) -> Message {
        let number = self.texts;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let id = MessageId::new(bytes);
        let penned = Penned {
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
        self.penned.insert(id, penned);
        self.keyed_mut(pid).messages.insert(op, Sent { id, waiting: 0, ended: 0 });
        Message { id, time: self.clock(), again: false, body: body.into() }
    }

    /// A peer has proven itself at an address: what was meant for the address is meant for it.
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
        for penned in self.penned_by_person(pid) {
            let names = penned.called.get(&addr).zip(who.name.as_ref());
            if id.public_key().is_none() || names.is_none_or(|(called, name)| is_it(called, name)) {
                penned.bind(addr, id);
            }
        }
    }

    /// All messages of the user of a process, in all their runs.
    fn penned_by_person(&mut self, pid: Pid) -> impl Iterator<Item = &mut Penned> {
        let own = self.key_of(pid);
        let runs: BTreeSet<Pid> =
            (0..self.processes.len()).filter(|other| self.key_of(*other) == own).collect();
        self.penned.values_mut().filter(move |penned| runs.contains(&penned.by))
    }

    /// The user has what waits for an address tried now, whatever the peer there calls itself.
    pub(super) fn note_confirmed(&mut self, id: MessageId) {
        if let Some(penned) = self.penned.get_mut(&id) {
            penned.is_confirmed = true;
        }
    }

    /// What is stored of a message says what its recipient called itself.
    pub(super) fn note_called(&mut self, write: &StoreOp) {
        if let StoreOp::Outgoing { to: Recipient::Address(addr), name: Some(name), message, .. } = write
            && let Some(penned) = self.penned.get_mut(&message.id)
        {
            penned.called.insert(*addr, name.clone());
        }
    }

    /// The user has a message sent again that is stored for this recipient.
    pub(super) fn note_meant_again(&mut self, pid: Pid, id: MessageId, to: Recipient) {
        let meant = &self.penned[&id].meant;
        let is_meant = meant.iter().any(|meant| meant.may_be_stored_for(to));
        if !is_meant {
            self.fail(pid, format_args!("has stored {id:?} for {to:?}, and it was for {meant:?}"));
        }
        let Recipient::Address(addr) = to else { return };
        // Nothing came of it while it was first queued. If it waits no more, it is for the peer
        // that the address means by now.
        let waiting = self.ours(pid).state().waiting(self.ours(pid).time(self.now));
        let is_queued = waiting.iter().any(|text| text.to == to);
        let means = if is_queued { to } else { self.means(pid, to) };
        let penned = self.penned.get_mut(&id).expect("somebody has written it");
        penned.called.remove(&addr);
        for meant in &mut penned.meant {
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

    pub(super) fn note_parted(&mut self, pid: Pid, key: PublicKey) {
        self.keyed_mut(pid).parted.insert(key);
    }

    /// A receipt has promised a key.
    pub(super) fn note_promise(&mut self, pid: Pid, to: PeerAddr, by: Pid) {
        self.keyed_mut(pid).promised.insert((to, by));
    }

    /// Rows of peers that prove keys: one for each key, none our own.
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

    /// The rows of peers that prove keys, but for the time.
    pub(super) fn keyed_rows(&self, pid: Pid) -> Vec<p2p_chat::core::Row> {
        let ours = self.ours(pid);
        // No key has shown itself yet, and to copy the rows of a full table takes a while.
        if ours.keyed.pins.is_empty() && ours.keyed.signs.is_empty() {
            return Vec::new();
        }
        let mut rows = ours.state().rows(ours.time(self.now));
        rows.retain(|row| matches!(row.protocol, PeerProtocol::Session(_)));
        rows.iter_mut().for_each(|row| row.last_heard = None);
        rows
    }

    /// Whether another is there, wherever it is listed by its key.
    pub(super) fn is_listed(&self, pid: Pid, other: Pid) -> bool {
        let key = self.key_of(other);
        let there = |row: &p2p_chat::core::Row| {
            matches!(row.protocol, PeerProtocol::Session(of) if Some(of) == key)
                && row.state == PresenceStatus::Connected
        };
        key.is_some() && self.keyed_rows(pid).iter().any(there)
    }

    /// Whether a process waits for its user's decision about the key of another.
    pub(super) fn waits_for_a_word(&self, pid: Pid, other: Pid) -> bool {
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
    /// Who answers a process that dials this address.
    pub(super) fn reached_at(&self, pid: Pid, addr: PeerAddr) -> Option<Pid> {
        let (host, _) = self.route(pid, addr.v4()?)?;
        self.listener_at(pid, addr).filter(|_| !self.is_shut(self.processes[pid].host, host))
    }
}
