//! The end of a request for a session: what it shows of the peer, and what follows for the command,
//! the messages or the probe that it was made for.
//!
//! A key that proves itself where another was expected gets nothing and changes nothing; the user
//! is told once.

use std::time::Duration;

use super::State;
use super::event::{Event, JobId, OpId, Output};
use super::jobs::{Job, Purpose};
use super::meeting::Env;
use super::outbox::{BatchEnd, RouteAnswer};
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

/// What the end of a request shows.
#[derive(Debug)]
struct Outcome {
    job: JobId,
    /// Whom the request was for.
    asked_for: Recipient,
    /// Whom the end shows something of: the peer that proved itself at the address that was asked
    /// for, or else the one that was asked for.
    peer_id: Recipient,
    purpose: Purpose,
    /// The key that had to be proven.
    expect: Option<PublicKey>,
    /// The receipt for a message of ours had promised the session.
    follows_receipt: bool,
    /// The key that was pinned with it, of which the user is not told yet, and whether its peer is
    /// online.
    pinned: Option<(PublicKey, bool)>,
    /// A session was opened for it.
    has_opened: bool,
    /// Who has proven a key, or the key if it is not accepted.
    proven: Option<Result<Recipient, PublicKey>>,
    /// Where the key was proven, or the address that was tried last.
    at: Option<PeerAddr>,
    /// That is what was asked for, and not another address, to which a connection was kept.
    is_here: bool,
    end: RequestEnd,
}

impl Outcome {
    fn of(id: JobId, job: Job, at: Option<PeerAddr>, end: RequestEnd) -> Self {
        let Job { peer_id: asked_for, dialed, purpose, expect, follows_receipt, met, pinned } = job;
        // A session that was open before is not reported again, and its peer is welcome.
        let was_open = expect.filter(|_| end == RequestEnd::Answered).map(|key| Ok(Recipient::key(key)));
        let proven = met.map(|(_, who)| who).or(was_open);
        let at = met.map(|(addr, _)| addr).or(at);
        let is_here = at == dialed || asked_for.public_key().is_some();
        let peer_id = match proven {
            Some(Ok(id)) if is_here => id,
            _ => asked_for,
        };
        let has_opened = met.is_some();
        Self {
            job: id,
            asked_for,
            peer_id,
            purpose,
            expect,
            follows_receipt,
            pinned,
            has_opened,
            proven,
            at,
            is_here,
            end,
        }
    }

    /// Whether a key was proven where it was asked for.
    fn was_met(&self) -> bool {
        self.proven.is_some() && self.is_here
    }

    /// Whether a key answered where a legacy peer was asked.
    fn is_another(&self) -> bool {
        self.peer_id != self.asked_for && matches!(self.asked_for, Recipient::Peer(_))
    }

    fn is_discovered(&self) -> bool {
        self.purpose == Purpose::Discovered
    }

    /// Whether it was only to show whether the peer can be dialed. The answer does not say whether
    /// the peer accepts us.
    fn is_check(&self) -> bool {
        self.is_discovered() || self.purpose == Purpose::Greet && self.asked_for.public_key().is_some()
    }

    /// Whether the peer accepts us. One that dialed us may still refuse us after our hello, unless
    /// it takes messages.
    fn is_accepted(&self) -> bool {
        let takes_messages = matches!(self.purpose, Purpose::Batch(_) | Purpose::Probe(_));
        self.end == RequestEnd::Answered && (takes_messages || self.has_opened && !self.is_check())
    }

    /// Why the peer does not accept us, if it does not.
    fn refusal(&self) -> Option<ByeReason> {
        match self.end {
            RequestEnd::Bye(reason @ (ByeReason::NotAccepted | ByeReason::NotDecided)) => Some(reason),
            _ => None,
        }
    }

    /// What it shows of the peer: only one that has proven its key is online, whatever program
    /// serves the address.
    fn seen(&self) -> SendResult {
        match &self.end {
            _ if !self.is_here => SendResult::Unanswered,
            RequestEnd::Answered | RequestEnd::Bye(_) | RequestEnd::NotStored(_) => SendResult::Delivered,
            RequestEnd::Unreachable(failure) => SendResult::Failed(failure.clone()),
            RequestEnd::Broken if self.was_met() => SendResult::Delivered,
            _ => SendResult::Unanswered,
        }
    }

