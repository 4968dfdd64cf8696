//! The peer table: who is known, under which number, and who makes room for whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv6Addr;
use std::time::Duration;

use super::checks::Place;
use super::event::Proof;
use super::life::{Check, Life, PROBE_INTERVAL, State, Why};
use super::time::Time;
use crate::model::address::{Claimed, PeerAddr, Source, SourcePrefix};
use crate::model::key::PublicKey;
use crate::model::message::{Form, Speech};
use crate::model::name::PeerName;
use crate::model::session::ByeReason;

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
    pub(super) addr: PeerAddr,
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
    /// How it is spoken to.
    pub(super) speech: Speech,
    /// The key that its receipt has promised, until it is proven or shown to be false: nothing is said to it in plain meanwhile.
    pub(super) promised: Option<PublicKey>,
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
    pub(super) life: Life,
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
    /// It is among those that [`Table::here`] counts.
    counted: bool,
}

/// Who goes first when the table is full; among equals, whoever has had the rank longest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    Claimed,
    Gone,
    There,
}

impl Peer {
    /// Whether the user would say that it is there.
    pub(super) fn is_there(&self) -> bool {
        self.life.state() != State::Gone
    }

    /// How sure it is that it is who it is named as.
    pub(super) fn proof(&self) -> Proof {
        match self.speech {
            Speech::Secure(_) if self.verified => Proof::Verified,
            Speech::Secure(_) => Proof::Encrypted,
            Speech::Unknown => Proof::Unknown,
            Speech::Plain => Proof::Plain,
        }
    }

    fn rank(&self) -> Option<Rank> {
        if self.known == Known::Static || self.texts_waiting > 0 {
            return None;
        }
        Some(if !self.life.is_proven() {
            Rank::Claimed
        } else if self.is_there() {
            Rank::There
        } else {
            Rank::Gone
        })
    }

    fn removal(&self) -> Option<Time> {
        let (since, _) = self.life.gone()?;
        (self.known != Known::Static && self.texts_waiting == 0).then(|| since.plus(GONE_SHOWN))
    }

    /// When and how to look for it next. An acknowledgement under way shows as much as a look would.
    pub(super) fn next_check(&self, interval: Duration) -> Option<(Time, Check)> {
        if self.acking { None } else { self.life.next_check(interval) }
    }

    fn wake(&self, interval: Duration) -> Option<Time> {
        let check = self.next_check(interval).map(|(at, _)| at);
        // Who waits for a turn is woken by it.
        let dialled = [check, self.ack_due].into_iter().filter(|_| self.place.is_none());
        dialled.chain([self.removal(), self.tell_at]).flatten().min()
    }
}

/// The table and its indexes: who has something due when, and who may be evicted in which order.
#[derive(Debug, Default)]
pub(super) struct Table {
    peers: HashMap<PeerAddr, Peer>,
    numbers: BTreeMap<u32, PeerAddr>,
    schedule: BTreeSet<(Time, PeerAddr)>,
    evictable: BTreeSet<(Rank, u64, PeerAddr)>,
    /// The same by share.
    evictable_of: BTreeSet<(SourcePrefix, Rank, u64, PeerAddr)>,
    per_ip: HashMap<SourcePrefix, usize>,
    by_key: HashMap<PublicKey, PeerAddr>,
    /// We can speak in encryption, so it is not known yet how a new row is spoken to; else it is in plain.
    pub(super) keyed: bool,
    next_number: u32,
    changes: u64,
    here: usize,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// How many are there.
    pub(super) fn here(&self) -> usize {
        self.here
    }

    pub(super) fn peer(&self, addr: PeerAddr) -> Option<&Peer> {
        self.peers.get(&addr)
    }

    /// Where the peer listens that speaks from `addr`, if it was found elsewhere since somebody chose it by that address.
    pub(super) fn listens_at(&self, addr: PeerAddr) -> PeerAddr {
        if self.peers.contains_key(&addr) || !addr.ip().is_loopback() {
            return addr;
        }
        let speaks = Some(addr.source());
        let there = |peer: &&Peer| peer.speaks_from == speaks && peer.addr.port() == addr.port();
        self.rows().find(there).map_or(addr, |peer| peer.addr)
    }

