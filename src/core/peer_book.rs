//! Questions about peers that several machines answer together: who a recipient is, whether it is a
//! contact, how it is written to, and where it is dialed. An answer depends on nothing that is
//! queued or under way, and changes nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::discovery::Announcements;
use super::own_addrs::OwnAddrs;
use super::peer_info::{PeerInfo, Verification};
use super::peers::Peers;
use super::trust::{MAX_HINTS, Meeting, Pin, Trust, Trusted};
use super::{PresenceStatus, State};
use crate::model::address::{PeerAddr, Source, SourcePrefix};
use crate::model::delivery::RejectReason;
use crate::model::key::PublicKey;
use crate::model::message::PeerProtocol;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::ByeReason;

/// Addresses of one peer that are dialed one after the other.
const MAX_DIALED: usize = 2 * MAX_HINTS + 1;

/// A read-only view of what is known about peers.
#[derive(Clone, Copy, Debug)]
pub struct PeerBook<'a> {
    own_addrs: &'a OwnAddrs,
    peers: &'a Peers,
    trust: &'a Trusted,
    discovery: &'a Announcements,
    for_run: &'a BTreeSet<PeerAddr>,
}

impl State {
    /// Returns what is known about peers.
    pub fn book(&self) -> PeerBook<'_> {
        let Self { own_addrs, peers, trust, discovery, for_run, .. } = self;
        PeerBook { own_addrs, peers, trust, discovery, for_run }
    }
}

