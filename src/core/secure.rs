//! Peers that prove a key: their rows, what they may do, and how each recipient is written to.
//!
//! A recipient is written to in one way: unencrypted, in sessions with its key, or not known yet.
//! An address is dialed with the key expected. Only an address that we dialed, and where the key
//! proved itself, binds what waits for the address to that key; what a hello claims binds nothing.
//!
//! A plain message in the name of a known key, or from the address where a contact with a key is
//! online, is shown apart and changes nothing.

use std::time::Duration;

use super::event::{Event, JobId, Output, PeerInfo, Talk};
use super::outbox::Jitter;
use super::peers::{Peer, PeerOrigin};
use super::presence::{OfflineReason, Presence};
use super::time::Time;
use super::trust::{Meeting, Offer, Pin, PinChange, Policy, Refused, Trust, Verdict};
use super::{Job, Purpose, State, Verification, announced};
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::{Body, Form, PeerProtocol};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{ByeReason, Say};
use crate::model::stored::Assurance;

/// How long a greeting may be on its way: connecting, the handshake and both hellos take no longer than this.
const ON_ITS_WAY: Duration = Duration::from_secs(3);

/// Addresses of one peer that are dialed one after the other.
const MAX_DIALED: usize = 2 * super::MAX_HINTS + 1;

/// What the rules cannot know by themselves when something comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Env {
    /// The clock, in seconds since 1970.
    pub date: u64,
    /// A random number.
    pub jitter: Jitter,
}

impl State {
    /// What is done with unknown keys.
    pub fn policy(&self) -> Policy {
        self.trust.policy()
    }

    /// How sure the program is that a recipient is the one it is named as.
    pub fn verification_of(&self, id: Recipient) -> Verification {
        match self.protocol_of(id) {
            PeerProtocol::Unknown => Verification::Unknown,
            PeerProtocol::Plain => Verification::Plain,
            PeerProtocol::Session(key) => {
                let trust = self.trust.trust(key);
                if trust == Trust::Verified { Verification::Verified } else { Verification::Encrypted }
            }
        }
    }

    /// The contacts known by key that proved themselves at an address.
    pub(super) fn hinted_at(&self, addr: PeerAddr) -> Vec<PublicKey> {
        self.trust.hinted_at(addr).collect()
    }

    /// The pins that a word of the user may mean: a name, or the beginning of a key; blocked ones, too.
    pub fn pins_for(&self, word: &str) -> Vec<&Pin> {
        self.trust.pins_for(word)
    }

    /// The keys that wait for the user's word, and how many more there were.
    pub fn offers(&self) -> (&[Offer], u64) {
        self.trust.offers()
    }

    /// The offers that a word of the user may mean.
    pub fn offers_for(&self, word: &str) -> Vec<&Offer> {
        self.trust.offers_for(word)
    }

    /// What has to be written down since this was asked last.
    pub fn take_pin_changes(&mut self) -> Vec<PinChange> {
        self.trust.take_changes()
    }

    pub(super) fn tell_of_pins(&mut self) {
        if self.trust.has_untold_changes() {
            self.tell(Event::PinsChanged);
        }
    }

    /// The keys that proved themselves at an address, contacts before strangers.
    pub(super) fn proven_at(&self, addr: PeerAddr) -> Vec<PublicKey> {
        self.trust.proven_at(addr).collect()
    }

    /// Makes a key a contact: the user has written to it, added or configured it.
    pub(super) fn is_contact_now(&mut self, key: PublicKey) {
        self.trust.make_contact(key);
        self.peers.update(Recipient::key(key), |peer| peer.contact = true);
    }

    /// How messages are sent to a recipient.
    pub(super) fn protocol_of(&self, id: Recipient) -> PeerProtocol {
        if let Some(key) = id.public_key() {
            return PeerProtocol::Session(key);
        }
        match self.peers.peer(id) {
            Some(row) if !self.is_key_there(row.addr) => self.plain_protocol(row),
            _ => PeerProtocol::Unknown,
        }
    }

    /// How messages are sent to a peer without a key, as far as it has shown.
    pub(super) fn plain_protocol(&self, row: &Peer) -> PeerProtocol {
        let requires_encryption = self.requires_encryption();
        // No p2p-chat peer writes in another program's form, and none sends Hashpa's greeting.
        let is_legacy = (row.form != Form::Standard || row.wants_ping) && row.promised.is_none();
        if is_legacy && !requires_encryption { PeerProtocol::Plain } else { row.protocol() }
    }

