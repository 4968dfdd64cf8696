//! The end of a request for a session: what it shows of the peer, and what follows for the command,
//! the messages or the probe that it was made for.
//!
//! A key that proves itself where another was expected gets nothing and changes nothing; the user
//! is told once.

use std::time::Duration;

use super::State;
use super::event::{Event, Output};
use super::ids::{JobId, OpId};
use super::jobs::Purpose;
use super::meeting::Env;
use super::outbox::RouteAnswer;
use super::outcome::Outcome;
use super::presence::{Probe, ProbeResult};
use super::time::Time;
use crate::model::address::PeerAddr;
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use crate::model::key::PublicKey;
use crate::model::message::{Outgoing, SendError, SendResult};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{ByeReason, RequestEnd};

/// How long a peer may have us wait before we send again what it could not store.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// The number of no command: commands are numbered from 1.
const NO_COMMAND: OpId = OpId(0);

/// What became of a [`SessionRequest`](super::SessionRequest).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestEnded {
    /// The address that was tried last, if there is any.
    pub addr: Option<PeerAddr>,
    /// How many of the messages may have reached the peer, counted from the first.
    pub written: usize,
    /// How it ended.
    pub end: RequestEnd,
}

impl State {
    /// Handles the end of a request. Its session was reported before, if there was one, and so were
    /// the receipts.
    pub fn request_ended(&mut self, job: JobId, ended: RequestEnded, env: Env, now: Time) -> Vec<Output> {
        let RequestEnded { addr, written, end } = ended;
        let Some(ended_job) = self.jobs.end(job) else { return Vec::new() };
        let outcome = Outcome::of(job, ended_job, addr, end);
        self.notes_what_is_there(&outcome, now);
        if self.connects_unencrypted(&outcome) {
            return self.done();
        }
        self.tells_proven_key(&outcome, now);
        if let Purpose::Batch(key) = outcome.purpose {
            self.batch_ended(key, &outcome, written, env, now);
        }
        self.probe_limiter.end(job, outcome.end == RequestEnd::Unreachable(SendError::NoResources), now);
        self.peers.job_ended(outcome.peer_id, outcome.purpose, &outcome.seen(), now);
        if let (Some(Err(_)), Some(at)) = (outcome.proven, outcome.at) {
            self.peers.has_refused_key(at, now);
        }
        self.tells_refusal(&outcome);
        self.notes_presence(&outcome, now);
        match outcome.purpose {
            Purpose::Probe(_) => self.probed(outcome.peer_id, job, &outcome.seen()),
            Purpose::Ask => self.ask_ended(&outcome, now),
            Purpose::Connect(op) | Purpose::Exit(op) => self.command_ended(op, &outcome),
            Purpose::Message(_) | Purpose::Ack | Purpose::Greet | Purpose::Discovered | Purpose::Batch(_) => {
            }
        }
        // What waits for a peer that turns us away does not wait for it to be online.
        let takes_more = outcome.was_met() && !matches!(outcome.end, RequestEnd::Bye(_));
        match outcome.peer_id.public_key().filter(|_| takes_more) {
            Some(key) => self.here_again(key, now),
            None => self.serve_due(now),
        }
        // The goodbye goes behind the messages that have waited for this.
        self.attempted(job, outcome.peer_id, outcome.was_met());
        if outcome.is_discovered() {
            self.dial_discovered(now);
        }
        self.settle_watches(now);
        self.done()
    }

    /// Notes what the end of a request shows of the address, and of the key that was expected
    /// there.
    fn notes_what_is_there(&mut self, outcome: &Outcome, now: Time) {
        let Outcome { asked_for, expect, at, ref end, .. } = *outcome;
        let is_proven = outcome.proven.is_some();
        match (end, expect, at) {
            // Anyone can announce someone else's key, so this says nothing about either peer.
            (RequestEnd::WrongKey(_), ..) if outcome.is_discovered() => {}
            (RequestEnd::WrongKey(proven), Some(expected), Some(at)) => {
                self.peers.broke_promise(asked_for);
                self.wrong_key(expected, *proven, at, outcome);
            }
            // Another program had promised the key, and the legacy peer is back.
            (RequestEnd::NoSession, ..) if matches!(asked_for, Recipient::Peer(PeerId::Legacy(_))) => {
                self.peers.broke_promise(asked_for);
            }
            // No answer to the opening line may be silence, which takes no promise back.
            (RequestEnd::NoSession, ..) => self.peers.left_promise_open(asked_for),
            _ => {}
        }
        if let Some(key) = expect {
            if outcome.is_discovered() {
                self.discovery.dialed(key, is_proven, end, now);
            }
            if let Some(at) = at {
                self.peers.looked_for(key, at, is_proven, end);
            }
        }
    }

