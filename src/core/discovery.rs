//! Peers that announce themselves on the local network. An announcement is a hint: the address is
//! dialed with the announced key expected, and everything else follows from that session.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::State;
use super::event::{Event, Output};
use super::jobs::Purpose;
use super::peers::MAX_PEERS;
use super::presence::{LONGEST_BACKOFF, Probe, backoff};
use super::time::Time;
use super::trust::{MAX_CONTACTS, MAX_HINTS, Policy};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{Request, RequestEnd};

/// The maximum number of announced addresses dialed at a time. It bounds what forged announcements
/// can cause.
const MAX_DIALING: usize = 32;

/// The maximum number of discovered strangers that have a session at a time. It is more than a
/// group of people who know each other.
const MAX_DISCOVERED_STRANGERS: usize = 64;

/// The maximum number of remembered announcements: as many as the table has rows for strangers.
const MAX_DISCOVERED: usize = MAX_PEERS - MAX_CONTACTS;

/// How long after its announcement the user is told about a stranger that is not connected
/// automatically. If it dials us meanwhile, they read that instead, with what they can do about it.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// The maximum number of strangers that the user is told about by name at a time. Further ones are
/// counted, so that a flood of announcements does not fill the screen.
const MAX_NAMED: usize = 3;

/// The maximum number of further dials to a peer that does not answer after its announcement. A
/// network that is full for a moment loses the first.
const MAX_RETRIES: u32 = 5;

/// Who can discover us on the local network, and who is connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DiscoveryMode {
    /// Everybody.
    On,
    /// Those who know our key; only contacts are connected.
    Contacts,
    /// No one: we neither announce ourselves nor look for others.
    #[default]
    Off,
}

/// A peer that announces itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The announced key, which is not proven.
    pub key: PublicKey,
    /// The announced name.
    pub name: Option<PeerName>,
    /// The announced addresses that are in a subnet of this machine.
    pub addrs: Vec<PeerAddr>,
}

/// What is known about a discovered peer.
#[derive(Debug, Default)]
struct Hint {
    name: Option<PeerName>,
    /// The latest first; at most [`MAX_HINTS`]. None if it is no longer announced.
    addrs: Vec<PeerAddr>,
    /// The position in the order of announcements.
    number: u64,
    dial: Dial,
    /// The dials in a row that did not reach it.
    backoff: Backoff,
    /// When the user is told about it.
    tell_at: Option<Time>,
    /// The user was told about it.
    is_told: bool,
}

impl Hint {
    fn is_announced(&self) -> bool {
        !self.addrs.is_empty()
    }

