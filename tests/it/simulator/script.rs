//! Starts programs, and acts as their users.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use p2p_chat::core::{Command, CoreConfig, JobId, Me, OpId, StaticPeer, Target};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::protocol::plain;
use p2p_chat::runtime::{Machine, MachineConfig};

use super::dialer::Dialer;
use super::keyed::{Keyed, key_of_person};
use super::legacy::{KINDS, Kind, Legacy};
use super::ours::Cause;
use super::peer::{Ours, Past, Pid, Process, Program, Waiting};
use super::sessions::Sessions;
use super::twin::Twin;
use super::world::{Event, Said, World};

/// How long a command may take. A message may wait behind `MAX_QUEUE_MESSAGES` others to a peer
/// that never reads, four seconds each, and then for a thread.
pub(super) const SETTLED_WITHIN: Duration = Duration::from_secs(600);

/// How long a list and the first probes may take: `ANSWER_WITHIN`, and the ticker's millisecond.
const ANSWERED_WITHIN: Duration = Duration::from_millis(1_902);

impl World {
    /// Creates the machines and the first programs.
    pub(super) fn populate(&mut self) {
        for n in 0..self.plan.hosts {
            let n = u8::try_from(n).expect("few machines");
            self.hosts.push((Ipv4Addr::new(10, 0, n / 100, n % 100 + 1), 0));
            if self.random.in_thousand(self.plan.shut) {
                self.shut.insert(usize::from(n));
            }
        }
        for _ in 0..self.plan.programs {
            let host = self.random.below(self.plan.hosts);
            let port = if self.random.in_thousand(200) { 5_000 } else { self.new_port() };
            self.launch(host, port, None);
        }
        let after = self.random.ms(0, self.plan.churn);
        self.later(after, Event::Churn);
    }

    pub(super) fn new_port(&self) -> u16 {
        5_001 + u16::try_from(self.processes.len()).expect("few programs")
    }

    /// Starts a program if its port is free: ours with its past, or any.
    pub(super) fn launch(&mut self, host: usize, port: u16, past: Option<Past>) {
        if self.listening.contains_key(&(host, port)) {
            return;
        }
        let pid = self.processes.len();
        let legacy = past.is_none() && self.random.in_thousand(self.plan.legacy);
        let ip = self.hosts[host].0;
        let mut bind = Ipv4Addr::UNSPECIFIED;
        let program = if legacy {
            let kind = self.random.one(&KINDS).expect("there are kinds");
            let mut claim = SocketAddrV4::new(ip, port);
            if self.random.in_thousand(self.plan.misled) {
                claim.set_ip(Ipv4Addr::new(127, 0, 1, 1));
                // It may listen there or not.
                bind = self.random.one(&[bind, *claim.ip()]).expect("two");
            }
            Program::Legacy(Legacy::new(kind, claim))
        } else {
            let past = past.unwrap_or_else(|| self.new_past(host, port));
            if self.random.in_thousand(self.plan.bound) {
                bind = ip;
            }
            Program::Ours(Box::new(self.ours_new(pid, (ip, bind), port, past)))
        };
        self.begins(host, port, bind, program);
    }

    /// Starts a program at a free port.
    pub(super) fn begins(&mut self, host: usize, port: u16, bind: Ipv4Addr, program: Program) {
        let pid = self.processes.len();
        let ip = self.hosts[host].0;
        self.trace.note(format_args!("{:?} {pid} at {ip}:{port}", self.now));
        self.processes.push(Process { host, port, bind, alive: true, stopped: None, program });
        self.listening.insert((host, port), pid);
        self.listened.extend(self.key_of(pid).map(|key| (ip, port, key)));
        self.key_of(pid).map(|key| self.died.remove(&key));
        let after = self.random.ms(0, self.plan.actions);
        self.later(after, Event::Acts(pid));
        if let Program::Ours(ours) = &self.processes[pid].program {
            let statics = ours.statics.clone();
            self.wait_for(pid, OpId(1), "the first dialing", ANSWERED_WITHIN, 0);
            let waiting = self.restores(pid);
            let (op, _) = self.step(pid, Cause::Command, |step| step.start(statics, Vec::new(), waiting));
            assert_eq!(op, OpId(1), "the first command has the first number");
            self.catches_up(pid);
            self.turn_over(pid);
        }
    }

