//! The world: machines, a virtual clock, and a network that delays, loses, refuses and breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use p2p_chat::chat::JobId;
use p2p_chat::message::{Failure, Fate};
use p2p_chat::net::EOF_TIMEOUT;
use p2p_chat::peer::PeerAddr;
use p2p_chat::wire::Receipt;

use super::peer::{Pid, Process, Program};
use super::plan::Plan;
use super::random::{Random, Trace};

/// A text that a peer of ours has sent.
#[derive(Default)]
pub(super) struct Said {
    /// Where it goes.
    pub(super) to: BTreeSet<PeerAddr>,
    /// How often a program showed it, by program.
    pub(super) shown: BTreeMap<Pid, usize>,
    /// The errands that it was shown for.
    pub(super) shown_for: BTreeSet<JobId>,
}

/// Something that will happen.
pub(super) enum Event {
    /// The ticker of a peer of ours wakes up.
    Wake(Pid),
    /// Its user does something, or a program of old says something.
    Deed(Pid),
    /// A connection reaches the machine that it was dialled at.
    Arrives(u64),
    /// What was written into it reaches the program.
    Bytes(u64),
    /// Whoever dialled learns what became of it.
    Over(u64, Fate),
    /// Something becomes of a machine, a program or a line.
    Weather,
    /// A stopped program goes on.
    Continues(Pid),
    /// A program that said goodbye ends.
    Ends(Pid),
}

/// A dialled connection.
pub(super) struct Exchange {
    pub(super) from: Pid,
    /// The errand of a peer of ours that it belongs to.
    pub(super) job: Option<JobId>,
    pub(super) to: SocketAddrV4,
    pub(super) source: Ipv4Addr,
    pub(super) bytes: Vec<u8>,
    connect_by: Duration,
    end: Duration,
    /// The program that accepted it.
    target: Option<Pid>,
    /// Whoever dialled is still interested.
    dialling: bool,
    /// Attempts of the bytes to get through.
    tries: usize,
}

/// How often lost bytes are sent again, a second apart.
const MAX_TRIES: usize = 30;

