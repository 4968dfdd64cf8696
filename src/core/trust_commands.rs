//! Carries out what the user decides about keys: `/trust`, `/accept`, `/block`, `/unblock`, `/add`,
//! `/forget`, `/verify`, `/policy`. Only `/trust` moves a row and its queue from one key to
//! another.

use super::event::{Decision, Event, Forgotten, Output};
use super::ids::OpId;
use super::peer_info::PeerInfo;
use super::time::Time;
use super::trust::{
    As, BlockTarget, ContactChange, ContactRecord, HeldMessage, PeerRequest, Pin, Policy, Unknown,
};
use super::{PeerOrigin, State, Verification};
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::delivery::FailureReason;
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::{Assurance, StoreOp};
use crate::protocol::plain;

impl State {
    /// Does it, tells what came of it, and is settled at once.
    pub(super) fn decide(&mut self, act: impl FnOnce(&mut Self) -> Result<Decision, Unknown>) -> OpId {
        self.settle_at_once(|state| {
            let told = act(state).map_or_else(Event::Undecided, Event::Decided);
            state.tell(told);
        })
    }

    fn pin(&self, key: PublicKey) -> Result<Pin, Unknown> {
        self.trust.pin(key).cloned().ok_or(Unknown::Pin)
    }

    pub(super) fn trust(&mut self, key: PublicKey, whom: As, now: Time) -> Result<Decision, Unknown> {
        let request = self.trust.request_of(PeerId::Key(key)).cloned();
        self.trust.take(key, whom)?;
        if let As::NewKeyOf(old) = whom {
            self.peers.change_key(old, key);
            self.outbox.succeed(Recipient::key(old), Recipient::key(key), now);
            self.carry_out(now);
            self.move_conversation(old.into(), key.into());
        }
        let pin = self.pin(key)?;
        // It is dialed where it was met, with the key expected: that address may be only a
        // claim.
        let met_at = request.as_ref().map(|request| request.met.addr);
        let addr = met_at.or_else(|| self.book().addrs_of(key).first().copied());
        if let Some(addr) = addr {
            self.peers.accept(key, addr, now);
        }
        self.speaks_with(key, Some(now));
        if let Some((source, HeldMessage::Encrypted(message))) = request.and_then(PeerRequest::into_held) {
            let (name, assurance) = (self.book().who(Recipient::key(key)).name, Assurance::Encrypted);
            let messages = vec![message];
            let op = StoreOp::Incoming { from: key, name, assurance, stranger: None, messages };
            self.act(Output::Accepted(source, op));
        }
        self.here_again(key, now);
        Ok(Decision::Trusted(pin, whom))
    }

    pub(super) fn block_target(&mut self, target: BlockTarget, now: Time) -> Result<Decision, Unknown> {
        match target {
            BlockTarget::Source(source) => self.block_source(source, now),
            BlockTarget::Peer(id) => match id.public_key() {
                Some(key) => self.block(key, now),
                None => self.block_legacy(id, None, self.book().is_contact(id), now),
            },
        }
    }

    pub(super) fn unblock_target(&mut self, target: BlockTarget, now: Time) -> Result<Decision, Unknown> {
        match target {
            BlockTarget::Source(source) => {
                self.trust.unblock_source(source)?;
                Ok(Decision::UnblockedSource(source))
            }
            BlockTarget::Peer(Recipient::Peer(PeerId::Key(key))) => self.unblock(key, now),
            BlockTarget::Peer(Recipient::Peer(id)) => self.unblock_legacy(id, now),
            BlockTarget::Peer(Recipient::Address(_)) => Err(Unknown::NotBlocked),
        }
    }

    /// Blocks a source. Strangers there are forgotten; contacts are not covered.
    fn block_source(&mut self, source: SourcePrefix, now: Time) -> Result<Decision, Unknown> {
        self.trust.block_source(source)?;
        for id in self.book().strangers_at(source) {
            self.outbox.give_up(id, FailureReason::Blocked);
            self.peers.remove(id);
        }
        self.carry_out(now);
        Ok(Decision::BlockedSource(source))
    }

