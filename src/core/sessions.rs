//! Sessions: open, alive, with receipts, and over; and what became of each request for one.
//!
//! A key that proves itself where another was expected gets nothing and changes nothing; the user
//! is told once.

use std::net::IpAddr;
use std::time::Duration;

use super::State;
use super::event::{Event, JobId, OpId, Output};
use super::jobs::{Job, Purpose};
use super::meeting::Env;
use super::outbox::{BatchEnd, RouteAnswer};
use super::presence::{Probe, ProbeResult};
use super::time::Time;
use super::trust::{Meeting, Policy};
use crate::model::address::{PeerAddr, Source};
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use crate::model::key::PublicKey;
use crate::model::message::{MessageId, Outgoing, SendError, SendResult};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{ByeReason, Introduction, RequestEnd};

/// How long a peer may have us wait before we send again what it could not store.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// How often the user is told at most that one contact wants to compare safety numbers. It takes
/// longer than that to compare them.
pub(super) const VERIFY_TOLD_EVERY: Duration = Duration::from_secs(60);

/// The number of no command: commands are numbered from 1.
const NO_COMMAND: OpId = OpId(0);

/// A session in which the peer has proven its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionUp {
    /// The key.
    pub key: PublicKey,
    /// What the peer says about itself; `None` if it said so earlier in the same session.
    pub hello: Option<Introduction>,
    /// Where we dialed it, or where its hello claims that it listens.
    pub addr: PeerAddr,
    /// Where the connection comes from.
    pub source: Source,
    /// We dialed it.
    pub dialed: bool,
}

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
    /// Handles a session that is open: dialed because of the request `job`, or accepted.
    ///
    /// # Errors
    /// Why the peer is not welcome. The session is closed with this reason.
    pub fn session_up(
        &mut self,
        job: Option<JobId>,
        up: SessionUp,
        env: Env,
        now: Time,
    ) -> (Result<(), ByeReason>, Vec<Output>) {
        let (key, opened) = (up.key, up.hello.is_some());
        if !self.closed {
            self.meets_introduced(key, env.date, now);
        }
        let welcome = match job {
            None if self.closed => Err(ByeReason::NoRoom),
            None => self.accepts(up, env, now),
            Some(id) => match self.jobs.end(id) {
                // Its request was over before the peer answered. The session is open all the same.
                None if up.hello.is_some() && !self.closed => self.accepts(up, env, now),
                None => Ok(()),
                Some(job) => {
                    let (key, addr, is_session) = (up.key, up.addr, up.hello.is_some());
                    let welcome = self.met_at(&job, up, env, now);
                    match welcome {
                        Ok(id) if is_session => {
                            self.peers.session_opened(id, true);
                            self.greeted(id, now);
                        }
                        // It has proven its key, which shows that it is there, before a ping in its
                        // slow session may show that it is not.
                        Ok(id) if self.peers.is_online(id) => {
                            self.observe(id, None, &SendResult::Delivered, ProbeResult::Dialed, now);
                        }
                        _ => {}
                    }
                    if welcome.is_err() {
                        self.peers.refuses(key, addr);
                    }
                    let met = Some((addr, welcome.map_err(|_| key)));
                    // Without a hello, the end of the request shows what the peer wants of us.
                    let pinned = if is_session { None } else { self.take_pinned(Recipient::key(key)) };
                    self.jobs.goes_on(id, Job { met, pinned, ..job });
                    welcome.map(drop)
                }
            },
        };
        if self.discovery.knows(key) {
            self.peers.mark_on_lan(Recipient::key(key));
        }
        if welcome.is_ok() && opened && !self.closed {
            self.send_introductions(key, env.date);
        }
        (welcome, self.done())
    }

    /// Handles a peer that calls itself something else from now on. It listens at `addr`, as it
    /// says.
    pub fn peer_renamed(
        &mut self,
        key: PublicKey,
        name: PeerName,
        addr: PeerAddr,
        source: Source,
        env: Env,
        now: Time,
    ) -> Vec<Output> {
        let id = Recipient::key(key);
        if self.knows(id) && !self.closed {
            let before = self.who(id).name;
            let (name, date) = (Some(name), env.date);
            let meeting = Meeting { id: PeerId::Key(key), name, addr, dialed: false, source, date };
            // It was welcome before; if it is not under this name, its messages are refused.
            let is_welcome = self.meets(key, meeting, now).is_ok();
            let who = self.who(id);
            if is_welcome && who.name != before {
                self.tell(Event::Renamed(who));
            }
        }
        self.done()
    }

    /// Handles a peer that says where else it listens from now on.
    pub fn peer_listens_at(&mut self, key: PublicKey, addrs: Vec<PeerAddr>, now: Time) -> Vec<Output> {
        let id = Recipient::key(key);
        if self.is_contact(id) {
            self.peers.listens_also(id, self.dialable(id, addrs));
            self.serve_due(now);
        }
        self.done()
    }

    /// Returns those of the further addresses that a peer claims at which it may be dialed: none of
    /// a stranger, so that strangers cannot make us dial others; and of a contact no loopback or
    /// link-local ones, which mean another machine here, unless the contact is at that very IP.
    fn dialable(&self, id: Recipient, mut also: Vec<PeerAddr>) -> Vec<PeerAddr> {
        if !self.is_contact(id) {
            return Vec::new();
        }
        let is_at = self.peers.addr(id).map(PeerAddr::ip);
        also.retain(|addr| is_at == Some(addr.ip()) || !addr.is_local());
        also
    }

    /// Handles a peer that says that it has a session with another program, which uses our key, at
    /// `ip`. Tells the user once. Only contacts are believed: any stranger can say this.
    pub fn identity_in_use(&mut self, key: PublicKey, ip: IpAddr) -> Vec<Output> {
        let is_blocked = self.trust.pin(key).is_some_and(|pin| pin.blocked);
        let is_believed = self.is_contact(Recipient::key(key)) && !is_blocked;
        if is_believed && !std::mem::replace(&mut self.told_in_use, true) {
            self.tell(Event::IdentityInUse(ip));
        }
        self.done()
    }

    /// Handles a peer whose user wants to compare safety numbers. The user is told of contacts
    /// only, so that no stranger can ask for attention.
    pub fn asks_to_verify(&mut self, key: PublicKey, now: Time) -> Vec<Output> {
        let id = Recipient::key(key);
        let is_blocked = self.trust.pin(key).is_some_and(|pin| pin.blocked);
        if self.is_contact(id) && !is_blocked && !self.closed && self.verifies(key, now) {
            let who = self.who(id);
            self.tell(Event::AsksToVerify(who));
        }
        self.done()
    }

    /// Notes that the user compares safety numbers with a peer, which need not ask for it within
    /// the next minute. Returns whether that was not noted already.
    pub(super) fn verifies(&mut self, key: PublicKey, now: Time) -> bool {
        // Each entry stays for a minute, and only contacts and the user make one.
        self.told_to_verify.retain(|_, at| now.since(*at) < VERIFY_TOLD_EVERY);
        let is_new = !self.told_to_verify.contains_key(&key);
        if is_new {
            self.told_to_verify.insert(key, now);
        }
        is_new
    }

    /// Handles a session that the peer dialed.
    fn accepts(&mut self, up: SessionUp, env: Env, now: Time) -> Result<(), ByeReason> {
        let SessionUp { key, hello, addr, source, dialed } = up;
        let was_known = self.knows(Recipient::key(key));
        let (name, also) = hello.map_or((None, Vec::new()), |hello| (Some(hello.name), hello.also));
        let meeting = Meeting { id: PeerId::Key(key), name, addr, dialed, source, date: env.date };
        if self.dials_named(key, addr, now) {
            // Our own session takes the place of this one.
            return Err(ByeReason::Replaced);
        }
        let met = self.meets(key, meeting, now).map(|id| {
            if !was_known {
                self.leaves_again(id, addr);
            }
            self.peers.is_seen_at(id, addr);
            let claims = [addr].into_iter().chain(self.dialable(id, also)).collect();
            self.peers.listens_also(id, claims);
            self.peers.session_opened(id, dialed);
            self.greeted(id, now);
            self.here_again(key, now);
            let why_refused = self.peers.refusal_of(id);
            if self.is_contact(id) && why_refused != Some(ByeReason::NotAccepted) {
                // Whether it can be dialed is known before its session ends.
                self.check_claim(key, addr);
            }
            if why_refused.is_some() {
                // Perhaps it accepts us now.
                self.probe(id, Probe::Dial, None, now);
            }
        });
        if met.is_err() {
            self.peers.refuses_claim(key, addr);
        }
        self.settle_watches(now);
        met
    }

    /// Handles a sign of life in a session: a ping, or its answer.
    pub fn session_alive(&mut self, key: PublicKey, now: Time) -> Vec<Output> {
        let id = Recipient::key(key);
        if self.knows(id) && !self.closed {
            self.greeted(id, now);
            self.send_next_part(key);
            // A program whose peers all have sessions wakes up for nothing else.
            self.refresh_seen(now);
            self.settle_watches(now);
        }
        self.done()
    }

    /// Handles a session that is over: the peer said why, or it broke.
    pub fn session_down(&mut self, key: PublicKey, bye: Option<ByeReason>, now: Time) -> Vec<Output> {
        let id = Recipient::key(key);
        self.introductions.session_down(key);
        if self.knows(id) && !self.closed {
            match bye {
                Some(ByeReason::Leaves) => self.parts(id, now),
                Some(_) => self.peers.session_closed(id, now),
                None => self.peers.session_lost(id, now),
            }
            // There may be room for another discovered stranger now.
            self.dial_discovered(now);
        }
        self.done()
    }

    /// Handles receipts for messages to a key.
    pub fn receipts(&mut self, key: PublicKey, ids: &[MessageId], now: Time) -> Vec<Output> {
        self.outbox.receipts(key, ids, now);
        self.carry_out(now);
        self.done()
    }

    /// Handles the end of a request. Its session was reported before, if there was one, and so were
    /// the receipts.
    pub fn request_ended(&mut self, job: JobId, ended: RequestEnded, env: Env, now: Time) -> Vec<Output> {
        let Some(ended_job) = self.jobs.end(job) else { return Vec::new() };
        let Job { peer_id: asked_for, dialed, purpose, expect, follows_receipt, met, pinned } = ended_job;
        let RequestEnded { addr, written, end } = ended;
        // A session that was open before is not reported again, and its peer is welcome.
        let was_open = expect.filter(|_| end == RequestEnd::Answered).map(|key| Ok(Recipient::key(key)));
        let welcome = met.map(|(_, welcome)| welcome).or(was_open);
        let reached = met.map(|(addr, _)| addr).or(addr);
        let was_met = welcome.is_some();
        let is_discovered = purpose == Purpose::Discovered;
        if let Some(key) = expect.filter(|_| is_discovered) {
            self.discovery.dialed(key, was_met);
        }
        // Anyone can announce someone else's key, so this says nothing about either peer.
        if let (RequestEnd::WrongKey(proven), Some(expected), Some(at), false) =
            (&end, expect, reached, is_discovered)
        {
            self.peers.broke_promise(asked_for);
            self.wrong_key(expected, *proven, at, purpose);
        }
        // No answer to the opening line may be silence, which takes no promise back. But if a
        // legacy peer was there, another program had promised the key, and the legacy peer is back.
        match (&end, asked_for) {
            (RequestEnd::NoSession, Recipient::Peer(PeerId::Legacy(_))) => {
                self.peers.broke_promise(asked_for);
            }
            (RequestEnd::NoSession, _) => self.peers.left_promise_open(asked_for),
            _ => {}
        }
        if let Some(key) = expect {
            if let Some(at) = reached {
                self.peers.looked_for(key, at, was_met, &end);
            }
        } else if end == RequestEnd::NoSession
            && matches!(purpose, Purpose::Connect(_))
            && !self.is_only_encrypted(asked_for)
            && !follows_receipt
            && !self.leaving
        {
            // A key was there once, and a legacy program may be there now. `connect` contains
            // nothing that only the key may read.
            let id = asked_for.addr().map_or(asked_for, |addr| self.peers.plain_id(addr));
            self.peers.want(id);
            self.send_plain(id, purpose, Outgoing::Connect, None);
            return self.done();
        }
        // An address has become the peer that proved itself there. On a connection that was kept to
        // another address, nothing is proven here.
        let is_here = reached == dialed || asked_for.public_key().is_some();
        let was_met = was_met && is_here;
        let peer_id = match welcome {
            Some(Ok(id)) if is_here => id,
            _ => asked_for,
        };
        // A peer that dialed us may still refuse us after our hello, unless it takes messages. The
        // answer to a check of its address does not say whether it accepts us.
        let is_check = is_discovered || purpose == Purpose::Greet && asked_for.public_key().is_some();
        if end == RequestEnd::Answered
            && (met.is_some() && !is_check || matches!(purpose, Purpose::Batch(_) | Purpose::Probe(_)))
            && let Some(who) = self.peers.accepted_us(peer_id)
        {
            self.tell(Event::AcceptsAgain(who));
        }
        let is_another = peer_id != asked_for && matches!(asked_for, Recipient::Peer(_));
        if is_another {
            // A key answered where a legacy peer was asked, and nothing is known of that one.
            self.met_another(asked_for, job, purpose, now);
        }
        let leaves = end == RequestEnd::Bye(ByeReason::Leaves);
        let is_refused_by_peer =
            matches!(end, RequestEnd::Bye(ByeReason::NotAccepted | ByeReason::NotDecided));
        if let Some((key, is_online)) = pinned {
            let id = Recipient::key(key);
            if is_refused_by_peer {
                self.peers.was_not_announced(id);
            } else {
                let who = self.who(id);
                self.tell(Event::Pinned { who, key, is_online });
            }
        }
        let result = match welcome {
            // The peer refused us before its hello, and nothing waits for the user here.
            Some(Err(key)) if is_refused_by_peer && self.trust.is_unknown(key) => result_of(&end),
            Some(Err(key)) => SendResult::Failed(SendError::NotTrusted(Box::new(key))),
            Some(Ok(_)) if !is_here => SendResult::Unanswered,
            _ => result_of(&end),
        };
        if let Purpose::Batch(key) = purpose {
            self.batch_ended(key, &end, written, env, now);
        }
        self.probe_limiter.end(job, end == RequestEnd::Unreachable(SendError::NoResources), now);
        let seen = if is_here { seen_of(&end, was_met) } else { SendResult::Unanswered };
        self.over(peer_id, if is_another { Purpose::Greet } else { purpose }, &seen, now);
        if let (Some(Err(_)), Some(at)) = (welcome, reached) {
            self.peers.has_refused_key(at, now);
        }
        let is_check = is_check && self.peers.has_session(asked_for);
        if is_check {
            self.peers.was_dialed(asked_for, was_met);
        }
        // The attempt to send what waits follows, and tells the user.
        let is_told = match purpose {
            Purpose::Ask => self.outbox.count(peer_id) > 0,
            // So does the result of the command.
            Purpose::Connect(op) => pinned.is_none() && self.operations.is_direct(op),
            _ => false,
        };
        match end {
            RequestEnd::Bye(reason @ ByeReason::NotDecided) if is_told => {
                self.peers.turned_away(peer_id, reason);
                if pinned.is_some() {
                    self.peers.key_is_untold(peer_id);
                }
            }
            RequestEnd::Bye(reason @ (ByeReason::NotAccepted | ByeReason::NotDecided)) => {
                self.turned_away(peer_id, reason, pinned.map(|(key, _)| key));
            }
            _ => {}
        }
        if leaves {
            self.parts(peer_id, now);
        } else if !matches!(purpose, Purpose::Exit(_))
            && !matches!(welcome, Some(Err(_)))
            && (was_met || !is_check && !is_discovered)
        {
            let parted_since = self.peers.has_left_since(peer_id, job);
            let says_hello = was_met && !matches!(purpose, Purpose::Probe(Probe::Dial));
            // A peer that refuses us is running, also if it said goodbye a moment ago, as one that
            // blocks us does.
            let refuses = is_refused_by_peer && !self.peers.is_disconnected(peer_id);
            let is_online = says_hello && (refuses || !parted_since);
            let evidence = if is_online { ProbeResult::TookConnect } else { ProbeResult::Dialed };
            self.observe(peer_id, reached, &seen, evidence, now);
            if says_hello && parted_since {
                self.disconnects_again(peer_id, expect);
            }
        }
        if let Purpose::Probe(_) = purpose {
            self.probed(peer_id, job, &seen);
        }
        match purpose {
            Purpose::Ask => {
                // What was asked for an address is the key's by now; what was asked for a legacy
                // peer is not, and waits for the user.
                match peer_id.public_key() {
                    Some(_) if was_met && is_another => {
                        self.outbox.hold_for_user(asked_for, now);
                        self.carry_out(now);
                    }
                    // A session that was open before was not reported, so nothing has given the
                    // messages for the address to its key yet.
                    Some(key) if was_met && asked_for != peer_id => self.binds(asked_for, key, now),
                    Some(_) if was_met => {}
                    _ => {
                        self.outbox.answered(asked_for, RouteAnswer::Failed(result), now);
                        self.serve(asked_for, now);
                    }
                }
            }
            Purpose::Connect(op) | Purpose::Exit(op) => {
                let added = peer_id.public_key().filter(|_| matches!(purpose, Purpose::Connect(_)));
                if let (Some(key), SendResult::Delivered, true) =
                    (added, &result, self.operations.is_direct(op))
                {
                    self.make_key_contact(key);
                    if let Some(at) = reached.filter(|at| self.operations.was_typed(op, *at)) {
                        self.trust.give_addr(key, at);
                    }
                }
                self.finished(op, peer_id, result);
            }
            _ => {}
        }
        // What waits for a peer that turns us away does not wait for it to be online.
        let turns_away = matches!(end, RequestEnd::Bye(_));
        if let Some(key) = peer_id.public_key().filter(|_| was_met && !turns_away) {
            self.here_again(key, now);
        } else {
            self.serve_due(now);
        }
        // The goodbye goes behind the messages that have waited for this.
        self.attempted(job, peer_id, was_met);
        if is_discovered {
            self.dial_discovered(now);
        }
        self.settle_watches(now);
        self.done()
    }

    /// A key answered where a legacy peer was asked. Of the legacy peer it shows nothing.
    fn met_another(&mut self, looked_for: Recipient, job: JobId, purpose: Purpose, now: Time) {
        let seen = SendResult::Unanswered;
        self.over(looked_for, purpose, &seen, now);
        if let Purpose::Probe(_) = purpose {
            self.probed(looked_for, job, &seen);
        }
    }

    /// Says goodbye in a session to a peer that the user disconnected from while we introduced
    /// ourselves: it knows our key by now, so it ignores an unencrypted goodbye. One goodbye is
    /// enough if it is queued behind the introduction: a second one would need another connection,
    /// and the hello on it would list us as online again.
    fn disconnects_again(&mut self, id: Recipient, introduced_to: Option<PublicKey>) {
        let is_queued = introduced_to.is_some()
            && self
                .jobs
                .iter()
                .any(|(_, job)| job.expect == introduced_to && matches!(job.purpose, Purpose::Exit(_)));
        if self.peers.is_disconnected(id) && !is_queued {
            self.say_goodbye(id, NO_COMMAND, None);
        }
    }

    /// A peer has proven a key where we dialed; without a hello, that is all it did. That is news
    /// unless the key was expected, had proven itself there, and is dialed there first. A stranger
    /// is remembered in later runs unless it was only discovered.
    fn met_at(&mut self, job: &Job, up: SessionUp, env: Env, now: Time) -> Result<Recipient, ByeReason> {
        let SessionUp { key, hello, addr, source, .. } = up;
        let id = Recipient::key(key);
        let asked_for = job.peer_id;
        let is_dialed_there = self.peers.addr(id) == Some(addr);
        let is_proven = || is_dialed_there && self.trust.proven_at(addr).any(|proven| proven == key);
        if hello.is_none() && asked_for.public_key().is_some() && is_proven() {
            return Ok(id);
        }
        let (name, also) = hello.map_or((None, None), |hello| (Some(hello.name), Some(hello.also)));
        let name = name.or_else(|| self.announced_name(key));
        let meeting = Meeting { id: PeerId::Key(key), name, addr, dialed: true, source, date: env.date };
        let is_named = self.is_named(job, key, addr) && !self.comes_from_blocked(key, &meeting);
        if is_named && matches!(job.purpose, Purpose::Connect(_)) {
            self.accept_waiting(key, now);
        }
        let has_name = meeting.name.is_some() || self.discovery.name(key).is_none();
        // Only its name can tell whether it is the contact at this address with a new key.
        let may_be_contact =
            meeting.name.is_none() && asked_for != id && self.trust.hinted_at(addr).next().is_some();
        let is_accepted = is_named && has_name && !may_be_contact && self.trust.welcome(&meeting);
        self.meets(key, meeting, now)?;
        if is_accepted {
            let who = self.who(id);
            self.tell(Event::Pinned { who, key, is_online: false });
        }
        if job.purpose != Purpose::Discovered && self.trust.keep(key) {
            self.seen(id);
        }
        if let Some(also) = also {
            self.peers.listens_also(id, self.dialable(id, also));
        }
        Ok(id)
    }

    /// Whether the user has named the peer that proves this key: by the key, or by the address at
    /// which it was dialed. The entries of a peers.toml in the working directory do not count.
    fn is_named(&self, job: &Job, key: PublicKey, addr: PeerAddr) -> bool {
        let connects = matches!(job.purpose, Purpose::Connect(op) if self.operations.is_direct(op));
        let is_typed = matches!(job.purpose, Purpose::Connect(op) if self.operations.was_typed(op, addr));
        match job.peer_id {
            Recipient::Address(at) => at == addr && (connects || self.is_named_address(at)),
            id => is_typed || connects && id == Recipient::key(key),
        }
    }

    /// Whether the address that an unknown key claims is dialed because the user has named it. Only
    /// that dial shows whether the key is the one that the user means. Begins it if it is not under
    /// way, which strangers can cause now and then.
    fn dials_named(&mut self, key: PublicKey, addr: PeerAddr, now: Time) -> bool {
        if self.trust.policy() == Policy::AcceptNew || !self.trust.is_unknown(key) || self.leaving {
            return false;
        }
        if self.jobs.iter().any(|(_, job)| job.dialed == Some(addr) && self.is_named(job, key, addr)) {
            return true;
        }
        let id = Recipient::Address(addr);
        let is_free = self.is_named_address(addr)
            && self.knows(id)
            && self.probe_limiter.dial_stranger(&[addr], now).is_ok();
        if is_free {
            self.probe(id, Probe::Connect, None, now);
        }
        is_free
    }

    /// Whether the user has configured an address at which no peer has proven itself, or written to
    /// it.
    fn is_named_address(&self, addr: PeerAddr) -> bool {
        let id = Recipient::Address(addr);
        (self.is_contact(id) || self.outbox.count(id) > 0) && !self.for_run.contains(&addr)
    }

    /// Returns the name that an unknown key announces on the local network, unless another peer is
    /// known by that name.
    fn announced_name(&self, key: PublicKey) -> Option<PeerName> {
        let is_free = |name: &&PeerName| self.trust.claimed_name(name).is_none();
        self.discovery.name(key).filter(|_| self.trust.is_unknown(key)).filter(is_free).cloned()
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

    /// Handles the end of a request to send messages.
    fn batch_ended(&mut self, key: PublicKey, ended: &RequestEnd, written: usize, env: Env, now: Time) {
        let end = match ended {
            RequestEnd::Answered => BatchEnd::Answered,
            RequestEnd::NoSession => BatchEnd::Held(PendingReason::NoSession),
            RequestEnd::WrongKey(_) => BatchEnd::Held(PendingReason::WrongKey),
            RequestEnd::Bye(ByeReason::NotAccepted) => BatchEnd::Refused(FailureReason::NotAccepted),
            RequestEnd::Bye(ByeReason::NotDecided) => BatchEnd::Held(PendingReason::NotAcceptedYet),
            RequestEnd::Bye(ByeReason::NoRoom) | RequestEnd::NotStored(_) => {
                BatchEnd::Held(PendingReason::NoRoom)
            }
            RequestEnd::Incompatible => BatchEnd::Held(PendingReason::Incompatible),
            RequestEnd::NotSecure => BatchEnd::Held(PendingReason::NotSecure),
            RequestEnd::Unreachable(_) | RequestEnd::Ourselves | RequestEnd::Bye(_) | RequestEnd::Broken => {
                BatchEnd::Held(PendingReason::Unreachable)
            }
        };
        self.outbox.batch_ended(key, written, &end, now, env.jitter);
        if let RequestEnd::NotStored(retry_after) = ended {
            let wait = Duration::from_secs((*retry_after).into()).min(LONGEST_RETRY_AFTER);
            self.outbox.wait_until(Recipient::key(key), now.plus(wait));
        }
        self.carry_out(now);
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
        let tells = |output: &Output| {
            // A failure is shown even if it is not the first status.
            matches!(output, Output::Tell(Event::Delivery { who, status, is_first, .. })
                if who.id == peer_id
                    && Some(status) == of_message.as_ref()
                    && (*is_first || matches!(status, DeliveryStatus::Failed(_))))
        };
        let is_told = self.actions.iter().any(tells);
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

/// What the end of a request shows of the peer: only one that has proven its key is online,
/// whatever program serves the address.
fn seen_of(end: &RequestEnd, was_met: bool) -> SendResult {
    match end {
        RequestEnd::Answered | RequestEnd::Bye(_) | RequestEnd::NotStored(_) => SendResult::Delivered,
        RequestEnd::Unreachable(failure) => SendResult::Failed(failure.clone()),
        RequestEnd::Broken if was_met => SendResult::Delivered,
        _ => SendResult::Unanswered,
    }
}