    /// The result for the user. `is_unknown` says whether nothing is known of a key.
    fn result(&self, is_unknown: impl FnOnce(PublicKey) -> bool) -> SendResult {
        match self.proven {
            // A key that refused us before its hello does not wait for the user.
            Some(Err(key)) if self.refusal().is_none() || !is_unknown(key) => {
                SendResult::Failed(SendError::NotTrusted(Box::new(key)))
            }
            Some(Ok(_)) if !self.is_here => SendResult::Unanswered,
            _ => result_of(&self.end),
        }
    }

    /// What it means for the messages that it was to send.
    fn batch_end(&self) -> BatchEnd {
        BatchEnd::Held(match &self.end {
            RequestEnd::Answered => return BatchEnd::Answered,
            RequestEnd::Bye(ByeReason::NotAccepted) => return BatchEnd::Refused(FailureReason::NotAccepted),
            RequestEnd::NoSession => PendingReason::NoSession,
            RequestEnd::WrongKey(_) => PendingReason::WrongKey,
            RequestEnd::Bye(ByeReason::NotDecided) => PendingReason::NotAcceptedYet,
            RequestEnd::Bye(ByeReason::NoRoom) | RequestEnd::NotStored(_) => PendingReason::NoRoom,
            RequestEnd::Incompatible => PendingReason::Incompatible,
            RequestEnd::NotSecure => PendingReason::NotSecure,
            RequestEnd::Unreachable(_) | RequestEnd::Ourselves | RequestEnd::Bye(_) | RequestEnd::Broken => {
                PendingReason::Unreachable
            }
        })
    }
}

