//! Introductions: a user asks two of their contacts whether they want to know each other. A contact
//! that accepts signs a contact card, which the introducer passes on to the other. Nothing is
//! exchanged without the users' consent.
//!
//! In-memory only; cleared on restart.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::time::Time;
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::protocol::session::{CARD_VALID, ContactCard};

/// The maximum number of introductions sent to a contact, and accepted from one, in a day. It is
/// more than a person makes.
pub(crate) const MAX_INTRODUCTIONS_A_DAY: usize = 20;

/// The maximum number of introductions that wait for the user's decision or for a card. It is
/// enough for ten contacts at their daily limit.
pub(crate) const MAX_INTRODUCTIONS: usize = 10 * MAX_INTRODUCTIONS_A_DAY;

/// The maximum number of ignored keys. Beyond it, the oldest is forgotten.
pub const MAX_IGNORED: usize = 1_000;

/// The maximum number of introductions and cards that wait for a session.
const MAX_UNSENT: usize = 100;

/// Seconds of a day.
const DAY: u64 = 24 * 3_600;

/// A part of an introduction, as it is sent to a contact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IntroductionPart {
    /// Asks the receiver whether they want to know the owner of this key, who has this name.
    Ask(PublicKey, PeerName),
    /// The card of a contact that accepts. It goes to the introducer and from there to the other
    /// contact.
    Card(Box<ContactCard>),
}

/// A peer that a contact introduces to the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntroducedPeer {
    /// The introducer.
    pub by: PublicKey,
    /// The introduced key.
    pub key: PublicKey,
    /// What the introducer calls it.
    pub name: PeerName,
    /// Whether the user has accepted and the card has not arrived yet.
    pub accepted: bool,
    /// The card, if it arrived before the user decided.
    card: Option<Box<ContactCard>>,
    /// When the introduction arrived.
    since: Time,
}

/// Two contacts that the user introduced to each other.
#[derive(Debug)]
struct Introduced {
    pair: [PublicKey; 2],
    /// The contacts whose cards were passed on.
    passed: [bool; 2],
    since: Time,
}

/// What to do with a card.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CardUse {
    /// Pass it on to the key that it is for.
    PassOn,
    /// Make its key a contact, because the user has accepted the introduction.
    MakeContact,
    /// Do nothing now.
    None,
}

/// The introductions.
#[derive(Debug, Default)]
pub(super) struct Introductions {
    /// Introductions to the user that are undecided or accepted, oldest first.
    asked: VecDeque<IntroducedPeer>,
    /// Introductions that the user made, oldest first.
    made: VecDeque<Introduced>,
    /// The ignored keys, oldest first.
    ignored: VecDeque<PublicKey>,
    /// The contacts with a session.
    open: BTreeSet<PublicKey>,
    unsent: VecDeque<(PublicKey, IntroductionPart)>,
    /// The day of the counts below, in days since 1970.
    day: u64,
    /// How many introductions were sent to each contact, and accepted from it, on that day.
    sent: BTreeMap<PublicKey, usize>,
    taken: BTreeMap<PublicKey, usize>,
}

impl Introductions {
    pub(super) fn new(ignored: Vec<PublicKey>) -> Self {
        let mut all = Self::default();
        ignored.into_iter().for_each(|key| all.remember_ignored(key));
        all
    }

    fn remember_ignored(&mut self, key: PublicKey) {
        if self.ignored.contains(&key) {
            return;
        }
        if self.ignored.len() >= MAX_IGNORED {
            self.ignored.pop_front();
        }
        self.ignored.push_back(key);
    }

    /// Resets the counts when the day changes. `date` is in seconds since 1970.
    fn reset_on_new_day(&mut self, date: u64) {
        if self.day != date / DAY {
            self.day = date / DAY;
            self.sent.clear();
            self.taken.clear();
        }
    }

