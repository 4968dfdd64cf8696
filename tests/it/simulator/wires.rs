//! TCP connections between the session pools of two processes: made step by step, ordered in each
//! direction, slow, thin, and cut in every way in which a connection can end.

use std::collections::VecDeque;
use std::mem;
use std::net::Ipv4Addr;
use std::time::Duration;

use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::SendError;
use p2p_chat::model::session::RequestEnd;
use p2p_chat::net::sessions::{LinkId, LinkOutput, PART_WITHIN, SILENCE};
use p2p_chat::protocol::session::opening::DIAL_LINE;

use super::peer::{Pid, Program};
use super::world::{Event, World};

/// The header bytes of a packet.
const HEADER: usize = 60;

/// Bytes in one packet.
const PACKET: usize = 1_400;

/// A silent session may end this much later than [`SILENCE`].
const LATE: Duration = Duration::from_secs(1);

/// One end of a connection: which connection, and 0 for the dialer, 1 for the acceptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WireEnd(pub(super) u64, pub(super) usize);

impl WireEnd {
    fn other(self) -> Self {
        Self(self.0, 1 - self.1)
    }
}

/// The steps in which a connection is made; every second one reaches the acceptor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Step {
    Syn,
    SynAck,
    Line,
    Ok,
    ClientHello,
    ServerHello,
    Finished,
}

#[derive(Clone, Debug)]
enum Packet {
    Step(Step),
    Bytes(Vec<u8>),
    End { clean: bool },
}

/// A break that neither side has noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    /// The next side that sends is told.
    Reset,
    /// Nothing arrives any more, and neither side is told.
    Lost,
}

/// One side of a connection.
#[derive(Clone, Copy, Debug)]
struct End {
    pid: Pid,
    /// None before the acceptor has read the line.
    link: Option<LinkId>,
    /// The last step that reached it.
    step: Step,
    /// The keys are proven.
    is_up: bool,
    finishes: bool,
    /// When something arrived last.
    heard: Duration,
}

/// The packets on their way in one direction.
#[derive(Debug, Default)]
struct Way {
    packets: VecDeque<(Duration, Packet)>,
    /// When the last packet arrives, and when the line is free for the next.
    last: Duration,
    free: Duration,
    is_awaited: bool,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    addr: PeerAddr,
    expect: Option<PublicKey>,
    source: Ipv4Addr,
    /// The machines of both, with the IPs that they had.
    hosts: [Option<(usize, Ipv4Addr)>; 2],
    ends: [Option<End>; 2],
    /// The packets on their way to each end.
    ways: [Way; 2],
    cut: Option<Cut>,
    /// Each packet takes seconds.
    far: bool,
}

impl World {
    /// Carries out an output of a pool.
    pub(super) fn link_output(&mut self, pid: Pid, output: LinkOutput) {
        match output {
            LinkOutput::Dial(link, addr, expect) => self.wire_dials(pid, link, addr, expect),
            LinkOutput::Send(link, bytes) => self.wire_sends(pid, link, bytes),
            LinkOutput::Finish(link) => {
                let Some(at) = self.sessions(pid).wires.get(&link).copied() else { return };
                let Some(end) = self.end_mut(at) else { return };
                if mem::replace(&mut end.finishes, true) {
                    return;
                }
                self.push(at.other(), Packet::End { clean: true });
                self.later(PART_WITHIN, Event::WireIsLate(at));
            }
            LinkOutput::Drop(link) => {
                if let Some(at) = self.sessions(pid).wires.get(&link).copied() {
                    self.closes(at);
                }
            }
        }
    }

