//! Whom a proven key is taken for: the pins, what contradicts them, and what the user has said about it.
//!
//! A key is who somebody is; the name and the addresses of its pin are hints. A new key that comes with a hint of another pin is an [`Offer`]
//! that waits for the user's word, and until then nothing goes to it and nothing of it is shown. Only a key that has *proven* itself in a
//! handshake may be brought here. What has to be written down is asked for with [`Trusted::take_changes`].

mod hints;
mod pin;
mod user;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::PeerName;
use hints::Hints;
pub use pin::{Change, Meeting, Offer, Pin, Policy, Refused, Trust, Verdict};
pub use user::{As, Unknown};

/// Pins at most: as many as there are rows.
pub const MAX_PINS: usize = 10_000;

/// Offers that wait for the user's word; more than a screen of them nobody decides one by one.
pub const MAX_OFFERS: usize = 16;

/// Offers of one source, so that nobody who knocks with many keys hides that somebody else's has changed.
pub const MAX_OFFERS_OF_ONE: usize = 4;

/// Keys of one source that are pinned in a run without the user's word: a computer room behind one address is fewer, and a machine that
/// makes up keys drives nobody out with so few.
pub const MAX_PINS_OF_ONE: usize = 100;

/// Sources that are counted for that. Whoever has more networks than this gets their share anew, which costs them a handshake for each; the
/// number of pins is bounded all the same.
const MAX_COUNTED: usize = MAX_PINS;

/// Addresses of one pin: more interfaces than a person's machines have.
pub const MAX_HINTS: usize = 8;

/// The right to write to a key, which nothing else gives out.
#[derive(Clone, Copy, Debug)]
pub struct Writable<'a> {
    key: PublicKey,
    /// It ends with the next change of what is trusted.
    _while: std::marker::PhantomData<&'a Trusted>,
}

impl Writable<'_> {
    /// The key.
    pub fn key(&self) -> PublicKey {
        self.key
    }
}

#[derive(Clone, Debug)]
struct Held {
    pin: Pin,
    /// It is written down: we dialled it or a text passed, or the user spoke of it. A mere knock is not.
    kept: bool,
    /// Its place in the order of those that may go.
    turn: u64,
    /// It was told that it takes another's name.
    taking: Option<PublicKey>,
}

impl Held {
    /// Whether it makes room for others.
    fn may_go(&self) -> bool {
        !self.kept && self.pin.trust() == Trust::Pinned
    }
}

/// The pins, and the keys that wait to become one.
#[derive(Debug)]
pub struct Trusted {
    me: PublicKey,
    policy: Policy,
    pins: HashMap<PublicKey, Held>,
    hints: Hints,
    may_go: BTreeMap<u64, PublicKey>,
    last: u64,
    pinned_of: HashMap<SourcePrefix, usize>,
    offers: Vec<Offer>,
    not_offered: u64,
    changed: BTreeSet<PublicKey>,
}

impl Trusted {
    /// Nobody is known; `me` is our own key.
    pub fn new(me: PublicKey, policy: Policy) -> Self {
        Self {
            me,
            policy,
            pins: HashMap::new(),
            hints: Hints::default(),
            may_go: BTreeMap::new(),
            last: 0,
            pinned_of: HashMap::new(),
            offers: Vec::new(),
            not_offered: 0,
            changed: BTreeSet::new(),
        }
    }

    /// Takes a pin that was written down, or that the user configured; false where there is no room, or it is known or our own.
    pub fn load(&mut self, mut pin: Pin) -> bool {
        if pin.key == self.me || self.pins.contains_key(&pin.key) || self.pins.len() >= MAX_PINS {
            return false;
        }
        pin.addrs.truncate(MAX_HINTS);
        self.insert(pin, true);
        true
    }

