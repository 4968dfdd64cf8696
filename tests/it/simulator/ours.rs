//! A peer of ours, driven as `runtime` drives it, and held to the rules at every step.

use std::collections::VecDeque;
use std::time::Duration;

use p2p_chat::core::{
    Event as Told, JobId, OpId, Output, PlainAnswer, PlainReceived, PlainRequest, PlainResult, Row, State,
    Time,
};
use p2p_chat::model::address::{Claimed, PeerAddr, Source};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::{Body, Decoded, Outgoing, Plain, SendError, SendResult};
use p2p_chat::protocol::plain;
use p2p_chat::protocol::plain::{Decoder, Header};

use super::dialer::{self, Next};
use super::peer::{Ours, Pid, Program};
use super::sessions::{Asked, Order};
use super::world::{Event, World};

/// Because of what the rules do something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    Command,
    Received,
    Sent,
    /// What came in encryption.
    Met,
    /// Something is written down.
    Written,
    Tick,
}

impl World {
    pub(super) fn ours(&self, pid: Pid) -> &Ours {
        match &self.processes[pid].program {
            Program::Ours(ours) => ours,
            Program::Legacy(_) => self.fail(pid, format_args!("the simulator takes it for ours")),
        }
    }

    pub(super) fn ours_mut(&mut self, pid: Pid) -> &mut Ours {
        match &mut self.processes[pid].program {
            Program::Ours(ours) => ours,
            Program::Legacy(_) => panic!("the simulator takes process {pid} for ours"),
        }
    }

    /// `Shared::with_state`: lets the rules do something, and does what they want because of it. What the user is told is
    /// returned, for those who have more to check.
    pub(super) fn with_state<T>(
        &mut self,
        pid: Pid,
        cause: Cause,
        act: impl FnOnce(&mut State, Time) -> (T, Vec<Output>),
    ) -> (T, Vec<Told>) {
        let now = self.now;
        let ours = self.ours_mut(pid);
        let time = ours.time(now);
        let (result, actions) = act(&mut ours.state, time);
        let mut actions = VecDeque::from(actions);
        let mut told = Vec::new();
        while let Some(action) = actions.pop_front() {
            self.trace.note(format_args!("{now:?} {pid} {action:?}"));
            match action {
                Output::Tell(event) => {
                    self.check_told(pid, &event);
                    self.check_told_keyed(pid, &event);
                    self.prompt_hears(pid, &event);
                    told.push(event);
                }
                Output::Store(id, write) => actions.extend(self.writes(pid, id, write)),
                Output::Session(request) => {
                    self.check_talk(pid, &request);
                    let sessions = self.sessions_mut(pid);
                    sessions.asked.insert(request.job, Asked { request: request.clone(), met: None });
                    sessions.orders.push_back(Order::Request(request));
                }
                Output::Plain(transmit) => {
                    self.check_transmit(pid, &transmit, cause);
                    let ours = self.ours_mut(pid);
                    if let Err(PlainRequest { job, to, .. }) = ours.dialer.push(transmit) {
                        let result = SendResult::Failed(SendError::NoResources);
                        actions.extend(ours.state.plain_sent(
                            PlainResult { job, to, result, parts: (0, 1), capability: None },
                            time,
                        ));
                    }
                }
            }
        }
        (result, told)
    }

    /// What follows every turn of the rules: threads dial, the ticker sleeps, and everything is as it has to be.
    pub(super) fn turn_over(&mut self, pid: Pid) {
        while let Some(job) = self.ours_mut(pid).dialer.begin() {
            self.dial_part(pid, job);
        }
        self.serve_sessions(pid);
        let now = self.now;
        let ours = self.ours_mut(pid);
        if let Some(due) = ours.state.next_wake() {
            // A millisecond more, as the ticker sleeps.
            let at = (ours.born + due.since_start()).max(now) + Duration::from_millis(1);
            if ours.wakes_at.is_none_or(|sooner| at < sooner) {
                ours.wakes_at = Some(at);
                self.later(at - now, Event::Wake(pid));
            }
        }
        self.check(pid);
    }

    pub(super) fn wakes(&mut self, pid: Pid) {
        let now = self.now;
        if !self.processes[pid].alive || self.processes[pid].stopped.is_some() {
            return;
        }
        let ours = self.ours_mut(pid);
        if ours.wakes_at.is_some_and(|at| at > now) {
            // It was woken earlier than this, and sleeps again.
            return;
        }
        ours.wakes_at = None;
        let time = ours.time(now);
        if ours.state.next_wake().is_some_and(|due| due <= time) {
            self.with_state(pid, Cause::Tick, |state, now| ((), state.tick(now)));
            self.check_ticked(pid);
        }
        self.turn_over(pid);
    }

