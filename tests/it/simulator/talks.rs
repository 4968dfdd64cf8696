//! Encrypted talks through the network: dialled, keys proven, hello, what there is to say, and the answer. Each of these may be lost or late,
//! the connection may break before, within and after each, and what was written may arrive when its sender has given up long ago.

use std::time::Duration;

use p2p_chat::chat::{Jitter, Meeting, Moment, Talk};
use p2p_chat::key::PeerKey;
use p2p_chat::message::{Failure, MessageId};
use p2p_chat::net::{CONNECT_TIMEOUT, PROBE_TIMEOUT};
use p2p_chat::peer::{PeerAddr, PeerName, Source};
use p2p_chat::talk::{ByeReason, Introduction, Letter, Met, Say, TalkEnd, Talked};

use super::ours::Cause;
use super::peer::{Pid, Program};
use super::talker::{Kept, Talking, With, end_of, job_of, say_of, weight};
use super::world::{Event, World};

/// Times of src/net/talk and src/net/secure, which nobody outside can name.
const OPEN_WITHIN: Duration = Duration::from_secs(12);
const OK_WITHIN: Duration = Duration::from_secs(1);
const HELLO_WITHIN: Duration = Duration::from_secs(3);
const TURN_WITHIN: Duration = Duration::from_secs(5);
const DIALLED_IDLE: Duration = Duration::from_secs(30);

/// How often lost bytes are sent again, a second apart.
const MAX_TRIES: usize = 30;

/// The line before the handshake, as it reaches a program that does not speak encrypted.
pub(super) const LINE: &[u8] = b"P2P-CHAT/1\n";

/// Something that reaches one side of a talk.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The connection reaches the machine that was dialled.
    Reaches,
    /// This attempt is over: nobody, or not who was meant.
    Missed(Option<PeerKey>, TalkEnd),
    /// The other side said hello, too.
    Opened(Pid, PeerKey, Introduction),
    /// What was said on the connection was answered so.
    Answered(Vec<MessageId>, Option<ByeReason>),
    /// The connection is of no use any more.
    Breaks,
}

/// Something that reaches the side that was dialled, whatever became of the other.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) talk: (u64, u64),
    pub(super) from: Pid,
    pub(super) to: Pid,
    pub(super) key: PeerKey,
    pub(super) what: Content,
    pub(super) tries: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Hello(Source, Introduction),
    Ping,
    Texts(Vec<Letter>),
    Bye,
    /// The connection is over.
    End(Option<ByeReason>),
}

impl World {
    pub(super) fn key_of(&self, pid: Pid) -> Option<PeerKey> {
        match &self.processes[pid].program {
            Program::Ours(ours) => ours.keyed.as_ref().map(|keyed| keyed.key),
            Program::Legacy(_) => None,
        }
    }

    fn moment(&mut self) -> Moment {
        let jitter = Jitter(u8::try_from(self.random.below(256)).expect("a byte"));
        Moment { date: 1_800_000_000 + self.now.as_secs(), jitter }
    }

