//! Results of unencrypted messages, `connect`, goodbyes and probes.

use super::State;
use super::event::{Event, Output};
use super::ids::JobId;
use super::jobs::{Job, Purpose};
use super::outbox::RouteAnswer;
use super::peers::PeerOrigin;
use super::presence::ProbeResult;
use super::time::Time;
use crate::model::address::PeerAddr;
use crate::model::message::{Capability, PeerProtocol, SendError, SendResult};
use crate::model::peer_id::Recipient;
use crate::protocol;

/// The result of a [`PlainRequest`](super::PlainRequest).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlainResult {
    /// The number of the request.
    pub job: JobId,
    /// The address that was dialed in the end: the one asked for, or the fallback.
    pub to: PeerAddr,
    /// The result; of a message in parts, the worst.
    pub result: SendResult,
    /// How many parts were sent, and how many there are.
    pub parts: (usize, usize),
    /// What the receipt says about sessions.
    pub capability: Option<Capability>,
}

/// An unencrypted request that is over.
struct PlainEnd {
    job: JobId,
    purpose: Purpose,
    /// The address that was dialed in the end.
    to: PeerAddr,
    parts: (usize, usize),
    /// The peer at that address took it.
    taken: bool,
    /// What the result shows of the peer that it was for.
    seen: SendResult,
    /// The result for the user.
    result: SendResult,
}

impl State {
    /// Takes the result of an unencrypted request.
    pub fn plain_sent(&mut self, sent: PlainResult, now: Time) -> Vec<Output> {
        let (job, to, parts) = (sent.job, sent.to, sent.parts);
        let Some(Job { peer_id, dialed: Some(dialed), purpose, .. }) = self.jobs.end(job) else {
            return Vec::new();
        };
        if self.is_superseded(peer_id, dialed, purpose) {
            self.probe_limiter.end(job, false, now);
            self.attempted(job, peer_id, false);
            self.settle_watches(now);
            return self.done();
        }
        let taken = sent.result.is_taken();
        let capability = sent.capability.filter(|_| taken);
        let (seen, result) = self.peer_that_got(peer_id, dialed, sent, now);
        let parted_since = self.peers.has_left_since(peer_id, job);
        let promise = self.takes_promise(peer_id, dialed, purpose, capability, now);
        // What was on its way at a goodbye shows no more than a probe, and nothing follows from it.
        let may_greet =
            !parted_since || !matches!(purpose, Purpose::Probe(_) | Purpose::Ack | Purpose::Message(_));
        let promise = promise.filter(|_| taken && may_greet && self.can_speak_otherwise(peer_id, purpose));
        if let Some(promise) = promise.filter(|_| purpose.is_question()) {
            // It was only a question. It goes on as a session, whose result counts.
            let next = self.promised(peer_id, to, promise, purpose);
            self.probe_limiter.goes_on(job, next);
            self.operations.goes_on(job, next);
            return self.done();
        }
        let mut end = PlainEnd { job, purpose, to, parts, taken, seen, result };
        self.notes_what_it_shows(&end, peer_id, parted_since, now);
        // The peer that got it instead lists us now.
        let reached = match end.result {
            SendResult::Astray(_) => self.peers.plain_id(to),
            _ => peer_id,
        };
        let is_message = matches!(purpose, Purpose::Message(_));
        if is_message && end.result == SendResult::HandedOver && self.peers.gives_receipts(peer_id) {
            end.result = SendResult::NoReceipt;
        }
        // A peer that takes a message without a receipt may be the key that is there, with a full
        // mailbox.
        let is_read_plain = taken && !self.book().is_key_there(to);
        let mut peer_id = peer_id;
        if let Some(promise) = promise {
            // Messages may wait behind the one whose receipt promised sessions.
            let waits = self.outbox.asks(peer_id);
            let purpose = if waits { Purpose::Ask } else { Purpose::Greet };
            self.promised(peer_id, to, promise, purpose);
        } else if is_read_plain && capability.is_none() && purpose.says_something() {
            peer_id = self.reads_plain(peer_id, now);
        }
        // Its receipt would have shown whether it has sessions.
        let is_unknown = self.book().protocol_of(peer_id) == PeerProtocol::Unknown;
        if purpose == Purpose::Ack && end.seen == SendResult::Unanswered && is_unknown {
            self.peers.wants_promise(peer_id);
        }
        self.passes_result_on(end, peer_id, is_read_plain, now);
        // The goodbye goes behind the messages that have waited for this.
        self.attempted(job, reached, taken);
        self.settle_watches(now);
        self.done()
    }