    fn dial_part(&mut self, pid: Pid, job: JobId) {
        let now = self.now;
        let ours = self.ours_mut(pid);
        let (born, name) = (ours.born, ours.name.clone());
        let Some(running) = ours.dialer.running(job) else { return };
        let (to, part, errand) = (running.to, running.part, running.errand.clone());
        let deadline = errand.deadline.map(|at| born + at.since_start());
        let Some(limits) = dialer::limits(&errand.message, now, deadline) else {
            return self.exchanged(pid, job, SendResult::Failed(SendError::Cancelled), None);
        };
        let port = self.processes[pid].port;
        let bytes = |ip| {
            let header = Header { ip, port, name: &name };
            plain::encode(header, errand.form, &errand.message).swap_remove(part)
        };
        self.dial(pid, Some(job), to.plain().expect("IPv4").socket(), bytes, limits);
    }

    /// A dialer's thread learned what became of one connection.
    pub(super) fn exchanged(
        &mut self,
        pid: Pid,
        job: JobId,
        result: SendResult,
        promise: Option<(PublicKey, Pid)>,
    ) {
        let Some(running) = self.ours_mut(pid).dialer.running(job) else { return };
        match running.exchanged(result) {
            Next::Dial => self.dial_part(pid, job),
            Next::Over(to, result, parts) => {
                let (message, errand_to) = (running.errand.message.clone(), running.errand.to);
                let now = self.now;
                let ours = self.ours_mut(pid);
                if matches!(result, SendResult::Delivered | SendResult::HandedOver) {
                    ours.answered.insert(to);
                    ours.missed.remove(&errand_to);
                } else if is_look(&message) {
                    ours.missed.insert(errand_to, now);
                }
                if result == SendResult::Delivered {
                    self.ours_mut(pid).receipts.insert(to);
                }
                let other = if to == errand_to { "" } else { " elsewhere" };
                self.count(format!("{}: {}{other}", said_of(&message), result_of(&result)));
                if let Some((_, by)) = promise {
                    self.note_promise(pid, to, by);
                }
                let capability = promise.map(|(key, _)| key);
                let sent = PlainResult { job, to, result: result.clone(), parts, capability };
                let (_, told) =
                    self.with_state(pid, Cause::Sent, |state, now| ((), state.plain_sent(sent, now)));
                self.check_outcome(pid, (job, to), &message, (&result, parts), &told);
                self.ours_mut(pid).dialer.end(job);
                self.turn_over(pid);
            }
        }
    }

    /// `Inbox::deliver`: what came on a connection goes to the rules; returns the answer.
    pub(super) fn takes(&mut self, pid: Pid, id: u64) -> Vec<u8> {
        let exchange = &self.exchanges[&id];
        let (source, local, bytes) =
            (Source::from(exchange.source), *exchange.to.ip(), exchange.bytes.clone());
        let (from, job) = (exchange.from, exchange.job);
        match &mut self.processes[pid].program {
            Program::Ours(_) => self.receives(pid, job, source, local, &bytes),
            Program::Legacy(_) => self.legacy_receives(pid, from, job, &bytes),
        }
    }

    pub(super) fn receives(
        &mut self,
        pid: Pid,
        job: Option<JobId>,
        source: Source,
        local: std::net::Ipv4Addr,
        bytes: &[u8],
    ) -> Vec<u8> {
        if self.random.in_thousand(self.plan.full) {
            // No room in the mailbox: not taken, and no answer.
            return Vec::new();
        }
        let mut decoder = Decoder::new();
        let piece = self.random.within(1, 200);
        for piece in bytes.chunks(piece) {
            decoder.push(piece);
        }
        let cut = decoder.is_cut();
        let decoded = decoder.finish();
        let keyed_before = self.keyed_rows(pid);
        self.note_claims(pid, source, &decoded);
        for message in &decoded {
            if let Decoded::Message(message) = message {
                self.learn_if_own(pid, source.ip(), message.claimed.port);
            }
        }
        let received = PlainReceived { source, decoded: decoded.clone(), cut };
        let (answer, told) = self.with_state(pid, Cause::Received, |state, now| {
            state.learn_own_ip(local);
            state.plain_received(received, now)
        });
        self.check_received(pid, (source, job), &decoded, answer, &told);
        if self.keyed_rows(pid) != keyed_before {
            self.fail(pid, format_args!("{decoded:?} from {source} has changed {keyed_before:?}"));
        }
        self.turn_over(pid);
        match answer {
            PlainAnswer::Nothing => Vec::new(),
            PlainAnswer::Receipt => plain::receipt(self.processes[pid].port, None).into_bytes(),
            PlainAnswer::Capable => {
                plain::receipt(self.processes[pid].port, self.key_of(pid).as_ref()).into_bytes()
            }
            PlainAnswer::Connected => plain::CONNECTED.as_bytes().to_vec(),
        }
    }