pub(super) struct World {
    pub(super) step: u64,
    pub(super) now: Duration,
    pub(super) random: Random,
    pub(super) plan: Plan,
    pub(super) trace: Trace,
    /// The IP of each machine, and the side of the partition that it is on.
    pub(super) hosts: Vec<(Ipv4Addr, usize)>,
    pub(super) processes: Vec<Process>,
    /// Who listens where.
    pub(super) listening: BTreeMap<(usize, u16), Pid>,
    /// Connections that a stopped program has not read yet.
    backlog: BTreeMap<Pid, Vec<u64>>,
    /// What became of connections that a stopped program has dialled.
    unlearned: BTreeMap<Pid, Vec<(u64, Fate)>>,
    events: BTreeMap<(Duration, u64), Event>,
    pub(super) exchanges: BTreeMap<u64, Exchange>,
    last: u64,
    /// Texts that peers of ours have sent, each unlike any other.
    pub(super) said: BTreeMap<String, Said>,
    pub(super) texts: u64,
    /// How often what happened.
    pub(super) counts: BTreeMap<String, usize>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::of(&mut random);
        Self {
            step: 0,
            // No process is born at the beginning of the world.
            now: Duration::from_secs(1),
            random,
            plan,
            trace: Trace::new(),
            hosts: Vec::new(),
            processes: Vec::new(),
            listening: BTreeMap::new(),
            backlog: BTreeMap::new(),
            unlearned: BTreeMap::new(),
            events: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            last: 0,
            said: BTreeMap::new(),
            texts: 0,
            counts: BTreeMap::new(),
        }
    }

    /// Ends the run with what is wrong.
    pub(super) fn fail(&self, pid: Pid, what: fmt::Arguments<'_>) -> ! {
        let process = &self.processes[pid];
        let ip = self.hosts[process.host].0;
        panic!("at step {}, {:?}, process {pid} at {ip}:{}: {what}", self.step, self.now, process.port);
    }

    pub(super) fn later(&mut self, after: Duration, event: Event) {
        self.last += 1;
        self.events.insert((self.now + after, self.last), event);
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.later(at.saturating_sub(self.now), event);
    }

    /// Lets everything happen that happens until then.
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

    /// Whether a peer of ours runs and means to go on.
    pub(super) fn is_up(&self, pid: Pid) -> bool {
        let process = &self.processes[pid];
        process.alive && matches!(&process.program, Program::Ours(ours) if !ours.leaving)
    }

    /// Lets everything come to its end, but ends no program.
    pub(super) fn rest_until(&mut self, end: Duration) {
        self.events.retain(|_, event| !matches!(event, Event::Ends(_)));
        self.run_until(end);
    }

    pub(super) fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Wake(pid) => self.wakes(pid),
            Event::Deed(pid) => self.deed(pid),
            Event::Arrives(id) => self.arrives(id),
            Event::Bytes(id) => self.bytes_arrive(id),
            Event::Over(id, fate) => self.over(id, fate),
            Event::Weather => self.weather(),
            Event::Continues(pid) => self.continues(pid),
            Event::Ends(pid) => self.kill(pid),
        }
    }

    /// The machine that `from` reaches at `ip`, and the IP that it reaches it from.
    pub(super) fn route(&self, from: Pid, ip: Ipv4Addr) -> Option<(usize, Ipv4Addr)> {
        let Process { host, bind, ref program, .. } = self.processes[from];
        // Programs of old dial from wherever the system likes.
        let bound = matches!(program, Program::Ours(_)) && !bind.is_unspecified();
        let source = |usual| if bound { bind } else { usual };
        if ip.is_loopback() {
            return Some((host, source(Ipv4Addr::LOCALHOST)));
        }
        let there = self.hosts.iter().position(|(at, _)| *at == ip)?;
        Some((there, source(self.hosts[host].0)))
    }

    fn separated(&self, one: usize, other: usize) -> bool {
        one != other && self.hosts[one].1 != self.hosts[other].1
    }

    /// Who accepts a connection to this address.
    pub(super) fn listener(&self, host: usize, to: SocketAddrV4) -> Option<Pid> {
        let pid = *self.listening.get(&(host, to.port()))?;
        let bind = self.processes[pid].bind;
        (bind.is_unspecified() || bind == *to.ip()).then_some(pid)
    }

    fn latency(&mut self) -> Duration {
        let slow = self.random.in_thousand(self.plan.slow);
        let (low, high) = if slow { (300, 2_500) } else { self.plan.latency };
        self.random.ms(low, high)
    }

    /// Dials, and has the bytes written once the connection is made.
    pub(super) fn dial(
        &mut self,
        from: Pid,
        job: Option<JobId>,
        to: SocketAddrV4,
        bytes: impl FnOnce(Ipv4Addr) -> Vec<u8>,
        (connect_by, end): (Duration, Duration),
    ) {
        self.last += 1;
        let id = self.last;
        let route = self.route(from, *to.ip());
        let source = route.map_or(Ipv4Addr::UNSPECIFIED, |(_, source)| source);
        let bytes = bytes(source);
        let exchange = Exchange {
            from,
            job,
            to,
            source,
            bytes,
            connect_by,
            end,
            target: None,
            dialling: true,
            tries: 0,
        };
        self.exchanges.insert(id, exchange);
        let there = route.filter(|(host, _)| !self.separated(self.processes[from].host, *host));
        if there.is_none() && self.random.in_thousand(500) {
            let after = self.random.ms(0, 50);
            self.later(after, Event::Over(id, Fate::Failed(Failure::NoRoute)));
        } else if there.is_none() || self.random.in_thousand(self.plan.lost) {
            self.at(connect_by, Event::Over(id, Fate::Failed(Failure::TimedOut)));
        } else {
            let latency = self.latency();
            self.later(latency, Event::Arrives(id));
        }
    }

    fn arrives(&mut self, id: u64) {
        let latency = self.latency();
        let Exchange { from, to, connect_by, end, .. } = self.exchanges[&id];
        let target = self.route(from, *to.ip()).and_then(|(host, _)| self.listener(host, to));
        if self.now + latency >= connect_by {
            return self.at(connect_by, Event::Over(id, Fate::Failed(Failure::TimedOut)));
        }
        let Some(target) = target else {
            return self.later(latency, Event::Over(id, Fate::Failed(Failure::Refused)));
        };
        let deadline = end.min(self.now + latency + EOF_TIMEOUT);
        self.exchange(id, |exchange| exchange.target = Some(target));
        self.at(deadline, Event::Over(id, Fate::Unanswered));
        if self.random.in_thousand(self.plan.broken) {
            // Before the bytes are read.
            return self.later(latency, Event::Over(id, Fate::Broken));
        }
        self.later(latency * 2, Event::Bytes(id));
    }

    fn exchange<T>(&mut self, id: u64, change: impl FnOnce(&mut Exchange) -> T) -> Option<T> {
        self.exchanges.get_mut(&id).map(change)
    }

    fn bytes_arrive(&mut self, id: u64) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let (from, Some(target)) = (exchange.from, exchange.target) else { return };
        if !self.processes[target].alive {
            let latency = self.latency();
            return self.later(latency, Event::Over(id, Fate::Broken));
        }
        if self.processes[target].stopped.is_some() {
            self.backlog.entry(target).or_default().push(id);
            return;
        }
        if self.separated(self.processes[from].host, self.processes[target].host) {
            let tries = self.exchange(id, |exchange| {
                exchange.tries += 1;
                exchange.tries
            });
            if tries < Some(MAX_TRIES) {
                self.later(Duration::from_secs(1), Event::Bytes(id));
            } else if !self.exchanges[&id].dialling {
                self.exchanges.remove(&id);
            }
            return;
        }
        let answer = self.takes(target, id);
        self.exchange(id, |exchange| exchange.target = None);
        if !self.exchanges[&id].dialling {
            self.exchanges.remove(&id);
            return;
        }
        let latency = self.latency();
        let fate = match Receipt::parse(&answer) {
            // After the bytes were read: the receipt is lost.
            _ if self.random.in_thousand(self.plan.broken) => Fate::Broken,
            Receipt::Acknowledged => Fate::Delivered,
            Receipt::None => Fate::HandedOver,
        };
        self.later(latency, Event::Over(id, fate));
    }

    fn over(&mut self, id: u64, fate: Fate) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if self.processes[exchange.from].stopped.is_some() {
            // Nobody is awake to learn it.
            self.unlearned.entry(exchange.from).or_default().push((id, fate));
            return;
        }
        if !std::mem::replace(&mut exchange.dialling, false) {
            return;
        }
        let (from, job, is_read) = (exchange.from, exchange.job, exchange.target.is_none());
        // What was written may arrive later, unless the connection broke before.
        if is_read || fate == Fate::Broken {
            self.exchanges.remove(&id);
        }
        if let Some(job) = job.filter(|_| self.processes[from].alive) {
            self.exchanged(from, job, fate);
        }
    }

    /// A stopped program goes on and reads what came meanwhile.
    fn continues(&mut self, pid: Pid) {
        let Some(since) = self.processes[pid].stopped.take() else { return };
        let stopped = self.now - since;
        if self.processes[pid].alive
            && let Program::Ours(ours) = &mut self.processes[pid].program
        {
            // What the user waits for may take so much longer.
            ours.waiting.values_mut().for_each(|waiting| waiting.within += stopped);
            ours.wakes_at = Some(self.now);
            self.later(Duration::ZERO, Event::Wake(pid));
        }
        for (id, fate) in self.unlearned.remove(&pid).unwrap_or_default() {
            self.over(id, fate);
        }
        for id in self.backlog.remove(&pid).unwrap_or_default() {
            self.bytes_arrive(id);
        }
    }

    /// A process ends without a word. What it wrote is on its way.
    pub(super) fn kill(&mut self, pid: Pid) {
        let process = &mut self.processes[pid];
        if !std::mem::replace(&mut process.alive, false) {
            return;
        }
        process.stopped = None;
        self.listening.remove(&(process.host, process.port));
        for (id, fate) in self.unlearned.remove(&pid).unwrap_or_default() {
            self.over(id, fate);
        }
        for id in self.backlog.remove(&pid).unwrap_or_default() {
            self.later(Duration::from_millis(1), Event::Over(id, Fate::Broken));
        }
    }
}