    /// Sends `connect` unencrypted if a key was there once, and a legacy program may be there now.
    /// `connect` contains nothing that only the key may read. Returns whether it is sent.
    fn connects_unencrypted(&mut self, outcome: &Outcome) -> bool {
        let Outcome { asked_for, purpose, .. } = *outcome;
        let may_be_legacy = outcome.end == RequestEnd::NoSession
            && outcome.expect.is_none()
            && !outcome.follows_receipt
            && !self.trust.is_only_encrypted(asked_for);
        let is_sent = may_be_legacy && matches!(purpose, Purpose::Connect(_)) && !self.leaving;
        if is_sent {
            let id = asked_for.addr().map_or(asked_for, |addr| self.peers.plain_id(addr));
            self.peers.want(id);
            self.send_plain(id, purpose, Outgoing::Connect, None);
        }
        is_sent
    }

    /// Tells the user of the key that was proven: that its peer accepts us again, or that it is
    /// new.
    fn tells_proven_key(&mut self, outcome: &Outcome, now: Time) {
        if outcome.is_accepted()
            && let Some(who) = self.peers.accepted_us(outcome.peer_id)
        {
            self.tell(Event::AcceptsAgain(who));
        }
        if outcome.is_another() {
            // A key answered where a legacy peer was asked, and nothing is known of that one.
            let seen = SendResult::Unanswered;
            self.peers.job_ended(outcome.asked_for, outcome.purpose, &seen, now);
            if let Purpose::Probe(_) = outcome.purpose {
                self.probed(outcome.asked_for, outcome.job, &seen);
            }
        }
        match outcome.peer_id.public_key() {
            Some(_) if outcome.refusal().is_some() && self.peers.is_key_untold(outcome.peer_id) => {
                self.peers.was_not_announced(outcome.peer_id);
            }
            Some(key) => self.tell_key_of_known(key),
            None => {}
        }
    }

    /// Tells the user that the peer does not accept us, unless something else tells it.
    fn tells_refusal(&mut self, outcome: &Outcome) {
        let peer_id = outcome.peer_id;
        let Some(reason) = outcome.refusal() else { return };
        let is_told = match outcome.purpose {
            // The attempt to send what waits follows.
            Purpose::Ask => self.outbox.count(peer_id) > 0,
            // The result of the command follows.
            Purpose::Connect(op) => !self.peers.is_key_untold(peer_id) && self.operations.is_direct(op),
            _ => false,
        };
        if is_told {
            self.peers.turned_away(peer_id, reason);
        } else {
            self.turned_away(peer_id, reason);
        }
    }

    /// Notes what the end of a request shows of the presence of the peer.
    fn notes_presence(&mut self, outcome: &Outcome, now: Time) {
        let Outcome { peer_id, asked_for, .. } = *outcome;
        let was_met = outcome.was_met();
        // A peer that dialed us is there, even if it cannot be dialed.
        let has_session = self.peers.has_session(asked_for);
        let is_check = outcome.is_check() && has_session;
        if is_check {
            self.peers.was_dialed(asked_for, was_met);
        }
        if outcome.end == RequestEnd::Bye(ByeReason::Leaves) {
            return self.parts(peer_id, now);
        }
        let is_goodbye = matches!(outcome.purpose, Purpose::Exit(_));
        let is_unwelcome = matches!(outcome.proven, Some(Err(_)));
        let is_connect = has_session && matches!(outcome.purpose, Purpose::Connect(_));
        let shows_nothing = !was_met && (is_check || is_connect || outcome.is_discovered());
        if is_goodbye || is_unwelcome || shows_nothing {
            return;
        }
        let parted_since = self.peers.has_left_since(peer_id, outcome.job);
        let says_hello = was_met && outcome.purpose != Purpose::Probe(Probe::Dial);
        // A peer that refuses us is running, also if it said goodbye a moment ago, as one that
        // blocks us does.
        let refuses = outcome.refusal().is_some() && !self.peers.is_disconnected(peer_id);
        let is_online = says_hello && (refuses || !parted_since);
        let evidence = if is_online { ProbeResult::TookConnect } else { ProbeResult::Dialed };
        self.observe(peer_id, outcome.at, &outcome.seen(), evidence, now);
        if says_hello && parted_since {
            self.disconnects_again(peer_id, outcome.expect);
        }
    }

    /// Gives the messages that wait for an address to the key there, or says why they wait on. What
    /// was asked for a legacy peer is not the key's, and waits for the user.
    fn ask_ended(&mut self, outcome: &Outcome, now: Time) {
        let Outcome { peer_id, asked_for, .. } = *outcome;
        match peer_id.public_key().filter(|_| outcome.was_met()) {
            Some(_) if outcome.is_another() => {
                self.outbox.hold_for_user(asked_for, now);
                self.carry_out(now);
            }
            // A session that was open before, and in which the key was met at the address a moment
            // ago, was not reported.
            Some(key) if asked_for != peer_id => {
                if let Some(addr) = asked_for.addr() {
                    self.proves(addr, key, now);
                }
            }
            Some(_) => {}
            None => {
                let result = outcome.result(|key| self.trust.is_unknown(key));
                self.outbox.answered(asked_for, RouteAnswer::Failed(result), now);
                self.serve(asked_for, now);
            }
        }
    }

