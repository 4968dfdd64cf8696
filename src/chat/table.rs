//! The peer table: one row for each recipient, its number for the whole run, and which row is
//! evicted when the table is full.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::checks::Place;
use super::event::Proof;
use super::presence::{OfflineReason, PROBE_INTERVAL, Presence, PresenceStatus, Probe};
use super::time::Time;
use crate::model::address::{Claimed, PeerAddr, Source, SourcePrefix};
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::message::{Form, Speech};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::ByeReason;
use crate::protocol;

/// Peers known at most. Ten thousand rows of well under a kilobyte are a few megabytes, and more people than anybody
/// chats with.
pub const MAX_PEERS: usize = 10_000;

/// Static peers at most: they are never evicted, so they must leave room for others.
pub const MAX_STATIC_PEERS: usize = MAX_PEERS / 2;

/// Peers of one IP at most, so that no machine drives the others out; on the loopback network all have few.
pub const MAX_PEERS_PER_IP: usize = MAX_PEERS / 4;

/// How long a peer that is gone is still shown.
pub const GONE_SHOWN: Duration = Duration::from_secs(600);

/// Time between two probes of the whole table: with more peers each is probed more rarely, so that the probes never
/// become a load. 20 ms are 50 a second; up to 750 peers the usual interval holds.
const PROBE_SPACING: Duration = Duration::from_millis(20);

/// How a peer came to be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
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
    /// The prefix it counts against: that of the address where it was first known.
    prefix: SourcePrefix,
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
    pub(super) known: Known,
    pub(super) form: Form,
    /// Where else it says that it listens; dialled only with its key expected.
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
    /// Why it did not take us when it was met last; told once.
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
    /// It waits for its turn to be looked at or acknowledged.
    pub(super) place: Option<Place>,
    /// The last job begun when one of us said goodbye to the other: what becomes of it and those before it, which were
    /// on their way, does not bring the peer back.
    pub(super) parted_after: u64,
    /// Texts on their way to it.
    pub(super) texts_waiting: usize,
    wake: Option<Time>,
    rank: Option<(Rank, u64)>,
}

/// Who goes first when the table is full; among equals, whoever has had the rank longest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    Claimed,
    Gone,
    There,
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
        self.place = None;
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
    pub(super) fn proof(&self) -> Proof {
        match self.speech() {
            Speech::Secure(_) if self.verified => Proof::Verified,
            Speech::Secure(_) => Proof::Encrypted,
            Speech::Unknown => Proof::Unknown,
            Speech::Plain => Proof::Plain,
        }
    }

    /// How messages are sent to it, as far as its row shows.
    pub(super) fn speech(&self) -> Speech {
        match self.id {
            Recipient::Peer(PeerId::Key(key)) => Speech::Secure(key),
            Recipient::Peer(PeerId::Legacy(_)) if self.is_plain && self.promised.is_none() => Speech::Plain,
            Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => Speech::Unknown,
        }
    }

    fn rank(&self) -> Option<Rank> {
        // A peer with a live session is never evicted.
        let is_live = self.id.public_key().is_some() && self.is_there();
        if self.known == Known::Static || self.texts_waiting > 0 || is_live {
            return None;
        }
        Some(if !self.presence.is_proven() {
            Rank::Claimed
        } else if self.is_there() {
            Rank::There
        } else {
            Rank::Gone
        })
    }

    fn removal(&self) -> Option<Time> {
        let (since, _) = self.presence.offline()?;
        (self.known != Known::Static && self.texts_waiting == 0).then(|| since.plus(GONE_SHOWN))
    }

    /// When and how to look for it next. An acknowledgement under way shows as much as a look would.
    pub(super) fn next_probe(&self, interval: Duration) -> Option<(Time, Probe)> {
        if self.acking { None } else { self.presence.next_probe(interval) }
    }

    fn wake(&self, interval: Duration) -> Option<Time> {
        let probe = self.next_probe(interval).map(|(at, _)| at);
        // Who waits for a turn is woken by it.
        let dialled = [probe, self.ack_due].into_iter().filter(|_| self.place.is_none());
        dialled.chain([self.removal(), self.tell_at]).flatten().min()
    }
}

/// The table and its indexes: who has something due when, and who may be evicted in which order.
#[derive(Debug, Default)]
pub(super) struct Table {
    peers: HashMap<Recipient, Peer>,
    numbers: BTreeMap<u32, Recipient>,
    schedule: BTreeSet<(Time, Recipient)>,
    evictable: BTreeSet<(Rank, u64, Recipient)>,
    /// The same by share.
    evictable_of: BTreeSet<(SourcePrefix, Rank, u64, Recipient)>,
    per_ip: HashMap<SourcePrefix, usize>,
    next_number: u32,
    changes: u64,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn peer(&self, peer_id: Recipient) -> Option<&Peer> {
        self.peers.get(&peer_id)
    }

