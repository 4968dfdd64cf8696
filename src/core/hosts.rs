//! Host names: when each is resolved, what waits for that, and the addresses that it had last.
//!
//! A static peer that is given by name is resolved at the start, and again before each dial while
//! it is offline. Each address is then a static peer like one that is given by address.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::{Event, Output};
use super::ids::OpId;
use super::peers::MAX_STATIC_PEERS;
use super::presence::{LONGEST_BACKOFF, Probe};
use super::time::Time;
use super::trust::MAX_HINTS;
use super::{State, StaticPeer};
use crate::model::address::PeerAddr;
use crate::model::host::{HostAddr, LookupError};
use crate::model::peer_id::Recipient;

/// Addresses of one name at most: as many as a contact has.
pub(crate) const MAX_HOST_ADDRS: usize = MAX_HINTS;

/// How long a name is waited for. The system asks a name server again after 5 s, so one lost packet
/// does no harm.
pub(crate) const LOOKUP_WITHIN: Duration = Duration::from_secs(8);

/// A result that is not older serves the next dial, too: less than the time between two dials.
const FRESH_FOR: Duration = Duration::from_millis(500);

/// What is known of a name.
#[derive(Debug, Default)]
struct Host {
    /// The static peer, if it is one.
    peer: Option<StaticPeer>,
    /// What it resolved to last.
    addrs: Vec<PeerAddr>,
    /// It is being resolved, and waited for until then.
    deadline: Option<Time>,
    answered_at: Option<Time>,
    /// When to resolve it again if none of its addresses is due before.
    next: Option<Time>,
    /// Failures since it was resolved last.
    failures: u32,
    /// Commands that wait for it.
    ops: Vec<OpId>,
    /// Peers whose dial waits for it.
    dials: Vec<Recipient>,
}

/// The names of the static peers, and those that commands wait for.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    hosts: BTreeMap<HostAddr, Host>,
    /// The static peers that are given by address.
    fixed: BTreeSet<PeerAddr>,
}

/// What waited for a name, and the static peer that it stands for.
struct Waited {
    ops: Vec<OpId>,
    dials: Vec<Recipient>,
    peer: Option<StaticPeer>,
    /// The addresses that it had before.
    before: Vec<PeerAddr>,
    /// It is the first failure since the name was resolved.
    is_first_failure: bool,
}

impl Hosts {
    /// Records the names and addresses of a static peer.
    pub(super) fn configure(&mut self, peer: &StaticPeer) {
        self.fixed.extend(peer.addrs());
        for host in peer.hosts() {
            self.hosts.entry(host.clone()).or_default().peer = Some(peer.clone());
        }
    }

    pub(super) fn names(&self) -> BTreeSet<HostAddr> {
        self.hosts.keys().cloned().collect()
    }

    /// Whether a static peer is given by this address, or by a name that has it.
    fn has(&self, addr: PeerAddr) -> bool {
        self.fixed.contains(&addr) || self.hosts.values().any(|host| host.addrs.contains(&addr))
    }

    /// Waits for a name. Returns what is known of it, and whether it is not being resolved yet.
    fn ask(&mut self, name: &HostAddr, now: Time) -> (&mut Host, bool) {
        let host = self.hosts.entry(name.clone()).or_default();
        let is_new = host.deadline.is_none();
        if is_new {
            host.deadline = Some(now.plus(LOOKUP_WITHIN));
            host.next = None;
        }
        (host, is_new)
    }

    /// The names of a static peer at these addresses that were not resolved just now.
    fn stale_at(&self, addrs: &[PeerAddr], now: Time) -> Vec<HostAddr> {
        let is_fresh = |at: Time| now.since(at) <= FRESH_FOR;
        let is_stale = |host: &Host| {
            let is_there = host.addrs.iter().any(|addr| addrs.contains(addr));
            host.peer.is_some() && is_there && !host.answered_at.is_some_and(is_fresh)
        };
        let stale = self.hosts.iter().filter(|(_, host)| is_stale(host));
        stale.map(|(name, _)| name.clone()).collect()
    }