    /// Whether a peer with a key is at an address as far as we know: it is online, is dialed there,
    /// and proved itself when it was last dialed. Only asking tells which peer reads a message for
    /// the address.
    pub(super) fn is_key_there(&self, addr: PeerAddr) -> bool {
        let keys = self.trust.proven_at(addr);
        let is_there = |peer: &Peer| peer.is_there() && peer.addr == addr && !peer.is_elsewhere;
        keys.map(Recipient::key).any(|id| self.peers.peer(id).is_some_and(is_there))
    }

    /// Whether a recipient may never be written to unencrypted.
    pub(super) fn is_only_encrypted(&self, id: Recipient) -> bool {
        let is_plain = |addr: PeerAddr| addr.plain().is_some();
        self.requires_encryption() || !id.addr().is_some_and(is_plain)
    }

    /// The addresses where a key is dialed, in this order, at most [`MAX_DIALED`]. The key is
    /// expected at each, so a claimed address does no harm.
    pub(super) fn addrs_of(&self, key: PublicKey) -> Vec<PeerAddr> {
        let row = self.peers.peer(Recipient::key(key));
        let pin = self.trust.pin(key);
        let hints = pin.into_iter().flat_map(|pin| pin.addrs.iter().copied());
        let also = row.into_iter().flat_map(|peer| peer.also.iter().copied());
        let mut addrs: Vec<PeerAddr> = Vec::new();
        for addr in row.map(|peer| peer.addr).into_iter().chain(hints).chain(also) {
            if addrs.len() < MAX_DIALED && !addrs.contains(&addr) && !self.is_own(addr) {
                addrs.push(addr);
            }
        }
        addrs
    }

    /// Says something in a session with a recipient. A peer with a key is dialed at every address
    /// it may have, and has to prove its key.
    pub(super) fn talk(&mut self, id: Recipient, purpose: Purpose, say: Say, deadline: Option<Time>) {
        let mut addrs = id.public_key().map(|key| self.addrs_of(key)).unwrap_or_default();
        if addrs.is_empty() {
            addrs.extend(self.dialed_at(id));
        }
        self.talk_at(id, addrs, id.public_key(), purpose, say, deadline);
    }

    /// The same at these addresses only, with the key that has to be proven there.
    pub(super) fn talk_at(
        &mut self,
        id: Recipient,
        addrs: Vec<PeerAddr>,
        expect: Option<PublicKey>,
        purpose: Purpose,
        say: Say,
        deadline: Option<Time>,
    ) {
        self.last_job += 1;
        let job = JobId(self.last_job);
        let dialed = addrs.first().copied();
        self.jobs.insert(job, Job { peer_id: id, dialed, purpose, expect, met: None });
        self.act(Output::Talk(Talk { job, addrs, expect, say, deadline }));
    }

    /// Handles a key that a peer has proven, in a session that either side dialed. Returns its row
    /// if the peer is welcome. Tells the user what is new.
    pub(super) fn meets(&mut self, meeting: Meeting, now: Time) -> Result<Recipient, ByeReason> {
        let (key, addr, dialed) = (meeting.key, meeting.addr, meeting.dialed);
        let table = &self.peers;
        let is_live = |key| table.peer(Recipient::key(key)).is_some_and(Peer::is_there);
        let verdict = self.trust.met(meeting, &is_live);
        if let Some(more) = self.trust.untold_offers(now) {
            self.tell(Event::MoreOffered(more));
        }
        let (is_new, takes_name_of) = match verdict {
            Verdict::Known { takes_name_of } => (false, takes_name_of),
            Verdict::Pinned => (true, None),
            Verdict::Offered(offer) => {
                self.tell(Event::Offered(offer));
                return Err(ByeReason::NotDecided);
            }
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
            let who = self.who(id);
            self.tell(Event::Pinned(who, key));
        }
        let taken = takes_name_of.and_then(|other| self.trust.pin(other)?.name.clone());
        if let Some(name) = taken {
            let who = self.who(id);
            self.tell(Event::TakesName(who, name));
        }
        Ok(id)
    }