    /// Forgets entries that are older than a card's validity.
    fn expire(&mut self, now: Time) {
        self.asked.retain(|one| now.since(one.since) < CARD_VALID);
        self.made.retain(|one| now.since(one.since) < CARD_VALID);
    }

    /// Records that the user introduces two contacts to each other.
    ///
    /// # Errors
    /// The contact that has reached [`MAX_INTRODUCTIONS_A_DAY`].
    pub(super) fn introduce(&mut self, pair: [PublicKey; 2], date: u64, now: Time) -> Result<(), PublicKey> {
        self.reset_on_new_day(date);
        self.expire(now);
        let is_full =
            |key: &&PublicKey| self.sent.get(key).is_some_and(|sent| *sent >= MAX_INTRODUCTIONS_A_DAY);
        if let Some(full) = pair.iter().find(is_full) {
            return Err(*full);
        }
        pair.iter().for_each(|key| *self.sent.entry(*key).or_default() += 1);
        self.made.retain(|one| !(one.pair.contains(&pair[0]) && one.pair.contains(&pair[1])));
        if self.made.len() >= MAX_INTRODUCTIONS {
            self.made.pop_front();
        }
        self.made.push_back(Introduced { pair, passed: [false; 2], since: now });
        Ok(())
    }

    /// Records that a contact introduces a key. Returns whether to tell the user: `false` for an
    /// ignored key, a repeated introduction, or one beyond the limits.
    pub(super) fn asks(
        &mut self,
        by: PublicKey,
        key: PublicKey,
        name: PeerName,
        date: u64,
        now: Time,
    ) -> bool {
        self.reset_on_new_day(date);
        self.expire(now);
        let taken = self.taken.entry(by).or_default();
        if *taken >= MAX_INTRODUCTIONS_A_DAY {
            return false;
        }
        *taken += 1;
        let is_known = self.asked.iter().any(|one| one.by == by && one.key == key);
        if is_known || self.ignored.contains(&key) || self.asked.len() >= MAX_INTRODUCTIONS {
            return false;
        }
        self.asked.push_back(IntroducedPeer { by, key, name, accepted: false, card: None, since: now });
        true
    }

    /// Returns the introductions that wait for the user's decision.
    pub(super) fn undecided(&self) -> impl Iterator<Item = &IntroducedPeer> {
        self.asked.iter().filter(|one| !one.accepted)
    }

    /// Records that the user accepts an introduction. Returns it with the card that has already
    /// arrived, if any. `None` if there is no such introduction.
    pub(super) fn accept(
        &mut self,
        by: PublicKey,
        key: PublicKey,
    ) -> Option<(IntroducedPeer, Option<Box<ContactCard>>)> {
        let at = self.asked.iter().position(|one| one.by == by && one.key == key && !one.accepted)?;
        let one = self.asked.get_mut(at)?;
        one.accepted = true;
        let (told, card) = (one.clone(), one.card.take());
        if card.is_some() {
            // With the card, the introduction is complete.
            self.asked.remove(at);
        }
        Some((told, card))
    }

    /// Ignores this and all later introductions of a key, from any contact. Returns whether the key
    /// was introduced.
    pub(super) fn ignore(&mut self, key: PublicKey) -> bool {
        let before = self.asked.len();
        self.asked.retain(|one| one.key != key || one.accepted);
        let was_there = self.asked.len() < before;
        if was_there {
            self.remember_ignored(key);
        }
        was_there
    }

    /// Returns the ignored keys, oldest first.
    pub(super) fn ignored(&self) -> impl Iterator<Item = PublicKey> {
        self.ignored.iter().copied()
    }

