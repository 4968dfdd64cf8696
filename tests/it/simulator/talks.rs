//! Encrypted talks through the network: dialed, keys proven, hello, what there is to say, and the answer. Each of these may be lost or late,
//! the connection may break before, within and after each, and what was written may arrive when its sender has given up long ago.

use std::time::Duration;

use super::half_duplex;
use p2p_chat::core::{Env, Jitter, SessionRequest};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::{MessageId, SendError};
use p2p_chat::model::name::PeerName;
use p2p_chat::model::session::{ByeReason, Introduction, Message, Met, Request, RequestEnd, SessionReport};
use p2p_chat::net::{CONNECT_TIMEOUT, PROBE_TIMEOUT};

use super::ours::Cause;
use super::peer::{Pid, Program};
use super::talker::{Talking, With, end_of, job_of, say_of, weight};
use super::world::{Event, World};

/// Times of src/net/talk and src/net/secure, which nobody outside can name.
const OPEN_WITHIN: Duration = Duration::from_secs(12);
const OK_WITHIN: Duration = Duration::from_secs(1);
const HELLO_WITHIN: Duration = Duration::from_secs(3);
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// The line before the handshake, as it reaches a program that does not speak encrypted.
pub(super) const LINE: &[u8] = b"P2P-CHAT/1\n";

/// Something that reaches one side of a talk.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The connection reaches the machine that was dialed.
    Reaches,
    /// This attempt is over: nobody, or not who was meant.
    Missed(Option<PublicKey>, RequestEnd),
    /// The other side said hello, too.
    Opened(Pid, PublicKey, Introduction),
    /// What was said on the connection was answered so.
    Answered(Vec<MessageId>, Option<ByeReason>),
    /// The connection is of no use any more.
    Breaks,
}

/// Something that reaches the side that was dialed, whatever became of the other.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) talk: (u64, u64),
    pub(super) from: Pid,
    pub(super) to: Pid,
    pub(super) key: PublicKey,
    pub(super) what: Content,
    pub(super) tries: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Hello(Source, Introduction),
    Ping,
    Texts(Vec<Message>),
    Bye,
    /// The connection is over.
    End(Option<ByeReason>),
}

impl World {
    pub(super) fn key_of(&self, pid: Pid) -> Option<PublicKey> {
        match &self.processes[pid].program {
            Program::Ours(ours) => Some(ours.keyed.key),
            Program::Legacy(_) => None,
        }
    }

    pub(super) fn moment(&mut self) -> Env {
        let jitter = Jitter(u8::try_from(self.random.below(256)).expect("a byte"));
        Env { date: 1_800_000_000 + self.now.as_secs(), jitter }
    }

    /// Says something in encryption, as `Talker::talk` does.
    pub(super) fn talks(&mut self, from: Pid, talk: SessionRequest) {
        self.last += 1;
        let id = self.last;
        let born = self.ours(from).born;
        let end = talk.deadline.map(|at| born + at.since_start());
        let open_by = self.now + OPEN_WITHIN;
        let open_by = end.map_or(open_by, |end| end.min(open_by));
        // A connection to another address proves nothing of these.
        let kept = talk.expect.and_then(|key| {
            let kept = &mut self.keyed_mut(from).talker.kept;
            let leads_there = talk.addrs.contains(&kept.get(&key)?.addr);
            leads_there.then(|| kept.remove(&key).map(|kept| (kept, key)))?
        });
        let with = kept.map(|(kept, key)| With {
            target: kept.target,
            addr: kept.addr,
            met: Met { key, hello: None },
        });
        let is_broken = kept.is_some_and(|(kept, _)| kept.broken);
        let is_kept = with.is_some();
        let talking = Talking {
            from,
            talk,
            phase: 0,
            dialed: 0,
            open_by,
            end,
            worst: None,
            with,
            written: 0,
            receipts: Vec::new(),
            is_second: !is_kept,
        };
        self.talking.insert(id, talking);
        match (is_kept, is_broken) {
            (true, true) => self.step_after(id, Duration::ZERO, Step::Breaks),
            (true, false) => self.says(id),
            (false, _) => self.opens(id),
        }
    }

    fn step_after(&mut self, id: u64, after: Duration, step: Step) {
        let phase = self.talking[&id].phase;
        self.later(after, Event::Talk(id, phase, step));
    }

    /// What is waited for now is not what was waited for before; after so long it will not come any more.
    fn next_phase(&mut self, id: u64, within: Duration, late: Step) {
        let now = self.now;
        let Some(talking) = self.talking.get_mut(&id) else { return };
        talking.phase += 1;
        let within = talking.end.map_or(within, |end| within.min(end.saturating_sub(now)));
        self.step_after(id, within, late);
    }