    /// The row of a proven key. An address that only the peer's hello claims is dialed later, with
    /// the key expected; one that we dialed is proven to be the peer's.
    fn row_for(&mut self, key: PublicKey, addr: PeerAddr, dialed: bool, now: Time) -> Option<Recipient> {
        let id = Recipient::key(key);
        let at_addr = Recipient::Address(addr);
        if dialed || self.is_unclaimed(at_addr) {
            // The peer dialed at this address, or seen to speak from it just now, is this peer.
            let is_rekeyed = self.peers.rekey(at_addr, id);
            if is_rekeyed && !dialed {
                // The result of a job for the address shows nothing of this peer.
                self.peers.update(id, |peer| {
                    peer.presence.probe_ended(now);
                    peer.acking = false;
                });
            }
            if is_rekeyed {
                self.operations.rename(at_addr, id);
            }
        }
        let known = if dialed { PeerOrigin::SentTo } else { PeerOrigin::Heard };
        if !self.peers.add(id, addr, known, Presence::of_heard(now)) {
            return None;
        }
        self.peers.update(id, |peer| peer.added = peer.added.or(Some(now)));
        if dialed {
            self.peers.update(id, |peer| peer.moves_to(addr));
        } else if self.peers.peer(id).is_some_and(|peer| !peer.is_there()) {
            // Dialed first at the address that it now claims, then at the addresses that it had.
            self.peers.update(id, |peer| peer.moves_to(addr));
        }
        self.speaks_with(key, now);
        if dialed {
            self.proves(addr, key, now);
        } else if self.outbox.count(at_addr) > 0 || self.peers.legacy_at(addr).is_some() {
            self.check_claim(key, addr);
        }
        Some(id)
    }

    /// Whether the row of an address only belongs to a peer that spoke to us from there: not
    /// configured, never seen to listen there, and with nothing queued.
    fn is_unclaimed(&self, id: Recipient) -> bool {
        let is_only_heard = |peer: &Peer| peer.origin == PeerOrigin::Heard && !peer.presence.is_proven();
        self.peers.peer(id).is_some_and(is_only_heard) && self.outbox.count(id) == 0
    }

    /// Handles a peer that claims to listen at an address with messages waiting. Dials it there; it
    /// gets them only if it proves its key.
    pub(super) fn check_claim(&mut self, key: PublicKey, addr: PeerAddr) {
        let is_asked =
            |job: &Job| job.dialed == Some(addr) && job.expect == Some(key) && job.purpose == Purpose::Greet;
        if !self.jobs.values().any(is_asked) && !self.leaving {
            let purpose = Purpose::Greet;
            self.talk_at(Recipient::key(key), vec![addr], Some(key), purpose, Say::Greet, None);
        }
    }

    /// Handles a key that a peer has proven at an address we dialed. The messages for the address
    /// are its own from now on; those for a legacy peer there are not.
    fn proves(&mut self, addr: PeerAddr, key: PublicKey, now: Time) {
        let (id, at_addr) = (Recipient::key(key), Recipient::Address(addr));
        self.inherits(at_addr, id);
        let is_new = |peer: &Peer| peer.added.is_some_and(|added| now.since(added) < ON_ITS_WAY);
        if let Some(before) = self.peers.remove(at_addr) {
            if self.peers.peer(id).is_some_and(is_new) {
                // It was introduced a few seconds ago and keeps the number of its address.
                self.peers.renumber(id, before.number);
            }
            self.peers.update(id, |peer| peer.acked_at = peer.acked_at.max(before.acked_at));
        }
        self.follows(at_addr, id);
        let who = self.who(id);
        self.tell(Event::ProvenAt(addr, who));
        self.binds(at_addr, key, now);
        let legacy = self.peers.legacy_at(addr).map(|peer| peer.id);
        if let Some(legacy) = legacy {
            self.inherits(legacy, id);
            self.is_replaced(legacy, now);
        }
    }

    /// Handles a peer that is at an address the user configured without a key: it is the configured
    /// one.
    fn inherits(&mut self, from: Recipient, to: Recipient) {
        let Some(configured) = self.peers.peer(from).filter(|peer| peer.origin == PeerOrigin::Static) else {
            return;
        };
        let form = configured.configured_form;
        self.peers.update(from, |peer| {
            peer.origin = PeerOrigin::SentTo;
            peer.presence.not_configured();
        });
        self.peers.update(to, |peer| {
            peer.origin = PeerOrigin::Static;
            peer.configured_form = form;
            peer.presence.configured();
        });
    }