    /// Records what the end of a request shows of the peer that it was for. If one side has said
    /// goodbye since it began, it shows no more than a probe.
    fn notes_what_it_shows(&mut self, end: &PlainEnd, peer_id: Recipient, parted_since: bool, now: Time) {
        let PlainEnd { job, purpose, to, ref seen, .. } = *end;
        self.probe_limiter.end(job, *seen == SendResult::Failed(SendError::NoResources), now);
        self.peers.job_ended(peer_id, purpose, seen, now);
        if let Some(evidence) = purpose.evidence() {
            let evidence = if parted_since { ProbeResult::Dialed } else { evidence };
            self.observe(peer_id, Some(to), seen, evidence, now);
        }
        if let Purpose::Probe(_) = purpose {
            self.probed(peer_id, job, seen);
        }
    }

    /// Passes the result of a request on to the message or the command that waits for it.
    fn passes_result_on(&mut self, end: PlainEnd, peer_id: Recipient, is_read_plain: bool, now: Time) {
        let PlainEnd { purpose, parts, taken, result, .. } = end;
        match purpose {
            Purpose::Message(id) => {
                self.outbox.plain_sent(peer_id, id, result, parts, now);
                self.serve(peer_id, now);
            }
            Purpose::Connect(op) | Purpose::Exit(op) => {
                if taken && matches!(purpose, Purpose::Connect(_)) && self.operations.is_direct(op) {
                    self.make_contact(peer_id);
                    self.release(peer_id, now);
                }
                self.finished(op, peer_id, result);
            }
            // A key has proven itself there meanwhile, and has the messages.
            Purpose::Ask if peer_id.public_key().is_some() => self.serve(peer_id, now),
            Purpose::Ask => {
                let answer = if is_read_plain { RouteAnswer::Plain } else { RouteAnswer::Failed(result) };
                self.outbox.answered(peer_id, answer, now);
                self.serve(peer_id, now);
            }
            Purpose::Ack | Purpose::Probe(_) | Purpose::Greet | Purpose::Discovered | Purpose::Batch(_) => {}
        }
    }

    /// Finds out whether the peer that something was for got it. Returns what that shows of the
    /// peer, and the result for the user.
    fn peer_that_got(
        &mut self,
        peer_id: Recipient,
        dialed: PeerAddr,
        sent: PlainResult,
        now: Time,
    ) -> (SendResult, SendResult) {
        let PlainResult { to, result, parts, .. } = sent;
        // The address where the peer is dialed now: it may have been found elsewhere on this
        // machine.
        let row_addr = self.peers.addr(peer_id);
        let has_moved = row_addr.is_some_and(|addr| addr != dialed);
        let nothing_sent = matches!(result, SendResult::Failed(_)) && parts.0 == 0;
        if nothing_sent || to == dialed && !has_moved {
            return (result.clone(), result);
        }
        let is_of_another = self.peers.legacy_at(to).is_some_and(|other| other != peer_id);
        if has_moved && row_addr != Some(to) || is_of_another {
            // The peer was found elsewhere since, so another peer is here and the result shows
            // nothing of it; or no peer listens at its first address, and another peer has the
            // second.
            let shown = if to == dialed { SendError::Cancelled } else { SendError::Refused };
            return (SendResult::Failed(shown), SendResult::Astray(to));
        }
        if to != dialed && result.is_taken() {
            self.peers.found_at(peer_id, to);
            self.follows(Recipient::Address(to), peer_id, now);
        }
        (result.clone(), result)
    }

    /// Takes what a receipt says about sessions. Returns what the peer promised, now or before.
    fn takes_promise(
        &mut self,
        peer_id: Recipient,
        dialed: PeerAddr,
        purpose: Purpose,
        capability: Option<Capability>,
        now: Time,
    ) -> Option<Capability> {
        let Some(promise) = capability else {
            // A peer with a full queue gives no receipt. That does not take its promise back.
            return self.peers.promised(peer_id).filter(|_| purpose.is_question());
        };
        if !self.leaving && self.trust.may_be_listed(peer_id) {
            self.add_peer(peer_id, dialed, PeerOrigin::SentTo, now);
        }
        self.peers.promises(peer_id, promise);
        Some(promise)
    }

    /// A peer has read something of ours unencrypted and promised no session. Returns its identity.
    fn reads_plain(&mut self, peer_id: Recipient, now: Time) -> Recipient {
        if self.book().protocol_of(peer_id) != PeerProtocol::Unknown {
            return peer_id;
        }
        let legacy = self.found_legacy(peer_id, now);
        self.announce(legacy, now);
        legacy
    }

