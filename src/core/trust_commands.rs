//! Carries out what the user decides about keys: `/trust`, `/accept`, `/block`, `/unpin`,
//! `/verify`, `/policy`. Only `/trust` moves a row and its queue from one key to another.

use super::State;
use super::event::{Decision, Event, OpId};
use super::time::Time;
use super::trust::{As, Pin, Policy, Unknown};
use crate::model::delivery::FailureReason;
use crate::model::key::PublicKey;
use crate::model::peer_id::Recipient;

impl State {
    /// Does it, tells what came of it, and is settled at once.
    pub(super) fn decide(&mut self, act: impl FnOnce(&mut Self) -> Result<Decision, Unknown>) -> OpId {
        let told = match act(self) {
            Ok(decision) => Event::Decided(decision),
            Err(unknown) => Event::Undecided(unknown),
        };
        self.tell(told);
        self.nothing_to_wait_for()
    }

    fn pin(&self, key: PublicKey) -> Result<Pin, Unknown> {
        self.trust.pin(key).cloned().ok_or(Unknown::Pin)
    }

    pub(super) fn trust(&mut self, key: PublicKey, whom: As, now: Time) -> Result<Decision, Unknown> {
        let offer = self.trust.offers().0.iter().find(|offer| offer.met.key == key);
        let offered_at = offer.map(|offer| offer.met.addr);
        self.trust.take(key, whom)?;
        if let As::NewKeyOf(old) = whom {
            self.peers.change_key(old, key);
            self.outbox.succeed(Recipient::key(old), Recipient::key(key), now);
            self.carry_out(now);
        }
        let pin = self.pin(key)?;
        // It is dialed where it offered itself, with the key expected: that address may be only a
        // claim.
        let addr = offered_at.or_else(|| self.addrs_of(key).first().copied());
        if let Some(addr) = addr {
            self.peers.accept(key, addr, now);
        }
        self.speaks_with(key, Some(now));
        self.here_again(key, now);
        Ok(Decision::Trusted(pin, whom))
    }

    pub(super) fn block(&mut self, key: PublicKey, now: Time) -> Result<Decision, Unknown> {
        self.trust.block(key)?;
        self.outbox.give_up(Recipient::key(key), FailureReason::Blocked);
        self.carry_out(now);
        // Nothing goes to the key from now on, so it is not listed either.
        self.peers.remove(Recipient::key(key));
        Ok(Decision::Blocked(self.pin(key)?))
    }

    pub(super) fn unpin(&mut self, key: PublicKey, now: Time) -> Result<Decision, Unknown> {
        self.pin(key)?;
        self.outbox.give_up(Recipient::key(key), FailureReason::Forgotten);
        self.carry_out(now);
        let pin = self.trust.unpin(key)?;
        self.peers.remove(Recipient::key(key));
        Ok(Decision::Unpinned(pin))
    }

    pub(super) fn verify(&mut self, key: PublicKey, date: u64) -> Result<Decision, Unknown> {
        self.trust.verify(key, date)?;
        self.peers.verify(key);
        Ok(Decision::Verified(self.pin(key)?))
    }

    pub(super) fn set_policy(&mut self, policy: Policy) -> Result<Decision, Unknown> {
        self.trust.set_policy(policy);
        Ok(Decision::Policy(policy))
    }
}
