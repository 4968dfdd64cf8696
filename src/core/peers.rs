//! The peer table: one row for each recipient, its number for the whole run, and which row is
//! evicted when the table is full.

use std::collections::HashMap;
use std::time::Duration;

use super::event::Verification;
use super::presence::{OfflineReason, PROBE_INTERVAL, Presence, PresenceStatus, Probe};
use super::probe_limiter::Turn;
use super::time::Time;
use crate::model::address::{Claimed, PeerAddr, Source, SourcePrefix};
use crate::model::key::PublicKey;
use crate::model::message::{Form, PeerProtocol};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::ByeReason;
use crate::protocol;

/// Peers known at most. Ten thousand rows of about half a kilobyte are a few megabytes, and more
/// people than anyone chats with.
pub const MAX_PEERS: usize = 10_000;

/// Static peers at most. They are never evicted, so they must leave room for others.
pub const MAX_STATIC_PEERS: usize = MAX_PEERS / 2;

/// Peers of one source prefix at most, so that no machine evicts all others. The limit does not
/// apply to the loopback network.
pub const MAX_PEERS_PER_IP: usize = MAX_PEERS / 4;

/// How long an offline peer is still listed.
pub const GONE_SHOWN: Duration = Duration::from_secs(600);

/// The mean time between two probes of a full table, so that the probes never become a load: with
/// more peers, each is probed more rarely. 20 ms are 50 probes a second; up to 750 peers
/// [`PROBE_INTERVAL`] holds.
const PROBE_SPACING: Duration = Duration::from_millis(20);

/// How a peer came to be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerOrigin {
    /// The user configured it.
    Static,
    /// It sent us something.
    Heard,
    /// We sent it something.
    SentTo,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) number: u32,
    /// The peer, or an address at which no peer has proven itself yet.
    pub(super) id: Recipient,
    /// The address it is dialed at first.
    pub(super) addr: PeerAddr,
    /// The prefix whose rows it is counted among: that of its first address, so that a machine
    /// makes no room for more rows by moving its own.
    counted: SourcePrefix,
    /// The user wrote to it, named, verified, accepted or configured it.
    pub(super) contact: bool,
    /// When its key was first proven in this run.
    pub(super) added: Option<Time>,
    /// What its header says, where that is not its address.
    pub(super) claimed: Option<Claimed>,
    /// An IP other than that of `addr` that it was seen to speak from, proven by its answering at `addr` after it had
    /// claimed it.
    pub(super) speaks_from: Option<Source>,
    pub(super) name: Option<PeerName>,
    pub(super) origin: PeerOrigin,
    pub(super) form: Form,
    /// Where else it says that it listens; dialed only with its key expected.
    pub(super) also: Box<[PeerAddr]>,
    /// It has read a message of ours and named no key, so messages to it go unencrypted.
    pub(super) is_plain: bool,
    /// The key that its receipt promised, until that key is proven or shown to be false. Nothing is
    /// sent unencrypted meanwhile.
    pub(super) promised: Option<PublicKey>,
    /// A new name in a `connect` from the address of a legacy peer, until it is clear whether the
    /// sender is a legacy peer, too, or one with a key.
    pub(super) introduced_as: Option<PeerName>,
    /// It did not prove its key when `addr` was dialed last.
    pub(super) is_elsewhere: bool,
    /// The user has compared its key.
    pub(super) verified: bool,
    /// OfflineReason it did not take us when it was met last; told once.
    pub(super) turned_away: Option<ByeReason>,
    /// The form that the user configured; what a peer has taught us ends with its program.
    pub(super) configured_form: Form,
    /// It speaks Hashpa's dialect, which wants a `PING` where others bear an empty connection.
    pub(super) wants_ping: bool,
    /// It has acknowledged something of ours.
    pub(super) gives_receipts: bool,
    /// It has sent `connect` or `connect_ack`, which SmartCookies never does.
    pub(super) shook_hands: bool,
    pub(super) presence: Presence,
    pub(super) last_heard: Option<Time>,
    /// The user knows that it is there.
    pub(super) told: bool,
    /// When the user is told at the latest that it is there; until then its name may come.
    pub(super) tell_at: Option<Time>,
    pub(super) acked_at: Option<Time>,
    pub(super) ack_due: Option<Time>,
    pub(super) acking: bool,
    /// It waits for its turn to be probed or acknowledged.
    pub(super) turn: Option<Turn>,
    /// The last job begun when one of us said goodbye to the other: what becomes of it and those before it, which were
    /// on their way, does not bring the peer back.
    pub(super) parted_after: u64,
    /// Texts on their way to it.
    pub(super) texts_waiting: usize,
    /// Where its summary is.
    slot: usize,
}