    /// Takes a card from a contact and returns what to do with it. The caller has checked its
    /// signature. `me` is our own key and `clock` the time in milliseconds since 1970.
    pub(super) fn card(&mut self, from: PublicKey, card: &ContactCard, me: PublicKey, clock: u64) -> CardUse {
        if !card.is_valid_at(clock) || card.key == card.to {
            return CardUse::None;
        }
        if card.to != me {
            // We pass on only the first card of each contact, and only if its owner sent it.
            let is_it = |one: &&mut Introduced| one.pair.contains(&card.key) && one.pair.contains(&card.to);
            let Some(one) = self.made.iter_mut().find(is_it).filter(|_| from == card.key) else {
                return CardUse::None;
            };
            let passed = &mut one.passed[usize::from(one.pair[1] == card.key)];
            return if std::mem::replace(passed, true) { CardUse::None } else { CardUse::PassOn };
        }
        let Some(at) = self.asked.iter().position(|one| one.by == from && one.key == card.key) else {
            return CardUse::None;
        };
        let one = &mut self.asked[at];
        if one.accepted {
            self.asked.remove(at);
            return CardUse::MakeContact;
        }
        if one.card.as_ref().is_none_or(|held| held.number < card.number) {
            one.card = Some(Box::new(card.clone()));
        }
        CardUse::None
    }

    /// Returns the part if the contact has a session, and otherwise holds it until it has.
    pub(super) fn send(&mut self, to: PublicKey, part: IntroductionPart) -> Option<IntroductionPart> {
        if self.open.contains(&to) {
            return Some(part);
        }
        if self.unsent.len() >= MAX_UNSENT {
            self.unsent.pop_front();
        }
        self.unsent.push_back((to, part));
        None
    }

    /// Records that a contact has a session. Returns the parts that were held for it.
    pub(super) fn session_up(&mut self, key: PublicKey) -> Vec<IntroductionPart> {
        self.open.insert(key);
        let (now, later): (VecDeque<_>, VecDeque<_>) = self.unsent.drain(..).partition(|(to, _)| *to == key);
        self.unsent = later;
        now.into_iter().map(|(_, part)| part).collect()
    }