    /// Says something in encryption, as `Talker::talk` does.
    pub(super) fn talks(&mut self, from: Pid, talk: Talk) {
        self.last += 1;
        let id = self.last;
        let born = self.ours(from).born;
        let end = talk.deadline.map(|at| born + at.since_start());
        let open_by = self.now + OPEN_WITHIN;
        let open_by = end.map_or(open_by, |end| end.min(open_by));
        let kept = talk.expect.and_then(|key| {
            let kept = self.ours_mut(from).keyed.as_mut()?.talker.kept.remove(&key)?;
            Some((kept, key))
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
            dialled: 0,
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
        let Some(addr) = talking.talk.addrs.get(talking.dialled).copied() else {
            let (addr, met, end) = talking.worst.clone().expect("every address was dialled in vain");
            return self.talk_ends(id, addr, met, end);
        };
        let (from, left) = (talking.from, talking.open_by.saturating_sub(now));
        if left.is_zero() {
            return self.missed(id, None, TalkEnd::Unreachable(Failure::Cancelled));
        }
        let timed_out = Step::Missed(None, TalkEnd::Unreachable(Failure::TimedOut));
        self.next_phase(id, left.min(CONNECT_TIMEOUT), timed_out);
        let route = self.route(from, addr.v4().expect("IPv4"));
        let there = route.filter(|(host, _)| !self.separated(self.processes[from].host, *host));
        if there.is_none() && self.random.in_thousand(500) {
            let after = self.random.ms(0, 50);
            self.step_after(id, after, Step::Missed(None, TalkEnd::Unreachable(Failure::NoRoute)));
        } else if there.is_some() && !self.random.in_thousand(self.plan.lost) {
            let latency = self.latency();
            self.step_after(id, latency, Step::Reaches);
        }
    }

    /// Something reaches whoever dialled, or the machine that was dialled.
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
                let addr = talking.talk.addrs[talking.dialled];
                talking.with = Some(With { target, addr, met: Met { key, hello: Some(hello) } });
                self.says(id);
            }
            Step::Answered(receipts, bye) => {
                let talking = self.talking.get_mut(&id).expect("it was there");
                talking.receipts.extend(receipts);
                self.said(id, bye.map_or(TalkEnd::Answered, TalkEnd::Bye));
            }
            Step::Breaks => self.said(id, TalkEnd::Broken),
        }
    }

    fn reaches(&mut self, id: u64) {
        let Talking { from, ref talk, dialled, .. } = self.talking[&id];
        let (addr, expect) = (talk.addrs[dialled], talk.expect);
        let to = addr.plain().expect("IPv4").socket();
        let latency = self.latency();
        let route = self.route(from, *to.ip());
        let Some((target, (_, source))) = route.and_then(|route| Some((self.listener(route.0, to)?, route)))
        else {
            let refused = TalkEnd::Unreachable(Failure::Refused);
            return self.step_after(id, latency, Step::Missed(None, refused));
        };
        if self.random.in_thousand(self.plan.broken) {
            return self.step_after(id, latency, Step::Missed(None, TalkEnd::Broken));
        }
        let stopped = self.processes[target].stopped.is_some();
        let Some(key) = self.key_of(target).filter(|_| !stopped) else {
            self.next_phase(id, OK_WITHIN, Step::Missed(None, TalkEnd::NoOk));
            if !stopped {
                self.line_reaches(from, target, source.into());
            }
            return;
        };
        let own = self.key_of(from);
        if own == Some(key) || expect.is_some_and(|expect| expect != key) {
            let end = if own == Some(key) { TalkEnd::Ourselves } else { TalkEnd::WrongKey(key) };
            return self.step_after(id, latency * 2, Step::Missed(None, end));
        }
        self.next_phase(id, HELLO_WITHIN, Step::Missed(Some(key), TalkEnd::Broken));
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

    fn introduction(&self, pid: Pid) -> Introduction {
        let name = PeerName::new(self.ours(pid).name.as_str());
        Introduction { name, port: self.processes[pid].port, also: Vec::new() }
    }

    /// An attempt was in vain: the next address, or the most telling end.
    fn missed(&mut self, id: u64, key: Option<PeerKey>, end: TalkEnd) {
        let Some(talking) = self.talking.get_mut(&id) else { return };
        let addr = talking.talk.addrs[talking.dialled];
        let met = key.map(|key| Met { key, hello: None });
        self.count(format!("attempt: {}", end_of(&end)));
        if let TalkEnd::Bye(_) = end {
            return self.talk_ends(id, addr, met, end);
        }
        let talking = self.talking.get_mut(&id).expect("it was there");
        talking.dialled += 1;
        if talking.worst.as_ref().is_none_or(|(.., worst)| weight(worst) < weight(&end)) {
            talking.worst = Some((addr, met, end));
        }
        self.opens(id);
    }

    /// Sends something to whoever is dialled.
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
        let letters: Vec<Letter> = match &say {
            Say::Texts(letters) => letters
                .iter()
                .enumerate()
                .filter(|(_, letter)| !receipts.contains(&letter.id))
                .map(|(index, letter)| Letter { again: letter.again || index < written, ..letter.clone() })
                .collect(),
            _ => Vec::new(),
        };
        if self.random.in_thousand(self.plan.broken) {
            // Before anything was written.
            return self.step_after(id, Duration::ZERO, Step::Breaks);
        }
        match say {
            Say::Greet if is_second => self.said(id, TalkEnd::Answered),
            Say::Greet | Say::Ping => {
                self.next_phase(id, if is_second { TURN_WITHIN } else { PROBE_TIMEOUT }, Step::Breaks);
                self.packet(id, with.target, Content::Ping);
            }
            Say::Texts(all) => {
                self.next_phase(id, TURN_WITHIN, Step::Breaks);
                self.talking.get_mut(&id).expect("it was there").written = all.len();
                if self.random.in_thousand(self.plan.broken) {
                    // After they were written, and before they came there.
                    return self.step_after(id, Duration::ZERO, Step::Breaks);
                }
                self.packet(id, with.target, Content::Texts(letters));
            }
            Say::Bye => {
                self.packet(id, with.target, Content::Bye);
                self.talk_ends(id, with.addr, Some(with.met), TalkEnd::Answered);
            }
        }
    }

    /// What was said on a connection ended so: it is kept, or a new one tries again, or it is over.
    fn said(&mut self, id: u64, end: TalkEnd) {
        let Talking { from, ref talk, ref with, written, is_second, end: deadline, .. } = self.talking[&id];
        let With { target, addr, met } = with.clone().expect("somebody was talked to");
        let say = say_of(&talk.say);
        let in_time = deadline.is_none_or(|deadline| self.now < deadline);
        if end == TalkEnd::Answered {
            self.keeps(from, met.key, target, addr);
        } else {
            let own = self.key_of(from).expect("who talks has a key");
            let bye = if let TalkEnd::Bye(_) = end { Some(ByeReason::Idle) } else { None };
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
            let is_answer = matches!(end, TalkEnd::Bye(_));
            if !is_second && in_time && !(written > 0 && is_answer) {
                self.count(format!("second attempt: {}", say));
                return self.opens(id);
            }
        }
        self.talk_ends(id, addr, Some(met), end);
    }

    fn talk_ends(&mut self, id: u64, addr: PeerAddr, met: Option<Met>, end: TalkEnd) {
        let talking = self.talking.remove(&id).expect("it was there");
        let (from, job) = (talking.from, job_of(&talking));
        let Talking { talk, written, receipts, .. } = talking;
        self.count(format!("{}: {}", say_of(&talk.say), end_of(&end)));
        let talked = Talked { addr, met, written, receipts, end };
        self.check_talk_ended(from, &talk, &talked);
        let moment = self.moment();
        let (_, _) =
            self.with_chat(from, Cause::Sent, |chat, now| ((), chat.talked(job, talked, moment, now)));
        if let Some(keyed) = &mut self.ours_mut(from).keyed {
            keyed.talker.end(&talk);
        }
        self.turn_over(from);
    }

    /// Keeps a connection until it breaks or nobody needs it.
    fn keeps(&mut self, pid: Pid, key: PeerKey, target: Pid, addr: PeerAddr) {
        self.last += 1;
        let stamp = self.last;
        let breaks = self.random.in_thousand(self.plan.broken);
        let after = if breaks { self.random.ms(0, 30_000) } else { DIALLED_IDLE };
        if let Some(keyed) = &mut self.ours_mut(pid).keyed {
            keyed.talker.kept.insert(key, Kept { target, addr, stamp, broken: false });
        }
        let bye = if breaks { None } else { Some(ByeReason::Idle) };
        self.later(after, Event::KeptEnds(pid, key, stamp, bye));
    }

    /// A connection that is kept breaks, or is not needed any more; a broken one may be noticed by neither side.
    pub(super) fn kept_ends(&mut self, pid: Pid, key: PeerKey, stamp: u64, bye: Option<ByeReason>) {
        if !self.processes[pid].alive {
            return;
        }
        if self.processes[pid].stopped.is_some() {
            return self.later(Duration::from_millis(500), Event::KeptEnds(pid, key, stamp, bye));
        }
        let unnoticed = bye.is_none() && self.random.in_thousand(500);
        let Some(keyed) = &mut self.ours_mut(pid).keyed else { return };
        let own = keyed.key;
        let Some(kept) = keyed.talker.kept.get_mut(&key).filter(|kept| kept.stamp == stamp) else { return };
        let target = kept.target;
        if unnoticed {
            kept.broken = true;
            return;
        }
        keyed.talker.kept.remove(&key);
        self.count(format!("kept: {}", if bye.is_some() { "idle" } else { "broken" }));
        self.talk_is_over(pid, key, bye);
        let what = Content::End(bye);
        let latency = self.latency();
        let packet = Packet { talk: (0, u64::MAX), from: pid, to: target, key: own, what, tries: 0 };
        self.later(latency, Event::Packet(packet));
    }

    /// What was connected with a process that has ended breaks.
    pub(super) fn connections_break(&mut self, dead: Pid) {
        let Some(own) = self.key_of(dead) else { return };
        let kept = self.ours_mut(dead).keyed.as_mut().map(|keyed| std::mem::take(&mut keyed.talker.kept));
        for kept in kept.into_iter().flat_map(std::collections::BTreeMap::into_values) {
            let packet = Packet {
                talk: (0, u64::MAX),
                from: dead,
                to: kept.target,
                key: own,
                what: Content::End(None),
                tries: 0,
            };
            self.later(Duration::from_millis(1), Event::Packet(packet));
        }
        for pid in 0..self.processes.len() {
            let near = !self.separated(self.processes[pid].host, self.processes[dead].host);
            let Program::Ours(ours) = &self.processes[pid].program else { continue };
            let Some(keyed) = &ours.keyed else { continue };
            let Some(kept) = keyed.talker.kept.get(&own).filter(|kept| kept.target == dead) else { continue };
            if near {
                self.later(Duration::from_millis(1), Event::KeptEnds(pid, own, kept.stamp, None));
            }
        }
    }

    /// Something reaches the side that was dialled.
    pub(super) fn packet_arrives(&mut self, mut packet: Packet) {
        let Packet { talk, from, to, key, .. } = packet;
        let apart = self.separated(self.processes[from].host, self.processes[to].host);
        if apart || self.processes[to].stopped.is_some() {
            packet.tries += 1;
            if packet.tries < MAX_TRIES {
                self.later(Duration::from_secs(1), Event::Packet(packet));
            }
            return;
        }
        let latency = self.latency();
        let step = if self.processes[to].alive {
            self.takes_packet(from, to, key, packet.what)
        } else {
            Some(Step::Breaks)
        };
        let Some(step) = step else { return };
        let is_hello = self.talking.get(&talk.0).is_some_and(|talking| talking.with.is_none());
        let breaks = self.random.in_thousand(self.plan.broken);
        let step = match step {
            // The answer is lost with the connection.
            _ if breaks && is_hello => Step::Missed(self.key_of(to), TalkEnd::Broken),
            Step::Breaks if is_hello => Step::Missed(self.key_of(to), TalkEnd::Broken),
            _ if breaks => Step::Breaks,
            step => step,
        };
        self.later(latency, Event::Talk(talk.0, talk.1, step));
    }

    /// The side that was dialled takes what came, and says what it answers.
    fn takes_packet(&mut self, from: Pid, to: Pid, key: PeerKey, what: Content) -> Option<Step> {
        let own = self.key_of(to)?;
        match what {
            Content::Hello(source, hello) => {
                let addr = source.at(hello.port)?;
                self.learn_if_own(to, addr.ip(), addr.port());
                let date = self.moment().date;
                let name = Some(hello.name.clone());
                let meeting = Meeting { key, name, addr, dialled: false, source, date };
                self.ours_mut(to).may_dial.insert(addr);
                let (welcome, _) =
                    self.with_chat(to, Cause::Met, |chat, now| chat.welcome(meeting, hello.also, now));
                if welcome.is_ok() {
                    self.note_sign(to, key);
                }
                self.turn_over(to);
                Some(match welcome {
                    Ok(()) => Step::Opened(to, own, self.introduction(to)),
                    Err(why) => {
                        self.count(format!("not welcome: {why:?}"));
                        Step::Missed(Some(own), TalkEnd::Bye(why))
                    }
                })
            }
            Content::Ping => {
                self.note_sign(to, key);
                self.with_chat(to, Cause::Met, |chat, now| ((), chat.heard_from(key, now)));
                self.turn_over(to);
                Some(Step::Answered(Vec::new(), None))
            }
            Content::Texts(mut letters) => {
                let all = letters.len();
                if self.random.in_thousand(self.plan.full) {
                    // No room in the mailbox for all of them, or for any.
                    letters.truncate(self.random.below(all));
                    self.count("turn: no room for all");
                }
                let taken = self.takes_letters(from, to, key, letters);
                let bye = (taken.len() < all).then_some(ByeReason::NoRoom);
                Some(Step::Answered(taken, bye))
            }
            Content::Bye => {
                self.talk_is_over(to, key, Some(ByeReason::Leaves));
                None
            }
            Content::End(bye) => {
                self.talk_is_over(to, key, bye);
                None
            }
        }
    }

    fn talk_is_over(&mut self, pid: Pid, key: PeerKey, bye: Option<ByeReason>) {
        if !self.processes[pid].alive {
            return;
        }
        if bye == Some(ByeReason::Leaves) {
            self.note_parted(pid, key);
        }
        self.with_chat(pid, Cause::Met, |chat, now| ((), chat.ended(key, bye, now)));
        self.turn_over(pid);
    }
}
