//! The world: machines, a virtual clock, and a network that delays, loses, refuses and breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use p2p_chat::core::JobId;
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::host::{HostAddr, LookupError};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::{Capability, MessageId, SendResult};
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::session::RequestEnd;

use super::keyed::Typed;
use super::ours::Cause;
use super::peer::{Pid, Process, Program};
use super::plan::Plan;
use super::prompt::Prompt;
use super::random::{Random, Trace};
use super::wires::{Wire, WireEnd};

/// A message, or a part of one, that a peer of ours has sent unencrypted.
#[derive(Default)]
pub(super) struct Said {
    /// The addresses that it goes to.
    pub(super) to: BTreeSet<PeerAddr>,
    /// How often each program showed it.
    pub(super) shown: BTreeMap<Pid, usize>,
    /// The requests that it was shown for.
    pub(super) shown_for: BTreeSet<JobId>,
    /// The message that it belongs to.
    pub(super) message: Option<MessageId>,
    /// The recipients for which a connection was made. Whether they read it is unknown.
    pub(super) connected: BTreeSet<PeerAddr>,
}

/// An event at a time.
pub(super) enum Event {
    /// The ticker of a peer of ours wakes up.
    Wake(Pid),
    /// Its user acts, or a legacy program writes.
    Acts(Pid),
    /// A connection reaches the machine that it was dialed at.
    Arrives(u64),
    /// Its bytes reach the program.
    Bytes(u64),
    /// The dialer learns the result.
    Over(u64, SendResult),
    /// The event loop of a peer of ours wakes up.
    PoolWakes(Pid),
    /// Packets reach one end of a connection between two pools.
    Carried(WireEnd),
    /// One end of such a connection learns that it has failed.
    WireFails(WireEnd, RequestEnd),
    /// One end has waited long enough for the other to close.
    WireIsLate(WireEnd),
    /// Such a connection breaks.
    WireBreaks(u64),
    /// A machine, a program or the network changes.
    Churn,
    /// A stopped program goes on.
    Continues(Pid),
    /// A program that said goodbye ends.
    Ends(Pid),
    /// The disk writes what is queued; the core is told; the user has seen messages.
    Applies(Pid),
    Applied(Pid),
    NotesShown(Pid),
    /// A peer of ours learns what a host name resolves to.
    Resolved(Pid, HostAddr),
}

/// A dialed connection.
pub(super) struct Exchange {
    pub(super) from: Pid,
    /// The request of a peer of ours that it belongs to.
    pub(super) job: Option<JobId>,
    pub(super) to: SocketAddrV4,
    pub(super) source: Ipv4Addr,
    pub(super) bytes: Vec<u8>,
    pub(super) connect_by: Duration,
    pub(super) end: Duration,
    /// The program that accepted it.
    pub(super) target: Option<Pid>,
    /// The dialer still waits.
    pub(super) dialing: bool,
    /// What the receipt says about sessions, and which process gave it.
    pub(super) promise: Option<(Capability, Pid)>,
    /// How often the bytes were sent.
    pub(super) tries: usize,
}