    /// Returns the start of a new person.
    fn new_past(&mut self, host: usize, port: u16) -> Past {
        let statics = self.some_statics(host, port);
        self.people += 1;
        // Some people have the same name.
        let namesake = self.random.in_thousand(self.plan.namesakes);
        let named = if namesake { 1 } else { self.people };
        self.person(self.people, &format!("person{named}"), statics)
    }

    /// The first run of the person of this number.
    pub(super) fn person(&mut self, number: usize, name: &str, statics: Vec<StaticPeer>) -> Past {
        let (key, name) = (key_of_person(number), name.parse().expect("a name"));
        Past { statics, key, name, pins: BTreeMap::new(), image: self.new_disk() }
    }

    fn ours_new(&mut self, pid: Pid, (ip, bind): (Ipv4Addr, Ipv4Addr), port: u16, past: Past) -> Ours {
        let Past { statics, key, name, pins, image } = past;
        let me = Me { bind: bind.into(), port, advertise: None };
        let image = image.next_life();
        let core = CoreConfig {
            pins: pins.values().cloned().collect(),
            durable: image.durable,
            expire: image.expire,
            ..CoreConfig::new(me, name.clone(), key)
        };
        let machine = Machine::new(MachineConfig { core, listens_v6: false, ips: vec![ip.into()] });
        let twin = Twin::new();
        let mut may_dial: BTreeSet<PeerAddr> = statics.iter().flat_map(StaticPeer::addrs).collect();
        may_dial.extend(pins.values().flat_map(|pin| pin.addrs.iter().copied()));
        // Each run has another number.
        let run = u64::try_from(pid).expect("64 bits") + 1;
        let sessions = Sessions::new(key, run, self.now);
        let keyed = Keyed::new(key, pins, image, sessions);
        Ours {
            machine,
            twin,
            keyed,
            name,
            claims: None,
            born: self.now,
            dialer: Dialer::new(self.plan.dialers),
            statics,
            wakes_at: None,
            leaving: false,
            ops: 1,
            may_dial,
            waiting: BTreeMap::new(),
            acked: BTreeMap::new(),
            is_asked: false,
            asked_us: BTreeMap::new(),
            asked_for_text: BTreeMap::new(),
            probes: BTreeMap::new(),
            missed: BTreeMap::new(),
            held_up: self.now,
            parted: BTreeSet::new(),
            misled: BTreeSet::new(),
            answered: BTreeSet::new(),
            receipts: BTreeSet::new(),
            chosen: None,
            ticks: VecDeque::new(),
        }
    }

    /// Returns static peers: addresses of programs that run, will run, or never do; perhaps our
    /// own.
    fn some_statics(&mut self, host: usize, port: u16) -> Vec<StaticPeer> {
        let mut addrs = BTreeSet::new();
        for _ in 0..self.random.within(0, self.plan.statics) {
            addrs.insert(self.some_addr(host));
        }
        if self.random.in_thousand(50) {
            addrs.extend(PeerAddr::new(self.hosts[host].0, port));
        }
        let peer = |addr| StaticPeer::at(addr);
        addrs.into_iter().map(peer).collect()
    }

    /// Returns an address at which a program listens most likely, as seen from a machine.
    fn some_addr(&mut self, host: usize) -> PeerAddr {
        let known = self.processes.len();
        if known == 0 || self.random.in_thousand(50) {
            let there = self.random.below(self.hosts.len());
            return PeerAddr::new(self.hosts[there].0, 4_999).expect("a unicast address");
        }
        let near = self.random.in_thousand(500);
        let process = &self.processes[self.random.below(known)];
        let near = near && process.host == host;
        let ip = if near { Ipv4Addr::LOCALHOST } else { self.hosts[process.host].0 };
        PeerAddr::new(ip, process.port).expect("a unicast address")
    }