    /// `Shared::learn_if_own`, where the machine's own IP is known without asking a system.
    pub(super) fn learn_if_own(&mut self, pid: Pid, ip: std::net::IpAddr, port: u16) {
        let host = self.hosts[self.processes[pid].host].0;
        if port == self.processes[pid].port && ip == host {
            self.ours_mut(pid).state.learn_own_ip(ip);
        }
    }

    /// Everybody who spoke from an IP may be dialed there, and on the loopback network where they claim to listen.
    fn note_claims(&mut self, pid: Pid, source: Source, decoded: &[Decoded]) {
        let ours = self.ours_mut(pid);
        ours.is_asked = false;
        for message in decoded {
            let Decoded::Message(Plain { claimed, body, .. }) = message else { continue };
            for addr in speakers_of(source, *claimed) {
                ours.missed.remove(&addr);
                if *body != Body::Ping {
                    ours.may_dial.insert(addr);
                }
                if *body == Body::Connect {
                    ours.is_asked = true;
                    *ours.asked_us.entry(addr).or_default() += 1;
                }
                if *body == Body::Exit {
                    ours.parted.insert(addr);
                }
            }
        }
    }

    /// The rows of the table.
    pub(super) fn rows(&self, pid: Pid) -> Vec<Row> {
        let ours = self.ours(pid);
        ours.state.rows(ours.time(self.now))
    }

    pub(super) fn settled(&mut self, pid: Pid, op: OpId) {
        let now = self.now;
        match self.ours_mut(pid).waiting.remove(&op) {
            None => self.fail(pid, format_args!("{op:?} was settled twice, or never begun")),
            Some(waiting) if waiting.outcomes > waiting.doubtful => {
                self.fail(pid, format_args!("{op:?} was settled before {} outcomes", waiting.outcomes))
            }
            Some(waiting) if now > waiting.since + waiting.within => self.fail(
                pid,
                format_args!("{} took {:?} until it was settled", waiting.what, now - waiting.since),
            ),
            Some(_) => {}
        }
    }
}

/// Where whoever claims this may be: at the IP that it spoke from, or on the loopback network where it says.
pub(super) fn speakers_of(source: Source, claimed: Claimed) -> Vec<PeerAddr> {
    let mut addrs = vec![source.at(claimed.port)];
    if source.ip().is_loopback() && claimed.ip.is_loopback() {
        addrs.push(PeerAddr::new(claimed.ip, claimed.port));
    }
    addrs.into_iter().flatten().collect()
}

/// Whether it is sent to see if somebody is there.
pub(super) fn is_look(message: &Outgoing) -> bool {
    matches!(message, Outgoing::Connect | Outgoing::Probe | Outgoing::Ping)
}

/// What was said, for counting.
fn said_of(message: &Outgoing) -> &'static str {
    match message {
        Outgoing::Text(parts) if parts.len() > 1 => "text in parts",
        Outgoing::Text(_) => "text",
        Outgoing::Connect => "connect",
        Outgoing::ConnectAck => "connect_ack",
        Outgoing::Exit => "exit",
        Outgoing::Probe => "probe",
        Outgoing::Ping => "PING",
    }
}

/// What became of it, for counting.
fn result_of(result: &SendResult) -> &'static str {
    match result {
        SendResult::Delivered => "delivered",
        SendResult::HandedOver => "handed over",
        SendResult::NoReceipt => "no receipt",
        SendResult::Unanswered => "unanswered",
        SendResult::Broken => "broken",
        SendResult::Astray(_) => "astray",
        SendResult::Failed(SendError::Refused) => "refused",
        SendResult::Failed(SendError::TimedOut) => "timed out",
        SendResult::Failed(_) => "failed",
    }
}