    /// The announcement has ended. If the key is announced again, it is not dialed sooner for that,
    /// and the user is not told again.
    fn ends(&mut self) {
        let Self { number, backoff, is_told, .. } = *self;
        *self = Self { number, backoff, is_told, ..Self::default() };
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Dial {
    /// It waits to be dialed, not before this time if there is one.
    Waits(Option<Time>),
    UnderWay,
    /// It was dialed, has a session, or is not announced.
    #[default]
    Done,
}

/// The growing intervals between things that forged announcements can cause: 1, 2, 4 s and so on,
/// up to [`LONGEST_BACKOFF`].
#[derive(Clone, Copy, Debug, Default)]
struct Backoff {
    count: u32,
    /// When the next one may happen.
    free_at: Time,
}

impl Backoff {
    /// One more has happened.
    fn count(&mut self, now: Time) {
        self.free_at = now.plus(backoff(self.count, LONGEST_BACKOFF));
        self.count = self.count.saturating_add(1);
    }

    /// Starts anew if the next one could have happened [`LONGEST_BACKOFF`] ago already.
    fn forget_old(&mut self, now: Time) {
        if self.free_at.plus(LONGEST_BACKOFF) <= now {
            *self = Self::default();
        }
    }
}

/// The discovered peers.
#[derive(Debug)]
pub(super) struct Announcements {
    mode: DiscoveryMode,
    hints: BTreeMap<PublicKey, Hint>,
    last_number: u64,
    /// The lines about strangers.
    lines: Backoff,
}

impl Announcements {
    pub(super) fn new(mode: DiscoveryMode) -> Self {
        Self { mode, hints: BTreeMap::new(), last_number: 0, lines: Backoff::default() }
    }

    pub(super) fn addrs(&self, key: PublicKey) -> &[PeerAddr] {
        self.hints.get(&key).map_or(&[], |hint| &hint.addrs)
    }

    /// Returns the addresses of a key to dial. Link-local ones are used only if there are no
    /// others, because the dialed address is shown to the user.
    fn addrs_to_dial(&self, key: PublicKey) -> Vec<PeerAddr> {
        let addrs = self.addrs(key);
        let others: Vec<PeerAddr> = addrs.iter().copied().filter(|addr| !addr.is_local()).collect();
        if others.is_empty() { addrs.to_vec() } else { others }
    }

    pub(super) fn name(&self, key: PublicKey) -> Option<&PeerName> {
        self.hints.get(&key)?.name.as_ref()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = PublicKey> {
        self.hints.iter().filter(|(_, hint)| hint.is_announced()).map(|(key, _)| *key)
    }

    pub(super) fn knows(&self, key: PublicKey) -> bool {
        self.hints.get(&key).is_some_and(Hint::is_announced)
    }

    /// Returns when the next waiting peer may be dialed, or the user is told about one.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let times = self.hints.values().flat_map(|hint| {
            let dial = match hint.dial {
                Dial::Waits(at) => at,
                Dial::UnderWay | Dial::Done => None,
            };
            [dial, hint.tell_at.map(|at| at.max(self.lines.free_at))]
        });
        times.flatten().min()
    }

    /// Handles the end of a dial, in which the key has proven itself or not. A peer that did not
    /// answer is dialed again.
    pub(super) fn dialed(&mut self, key: PublicKey, is_proven: bool, end: &RequestEnd, now: Time) {
        let Some(hint) = self.hints.get_mut(&key) else { return };
        match is_proven {
            true => hint.backoff = Backoff::default(),
            false => hint.backoff.count(now),
        }
        let is_silent = !is_proven && matches!(end, RequestEnd::Unreachable(_) | RequestEnd::Broken);
        let is_retried = is_silent && hint.backoff.count <= MAX_RETRIES && hint.is_announced();
        hint.dial = if is_retried { Dial::Waits(Some(hint.backoff.free_at)) } else { Dial::Done };
    }

    /// Returns whether the user was told about this key, or about the same address if neither
    /// announcement has a name.
    fn is_told(&self, key: PublicKey) -> bool {
        let Some(hint) = self.hints.get(&key) else { return false };
        let is_same = |other: &Hint| other.name.is_none() && other.addrs.first() == hint.addrs.first();
        hint.is_told || hint.name.is_none() && self.hints.values().any(|one| one.is_told && is_same(one))
    }

    /// Returns the keys that the user is to be told about now, the first announced one first.
    fn take_due(&mut self, now: Time) -> Vec<PublicKey> {
        if self.lines.free_at > now {
            return Vec::new();
        }
        let hints = self.hints.iter_mut();
        let due = hints
            .filter_map(|(key, hint)| hint.tell_at.take_if(|at| *at <= now).map(|_| (hint.number, *key)));
        let mut due: Vec<(u64, PublicKey)> = due.collect();
        due.sort_unstable();
        due.into_iter().map(|(_, key)| key).collect()
    }

    fn dialing(&self) -> usize {
        self.hints.values().filter(|hint| hint.dial == Dial::UnderWay).count()
    }

