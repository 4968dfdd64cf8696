//! Carries out what the user decides about keys: `/trust`, `/accept`, `/block`, `/unpin`,
//! `/verify`, `/policy`. Only `/trust` moves a row and its queue from one key to another.

use std::collections::HashSet;

use super::Chat;
use super::event::{Decision, Event, OpId};
use super::time::Time;
use super::trust::{As, Pin, Policy, Unknown};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Lost;
use crate::model::stored::{Condition, Write};

impl Chat {
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
        let secure = &mut self.secure;
        let offer = self.trust.offers().0.iter().find(|offer| offer.met.key == key);
        let offered_at = offer.map(|offer| offer.met.addr);
        self.trust.take(key, whom)?;
        if let As::NewKeyOf(old) = whom {
            let (moved, news) =
                self.trust.writable(key).map(|to| secure.outboxes.follow(old, to)).unwrap_or_default();
            // Of what waited for the old key, the user was told; what becomes of it under the new one is told as such.
            let told: Vec<OpId> =
                secure.told_of.iter().filter(|(_, of)| *of == old).map(|(op, _)| *op).collect();
            let stays: HashSet<OpId> = secure.outboxes.open(old).map(|text| text.op).collect();
            for op in told {
                secure.told_of.insert((op, key));
                if !stays.contains(&op) {
                    secure.told_of.remove(&(op, old));
                }
            }
            if !stays.is_empty() {
                secure.gone.insert(old, Some(key));
            }
            // Its row is that of the new key; the number that it is chosen by stays.
            self.table.remove(Recipient::key(key));
            self.table.rekey(Recipient::key(old), Recipient::key(key));
            for id in moved {
                let moved = Write::Moved {
                    id,
                    from: Recipient::Peer(PeerId::Key(old)),
                    to: Recipient::Peer(PeerId::Key(key)),
                };
                self.write_letter(key, id, moved);
            }
            // What did not fit is still written down for the old key.
            for lost in &news {
                let (to, id) = (Recipient::Peer(PeerId::Key(old)), lost.id);
                self.write(Write::Became { to, id, condition: Condition::NotSent });
            }
            self.tell_news(key, news);
        }
        let pin = self.pin(key)?;
        self.is_listed_now(key, offered_at, now);
        self.here_again(key, now);
        Ok(Decision::Trusted(pin, whom))
    }

    /// Adds a row for a key that the user accepted. Dials it where it offered itself, with the key
    /// expected, because that address may be only a claim.
    fn is_listed_now(&mut self, key: PublicKey, offered_at: Option<PeerAddr>, now: Time) {
        let addr = offered_at.or_else(|| self.addrs_of(key).first().copied());
        if let Some(addr) = addr {
            self.table.add(Recipient::key(key), addr, super::Known::SentTo, super::Life::of_heard(now));
            self.table.update(Recipient::key(key), |peer| peer.moves_to(addr));
        }
        self.speaks_with(key, now);
    }

    pub(super) fn block(&mut self, key: PublicKey) -> Result<Decision, Unknown> {
        let secure = &mut self.secure;
        self.trust.block(key)?;
        let news = secure.outboxes.give_up(key, Lost::Blocked);
        self.tell_news(key, news);
        // Nothing goes to the key from now on, so it is not listed either.
        self.table.remove(Recipient::key(key));
        Ok(Decision::Blocked(self.pin(key)?))
    }

    pub(super) fn unpin(&mut self, key: PublicKey) -> Result<Decision, Unknown> {
        let secure = &mut self.secure;
        let news = secure.outboxes.give_up(key, Lost::Unpinned);
        self.tell_news(key, news);
        let secure = &mut self.secure;
        let is_under_way = secure.outboxes.open(key).next().is_some();
        let pin = self.trust.unpin(key)?;
        if is_under_way {
            secure.gone.insert(key, None);
        }
        self.table.remove(Recipient::key(key));
        Ok(Decision::Unpinned(pin))
    }

    pub(super) fn verify(&mut self, key: PublicKey, date: u64) -> Result<Decision, Unknown> {
        self.trust.verify(key, date)?;
        self.table.update(Recipient::key(key), |peer| (peer.verified, peer.contact) = (true, true));
        Ok(Decision::Verified(self.pin(key)?))
    }

    pub(super) fn set_policy(&mut self, policy: Policy) -> Result<Decision, Unknown> {
        self.trust.set_policy(policy);
        Ok(Decision::Policy(policy))
    }
}
