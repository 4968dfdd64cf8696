//! The start of the program: the static peers, and the contacts of earlier runs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::Output;
use super::ids::OpId;
use super::peers::PeerOrigin;
use super::presence::Probe;
use super::time::Time;
use super::{ANSWER_WITHIN, State, StaticPeer};
use crate::model::address::PeerAddr;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};

/// How much later each contact is due to be dialed than the one before, at the start.
const CONTACT_SPACING: Duration = Duration::from_micros(1);

/// A contact of an earlier run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownContact {
    /// The peer. If it has a key, its pin is known.
    pub id: PeerId,
    /// The name to show until the peer says another.
    pub name: Option<PeerName>,
    /// How long ago it was seen, if it was.
    pub last_seen: Option<Duration>,
    /// The user has blocked it.
    pub blocked: bool,
    /// It is blocked, and otherwise a stranger.
    pub stranger: bool,
    /// The user has muted it.
    pub muted: bool,
}

impl State {
    /// Makes the static peers and the contacts of earlier runs known. Dials all static peers at
    /// once; the contacts follow, those that were seen last first.
    pub fn start(
        &mut self,
        peers: Vec<StaticPeer>,
        contacts: Vec<KnownContact>,
        now: Time,
    ) -> (OpId, Vec<Output>) {
        let mut ids = Vec::new();
        for contact in contacts.iter().filter(|contact| contact.blocked) {
            // A key is blocked by its pin.
            let _ = self.trust.load_blocked_legacy(contact.id, contact.name.clone(), !contact.stranger);
        }
        for contact in contacts.iter().filter(|contact| contact.muted) {
            self.conversations.mute(contact.id.into());
        }
        let legacy: BTreeMap<PeerAddr, PeerId> =
            contacts.iter().filter_map(|contact| Some((contact.id.legacy_addr()?, contact.id))).collect();
        for peer in peers.into_iter().take(super::MAX_STATIC_PEERS) {
            self.hosts.configure(&peer);
            let addrs: Vec<PeerAddr> = peer.addrs().collect();
            let id = match addrs[..] {
                [addr, ref also @ ..] => {
                    self.configure_at(addr, &peer, also, legacy.get(&addr).copied(), now)
                }
                [] => {
                    self.add_for_run(&peer, Vec::new());
                    None
                }
            };
            ids.extend(id.filter(|id| !ids.contains(id)));
        }
        for id in &ids {
            self.probe(*id, Probe::Connect, None, now);
        }
        self.remember_contacts(contacts, now);
        let names = self.hosts.names();
        names.iter().for_each(|name| self.look_up(name, now));
        let waiting = ids.into_iter().collect();
        let op = self.operations.start(waiting, names, now.plus(ANSWER_WITHIN));
        self.settle_watches(now);
        // The user may have removed contacts from the file since the last run.
        self.prune_introductions();
        (op, self.done())
    }

    /// Adds the key of a static peer that is for this run to the contacts.
    fn add_for_run(&mut self, peer: &StaticPeer, addrs: Vec<PeerAddr>) {
        if let Some(key) = peer.key.filter(|_| peer.for_run) {
            self.trust.add_for_run(key, peer.name.as_ref(), addrs);
        }
    }

    /// Makes the peer at an address a static one, which may be found at the addresses `also`, too.
    /// `contact` is the legacy peer of an earlier run there, if it has no row yet. Returns the
    /// peer, or `None` if it is not dialed.
    pub(super) fn configure_at(
        &mut self,
        addr: PeerAddr,
        peer: &StaticPeer,
        also: &[PeerAddr],
        contact: Option<PeerId>,
        now: Time,
    ) -> Option<Recipient> {
        let StaticPeer { ref name, form, key, for_run, .. } = *peer;
        // An address belongs to the key that proved itself there. If several did, it belongs to
        // none.
        let proven = {
            let mut keys = self.trust.proven_at(addr);
            keys.next().filter(|_| keys.next().is_none())
        };
        let key = key.or(proven);
        let without_key = || contact.map_or_else(|| self.peers.plain_id(addr), Recipient::Peer);
        let id = key.map_or_else(without_key, Recipient::key);
        if self.trust.is_blocked_legacy(id) {
            return None;
        }
        self.add_for_run(peer, [addr].into_iter().chain(also.iter().copied()).collect());
        let is_known = self.peers.knows(id);
        if self.own_addrs.contains(addr) || !self.add_peer(id, addr, PeerOrigin::Static, now) {
            return None;
        }
        self.peers.configure(id, name.clone(), form, !is_known);
        if for_run {
            self.for_run.insert(addr);
            self.peers.listens_also(id, also.to_vec());
            if contact.is_some() {
                // It is a contact without the entry too.
                self.peers.make_contact(id);
            }
        }
        if let Some(key) = id.public_key() {
            if for_run {
                self.make_key_contact_for_run(key);
            } else {
                self.make_key_contact(key);
            }
            self.speaks_with(key, None);
        }
        Some(id)
    }

    fn remember_contacts(&mut self, mut contacts: Vec<KnownContact>, now: Time) {
        contacts.sort_by_key(|contact| (contact.last_seen.is_none(), contact.last_seen));
        for (place, KnownContact { id, name, last_seen, blocked, .. }) in contacts.into_iter().enumerate() {
            let id = Recipient::Peer(id);
            if blocked {
                self.peers.remember_blocked(id, last_seen);
                continue;
            }
            if self.peers.knows(id) {
                // It is a static peer, and is dialed already.
                self.peers.was_seen(id, name, last_seen);
                continue;
            }
            // Without an address the contact is listed, but has no row.
            let addr = self.book().dialed_at(id).filter(|addr| !self.own_addrs.contains(*addr));
            let Some(addr) = addr else { continue };
            if !self.add_peer(id, addr, PeerOrigin::Contact, now) {
                continue;
            }
            // Each is due a little later than the one before, so that they are dialed in this
            // order.
            let first = now.plus(CONTACT_SPACING.saturating_mul(u32::try_from(place).unwrap_or(u32::MAX)));
            self.peers.remember(id, name, last_seen, first, now);
            if let Some(key) = id.public_key() {
                self.speaks_with(key, None);
            }
        }
    }
}