    /// Blocks the legacy peer that a recipient is, or that may be at its address: a contact or a
    /// stranger. Its name is this one, or else the one that it was heard under.
    fn block_legacy(
        &mut self,
        id: Recipient,
        name: Option<PeerName>,
        contact: bool,
        now: Time,
    ) -> Result<Decision, Unknown> {
        let (legacy, addr) = match id {
            Recipient::Peer(legacy) => (legacy, legacy.legacy_addr().ok_or(Unknown::Nothing)?),
            Recipient::Address(addr) => (addr.plain().map(plain::peer_at).ok_or(Unknown::Nothing)?, addr),
        };
        let known = self.book().who(id);
        let requested = self.trust.request_of(legacy).and_then(|request| request.met.name.clone());
        let name = name.or_else(|| known.name.clone()).or(requested);
        let who = PeerInfo { id: legacy.into(), name, verification: Verification::Plain, ..known };
        self.trust.block_legacy(legacy, who.name.clone(), contact)?;
        for id in [id, legacy.into()] {
            self.outbox.give_up(id, FailureReason::Blocked);
        }
        self.carry_out(now);
        if self.peers.is_online(legacy.into()) {
            self.seen(legacy.into());
        }
        // Nothing goes to it from now on, so it is not listed either.
        self.peers.block(legacy.into());
        self.peers.remove(Recipient::Address(addr));
        Ok(Decision::BlockedLegacy(who))
    }

    fn unblock_legacy(&mut self, id: PeerId, now: Time) -> Result<Decision, Unknown> {
        let (name, contact) = self.trust.unblock_legacy(id)?;
        if contact {
            self.lists_contact(id, None, now);
            self.peers.name(id.into(), name.clone());
        }
        let who = self.book().who(id.into());
        let who = PeerInfo { name: who.name.clone().or(name), ..who };
        Ok(Decision::UnblockedLegacy(who, contact))
    }

    pub(super) fn block(&mut self, key: PublicKey, now: Time) -> Result<Decision, Unknown> {
        let id = Recipient::key(key);
        let request = self.trust.request_of(PeerId::Key(key));
        let met_at = request.map(|request| request.met.addr).or_else(|| self.peers.addr(id));
        self.trust.block(key)?;
        if let Some(addr) = met_at {
            self.trust.block_at(key, addr);
        }
        self.outbox.give_up(id, FailureReason::Blocked);
        self.carry_out(now);
        if self.peers.is_online(id) {
            self.seen(id);
        }
        // Nothing goes to the key from now on, so it is not listed either.
        self.peers.block(id);
        Ok(Decision::Blocked(self.pin(key)?))
    }

    pub(super) fn unblock(&mut self, key: PublicKey, now: Time) -> Result<Decision, Unknown> {
        let pin = self.trust.unblock(key)?;
        // A stranger is listed when it comes again.
        if pin.contact {
            self.lists_contact(PeerId::Key(key), None, now);
        }
        Ok(Decision::Unblocked(pin))
    }

    /// Adds a contact, or changes it.
    pub(super) fn set_contact(
        &mut self,
        contact: ContactRecord,
        date: u64,
        now: Time,
    ) -> Result<Decision, Unknown> {
        let id = contact.id;
        let is_new = !self.book().is_contact(id.into());
        match id {
            PeerId::Key(key) => {
                let (is_blocked, met_at) = (contact.blocked, self.trust.met_at(id));
                self.trust.set_contact(key, contact, date)?;
                if is_new {
                    self.write(StoreOp::Accept(id));
                }
                if is_blocked {
                    return self.block(key, now);
                }
                self.lists_contact(id, met_at, now);
                if is_new {
                    self.check_dialable(key.into());
                }
            }
            PeerId::Legacy(_) if contact.blocked => {
                return self.block_legacy(id.into(), contact.name, !contact.stranger, now);
            }
            PeerId::Legacy(_) => {
                self.trust.lift_legacy(id);
                self.lists_contact(id, None, now);
                self.peers.name(id.into(), contact.name);
                self.make_contact(id.into());
            }
        }
        Ok(Decision::Added(self.book().who(id.into()), is_new))
    }