    /// All rows in the order of their numbers.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Peer> {
        self.numbers.values().filter_map(|addr| self.peers.get(addr))
    }

    /// Changes a row, and keeps the indexes true.
    pub(super) fn update<T>(&mut self, addr: PeerAddr, change: impl FnOnce(&mut Peer) -> T) -> Option<T> {
        let interval = self.interval();
        let peer = self.peers.get_mut(&addr)?;
        let result = change(peer);
        let wake = peer.wake(interval);
        // A row that wakes too early only looks again; so a sign of life, which moves the next look back, costs nothing.
        let keep = peer.wake.is_some_and(|old| wake.is_some_and(|new| old <= new));
        if !keep && wake != peer.wake {
            if let Some(old) = peer.wake {
                self.schedule.remove(&(old, addr));
            }
            if let Some(new) = wake {
                self.schedule.insert((new, addr));
            }
            peer.wake = wake;
        }
        let is_there = peer.is_there();
        if is_there != std::mem::replace(&mut peer.counted, is_there) {
            self.here = if is_there { self.here + 1 } else { self.here - 1 };
        }
        let rank = peer.rank();
        if rank != peer.rank.map(|(rank, _)| rank) {
            if let Some((rank, since)) = peer.rank.take() {
                self.evictable.remove(&(rank, since, addr));
                self.evictable_of.remove(&(addr.share(), rank, since, addr));
            }
            if let Some(rank) = rank {
                self.changes += 1;
                peer.rank = Some((rank, self.changes));
                self.evictable.insert((rank, self.changes, addr));
                self.evictable_of.insert((addr.share(), rank, self.changes, addr));
            }
        }
        Some(result)
    }

    /// Adds a row; a full table makes room first, and if nobody may go, the row is not added.
    pub(super) fn add(&mut self, addr: PeerAddr, known: Known, life: Life) -> bool {
        if self.peers.contains_key(&addr) {
            return true;
        }
        let of_ip = self.per_ip.get(&addr.share()).copied().unwrap_or(0);
        let first = if of_ip >= MAX_PEERS_PER_IP && !addr.ip().is_loopback() {
            self.first_of(addr.share())
        } else if self.peers.len() >= MAX_PEERS {
            self.evictable.first().map(|&(.., first)| first)
        } else {
            Some(addr)
        };
        match first {
            None => return false,
            Some(first) => drop(self.remove(first)),
        }
        self.next_number += 1;
        let peer = Peer {
            number: self.next_number,
            addr,
            claimed: None,
            speaks_from: None,
            name: None,
            known,
            form: Form::default(),
            also: Box::default(),
            speech: if self.keyed { Speech::Unknown } else { Speech::Plain },
            promised: None,
            verified: false,
            turned_away: None,
            configured_form: Form::default(),
            wants_ping: false,
            gives_receipts: false,
            shook_hands: false,
            life,
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
            counted: false,
        };
        self.insert(peer);
        true
    }

    /// The row that goes first of those that have `share` together.
    fn first_of(&self, share: SourcePrefix) -> Option<PeerAddr> {
        let lowest = PeerAddr::new(Ipv6Addr::LOCALHOST, 1)?;
        let from_there_on = self.evictable_of.range((share, Rank::Claimed, 0, lowest)..).next();
        from_there_on.filter(|first| first.0 == share).map(|&(.., addr)| addr)
    }

    fn insert(&mut self, peer: Peer) {
        let addr = peer.addr;
        *self.per_ip.entry(addr.share()).or_default() += 1;
        self.numbers.insert(peer.number, addr);
        if let Speech::Secure(key) = peer.speech {
            self.by_key.insert(key, addr);
        }
        self.peers.insert(addr, peer);
        self.update(addr, |_| ());
    }

    pub(super) fn remove(&mut self, addr: PeerAddr) -> Option<Peer> {
        let peer = self.peers.remove(&addr)?;
        self.numbers.remove(&peer.number);
        if let Speech::Secure(key) = peer.speech {
            self.by_key.remove(&key);
        }
        self.here -= usize::from(peer.counted);
        if let Some(wake) = peer.wake {
            self.schedule.remove(&(wake, addr));
        }
        if let Some((rank, since)) = peer.rank {
            self.evictable.remove(&(rank, since, addr));
            self.evictable_of.remove(&(addr.share(), rank, since, addr));
        }
        if let Some(count) = self.per_ip.get_mut(&addr.share()) {
            *count -= 1;
            if *count == 0 {
                self.per_ip.remove(&addr.share());
            }
        }
        Some(peer)
    }

    /// The row of who holds a key.
    pub(super) fn row_of(&self, key: PublicKey) -> Option<PeerAddr> {
        self.by_key.get(&key).copied()
    }

    /// Notes how a peer is spoken to. Nobody else's row is known by its key then.
    pub(super) fn speak(&mut self, addr: PeerAddr, speech: Speech, verified: bool) {
        let Some(peer) = self.peers.get_mut(&addr) else { return };
        let before = std::mem::replace(&mut peer.speech, speech);
        peer.verified = verified;
        if let Speech::Secure(key) = before {
            self.by_key.remove(&key);
        }
        if let Speech::Secure(key) = speech
            && let Some(other) = self.by_key.insert(key, addr).filter(|other| *other != addr)
            && let Some(other) = self.peers.get_mut(&other)
        {
            other.speech = Speech::Unknown;
        }
    }

    /// Gives a row another address, under which nobody is known yet.
    pub(super) fn rekey(&mut self, from: PeerAddr, to: PeerAddr) -> bool {
        if self.peers.contains_key(&to) {
            return false;
        }
        let Some(mut peer) = self.remove(from) else {
            return false;
        };
        peer.addr = to;
        peer.claimed = peer.claimed.filter(|claimed| claimed.ip != to.ip());
        peer.place = None;
        peer.wake = None;
        peer.rank = None;
        peer.counted = false;
        self.insert(peer);
        true
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
    pub(super) fn take_due(&mut self, now: Time) -> Option<PeerAddr> {
        let &(at, addr) = self.schedule.first()?;
        if at > now {
            return None;
        }
        self.schedule.remove(&(at, addr));
        if let Some(peer) = self.peers.get_mut(&addr) {
            peer.wake = None;
        }
        Some(addr)
    }

    /// Whether a row that is gone has been shown as such for long enough.
    pub(super) fn is_outlived(&self, addr: PeerAddr, now: Time) -> bool {
        let peer = self.peers.get(&addr);
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
    by_key: usize,
}

#[cfg(test)]
impl Sizes {
    /// Whether no index holds more than there are rows.
    pub(super) fn fits(&self) -> bool {
        self.numbers == self.peers
            && self.evictable == self.evictable_of
            && [self.schedule, self.evictable, self.per_ip, self.by_key]
                .iter()
                .all(|size| *size <= self.peers)
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
            by_key: self.by_key.len(),
        }
    }
}

