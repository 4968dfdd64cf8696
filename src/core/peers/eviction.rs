//! Which row is evicted when the table is full.

use super::peer::Peer;
use super::scan::Summary;
use super::{MAX_PEERS, MAX_PEERS_PER_IP, PeerOrigin, Peers};
use crate::core::time::Time;
use crate::model::address::PeerAddr;
use crate::model::peer_id::Recipient;

/// A place in the order of eviction: the lowest goes first. Among rows of one rank, this is the
/// peer that was heard of least recently, and among those the older row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct EvictionOrder(EvictionRank, Option<Time>, u32);

impl EvictionOrder {
    /// The place of a row. A contact, a peer with a key that is online, and a peer for which
    /// messages wait are never evicted.
    pub(super) fn of(peer: &Peer) -> Option<Self> {
        let is_live = peer.id.public_key().is_some() && peer.is_online();
        if peer.is_contact() || peer.messages_waiting > 0 || is_live {
            return None;
        }
        let rank = match (peer.presence.is_proven(), peer.is_online()) {
            (false, _) => EvictionRank::Claimed,
            (true, false) => EvictionRank::Offline,
            (true, true) => EvictionRank::Online,
        };
        Some(Self(rank, peer.last_heard, peer.number))
    }
}

/// Which rows are evicted first when the table is full.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum EvictionRank {
    /// It never answered: it is no more than a claim.
    Claimed,
    Offline,
    Online,
}

impl Peers {
    /// Evicts a row if another one at `addr` would be too many. Returns whether there is room.
    /// Contacts of earlier runs are not limited by their prefix.
    pub(super) fn make_room_at(&mut self, addr: PeerAddr, origin: PeerOrigin) -> bool {
        if self.len() < MAX_PEERS_PER_IP || origin == PeerOrigin::Contact && self.len() < MAX_PEERS {
            return true;
        }
        let prefix = addr.share();
        let of_prefix = || self.summaries.iter().filter(|summary| summary.counted == prefix).count();
        let evicted = if !addr.ip().is_loopback() && of_prefix() >= MAX_PEERS_PER_IP {
            self.first_evicted(|summary| summary.counted == prefix)
        } else if self.len() >= MAX_PEERS {
            self.first_evicted(|_| true)
        } else {
            return true;
        };
        evicted.is_some_and(|id| self.take(id).is_some())
    }

    /// Returns the row that is evicted first of those with such a summary, if any of them may be.
    fn first_evicted(&self, is_of: impl Fn(&Summary) -> bool) -> Option<Recipient> {
        let summaries = self.summaries.iter().zip(&self.ids).filter(|(summary, _)| is_of(summary));
        let evictable = summaries.filter_map(|(summary, id)| Some((summary.eviction?, *id)));
        evictable.min_by_key(|(eviction, _)| *eviction).map(|(_, id)| id)
    }
}