    /// Handles a key that has proven itself where a legacy peer was, which is therefore gone. What
    /// is queued for the legacy peer waits for the user.
    fn is_replaced(&mut self, legacy: Recipient, now: Time) {
        self.outbox.hold_for_user(legacy, now);
        self.carry_out(now);
        let before = self.last_job;
        self.peers.update(legacy, |peer| {
            peer.forgets_program();
            peer.is_plain = false;
            peer.parted_after = before;
            peer.presence.left(OfflineReason::Replaced, now)
        });
        self.went(legacy, OfflineReason::Replaced);
    }

    /// Records in its row what is known of a key.
    pub(super) fn speaks_with(&mut self, key: PublicKey, now: Time) {
        let verified = self.trust.trust(key) == Trust::Verified;
        let pin = self.trust.pin(key);
        let (name, contact) = (pin.and_then(|pin| pin.name.clone()), pin.is_some_and(|pin| pin.contact));
        self.peers.update(Recipient::key(key), |peer| {
            if name.is_some() {
                peer.name = name;
            }
            peer.verified = verified;
            peer.contact |= contact;
            peer.claimed = None;
            peer.ack_due = None;
            peer.promised = None;
            peer.last_heard = Some(now);
        });
        self.remembers(key);
    }

    /// A peer has said where else it listens.
    pub(super) fn listens_also(&mut self, id: Recipient, mut also: Vec<PeerAddr>) {
        also.truncate(super::MAX_HINTS + 1);
        self.peers.update(id, |peer| peer.also = also.into());
    }

    /// Whether a peer with a key is online and can be written to at once.
    pub(super) fn here_again(&mut self, key: PublicKey, now: Time) {
        self.remembers(key);
        self.outbox.met(Recipient::key(key), now);
        self.serve_due(now);
    }

    /// A row has said that it is there, and nothing else. What was on its way when the user sent it away does not bring it back.
    pub(super) fn is_greeted(&mut self, id: Recipient, now: Time) {
        let gone = self.peers.peer(id).and_then(|peer| peer.presence.offline());
        let is_from_before =
            |(since, why)| why == OfflineReason::Disconnected && now.since(since) < ON_ITS_WAY;
        if !gone.is_some_and(is_from_before) {
            self.hears(id, now);
        }
    }

    /// Something authenticated came from a row.
    pub(super) fn hears(&mut self, peer_id: Recipient, now: Time) {
        let came = self.peers.update(peer_id, |peer| {
            peer.last_heard = Some(now);
            peer.shook_hands = true;
            peer.presence.heard(now);
            peer.presence.connected();
            announced(peer, now)
        });
        if let Some(Some(who)) = came {
            self.came(who);
        }
        self.operations.heard_from(peer_id);
    }

    /// A peer has said goodbye in encryption, so it was the peer.
    pub(super) fn parts(&mut self, peer_id: Recipient, now: Time) {
        let before = self.last_job;
        self.peers.update(peer_id, |peer| {
            peer.last_heard = Some(now);
            peer.parted_after = before;
            peer.presence.left(OfflineReason::SaidGoodbye, now)
        });
        self.went(peer_id, OfflineReason::SaidGoodbye);
    }

    /// Whether an unencrypted message claims the name of a peer with a known key, or comes from
    /// where a contact with a key is online. It is shown apart, if there is anything to show.
    pub(super) fn is_unproven(
        &mut self,
        source: Source,
        addr: PeerAddr,
        name: Option<&PeerName>,
        body: &Body,
        cut: bool,
    ) -> bool {
        // Elsewhere an address is only a hint, and another program may have it now.
        let is_here = |key: &PublicKey| {
            self.peers.peer(Recipient::key(*key)).is_some_and(|peer| peer.is_there() && peer.addr == addr)
        };
        // A stranger's name protects nothing: a legacy peer that is known here keeps its own.
        let is_known = || matches!(self.plain_id(addr), Recipient::Peer(PeerId::Legacy(_)));
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
            self.heard_in_plain(conversation, from.name.clone(), Assurance::Claimed, text);
            self.tell(Event::Unproven { from, source, text: text.clone(), cut });
        }
        true
    }

    /// Whether nothing plain is said or taken.
    pub(super) fn requires_encryption(&self) -> bool {
        self.trust.requires_encryption()
    }

    /// Something plain is not taken; the user is told now and then.
    pub(super) fn refuse_plain(&mut self, source: Source, now: Time) {
        if let Some(count) = self.trust.refuse_plain(now) {
            self.tell(Event::PlainRefused(source, count));
        }
    }
}
