//! What the user says about keys, done: who is written to, and what waits, follow from it.

use std::collections::HashSet;

use super::Chat;
use super::event::{Decision, Event, OpId};
use super::time::Time;
use super::trust::{As, Pin, Policy, Unknown};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::Speech;
use crate::model::session::Lost;
use crate::model::stored::{Condition, Party, Write};

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
        self.secure.as_ref().and_then(|secure| secure.trusted.pin(key)).cloned().ok_or(Unknown::Pin)
    }

    pub(super) fn trust(&mut self, key: PublicKey, whom: As, now: Time) -> Result<Decision, Unknown> {
        let was_at = match whom {
            As::NewKeyOf(old) => self.addrs_of(old, None).first().copied(),
            As::Another => None,
        };
        let secure = self.secure.as_mut().ok_or(Unknown::Offer)?;
        secure.trusted.take(key, whom)?;
        if let As::NewKeyOf(old) = whom {
            let (moved, news) =
                secure.trusted.writable(key).map(|to| secure.outboxes.follow(old, to)).unwrap_or_default();
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
            if !stays.is_empty()
                && let Some(addr) = was_at
            {
                secure.gone.insert(old, (addr, Some(key)));
            }
            // Its row is that of the new key; the number that it is chosen by stays.
            if let Some(row) = self.table.row_of(old) {
                self.speaks_with(row, key, now);
            }
            for id in moved {
                let moved = Write::Moved { id, from: Party::Key(old), to: Party::Key(key) };
                self.write_letter(key, id, moved, now);
            }
            // What did not fit is still written down for the old key.
            for lost in &news {
                let (to, id) = (Party::Key(old), lost.id);
                self.write(Write::Became { to, id, condition: Condition::NotSent });
            }
            self.tell_news(key, news);
        }
        let pin = self.pin(key)?;
        if let Some(addr) = pin.addrs.first().copied() {
            self.row_follows(key, addr, now);
        }
        self.here_again(key, now);
        Ok(Decision::Trusted(pin, whom))
    }

    /// A key that the user has taken has a row, at the address that it came with if nobody else has proven to be there.
    fn row_follows(&mut self, key: PublicKey, addr: PeerAddr, now: Time) {
        let row = match self.table.row_of(key) {
            Some(row) if row == addr => row,
            Some(row) if self.table.peer(addr).is_none() => {
                self.follows(row, addr);
                addr
            }
            Some(row) => row,
            None => {
                let others = matches!(self.table.peer(addr).map(|peer| peer.speech), Some(Speech::Secure(_)));
                if others || !self.table.add(addr, super::Known::SentTo, super::Life::of_heard(now)) {
                    return;
                }
                addr
            }
        };
        self.speaks_with(row, key, now);
    }

    pub(super) fn block(&mut self, key: PublicKey) -> Result<Decision, Unknown> {
        let secure = self.secure.as_mut().ok_or(Unknown::Pin)?;
        secure.trusted.block(key)?;
        let news = secure.outboxes.give_up(key, Lost::Blocked);
        self.tell_news(key, news);
        self.forget_row(key);
        Ok(Decision::Blocked(self.pin(key)?))
    }

    pub(super) fn unpin(&mut self, key: PublicKey) -> Result<Decision, Unknown> {
        let was_at = self.addrs_of(key, None).first().copied();
        let secure = self.secure.as_mut().ok_or(Unknown::Pin)?;
        let news = secure.outboxes.give_up(key, Lost::Unpinned);
        self.tell_news(key, news);
        let secure = self.secure.as_mut().ok_or(Unknown::Pin)?;
        let is_under_way = secure.outboxes.open(key).next().is_some();
        let pin = secure.trusted.unpin(key)?;
        if is_under_way && let Some(addr) = was_at {
            secure.gone.insert(key, (addr, None));
        }
        if let Some(row) = self.table.row_of(key) {
            self.table.speak(row, Speech::Unknown, false);
            self.table.update(row, |peer| peer.promised = None);
        }
        Ok(Decision::Unpinned(pin))
    }

    pub(super) fn verify(&mut self, key: PublicKey, date: u64) -> Result<Decision, Unknown> {
        let secure = self.secure.as_mut().ok_or(Unknown::Pin)?;
        secure.trusted.verify(key, date)?;
        if let Some(row) = self.table.row_of(key) {
            self.table.speak(row, Speech::Secure(key), true);
        }
        Ok(Decision::Verified(self.pin(key)?))
    }

    pub(super) fn set_policy(&mut self, policy: Policy) -> Result<Decision, Unknown> {
        self.secure.as_mut().ok_or(Unknown::Pin)?.trusted.set_policy(policy);
        Ok(Decision::Policy(policy))
    }

    /// Nothing goes to a key any more, so it is not listed either.
    fn forget_row(&mut self, key: PublicKey) {
        if let Some(row) = self.table.row_of(key) {
            self.table.speak(row, Speech::Unknown, false);
            self.table.remove(row);
        }
    }
}