    fn wait_for(&mut self, pid: Pid, op: OpId, what: &'static str, within: Duration, outcomes: usize) {
        let waiting = Waiting { since: self.now, within, what, outcomes, doubtful: 0 };
        self.ours_mut(pid).waiting.insert(op, waiting);
    }

    /// A user or a legacy program acts, and again later.
    pub(super) fn acts(&mut self, pid: Pid) {
        if !self.processes[pid].alive || self.plan.actions == 0 {
            return;
        }
        let after = self.random.ms(0, self.plan.actions);
        self.later(after, Event::Acts(pid));
        if self.processes[pid].stopped.is_some() {
            return;
        }
        match self.processes[pid].program {
            Program::Ours(ref ours) if ours.leaving => {}
            Program::Ours(_) => self.user_acts(pid),
            Program::Legacy(_) => self.legacy_speaks(pid),
        }
    }

    fn user_acts(&mut self, pid: Pid) {
        let one = self.someone(pid);
        let all = self.random.in_thousand(200);
        let to = if all { Target::AllPlain } else { Target::These(vec![one]) };
        match self.random.below(20) {
            0..=9 => self.sends_text(pid, to),
            10..=12 => self.commands(pid, Command::Connect(to), "connect", SETTLED_WITHIN),
            13..=14 => self.commands(pid, Command::List, "a list", ANSWERED_WITHIN),
            15 => self.commands(pid, Command::Disconnect(to), "disconnect", SETTLED_WITHIN),
            16 => {
                // A burst to one peer.
                for _ in 0..self.random.within(2, 70) {
                    self.sends_text(pid, Target::These(vec![one]));
                }
            }
            17 | 18 => self.tends_outbox(pid),
            _ => {}
        }
    }

    /// Returns whom the user writes to: a row of the list, a peer chosen some time ago (the last
    /// recipient, an open conversation), or an address.
    fn someone(&mut self, pid: Pid) -> Recipient {
        let rows: Vec<Recipient> = self.rows(pid).iter().map(|row| row.id).collect();
        let chosen_before = self.ours(pid).chosen;
        let host = self.processes[pid].host;
        let way = self.random.below(10);
        let one = match (way, self.random.one(&rows), chosen_before) {
            (0 | 1, _, Some(before)) => return before,
            (0..=7, Some(row), _) => row,
            _ => {
                let addr = self.some_addr(host);
                let meant = self.ours(pid).state().book().at(addr);
                // The user is asked which of several contacts they mean.
                let one = self.random.one(&meant).expect("an address has a recipient");
                if self.random.in_thousand(500) { one } else { addr.into() }
            }
        };
        if self.random.in_thousand(300) {
            self.ours_mut(pid).chosen = Some(one);
        }
        one
    }

    fn sends_text(&mut self, pid: Pid, to: Target) {
        let token = self.new_token(pid);
        let long = self.random.in_thousand(50);
        let text = if long { format!("{token} ").repeat(120) } else { token };
        self.sends_this(pid, to, &text);
    }

    /// Returns a new text.
    pub(super) fn new_token(&mut self, pid: Pid) -> String {
        self.texts += 1;
        format!("text-{}-of-{pid}", self.texts)
    }

    /// Sends a message. Returns its id.
    pub(super) fn sends_this(&mut self, pid: Pid, to: Target, text: &str) -> MessageId {
        // A message that is too long for a legacy program goes only to a key.
        let parts = plain::messages_for(text, &self.ours(pid).name).unwrap_or_default();
        let op = OpId(self.ours(pid).ops + 1);
        let targets = self.targets(pid, &to);
        let message = self.note_typed(pid, op, text, &targets);
        let id = message.id;
        for part in &parts {
            self.said.insert(part.clone(), Said { message: Some(id), ..Said::default() });
        }
        let send = Command::Send { to, message };
        self.commands(pid, send, "a text", SETTLED_WITHIN);
        id
    }