    /// The row without a key that is dialed at `addr`, or speaks from there.
    pub(super) fn legacy_at(&self, addr: PeerAddr) -> Option<&Peer> {
        let legacy = addr.plain().map(|addr| protocol::plain::peer_at(addr).into());
        let of_addr = legacy.into_iter().chain([Recipient::Address(addr)]);
        let known = of_addr.filter_map(|id| self.peers.get(&id)).next();
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
        self.rows().find(is_it)
    }

    /// All rows in the order of their numbers.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Peer> {
        self.numbers.values().filter_map(|peer_id| self.peers.get(peer_id))
    }

    /// Changes a row, and keeps the indexes true.
    pub(super) fn update<T>(&mut self, peer_id: Recipient, change: impl FnOnce(&mut Peer) -> T) -> Option<T> {
        let interval = self.interval();
        let peer = self.peers.get_mut(&peer_id)?;
        let result = change(peer);
        let wake = peer.wake(interval);
        // A row that wakes too early only looks again; so a sign of life, which moves the next look back, costs nothing.
        let keep = peer.wake.is_some_and(|old| wake.is_some_and(|new| old <= new));
        if !keep && wake != peer.wake {
            if let Some(old) = peer.wake {
                self.schedule.remove(&(old, peer_id));
            }
            if let Some(new) = wake {
                self.schedule.insert((new, peer_id));
            }
            peer.wake = wake;
        }
        let (rank, prefix) = (peer.rank(), peer.prefix);
        if rank != peer.rank.map(|(rank, _)| rank) {
            if let Some((rank, since)) = peer.rank.take() {
                self.evictable.remove(&(rank, since, peer_id));
                self.evictable_of.remove(&(prefix, rank, since, peer_id));
            }
            if let Some(rank) = rank {
                self.changes += 1;
                peer.rank = Some((rank, self.changes));
                self.evictable.insert((rank, self.changes, peer_id));
                self.evictable_of.insert((prefix, rank, self.changes, peer_id));
            }
        }
        Some(result)
    }

    /// Adds a row that is dialed at `addr`, whose prefix it counts against. A full table evicts a
    /// row first; if none may go, none is added.
    pub(super) fn add(&mut self, id: Recipient, addr: PeerAddr, known: Known, presence: Presence) -> bool {
        if self.peers.contains_key(&id) {
            return true;
        }
        let prefix = addr.share();
        let of_prefix = self.per_ip.get(&prefix).copied().unwrap_or(0);
        let first = if of_prefix >= MAX_PEERS_PER_IP && !addr.ip().is_loopback() {
            Some(self.first_of(prefix))
        } else if self.peers.len() >= MAX_PEERS {
            Some(self.evictable.first().map(|&(.., first)| first))
        } else {
            None
        };
        match first {
            Some(None) => return false,
            Some(Some(first)) => drop(self.remove(first)),
            None => {}
        }
        self.next_number += 1;
        let peer = Peer {
            number: self.next_number,
            id,
            addr,
            prefix,
            contact: false,
            added: None,
            claimed: None,
            speaks_from: None,
            name: None,
            known,
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
            place: None,
            parted_after: 0,
            texts_waiting: 0,
            wake: None,
            rank: None,
        };
        self.insert(peer);
        true
    }

    /// The row that goes first of those that have `share` together.
    fn first_of(&self, share: SourcePrefix) -> Option<Recipient> {
        let lowest = Recipient::key(PublicKey::new([0; KEY_BYTES]));
        let from_there_on = self.evictable_of.range((share, Rank::Claimed, 0, lowest)..).next();
        from_there_on.filter(|first| first.0 == share).map(|&(.., peer_id)| peer_id)
    }

    fn insert(&mut self, mut peer: Peer) {
        let peer_id = peer.id;
        // The indexes of a removed row are no longer valid.
        (peer.place, peer.wake, peer.rank) = (None, None, None);
        *self.per_ip.entry(peer.prefix).or_default() += 1;
        self.numbers.insert(peer.number, peer_id);
        self.peers.insert(peer_id, peer);
        self.update(peer_id, |_| ());
    }

    pub(super) fn remove(&mut self, peer_id: Recipient) -> Option<Peer> {
        let peer = self.peers.remove(&peer_id)?;
        self.numbers.remove(&peer.number);
        let prefix = peer.prefix;
        if let Some(wake) = peer.wake {
            self.schedule.remove(&(wake, peer_id));
        }
        if let Some((rank, since)) = peer.rank {
            self.evictable.remove(&(rank, since, peer_id));
            self.evictable_of.remove(&(prefix, rank, since, peer_id));
        }
        if let Some(count) = self.per_ip.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                self.per_ip.remove(&prefix);
            }
        }
        Some(peer)
    }

    /// Gives a row to another identity that has none yet. Its number stays. Returns whether it did.
    pub(super) fn rekey(&mut self, from: Recipient, to: Recipient) -> bool {
        if self.peers.contains_key(&to) {
            return false;
        }
        let Some(mut peer) = self.remove(from) else {
            return false;
        };
        peer.id = to;
        self.insert(peer);
        true
    }

    /// Gives a row the number of a row that was removed.
    pub(super) fn renumber(&mut self, id: Recipient, number: u32) {
        if let Some(mut peer) = self.remove(id) {
            peer.number = number;
            self.insert(peer);
        }
    }

    /// How long a peer that is well is left in peace, given how many there are.
    pub(super) fn interval(&self) -> Duration {
        let all = PROBE_SPACING.saturating_mul(u32::try_from(self.peers.len()).unwrap_or(u32::MAX));
        PROBE_INTERVAL.max(all)
    }

    /// When the first row has something due.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.schedule.first().map(|(at, _)| *at)
    }

    /// The first row that has something due at `now`, taken off the schedule until it is next updated.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Recipient> {
        let &(at, peer_id) = self.schedule.first()?;
        if at > now {
            return None;
        }
        self.schedule.remove(&(at, peer_id));
        if let Some(peer) = self.peers.get_mut(&peer_id) {
            peer.wake = None;
        }
        Some(peer_id)
    }

    /// Whether a row that is gone has been shown as such for long enough.
    pub(super) fn is_outlived(&self, peer_id: Recipient, now: Time) -> bool {
        let peer = self.peers.get(&peer_id);
        peer.and_then(Peer::removal).is_some_and(|at| at <= now)
    }
}