/// A place in the order of eviction: the lowest goes first. Among rows of one rank, this is the peer
/// that was heard of least recently, and among those the older row.
///
/// It is one number because a scan that compares three values takes several times as long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct EvictionOrder(u128);

impl EvictionOrder {
    /// The place of a row that is never evicted.
    const NEVER: Self = Self(u128::MAX);

    fn new(rank: EvictionRank, last_heard: Option<Time>, number: u32) -> Self {
        let heard = last_heard.map_or(Duration::ZERO, Time::since_start);
        // It fits: a `Time` is less than 2^64 nanoseconds after the start.
        Self((rank as u128) << 96 | heard.as_nanos() << 32 | u128::from(number))
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

impl Peer {
    /// The source prefix whose fair share it counts against: that of where it is dialed.
    pub(super) fn prefix(&self) -> SourcePrefix {
        self.addr.share()
    }

    /// Dials it at another address from now on. It waits for a probe under the new prefix.
    pub(super) fn moves_to(&mut self, addr: PeerAddr) {
        self.addr = addr;
        self.is_elsewhere = false;
        self.turn = None;
    }

    /// Forgets what is known of the program that was there: another program may be there now.
    pub(super) fn forgets_program(&mut self) {
        self.form = self.configured_form;
        self.wants_ping = false;
        self.gives_receipts = false;
        self.shook_hands = false;
        self.promised = None;
        self.introduced_as = None;
    }

    /// Whether the user would say that it is there.
    pub(super) fn is_there(&self) -> bool {
        self.presence.status() != PresenceStatus::Offline
    }

    /// How sure it is that it is who it is named as.
    pub(super) fn verification(&self) -> Verification {
        match self.protocol() {
            PeerProtocol::Session(_) if self.verified => Verification::Verified,
            PeerProtocol::Session(_) => Verification::Encrypted,
            PeerProtocol::Unknown => Verification::Unknown,
            PeerProtocol::Plain => Verification::Plain,
        }
    }

    /// How messages are sent to it, as far as its row shows.
    pub(super) fn protocol(&self) -> PeerProtocol {
        match self.id {
            Recipient::Peer(PeerId::Key(key)) => PeerProtocol::Session(key),
            Recipient::Peer(PeerId::Legacy(_)) if self.is_plain && self.promised.is_none() => {
                PeerProtocol::Plain
            }
            Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => PeerProtocol::Unknown,
        }
    }

    /// Its place in the order of eviction. A static peer, a peer with a key that is online, and a
    /// peer for which messages wait are never evicted.
    fn eviction_order(&self) -> EvictionOrder {
        let is_live = self.id.public_key().is_some() && self.is_there();
        if self.origin == PeerOrigin::Static || self.texts_waiting > 0 || is_live {
            return EvictionOrder::NEVER;
        }
        let rank = if !self.presence.is_proven() {
            EvictionRank::Claimed
        } else if self.is_there() {
            EvictionRank::Online
        } else {
            EvictionRank::Offline
        };
        EvictionOrder::new(rank, self.last_heard, self.number)
    }

    /// When the row is removed because the peer has been offline for long enough.
    fn removal(&self) -> Option<Time> {
        let (since, _) = self.presence.offline()?;
        (self.origin != PeerOrigin::Static && self.texts_waiting == 0).then(|| since.plus(GONE_SHOWN))
    }

    /// When and how to probe it next; `None` while an acknowledgement is under way, which shows as
    /// much as a probe.
    pub(super) fn next_probe(&self, interval: Duration) -> Option<(Time, Probe)> {
        if self.acking { None } else { self.presence.next_probe(interval) }
    }

    /// When something is due for it next.
    fn wake(&self, interval: Duration) -> Option<Time> {
        // A row that waits for its turn is not due before that.
        let dialed = match self.turn {
            Some(_) => None,
            None => earlier(self.next_probe(interval).map(|(at, _)| at), self.ack_due),
        };
        earlier(dialed, earlier(self.removal(), self.tell_at))
    }
}

/// Returns the earlier of two moments, or the one that is set.
fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The part of a row that scans look at, copied after each change of the row. Summaries lie side by
/// side, so a scan of ten thousand takes some ten microseconds. Reading the rows themselves takes
/// half a millisecond, which a flood of invented peers would make felt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Summary {
    /// The prefix that the row is counted among.
    counted: SourcePrefix,
    /// The prefix that the peer is dialed under.
    dialed: SourcePrefix,
    eviction: EvictionOrder,
    turn: Option<Turn>,
    /// `None` also while what is due is being done.
    wake: Option<Time>,
}

impl Summary {
    fn of(peer: &Peer, interval: Duration) -> Self {
        Self {
            counted: peer.counted,
            dialed: peer.prefix(),
            eviction: peer.eviction_order(),
            turn: peer.turn,
            wake: peer.wake(interval),
        }
    }
}

/// A peer that waits for its turn to be probed or acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting<'a> {
    pub(super) id: &'a Recipient,
    pub(super) turn: Turn,
    /// The prefix that it is dialed under.
    pub(super) prefix: SourcePrefix,
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
}