    fn wire_dials(&mut self, pid: Pid, link: LinkId, addr: PeerAddr, expect: Option<PublicKey>) {
        self.last += 1;
        let at = WireEnd(self.last, 0);
        let host = self.processes[pid].host;
        let route = self.route(pid, addr.v4().expect("IPv4"));
        let there = route.filter(|(there, _)| !self.separated(host, *there));
        let far = self.random.in_thousand(self.plan.far);
        let end =
            End { pid, link: Some(link), step: Step::Syn, is_up: false, finishes: false, heard: self.now };
        let wire = Wire {
            addr,
            expect,
            source: route.map_or(Ipv4Addr::UNSPECIFIED, |(_, source)| source),
            hosts: [Some((host, self.hosts[host].0)), None],
            ends: [Some(end), None],
            ways: [Way::default(), Way::default()],
            cut: None,
            far,
        };
        self.wires.insert(at.0, wire);
        self.sessions_mut(pid).wires.insert(link, at);
        if there.is_none() && self.random.in_thousand(500) {
            let after = self.random.ms(0, 50);
            self.later(after, Event::WireFails(at, RequestEnd::Unreachable(SendError::NoRoute)));
        } else if there.is_some_and(|(there, _)| !self.is_shut(host, there))
            && !self.random.in_thousand(self.plan.lost)
        {
            self.push(at.other(), Packet::Step(Step::Syn));
        }
    }

    fn wire_sends(&mut self, pid: Pid, link: LinkId, bytes: Vec<u8>) {
        let Some(at) = self.sessions(pid).wires.get(&link).copied() else { return };
        if self.end_mut(at).is_none_or(|end| end.finishes) {
            return;
        }
        if self.wires[&at.0].cut == Some(Cut::Reset) {
            let latency = self.latency();
            return self.later(latency, Event::WireFails(at, RequestEnd::Broken));
        }
        let breaks = self.random.in_thousand(self.plan.broken) && self.random.in_thousand(500);
        if breaks && self.random.in_thousand(500) {
            // Before anything was sent.
            return self.wire_breaks(at.0);
        }
        let pieces = if self.random.in_thousand(50) { self.random.within(1, PACKET) } else { PACKET };
        // Headers of small packets would take a thin line for longer than the message does.
        let pieces = if self.plan.bytes_per_second > 0 { PACKET } else { pieces };
        self.bytes_sent += bytes.len();
        for piece in bytes.chunks(pieces) {
            self.push(at.other(), Packet::Bytes(piece.to_vec()));
        }
        if breaks {
            self.wire_breaks(at.0);
        }
    }

    /// Returns the process at one end.
    pub(super) fn owner(&self, at: WireEnd) -> Option<Pid> {
        Some(self.wires.get(&at.0)?.ends[at.1].as_ref()?.pid)
    }

    fn end_mut(&mut self, at: WireEnd) -> Option<&mut End> {
        self.wires.get_mut(&at.0)?.ends[at.1].as_mut()
    }

