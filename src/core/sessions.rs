//! Sessions: open, alive, with receipts, and over.

use std::net::IpAddr;

use super::State;
use super::event::{Event, Output};
use super::ids::JobId;
use super::jobs::{Job, Purpose};
use super::meeting::Env;
use super::presence::{Probe, ProbeResult};
use super::time::Time;
use super::trust::{Meeting, Policy};
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::{MessageId, SendResult};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{ByeReason, Introduction};

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
                        // slow session may show that it is not. Of a new key, the end of the
                        // request shows what its peer wants of us.
                        Ok(id) if self.peers.is_online(id) && !self.peers.is_key_untold(id) => {
                            self.observe(id, None, &SendResult::Delivered, ProbeResult::Dialed, now);
                        }
                        _ => {}
                    }
                    if welcome.is_err() {
                        self.peers.refuses(key, addr);
                    }
                    let met = Some((addr, welcome.map_err(|_| key)));
                    self.jobs.goes_on(id, Job { met, ..job });
                    welcome.map(drop)
                }
            },
        };
        if self.discovery.knows(key) {
            self.peers.mark_on_lan(Recipient::key(key));
        }
        if welcome.is_ok() && opened && !self.closed {
            self.tell_key_of_known(key);
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
        if self.peers.knows(id) && !self.closed {
            let before = self.book().who(id).name;
            let (name, date) = (Some(name), env.date);
            let meeting = Meeting { id: PeerId::Key(key), name, addr, dialed: false, source, date };
            // It was welcome before; if it is not under this name, its messages are refused.
            let is_welcome = self.meets(key, meeting, now).is_ok();
            let who = self.book().who(id);
            if is_welcome && who.name != before {
                self.tell(Event::Renamed(who));
            }
        }
        self.done()
    }

    /// Handles a peer that says where else it listens from now on.
    pub fn peer_listens_at(&mut self, key: PublicKey, addrs: Vec<PeerAddr>, now: Time) -> Vec<Output> {
        let id = Recipient::key(key);
        if self.book().is_contact(id) {
            self.peers.listens_also(id, self.book().dialable(id, addrs));
            self.serve_due(now);
        }
        self.done()
    }

    /// Handles a peer that says that it has a session with another program, which uses our key, at
    /// `ip`. Tells the user once. Only contacts are believed: any stranger can say this.
    pub fn identity_in_use(&mut self, key: PublicKey, ip: IpAddr) -> Vec<Output> {
        if self.book().is_friend(key) && self.notices.in_use() {
            self.tell(Event::IdentityInUse(ip));
        }
        self.done()
    }

    /// Handles a peer whose user wants to compare safety numbers. The user is told of contacts
    /// only, so that no stranger can ask for attention.
    pub fn asks_to_verify(&mut self, key: PublicKey, now: Time) -> Vec<Output> {
        if self.book().is_friend(key) && !self.closed && self.notices.compares(key, now) {
            let who = self.book().who(key.into());
            self.tell(Event::AsksToVerify(who));
        }
        self.done()
    }

    /// Handles a session that the peer dialed.
    fn accepts(&mut self, up: SessionUp, env: Env, now: Time) -> Result<(), ByeReason> {
        let SessionUp { key, hello, addr, source, dialed } = up;
        let was_known = self.peers.knows(Recipient::key(key));
        let (name, also) = hello.map_or((None, Vec::new()), |hello| (Some(hello.name), hello.also));
        let meeting = Meeting { id: PeerId::Key(key), name, addr, dialed, source, date: env.date };
        if self.dials_named(key, addr, now) {
            // Our own session takes the place of this one.
            return Err(ByeReason::Replaced);
        }
        if self.peers.is_just_disconnected(Recipient::key(key), now) {
            // It was being opened when the user disconnected.
            return Err(ByeReason::Leaves);
        }
        let met = self.meets(key, meeting, now).map(|id| {
            if !was_known {
                self.leaves_again(id, addr);
            }
            self.peers.is_seen_at(id, addr);
            let claims = [addr].into_iter().chain(self.book().dialable(id, also)).collect();
            self.peers.listens_also(id, claims);
            self.peers.session_opened(id, dialed);
            self.greeted(id, now);
            self.here_again(key, now);
            let why_refused = self.peers.refusal_of(id);
            if self.book().is_contact(id) && why_refused != Some(ByeReason::NotAccepted) {
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
        if self.peers.knows(id) && !self.closed {
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
        if self.peers.knows(id) && !self.closed {
            match bye {
                Some(ByeReason::Leaves) => self.parts(id, now),
                // A program that ends has no room, and a connection that should take the place of
                // this one may end with it.
                None | Some(ByeReason::NoRoom | ByeReason::Replaced) => self.peers.session_lost(id, now),
                Some(_) => self.peers.session_closed(id, now),
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
        let name = name.or_else(|| self.book().announced_name(key));
        let meeting = Meeting { id: PeerId::Key(key), name, addr, dialed: true, source, date: env.date };
        let is_named = self.is_named(job, key, addr) && !self.book().comes_from_blocked(key, &meeting);
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
            self.peers.key_is_untold(id);
        }
        if job.purpose != Purpose::Discovered && self.trust.keep(key) {
            self.seen(id);
        }
        if let Some(also) = also {
            self.peers.listens_also(id, self.book().dialable(id, also));
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
            && self.peers.knows(id)
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
        (self.book().is_contact(id) || self.outbox.count(id) > 0) && !self.for_run.contains(&addr)
    }
}