    /// Dials the next address.
    fn opens(&mut self, id: u64) {
        let now = self.now;
        let Some(talking) = self.talking.get_mut(&id) else { return };
        talking.is_second = true;
        talking.with = None;
        let Some(addr) = talking.talk.addrs.get(talking.dialed).copied() else {
            let (addr, met, end) = talking.worst.clone().expect("every address was dialed in vain");
            return self.talk_ends(id, addr, met, end);
        };
        let (from, left) = (talking.from, talking.open_by.saturating_sub(now));
        if left.is_zero() {
            return self.missed(id, None, RequestEnd::Unreachable(SendError::Cancelled));
        }
        let timed_out = Step::Missed(None, RequestEnd::Unreachable(SendError::TimedOut));
        self.next_phase(id, left.min(CONNECT_TIMEOUT), timed_out);
        let route = self.route(from, addr.v4().expect("IPv4"));
        let there = route.filter(|(host, _)| !self.separated(self.processes[from].host, *host));
        if there.is_none() && self.random.in_thousand(500) {
            let after = self.random.ms(0, 50);
            self.step_after(id, after, Step::Missed(None, RequestEnd::Unreachable(SendError::NoRoute)));
        } else if there.is_some() && !self.random.in_thousand(self.plan.lost) {
            let latency = self.latency();
            self.step_after(id, latency, Step::Reaches);
        }
    }

    /// Something reaches whoever dialed, or the machine that was dialed.
    pub(super) fn talk_steps(&mut self, id: u64, phase: u64, step: Step) {
        let Some(talking) = self.talking.get(&id).filter(|talking| talking.phase == phase) else { return };
        let from = talking.from;
        if !self.processes[from].alive {
            self.talking.remove(&id);
            return;
        }
        if self.processes[from].stopped.is_some() {
            // Nobody is awake to learn it.
            return self.later(Duration::from_millis(500), Event::Talk(id, phase, step));
        }
        match step {
            Step::Reaches => self.reaches(id),
            Step::Missed(key, end) => self.missed(id, key, end),
            Step::Opened(target, key, hello) => {
                let talking = self.talking.get_mut(&id).expect("it was there");
                let addr = talking.talk.addrs[talking.dialed];
                talking.with = Some(With { target, addr, met: Met { key, hello: Some(hello) } });
                self.says(id);
            }
            Step::Answered(receipts, bye) => {
                let talking = self.talking.get_mut(&id).expect("it was there");
                talking.receipts.extend(receipts);
                self.said(id, bye.map_or(RequestEnd::Answered, RequestEnd::Bye));
            }
            Step::Breaks => self.said(id, RequestEnd::Broken),
        }
    }

    fn reaches(&mut self, id: u64) {
        let Talking { from, ref talk, dialed, .. } = self.talking[&id];
        let (addr, expect) = (talk.addrs[dialed], talk.expect);
        let to = addr.plain().expect("IPv4").socket();
        let latency = self.latency();
        let route = self.route(from, *to.ip());
        let Some((target, (_, source))) = route.and_then(|route| Some((self.listener(route.0, to)?, route)))
        else {
            let refused = RequestEnd::Unreachable(SendError::Refused);
            return self.step_after(id, latency, Step::Missed(None, refused));
        };
        if self.random.in_thousand(self.plan.broken) {
            return self.step_after(id, latency, Step::Missed(None, RequestEnd::Broken));
        }
        let stopped = self.processes[target].stopped.is_some();
        let Some(key) = self.key_of(target).filter(|_| !stopped) else {
            self.next_phase(id, OK_WITHIN, Step::Missed(None, RequestEnd::NoSession));
            if !stopped {
                self.line_reaches(from, target, source.into());
            }
            return;
        };
        let own = self.key_of(from);
        if own == Some(key) || expect.is_some_and(|expect| expect != key) {
            let end = if own == Some(key) { RequestEnd::Ourselves } else { RequestEnd::WrongKey(key) };
            return self.step_after(id, latency * 2, Step::Missed(None, end));
        }
        self.next_phase(id, HELLO_WITHIN, Step::Missed(Some(key), RequestEnd::Broken));
        let hello = self.introduction(from);
        let what = Content::Hello(Source::from(source), hello);
        self.packet(id, target, what);
    }

    /// A program that does not speak encrypted reads the line.
    fn line_reaches(&mut self, from: Pid, target: Pid, source: Source) {
        match &self.processes[target].program {
            Program::Ours(_) => {
                let local = self.hosts[self.processes[target].host].0;
                drop(self.receives(target, None, source, local, LINE));
            }
            Program::Legacy(_) => {
                drop(self.legacy_receives(target, from, None, LINE));
                // One whose listener any header that is not `ip:port` ends; it has taken the address of somebody who is known by a key.
                if !self.processes[target].alive {
                    self.count("line: ended a program of old");
                }
            }
        }
    }

    pub(super) fn introduction(&self, pid: Pid) -> Introduction {
        let name = PeerName::new(self.ours(pid).name.as_str());
        let port = self.ours(pid).claims.unwrap_or(self.processes[pid].port);
        Introduction { name, port, also: Vec::new() }
    }