/// A row as the user sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The number that it is chosen by: given once, never given to another.
    pub number: u32,
    /// What it calls itself, if it has said so or peers.toml does.
    pub name: Option<PeerName>,
    /// Where it is dialled.
    pub addr: PeerAddr,
    /// What its header says, where that is not its address.
    pub claimed: Option<Claimed>,
    /// How it is spoken to.
    pub speech: Speech,
    /// How sure it is that it is who it is named as.
    pub proof: Proof,
    /// Whether it is there.
    pub state: State,
    /// Why it is gone, if it is.
    pub why: Option<Why>,
    /// How it came to be known.
    pub known: Known,
    /// How long ago something came from it, if anything did.
    pub last_heard: Option<Duration>,
}

impl Row {
    pub(super) fn of(peer: &Peer, now: Time) -> Self {
        Self {
            number: peer.number,
            name: peer.name.clone(),
            addr: peer.addr,
            claimed: peer.claimed,
            speech: peer.speech,
            proof: peer.proof(),
            state: peer.life.state(),
            why: peer.life.gone().map(|(_, why)| why),
            known: peer.known,
            last_heard: peer.last_heard.map(|at| now.since(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::chat::life::Evidence;

    fn addr(n: usize) -> PeerAddr {
        let n = u32::try_from(n).unwrap();
        PeerAddr::new(Ipv4Addr::from_bits(0x7f00_0001 + n), 5000).unwrap()
    }

    fn now() -> Time {
        Time::default()
    }

    #[test]
    fn a_full_table_evicts_the_oldest_claim_first_and_a_static_peer_never() {
        let mut table = Table::default();
        table.add(addr(0), Known::Static, Life::of_static(now()));
        for n in 1..MAX_PEERS {
            table.add(addr(n), Known::Heard, Life::of_heard(now()));
        }
        for n in 1..MAX_PEERS {
            if n != 7 && n != 9 {
                table.update(addr(n), |peer| peer.life.answered(Evidence::Probe, now()));
            }
        }
        for (newcomer, evicted) in [(1, 7), (2, 9)] {
            assert!(table.add(addr(MAX_PEERS + newcomer), Known::Heard, Life::of_heard(now())));
            table.update(addr(MAX_PEERS + newcomer), |peer| peer.life.answered(Evidence::Probe, now()));
            assert_eq!(table.len(), MAX_PEERS);
            assert!(table.peer(addr(evicted)).is_none());
        }
        // Nobody is a mere claim any more: then those go that are gone, then the oldest.
        table.update(addr(5), |peer| peer.life.parted(Why::SaidExit, now()));
        for (newcomer, evicted) in [(3, 5), (4, 1)] {
            assert!(table.add(addr(MAX_PEERS + newcomer), Known::Heard, Life::of_heard(now())));
            table.update(addr(MAX_PEERS + newcomer), |peer| peer.life.answered(Evidence::Probe, now()));
            assert!(table.peer(addr(evicted)).is_none());
        }
        assert!(table.peer(addr(0)).is_some());
    }

    #[test]
    fn one_machine_drives_nobody_else_out() {
        let mut table = Table::default();
        let ip = |last| Ipv4Addr::new(10, 0, 0, last);
        let at = |last, port| PeerAddr::new(ip(last), port).unwrap();
        table.add(at(1, 5000), Known::Heard, Life::of_heard(now()));
        for port in 1..=u16::try_from(MAX_PEERS_PER_IP + 100).unwrap() {
            table.add(at(2, port), Known::Heard, Life::of_heard(now()));
            table.update(at(2, port), |peer| peer.life.answered(Evidence::Probe, now()));
        }
        assert_eq!(table.len(), MAX_PEERS_PER_IP + 1);
        assert!(table.peer(at(1, 5000)).is_some());
        assert!(table.peer(at(2, 100)).is_none() && table.peer(at(2, 101)).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_as_one_machine() {
        let mut table = Table::default();
        let at = |network: u16, host: usize| {
            let ip =
                std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, u16::try_from(host).unwrap());
            PeerAddr::new(ip, 5000).unwrap()
        };
        table.add(at(1, 1), Known::Heard, Life::of_heard(now()));
        for host in 1..=MAX_PEERS_PER_IP + 100 {
            table.add(at(2, host), Known::Heard, Life::of_heard(now()));
        }
        assert_eq!(table.len(), MAX_PEERS_PER_IP + 1);
        assert!(table.peer(at(1, 1)).is_some());
        assert!(table.peer(at(2, 100)).is_none() && table.peer(at(2, 101)).is_some());
        assert!(table.sizes().fits());
    }

    #[test]
    fn a_number_is_given_once() {
        let mut table = Table::default();
        table.add(addr(1), Known::Heard, Life::of_heard(now()));
        table.add(addr(2), Known::Heard, Life::of_heard(now()));
        table.remove(addr(1));
        table.add(addr(1), Known::Heard, Life::of_heard(now()));
        let rows: Vec<_> = table.rows().map(|peer| (peer.number, peer.addr)).collect();
        assert_eq!(rows, [(2, addr(2)), (3, addr(1))]);
    }

    #[test]
    fn a_gone_peer_is_removed_after_ten_minutes_and_a_static_one_is_not() {
        let mut table = Table::default();
        table.add(addr(1), Known::Static, Life::of_static(now()));
        table.add(addr(2), Known::Heard, Life::of_heard(now()));
        for n in [1, 2] {
            table.update(addr(n), |peer| peer.life.parted(Why::SaidExit, now()));
            assert!(!table.is_outlived(addr(n), now().plus(GONE_SHOWN - Duration::from_millis(1))));
        }
        assert!(!table.is_outlived(addr(1), now().plus(GONE_SHOWN)));
        assert!(table.is_outlived(addr(2), now().plus(GONE_SHOWN)));
    }
}
