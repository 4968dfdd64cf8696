//! What the user says about a key: `/trust`, `/block`, `/unpin`, `/verify`.

use super::hints;
use super::{MAX_PINS, Offer, Pin, Trusted};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;

/// Whom a new key is taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum As {
    /// The new key of somebody known, whose old key is forgotten.
    NewKeyOf(PublicKey),
    /// Another person, of the same name perhaps.
    Another,
}

/// What the user named is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// No such key waits for a word.
    Offer,
    /// No such key is pinned, or it is not one of those that the offer is against.
    Pin,
    /// There are too many pins, all of which the user cares for.
    NoRoom,
}

impl Trusted {
    /// The offers that a word of the user may mean: the name that is offered or the one it is against, or the beginning of the key.
    pub fn offers_for(&self, word: &str) -> Vec<&Offer> {
        let wanted = PeerName::new(word);
        let of_name = |name: Option<&PeerName>| name.is_some_and(|name| hints::same(name, &wanted));
        let of_pin = |pin: &Pin| of_name(pin.name.as_ref());
        let fits = |offer: &&Offer| {
            let key = offer.met.key.to_string();
            let begins = word.len() >= 4 && key.starts_with(&word.to_ascii_lowercase());
            of_name(offer.met.name.as_ref()) || offer.against.iter().any(of_pin) || begins
        };
        self.offers.iter().filter(fits).collect()
    }

    /// The pins that a word of the user may mean: the name, or the beginning of the key; blocked ones, too.
    pub fn pins_for(&self, word: &str) -> Vec<&Pin> {
        let wanted = PeerName::new(word);
        let begins = word.len() >= 4;
        let start = word.to_ascii_lowercase();
        let mut pins: Vec<&Pin> = self
            .pins
            .values()
            .map(|held| &held.pin)
            .filter(|pin| {
                pin.name.as_ref().is_some_and(|name| hints::same(name, &wanted))
                    || (begins && pin.key.to_string().starts_with(&start))
            })
            .collect();
        pins.sort_by_key(|pin| pin.key);
        pins
    }

    /// The user takes an offered key; it is pinned, and not verified. Its address is nobody else's from now on.
    ///
    /// # Errors
    /// Where there is no such offer, or it is not against that pin; nothing is changed then.
    pub fn take(&mut self, key: PublicKey, whom: As) -> Result<(), Unknown> {
        let offer = self.offers.iter().find(|offer| offer.met.key == key).ok_or(Unknown::Offer)?;
        let mut pin = Pin::of(&offer.met);
        if let As::NewKeyOf(old) = whom {
            let is_against = offer.against.iter().any(|pin| pin.key == old);
            let old = self.pin(old).filter(|old| is_against && !old.blocked).ok_or(Unknown::Pin)?;
            pin.name = old.name.clone();
            let further = old.addrs.iter().filter(|addr| **addr != offer.met.addr);
            pin.addrs.extend(further.take(super::MAX_HINTS - 1));
            self.remove(old.key);
        } else if self.pins.len() >= MAX_PINS && !self.make_room() {
            return Err(Unknown::NoRoom);
        }
        self.withdraw(key);
        self.leaves_address(&pin);
        self.insert(pin, true);
        self.changed.insert(key);
        Ok(())
    }

    /// The user wants nothing of a key, offered or pinned. Whom it came in the place of is not looked for at its address any more.
    ///
    /// # Errors
    /// Where neither is there.
    pub fn block(&mut self, key: PublicKey) -> Result<(), Unknown> {
        if let Some(Offer { met, .. }) = self.withdraw(key) {
            if !self.make_room() {
                return Err(Unknown::NoRoom);
            }
            let pin = Pin { blocked: true, ..Pin::of(&met) };
            self.leaves_address(&pin);
            self.insert(pin, true);
        } else if self.pins.contains_key(&key) {
            self.keep(key);
            self.change(key, |pin| (pin.blocked, pin.verified) = (true, None));
        } else {
            return Err(Unknown::Pin);
        }
        self.changed.insert(key);
        Ok(())
    }

    /// The user has compared the key of a pin.
    ///
    /// # Errors
    /// Where it is not pinned, or blocked.
    pub fn verify(&mut self, key: PublicKey, date: u64) -> Result<(), Unknown> {
        self.writable(key).ok_or(Unknown::Pin)?;
        self.keep(key);
        self.change(key, |pin| pin.verified = Some(date));
        Ok(())
    }

    /// The user forgets a pin, also a blocked one.
    ///
    /// # Errors
    /// Where there is none.
    pub fn unpin(&mut self, key: PublicKey) -> Result<Pin, Unknown> {
        let pin = self.remove(key).ok_or(Unknown::Pin)?;
        // Who was kept from being taken by this pin alone is looked at anew when it comes again.
        self.offers.retain(|offer| !offer.against.iter().any(|against| against.key == key));
        Ok(pin)
    }

    /// The first address of a pin is nobody else's.
    fn leaves_address(&mut self, pin: &Pin) {
        let Some(addr) = pin.addrs.first().copied() else { return };
        let others: Vec<PublicKey> = self.hints.at(addr).filter(|other| *other != pin.key).collect();
        for other in others {
            self.change(other, |pin| pin.addrs.retain(|known| *known != addr));
        }
    }
}