    /// An attempt was in vain: the next address, or the most telling end.
    fn missed(&mut self, id: u64, key: Option<PublicKey>, end: RequestEnd) {
        let Some(talking) = self.talking.get_mut(&id) else { return };
        let addr = talking.talk.addrs[talking.dialed];
        let met = key.map(|key| Met { key, hello: None });
        self.count(format!("attempt: {}", end_of(&end)));
        if let RequestEnd::Bye(_) = end {
            return self.talk_ends(id, addr, met, end);
        }
        let talking = self.talking.get_mut(&id).expect("it was there");
        talking.dialed += 1;
        if talking.worst.as_ref().is_none_or(|(.., worst)| weight(worst) < weight(&end)) {
            talking.worst = Some((addr, met, end));
        }
        self.opens(id);
    }

    /// Sends something to whoever is dialed.
    fn packet(&mut self, id: u64, to: Pid, what: Content) {
        let Talking { from, phase, .. } = self.talking[&id];
        let Some(key) = self.key_of(from) else { return };
        let latency = self.latency();
        self.later(latency, Event::Packet(Packet { talk: (id, phase), from, to, key, what, tries: 0 }));
    }

    /// Says what there is to say, on a connection on which both have said hello.
    fn says(&mut self, id: u64) {
        let Talking { ref talk, written, ref receipts, ref with, is_second, .. } = self.talking[&id];
        let with = with.clone().expect("somebody to talk to");
        let say = talk.say.clone();
        let messages: Vec<Message> = match &say {
            Request::Messages(messages) => messages
                .iter()
                .enumerate()
                .filter(|(_, message)| !receipts.contains(&message.id))
                .map(|(index, message)| Message {
                    again: message.again || index < written,
                    ..message.clone()
                })
                .collect(),
            _ => Vec::new(),
        };
        if self.random.in_thousand(self.plan.broken) {
            // Before anything was written.
            return self.step_after(id, Duration::ZERO, Step::Breaks);
        }
        match say {
            Request::Open if is_second => self.said(id, RequestEnd::Answered),
            Request::Open | Request::Ping => {
                self.next_phase(id, if is_second { TURN_WITHIN } else { PROBE_TIMEOUT }, Step::Breaks);
                self.packet(id, with.target, Content::Ping);
            }
            Request::Messages(all) => {
                self.next_phase(id, TURN_WITHIN, Step::Breaks);
                self.talking.get_mut(&id).expect("it was there").written = all.len();
                if self.random.in_thousand(self.plan.broken) {
                    // After they were written, and before they came there.
                    return self.step_after(id, Duration::ZERO, Step::Breaks);
                }
                self.packet(id, with.target, Content::Texts(messages));
            }
            Request::Bye => {
                self.packet(id, with.target, Content::Bye);
                self.talk_ends(id, with.addr, Some(with.met), RequestEnd::Answered);
            }
        }
    }

    /// What was said on a connection ended so: it is kept, or a new one tries again, or it is over.
    fn said(&mut self, id: u64, end: RequestEnd) {
        let Talking { from, ref talk, ref with, written, is_second, end: deadline, .. } = self.talking[&id];
        let With { target, addr, met } = with.clone().expect("somebody was talked to");
        let say = say_of(&talk.say);
        let in_time = deadline.is_none_or(|deadline| self.now < deadline);
        if end == RequestEnd::Answered {
            self.keeps(from, met.key, target, addr);
        } else {
            let own = self.key_of(from).expect("who talks has a key");
            let bye = if let RequestEnd::Bye(_) = end { Some(ByeReason::Idle) } else { None };
            let packet = Packet {
                talk: (id, u64::MAX),
                from,
                to: target,
                key: own,
                what: Content::End(bye),
                tries: 0,
            };
            let latency = self.latency();
            self.later(latency, Event::Packet(packet));
            let is_answer = matches!(end, RequestEnd::Bye(_));
            if !is_second && in_time && !(written > 0 && is_answer) {
                self.count(format!("second attempt: {}", say));
                return self.opens(id);
            }
        }
        self.talk_ends(id, addr, Some(met), end);
    }

    fn talk_ends(&mut self, id: u64, addr: PeerAddr, met: Option<Met>, end: RequestEnd) {
        let talking = self.talking.remove(&id).expect("it was there");
        let (from, job) = (talking.from, job_of(&talking));
        let Talking { talk, written, receipts, .. } = talking;
        self.count(format!("{}: {}", say_of(&talk.say), end_of(&end)));
        let talked = SessionReport { addr, met, written, receipts, end };
        self.check_talk_ended(from, &talk, &talked);
        let env = self.moment();
        self.with_state(from, Cause::Sent, |state, now| {
            ((), half_duplex::report(state, job, talked, env, now))
        });
        self.keyed_mut(from).talker.end(&talk);
        self.turn_over(from);
    }
}