    /// Ends the request of a legacy peer that is a contact now. Shows the message that was held, as
    /// if it arrived now.
    pub(super) fn release(&mut self, to: Recipient, now: Time) {
        let Recipient::Peer(id @ PeerId::Legacy(_)) = to else { return };
        if !self.book().is_contact(to) || self.trust.is_blocked_legacy(to) {
            return;
        }
        let request = self.trust.request_of(id).cloned();
        self.trust.withdraw(id);
        if let Some((source, HeldMessage::Plain { message, cut })) = request.and_then(PeerRequest::into_held)
        {
            self.message(source, message, cut, now);
        }
    }

    /// Gives a contact a row, if an address is known: its own, or where it was met as a stranger.
    fn lists_contact(&mut self, id: PeerId, met_at: Option<PeerAddr>, now: Time) {
        let to = Recipient::Peer(id);
        let addr = self.book().dialed_at(to).or(met_at).filter(|addr| !self.own_addrs.contains(*addr));
        if let Some(addr) = addr.filter(|_| !self.peers.knows(to)) {
            self.add_peer(to, addr, PeerOrigin::Contact, now);
        }
        if let Some(key) = to.public_key() {
            self.speaks_with(key, None);
        }
    }

    /// Reports that a legacy peer is a contact from now on.
    pub(super) fn legacy_is_contact(&mut self, id: PeerId) {
        self.write(StoreOp::Accept(id));
        let name = self.book().who(id.into()).name;
        self.trust.legacy_changed(ContactChange::Legacy(id, name));
        if self.peers.is_online(id.into()) {
            self.seen(id.into());
        }
    }

    pub(super) fn forget(&mut self, to: Recipient, now: Time) -> Result<Decision, Unknown> {
        let who = self.book().who(to);
        let what = match to {
            Recipient::Peer(PeerId::Key(key)) => match self.pin(key)? {
                Pin { blocked: true, .. } => Forgotten::Blocked,
                Pin { contact: true, .. } => Forgotten::Contact,
                _ => Forgotten::Stranger,
            },
            Recipient::Peer(PeerId::Legacy(_)) if self.trust.is_blocked_legacy(to) => Forgotten::Blocked,
            Recipient::Peer(PeerId::Legacy(_)) if self.book().is_contact(to) => Forgotten::Contact,
            Recipient::Peer(PeerId::Legacy(_)) => return Err(Unknown::Nothing),
            Recipient::Address(addr) => self.forget_address(addr)?,
        };
        // Before the key is forgotten: the user is told that its messages fail.
        self.outbox.give_up(to, FailureReason::Forgotten);
        self.carry_out(now);
        match to {
            Recipient::Peer(PeerId::Key(key)) => drop(self.trust.forget(key)?),
            Recipient::Peer(id @ PeerId::Legacy(_)) => {
                self.trust.lift_legacy(id);
                self.trust.legacy_changed(ContactChange::Forgotten(id));
            }
            Recipient::Address(_) => {}
        }
        self.trust.set_alias_of(to, None);
        self.conversations.unmute(to);
        self.peers.remove(to);
        Ok(Decision::Forgotten(who, what))
    }

    /// Forgets the alias of an address at which no peer has proven itself. Returns what there was
    /// about the address.
    fn forget_address(&mut self, addr: PeerAddr) -> Result<Forgotten, Unknown> {
        let to = Recipient::Address(addr);
        // Its alias is saved for the legacy peer that may be there.
        let legacy = addr.plain().map(plain::peer_at);
        let alias = legacy.filter(|id| self.trust.has_alias((*id).into()));
        let what = if let Some(id) = alias {
            self.trust.set_alias_of(id.into(), None);
            self.trust.legacy_changed(ContactChange::Forgotten(id));
            Forgotten::Contact
        } else if self.peers.knows(to) {
            Forgotten::Address
        } else if self.outbox.count(to) > 0 {
            Forgotten::Queue
        } else {
            return Err(Unknown::Nothing);
        };
        Ok(what)
    }

    pub(super) fn verify(&mut self, key: PublicKey, date: u64) -> Result<Decision, Unknown> {
        if self.trust.is_writable(key) {
            self.make_key_contact(key);
        }
        self.trust.verify(key, date)?;
        self.peers.verify(key);
        Ok(Decision::Verified(self.pin(key)?))
    }

    pub(super) fn set_policy(&mut self, policy: Policy) -> Result<Decision, Unknown> {
        self.trust.set_policy(policy);
        Ok(Decision::Policy(policy))
    }
}
