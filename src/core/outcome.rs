//! Results of what was sent, and when a command is done.

use super::event::{Event, JobId, OpId, Output};
use super::operations::{LateGoodbye, Probed};
use super::peers::{Peer, PeerOrigin};
use super::presence::{Presence, PresenceChange, Probe, ProbeResult, REFUSAL_REPEAT};
use super::time::Time;
use super::{Job, Purpose, RouteAnswer, State};
use crate::model::address::PeerAddr;
use crate::model::delivery::{DeliveryStatus, FailureReason};
use crate::model::key::PublicKey;
use crate::model::message::{Outgoing, PeerProtocol, SendError, SendResult};
use crate::model::peer_id::Recipient;
use crate::model::session::Say;
use crate::protocol;

/// What became of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Which one.
    pub job: JobId,
    /// The address that was dialed in the end: the one asked for, or the fallback.
    pub to: PeerAddr,
    /// What became of it; of a text in parts, the worst.
    pub result: SendResult,
    /// How many parts were sent, and how many there are.
    pub parts: (usize, usize),
    /// The key that its receipt promised: it can be spoken to in encryption.
    pub capability: Option<PublicKey>,
}

impl State {
    /// Takes note of what became of something sent.
    pub fn sent(&mut self, sent: Sent, now: Time) -> Vec<Output> {
        let Sent { job, to, mut result, parts, capability } = sent;
        let Some(Job { mut peer_id, dialed, purpose, .. }) = self.jobs.remove(&job) else {
            return Vec::new();
        };
        let taken = matches!(result, SendResult::Delivered | SendResult::HandedOver);
        if self.is_superseded(peer_id, dialed, purpose) {
            self.probe_limiter.end(dialed.share(), now);
            self.attempted(job, peer_id, false);
            self.settle_watches(now);
            return self.done();
        }
        let nothing_sent = matches!(result, SendResult::Failed(_)) && parts.0 == 0;
        let mut seen = result.clone();
        // The address where the peer is dialed now: it may have been found elsewhere on this
        // machine.
        let row_addr = self.peers.peer(peer_id).map(|peer| peer.addr);
        let has_moved = row_addr.is_some_and(|addr| addr != dialed);
        if !nothing_sent && (to != dialed || has_moved) {
            let other = self.peers.legacy_at(to).map(|peer| peer.id).filter(|other| *other != peer_id);
            if let Some(other) = other {
                self.observe(other, &result, ProbeResult::Dialed, now);
            }
            if has_moved && row_addr != Some(to) || other.is_some() {
                // The peer was found elsewhere since, so another peer is here and the result shows
                // nothing of it; or no peer listens at its first address, and another peer has the
                // second.
                seen =
                    SendResult::Failed(if to == dialed { SendError::Cancelled } else { SendError::Refused });
                result = SendResult::Astray(to);
            } else if taken && to != dialed {
                self.found_at(peer_id, to);
            }
        }
        let is_question =
            matches!(purpose, Purpose::Probe(Probe::Connect) | Purpose::Connect(_) | Purpose::Ask);
        if let Some(key) = capability.filter(|_| taken) {
            if !self.leaving && self.may_be_listed(peer_id) {
                self.peers.add(peer_id, dialed, PeerOrigin::SentTo, Presence::of_heard(now));
                self.note_queued(peer_id);
            }
            self.peers.update(peer_id, |peer| peer.promised = Some(key));
        }
        // A full queue gives no receipt, which takes nothing back.
        let before = self.peers.peer(peer_id).and_then(|peer| peer.promised).filter(|_| is_question);
        // What was on its way when one of us said goodbye shows no more than a probe, and nothing follows from it.
        let parted_since = self.peers.peer(peer_id).is_some_and(|peer| job.0 <= peer.parted_after);
        let may_greet =
            !parted_since || !matches!(purpose, Purpose::Probe(_) | Purpose::Ack | Purpose::Message(_));
        let promised = capability
            .or(before)
            .filter(|_| taken && may_greet && self.can_speak_otherwise(peer_id, purpose));
        if let Some(key) = promised.filter(|_| is_question) {
            // It was only the question; the same is said again in encryption, and what follows from that follows.
            self.promised(peer_id, to, key, purpose);
            self.operations.goes_on(job, JobId(self.last_job));
            return self.done();
        }
        let evidence = match purpose {
            Purpose::Exit(_) => None,
            // An acknowledgement that was taken shows that somebody serves the address, as any text does.
            Purpose::Message(_) | Purpose::Ack => Some(ProbeResult::TookMessage),
            Purpose::Connect(_) | Purpose::Probe(Probe::Connect) | Purpose::Ask => {
                Some(ProbeResult::TookConnect)
            }
            Purpose::Probe(Probe::Dial) | Purpose::Greet | Purpose::Batch(_) => Some(ProbeResult::Dialed),
        };
        if matches!(purpose, Purpose::Probe(_) | Purpose::Ack) {
            // Where this machine had nothing to dial with, the next would fare no better at once.
            let had_none = seen == SendResult::Failed(SendError::NoResources);
            self.probe_limiter.end(dialed.share(), if had_none { now.plus(REFUSAL_REPEAT) } else { now });
        }
        self.over(peer_id, purpose, &seen, now);
        if let Some(evidence) = evidence {
            let evidence = if parted_since { ProbeResult::Dialed } else { evidence };
            self.lists(peer_id, to, &seen, evidence, now);
            self.observe(peer_id, &seen, evidence, now);
        }
        if let Purpose::Probe(_) = purpose {
            self.probed(peer_id, job, &seen);
        }
        // Who got it instead lists us now as well as anybody.
        let reached = match result {
            SendResult::Astray(_) => self.plain_id(to),
            _ => peer_id,
        };
        let gives_receipts = self.peers.peer(peer_id).is_some_and(|peer| peer.gives_receipts);
        let result = match (purpose, result) {
            (Purpose::Message(_), SendResult::HandedOver) if gives_receipts => SendResult::NoReceipt,
            (_, result) => result,
        };
        let says_something = matches!(
            purpose,
            Purpose::Message(_)
                | Purpose::Ack
                | Purpose::Connect(_)
                | Purpose::Probe(Probe::Connect)
                | Purpose::Ask
        );
        // A peer that takes a message without a receipt may be the key that is there, with a full
        // mailbox.
        let is_key_there = self.is_key_there(to);
        if let Some(key) = promised {
            // Texts may wait behind the one that has shown it.
            let waits = self.outbox.asks(peer_id);
            let purpose = if waits { Purpose::Ask } else { Purpose::Greet };
            self.promised(peer_id, to, key, purpose);
        } else if taken
            && capability.is_none()
            && says_something
            && !is_key_there
            && self.protocol_of(peer_id) == PeerProtocol::Unknown
        {
            peer_id = self.is_plain(peer_id);
            self.announce(peer_id, now);
        }
        match purpose {
            Purpose::Message(id) => self.message_sent(peer_id, id, result, parts, now),
            Purpose::Connect(op) | Purpose::Exit(op) => self.finished(op, peer_id, result),
            Purpose::Ask => {
                let is_known = taken && !is_key_there;
                let answer = if is_known { RouteAnswer::Plain } else { RouteAnswer::Failed(result) };
                self.answered(peer_id, answer, now);
            }
            _ => {}
        }
        // The goodbye goes behind the texts that have waited for this.
        self.attempted(job, reached, taken);
        self.settle_watches(now);
        self.done()
    }

