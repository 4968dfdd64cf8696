//! Keys that are proven in sessions: whether each is welcome, its row, and what is bound to it.
//!
//! A recipient is written to in one way: unencrypted, in sessions with its key, or not known yet.
//! An address is dialed with the key expected. Only an address that we dialed, and where the key
//! proved itself, binds what waits for the address to that key; what a hello claims binds nothing.
//!
//! An unencrypted message in the name of a known key, or from the address where a contact with a
//! key is online, is shown as unproven and changes nothing.

use super::event::Event;
use super::outbox::Jitter;
use super::peer_info::PeerInfo;
use super::peers::{Goodbye, KeyFacts, ProvenAt};
use super::time::Time;
use super::trust::{ContactChange, Meeting, Pin, Refused, Trust, Verdict};
use super::{State, Verification};
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::Body;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::ByeReason;
use crate::model::stored::{Assurance, StoreOp};

/// What the core cannot know by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Env {
    /// The clock, in seconds since 1970.
    pub date: u64,
    /// A random number.
    pub jitter: Jitter,
}

impl State {
    /// Returns the changes of contacts since the last call, which have to be saved.
    pub fn take_contact_changes(&mut self) -> Vec<ContactChange> {
        self.notices.changes_taken();
        self.trust.take_changes()
    }

    /// Makes a key a contact: the user has written to it, added or configured it.
    pub(super) fn make_key_contact(&mut self, key: PublicKey) {
        let id = Recipient::key(key);
        let is_lasting = |pin: &Pin| pin.contact && !self.trust.is_for_run(key);
        let was_contact = self.trust.pin(key).is_some_and(is_lasting);
        let may_have_messages = self.trust.is_saved(key);
        if self.trust.make_contact(key) {
            self.peers.make_contact(id);
            if !was_contact && may_have_messages {
                self.write(StoreOp::Accept(PeerId::Key(key)));
            }
            if !was_contact && self.peers.is_online(id) {
                // It was met before anything was to be remembered of it.
                self.seen(id);
                self.check_dialable(id);
            }
        }
    }

    /// Makes a key a contact for this run: an entry of peers.toml that is not saved lists it.
    pub(super) fn make_key_contact_for_run(&mut self, key: PublicKey) {
        if self.trust.make_contact_for_run(key) {
            self.peers.make_contact(Recipient::key(key));
        }
    }

    /// Has the store remember that a peer was seen now, and where it is reached, if anything is
    /// remembered of the peer: it is a contact, or a message passed.
    pub(super) fn seen(&mut self, id: Recipient) {
        let Recipient::Peer(peer) = id else { return };
        let (name, addrs) = match peer {
            PeerId::Key(key) if !self.trust.is_saved(key) => return,
            PeerId::Key(key) => {
                let Some(pin) = self.trust.pin(key) else { return };
                (pin.name.clone(), pin.addrs.clone())
            }
            PeerId::Legacy(_) if !self.book().is_lasting_contact(id) => return,
            PeerId::Legacy(_) => (self.book().who(id).name, Vec::new()),
        };
        let contact = self.book().is_lasting_contact(id);
        self.write(StoreOp::Seen { peer, name, contact, addrs });
    }

    /// Handles a key that a peer has proven, in a session that either side dialed. Returns its row
    /// if the peer is welcome. Tells the user what is new.
    pub(super) fn meets(
        &mut self,
        key: PublicKey,
        meeting: Meeting,
        now: Time,
    ) -> Result<Recipient, ByeReason> {
        let (addr, dialed) = (meeting.addr, meeting.dialed);
        if self.book().comes_from_blocked(key, &meeting) {
            return Err(ByeReason::NotAccepted);
        }
        let (is_new, takes_name_of) = match self.judge(meeting, now) {
            Verdict::Known { takes_name_of } => (false, takes_name_of),
            Verdict::Pinned => (true, None),
            Verdict::Requested(_) | Verdict::Replaced(_) => return Err(ByeReason::NotDecided),
            Verdict::Refused(why) => {
                return Err(match why {
                    Refused::Ourselves | Refused::Blocked | Refused::Strict => ByeReason::NotAccepted,
                    Refused::Undecided => ByeReason::NotDecided,
                    Refused::NoRoom => ByeReason::NoRoom,
                });
            }
        };
        let id = self.row_for(key, addr, dialed, now).ok_or(ByeReason::NoRoom)?;
        if is_new {
            self.peers.key_is_untold(id);
        }
        let taken = takes_name_of.and_then(|other| self.trust.pin(other)?.name.clone());
        if let Some(name) = taken {
            let who = self.book().who(id);
            self.tell(Event::TakesName(who, name));
        }
        self.seen(id);
        Ok(id)
    }

