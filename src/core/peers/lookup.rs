//! Questions about the table.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::peer::Peer;
use super::row::{Row, counts_as_online};
use super::{PeerOrigin, Peers};
use crate::core::peer_info::PeerInfo;
use crate::core::presence::PresenceStatus;
use crate::core::time::Time;
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::key::PublicKey;
use crate::model::message::{Form, PeerProtocol};
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::ByeReason;
use crate::protocol;

/// Offline peers that are probed before the list is shown, at most: more than a user looks for, and
/// few enough for the time that a list may take.
const MAX_OFFLINE_VERIFIED: usize = 64;

impl Peers {
    pub(in crate::core) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(in crate::core) fn knows(&self, id: Recipient) -> bool {
        self.rows.contains_key(&id)
    }

    /// Returns all rows as the user sees them, in the order of their numbers.
    pub(in crate::core) fn list(&self, now: Time) -> Vec<Row> {
        self.in_order().map(|peer| Row::of(peer, now)).collect()
    }

    /// Returns the recipients of all rows, in the order of their numbers.
    #[cfg(test)]
    pub(in crate::core) fn ids(&self) -> Vec<Recipient> {
        self.in_order().map(|peer| peer.id).collect()
    }

    /// Returns the peers that are probed before the list is shown: those that are online or
    /// configured, and [`MAX_OFFLINE_VERIFIED`] others, the last seen first.
    pub(in crate::core) fn to_verify(&self) -> Vec<Recipient> {
        let is_probed = |peer: &&Peer| peer.is_online() || peer.origin == PeerOrigin::Static;
        let mut others: Vec<&Peer> = self.rows.values().filter(|peer| !is_probed(peer)).collect();
        others.sort_by_key(|peer| {
            (Reverse(peer.last_heard), peer.last_seen.is_none(), peer.last_seen, peer.number)
        });
        others.truncate(MAX_OFFLINE_VERIFIED);
        let mut ids: Vec<(u32, Recipient)> =
            self.rows.values().filter(is_probed).chain(others).map(|peer| (peer.number, peer.id)).collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    fn in_order(&self) -> impl Iterator<Item = &Peer> {
        let mut rows: Vec<(u32, &Peer)> = self.rows.values().map(|peer| (peer.number, peer)).collect();
        rows.sort_unstable_by_key(|(number, _)| *number);
        rows.into_iter().map(|(_, peer)| peer)
    }

    /// Returns the peers that a command to all goes to, in the order of their numbers. The row of
    /// an address in `claimed` is left out: a peer with a key claims the address, so the row is
    /// most likely a second one of that peer.
    pub(in crate::core) fn all(&self, claimed: &HashSet<PeerAddr>, offline_too: bool) -> Vec<Recipient> {
        let peers = self.in_order().filter(|peer| peer.is_distinct(claimed));
        peers.filter(|peer| offline_too || peer.is_available()).map(|peer| peer.id).collect()
    }

    /// Returns the peers that are online, in the order of their numbers.
    pub(in crate::core) fn all_online(&self) -> Vec<Recipient> {
        self.in_order().filter(|peer| peer.is_online()).map(|peer| peer.id).collect()
    }

    /// Returns how many peers are online for the user, without the addresses in `claimed`, as the
    /// peer list counts them.
    pub(in crate::core) fn online(&self, claimed: &HashSet<PeerAddr>) -> usize {
        let is_online = |peer: &&Peer| counts_as_online(peer.status(), peer.turned_away);
        self.rows.values().filter(|peer| is_online(peer) && peer.is_distinct(claimed)).count()
    }

    /// Returns how many peers the user configured, and how many of them are online.
    pub(in crate::core) fn count_static(&self) -> (usize, usize) {
        let configured = || self.rows.values().filter(|peer| peer.origin == PeerOrigin::Static);
        (configured().count(), configured().filter(|peer| peer.is_available()).count())
    }

    pub(in crate::core) fn is_configured(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(|peer| peer.origin == PeerOrigin::Static)
    }

    /// Whether a peer is a contact only because it is in peers.toml, as far as its row shows.
    pub(in crate::core) fn is_only_configured(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(|peer| peer.origin == PeerOrigin::Static && !peer.contact)
    }

    pub(in crate::core) fn info(&self, id: Recipient) -> Option<PeerInfo> {
        self.peer(id).map(Peer::info)
    }

    /// The name of a peer that has sent something in this run.
    pub(in crate::core) fn spoken_name(&self, id: Recipient) -> Option<PeerName> {
        self.peer(id).filter(|peer| peer.last_heard.is_some())?.name.clone()
    }

    /// The address that a peer is dialed at first.
    pub(in crate::core) fn addr(&self, id: Recipient) -> Option<PeerAddr> {
        self.peer(id).map(|peer| peer.addr)
    }

    pub(in crate::core) fn is_online(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(Peer::is_online)
    }

    /// What the user is shown of a peer's presence.
    pub(in crate::core) fn presence_of(&self, id: Recipient) -> Option<PresenceStatus> {
        self.peer(id).map(Peer::status)
    }

    /// Why an online peer does not accept our messages, if it said so.
    pub(in crate::core) fn refusal_of(&self, id: Recipient) -> Option<ByeReason> {
        self.peer(id).filter(|peer| peer.is_online())?.turned_away
    }

    /// Whether a peer is online and is dialed at this address first.
    pub(in crate::core) fn is_online_at(&self, id: Recipient, addr: PeerAddr) -> bool {
        self.peer(id).is_some_and(|peer| peer.is_online() && peer.addr == addr)
    }

    /// Whether a peer with a key is at an address as far as we know: it is online, is dialed there
    /// first, and proved itself when it was last dialed.
    pub(in crate::core) fn is_proven_at(&self, id: Recipient, addr: PeerAddr) -> bool {
        self.peer(id).is_some_and(|peer| peer.is_online() && peer.addr == addr && !peer.is_elsewhere)
    }

    /// Returns the recipients of the rows that are dialed at this source first.
    pub(in crate::core) fn at_source(&self, source: SourcePrefix) -> Vec<Recipient> {
        self.rows.values().filter(|peer| peer.addr.share() == source).map(|peer| peer.id).collect()
    }

    /// Whether any peer is dialed at this address first.
    pub(in crate::core) fn is_listed_at(&self, addr: PeerAddr) -> bool {
        self.rows.values().any(|peer| peer.addr == addr)
    }

    /// The key of a peer that is online and is dialed at this address first.
    pub(in crate::core) fn key_online_at(&self, addr: PeerAddr) -> Option<PublicKey> {
        let is_it = |peer: &&Peer| peer.is_online() && peer.addr == addr && peer.id.public_key().is_some();
        self.rows.values().filter(is_it).min_by_key(|peer| peer.number)?.id.public_key()
    }

    /// The peer without a key that is dialed at an address, or speaks from there.
    pub(in crate::core) fn legacy_at(&self, addr: PeerAddr) -> Option<Recipient> {
        self.legacy_row_at(addr).map(|peer| peer.id)
    }

    /// The recipient behind an address as far as unencrypted messages tell: the known legacy peer
    /// there, else the address.
    pub(in crate::core) fn plain_id(&self, addr: PeerAddr) -> Recipient {
        self.legacy_at(addr).unwrap_or(Recipient::Address(addr))
    }

    pub(super) fn legacy_row_at(&self, addr: PeerAddr) -> Option<&Peer> {
        let legacy = addr.plain().map(|addr| protocol::plain::peer_at(addr).into());
        let of_addr = legacy.into_iter().chain([Recipient::Address(addr)]);
        let known = of_addr.filter_map(|id| self.peer(id)).next();
        if known.is_some() || !addr.ip().is_loopback() {
            return known;
        }
        // Many programs on one machine claim another loopback address than the one they dial from.
        let speaks = Some(addr.source());
        let is_it = |peer: &&Peer| {
            let speaks_there = peer.speaks_from == speaks;
            let is_at = |at: PeerAddr| at == addr || (speaks_there && at.port() == addr.port());
            peer.id.public_key().is_none() && is_at(peer.addr)
        };
        self.rows.values().filter(is_it).min_by_key(|peer| peer.number)
    }

    /// Whether the user treats a peer as a contact, as far as its row shows.
    pub(in crate::core) fn is_contact(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(Peer::is_contact)
    }

    /// How messages are sent to a peer, as far as it has shown. With `is_legacy_enough` its own
    /// messages may show that it is a legacy peer; else only its answers to ours.
    pub(in crate::core) fn protocol(&self, id: Recipient, is_legacy_enough: bool) -> PeerProtocol {
        let Some(peer) = self.peer(id) else { return PeerProtocol::Unknown };
        let is_legacy = is_legacy_enough && peer.program.is_legacy();
        if is_legacy { PeerProtocol::Plain } else { peer.protocol() }
    }

    /// The form that a peer is written to in.
    pub(in crate::core) fn form(&self, id: Recipient) -> Form {
        self.peer(id).map_or(Form::default(), |peer| peer.program.form)
    }

    /// Whether a peer may run SmartCookies, as far as it has shown.
    pub(in crate::core) fn may_be_smart_cookies(&self, id: Recipient) -> bool {
        let has_standard_texts = |peer: &Peer| protocol::plain::has_standard_texts(peer.program.form);
        let is_other = |peer: &Peer| !has_standard_texts(peer) || peer.program.shook_hands;
        !self.peer(id).is_some_and(is_other)
    }

    /// The address that a peer claims on the loopback network, where it differs from the one that
    /// its connection came from. Both are on this machine, so only trying tells where the peer
    /// listens. It is not tried where it is the address of another row: what is sent there is for
    /// that peer.
    pub(in crate::core) fn fallback(&self, id: Recipient) -> Option<PeerAddr> {
        let peer = self.peer(id)?;
        let claimed = peer.claimed?;
        let is_local = claimed.ip.is_loopback() && peer.addr.ip().is_loopback();
        let addr = PeerAddr::new(claimed.ip, claimed.port)?;
        (is_local && !peer.presence.is_proven() && !self.is_listed_at(addr)).then_some(addr)
    }

    /// The order in which goodbyes are said: if the time is not enough for all, the peers go
    /// without that only ever claimed to be online.
    pub(in crate::core) fn goodbye_order(&self, id: Recipient) -> (bool, Option<u32>, Recipient) {
        let Some(peer) = self.peer(id) else { return (true, None, id) };
        let is_certain = peer.origin == PeerOrigin::Static || peer.presence.is_proven();
        (!is_certain, Some(peer.number), id)
    }

    /// How many messages wait for a peer.
    #[cfg(test)]
    pub(in crate::core) fn messages_waiting(&self, id: Recipient) -> Option<usize> {
        self.peer(id).map(|peer| peer.messages_waiting)
    }
}

impl Peer {
    /// Whether the row stands for a peer of its own, given the addresses that peers with keys
    /// claim.
    fn is_distinct(&self, claimed: &HashSet<PeerAddr>) -> bool {
        match self.id {
            Recipient::Address(addr) => !claimed.contains(&addr),
            Recipient::Peer(_) => true,
        }
    }
}