    /// Something is no longer under way: tells the presence of the peer whether it was probed.
    pub(super) fn over(&mut self, peer_id: Recipient, purpose: Purpose, seen: &SendResult, now: Time) {
        let showed_nothing =
            matches!(seen, SendResult::Failed(SendError::NoResources | SendError::Cancelled));
        self.peers.update(peer_id, |peer| match purpose {
            Purpose::Probe(_) => {
                peer.presence.probe_ended(now);
                if showed_nothing {
                    peer.presence.probe_later(now.plus(REFUSAL_REPEAT));
                }
            }
            Purpose::Ack => {
                peer.acking = false;
                peer.presence.unasked();
            }
            Purpose::Message(_) | Purpose::Connect(_) | Purpose::Ask | Purpose::Greet | Purpose::Batch(_) => {
                peer.presence.unasked();
            }
            Purpose::Exit(_) => {}
        });
    }

    /// Whether somebody may be spoken to in another way than now: in encryption. Who leaves does so only for a text, which must not go out
    /// in plain because of that.
    fn can_speak_otherwise(&self, peer_id: Recipient, purpose: Purpose) -> bool {
        let is_wanted = !self.leaving || matches!(purpose, Purpose::Ask);
        is_wanted && !matches!(self.protocol_of(peer_id), PeerProtocol::Session(_))
    }