    /// A name was resolved, or not. Returns what waited for that; `None` if nothing does any more.
    fn answered(
        &mut self,
        name: &HostAddr,
        found: Result<&[PeerAddr], LookupError>,
        now: Time,
    ) -> Option<Waited> {
        let host = self.hosts.get_mut(name)?;
        if host.deadline.take().is_none() && found.is_err() {
            return None;
        }
        host.answered_at = Some(now);
        let waited = Waited {
            ops: std::mem::take(&mut host.ops),
            dials: std::mem::take(&mut host.dials),
            peer: host.peer.clone(),
            before: host.addrs.clone(),
            is_first_failure: found.is_err() && host.failures == 0,
        };
        match found {
            Ok(addrs) => (host.addrs, host.failures) = (addrs.to_vec(), 0),
            Err(_) => {
                let wait = Duration::from_secs(1 << host.failures.min(10)).min(LONGEST_BACKOFF);
                host.next = host.addrs.is_empty().then(|| now.plus(wait));
                host.failures = host.failures.saturating_add(1);
            }
        }
        if host.peer.is_none() {
            self.hosts.remove(name);
        }
        Some(waited)
    }

    /// None of the addresses of a name is dialed, so it is resolved again by itself.
    fn ask_later(&mut self, name: &HostAddr, now: Time) {
        if let Some(host) = self.hosts.get_mut(name) {
            host.next = Some(now.plus(LONGEST_BACKOFF));
        }
    }

    /// The machine has other addresses than before: names without an address are resolved now.
    pub(super) fn network_changed(&mut self, now: Time) {
        let next = self.hosts.values_mut().filter_map(|host| host.next.as_mut());
        next.for_each(|next| *next = now);
    }

    /// The names that are waited for no longer, and those to resolve again.
    fn due(&self, now: Time) -> (Vec<HostAddr>, Vec<HostAddr>) {
        let with = |at: fn(&Host) -> Option<Time>| {
            let is_due = |host: &Host| at(host).is_some_and(|at| at <= now);
            self.hosts.iter().filter(|(_, host)| is_due(host)).map(|(name, _)| name.clone()).collect()
        };
        (with(|host| host.deadline), with(|host| host.next))
    }

    pub(super) fn next_wake(&self) -> Option<Time> {
        self.hosts.values().flat_map(|host| [host.deadline, host.next]).flatten().min()
    }
}

impl State {
    /// Takes what a host name resolves to. A name without an address is an error.
    pub fn resolved(
        &mut self,
        name: HostAddr,
        found: Result<Vec<PeerAddr>, LookupError>,
        now: Time,
    ) -> Vec<Output> {
        if !self.leaving {
            self.take_answer(&name, found, now);
            self.settle_watches(now);
        }
        self.done()
    }

    /// Gives up the names that have not been resolved in time, and resolves others again.
    pub(super) fn look_up_due(&mut self, now: Time) {
        let (overdue, again) = self.hosts.due(now);
        overdue.iter().for_each(|name| self.take_answer(name, Err(LookupError::TimedOut), now));
        again.iter().for_each(|name| self.look_up(name, now));
    }

    pub(super) fn look_up(&mut self, name: &HostAddr, now: Time) {
        if self.hosts.ask(name, now).1 {
            self.act(Output::Resolve(name.clone()));
        }
    }

    /// Resolves a name, and then connects to its addresses.
    pub(super) fn connect_to_host(&mut self, name: &HostAddr, now: Time) -> OpId {
        let op = self.operations.connect_to_host();
        self.look_up(name, now);
        self.hosts.ask(name, now).0.ops.push(op);
        op
    }