    /// Gives a command the result of its `connect` or goodbye. A peer that the user connected to by
    /// name or address is a contact from now on.
    fn command_ended(&mut self, op: OpId, outcome: &Outcome) {
        let result = outcome.result(|key| self.trust.is_unknown(key));
        let is_wanted = matches!(outcome.purpose, Purpose::Connect(_)) && self.operations.is_direct(op);
        if let Some(key) = outcome.peer_id.public_key()
            && is_wanted
            && result == SendResult::Delivered
        {
            self.make_key_contact(key);
            if let Some(at) = outcome.at.filter(|at| self.operations.was_typed(op, *at)) {
                self.trust.give_addr(key, at);
            }
        }
        self.finished(op, outcome.peer_id, result);
    }

    /// Notes which messages of a batch were sent.
    fn batch_ended(&mut self, key: PublicKey, outcome: &Outcome, written: usize, env: Env, now: Time) {
        self.outbox.batch_ended(key, written, &outcome.batch_end(), now, env.jitter);
        if let RequestEnd::NotStored(retry_after) = outcome.end {
            let wait = Duration::from_secs(retry_after.into()).min(LONGEST_RETRY_AFTER);
            self.outbox.wait_until(Recipient::key(key), now.plus(wait));
        }
        self.carry_out(now);
    }

    /// Says goodbye in a session to a peer that the user disconnected from while we introduced
    /// ourselves: it knows our key by now, so it ignores an unencrypted goodbye. One goodbye is
    /// enough if it is queued behind the introduction: a second one would need another connection,
    /// and the hello on it would list us as online again.
    fn disconnects_again(&mut self, id: Recipient, introduced_to: Option<PublicKey>) {
        let is_queued = introduced_to.is_some_and(|key| self.jobs.says_goodbye_to(key));
        if self.peers.is_disconnected(id) && !is_queued {
            self.say_goodbye(id, NO_COMMAND, None);
        }
    }

    /// Another key answered than the one expected. It gets nothing and changes nothing; the user is
    /// told once of each such pair of keys. That a stranger is no longer at its address is no news
    /// unless the user wants something of it.
    fn wrong_key(&mut self, expected: PublicKey, proven: PublicKey, addr: PeerAddr, outcome: &Outcome) {
        let is_stranger = self.trust.pin(expected).is_some_and(|pin| !pin.contact);
        let is_wanted =
            matches!(outcome.purpose, Purpose::Connect(_)) || self.outbox.count(Recipient::key(expected)) > 0;
        if is_stranger && !is_wanted {
            return;
        }
        if self.notices.misled(expected, proven) {
            let who = self.book().who(Recipient::key(expected));
            let is_contact = self.trust.pin(proven).is_some_and(|pin| pin.contact && !pin.blocked);
            let by = is_contact.then(|| Box::new(self.book().who(Recipient::key(proven))));
            let is_pinned = self.trust.pin(expected).is_some();
            self.tell(match is_pinned || outcome.asked_for.public_key().is_none() {
                true => Event::Misled { who: is_pinned.then_some(who), addr, promised: expected, proven, by },
                // Only an announcement says where an unknown key is.
                false => Event::WrongAnnouncement { who, addr, by },
            });
        }
    }

    /// Tells the user once that a peer does not accept us, until it does.
    fn turned_away(&mut self, peer_id: Recipient, reason: ByeReason) {
        // The status of a message may have told it just now.
        let of_message = match reason {
            ByeReason::NotDecided => Some(DeliveryStatus::Queued(PendingReason::NotAcceptedYet)),
            ByeReason::NotAccepted => Some(DeliveryStatus::Failed(FailureReason::NotAccepted)),
            _ => None,
        };
        let is_told = of_message.is_some_and(|status| self.tells_status(peer_id, &status));
        if self.peers.turned_away(peer_id, reason) && !is_told {
            let who = self.book().who(peer_id);
            let new_key = peer_id.public_key().filter(|_| self.peers.take_untold_key(peer_id));
            self.tell(Event::TurnedAway(who, reason, new_key));
        }
    }

    /// Whether this step tells the user that a message to a peer has this status: a failure is
    /// shown even if it is not the first status.
    fn tells_status(&self, id: Recipient, of_message: &DeliveryStatus) -> bool {
        let is_failure = matches!(of_message, DeliveryStatus::Failed(_));
        self.outputs.iter().any(|output| {
            matches!(output, Output::Tell(Event::Delivery { who, status, is_first, .. })
                if who.id == id && status == of_message && (*is_first || is_failure))
        })
    }
}
