//! What a proven key means: whether it is known, becomes a stranger, waits for the user or is
//! refused.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{
    MAX_HINTS, MAX_OFFERS, MAX_OFFERS_OF_CONTACT, MAX_OFFERS_OF_ONE, MAX_STRANGERS, MAX_STRANGERS_PER_PREFIX,
    Meeting, Offer, Pin, Policy, Refused, Trust, Trusted, Verdict,
};
use crate::model::address::SourcePrefix;
use crate::model::key::PublicKey;
use crate::model::name::folded;

impl Trusted {
    /// Judges a proven key. A stranger with a live connection never makes room for a new one.
    pub fn met(&mut self, meeting: Meeting, is_live: &dyn Fn(PublicKey) -> bool) -> Verdict {
        if meeting.key == self.me {
            return Verdict::Refused(Refused::Ourselves);
        }
        match self.trust(meeting.key) {
            Trust::Blocked => Verdict::Refused(Refused::Blocked),
            Trust::Pinned | Trust::Verified => Verdict::Known { takes_name_of: self.met_again(&meeting) },
            Trust::Unpinned => self.met_first(meeting, is_live),
        }
    }

    fn met_first(&mut self, meeting: Meeting, is_live: &dyn Fn(PublicKey) -> bool) -> Verdict {
        if self.offers.iter().any(|offer| offer.met.key == meeting.key) {
            // Another name does not help a key that waits: only the user's decision does.
            return Verdict::Refused(Refused::Undecided);
        }
        let claims = meeting.name.as_ref().map(|name| folded(name.as_str()));
        let claimed = claims.iter().flat_map(|name| self.index.contacts_named(name));
        let against: Vec<Pin> = claimed.filter_map(|key| self.pin(key).cloned()).collect();
        if !against.is_empty() {
            return self.offer(meeting, against);
        }
        match self.policy {
            Policy::Strict => Verdict::Refused(Refused::Strict),
            // It may be the contact with a new key. Only its name can tell.
            _ if meeting.name.is_none() && self.hinted_at(meeting.addr).next().is_some() => {
                Verdict::Refused(Refused::Undecided)
            }
            Policy::Ask => self.offer(meeting, against),
            Policy::AcceptNew => {
                let prefix = meeting.source.share();
                if !self.make_room(prefix, is_live) {
                    return Verdict::Refused(Refused::NoRoom);
                }
                self.insert(Pin::of(&meeting), false, Some(prefix));
                Verdict::Pinned
            }
        }
    }

    fn offer(&mut self, met: Meeting, against: Vec<Pin>) -> Verdict {
        let prefix = met.source.share();
        let of_one = self.offers.iter().filter(|offer| offer.met.source.share() == prefix).count();
        let offer = Offer { met, against };
        let of_contact = offer.against.iter().map(|pin| self.changes_of(pin.key)).max().unwrap_or(0);
        let is_at_own = is_at_own_address(&offer);
        if self.offers.len() >= MAX_OFFERS
            || of_one >= MAX_OFFERS_OF_ONE
            || of_contact >= MAX_OFFERS_OF_CONTACT
        {
            self.not_offered += 1;
            // Nobody hides the new key of a contact where the contact is.
            let last_other = self.offers.iter().rposition(|other| !is_at_own_address(other));
            match last_other.filter(|_| is_at_own && of_one < MAX_OFFERS_OF_ONE) {
                Some(at) => drop(self.offers.remove(at)),
                None => return Verdict::Refused(Refused::Undecided),
            }
        }
        let at = if is_at_own { 0 } else { self.offers.len() };
        self.offers.insert(at, offer.clone());
        Verdict::Offered(offer)
    }

    /// How many keys wait that claim to be this contact.
    fn changes_of(&self, contact: PublicKey) -> usize {
        self.offers.iter().filter(|offer| offer.against.iter().any(|pin| pin.key == contact)).count()
    }

    /// Updates the name and the hints of a known key. Returns the contact whose name it now takes,
    /// if it did not take that name before.
    fn met_again(&mut self, meeting: &Meeting) -> Option<PublicKey> {
        let key = meeting.key;
        let held = self.pins.get(&key)?;
        let before = held.takes_name_of;
        let mut taken = None;
        if let Some(name) = meeting.name.as_ref().map(|name| folded(name.as_str())) {
            let known = held.pin.name.as_ref().map(|name| folded(name.as_str()));
            let others = || self.index.contacts_named(&name).find(|other| *other != key);
            taken = if known.as_ref() == Some(&name) { None } else { others() };
        }
        let name = meeting.name.clone().filter(|_| taken.is_none());
        self.change(key, |held| {
            held.takes_name_of = taken;
            held.pin.name = name.or(held.pin.name.take());
            if meeting.dialed {
                held.pin.addrs.retain(|addr| *addr != meeting.addr);
                held.pin.addrs.insert(0, meeting.addr);
                held.pin.addrs.truncate(MAX_HINTS);
            }
        });
        taken.filter(|_| taken != before)
    }

    /// Makes room for one more stranger from a source prefix: evicts the prefix's own oldest
    /// stranger if the prefix is full, the oldest of all if there are too many. Returns false if
    /// all are live.
    fn make_room(&mut self, prefix: SourcePrefix, is_live: &dyn Fn(PublicKey) -> bool) -> bool {
        let of_prefix = self.index.strangers_of(prefix);
        let is_full = of_prefix >= MAX_STRANGERS_PER_PREFIX;
        let (count, limit) = match is_full {
            true => (of_prefix, MAX_STRANGERS_PER_PREFIX),
            false => (self.index.strangers(), MAX_STRANGERS),
        };
        // More than one if a file of an earlier version has more of one prefix.
        let excess = (count + 1).saturating_sub(limit);
        if excess == 0 {
            return true;
        }
        let strangers = self.pins.values().filter(|held| !held.pin.contact);
        let of_scope = strangers.filter(|held| !is_full || held.prefix == Some(prefix));
        let ages = of_scope.map(|held| Reverse((held.pin.first_seen, held.number, held.pin.key)));
        let mut oldest: BinaryHeap<_> = ages.collect();
        let in_order = std::iter::from_fn(|| oldest.pop()).map(|Reverse((_, _, key))| key);
        let gone: Vec<PublicKey> = in_order.filter(|key| !is_live(*key)).take(excess).collect();
        for key in &gone {
            self.remove(*key);
        }
        gone.len() == excess
    }
}

/// Whether a key that claims to be a contact was met at an address of that contact.
fn is_at_own_address(offer: &Offer) -> bool {
    offer.against.iter().any(|pin| pin.addrs.contains(&offer.met.addr))
}