    /// Remembers an announcement. If there is no room, it forgets one that has ended, or else the
    /// oldest one that `may_go`.
    fn add(&mut self, found: Found, may_go: impl Fn(PublicKey) -> bool, now: Time) {
        let Found { key, name, mut addrs } = found;
        if !self.hints.contains_key(&key) && self.hints.len() >= MAX_DISCOVERED {
            let is_free = |key, hint: &Hint| hint.dial != Dial::UnderWay && may_go(key);
            let others = self.hints.iter().filter(|(key, hint)| !hint.is_announced() || is_free(**key, hint));
            let oldest = others.min_by_key(|(_, hint)| (hint.is_announced(), hint.number));
            let Some(oldest) = oldest.map(|(key, _)| *key) else { return };
            self.hints.remove(&oldest);
        }
        self.last_number += 1;
        let hint = self.hints.entry(key).or_default();
        hint.number = self.last_number;
        hint.name = name.or_else(|| hint.name.take());
        // A forged announcement must not replace the addresses of the true one.
        addrs.append(&mut hint.addrs);
        let mut seen = BTreeSet::new();
        addrs.retain(|addr| seen.insert(*addr));
        addrs.truncate(MAX_HINTS);
        hint.addrs = addrs;
        hint.backoff.forget_old(now);
        if hint.dial != Dial::UnderWay {
            hint.dial = Dial::Waits(None);
        }
    }
}

impl State {
    /// Handles a peer that announces itself on the local network.
    pub fn discovered(&mut self, mut found: Found, now: Time) -> Vec<Output> {
        let key = found.key;
        found.addrs.retain(|addr| !self.own_addrs.contains(*addr));
        let is_blocked = self.trust.pin(key).is_some_and(|pin| pin.blocked);
        let is_used = self.discovery.mode != DiscoveryMode::Off && !self.closed && !self.leaving;
        if !is_used || key == self.trust.me() || is_blocked || found.addrs.is_empty() {
            return self.done();
        }
        let id = Recipient::key(key);
        let has_moved = self.peers.addr(id).is_some_and(|addr| !found.addrs.contains(&addr));
        let (trust, peers) = (&self.trust, &self.peers);
        let may_go =
            |key| !trust.pin(key).is_some_and(|pin| pin.contact) && !peers.has_session(Recipient::key(key));
        self.discovery.add(found, may_go, now);
        self.peers.mark_on_lan(id);
        if has_moved {
            // The session may be to an address that the peer has lost.
            self.ping(id, now);
        }
        if self.is_to_be_told(key)
            && let Some(hint) = self.discovery.hints.get_mut(&key)
        {
            hint.tell_at.get_or_insert(now.plus(TELL_AFTER));
        }
        self.dial_discovered(now);
        self.done()
    }

    /// Handles the end of an announcement, which may only have been lost. A ping shows whether the
    /// peer is still there.
    pub fn undiscovered(&mut self, key: PublicKey, now: Time) -> Vec<Output> {
        if let Some(hint) = self.discovery.hints.get_mut(&key) {
            hint.ends();
        }
        if !self.closed && !self.leaving {
            self.ping(Recipient::key(key), now);
        }
        self.dial_discovered(now);
        self.done()
    }

    /// Pings a peer that has a session, if there is room for that.
    fn ping(&mut self, id: Recipient, now: Time) {
        let has_room = self.peers.addr(id).is_some_and(|addr| self.probe_limiter.has_room(addr.share()));
        if self.peers.has_session(id) && has_room {
            self.probe(id, Probe::Dial, None, now);
        }
    }

    /// Returns who can discover us.
    pub fn discovery_mode(&self) -> DiscoveryMode {
        self.discovery.mode
    }

    /// Changes who can discover us. Forgets all announcements; current ones arrive again.
    pub fn set_discovery_mode(&mut self, mode: DiscoveryMode) {
        self.discovery.mode = mode;
        for hint in self.discovery.hints.values_mut() {
            hint.ends();
            hint.backoff = Backoff::default();
        }
    }