    /// Sends a packet to one end.
    fn push(&mut self, to: WireEnd, packet: Packet) {
        let latency = self.wire_latency(to.0);
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&to.0) else { return };
        let size = HEADER + if let Packet::Bytes(bytes) = &packet { bytes.len() } else { 0 };
        let takes = match self.plan.bytes_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_secs(1) * u32::try_from(size).expect("a packet") / rate,
        };
        let way = &mut wire.ways[to.1];
        way.free = way.free.max(now) + takes;
        way.last = way.last.max(way.free + latency);
        way.packets.push_back((way.last, packet));
        if !mem::replace(&mut way.is_awaited, true) {
            let after = way.last - now;
            self.later(after, Event::Carried(to));
        }
    }

    fn wire_latency(&mut self, id: u64) -> Duration {
        let is_far = self.wires.get(&id).is_some_and(|wire| wire.far);
        if is_far { self.random.ms(1_000, 3_000) } else { self.latency() }
    }

    /// Whether packets get through: neither machine has another IP by now.
    fn is_connected(&self, wire: &Wire) -> bool {
        let is_there = |(host, ip): (usize, Ipv4Addr)| self.hosts[host].0 == ip;
        match wire.hosts {
            [Some(one), Some(other)] => is_there(one) && is_there(other) && !self.separated(one.0, other.0),
            _ => true,
        }
    }

    /// Packets have reached one end of a connection.
    pub(super) fn carried(&mut self, to: WireEnd) {
        if let Some(wire) = self.wires.get_mut(&to.0) {
            wire.ways[to.1].is_awaited = false;
        }
        loop {
            let Some(wire) = self.wires.get(&to.0) else { return };
            let Some((at, _)) = wire.ways[to.1].packets.front() else { return };
            let again = if *at > self.now {
                Some(*at - self.now)
            } else if !self.is_connected(wire) || self.is_apart(wire) {
                Some(Duration::from_secs(1))
            } else if wire.ends[to.1].is_some_and(|end| self.processes[end.pid].stopped.is_some()) {
                Some(Duration::from_millis(500))
            } else {
                None
            };
            let wire = self.wires.get_mut(&to.0).expect("it was there");
            if let Some(again) = again {
                if !mem::replace(&mut wire.ways[to.1].is_awaited, true) {
                    self.later(again, Event::Carried(to));
                }
                return;
            }
            let (_, packet) = wire.ways[to.1].packets.pop_front().expect("it was there");
            if wire.cut.is_none() {
                self.arrives_at(to, packet);
            }
        }
    }

    /// Whether the first packet of a connection is held up.
    fn is_apart(&self, wire: &Wire) -> bool {
        let (Some(end), [Some((host, ip)), None]) = (wire.ends[0], wire.hosts) else { return false };
        let route = self.route(end.pid, wire.addr.v4().expect("IPv4"));
        self.hosts[host].0 != ip || route.is_none_or(|(there, _)| self.separated(host, there))
    }

    fn arrives_at(&mut self, to: WireEnd, packet: Packet) {
        let now = self.now;
        if let Packet::Step(Step::Syn) = packet {
            return self.syn_arrives(to);
        }
        let Some(end) = self.end_mut(to) else { return };
        end.heard = now;
        let End { pid, link, is_up, .. } = *end;
        match packet {
            Packet::Step(step) => self.step_arrives(to, step),
            Packet::Bytes(bytes) => {
                if let Some(link) = link.filter(|_| is_up) {
                    self.with_pool(pid, |pool, now, handler| {
                        pool.heard(link, now);
                        pool.received(link, &bytes, now, handler);
                    });
                    self.turn_over(pid);
                }
            }
            Packet::End { clean } => self.ends_at(to, clean),
        }
    }

    /// A connection reaches the machine that it was dialed at.
    fn syn_arrives(&mut self, to: WireEnd) {
        let wire = &self.wires[&to.0];
        let Some(End { pid: from, .. }) = wire.ends[0] else { return };
        let addr = wire.addr.plain().expect("IPv4").socket();
        let Some((host, source)) = self.route(from, *addr.ip()) else { return };
        let refused = Event::WireFails(to.other(), RequestEnd::Unreachable(SendError::Refused));
        let Some(target) = self.listener(host, addr) else {
            let latency = self.wire_latency(to.0);
            return self.later(latency, refused);
        };
        let ip = self.hosts[host].0;
        let now = self.now;
        let wire = self.wires.get_mut(&to.0).expect("it was there");
        wire.hosts[1] = Some((host, ip));
        wire.source = source;
        wire.ends[1] =
            Some(End { pid: target, link: None, step: Step::Syn, is_up: false, finishes: false, heard: now });
        if self.random.in_thousand(self.plan.broken) {
            return self.wire_breaks(to.0);
        }
        self.push(to.other(), Packet::Step(Step::SynAck));
    }

    fn step_arrives(&mut self, to: WireEnd, step: Step) {
        let wire = &self.wires[&to.0];
        let (Some(dialer), Some(acceptor)) = (wire.ends[0], wire.ends[1]) else { return };
        let (addr, source, expect) = (wire.addr, wire.source, wire.expect);
        let local = addr.ip();
        let end = self.end_mut(to).expect("it was there");
        end.step = step;
        let End { pid, link, .. } = *end;
        if let Some(link) = link {
            self.with_pool(pid, |pool, now, _| match step {
                Step::SynAck => pool.connected(link, now),
                _ => pool.heard(link, now),
            });
        }
        match step {
            Step::Syn => {}
            Step::SynAck => self.push(to.other(), Packet::Step(Step::Line)),
            Step::Line => match self.processes[pid].program {
                Program::Ours(_) => {
                    let link =
                        self.with_pool(pid, |pool, now, _| pool.accepted(Source::from(source), local, now));
                    self.end_mut(to).expect("it was there").link = Some(link);
                    self.sessions_mut(pid).wires.insert(link, to);
                    self.push(to.other(), Packet::Step(Step::Ok));
                    self.turn_over(pid);
                }
                Program::Legacy(_) => {
                    self.closes(to);
                    drop(self.legacy_receives(pid, dialer.pid, None, DIAL_LINE));
                    // An Xyz program dies of any header that is not `ip:port`. It listens at an
                    // address that a key had.
                    if !self.processes[pid].alive {
                        self.count("line: ended a program of old");
                    }
                }
            },
            Step::Ok => self.push(to.other(), Packet::Step(Step::ClientHello)),
            Step::ClientHello => self.push(to.other(), Packet::Step(Step::ServerHello)),
            Step::ServerHello => {
                let own = self.key_of(pid).expect("it has a pool");
                let key = self.key_of(acceptor.pid).expect("it has a pool");
                if own == key || expect.is_some_and(|expect| expect != key) {
                    let end = if own == key { RequestEnd::Ourselves } else { RequestEnd::WrongKey(key) };
                    return self.wire_fails(to, end);
                }
                self.push(to.other(), Packet::Step(Step::Finished));
                let ip = self.hosts[self.processes[pid].host].0;
                self.comes_up(to, key, if source.is_loopback() { source } else { ip });
            }
            Step::Finished => {
                let key = self.key_of(dialer.pid).expect("it has a pool");
                let Some(local) = addr.v4() else { return };
                self.comes_up(to, key, local);
                self.count("link: up");
                if self.random.in_thousand(self.plan.broken) {
                    let after = self.random.ms(0, 30_000);
                    self.later(after, Event::WireBreaks(to.0));
                }
            }
        }
    }

    fn comes_up(&mut self, at: WireEnd, key: PublicKey, local: Ipv4Addr) {
        let Some(end) = self.end_mut(at) else { return };
        end.is_up = true;
        let (pid, Some(link)) = (end.pid, end.link) else { return };
        self.with_pool(pid, |pool, now, handler| pool.link_up(link, key, local.into(), now, handler));
        self.turn_over(pid);
    }

    /// One end reads that the other has closed.
    fn ends_at(&mut self, at: WireEnd, clean: bool) {
        let Some(end) = self.end_mut(at) else { return };
        let failed = match end.step {
            Step::Syn => RequestEnd::Unreachable(SendError::Refused),
            // No opening line came.
            Step::SynAck => RequestEnd::NoSession,
            _ => RequestEnd::Broken,
        };
        self.is_over_at(at, clean, failed);
    }

    /// One end learns that the connection has failed.
    pub(super) fn wire_fails(&mut self, at: WireEnd, end: RequestEnd) {
        self.is_over_at(at, false, end);
    }

    fn is_over_at(&mut self, at: WireEnd, clean: bool, failed: RequestEnd) {
        let Some(End { pid, link, is_up, .. }) = self.end_mut(at).copied() else { return };
        self.closes(at);
        let Some(link) = link else { return };
        self.trace.note(format_args!("{:?} {pid} {link:?} is over: {clean}, {failed:?}", self.now));
        if !is_up {
            self.count(format!("attempt: {}", super::messages::end_of(&failed)));
        }
        self.with_pool(pid, |pool, now, handler| match is_up {
            true => pool.link_ended(link, clean, now, handler),
            false => pool.link_failed(link, failed, now, handler),
        });
        self.turn_over(pid);
    }

    /// Closes one end. The other learns it behind the packets on their way.
    fn closes(&mut self, at: WireEnd) {
        let Some(wire) = self.wires.get_mut(&at.0) else { return };
        let Some(End { pid, link, .. }) = wire.ends[at.1].take() else { return };
        let is_other_open = wire.ends[1 - at.1].is_some();
        if let (Some(link), Program::Ours(ours)) = (link, &mut self.processes[pid].program) {
            ours.keyed.sessions.wires.remove(&link);
        }
        if is_other_open {
            self.push(at.other(), Packet::End { clean: false });
        } else {
            self.wires.remove(&at.0);
        }
    }

    /// An end that has closed has waited long enough for the other.
    pub(super) fn wire_is_late(&mut self, at: WireEnd) {
        self.is_over_at(at, false, RequestEnd::Broken);
    }

    /// A connection breaks: both ends learn it, or each when it next sends, or neither.
    pub(super) fn wire_breaks(&mut self, id: u64) {
        let kind = self.random.below(4);
        let kept = self.random.below(3);
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if wire.cut.is_some() {
            return;
        }
        match kind {
            0 | 1 => {
                for side in 0..2 {
                    // Some packets on their way may arrive.
                    self.wires.get_mut(&id).expect("it was there").ways[side].packets.truncate(kept);
                    self.push(WireEnd(id, side), Packet::End { clean: false });
                }
                self.count("link: broken");
            }
            2 => {
                wire.cut = Some(Cut::Reset);
                self.count("link: reset unnoticed");
            }
            _ => {
                wire.cut = Some(Cut::Lost);
                self.count("link: lost");
            }
        }
    }

    /// Returns the ends of a process.
    fn wires_of(&self, pid: Pid) -> Vec<WireEnd> {
        let is_its = |end: &Option<End>| end.is_some_and(|end| end.pid == pid);
        let ends = self.wires.iter().flat_map(|(id, wire)| {
            (0..2).filter(|side| is_its(&wire.ends[*side])).map(|side| WireEnd(*id, side))
        });
        ends.collect()
    }

    /// A process has ended, and the system closes its connections.
    pub(super) fn wires_close(&mut self, pid: Pid) {
        self.wires_of(pid).into_iter().for_each(|at| self.closes(at));
    }

    /// The connections of a process break, and both sides learn it at once.
    pub(super) fn connections_break(&mut self, pid: Pid) {
        for at in self.wires_of(pid) {
            for at in [at, at.other()] {
                let end = self.end_mut(at).map_or(RequestEnd::Broken, |end| match end.step {
                    Step::Syn => RequestEnd::Unreachable(SendError::NoRoute),
                    _ => RequestEnd::Broken,
                });
                self.later(Duration::from_millis(1), Event::WireFails(at, end));
            }
        }
    }

    /// The connections of a process break, and neither side learns it before it sends something.
    pub(super) fn connections_break_unnoticed(&mut self, pid: Pid) {
        for at in self.wires_of(pid) {
            self.wires.get_mut(&at.0).expect("it was there").cut = Some(Cut::Reset);
        }
    }

    /// Returns the number of connections to the process of this key that have proven both keys and
    /// are not ending.
    pub(super) fn wires_between(&self, pid: Pid, key: PublicKey) -> usize {
        let stands = |end: &Option<End>| end.filter(|end| end.is_up && !end.finishes).map(|end| end.pid);
        let is_one = |wire: &&Wire| match (stands(&wire.ends[0]), stands(&wire.ends[1])) {
            (Some(one), Some(other)) if one == pid => self.key_of(other) == Some(key),
            (Some(one), Some(other)) if other == pid => self.key_of(one) == Some(key),
            _ => false,
        };
        self.wires.values().filter(is_one).count()
    }

    /// A session ends when nothing arrives for [`SILENCE`].
    pub(super) fn check_silence(&self, pid: Pid) {
        let sessions = self.sessions(pid);
        for (link, at) in &sessions.wires {
            let Some(end) = self.wires.get(&at.0).and_then(|wire| wire.ends[at.1]) else {
                self.fail(pid, format_args!("has a connection that is over: {link:?}"));
            };
            if end.finishes {
                continue;
            }
            let since = self.now.saturating_sub(end.heard.max(sessions.continued_at));
            if since > SILENCE + LATE {
                self.fail(pid, format_args!("keeps {link:?}, which was silent for {since:?}"));
            }
        }
    }
}