    /// Gives a command, as `Node::command` does.
    pub(super) fn commands(&mut self, pid: Pid, command: Command, what: &'static str, within: Duration) {
        let named: &[Recipient] = match &command {
            Command::Send { to: Target::These(ids), .. } | Command::Connect(Target::These(ids)) => ids,
            Command::SendAgain { to, .. } => std::slice::from_ref(to),
            _ => &[],
        };
        for addr in named.iter().filter_map(|id| id.addr()) {
            self.ours_mut(pid).may_dial.insert(addr);
        }
        let outcomes = self.expected_outcomes(pid, &command);
        if let Command::Disconnect(to) = &command {
            for id in self.targets(pid, to) {
                self.sends_away(pid, id);
            }
        }
        // Commands have consecutive numbers.
        let op = OpId(self.ours(pid).ops + 1);
        self.ours_mut(pid).ops += 1;
        self.wait_for(pid, op, what, within, outcomes);
        let doubtful = self.may_be_one(pid, &command);
        if let Some(waiting) = self.ours_mut(pid).waiting.get_mut(&op) {
            waiting.doubtful = doubtful;
        }
        let (given, _) = self.step(pid, Cause::Command, |step| step.command(command));
        if given != op {
            self.fail(pid, format_args!("{given:?} was given for {op:?}"));
        }
        self.turn_over(pid);
    }

    /// The user disconnects a peer, which is left alone from then on.
    fn sends_away(&mut self, pid: Pid, id: Recipient) {
        let addr = self.ours(pid).state().book().dialed_at(id);
        let ours = self.ours_mut(pid);
        match id.public_key() {
            Some(key) => drop(ours.keyed.parted.insert(key)),
            None => ours.parted.extend(addr),
        }
    }

    fn legacy_speaks(&mut self, pid: Pid) {
        let Process { host, ref program, .. } = self.processes[pid];
        let Program::Legacy(legacy) = program else { return };
        let (listed, lies): (Vec<SocketAddrV4>, _) =
            (legacy.listed.iter().copied().collect(), legacy.kind == Kind::Liar);
        let to = match self.random.one(&listed) {
            Some(addr) if !self.random.in_thousand(300) => addr,
            _ => self.some_addr(host).plain().expect("IPv4").socket(),
        };
        let others =
            if lies { vec![self.some_addr(host).plain().expect("IPv4").socket()] } else { Vec::new() };
        let mut random = self.random.clone();
        let Program::Legacy(legacy) = &mut self.processes[pid].program else { return };
        let bytes = legacy.says(to, &others, &mut random).into_bytes();
        self.random = random;
        self.legacy_dials(pid, to, bytes);
    }

    pub(super) fn legacy_dials(&mut self, pid: Pid, to: SocketAddrV4, bytes: Vec<u8>) {
        if to.ip().is_unspecified() || to.port() == 0 {
            return;
        }
        // SmartCookies waits five seconds for an answer.
        let limits = (self.now + Duration::from_secs(3), self.now + Duration::from_secs(5));
        self.dial(pid, None, to, |_| bytes, limits);
    }

    pub(super) fn legacy_receives(
        &mut self,
        pid: Pid,
        from: Pid,
        job: Option<JobId>,
        bytes: &[u8],
    ) -> Vec<u8> {
        let port = self.processes[pid].port;
        let Program::Legacy(legacy) = &mut self.processes[pid].program else { return Vec::new() };
        let kind = legacy.kind;
        let reaction = legacy.receive(bytes, port);
        if let Some(why) = reaction.dies {
            self.check_killed(pid, from, kind, why, bytes);
            self.kill(pid);
        }
        if let Some(text) = &reaction.shows {
            self.shown(pid, job, text);
        }
        if let Some((to, line)) = reaction.says {
            self.legacy_dials(pid, to, line.into_bytes());
        }
        reaction.answer.into_bytes()
    }
}
