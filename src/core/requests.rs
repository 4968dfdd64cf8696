//! Requests to the network: unencrypted messages, sessions and probes, and what the end of one
//! means for the peer it was for.

use super::State;
use super::event::{Output, PlainRequest, SessionRequest};
use super::ids::JobId;
use super::jobs::{Job, Purpose};
use super::operations::Probed;
use super::peers::ProbeStart;
use super::presence::Probe;
use super::time::Time;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::{Capability, Outgoing, SendResult};
use crate::model::peer_id::Recipient;
use crate::model::session::Request;

impl State {
    /// Sends something unencrypted. Returns no job if the recipient has no address, which only a
    /// peer with a key may lack.
    pub(super) fn send_plain(
        &mut self,
        peer_id: Recipient,
        purpose: Purpose,
        message: Outgoing,
        deadline: Option<Time>,
    ) -> Option<JobId> {
        let to = self.book().dialed_at(peer_id)?;
        let job = self.jobs.begin(peer_id, Some(to), purpose, None);
        let fallback = self.peers.fallback(peer_id).filter(|addr| !self.own_addrs.contains(*addr));
        let form = self.peers.form(peer_id);
        self.act(Output::Plain(PlainRequest { job, to, fallback, form, message, deadline }));
        Some(job)
    }

    /// Says something in a session with a recipient. A peer with a key is dialed at every address
    /// it may have, and has to prove its key.
    pub(super) fn request(
        &mut self,
        id: Recipient,
        purpose: Purpose,
        say: Request,
        deadline: Option<Time>,
    ) -> JobId {
        let mut addrs = id.public_key().map(|key| self.book().addrs_of(key)).unwrap_or_default();
        if addrs.is_empty() {
            addrs.extend(self.book().dialed_at(id));
        }
        self.request_at(id, addrs, id.public_key(), purpose, say, deadline)
    }

    /// The same at these addresses only, with the key that has to be proven there.
    pub(super) fn request_at(
        &mut self,
        id: Recipient,
        addrs: Vec<PeerAddr>,
        expect: Option<PublicKey>,
        purpose: Purpose,
        say: Request,
        deadline: Option<Time>,
    ) -> JobId {
        let job = self.jobs.begin(id, addrs.first().copied(), purpose, expect);
        self.act(Output::Session(SessionRequest { job, addrs, expect, say, deadline }));
        job
    }

    /// Handles a peer that claims to listen at an address that has a row or messages of its own.
    /// Dials it there: both are the peer's only if it proves its key.
    pub(super) fn check_claim(&mut self, key: PublicKey, addr: PeerAddr) {
        let is_asked =
            |job: &Job| job.dialed == Some(addr) && job.expect == Some(key) && job.purpose == Purpose::Greet;
        if !self.jobs.iter().any(|(_, job)| is_asked(job)) && !self.leaving {
            let purpose = Purpose::Greet;
            self.request_at(Recipient::key(key), vec![addr], Some(key), purpose, Request::Open, None);
        }
    }

    /// The same for a peer that may be a stranger, whose claim makes us dial only now and then.
    pub(super) fn check_claim_of_any(&mut self, key: PublicKey, addr: PeerAddr, now: Time) {
        let is_free = self.book().is_contact(Recipient::key(key)) || self.is_wanted(addr);
        if is_free || self.probe_limiter.dial_stranger(&[addr], now).is_ok() {
            self.check_claim(key, addr);
        }
    }

    /// Whether the user configured an address, or messages wait for the peer there.
    fn is_wanted(&self, addr: PeerAddr) -> bool {
        let rows = [Some(Recipient::Address(addr)), self.peers.legacy_at(addr)];
        let is_wanted = |id: Recipient| self.peers.is_configured(id) || self.outbox.count(id) > 0;
        rows.into_iter().flatten().any(is_wanted)
    }

    /// Counts the dial of a probe that is due, if it is a session dial to a stranger.
    ///
    /// # Errors
    /// When to probe instead, if an address of the stranger was dialed just now.
    pub(super) fn dial_for_probe(&mut self, id: Recipient, now: Time) -> Result<(), Time> {
        let is_dialed = !self.peers.has_session(id) && !self.operations.lists(id);
        let Some(key) = id.public_key().filter(|_| is_dialed && !self.book().is_contact(id)) else {
            return Ok(());
        };
        let mut addrs = self.book().addrs_of(key);
        addrs.retain(|addr| !self.is_wanted(*addr));
        self.probe_limiter.dial_stranger(&addrs, now)
    }

    /// Sees whether a contact that opened a session, and was not dialed yet, can be dialed.
    pub(super) fn check_dialable(&mut self, id: Recipient) {
        if let (Some(key), Some(addr)) = (id.public_key(), self.peers.undialed_addr(id)) {
            self.check_claim(key, addr);
        }
    }

    /// A receipt has promised sessions. One is tried at the address that promised them, and nowhere
    /// else.
    pub(super) fn promised(
        &mut self,
        id: Recipient,
        at: PeerAddr,
        promise: Capability,
        purpose: Purpose,
    ) -> JobId {
        let job = self.request_at(id, vec![at], promise.key(), purpose, Request::Open, None);
        self.jobs.follows_receipt(job);
        job
    }

    /// A probe of a peer is over: tells the commands that wait for it.
    pub(super) fn probed(&mut self, peer_id: Recipient, job: JobId, result: &SendResult) {
        let probed = Probed {
            was_asked: result.was_dialed(),
            is_doubtful: self.peers.is_doubtful(peer_id),
            is_unannounced: self.peers.is_unannounced(peer_id),
        };
        self.operations.probed(peer_id, job, probed);
    }

    pub(super) fn probe(&mut self, peer_id: Recipient, probe: Probe, deadline: Option<Time>, now: Time) {
        let Some(start) = self.peers.probe_begins(peer_id) else { return };
        if let Recipient::Address(addr) = peer_id
            && let Some(key) = self.peers.key_online_at(addr)
        {
            // An earlier check of the claim may have failed because a machine was busy.
            self.check_claim_of_any(key, addr, now);
        }
        let ProbeStart { wants_ping, has_left, prefix } = start;
        // A hello would undo a goodbye. Whether a program listens there is all that matters.
        let is_bare = has_left && probe == Probe::Dial && !wants_ping;
        let is_question = !is_bare && self.peers.take_question(peer_id);
        let probe = if is_question { Probe::Connect } else { probe };
        let purpose = Purpose::Probe(probe);
        let promise = self.peers.untried_promise(peer_id).filter(|_| probe == Probe::Dial && !is_bare);
        let job = if self.trust.is_only_encrypted(peer_id) && !is_bare {
            let say = if probe == Probe::Connect { Request::Open } else { Request::Ping };
            Some(self.request(peer_id, purpose, say, deadline))
        } else if let Some((promise, at)) = promise.zip(self.book().dialed_at(peer_id)) {
            // An earlier session may have failed because a machine was busy.
            Some(self.promised(peer_id, at, promise, purpose))
        } else {
            let message = match probe {
                Probe::Connect => Outgoing::Connect,
                Probe::Dial if wants_ping => Outgoing::Ping,
                Probe::Dial => Outgoing::Probe,
            };
            self.send_plain(peer_id, purpose, message, deadline)
        };
        if let Some(job) = job {
            self.probe_limiter.begin(job, prefix);
        }
    }
}