/// How much a table and its indexes hold, for the tests that look for what is never given back.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) peers: usize,
    numbers: usize,
    schedule: usize,
    pub(super) evictable: usize,
    evictable_of: usize,
    pub(super) per_ip: usize,
}

#[cfg(test)]
impl Sizes {
    /// Whether no index holds more than there are rows.
    pub(super) fn fits(&self) -> bool {
        self.numbers == self.peers
            && self.evictable == self.evictable_of
            && [self.schedule, self.evictable, self.per_ip].iter().all(|size| *size <= self.peers)
    }
}

#[cfg(test)]
impl Table {
    pub(super) fn sizes(&self) -> Sizes {
        Sizes {
            peers: self.peers.len(),
            numbers: self.numbers.len(),
            schedule: self.schedule.len(),
            evictable: self.evictable.len(),
            evictable_of: self.evictable_of.len(),
            per_ip: self.per_ip.len(),
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
    pub speech: Speech,
    /// How sure it is that it is who it is named as.
    pub proof: Proof,
    /// Whether it is there.
    pub state: PresenceStatus,
    /// Why it is gone, if it is.
    pub why: Option<OfflineReason>,
    /// How it came to be known.
    pub known: Known,
    /// How long ago something came from it, if anything did.
    pub last_heard: Option<Duration>,
}

impl Row {
    pub(super) fn of(peer: &Peer, now: Time) -> Self {
        Self {
            number: peer.number,
            id: peer.id,
            contact: peer.known == Known::Static,
            name: peer.name.clone(),
            addr: Some(peer.addr),
            claimed: peer.claimed,
            speech: peer.speech(),
            proof: peer.proof(),
            state: peer.presence.status(),
            why: peer.presence.offline().map(|(_, why)| why),
            known: peer.known,
            last_heard: peer.last_heard.map(|at| now.since(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::chat::presence::ProbeResult;

    fn addr(n: usize) -> PeerAddr {
        let n = u32::try_from(n).unwrap();
        PeerAddr::new(Ipv4Addr::from_bits(0x7f00_0001 + n), 5000).unwrap()
    }

    fn add(table: &mut Table, addr: PeerAddr, known: Known, presence: Presence) -> bool {
        table.add(addr.into(), addr, known, presence)
    }

    fn now() -> Time {
        Time::default()
    }

    #[test]
    fn a_full_table_evicts_the_oldest_claim_first_and_a_static_peer_never() {
        let mut table = Table::default();
        add(&mut table, addr(0), Known::Static, Presence::of_static(now()));
        for n in 1..MAX_PEERS {
            add(&mut table, addr(n), Known::Heard, Presence::of_heard(now()));
        }
        for n in 1..MAX_PEERS {
            if n != 7 && n != 9 {
                table.update(addr(n).into(), |peer| peer.presence.answered(ProbeResult::Dialed, now()));
            }
        }
        for (newcomer, evicted) in [(1, 7), (2, 9)] {
            assert!(add(&mut table, addr(MAX_PEERS + newcomer), Known::Heard, Presence::of_heard(now())));
            table.update(addr(MAX_PEERS + newcomer).into(), |peer| {
                peer.presence.answered(ProbeResult::Dialed, now())
            });
            assert_eq!(table.len(), MAX_PEERS);
            assert!(table.peer(addr(evicted).into()).is_none());
        }
        // Nobody is a mere claim any more: then those go that are gone, then the oldest.
        table.update(addr(5).into(), |peer| peer.presence.left(OfflineReason::SaidGoodbye, now()));
        for (newcomer, evicted) in [(3, 5), (4, 1)] {
            assert!(add(&mut table, addr(MAX_PEERS + newcomer), Known::Heard, Presence::of_heard(now())));
            table.update(addr(MAX_PEERS + newcomer).into(), |peer| {
                peer.presence.answered(ProbeResult::Dialed, now())
            });
            assert!(table.peer(addr(evicted).into()).is_none());
        }
        assert!(table.peer(addr(0).into()).is_some());
    }

    #[test]
    fn one_machine_drives_nobody_else_out() {
        let mut table = Table::default();
        let ip = |last| Ipv4Addr::new(10, 0, 0, last);
        let at = |last, port| PeerAddr::new(ip(last), port).unwrap();
        add(&mut table, at(1, 5000), Known::Heard, Presence::of_heard(now()));
        for port in 1..=u16::try_from(MAX_PEERS_PER_IP + 100).unwrap() {
            add(&mut table, at(2, port), Known::Heard, Presence::of_heard(now()));
            table.update(at(2, port).into(), |peer| peer.presence.answered(ProbeResult::Dialed, now()));
        }
        assert_eq!(table.len(), MAX_PEERS_PER_IP + 1);
        assert!(table.peer(at(1, 5000).into()).is_some());
        assert!(table.peer(at(2, 100).into()).is_none() && table.peer(at(2, 101).into()).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_as_one_machine() {
        let mut table = Table::default();
        let at = |network: u16, host: usize| {
            let ip =
                std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, u16::try_from(host).unwrap());
            PeerAddr::new(ip, 5000).unwrap()
        };
        add(&mut table, at(1, 1), Known::Heard, Presence::of_heard(now()));
        for host in 1..=MAX_PEERS_PER_IP + 100 {
            add(&mut table, at(2, host), Known::Heard, Presence::of_heard(now()));
        }
        assert_eq!(table.len(), MAX_PEERS_PER_IP + 1);
        assert!(table.peer(at(1, 1).into()).is_some());
        assert!(table.peer(at(2, 100).into()).is_none() && table.peer(at(2, 101).into()).is_some());
        assert!(table.sizes().fits());
    }

    #[test]
    fn a_number_is_given_once() {
        let mut table = Table::default();
        add(&mut table, addr(1), Known::Heard, Presence::of_heard(now()));
        add(&mut table, addr(2), Known::Heard, Presence::of_heard(now()));
        table.remove(addr(1).into());
        add(&mut table, addr(1), Known::Heard, Presence::of_heard(now()));
        let rows: Vec<_> = table.rows().map(|peer| (peer.number, peer.addr)).collect();
        assert_eq!(rows, [(2, addr(2)), (3, addr(1))]);
    }

    #[test]
    fn a_gone_peer_is_removed_after_ten_minutes_and_a_static_one_is_not() {
        let mut table = Table::default();
        add(&mut table, addr(1), Known::Static, Presence::of_static(now()));
        add(&mut table, addr(2), Known::Heard, Presence::of_heard(now()));
        for n in [1, 2] {
            table.update(addr(n).into(), |peer| peer.presence.left(OfflineReason::SaidGoodbye, now()));
            assert!(!table.is_outlived(addr(n).into(), now().plus(GONE_SHOWN - Duration::from_millis(1))));
        }
        assert!(!table.is_outlived(addr(1).into(), now().plus(GONE_SHOWN)));
        assert!(table.is_outlived(addr(2).into(), now().plus(GONE_SHOWN)));
    }
}
