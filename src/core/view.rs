//! Questions about the state: the peer list, who a recipient is, and how it can be written to.

use std::collections::BTreeSet;

use super::jobs::Job;
use super::peer_info::{PeerInfo, Verification};
use super::peers::Row;
use super::time::Time;
use super::trust::{MAX_HINTS, Pin, Trust, Trusted};
use super::{PeerOrigin, PresenceStatus, State, UnderWay};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::PeerProtocol;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::ByeReason;

/// Addresses of one peer that are dialed one after the other.
const MAX_DIALED: usize = 2 * MAX_HINTS + 1;

impl State {
    /// The table as it is believed to be, unverified, in the order of the numbers. An address that
    /// an online peer claims, and where its key is being checked, is left out unless the user
    /// configured it.
    pub fn rows(&self, now: Time) -> Vec<Row> {
        let with_contact = |row: Row| Row { contact: self.is_contact(row.id), ..row };
        let claimed: BTreeSet<PeerAddr> = self.claimed().collect();
        let is_claimed = |row: &Row| matches!(row.id, Recipient::Address(addr) if claimed.contains(&addr));
        self.peers
            .list(now)
            .into_iter()
            .filter(|row| row.origin == PeerOrigin::Static || !is_claimed(row))
            .map(with_contact)
            .collect()
    }

    /// Returns how many peers are online.
    pub fn here(&self) -> usize {
        self.peers.online(&self.claimed().collect())
    }

    /// The addresses that a peer with a key claims, while the peer is online and is being dialed
    /// there.
    pub(super) fn claimed(&self) -> impl Iterator<Item = PeerAddr> {
        let claims = |job: &&Job| {
            let is_there = |addr| job.expect.is_some_and(|key| self.peers.is_online_at(key.into(), addr));
            job.dialed.is_some_and(is_there)
        };
        self.jobs.iter().map(|(_, job)| job).filter(claims).filter_map(|job| job.dialed)
    }

    /// Whether a recipient is an address that a peer with a key claims.
    pub(super) fn is_claimed(&self, id: Recipient) -> bool {
        matches!(id, Recipient::Address(addr) if self.claimed().any(|claimed| claimed == addr))
    }

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

    /// Returns how many messages wait for a recipient.
    pub fn queued(&self, id: Recipient) -> usize {
        self.outbox.count(id)
    }

    /// The address that a recipient is dialed at first.
    pub fn dialed_at(&self, id: Recipient) -> Option<PeerAddr> {
        let hint = || self.addrs_of(id.public_key()?).first().copied();
        self.peers.addr(id).or_else(|| id.addr()).or_else(hint)
    }

    /// The pins, and the keys that wait for the user's decision.
    pub fn trusted(&self) -> &Trusted {
        &self.trust
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

    /// Whether nothing may be sent to a recipient without a key: it is blocked, or a stranger at a
    /// blocked source.
    pub(super) fn is_blocked_unencrypted(&self, id: Recipient) -> bool {
        let is_there = |addr: PeerAddr| self.trust.is_blocked_source(addr.source());
        self.trust.is_blocked_legacy(id) || id.addr().is_some_and(is_there) && !self.is_contact(id)
    }

    /// Whether the user has blocked a recipient, or the source of a stranger without a key.
    pub fn is_blocked(&self, id: Recipient) -> bool {
        self.trust.pin_of(id).is_some_and(|pin| pin.blocked) || self.is_blocked_unencrypted(id)
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

    /// How much is under way. Nothing is kept of what is over.
    pub fn under_way(&self) -> UnderWay {
        UnderWay {
            jobs: self.jobs.len(),
            unasked: self.probe_limiter.under_way(),
            commands: self.operations.len(),
        }
    }

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
}