impl State {
    /// Handles the end of a request. Its session was reported before, if there was one, and so were
    /// the receipts.
    pub fn request_ended(&mut self, job: JobId, ended: RequestEnded, env: Env, now: Time) -> Vec<Output> {
        let RequestEnded { addr, written, end } = ended;
        let Some(ended_job) = self.jobs.end(job) else { return Vec::new() };
        let outcome = Outcome::of(job, ended_job, addr, end);
        self.learns_what_is_there(&outcome);
        if self.connects_unencrypted(&outcome) {
            return self.done();
        }
        self.tells_proven_key(&outcome, now);
        if let Purpose::Batch(key) = outcome.purpose {
            self.batch_ended(key, &outcome, written, env, now);
        }
        self.probe_limiter.end(job, outcome.end == RequestEnd::Unreachable(SendError::NoResources), now);
        let purpose = if outcome.is_another() { Purpose::Greet } else { outcome.purpose };
        self.peers.job_ended(outcome.peer_id, purpose, &outcome.seen(), now);
        if let (Some(Err(_)), Some(at)) = (outcome.proven, outcome.at) {
            self.peers.has_refused_key(at, now);
        }
        self.tells_refusal(&outcome);
        self.sees(&outcome, now);
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
    fn learns_what_is_there(&mut self, outcome: &Outcome) {
        let Outcome { asked_for, expect, at, ref end, .. } = *outcome;
        let is_proven = outcome.proven.is_some();
        match (end, expect, at) {
            // Anyone can announce someone else's key, so this says nothing about either peer.
            (RequestEnd::WrongKey(_), ..) if outcome.is_discovered() => {}
            (RequestEnd::WrongKey(proven), Some(expected), Some(at)) => {
                self.peers.broke_promise(asked_for);
                self.wrong_key(expected, *proven, at, outcome.purpose);
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
                self.discovery.dialed(key, is_proven);
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
        if let Some((key, is_online)) = outcome.pinned {
            let id = Recipient::key(key);
            if outcome.refusal().is_some() {
                self.peers.was_not_announced(id);
            } else {
                let who = self.who(id);
                self.tell(Event::Pinned { who, key, is_online });
            }
        }
    }

    /// Tells the user that the peer does not accept us, unless something else tells it.
    fn tells_refusal(&mut self, outcome: &Outcome) {
        let Outcome { peer_id, pinned, .. } = *outcome;
        let Some(reason) = outcome.refusal() else { return };
        let is_told = match outcome.purpose {
            // The attempt to send what waits follows.
            Purpose::Ask => self.outbox.count(peer_id) > 0,
            // The result of the command follows.
            Purpose::Connect(op) => pinned.is_none() && self.operations.is_direct(op),
            _ => false,
        };
        if is_told && reason == ByeReason::NotDecided {
            self.peers.turned_away(peer_id, reason);
            if pinned.is_some() {
                self.peers.key_is_untold(peer_id);
            }
        } else {
            self.turned_away(peer_id, reason, pinned.map(|(key, _)| key));
        }
    }

    /// Notes what the end of a request shows of the presence of the peer.
    fn sees(&mut self, outcome: &Outcome, now: Time) {
        let Outcome { peer_id, asked_for, .. } = *outcome;
        let was_met = outcome.was_met();
        // A peer that dialed us is there, even if it cannot be dialed.
        let is_check = outcome.is_check() && self.peers.has_session(asked_for);
        if is_check {
            self.peers.was_dialed(asked_for, was_met);
        }
        if outcome.end == RequestEnd::Bye(ByeReason::Leaves) {
            return self.parts(peer_id, now);
        }
        let is_goodbye = matches!(outcome.purpose, Purpose::Exit(_));
        let is_unwelcome = matches!(outcome.proven, Some(Err(_)));
        let shows_nothing = !was_met && (is_check || outcome.is_discovered());
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
            // A session that was open before was not reported, so nothing has given the messages
            // for the address to its key yet.
            Some(key) if asked_for != peer_id => self.binds(asked_for, key, now),
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
    fn wrong_key(&mut self, expected: PublicKey, proven: PublicKey, addr: PeerAddr, purpose: Purpose) {
        let is_stranger = self.trust.pin(expected).is_some_and(|pin| !pin.contact);
        let is_wanted =
            matches!(purpose, Purpose::Connect(_)) || self.outbox.count(Recipient::key(expected)) > 0;
        if is_stranger && !is_wanted {
            return;
        }
        if self.trust.is_misled(expected, proven) {
            let is_pinned = self.trust.pin(expected).is_some();
            let who = is_pinned.then(|| self.who(Recipient::key(expected)));
            let is_contact = self.trust.pin(proven).is_some_and(|pin| pin.contact && !pin.blocked);
            let by = is_contact.then(|| Box::new(self.who(Recipient::key(proven))));
            self.tell(Event::Misled { who, addr, promised: expected, proven, by });
        }
    }

    /// Tells the user once that a peer does not accept us, until it does. `pinned` is its key if
    /// that is new.
    fn turned_away(&mut self, peer_id: Recipient, reason: ByeReason, pinned: Option<PublicKey>) {
        // The status of a message may have told it just now.
        let of_message = match reason {
            ByeReason::NotDecided => Some(DeliveryStatus::Queued(PendingReason::NotAcceptedYet)),
            ByeReason::NotAccepted => Some(DeliveryStatus::Failed(FailureReason::NotAccepted)),
            _ => None,
        };
        let is_told = of_message.is_some_and(|status| self.outputs.has_status(peer_id, &status));
        if self.peers.turned_away(peer_id, reason) && !is_told {
            let who = self.who(peer_id);
            self.tell(Event::TurnedAway(who, reason, pinned));
        }
    }
}

/// The result of a request that ended like this, for the user.
fn result_of(end: &RequestEnd) -> SendResult {
    SendResult::Failed(match end {
        RequestEnd::Answered => return SendResult::Delivered,
        RequestEnd::Broken => return SendResult::Unanswered,
        RequestEnd::Unreachable(failure) => failure.clone(),
        RequestEnd::NoSession => SendError::NoSession,
        RequestEnd::WrongKey(_) => SendError::WrongKey,
        // The peer is not at our own address.
        RequestEnd::Ourselves => SendError::NoRoute,
        RequestEnd::Incompatible => SendError::Incompatible,
        RequestEnd::NotSecure => SendError::NotSecure,
        RequestEnd::Bye(reason) => SendError::TurnedAway(*reason),
        RequestEnd::NotStored(_) => SendError::TurnedAway(ByeReason::NoRoom),
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::protocol;

    const BOB: PublicKey = PublicKey::new([1; 32]);
    const EVE: PublicKey = PublicKey::new([2; 32]);

    fn at(port: u16) -> PeerAddr {
        PeerAddr::new(Ipv4Addr::LOCALHOST, port).unwrap()
    }

    /// A request to an address, with Bob's key expected there.
    fn to_address(purpose: Purpose) -> Job {
        Job {
            peer_id: Recipient::Address(at(1)),
            dialed: Some(at(1)),
            purpose,
            expect: Some(BOB),
            follows_receipt: true,
            met: None,
            pinned: None,
        }
    }

    fn ends(job: Job, end: RequestEnd) -> Outcome {
        Outcome::of(JobId(1), job, Some(at(1)), end)
    }

    #[test]
    fn peer_that_proved_itself_takes_the_place_of_the_address() {
        let met = Some((at(1), Ok(Recipient::key(BOB))));
        let outcome = ends(Job { met, ..to_address(Purpose::Ask) }, RequestEnd::Broken);
        assert_eq!(outcome.peer_id, Recipient::key(BOB));
        assert!(outcome.was_met() && !outcome.is_another());
        assert_eq!(outcome.seen(), SendResult::Delivered, "it is online");
        assert_eq!(outcome.result(|_| true), SendResult::Unanswered, "whatever became of the request");
    }

    #[test]
    fn open_session_is_that_of_the_expected_key() {
        assert!(ends(to_address(Purpose::Ask), RequestEnd::Answered).was_met());
        assert!(!ends(to_address(Purpose::Ask), RequestEnd::Broken).was_met());
    }

    #[test]
    fn kept_connection_to_another_address_shows_nothing() {
        let met = Some((at(2), Ok(Recipient::key(BOB))));
        let outcome = ends(Job { met, ..to_address(Purpose::Ask) }, RequestEnd::Answered);
        assert_eq!((outcome.peer_id, outcome.was_met()), (Recipient::Address(at(1)), false));
        assert_eq!(
            (outcome.seen(), outcome.result(|_| true)),
            (SendResult::Unanswered, SendResult::Unanswered)
        );
        let by_key = Job { met, peer_id: Recipient::key(BOB), ..to_address(Purpose::Ask) };
        assert!(ends(by_key, RequestEnd::Answered).was_met(), "a key may be anywhere");
    }

    #[test]
    fn key_in_place_of_legacy_peer_is_another() {
        let legacy = Recipient::from(protocol::plain::peer_at(at(1).plain().unwrap()));
        let met = Some((at(1), Ok(Recipient::key(BOB))));
        let job = Job { peer_id: legacy, met, ..to_address(Purpose::Ask) };
        assert!(ends(job, RequestEnd::Answered).is_another());
    }

    #[test]
    fn check_of_an_address_shows_no_acceptance() {
        let met = Some((at(1), Ok(Recipient::key(BOB))));
        for (purpose, peer_id, is_accepted) in [
            (Purpose::Greet, Recipient::key(BOB), false),
            (Purpose::Discovered, Recipient::key(BOB), false),
            (Purpose::Greet, Recipient::Address(at(1)), true),
            (Purpose::Batch(BOB), Recipient::key(BOB), true),
        ] {
            let outcome = ends(Job { met, peer_id, ..to_address(purpose) }, RequestEnd::Answered);
            assert_eq!(outcome.is_accepted(), is_accepted, "{purpose:?}");
        }
    }

    #[test]
    fn unwelcome_key_is_named_unless_it_refused_us_first() {
        let job = Job { met: Some((at(1), Err(EVE))), ..to_address(Purpose::Ask) };
        let not_trusted = SendResult::Failed(SendError::NotTrusted(Box::new(EVE)));
        let refused = ends(job, RequestEnd::Bye(ByeReason::NotAccepted));
        assert_eq!(refused.result(|_| false), not_trusted);
        assert_eq!(
            refused.result(|_| true),
            SendResult::Failed(SendError::TurnedAway(ByeReason::NotAccepted))
        );
        assert_eq!(ends(job, RequestEnd::Broken).result(|_| true), not_trusted);
    }
}
