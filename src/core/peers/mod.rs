//! The peer table: one row for each recipient, and its number for the whole run.
//!
//! The rest of the core tells the table what happened ([`Peers::heard_plain`], [`Peers::observed`],
//! [`Peers::met`], ...) and asks it questions. A method that may bring a peer online or offline
//! returns what the user is told, as [`PresenceNews`].

mod acknowledge;
mod announce;
mod eviction;
mod heard;
mod keys;
mod lookup;
mod peer;
mod program;
mod results;
mod row;
mod scan;
mod set_aside;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

pub(super) use acknowledge::AckDecision;
pub(super) use announce::PresenceNews;
#[cfg(test)]
pub(super) use announce::{KIND_WITHIN, NAME_WITHIN, OFFLINE_TOLD_AFTER};
pub(super) use heard::{Goodbye, HeardPlain, PlainMessage};
pub(super) use keys::{KeyFacts, ProvenAt};
pub(super) use results::ProbeStart;
pub use row::Row;
pub(super) use scan::{Due, WaitingPeer};

use super::presence::Presence;
use super::time::Time;
use super::trust::MAX_CONTACTS;
use crate::model::address::PeerAddr;
use crate::model::message::Form;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use acknowledge::Acks;
use announce::PendingNews;
use peer::{Peer, earlier};
use program::Program;
use scan::Summary;
use set_aside::SetAside;

/// Rows at most: all contacts, and a thousand others. Ten thousand rows of about 400 bytes are
/// a few megabytes.
pub const MAX_PEERS: usize = MAX_CONTACTS + 1_000;

/// Static peers at most. They are never evicted, so they must leave room for others.
pub const MAX_STATIC_PEERS: usize = MAX_CONTACTS / 2;

/// Peers of one source prefix at most, so that no machine evicts all others. The limit does not
/// apply to the loopback network.
pub const MAX_PEERS_PER_IP: usize = MAX_PEERS / 4;

/// How long an offline peer is still listed.
pub const GONE_SHOWN: Duration = Duration::from_secs(600);

/// A contact that was not seen for this long is not dialed by itself at the start.
pub(super) const DORMANT_AFTER: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The mean time between two probes of a full table, so that the probes never become a load: with
/// more peers, each is probed more rarely. 20 ms are 50 probes a second; up to 750 peers
/// [`PROBE_INTERVAL`](super::presence::PROBE_INTERVAL) holds.
const PROBE_SPACING: Duration = Duration::from_millis(20);

/// How a peer came to be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerOrigin {
    /// The user configured it.
    Static,
    /// It is a contact of an earlier run.
    Contact,
    /// It sent us something.
    Heard,
    /// We sent it something.
    SentTo,
    /// It announced itself on the local network.
    Lan,
}

/// The rows of all known peers, at most [`MAX_PEERS`]. A row is found by its recipient; everything
/// else is a scan.
#[derive(Debug, Default)]
pub(super) struct Peers {
    rows: HashMap<Recipient, Peer>,
    /// The summary of each row, in any order: one takes the slot of another that is removed.
    summaries: Vec<Summary>,
    /// The recipient of the summary in the same slot.
    ids: Vec<Recipient>,
    /// A lower bound of the time when the first row is due, so that asking for it takes no scan. An
    /// update lowers it; [`Peers::take_due`] makes it exact.
    wake: Option<Time>,
    last_number: u32,
    /// What rows of blocked contacts had, for when they are unblocked.
    set_aside: HashMap<Recipient, SetAside>,
}

impl Peers {
    fn peer(&self, id: Recipient) -> Option<&Peer> {
        self.rows.get(&id)
    }

    /// Changes a row. Returns what `change` returns, or `None` if there is no such row.
    fn update<T>(&mut self, id: Recipient, change: impl FnOnce(&mut Peer) -> T) -> Option<T> {
        let interval = self.interval();
        let peer = self.rows.get_mut(&id)?;
        let result = change(peer);
        let summary = Summary::of(peer, interval);
        self.wake = earlier(self.wake, summary.wake);
        *self.summaries.get_mut(peer.slot)? = summary;
        Some(result)
    }

    /// Adds a row that is dialed at `addr`, whose prefix it is counted among, unless it is there
    /// already. A full table evicts a row first. Returns whether the row is in the table.
    pub(super) fn add(&mut self, id: Recipient, addr: PeerAddr, origin: PeerOrigin, now: Time) -> bool {
        if self.rows.contains_key(&id) {
            return true;
        }
        if !self.make_room_at(addr, origin) {
            return false;
        }
        let before = self.set_aside.remove(&id).unwrap_or_default();
        let number = before.number.unwrap_or_else(|| {
            self.last_number += 1;
            self.last_number
        });
        let presence = match origin {
            PeerOrigin::Static => Presence::of_static(now),
            PeerOrigin::Contact => Presence::of_contact(now, now, false),
            PeerOrigin::Heard | PeerOrigin::SentTo | PeerOrigin::Lan => Presence::of_heard(now),
        };
        let peer = Peer {
            number,
            id,
            addr,
            counted: addr.share(),
            contact: origin == PeerOrigin::Contact,
            added: None,
            claimed: None,
            speaks_from: None,
            name: None,
            origin,
            also: Box::default(),
            is_elsewhere: false,
            verified: false,
            refused_key: None,
            is_dialable: None,
            turned_away: None,
            is_key_untold: false,
            program: Program::default(),
            presence,
            last_heard: before.last_heard,
            last_seen: before.last_seen,
            announcement: PendingNews::default(),
            acks: Acks::default(),
            turn: None,
            left_after: None,
            messages_waiting: 0,
            slot: self.summaries.len(),
        };
        self.summaries.push(Summary::of(&peer, self.interval()));
        self.ids.push(id);
        self.rows.insert(id, peer);
        self.update(id, |_| ());
        true
    }