pub(super) struct World {
    pub(super) step: u64,
    pub(super) now: Duration,
    pub(super) random: Random,
    pub(super) plan: Plan,
    pub(super) trace: Trace,
    /// The IP of each machine, and the side of the partition that it is on.
    pub(super) hosts: Vec<(Ipv4Addr, usize)>,
    /// The addresses of each host name.
    pub(super) names: BTreeMap<HostAddr, Vec<PeerAddr>>,
    /// Machines that can only be dialed from themselves.
    pub(super) shut: BTreeSet<usize>,
    pub(super) processes: Vec<Process>,
    /// The process that listens at each port of each machine.
    pub(super) listening: BTreeMap<(usize, u16), Pid>,
    /// Connections that a stopped program has not read yet.
    pub(super) backlog: BTreeMap<Pid, Vec<u64>>,
    /// The results of connections that a stopped program has dialed.
    pub(super) unlearned: BTreeMap<Pid, Vec<(u64, SendResult)>>,
    events: BTreeMap<(Duration, u64), Event>,
    pub(super) exchanges: BTreeMap<u64, Exchange>,
    pub(super) last: u64,
    /// Connections between pools.
    pub(super) wires: BTreeMap<u64, Wire>,
    /// Bytes that pools have sent.
    pub(super) bytes_sent: usize,
    /// When the last program with a key ended.
    pub(super) died: BTreeMap<PublicKey, Duration>,
    /// All messages, and the last of each sender that each process has shown, by recipient.
    pub(super) typed: BTreeMap<MessageId, Typed>,
    pub(super) last_shown: BTreeMap<(PublicKey, Pid, Option<Recipient>), u64>,
    /// People so far.
    pub(super) people: usize,
    /// Unencrypted messages and parts, by text.
    pub(super) said: BTreeMap<String, Said>,
    pub(super) texts: u64,
    /// How often each event happened.
    pub(super) counts: BTreeMap<String, usize>,
    /// Where each key has ever listened.
    pub(super) listened: BTreeSet<(Ipv4Addr, u16, PublicKey)>,
    /// The prompt of the user who types, if there is one.
    pub(super) prompt: Option<Prompt>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::of(&mut random);
        Self {
            step: 0,
            // No process starts at time zero.
            now: Duration::from_secs(1),
            random,
            plan,
            trace: Trace::new(),
            hosts: Vec::new(),
            names: BTreeMap::new(),
            shut: BTreeSet::new(),
            processes: Vec::new(),
            listening: BTreeMap::new(),
            backlog: BTreeMap::new(),
            unlearned: BTreeMap::new(),
            events: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            last: 0,
            wires: BTreeMap::new(),
            bytes_sent: 0,
            died: BTreeMap::new(),
            typed: BTreeMap::new(),
            last_shown: BTreeMap::new(),
            people: 0,
            said: BTreeMap::new(),
            texts: 0,
            counts: BTreeMap::new(),
            listened: BTreeSet::new(),
            prompt: None,
        }
    }

    /// Ends the run with an error.
    pub(super) fn fail(&self, pid: Pid, what: fmt::Arguments<'_>) -> ! {
        let process = &self.processes[pid];
        let ip = self.hosts[process.host].0;
        panic!("at step {}, {:?}, process {pid} at {ip}:{}: {what}", self.step, self.now, process.port);
    }

    pub(super) fn later(&mut self, after: Duration, event: Event) {
        self.last += 1;
        self.events.insert((self.now + after, self.last), event);
    }

    pub(super) fn at(&mut self, at: Duration, event: Event) {
        self.later(at.saturating_sub(self.now), event);
    }

    /// Lets everything happen until `end`.
    pub(super) fn run_until(&mut self, end: Duration) {
        while let Some(entry) = self.events.first_entry()
            && entry.key().0 <= end
        {
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.step += 1;
            self.happens(event);
        }
        self.now = end;
    }

    /// Lets this much time pass.
    pub(super) fn rests(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_until(end);
    }

    /// Returns an address on a machine.
    pub(super) fn addr(&self, host: usize, port: u16) -> PeerAddr {
        PeerAddr::new(self.hosts[host].0, port).expect("unicast")
    }

    /// Whether a peer of ours runs and is not leaving.
    pub(super) fn is_up(&self, pid: Pid) -> bool {
        let process = &self.processes[pid];
        process.alive && matches!(&process.program, Program::Ours(ours) if !ours.leaving)
    }

    /// Lets everything come to its end, but ends no program.
    pub(super) fn comes_to_rest(&mut self, within: Duration) {
        self.events.retain(|_, event| !matches!(event, Event::Ends(_)));
        self.rests(within);
    }

    pub(super) fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    fn happens(&mut self, event: Event) {
        if self.sleeper(&event).is_some_and(|pid| self.processes[pid].stopped.is_some()) {
            return self.later(Duration::from_millis(500), event);
        }
        match event {
            Event::Wake(pid) => self.wakes(pid),
            Event::Acts(pid) => self.acts(pid),
            Event::Arrives(id) => self.arrives(id),
            Event::Bytes(id) => self.bytes_arrive(id),
            Event::Over(id, result) => self.over(id, result),
            Event::PoolWakes(pid) => self.pool_wakes(pid),
            Event::Carried(end) => self.carried(end),
            Event::WireFails(end, why) => self.wire_fails(end, why),
            Event::WireIsLate(end) => self.wire_is_late(end),
            Event::WireBreaks(id) => self.wire_breaks(id),
            Event::Churn => self.churn(),
            Event::Continues(pid) => self.continues(pid),
            Event::Ends(pid) => self.ends(pid),
            Event::Applies(pid) => self.applies(pid),
            Event::Applied(pid) => self.applied(pid),
            Event::NotesShown(pid) => self.notes_shown(pid),
            Event::Resolved(pid, host) => self.resolved(pid, host),
        }
    }

    /// The system has resolved a host name.
    fn resolved(&mut self, pid: Pid, host: HostAddr) {
        if !self.processes[pid].alive {
            return;
        }
        let found = self.names.get(&host).cloned().ok_or(LookupError::NotFound);
        self.ours_mut(pid).may_dial.extend(found.iter().flatten());
        self.step(pid, Cause::Met, |step| step.resolved(host, found));
        self.turn_over(pid);
    }

    /// Returns the process whose own thread an event needs; it waits while that is stopped.
    fn sleeper(&self, event: &Event) -> Option<Pid> {
        match event {
            Event::Applies(pid) | Event::Applied(pid) | Event::NotesShown(pid) | Event::Resolved(pid, _) => {
                Some(*pid)
            }
            Event::WireFails(end, _) | Event::WireIsLate(end) => self.owner(*end),
            _ => None,
        }
    }

    /// A stopped program goes on, and reads what arrived meanwhile.
    fn continues(&mut self, pid: Pid) {
        let Some(since) = self.processes[pid].stopped.take() else { return };
        let stopped = self.now - since;
        if self.processes[pid].alive
            && let Program::Ours(ours) = &mut self.processes[pid].program
        {
            // The user waits so much longer.
            ours.waiting.values_mut().for_each(|waiting| waiting.within += stopped);
            ours.wakes_at = Some(self.now);
            ours.held_up = self.now;
            self.later(Duration::ZERO, Event::Wake(pid));
            self.sessions_continue(pid);
        }
        for (id, result) in self.unlearned.remove(&pid).unwrap_or_default() {
            self.over(id, result);
        }
        for id in self.backlog.remove(&pid).unwrap_or_default() {
            self.bytes_arrive(id);
        }
    }

    /// Kills a process. What it sent is still on its way.
    pub(super) fn kill(&mut self, pid: Pid) {
        let process = &mut self.processes[pid];
        if !std::mem::replace(&mut process.alive, false) {
            return;
        }
        process.stopped = None;
        self.listening.remove(&(process.host, process.port));
        self.wires_close(pid);
        if let Some(key) = self.key_of(pid) {
            self.died.insert(key, self.now);
        }
        for (id, result) in self.unlearned.remove(&pid).unwrap_or_default() {
            self.over(id, result);
        }
        for id in self.backlog.remove(&pid).unwrap_or_default() {
            self.later(Duration::from_millis(1), Event::Over(id, SendResult::Broken));
        }
    }
}