impl Peers {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn peer(&self, id: Recipient) -> Option<&Peer> {
        self.rows.get(&id)
    }

    /// Returns all rows in any order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.rows.values()
    }

    /// Returns all rows in the order of their numbers.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Peer> {
        let mut rows: Vec<(u32, &Peer)> = self.iter().map(|peer| (peer.number, peer)).collect();
        rows.sort_unstable_by_key(|(number, _)| *number);
        rows.into_iter().map(|(_, peer)| peer)
    }

    /// Returns the row without a key that is dialed at `addr`, or speaks from there.
    pub(super) fn legacy_at(&self, addr: PeerAddr) -> Option<&Peer> {
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
        self.iter().filter(is_it).min_by_key(|peer| peer.number)
    }

    /// Changes a row. Returns what `change` returns, or `None` if there is no such row.
    pub(super) fn update<T>(&mut self, id: Recipient, change: impl FnOnce(&mut Peer) -> T) -> Option<T> {
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
    pub(super) fn add(
        &mut self,
        id: Recipient,
        addr: PeerAddr,
        origin: PeerOrigin,
        presence: Presence,
    ) -> bool {
        if self.rows.contains_key(&id) {
            return true;
        }
        if !self.make_room_at(addr) {
            return false;
        }
        self.last_number += 1;
        let peer = Peer {
            number: self.last_number,
            id,
            addr,
            counted: addr.share(),
            contact: false,
            added: None,
            claimed: None,
            speaks_from: None,
            name: None,
            origin,
            form: Form::default(),
            also: Box::default(),
            is_plain: false,
            promised: None,
            introduced_as: None,
            is_elsewhere: false,
            verified: false,
            turned_away: None,
            configured_form: Form::default(),
            wants_ping: false,
            gives_receipts: false,
            shook_hands: false,
            presence,
            last_heard: None,
            told: false,
            tell_at: None,
            acked_at: None,
            ack_due: None,
            acking: false,
            turn: None,
            parted_after: 0,
            texts_waiting: 0,
            slot: self.summaries.len(),
        };
        self.summaries.push(Summary::of(&peer, self.interval()));
        self.ids.push(id);
        self.rows.insert(id, peer);
        self.update(id, |_| ());
        true
    }

    /// Evicts a row if another one at `addr` would be too many. Returns whether there is room.
    fn make_room_at(&mut self, addr: PeerAddr) -> bool {
        if self.len() < MAX_PEERS_PER_IP {
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
        evicted.is_some_and(|id| self.remove(id).is_some())
    }

    /// Returns the row that is evicted first of those with such a summary, if any of them may be.
    fn first_evicted(&self, is_of: impl Fn(&Summary) -> bool) -> Option<Recipient> {
        let summaries = self.summaries.iter().zip(&self.ids).filter(|(summary, _)| is_of(summary));
        let (summary, id) = summaries.min_by_key(|(summary, _)| summary.eviction)?;
        (summary.eviction != EvictionOrder::NEVER).then_some(*id)
    }

    pub(super) fn remove(&mut self, id: Recipient) -> Option<Peer> {
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
    pub(super) fn rekey(&mut self, from: Recipient, to: Recipient) -> bool {
        if self.rows.contains_key(&to) {
            return false;
        }
        let Some(mut peer) = self.rows.remove(&from) else {
            return false;
        };
        peer.id = to;
        self.ids[peer.slot] = to;
        self.rows.insert(to, peer);
        self.update(to, |_| ());
        true
    }

    /// Gives a row the number of a row that was removed.
    pub(super) fn renumber(&mut self, id: Recipient, number: u32) {
        self.update(id, |peer| peer.number = number);
    }

    /// How long an online peer may be silent before it is probed, given how many peers there are.
    pub(super) fn interval(&self) -> Duration {
        let all = PROBE_SPACING.saturating_mul(u32::try_from(self.len()).unwrap_or(u32::MAX));
        PROBE_INTERVAL.max(all)
    }

    /// Returns a moment before which no row is due; the first row may be due later.
    ///
    /// A row is due after the interval that was in force at its last change, which is the longer
    /// one if rows were removed since.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.wake
    }

    /// Returns the rows that have something due at `now`, the most overdue first. They are due
    /// again only after their next update.
    pub(super) fn take_due(&mut self, now: Time) -> Vec<Recipient> {
        if self.wake.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.wake = None;
        let mut due = Vec::new();
        for (summary, id) in self.summaries.iter_mut().zip(&self.ids) {
            if summary.wake.is_some_and(|at| at <= now) {
                due.push((summary.wake.take(), *id));
            } else {
                self.wake = earlier(self.wake, summary.wake);
            }
        }
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Returns the peers that wait for their turn to be probed or acknowledged, in any order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Waiting<'_>> {
        let summaries = self.summaries.iter().zip(&self.ids);
        summaries
            .filter_map(|(summary, id)| Some(Waiting { id, turn: summary.turn?, prefix: summary.dialed }))
    }

    /// Whether a row has been listed as offline for long enough.
    pub(super) fn is_outlived(&self, id: Recipient, now: Time) -> bool {
        self.peer(id).and_then(Peer::removal).is_some_and(|at| at <= now)
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

/// A row as the user sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The number that it is chosen by: given once, never given to another.
    pub number: u32,
    /// The peer, or an address at which no peer has proven itself yet.
    pub id: Recipient,
    /// Whether the user treats it as a contact: wrote to it, named, verified, accepted or
    /// configured it.
    pub contact: bool,
    /// What it calls itself, if it has said so or peers.toml does.
    pub name: Option<PeerName>,
    /// The address it is dialed at first; `None` for a peer with a key and no known address.
    pub addr: Option<PeerAddr>,
    /// What its header says, where that is not its address.
    pub claimed: Option<Claimed>,
    /// How it is spoken to.
    pub speech: PeerProtocol,
    /// How sure it is that it is who it is named as.
    pub verification: Verification,
    /// Whether it is there.
    pub state: PresenceStatus,
    /// OfflineReason it is gone, if it is.
    pub why: Option<OfflineReason>,
    /// How it came to be known.
    pub origin: PeerOrigin,
    /// How long ago something came from it, if anything did.
    pub last_heard: Option<Duration>,
}

impl Row {
    pub(super) fn of(peer: &Peer, now: Time) -> Self {
        Self {
            number: peer.number,
            id: peer.id,
            contact: peer.origin == PeerOrigin::Static,
            name: peer.name.clone(),
            addr: Some(peer.addr),
            claimed: peer.claimed,
            speech: peer.protocol(),
            verification: peer.verification(),
            state: peer.presence.status(),
            why: peer.presence.offline().map(|(_, why)| why),
            origin: peer.origin,
            last_heard: peer.last_heard.map(|at| now.since(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::core::presence::ProbeResult;

    fn addr(n: usize) -> PeerAddr {
        let n = u32::try_from(n).unwrap();
        PeerAddr::new(Ipv4Addr::from_bits(0x7f00_0001 + n), 5000).unwrap()
    }

    fn add(peers: &mut Peers, addr: PeerAddr, origin: PeerOrigin, presence: Presence) -> bool {
        peers.add(addr.into(), addr, origin, presence)
    }

    fn now() -> Time {
        Time::default()
    }

    #[test]
    fn a_full_table_evicts_the_oldest_claim_first_and_a_static_peer_never() {
        let mut peers = Peers::default();
        add(&mut peers, addr(0), PeerOrigin::Static, Presence::of_static(now()));
        for n in 1..MAX_PEERS {
            add(&mut peers, addr(n), PeerOrigin::Heard, Presence::of_heard(now()));
        }
        for n in 1..MAX_PEERS {
            if n != 7 && n != 9 {
                peers.update(addr(n).into(), |peer| peer.presence.answered(ProbeResult::Dialed, now()));
            }
        }
        for (newcomer, evicted) in [(1, 7), (2, 9)] {
            assert!(add(
                &mut peers,
                addr(MAX_PEERS + newcomer),
                PeerOrigin::Heard,
                Presence::of_heard(now())
            ));
            peers.update(addr(MAX_PEERS + newcomer).into(), |peer| {
                peer.presence.answered(ProbeResult::Dialed, now())
            });
            assert_eq!(peers.len(), MAX_PEERS);
            assert!(peers.peer(addr(evicted).into()).is_none());
        }
        // Nobody is a mere claim any more: then those go that are gone, then the oldest.
        peers.update(addr(5).into(), |peer| peer.presence.left(OfflineReason::SaidGoodbye, now()));
        for (newcomer, evicted) in [(3, 5), (4, 1)] {
            assert!(add(
                &mut peers,
                addr(MAX_PEERS + newcomer),
                PeerOrigin::Heard,
                Presence::of_heard(now())
            ));
            peers.update(addr(MAX_PEERS + newcomer).into(), |peer| {
                peer.presence.answered(ProbeResult::Dialed, now())
            });
            assert!(peers.peer(addr(evicted).into()).is_none());
        }
        assert!(peers.peer(addr(0).into()).is_some());
    }

    #[test]
    fn one_machine_drives_nobody_else_out() {
        let mut peers = Peers::default();
        let ip = |last| Ipv4Addr::new(10, 0, 0, last);
        let at = |last, port| PeerAddr::new(ip(last), port).unwrap();
        add(&mut peers, at(1, 5000), PeerOrigin::Heard, Presence::of_heard(now()));
        for port in 1..=u16::try_from(MAX_PEERS_PER_IP + 100).unwrap() {
            add(&mut peers, at(2, port), PeerOrigin::Heard, Presence::of_heard(now()));
            peers.update(at(2, port).into(), |peer| peer.presence.answered(ProbeResult::Dialed, now()));
        }
        assert_eq!(peers.len(), MAX_PEERS_PER_IP + 1);
        assert!(peers.peer(at(1, 5000).into()).is_some());
        assert!(peers.peer(at(2, 100).into()).is_none() && peers.peer(at(2, 101).into()).is_some());
    }

    #[test]
    fn peer_heard_least_recently_is_evicted_first() {
        let mut peers = Peers::default();
        let at = |port| PeerAddr::new(Ipv4Addr::new(10, 0, 0, 1), port).unwrap();
        let all = u16::try_from(MAX_PEERS_PER_IP).unwrap();
        for port in 1..=all {
            add(&mut peers, at(port), PeerOrigin::Heard, Presence::of_heard(now()));
            let heard = now().plus(Duration::from_secs(if port == 1 { 9_999 } else { u64::from(port) }));
            peers.update(at(port).into(), |peer| {
                peer.presence.answered(ProbeResult::Dialed, now());
                peer.last_heard = Some(heard);
            });
        }
        for evicted in [2, 3] {
            let newcomer = at(all + evicted);
            add(&mut peers, newcomer, PeerOrigin::Heard, Presence::of_heard(now()));
            peers.update(newcomer.into(), |peer| {
                peer.presence.answered(ProbeResult::Dialed, now());
                peer.last_heard = Some(now().plus(Duration::from_secs(9_999)));
            });
            assert!(peers.peer(at(evicted).into()).is_none());
            assert_eq!(peers.len(), MAX_PEERS_PER_IP);
        }
        assert!(peers.peer(at(1).into()).is_some());
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Add(usize),
        Remove(usize),
        Rekey(usize, usize),
        Answers(usize),
        Parts(usize),
        Waits(usize, u64),
        Later(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let n = 0..8_usize;
        let step = prop_oneof![
            4 => n.clone().prop_map(Step::Add),
            2 => n.clone().prop_map(Step::Remove),
            2 => (n.clone(), n.clone()).prop_map(|(from, to)| Step::Rekey(from, to)),
            2 => n.clone().prop_map(Step::Answers),
            2 => n.clone().prop_map(Step::Parts),
            1 => (n, 1..100_u64).prop_map(|(n, turn)| Step::Waits(n, turn)),
            4 => (0..20_000_u64).prop_map(Step::Later),
        ];
        prop::collection::vec(step, 0..100)
    }

    proptest! {
        #[test]
        fn summaries_match_rows_whatever_happens(steps in steps()) {
            let mut peers = Peers::default();
            let mut now = now();
            for step in steps {
                match step {
                    Step::Add(n) => drop(add(&mut peers, addr(n), PeerOrigin::Heard, Presence::of_heard(now))),
                    Step::Remove(n) => drop(peers.remove(addr(n).into())),
                    Step::Rekey(from, to) => drop(peers.rekey(addr(from).into(), addr(to).into())),
                    Step::Answers(n) => {
                        peers.update(addr(n).into(), |peer| peer.presence.answered(ProbeResult::Dialed, now));
                    }
                    Step::Parts(n) => {
                        peers.update(addr(n).into(), |peer| peer.presence.left(OfflineReason::SaidGoodbye, now));
                    }
                    Step::Waits(n, turn) => {
                        peers.update(addr(n).into(), |peer| peer.turn = Some(Turn::new(turn)));
                    }
                    Step::Later(millis) => now = now.plus(Duration::from_millis(millis)),
                }
                peers.check();
                let interval = peers.interval();
                let is_due = |peer: &&Peer| peer.wake(interval).is_some_and(|at| at <= now);
                let expected = peers.iter().filter(is_due).count();
                let due = peers.take_due(now);
                prop_assert_eq!(due.len(), expected);
                prop_assert!(peers.next_wake().is_none_or(|at| at > now));
                // What is due is done: the peer is probed, and a peer that is gone is removed.
                for id in due {
                    if peers.is_outlived(id, now) {
                        peers.remove(id);
                    } else {
                        peers.update(id, |peer| peer.presence.probe_begins());
                    }
                }
                peers.check();
            }
        }
    }

    #[test]
    fn a_network_of_ipv6_is_as_one_machine() {
        let mut peers = Peers::default();
        let at = |network: u16, host: usize| {
            let ip =
                std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, u16::try_from(host).unwrap());
            PeerAddr::new(ip, 5000).unwrap()
        };
        add(&mut peers, at(1, 1), PeerOrigin::Heard, Presence::of_heard(now()));
        for host in 1..=MAX_PEERS_PER_IP + 100 {
            add(&mut peers, at(2, host), PeerOrigin::Heard, Presence::of_heard(now()));
        }
        assert_eq!(peers.len(), MAX_PEERS_PER_IP + 1);
        assert!(peers.peer(at(1, 1).into()).is_some());
        assert!(peers.peer(at(2, 100).into()).is_none() && peers.peer(at(2, 101).into()).is_some());
    }

    #[test]
    fn a_number_is_given_once() {
        let mut peers = Peers::default();
        add(&mut peers, addr(1), PeerOrigin::Heard, Presence::of_heard(now()));
        add(&mut peers, addr(2), PeerOrigin::Heard, Presence::of_heard(now()));
        peers.remove(addr(1).into());
        add(&mut peers, addr(1), PeerOrigin::Heard, Presence::of_heard(now()));
        let rows: Vec<_> = peers.rows().map(|peer| (peer.number, peer.addr)).collect();
        assert_eq!(rows, [(2, addr(2)), (3, addr(1))]);
    }

    #[test]
    fn a_gone_peer_is_removed_after_ten_minutes_and_a_static_one_is_not() {
        let mut peers = Peers::default();
        add(&mut peers, addr(1), PeerOrigin::Static, Presence::of_static(now()));
        add(&mut peers, addr(2), PeerOrigin::Heard, Presence::of_heard(now()));
        for n in [1, 2] {
            peers.update(addr(n).into(), |peer| peer.presence.left(OfflineReason::SaidGoodbye, now()));
            assert!(!peers.is_outlived(addr(n).into(), now().plus(GONE_SHOWN - Duration::from_millis(1))));
        }
        assert!(!peers.is_outlived(addr(1).into(), now().plus(GONE_SHOWN)));
        assert!(peers.is_outlived(addr(2).into(), now().plus(GONE_SHOWN)));
    }
}