impl PeerBook<'_> {
    /// Whether a recipient is in the table.
    pub fn knows(&self, id: Recipient) -> bool {
        self.peers.knows(id)
    }

    /// The recipients behind a typed address: the contacts with a key that proved themselves there;
    /// else the stranger with a key that is there; else the legacy peer or the unproven address.
    /// The user decides between several contacts.
    pub fn at(&self, addr: PeerAddr) -> Vec<Recipient> {
        let contacts: Vec<Recipient> = self.trust.hinted_at(addr).map(Recipient::key).collect();
        if !contacts.is_empty() {
            return contacts;
        }
        let is_here = |id: &Recipient| self.peers.addr(*id) == Some(addr);
        let stranger = self.trust.proven_at(addr).map(Recipient::key).find(is_here);
        vec![stranger.unwrap_or_else(|| self.peers.plain_id(addr))]
    }

    /// The recipient that a command means now: a peer may have proven itself at an address.
    pub(super) fn meant(&self, id: Recipient) -> Recipient {
        match id {
            Recipient::Address(addr) => match self.at(addr)[..] {
                [one] => one,
                _ => id,
            },
            Recipient::Peer(_) => id,
        }
    }

    /// A recipient as it is named to the user.
    pub(super) fn who(&self, peer_id: Recipient) -> PeerInfo {
        let name = self.trust.pin_of(peer_id).and_then(|pin| pin.name.clone());
        if let Some(who) = self.peers.info(peer_id) {
            return PeerInfo { name: who.name.or(name), ..who };
        }
        // An offline contact may not be listed.
        let announced = || self.discovery.name(peer_id.public_key()?).cloned();
        let name = name.or_else(announced);
        let (addr, verification) = (self.dialed_at(peer_id), self.verification_of(peer_id));
        PeerInfo { id: peer_id, name, addr, claimed: None, verification }
    }

    /// The name of a recipient that has sent something in this run, or is known by its key.
    pub(super) fn known_name(&self, to: Recipient) -> Option<PeerName> {
        match to.public_key() {
            Some(_) => self.who(to).name,
            None => self.peers.spoken_name(to),
        }
    }

    /// Returns the name that an unknown key announces on the local network, unless another peer is
    /// known by that name.
    pub(super) fn announced_name(&self, key: PublicKey) -> Option<PeerName> {
        let is_free = |name: &&PeerName| self.trust.claimed_name(name).is_none();
        self.discovery.name(key).filter(|_| self.trust.is_unknown(key)).filter(is_free).cloned()
    }

    /// The presence of a recipient; `None` if it is not in the table.
    pub fn presence_of(&self, id: Recipient) -> Option<PresenceStatus> {
        self.peers.presence_of(id)
    }

    /// Why an online recipient does not accept our messages, if it said so.
    pub fn refusal_of(&self, id: Recipient) -> Option<ByeReason> {
        self.peers.refusal_of(id)
    }

    /// How sure the program is that a recipient is the one it is named as.
    pub fn verification_of(&self, id: Recipient) -> Verification {
        match self.protocol_of(id) {
            PeerProtocol::Unknown => Verification::Unknown,
            PeerProtocol::Plain => Verification::Plain,
            PeerProtocol::Session(key) => {
                let trust = self.trust.trust(key);
                if trust == Trust::Verified { Verification::Verified } else { Verification::Encrypted }
            }
        }
    }

    /// How messages are sent to a recipient.
    pub(super) fn protocol_of(&self, id: Recipient) -> PeerProtocol {
        if let Some(key) = id.public_key() {
            return PeerProtocol::Session(key);
        }
        match self.peers.addr(id) {
            Some(addr) if !self.is_key_there(addr) => {
                self.peers.protocol(id, !self.trust.requires_encryption())
            }
            _ => PeerProtocol::Unknown,
        }
    }

    /// Whether a peer with a key is at an address as far as we know: it is online, is dialed there,
    /// and proved itself when it was last dialed. Only asking tells which peer reads a message for
    /// the address.
    pub(super) fn is_key_there(&self, addr: PeerAddr) -> bool {
        let mut keys = self.trust.proven_at(addr).map(Recipient::key);
        keys.any(|id| self.peers.is_proven_at(id, addr))
    }

    /// Whether a recipient is a contact, or is blocked: those are remembered and listed alike.
    pub fn is_contact(&self, id: Recipient) -> bool {
        self.trust.has_alias(id)
            || matches!(id, Recipient::Peer(_)) && self.trust.is_blocked_legacy(id)
            || self.trust.pin_of(id).is_some_and(|pin| pin.contact || pin.blocked)
            || self.peers.is_contact(id)
    }

    /// Whether a recipient is a contact in later runs too: not only by an entry that is for this
    /// run.
    pub fn is_lasting_contact(&self, id: Recipient) -> bool {
        let is_listed = |addr| self.for_run.contains(&addr);
        let is_for_run = match id.public_key() {
            Some(key) => self.trust.is_for_run(key),
            None => self.peers.is_only_configured(id) && self.peers.addr(id).is_some_and(is_listed),
        };
        self.trust.has_alias(id) || self.is_contact(id) && !is_for_run
    }

    /// Returns whether a key is a contact that is not blocked.
    pub(super) fn is_friend(&self, key: PublicKey) -> bool {
        self.is_contact(key.into()) && !self.is_blocked(key.into())
    }

    /// Whether the user has blocked a recipient, or the source of a stranger without a key.
    pub fn is_blocked(&self, id: Recipient) -> bool {
        self.trust.pin_of(id).is_some_and(|pin| pin.blocked) || self.is_blocked_unencrypted(id)
    }

    /// Whether nothing may be sent to a recipient without a key: it is blocked, or a stranger at a
    /// blocked source.
    pub(super) fn is_blocked_unencrypted(&self, id: Recipient) -> bool {
        let is_there = |addr: PeerAddr| self.trust.is_blocked_source(addr.source());
        self.trust.is_blocked_legacy(id) || id.addr().is_some_and(is_there) && !self.is_contact(id)
    }

    /// Whether a key that is no contact's is at a blocked source. The first key at an address of
    /// peers.toml becomes a contact.
    pub(super) fn comes_from_blocked(&self, key: PublicKey, meeting: &Meeting) -> bool {
        self.trust.is_blocked_source(meeting.source)
            && !self.is_contact(Recipient::key(key))
            && !(meeting.dialed && self.is_contact(self.peers.plain_id(meeting.addr)))
    }

    /// Whether a contact with a key may be at a source.
    pub(super) fn has_contact_at(&self, source: Source) -> bool {
        let is_there = |addr: &PeerAddr| addr.share() == source.share();
        self.trust.contacts().any(|pin| !pin.blocked && pin.addrs.iter().any(is_there))
            || self.peers.at_source(source.share()).into_iter().any(|id| self.is_contact(id))
    }

    /// The listed strangers at a source.
    pub fn strangers_at(&self, source: SourcePrefix) -> Vec<Recipient> {
        let mut ids = self.peers.at_source(source);
        ids.retain(|id| !self.is_contact(*id));
        ids
    }

    /// Returns the discovered strangers that are not in the table.
    pub fn discovered_strangers(&self) -> Vec<PeerInfo> {
        let ids = self.discovery.keys().map(Recipient::key);
        ids.filter(|id| !self.knows(*id) && !self.is_contact(*id)).map(|id| self.who(id)).collect()
    }

    /// The contacts known by key that have no row in the table.
    pub fn unlisted_contacts(&self) -> Vec<Pin> {
        let is_unlisted = |pin: &&Pin| !self.knows(Recipient::key(pin.key)) && !pin.blocked;
        let contacts = self.trust.contacts();
        contacts.filter(is_unlisted).cloned().collect()
    }

    /// The blocked legacy peers, which have no row.
    pub fn blocked_legacy(&self) -> Vec<PeerInfo> {
        let info = |(id, name): (PeerId, Option<&PeerName>)| {
            let (name, addr) = (name.cloned(), id.legacy_addr());
            PeerInfo { id: id.into(), name, addr, claimed: None, verification: Verification::Plain }
        };
        self.trust.blocked_legacy().map(info).collect()
    }

    /// Checks that the user may write to a recipient.
    pub(super) fn may_write_to(&self, to: Recipient) -> Result<(), RejectReason> {
        if self.is_ours(to) {
            return Err(RejectReason::Ourselves);
        }
        if self.is_blocked_unencrypted(to) {
            return Err(RejectReason::NotTrusted);
        }
        if to.public_key().is_some_and(|key| self.trust.is_unknown(key)) {
            return Err(RejectReason::Forgotten);
        }
        Ok(())
    }

    /// The address that a recipient is dialed at first.
    pub fn dialed_at(&self, id: Recipient) -> Option<PeerAddr> {
        let hint = || self.addrs_of(id.public_key()?).first().copied();
        self.peers.addr(id).or_else(|| id.addr()).or_else(hint)
    }

    /// The addresses where a key is dialed, in this order, at most [`MAX_DIALED`]. The key is
    /// expected at each, so a claimed address does no harm.
    pub(super) fn addrs_of(&self, key: PublicKey) -> Vec<PeerAddr> {
        let id = Recipient::key(key);
        let pin = self.trust.pin(key);
        let hints = pin.into_iter().flat_map(|pin| pin.addrs.iter().copied());
        let also = self.peers.also(id).iter().copied();
        let mut addrs: Vec<PeerAddr> = Vec::new();
        let announced = self.discovery.addrs(key).iter().copied();
        for addr in self.peers.addr(id).into_iter().chain(hints).chain(also).chain(announced) {
            if addrs.len() < MAX_DIALED && !addrs.contains(&addr) && !self.is_own(addr) {
                addrs.push(addr);
            }
        }
        addrs
    }

    /// Returns those of the further addresses that a peer claims at which it may be dialed: none of
    /// a stranger, so that strangers cannot make us dial others; and of a contact no loopback or
    /// link-local ones, which mean another machine here, unless the contact is at that very IP.
    pub(super) fn dialable(&self, id: Recipient, mut also: Vec<PeerAddr>) -> Vec<PeerAddr> {
        if !self.is_contact(id) {
            return Vec::new();
        }
        let is_at = self.peers.addr(id).map(PeerAddr::ip);
        also.retain(|addr| is_at == Some(addr.ip()) || !addr.is_local());
        also
    }

    /// Whether dialing `addr` reaches this program itself.
    pub fn is_own(&self, addr: PeerAddr) -> bool {
        self.own_addrs.contains(addr)
    }

    /// Whether a recipient is one of this program's own addresses.
    pub(super) fn is_ours(&self, id: Recipient) -> bool {
        id.addr().is_some_and(|addr| self.is_own(addr))
    }

    /// Whether an address would be our own if its IP were one of this machine's, which is not
    /// known.
    pub fn may_be_own(&self, ip: IpAddr, port: u16) -> bool {
        self.own_addrs.may_contain(ip, port)
    }
}