    /// It listens where it claims to, and speaks from elsewhere on this machine.
    fn found_at(&mut self, id: Recipient, to: PeerAddr) {
        self.peers.update(id, |peer| {
            peer.speaks_from = Some(peer.addr.source());
            peer.moves_to(to);
            peer.claimed = peer.claimed.filter(|claimed| claimed.ip != to.ip());
        });
        self.follows(Recipient::Address(to), id);
    }

    /// Makes a legacy peer of a recipient that has read a message of ours and named no key. The
    /// messages for its address are now for this peer. Returns its identity.
    fn is_plain(&mut self, id: Recipient) -> Recipient {
        let plain = match id {
            Recipient::Address(addr) => addr.plain(),
            Recipient::Peer(_) => None,
        };
        let legacy = plain.map_or(id, |addr| protocol::plain::peer_at(addr).into());
        self.becomes(id, legacy);
        let at_addr = self.dialed_at(legacy).map(Recipient::Address);
        if let Some(at_addr) = at_addr.filter(|at_addr| self.knows(*at_addr) && !self.knows(legacy)) {
            // What spoke to us from there, and has said nothing yet, is this peer.
            self.becomes(at_addr, legacy);
        }
        let addr = self.peers.update(legacy, |peer| {
            peer.is_plain = true;
            if let Some(name) = peer.introduced_as.take() {
                peer.name = Some(name);
            }
            peer.addr
        });
        // A p2p-chat peer whose mailbox is full gives no receipt. A peer that claims to listen
        // there is dialed.
        let claims =
            |peer: &Peer| peer.id.public_key().filter(|_| peer.is_there() && Some(peer.addr) == addr);
        let claimed_by = self.peers.rows().find_map(claims);
        if let (Some(key), Some(addr)) = (claimed_by, addr) {
            self.check_claim(key, addr);
        }
        legacy
    }

    /// Gives an unproven address to a legacy peer.
    pub(super) fn becomes(&mut self, id: Recipient, legacy: Recipient) {
        let Recipient::Address(addr) = id else { return };
        if !self.peers.rekey(id, legacy) {
            self.peers.remove(id);
        }
        self.follows(id, legacy);
        let who = self.who(legacy);
        self.tell(Event::ProvenAt(addr, who));
    }

    /// Moves the jobs for an unproven address to the peer that proved itself there.
    pub(super) fn follows(&mut self, from: Recipient, to: Recipient) {
        if to.public_key().is_none() {
            self.outbox.rebind(from, to, None, Time::default());
            self.carry_out(Time::default());
        }
        for job in self.jobs.values_mut().filter(|job| job.peer_id == from) {
            // A message that is being sent unencrypted still belongs to the address.
            if to.public_key().is_none() || !matches!(job.purpose, Purpose::Message(_)) {
                job.peer_id = to;
            }
        }
        self.operations.rename(from, to);
    }

    /// Whether the result of a probe or an acknowledgement is to be ignored: the address belongs to
    /// a peer with a key now, and the result shows nothing of that peer.
    fn is_superseded(&self, id: Recipient, at: PeerAddr, purpose: Purpose) -> bool {
        let is_unasked = matches!(purpose, Purpose::Ack | Purpose::Probe(_));
        let is_awaited = self.knows(id) || self.outbox.count(id) > 0;
        is_unasked && matches!(id, Recipient::Address(_)) && !is_awaited && self.is_listed(at)
    }

    /// Lists a peer that has just taken something of ours at an address.
    pub(super) fn lists(
        &mut self,
        id: Recipient,
        at: PeerAddr,
        result: &SendResult,
        evidence: ProbeResult,
        now: Time,
    ) {
        let taken = matches!(result, SendResult::Delivered | SendResult::HandedOver);
        // The peer may have been found there and listed since.
        let is_listed = id.public_key().is_none() && self.peers.legacy_at(at).is_some();
        if taken && evidence != ProbeResult::Dialed && !self.leaving && !is_listed && self.may_be_listed(id) {
            self.peers.add(id, at, PeerOrigin::SentTo, Presence::of_heard(now));
            self.note_queued(id);
        }
    }

    /// Whether a peer may be given a row because of something that was under way: not if the user has
    /// blocked or forgotten its key meanwhile.
    fn may_be_listed(&self, id: Recipient) -> bool {
        let is_pinned = |pin: &super::Pin| !pin.blocked;
        id.public_key().is_none() || self.pinned(id).is_some_and(is_pinned)
    }

