//! A peer of ours: the real `Machine`, whose every step is checked.

use std::time::Duration;

use p2p_chat::core::{Event as Told, JobId, OpId, PlainReceived, PlainResult, Row};
use p2p_chat::model::address::{Claimed, PeerAddr, Source};
use p2p_chat::model::message::{
    Body, Capability, Decoded, MessageId, Outgoing, Plain, SendError, SendResult,
};
use p2p_chat::net::sessions::{LinkId, SessionCommand};
use p2p_chat::protocol::plain;
use p2p_chat::protocol::plain::{Decoder, Header};
use p2p_chat::runtime::Step;

use super::dialer::{self, Next};
use super::peer::{Ours, Pid, Program};
use super::sessions::Asked;
use super::twin::Call;
use super::world::{Event, World};

/// The result of a step.
#[derive(Default)]
pub(super) struct Done {
    /// What the user was told.
    pub(super) told: Vec<Told>,
    /// The answers in sessions, which are checked first.
    pub(super) stored: Vec<Stored>,
}

/// Which messages of a session are stored, and which are not.
pub(super) struct Stored {
    pub(super) link: LinkId,
    pub(super) receipts: Vec<MessageId>,
    pub(super) others: Vec<MessageId>,
    pub(super) retry_after: u32,
}

/// Why a step was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    Command,
    Received,
    Sent,
    /// Something arrived in a session.
    Met,
    /// Something is stored.
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

    /// Lets the machine of a process take a step, and carries out its outputs.
    pub(super) fn step<T>(
        &mut self,
        pid: Pid,
        cause: Cause,
        act: impl FnOnce(&mut Step<'_>) -> T,
    ) -> (T, Done) {
        let now = self.now;
        let ip = self.hosts[self.processes[pid].host].0;
        let ours = self.ours_mut(pid);
        let time = ours.time(now);
        ours.twin.prepare(ip);
        let result = act(&mut ours.machine.step(time, ours.twin.ports()));
        let calls = ours.twin.take();
        (result, self.carries_out(pid, cause, calls))
    }

    fn carries_out(&mut self, pid: Pid, cause: Cause, calls: Vec<Call>) -> Done {
        for call in &calls {
            // Requests of the same step may depend on it, and the user is told later.
            if let Call::Tell(Told::ProvenAt(addr, who)) = call {
                self.note_proven(pid, *addr, who);
            }
        }
        let mut done = Done::default();
        for call in calls {
            self.trace.note(format_args!("{:?} {pid} {call:?}", self.now));
            match call {
                Call::Tell(event) => {
                    self.check_told(pid, &event);
                    self.check_told_keyed(pid, &event);
                    self.prompt_hears(pid, &event);
                    done.told.push(event);
                }
                Call::Queued(write) => {
                    self.writes(pid, &write.op);
                    self.puts(pid, write);
                }
                Call::Session(SessionCommand::Stored { link, receipts, others, retry_after }) => {
                    done.stored.push(Stored { link, receipts, others, retry_after });
                }
                Call::Session(command) => {
                    if let SessionCommand::Request(request) = &command {
                        self.check_request(pid, request);
                        let asked = Asked { request: request.clone(), met: None };
                        self.sessions_mut(pid).asked.insert(request.job, asked);
                    }
                    self.sessions_mut(pid).orders.push_back(command);
                }
                Call::Resolve(host) => {
                    let after = self.random.ms(1, 50);
                    self.later(after, Event::Resolved(pid, host));
                }
                Call::Plain(request) => {
                    self.check_transmit(pid, &request, cause);
                    self.ours_mut(pid).dialer.push(request);
                }
            }
        }
        done
    }

    /// Follows every step: threads dial, the ticker sleeps, and all is checked.
    pub(super) fn turn_over(&mut self, pid: Pid) {
        while let Some(job) = self.ours_mut(pid).dialer.begin() {
            self.dial_part(pid, job);
        }
        self.serve_sessions(pid);
        let now = self.now;
        let ours = self.ours_mut(pid);
        let due = ours.machine.next_wake();
        // The ticker sleeps a millisecond longer.
        let at = (ours.born + due.since_start()).max(now) + Duration::from_millis(1);
        if ours.wakes_at.is_none_or(|sooner| at < sooner) {
            ours.wakes_at = Some(at);
            self.later(at - now, Event::Wake(pid));
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
            // It was woken before, and sleeps again.
            return;
        }
        ours.wakes_at = None;
        let time = ours.time(now);
        if ours.machine.wants_ips(time) {
            let ip = self.hosts[self.processes[pid].host].0;
            self.step(pid, Cause::Tick, |step| step.ips_read(vec![ip.into()]));
        }
        if self.ours(pid).machine.next_wake() <= time {
            self.step(pid, Cause::Tick, |step| step.tick());
            self.check_ticked(pid);
        }
        self.turn_over(pid);
    }

    fn dial_part(&mut self, pid: Pid, job: JobId) {
        let now = self.now;
        let ours = self.ours_mut(pid);
        let (born, name) = (ours.born, ours.name.clone());
        let Some(running) = ours.dialer.running(job) else { return };
        let (to, part, request) = (running.to, running.part, running.request.clone());
        let deadline = request.deadline.map(|at| born + at.since_start());
        let Some(limits) = dialer::limits(&request.message, now, deadline) else {
            return self.exchanged(pid, job, SendResult::Failed(SendError::Cancelled), None);
        };
        let port = self.processes[pid].port;
        let bytes = |ip| {
            let header = Header { ip, port, name: &name };
            plain::encode(header, request.form, &request.message).swap_remove(part)
        };
        self.dial(pid, Some(job), to.plain().expect("IPv4").socket(), bytes, limits);
    }

    /// A dialing thread learns the result of one connection.
    pub(super) fn exchanged(
        &mut self,
        pid: Pid,
        job: JobId,
        result: SendResult,
        promise: Option<(Capability, Pid)>,
    ) {
        let Some(running) = self.ours_mut(pid).dialer.running(job) else { return };
        match running.exchanged(result) {
            Next::Dial => self.dial_part(pid, job),
            Next::Over(to, result, parts) => {
                let (message, request_to) = (running.request.message.clone(), running.request.to);
                let now = self.now;
                let ours = self.ours_mut(pid);
                if matches!(result, SendResult::Delivered | SendResult::HandedOver) {
                    ours.answered.insert(to);
                    ours.missed.remove(&request_to);
                } else if is_liveness_check(&message) {
                    ours.missed.insert(request_to, now);
                }
                if result == SendResult::Delivered {
                    self.ours_mut(pid).receipts.insert(to);
                }
                let other = if to == request_to { "" } else { " elsewhere" };
                self.count(format!("{}: {}{other}", said_of(&message), result_of(&result)));
                if let Some((_, by)) = promise {
                    self.keyed_mut(pid).promised.insert((to, by));
                }
                let capability = promise.map(|(capability, _)| capability);
                let sent = PlainResult { job, to, result: result.clone(), parts, capability };
                let (_, done) = self.step(pid, Cause::Sent, |step| step.plain_sent(sent));
                self.check_outcome(pid, (job, to), &message, (&result, parts), &done.told);
                self.ours_mut(pid).dialer.end(job);
                self.turn_over(pid);
            }
        }
    }

    /// Gives the bytes of a connection to a program, and returns its answer.
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
            // The event queue has no room, so there is no answer.
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
        let received = PlainReceived { source, decoded: decoded.clone(), cut };
        let (answer, done) =
            self.step(pid, Cause::Received, |step| step.plain_received(received, local.into()));
        self.check_received(pid, (source, job), &decoded, answer, &done.told);
        if self.keyed_rows(pid) != keyed_before {
            self.fail(pid, format_args!("{decoded:?} from {source} has changed {keyed_before:?}"));
        }
        self.turn_over(pid);
        self.ours(pid).machine.answer(answer)
    }

    /// A peer that spoke from an IP may be dialed there, and on loopback where it claims to listen.
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

    pub(super) fn rows(&self, pid: Pid) -> Vec<Row> {
        let ours = self.ours(pid);
        ours.state().rows(ours.time(self.now))
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

/// Returns the addresses that a claim may be true for: at the IP that it came from, or on loopback
/// the one that it names.
pub(super) fn speakers_of(source: Source, claimed: Claimed) -> Vec<PeerAddr> {
    let mut addrs = vec![source.at(claimed.port)];
    if source.ip().is_loopback() && claimed.ip.is_loopback() {
        addrs.push(PeerAddr::new(claimed.ip, claimed.port));
    }
    addrs.into_iter().flatten().collect()
}

/// Whether it is a probe.
pub(super) fn is_liveness_check(message: &Outgoing) -> bool {
    matches!(message, Outgoing::Connect | Outgoing::Probe | Outgoing::Ping)
}

/// The name for counting.
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

/// The name for counting.
fn result_of(result: &SendResult) -> &'static str {
    match result {
        SendResult::Delivered => "delivered",
        SendResult::HandedOver => "sent",
        SendResult::NoReceipt => "no receipt",
        SendResult::Unanswered => "unanswered",
        SendResult::Broken => "broken",
        SendResult::Astray(_) => "astray",
        SendResult::Failed(SendError::Refused) => "refused",
        SendResult::Failed(SendError::TimedOut) => "timed out",
        SendResult::Failed(_) => "failed",
    }
}