    /// Whether the user is still to be told about an announced key: once in a run, about a stranger
    /// that is not connected automatically, unless they have read of it in another line.
    fn is_to_be_told(&self, key: PublicKey) -> bool {
        let (id, peer) = (Recipient::key(key), PeerId::Key(key));
        let is_listed = self.peers.knows(id) || self.book().is_contact(id);
        self.trust.policy() != Policy::AcceptNew
            && !is_listed
            && !self.trust.is_requested(peer)
            && !self.trust.is_refused(peer)
            && !self.discovery.is_told(key)
    }

    /// Tells the user about the strangers that announced themselves a moment ago, after growing
    /// intervals if there are ever more.
    pub(super) fn tell_discovered(&mut self, now: Time) {
        let (mut first, mut more) = (Vec::new(), 0);
        for key in self.discovery.take_due(now) {
            if !self.is_to_be_told(key) {
                continue;
            }
            if let Some(hint) = self.discovery.hints.get_mut(&key) {
                hint.is_told = true;
            }
            match first.len() {
                0..MAX_NAMED => first.push(self.book().who(Recipient::key(key))),
                _ => more += 1,
            }
        }
        if !first.is_empty() {
            self.discovery.lines.forget_old(now);
            self.discovery.lines.count(now);
            self.tell(Event::OnNetwork { first, more });
        }
    }

    /// Dials the announced addresses of peers that may be dialed, as far as there is room.
    pub(super) fn dial_discovered(&mut self, now: Time) {
        if self.discovery.hints.is_empty() || self.closed || self.leaving {
            return;
        }
        for hint in self.discovery.hints.values_mut() {
            if matches!(hint.dial, Dial::Waits(Some(at)) if at <= now) {
                hint.dial = Dial::Waits(None);
            }
        }
        while self.discovery.dialing() < MAX_DIALING {
            let Some((key, is_contact)) = self.next_discovered() else { break };
            let addrs = self.discovery.addrs_to_dial(key);
            let Some(hint) = self.discovery.hints.get_mut(&key) else { break };
            let spacing = match hint.backoff.free_at {
                free_at if free_at > now => Err(free_at),
                _ if is_contact => Ok(()),
                _ => self.probe_limiter.dial_stranger(&addrs, now),
            };
            hint.dial = spacing.map_or_else(|at| Dial::Waits(Some(at)), |()| Dial::UnderWay);
            if spacing.is_ok() {
                let id = Recipient::key(key);
                self.request_at(id, addrs, Some(key), Purpose::Discovered, Request::Open, None);
            }
        }
    }

    /// Returns the peer to dial next, contacts first, and whether it is a contact.
    fn next_discovered(&self) -> Option<(PublicKey, bool)> {
        let is_stranger = |key: &PublicKey| !self.book().is_contact(Recipient::key(*key));
        let connects_strangers =
            self.discovery.mode == DiscoveryMode::On && self.trust.policy() == Policy::AcceptNew;
        let is_connected = |(key, hint): &(&PublicKey, &Hint)| {
            hint.dial == Dial::UnderWay || self.peers.has_session(Recipient::key(**key))
        };
        let waiting = || self.discovery.hints.iter().filter(|(_, hint)| hint.dial == Dial::Waits(None));
        let is_dialed = |key: PublicKey| {
            let id = Recipient::key(key);
            let is_blocked = self.trust.pin(key).is_some_and(|pin| pin.blocked);
            !is_blocked
                && !self.peers.has_session(id)
                && !self.peers.is_disconnected(id)
                && !self.trust.is_requested(PeerId::Key(key))
        };
        let of = |stranger: bool| {
            let fits = waiting().filter(|(key, _)| is_dialed(**key) && is_stranger(key) == stranger);
            fits.min_by_key(|(_, hint)| hint.number).map(|(key, _)| *key)
        };
        if let Some(contact) = of(false) {
            return Some((contact, true));
        }
        let stranger = of(true).filter(|_| connects_strangers)?;
        let strangers = self.discovery.hints.iter().filter(|(key, _)| is_stranger(key));
        (strangers.filter(is_connected).count() < MAX_DISCOVERED_STRANGERS).then_some((stranger, false))
    }
}