    pub(super) fn session_down(&mut self, key: PublicKey) {
        self.open.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::KEY_BYTES;

    const CLOCK: u64 = 1_700_000_000_000;

    fn key(n: usize) -> PublicKey {
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        PublicKey::new(bytes)
    }

    fn name() -> PeerName {
        PeerName::new("Carol")
    }

    fn card(of: usize, to: usize) -> ContactCard {
        ContactCard::unsigned(key(to), key(of), &name(), CLOCK, &[])
    }

    fn now() -> Time {
        Time::at(CARD_VALID)
    }

    #[test]
    fn twenty_introductions_a_day_are_sent() {
        let mut all = Introductions::default();
        for n in 2..22 {
            assert_eq!(all.introduce([key(1), key(n)], 0, now()), Ok(()));
        }
        assert_eq!(all.introduce([key(30), key(1)], DAY - 1, now()), Err(key(1)));
        assert_eq!(all.introduce([key(30), key(2)], DAY - 1, now()), Ok(()));
        assert_eq!(all.introduce([key(30), key(1)], DAY, now()), Ok(()));
    }

    #[test]
    fn twenty_introductions_a_day_are_taken() {
        let mut all = Introductions::default();
        for n in 2..22 {
            assert!(all.asks(key(1), key(n), name(), 0, now()));
        }
        assert!(!all.asks(key(1), key(22), name(), 0, now()));
        assert!(all.asks(key(30), key(22), name(), 0, now()), "another contact");
        assert!(all.asks(key(1), key(22), name(), DAY, now()), "another day");
        assert!(!all.asks(key(1), key(22), name(), DAY, now()), "the same again");
    }

    #[test]
    fn ignored_key_is_remembered() {
        let mut all = Introductions::default();
        assert!(all.asks(key(1), key(2), name(), 0, now()));
        assert!(all.ignore(key(2)) && !all.ignore(key(2)) && !all.ignore(key(3)));
        assert_eq!(all.undecided().count(), 0);
        let mut next = Introductions::new(all.ignored().collect());
        assert!(!next.asks(key(1), key(2), name(), 0, now()) && !next.asks(key(4), key(2), name(), 0, now()));
        assert!(next.asks(key(1), key(3), name(), 0, now()));
    }

    #[test]
    fn card_makes_no_contact_before_acceptance() {
        let mut all = Introductions::default();
        let (me, by) = (key(9), key(1));
        assert_eq!(all.card(by, &card(2, 9), me, CLOCK), CardUse::None, "nobody asked");
        assert!(all.asks(by, key(2), name(), 0, now()));
        assert_eq!(all.card(by, &card(2, 9), me, CLOCK), CardUse::None);
        let (_, held) = all.accept(by, key(2)).unwrap();
        assert_eq!(held, Some(Box::new(card(2, 9))));
        assert!(all.asks(by, key(3), name(), 0, now()));
        assert_eq!(all.accept(by, key(3)).unwrap().1, None);
        assert_eq!(all.accept(by, key(3)), None);
        assert_eq!(all.card(key(4), &card(3, 9), me, CLOCK), CardUse::None, "from another contact");
        assert_eq!(all.card(by, &card(3, 8), me, CLOCK), CardUse::None, "for another key");
        let mut expired = card(3, 9);
        expired.expires = CLOCK;
        assert_eq!(all.card(by, &expired, me, CLOCK), CardUse::None);
        assert_eq!(all.card(by, &card(3, 9), me, CLOCK), CardUse::MakeContact);
        assert_eq!(all.card(by, &card(3, 9), me, CLOCK), CardUse::None, "once");
    }

    #[test]
    fn newest_held_card_counts() {
        let mut all = Introductions::default();
        assert!(all.asks(key(1), key(2), name(), 0, now()));
        let mut newer = card(2, 9);
        newer.number = CLOCK + 1;
        all.card(key(1), &newer, key(9), CLOCK);
        all.card(key(1), &card(2, 9), key(9), CLOCK);
        assert_eq!(all.accept(key(1), key(2)).unwrap().1, Some(Box::new(newer)));
    }

    #[test]
    fn introducer_passes_each_card_on_once() {
        let mut all = Introductions::default();
        let me = key(9);
        assert_eq!(all.card(key(1), &card(1, 2), me, CLOCK), CardUse::None, "not introduced");
        all.introduce([key(1), key(2)], 0, now()).unwrap();
        assert_eq!(all.card(key(2), &card(1, 2), me, CLOCK), CardUse::None, "not from its owner");
        assert_eq!(all.card(key(1), &card(1, 3), me, CLOCK), CardUse::None, "for another key");
        for (of, to) in [(1, 2), (2, 1)] {
            assert_eq!(all.card(key(of), &card(of, to), me, CLOCK), CardUse::PassOn);
            assert_eq!(all.card(key(of), &card(of, to), me, CLOCK), CardUse::None);
        }
    }

    #[test]
    fn parts_wait_for_a_session() {
        let mut all = Introductions::default();
        let part = |n| IntroductionPart::Ask(key(n), name());
        assert_eq!(all.send(key(1), part(2)), None);
        assert_eq!(all.send(key(3), part(4)), None);
        assert_eq!(all.session_up(key(1)), [part(2)]);
        assert_eq!(all.send(key(1), part(5)), Some(part(5)));
        all.session_down(key(1));
        (0..2 * MAX_UNSENT).for_each(|n| drop(all.send(key(1), part(n))));
        assert_eq!(all.session_up(key(1)).len(), MAX_UNSENT);
    }

    #[test]
    fn introductions_expire_with_their_cards() {
        let mut all = Introductions::default();
        assert!(all.asks(key(1), key(2), name(), 0, now()));
        all.introduce([key(1), key(2)], 0, now()).unwrap();
        let later = now().plus(CARD_VALID);
        assert!(all.asks(key(1), key(3), name(), DAY, later));
        assert_eq!(all.undecided().map(|one| one.key).collect::<Vec<_>>(), [key(3)]);
        assert_eq!(all.card(key(1), &card(1, 2), key(9), CLOCK), CardUse::None);
    }
}