    /// What is done with unknown keys.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// What is done with unknown keys from now on.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// What we think of a key.
    pub fn trust(&self, key: PublicKey) -> Trust {
        self.pins.get(&key).map_or(Trust::Unpinned, |held| held.pin.trust())
    }

    /// What is known of a key.
    pub fn pin(&self, key: PublicKey) -> Option<&Pin> {
        self.pins.get(&key).map(|held| &held.pin)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pins.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.pins.is_empty()
    }

    /// The right to write to a key: only where it is pinned, and not blocked.
    pub fn writable(&self, key: PublicKey) -> Option<Writable<'_>> {
        let may = matches!(self.trust(key), Trust::Pinned | Trust::Verified);
        may.then_some(Writable { key, _while: std::marker::PhantomData })
    }

    /// Whose name or address this is: what is said in plain in it is not believed.
    pub fn claimed(&self, name: Option<&PeerName>, addr: Option<PeerAddr>) -> Option<PublicKey> {
        if self.pins.is_empty() {
            // Every plain message asks this, and many know nobody by a key.
            return None;
        }
        let named = name.into_iter().flat_map(|name| self.hints.named(name));
        addr.into_iter().flat_map(|addr| self.hints.at(addr)).chain(named).next()
    }

    /// The keys that wait for the user's word, and how many more there were for which there was no room.
    pub fn offers(&self) -> (&[Offer], u64) {
        (&self.offers, self.not_offered)
    }

    /// What a proven key means.
    pub fn met(&mut self, meeting: Meeting) -> Verdict {
        if meeting.key == self.me {
            return Verdict::Refused(Refused::Ourselves);
        }
        match self.trust(meeting.key) {
            Trust::Blocked => Verdict::Refused(Refused::Blocked),
            Trust::Pinned | Trust::Verified => Verdict::Known { takes_name_of: self.met_again(&meeting) },
            Trust::Unpinned => self.met_first(meeting),
        }
    }

    fn met_first(&mut self, meeting: Meeting) -> Verdict {
        if self.offers.iter().any(|offer| offer.met.key == meeting.key) {
            // Whatever it comes with now: only the user's word changes that.
            return Verdict::Refused(Refused::Undecided);
        }
        let named = meeting.name.iter().flat_map(|name| self.hints.named(name));
        let others: BTreeSet<PublicKey> = named.chain(self.hints.at(meeting.addr)).collect();
        if !others.is_empty() {
            return self.offer(meeting, &others);
        }
        match self.policy {
            Policy::Strict => Verdict::Refused(Refused::Strict),
            Policy::Ask => self.offer(meeting, &others),
            Policy::AcceptNew => {
                let of_one = self.pinned_of.get(&meeting.source.share()).copied().unwrap_or(0);
                if of_one >= MAX_PINS_OF_ONE || !self.make_room() {
                    return Verdict::Refused(Refused::NoRoom);
                }
                if self.pinned_of.len() >= MAX_COUNTED {
                    self.pinned_of.clear();
                }
                self.pinned_of.insert(meeting.source.share(), of_one + 1);
                self.insert(Pin::of(&meeting), false);
                Verdict::Pinned
            }
        }
    }

    fn offer(&mut self, met: Meeting, others: &BTreeSet<PublicKey>) -> Verdict {
        let of_one =
            self.offers.iter().filter(|offer| offer.met.source.share() == met.source.share()).count();
        if self.offers.len() >= MAX_OFFERS || of_one >= MAX_OFFERS_OF_ONE {
            self.not_offered += 1;
            return Verdict::Refused(Refused::Undecided);
        }
        let against = others.iter().filter_map(|key| self.pin(*key).cloned()).collect();
        let offer = Offer { met, against };
        self.offers.push(offer.clone());
        Verdict::Offered(offer)
    }

    /// A known key is elsewhere, or calls itself otherwise. It is given no name of another pin, and another's address only where it has
    /// proven to be there. The other keeps it too: it is dialled there with its own key expected, so nothing is lost but a try.
    fn met_again(&mut self, meeting: &Meeting) -> Option<PublicKey> {
        let key = meeting.key;
        let mut pin = self.pin(key)?.clone();
        let mut taken = None;
        if let Some(name) = &meeting.name {
            let has_name = pin.name.as_ref().is_some_and(|known| hints::same(known, name));
            taken = self.hints.named(name).find(|other| *other != key && !has_name);
            if taken.is_none() {
                pin.name = Some(name.clone());
            }
        }
        if meeting.dialled || self.hints.at(meeting.addr).all(|other| other == key) {
            pin.addrs.retain(|addr| *addr != meeting.addr);
            pin.addrs.insert(0, meeting.addr);
            pin.addrs.truncate(MAX_HINTS);
        }
        self.change(key, |known| *known = pin);
        let held = self.pins.get_mut(&key)?;
        let is_news = held.taking != taken;
        held.taking = taken;
        taken.filter(|_| is_news)
    }

    /// We have dialled a key, or a text has passed: it is worth writing down.
    pub fn keep(&mut self, key: PublicKey) {
        if let Some(held) = self.pins.get_mut(&key).filter(|held| !held.kept) {
            held.kept = true;
            self.may_go.remove(&held.turn);
            self.changed.insert(key);
        }
    }

    /// Whether something has to be written down.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What has to be written down since this was asked last, each key once.
    pub fn take_changes(&mut self) -> Vec<Change> {
        // One that was forgotten by the user and has knocked again is not to be written down any more either.
        let change = |key| match self.pins.get(&key) {
            Some(held) if held.kept => Change::Write(held.pin.clone()),
            _ => Change::Forget(key),
        };
        std::mem::take(&mut self.changed).into_iter().map(change).collect()
    }

    fn make_room(&mut self) -> bool {
        if self.pins.len() < MAX_PINS {
            return true;
        }
        let first = self.may_go.first_key_value().map(|(_, key)| *key);
        first.is_some_and(|key| self.remove(key).is_some())
    }

    fn insert(&mut self, pin: Pin, kept: bool) {
        self.last += 1;
        let held = Held { pin, kept, turn: self.last, taking: None };
        let key = held.pin.key;
        self.hints.add(&held.pin);
        if held.may_go() {
            self.may_go.insert(held.turn, key);
        }
        self.pins.insert(key, held);
    }

    fn remove(&mut self, key: PublicKey) -> Option<Pin> {
        let held = self.pins.remove(&key)?;
        self.hints.remove(&held.pin);
        self.may_go.remove(&held.turn);
        if held.kept {
            self.changed.insert(key);
        }
        Some(held.pin)
    }

    /// Changes a pin, and keeps the indexes true.
    fn change(&mut self, key: PublicKey, change: impl FnOnce(&mut Pin)) {
        let Some(held) = self.pins.get_mut(&key) else { return };
        let before = held.pin.clone();
        change(&mut held.pin);
        if held.pin == before {
            return;
        }
        self.hints.remove(&before);
        self.hints.add(&held.pin);
        if !held.may_go() {
            self.may_go.remove(&held.turn);
        }
        if held.kept {
            self.changed.insert(key);
        }
    }

    fn withdraw(&mut self, key: PublicKey) -> Option<Offer> {
        let at = self.offers.iter().position(|offer| offer.met.key == key)?;
        Some(self.offers.remove(at))
    }
}

/// What the short code of two keys is computed from: the smaller key, then the larger one, so that both sides compute the same.
pub fn code_input(one: PublicKey, other: PublicKey) -> [u8; 2 * KEY_BYTES] {
    let mut input = [0; 2 * KEY_BYTES];
    input[..KEY_BYTES].copy_from_slice(one.min(other).as_bytes());
    input[KEY_BYTES..].copy_from_slice(one.max(other).as_bytes());
    input
}

#[cfg(test)]
mod tests;