    /// Tells the user of a new key whose peer they know to be online. They are told of any other
    /// new key when its peer is online.
    pub(super) fn tell_key_of_known(&mut self, key: PublicKey) {
        let id = Recipient::key(key);
        if !self.peers.is_unannounced(id) && self.peers.is_online(id) && self.peers.take_untold_key(id) {
            self.tell_pinned(key, false);
        }
    }

    pub(super) fn tell_pinned(&mut self, key: PublicKey, is_online: bool) {
        let id = Recipient::key(key);
        let (who, is_contact) = (self.book().who(id), self.book().is_contact(id));
        self.tell(Event::Pinned { who, key, is_online, is_contact });
    }

    /// Judges a peer that was met. Tells the user if the peer waits for their decision or is
    /// refused.
    pub(super) fn judge(&mut self, meeting: Meeting, now: Time) -> Verdict {
        let table = &self.peers;
        let is_live = |key| table.is_online(Recipient::key(key));
        let verdict = self.trust.met(meeting.clone(), &is_live);
        if let Some(more) = self.notices.more_requests(self.trust.requests().1, now) {
            self.tell(Event::MoreRequests(more));
        }
        match &verdict {
            Verdict::Requested(request) => self.tell(Event::PeerRequest(Box::new(self.request_now(request)))),
            Verdict::Replaced(request) => {
                if self.notices.replaced(now) {
                    self.tell(Event::PeerRequest(Box::new(self.request_now(request))));
                }
            }
            Verdict::Refused(Refused::Strict) => self.tell_refused(meeting),
            Verdict::Known { .. } | Verdict::Pinned | Verdict::Refused(_) => {}
        }
        verdict
    }

    /// Tells the user once of a stranger that the policy refuses, unless a block covers its name or
    /// address.
    fn tell_refused(&mut self, met: Meeting) {
        let is_blocked = self.trust.is_blocked_plain(met.addr, met.name.as_ref());
        if !is_blocked && self.trust.remember_refused(&met) {
            self.tell(Event::RefusedStranger(met));
        }
    }

    /// The row of a proven key. An address that only the peer's hello claims is dialed later, with
    /// the key expected; one that we dialed is proven to be the peer's.
    fn row_for(&mut self, key: PublicKey, addr: PeerAddr, dialed: bool, now: Time) -> Option<Recipient> {
        let id = Recipient::key(key);
        let at_addr = Recipient::Address(addr);
        let is_awaited = self.outbox.count(at_addr) > 0;
        let mut rows_there = [Some(at_addr), self.peers.legacy_at(addr)].into_iter().flatten();
        let configured = rows_there.find(|id| self.peers.is_configured(*id));
        let listed_at = configured.and_then(|id| self.peers.addr(id));
        let is_configured = listed_at.is_some();
        let at =
            if dialed { ProvenAt::Dialed(addr) } else { ProvenAt::Claimed { addr, is_free: !is_awaited } };
        if self.peers.met(key, at, now)? {
            self.operations.rename(at_addr, id);
        }
        self.peers.messages_wait(id, self.outbox.count(id));
        self.speaks_with(key, Some(now));
        if dialed {
            if let Some(listed_at) = listed_at.filter(|_| !self.trust.is_of_another(addr, key)) {
                // The first key at an address of peers.toml is the contact there.
                if self.for_run.contains(&listed_at) {
                    self.make_key_contact_for_run(key);
                } else {
                    self.make_key_contact(key);
                    self.trust.give_addr(key, addr);
                }
            }
            self.proves(addr, key, now);
        } else if is_awaited || is_configured || self.peers.legacy_at(addr).is_some() {
            self.check_claim_of_any(key, addr, now);
        }
        Some(id)
    }