    /// Removes a row. Its number is not given again.
    pub(super) fn remove(&mut self, id: Recipient) {
        self.take(id);
        self.set_aside.remove(&id);
    }

    fn take(&mut self, id: Recipient) -> Option<Peer> {
        let peer = self.rows.remove(&id)?;
        self.summaries.swap_remove(peer.slot);
        self.ids.swap_remove(peer.slot);
        let moved = self.ids.get(peer.slot).and_then(|moved| self.rows.get_mut(moved));
        if let Some(moved) = moved {
            moved.slot = peer.slot;
        }
        Some(peer)
    }

    /// Gives a row to another identity that has none yet. Its number stays. Returns whether it did.
    fn rekey(&mut self, from: Recipient, to: Recipient) -> bool {
        if self.rows.contains_key(&to) {
            return false;
        }
        let Some(mut peer) = self.rows.remove(&from) else {
            return false;
        };
        peer.id = to;
        // Another peer has proven itself there.
        peer.refused_key = None;
        self.ids[peer.slot] = to;
        self.rows.insert(to, peer);
        self.update(to, |_| ());
        true
    }

    /// An address has become a legacy peer, which takes its row, unless the peer has one already.
    pub(super) fn becomes(&mut self, at_addr: Recipient, legacy: Recipient) {
        if !self.rekey(at_addr, legacy) {
            self.remove(at_addr);
        }
    }

    /// A peer announces itself on the local network.
    pub(super) fn mark_on_lan(&mut self, id: Recipient) {
        self.update(id, |peer| {
            if matches!(peer.origin, PeerOrigin::Heard | PeerOrigin::SentTo) {
                peer.origin = PeerOrigin::Lan;
            }
        });
    }

    /// The user configured a peer, which has a row. `is_new`: it was not known before.
    pub(super) fn configure(&mut self, id: Recipient, name: Option<PeerName>, form: Form, is_new: bool) {
        self.update(id, |peer| {
            peer.origin = PeerOrigin::Static;
            peer.name = peer.name.take().or(name);
            peer.program.configured_form = form;
            if is_new {
                peer.program.form = form;
            }
            peer.presence.configured();
        });
    }

    /// The user's configuration means another peer now.
    pub(super) fn is_not_configured(&mut self, id: Recipient) {
        self.update(id, |peer| {
            if peer.origin == PeerOrigin::Static {
                peer.origin = PeerOrigin::SentTo;
                peer.presence.not_configured();
            }
            if peer.contact {
                peer.presence.contact();
            }
        });
    }

    /// The user treats a peer as a contact: wrote to it, named, verified or accepted it. Returns
    /// whether that is new.
    pub(super) fn make_contact(&mut self, id: Recipient) -> bool {
        self.update(id, Peer::becomes_contact).unwrap_or(false)
    }

    /// A peer is shown under this name until it says another.
    pub(super) fn name(&mut self, id: Recipient, name: Option<PeerName>) {
        self.update(id, |peer| peer.name = name.or(peer.name.take()));
    }

    /// Describes the contact of an earlier run that has just got its row. It is dialed at `first`,
    /// unless it was not seen for [`DORMANT_AFTER`]. `last_seen` is how long ago that was.
    pub(super) fn remember(
        &mut self,
        id: Recipient,
        name: Option<PeerName>,
        last_seen: Option<Duration>,
        first: Time,
        now: Time,
    ) {
        self.update(id, |peer| {
            peer.name = name;
            peer.last_seen = last_seen;
            let is_dormant = last_seen.is_some_and(|ago| ago >= DORMANT_AFTER);
            peer.presence = Presence::of_contact(now, first, is_dormant);
        });
    }

    /// Records when a contact was last seen in an earlier run, and its name if it has none.
    pub(super) fn was_seen(&mut self, id: Recipient, name: Option<PeerName>, last_seen: Option<Duration>) {
        self.update(id, |peer| {
            peer.name = peer.name.take().or(name);
            peer.last_seen = last_seen;
        });
    }

    /// The machine has other addresses than before: offline contacts are tried again.
    pub(super) fn network_changed(&mut self, now: Time) {
        let contacts: Vec<Recipient> =
            self.rows.values().filter(|peer| peer.is_contact()).map(|peer| peer.id).collect();
        for id in contacts {
            self.update(id, |peer| peer.presence.network_changed(now));
        }
    }

    /// So many messages wait for a peer. Its row stays as long as there are any.
    pub(super) fn messages_wait(&mut self, id: Recipient, count: usize) {
        if self.peer(id).is_some_and(|peer| peer.messages_waiting != count) {
            self.update(id, |peer| peer.messages_waiting = count);
        }
    }

    /// Checks that every row has its summary, and that the table wakes in time for all of them.
    /// [`Peers::take_due`] may have returned no row that was not updated since.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!((self.summaries.len(), self.ids.len()), (self.rows.len(), self.rows.len()));
        for (id, peer) in &self.rows {
            let summary = self.summaries[peer.slot];
            assert_eq!((id, id), (&peer.id, &self.ids[peer.slot]));
            assert_eq!(summary, Summary::of(peer, self.interval()));
            assert!(summary.wake.is_none() || self.wake.is_some_and(|wake| Some(wake) <= summary.wake));
        }
    }
}