    /// Resolves the names of an offline static peer before it is dialed.
    ///
    /// # Errors
    /// When to dial it, at the latest.
    pub(super) fn look_up_for_probe(&mut self, id: Recipient, now: Time) -> Result<(), Time> {
        if self.peers.is_online(id) {
            return Ok(());
        }
        let addrs = match id.public_key() {
            Some(key) => self.book().addrs_of(key),
            None => self.peers.addr(id).into_iter().collect(),
        };
        let stale = self.hosts.stale_at(&addrs, now);
        for name in &stale {
            self.look_up(name, now);
            self.hosts.ask(name, now).0.dials.push(id);
        }
        if stale.is_empty() { Ok(()) } else { Err(now.plus(LOOKUP_WITHIN)) }
    }

    fn take_answer(&mut self, name: &HostAddr, found: Result<Vec<PeerAddr>, LookupError>, now: Time) {
        let mut addrs = Vec::new();
        for addr in found.as_deref().unwrap_or_default() {
            if addrs.len() < MAX_HOST_ADDRS && !addrs.contains(addr) {
                addrs.push(*addr);
            }
        }
        let found = match found {
            Ok(_) if addrs.is_empty() => Err(LookupError::NotFound),
            Ok(_) => Ok(&addrs[..]),
            Err(why) => Err(why),
        };
        let Some(waited) = self.hosts.answered(name, found, now) else { return };
        let mut ids = Vec::new();
        match found {
            Ok(addrs) => {
                if let Some(peer) = waited.peer {
                    ids = self.name_is_at(name, &peer, &waited.before, addrs, now);
                }
                waited.ops.iter().for_each(|op| self.connect_at(*op, addrs));
            }
            Err(why) => {
                for &op in &waited.ops {
                    self.tell(Event::NotFound { host: name.clone(), why, op: Some(op) });
                    self.operations.found(op, 0);
                    self.settle(op);
                }
                if waited.is_first_failure && waited.ops.is_empty() {
                    self.tell(Event::NotFound { host: name.clone(), why, op: None });
                }
            }
        }
        self.operations.resolved(name, &ids);
        // Those that have an address still are dialed now.
        waited.dials.into_iter().for_each(|id| self.peers.probe_later(id, now));
    }

    /// A static peer that is given by name is at these addresses. Returns those that are dialed for
    /// the first time. An address that the name has no more is not dialed for its sake.
    fn name_is_at(
        &mut self,
        name: &HostAddr,
        peer: &StaticPeer,
        before: &[PeerAddr],
        addrs: &[PeerAddr],
        now: Time,
    ) -> Vec<Recipient> {
        let new = addrs.iter().filter(|addr| !before.contains(addr));
        let also: Vec<PeerAddr> = peer.addrs().chain(addrs.iter().copied()).collect();
        let mut ids = Vec::new();
        for &addr in new {
            if self.peers.count_static().0 >= MAX_STATIC_PEERS {
                break;
            }
            if let Some(key) = peer.key.filter(|_| !peer.for_run && !self.own_addrs.contains(addr)) {
                self.trust.give_addr(key, addr);
            }
            let id = self.configure_at(addr, peer, &also, None, now);
            ids.extend(id.filter(|id| !ids.contains(id)));
        }
        for &addr in before.iter().filter(|addr| !addrs.contains(addr)) {
            let id = self.peers.plain_id(addr);
            if !self.hosts.has(addr) && !self.peers.is_online(id) {
                self.peers.is_not_configured(id);
                self.for_run.remove(&addr);
            }
        }
        for id in &ids {
            if !self.peers.has_session(*id) {
                self.probe(*id, Probe::Connect, None, now);
            }
        }
        if before.is_empty() && ids.is_empty() {
            self.hosts.ask_later(name, now);
        }
        ids
    }

    /// Connects to the addresses of a name, for a command. Our own are left out if there are
    /// others.
    fn connect_at(&mut self, op: OpId, addrs: &[PeerAddr]) {
        let mut others: Vec<PeerAddr> =
            addrs.iter().copied().filter(|addr| !self.own_addrs.contains(*addr)).collect();
        if others.is_empty() {
            others.extend(addrs.first());
        }
        self.operations.found(op, others.len());
        self.connect_for(op, others.into_iter().map(Recipient::Address).collect());
    }
}