    /// What a fate shows about the peer.
    pub(super) fn observe(
        &mut self,
        peer_id: Recipient,
        result: &SendResult,
        evidence: ProbeResult,
        now: Time,
    ) {
        let taken = matches!(result, SendResult::Delivered | SendResult::HandedOver);
        let change = self.peers.update(peer_id, |peer| match result {
            SendResult::Delivered | SendResult::HandedOver | SendResult::NoReceipt => {
                peer.gives_receipts |= *result == SendResult::Delivered;
                let change = peer.presence.answered(evidence, now);
                if peer.is_there() {
                    peer.last_heard = Some(now);
                }
                change
            }
            SendResult::Failed(SendError::Refused) => peer.presence.refused(now),
            SendResult::Failed(SendError::NoResources | SendError::Cancelled) => PresenceChange::None,
            SendResult::Unanswered | SendResult::Broken | SendResult::Astray(_) | SendResult::Failed(_) => {
                peer.presence.unanswered(now)
            }
        });
        match change {
            Some(PresenceChange::Offline(why)) => self.went(peer_id, why),
            Some(_) => self.announce(peer_id, now),
            None => {}
        }
        if taken && evidence != ProbeResult::Dialed {
            let name = self.who(peer_id).name;
            self.outbox.spoke(peer_id, name.as_ref(), now);
        }
        if *result == SendResult::Failed(SendError::Refused) {
            // Whoever listens there next may be another program, and what one taught us is deadly to another.
            self.peers.update(peer_id, |peer| {
                if !peer.is_there() {
                    peer.forgets_program();
                }
            });
        }
    }

    /// A probe of a peer is over: tells the commands that wait for it.
    pub(super) fn probed(&mut self, peer_id: Recipient, job: JobId, result: &SendResult) {
        let peer = self.peers.peer(peer_id);
        let probed = Probed {
            was_asked: !matches!(result, SendResult::Failed(SendError::NoResources | SendError::Cancelled)),
            is_doubtful: peer.is_some_and(|peer| peer.presence.is_doubtful()),
            is_unannounced: peer.is_some_and(|peer| peer.is_there() && !peer.told),
        };
        self.operations.probed(peer_id, job, probed);
    }

    /// An attempt to reach a peer is over. A peer that is reached while we leave is told goodbye.
    pub(super) fn attempted(&mut self, job: JobId, peer_id: Recipient, taken: bool) {
        let goodbye = self.operations.attempted(job, taken);
        self.say_late_goodbye(peer_id, goodbye);
    }

    /// A peer has got to know our key. If we leave, it believes no unencrypted goodbye any more.
    pub(super) fn leaves_again(&mut self, peer_id: Recipient) {
        // Behind a queued message, the goodbye waits for the message.
        if !self.outbox.is_asking(peer_id) {
            let goodbye = self.operations.introduced();
            self.say_late_goodbye(peer_id, goodbye);
        }
    }

    fn say_late_goodbye(&mut self, peer_id: Recipient, goodbye: Option<LateGoodbye>) {
        if let Some(LateGoodbye { op, deadline }) = goodbye {
            self.say_goodbye(peer_id, op, Some(deadline));
        }
    }

    /// Says goodbye to a peer in the way that it is spoken to. To somebody who was never asked, in plain, as they spoke to us.
    pub(super) fn say_goodbye(&mut self, peer_id: Recipient, op: OpId, deadline: Option<Time>) {
        if self.postpones(peer_id, op, deadline) {
            return;
        }
        let purpose = Purpose::Exit(op);
        match self.protocol_of(peer_id) {
            PeerProtocol::Session(_) => {
                if !self.talk(peer_id, purpose, Say::Bye, deadline) {
                    self.finished(op, peer_id, SendResult::Failed(SendError::NoRoute));
                }
            }
            _ if self.is_only_encrypted(peer_id) => drop(self.talk(peer_id, purpose, Say::Bye, deadline)),
            _ => self.transmit(peer_id, purpose, Outgoing::Exit, deadline),
        }
    }
}

/// What the result of a `connect` or a goodbye means in a summary.
pub(super) fn status_of(result: &SendResult) -> DeliveryStatus {
    match result {
        SendResult::Delivered => DeliveryStatus::Delivered,
        SendResult::HandedOver => DeliveryStatus::Sent,
        SendResult::Astray(addr) => DeliveryStatus::Failed(FailureReason::ReachedAnother(Some(*addr))),
        SendResult::Failed(failure) => DeliveryStatus::Failed(FailureReason::NotSent(failure.clone())),
        SendResult::NoReceipt | SendResult::Unanswered | SendResult::Broken => DeliveryStatus::Unknown,
    }
}