    /// Whether a session may be tried with a peer that has none yet. While the program ends, only
    /// for a message, which must not be sent unencrypted for that.
    fn can_speak_otherwise(&self, peer_id: Recipient, purpose: Purpose) -> bool {
        let is_wanted = !self.leaving || matches!(purpose, Purpose::Ask);
        is_wanted && !matches!(self.book().protocol_of(peer_id), PeerProtocol::Session(_))
    }

    /// Makes a legacy peer of a recipient that has read a message of ours and promised no session.
    /// The messages for its address are now for this peer. Returns its identity.
    fn found_legacy(&mut self, id: Recipient, now: Time) -> Recipient {
        let plain = match id {
            Recipient::Address(addr) => addr.plain(),
            Recipient::Peer(_) => None,
        };
        let legacy = plain.map_or(id, |addr| protocol::plain::peer_at(addr).into());
        self.becomes(id, legacy, now);
        let at_addr = self.book().dialed_at(legacy).map(Recipient::Address);
        if let Some(at_addr) =
            at_addr.filter(|at_addr| self.peers.knows(*at_addr) && !self.peers.knows(legacy))
        {
            // What spoke to us from there, and has said nothing yet, is this peer.
            self.becomes(at_addr, legacy, now);
        }
        self.peers.took_plain(legacy);
        // A p2p-chat peer whose mailbox is full gives no receipt. A peer that claims to listen
        // there is dialed.
        if let Some(addr) = self.peers.addr(legacy)
            && let Some(key) = self.peers.key_online_at(addr)
        {
            self.check_claim_of_any(key, addr, now);
        }
        legacy
    }

    /// Gives an unproven address to a legacy peer.
    pub(super) fn becomes(&mut self, id: Recipient, legacy: Recipient, now: Time) {
        let Recipient::Address(addr) = id else { return };
        self.peers.becomes(id, legacy);
        self.follows(id, legacy, now);
        let who = self.book().who(legacy);
        self.tell(Event::ProvenAt(addr, who));
    }

    /// Gives the messages, requests and commands for an unproven address to the peer that proved
    /// itself there.
    pub(super) fn follows(&mut self, from: Recipient, to: Recipient, now: Time) {
        if to.public_key().is_none() {
            let is_contact = self.book().is_contact(from);
            let moved = self.outbox.rebind(from, to, None, now);
            self.carry_out(now);
            if moved.is_direct || is_contact {
                self.make_contact(to);
                self.release(to, now);
            }
        }
        self.jobs.rebind(from, to);
        self.operations.rename(from, to);
        self.move_conversation(from, to);
    }

    /// Whether the result of a probe or an acknowledgement is to be ignored: the address belongs to
    /// a peer with a key now, and the result shows nothing of that peer.
    fn is_superseded(&self, id: Recipient, at: PeerAddr, purpose: Purpose) -> bool {
        let is_unasked = matches!(purpose, Purpose::Ack | Purpose::Probe(_));
        let is_awaited = self.peers.knows(id) || self.outbox.count(id) > 0;
        is_unasked && matches!(id, Recipient::Address(_)) && !is_awaited && self.peers.is_listed_at(at)
    }

    /// Records what a result shows of a peer. A peer that took something of ours at `at` gets a row
    /// if it has none.
    pub(super) fn observe(
        &mut self,
        peer_id: Recipient,
        at: Option<PeerAddr>,
        result: &SendResult,
        evidence: ProbeResult,
        now: Time,
    ) {
        let taken = result.is_taken();
        let spoke = taken && evidence != ProbeResult::Dialed;
        if let Some(at) = at.filter(|_| spoke && !self.leaving && self.trust.may_be_listed(peer_id)) {
            // A legacy peer may have been found there and listed since.
            if peer_id.public_key().is_some() || self.peers.legacy_at(at).is_none() {
                self.add_peer(peer_id, at, PeerOrigin::SentTo, now);
            }
        }
        let is_claimed = self.is_claimed(peer_id);
        let news = self.peers.observed(peer_id, result, evidence, is_claimed, now);
        self.tell_presence(news);
        // The messages for a key are tried when its session opens.
        if spoke && peer_id.public_key().is_none() {
            let name = self.book().who(peer_id).name;
            self.outbox.spoke(peer_id, name.as_ref(), now);
        }
    }
}