    /// Handles a key that a peer has proven at an address we dialed. The messages for the address
    /// are its own from now on; those for a legacy peer there are not.
    pub(super) fn proves(&mut self, addr: PeerAddr, key: PublicKey, now: Time) {
        let (id, at_addr) = (Recipient::key(key), Recipient::Address(addr));
        self.peers.proved_itself_at(key, addr, now);
        self.follows(at_addr, id, now);
        let who = self.book().who(id);
        self.tell(Event::ProvenAt(addr, who));
        self.binds(at_addr, key, now);
        if let Some(legacy) = self.peers.legacy_at(addr) {
            // What is queued for the legacy peer waits for the user.
            self.outbox.hold_for_user(legacy, now);
            self.carry_out(now);
            let news = self.peers.replaced(legacy, key, self.jobs.last(), now);
            self.tell_presence(news);
        }
    }

    /// Records in its row what is known of a key. `heard_at` is given if the peer was heard of now.
    pub(super) fn speaks_with(&mut self, key: PublicKey, heard_at: Option<Time>) {
        let pin = self.trust.pin(key);
        let facts = KeyFacts {
            name: pin.and_then(|pin| pin.name.clone()),
            verified: self.trust.trust(key) == Trust::Verified,
            contact: pin.is_some_and(|pin| pin.contact),
        };
        self.peers.learn_key(key, facts, heard_at);
        self.remembers(key);
    }

    /// A peer with a key is online: what waits for it is sent at once.
    pub(super) fn here_again(&mut self, key: PublicKey, now: Time) {
        self.outbox.met(Recipient::key(key), now);
        self.serve_due(now);
    }

    /// A peer has greeted us and sent nothing else. A greeting that was on its way when the user
    /// disconnected from the peer does not bring it back.
    pub(super) fn greeted(&mut self, id: Recipient, now: Time) {
        if !self.peers.is_just_disconnected(id, now) {
            self.hears(id, now);
        }
    }

    /// Something arrived from a peer in a session.
    pub(super) fn hears(&mut self, peer_id: Recipient, now: Time) {
        let news = self.peers.heard_session(peer_id, now);
        self.tell_presence(news);
        self.operations.heard_from(peer_id);
    }

    /// A peer has said goodbye in a session.
    pub(super) fn parts(&mut self, peer_id: Recipient, now: Time) {
        let news = self.peers.said_goodbye(peer_id, Goodbye::Session, self.jobs.last(), now);
        self.tell_presence(news);
    }

    /// Whether an unencrypted message claims the name of a peer with a known key, or comes from
    /// where a contact with a key is online. Its text, if it has one, is shown as unproven.
    pub(super) fn is_unproven(
        &mut self,
        source: Source,
        addr: PeerAddr,
        name: Option<&PeerName>,
        body: &Body,
        cut: bool,
    ) -> bool {
        // Elsewhere an address is only a hint, and another program may have it now.
        let is_here = |key: &PublicKey| self.peers.is_online_at(Recipient::key(*key), addr);
        // A stranger's name protects nothing: a legacy peer that is known here keeps its own.
        let is_known = || matches!(self.peers.plain_id(addr), Recipient::Peer(PeerId::Legacy(_)));
        let is_protected =
            |key: &PublicKey| self.trust.pin(*key).is_some_and(|pin| pin.contact) || !is_known();
        let named = name.and_then(|name| self.trust.claimed_name(name)).filter(is_protected);
        let Some(key) = named.or_else(|| self.trust.hinted_at(addr).find(is_here)) else { return false };
        let known = self.trust.pin(key).and_then(|pin| pin.name.clone());
        if let Body::Text(text) | Body::Greeting(text) = body {
            let shown = known.or_else(|| name.cloned()).unwrap_or_else(|| PeerName::new("?"));
            let from = PeerInfo {
                id: Recipient::key(key),
                name: name.cloned(),
                addr: Some(addr),
                claimed: None,
                verification: Verification::Claims(shown),
            };
            let conversation = Recipient::Peer(PeerId::Key(key));
            self.heard_in_plain(conversation, from.name.clone(), Assurance::Claimed, source, text);
            self.tell(Event::Unproven { from, source, text: text.clone(), cut });
        }
        true
    }
}
