//! Introductions: a user asks two of their contacts whether they want to know each other. A contact
//! that accepts signs a contact card, which the introducer passes on to the other. Nothing is
//! exchanged without the users' consent.
//!
//! What waits is sent at the beginning of each session, so a part that got lost with a session or a
//! program is sent again. A repeated part changes nothing.

use std::collections::{BTreeMap, VecDeque};

use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::protocol::session::{CARD_VALID, ContactCard};

/// The maximum number of introductions sent to a contact, and accepted from one, in a day. It is
/// more than a person makes.
pub(crate) const MAX_INTRODUCTIONS_A_DAY: usize = 20;

/// The maximum number of introductions that the user made, and of those that the user received. It
/// is enough for ten contacts at their daily limit.
pub(crate) const MAX_INTRODUCTIONS: usize = 10 * MAX_INTRODUCTIONS_A_DAY;

/// The maximum number of ignored keys. Beyond it, the oldest is forgotten.
pub(crate) const MAX_IGNORED: usize = 1_000;

/// The maximum number of parts that are on their way to a contact. The others follow one by one,
/// each after an answer of the contact. The parts have less than 10 KiB, for which a connection has
/// room beside its messages.
const MAX_AT_ONCE: usize = MAX_INTRODUCTIONS_A_DAY;

/// The maximum number of parts that are kept of a session whose peer is no contact yet: the
/// questions and cards of four introductions. With all sessions of strangers, they take about
/// 1 MiB.
pub(crate) const MAX_EARLY_PARTS: usize = 8;

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

/// A part that a contact gets now. The caller knows the name for [`IntroductionPart::Ask`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum DuePart {
    Ask(PublicKey),
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
    /// When the introduction arrived, in seconds since 1970.
    pub since: u64,
    /// Our card, if the user has accepted.
    pub ours: Option<Box<ContactCard>>,
    /// The card of the peer, if it arrived before the user decided.
    pub theirs: Option<Box<ContactCard>>,
    /// Whether the user has accepted and the peer is a contact.
    pub is_complete: bool,
}

impl IntroducedPeer {
    /// Returns whether the user has accepted and the peer is not a contact yet.
    pub fn is_awaited(&self) -> bool {
        self.ours.is_some() && !self.is_complete
    }
}

/// One of two contacts that the user introduced to each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntroducedContact {
    /// The contact.
    pub key: PublicKey,
    /// Whether it was asked.
    pub asked: bool,
    /// Its card, if it has accepted.
    pub card: Option<Box<ContactCard>>,
    /// Whether its card was passed on to the other contact.
    pub passed: bool,
}

impl IntroducedContact {
    /// Returns whether it is asked in its next session: until it has accepted, or once more if the
    /// user has introduced it again.
    fn is_to_be_asked(&self) -> bool {
        self.card.is_none() || !self.asked
    }
}

/// Two contacts that the user introduced to each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MadeIntroduction {
    /// The contacts.
    pub pair: [IntroducedContact; 2],
    /// When the user introduced them last, in seconds since 1970.
    pub since: u64,
}

impl MadeIntroduction {
    fn is_of(&self, pair: [PublicKey; 2]) -> bool {
        self.pair.iter().all(|one| pair.contains(&one.key))
    }

    /// Returns the contact with a key, and the other one.
    fn sides(&mut self, key: PublicKey) -> Option<(&mut IntroducedContact, &mut IntroducedContact)> {
        let [one, other] = &mut self.pair;
        match (one.key == key, other.key == key) {
            (true, _) => Some((one, other)),
            (false, true) => Some((other, one)),
            (false, false) => None,
        }
    }
}

/// What is saved of the introductions in the profile.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SavedIntroductions {
    /// Introductions that the user made, oldest first.
    pub made: Vec<MadeIntroduction>,
    /// Introductions to the user, oldest first.
    pub received: Vec<IntroducedPeer>,
    /// The ignored keys, oldest first.
    pub ignored: Vec<PublicKey>,
    /// The day of the counts below, in days since 1970.
    pub day: u64,
    /// How many introductions were sent to each contact on that day.
    pub sent: BTreeMap<PublicKey, usize>,
    /// How many introductions were accepted from each contact on that day.
    pub taken: BTreeMap<PublicKey, usize>,
}

/// What to do with a card.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CardUse {
    /// Tell the user that its owner accepted. If the contact that it is for has a session, pass it
    /// on now.
    PassOn { now: bool },
    /// Make its key a contact, because the user has accepted the introduction.
    MakeContact,
    /// Do nothing now.
    None,
}

/// Whether the caller knows that something has to be saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Changes {
    #[default]
    None,
    Untold,
    Told,
}

/// The introductions. All dates are in seconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Introductions {
    saved: SavedIntroductions,
    /// The contacts with a session, and the parts that each gets next. All of them together are as
    /// many as the introductions have parts.
    open: BTreeMap<PublicKey, VecDeque<DuePart>>,
    /// What peers with a session have sent before they were contacts, with the date. It is
    /// forgotten with the session, because each session begins with all parts.
    early: BTreeMap<PublicKey, Vec<(IntroductionPart, u64)>>,
    changes: Changes,
}

impl Introductions {
    pub(super) fn new(saved: SavedIntroductions) -> Self {
        Self { saved, ..Self::default() }
    }

    fn changed(&mut self) {
        if self.changes == Changes::None {
            self.changes = Changes::Untold;
        }
    }

    /// Returns whether something has changed that the caller was not told of.
    pub(super) fn has_untold_changes(&mut self) -> bool {
        let is_untold = self.changes == Changes::Untold;
        if is_untold {
            self.changes = Changes::Told;
        }
        is_untold
    }

    /// Returns what has to be saved.
    pub(super) fn take(&mut self, date: u64) -> SavedIntroductions {
        self.changes = Changes::None;
        self.expire(date);
        self.saved.clone()
    }

    fn remember_ignored(&mut self, key: PublicKey) {
        if self.saved.ignored.contains(&key) {
            return;
        }
        if self.saved.ignored.len() >= MAX_IGNORED {
            self.saved.ignored.remove(0);
        }
        self.saved.ignored.push(key);
    }

    /// Resets the counts when the day changes.
    fn reset_on_new_day(&mut self, date: u64) {
        if self.saved.day != date / DAY {
            self.saved.day = date / DAY;
            self.saved.sent.clear();
            self.saved.taken.clear();
        }
    }

    /// Forgets entries that are older than a card's validity, and cards that have expired.
    fn expire(&mut self, date: u64) {
        self.saved.made.retain(|one| is_recent(one.since, date));
        self.saved.received.retain(|one| is_recent(one.since, date));
        for side in self.saved.made.iter_mut().flat_map(|one| &mut one.pair) {
            side.card.take_if(|card| card.expires <= date.saturating_mul(1_000));
        }
    }

    /// Forgets introductions by and between peers that are not friends, which are contacts that are
    /// not blocked, and introductions of blocked peers. An accepted introduction is complete if its
    /// peer is a contact.
    pub(super) fn prune(
        &mut self,
        is_friend: impl Fn(PublicKey) -> bool,
        is_blocked: impl Fn(PublicKey) -> bool,
    ) {
        let before = self.saved.made.len() + self.saved.received.len();
        self.saved.made.retain(|one| one.pair.iter().all(|side| is_friend(side.key)));
        self.saved.received.retain(|one| {
            // An undecided one is settled if its peer has become a contact, and a complete one if
            // the user has forgotten its peer.
            let is_settled = !one.is_awaited() && one.is_complete != is_friend(one.key);
            is_friend(one.by) && !is_blocked(one.key) && !is_settled
        });
        let mut is_changed = self.saved.made.len() + self.saved.received.len() < before;
        for one in &mut self.saved.received {
            if one.is_awaited() && is_friend(one.key) {
                (one.is_complete, is_changed) = (true, true);
            }
        }
        if is_changed {
            self.changed();
        }
    }

    /// Records that the user introduces two contacts to each other. A pair counts once until its
    /// introduction has expired. Returns whether the pair is new, and which of the two have
    /// accepted and are not asked. If both have, both are asked again, because one may have
    /// forgotten the other since.
    ///
    /// # Errors
    /// The contact that has reached [`MAX_INTRODUCTIONS_A_DAY`].
    pub(super) fn introduce(
        &mut self,
        pair: [PublicKey; 2],
        date: u64,
    ) -> Result<(bool, [bool; 2]), PublicKey> {
        self.reset_on_new_day(date);
        self.expire(date);
        let at = self.saved.made.iter().position(|one| one.is_of(pair));
        let made = match at {
            Some(at) => {
                let mut made = MadeIntroduction { since: date, ..self.saved.made.remove(at) };
                if made.pair.iter().all(|side| side.card.is_some()) {
                    made.pair.iter_mut().for_each(|side| side.asked = false);
                }
                made
            }
            None => {
                let sent = &mut self.saved.sent;
                let is_full =
                    |key: &&PublicKey| sent.get(key).is_some_and(|sent| *sent >= MAX_INTRODUCTIONS_A_DAY);
                if let Some(full) = pair.iter().find(is_full) {
                    return Err(*full);
                }
                pair.iter().for_each(|key| *sent.entry(*key).or_default() += 1);
                let side = |key| IntroducedContact { key, asked: false, card: None, passed: false };
                MadeIntroduction { pair: pair.map(side), since: date }
            }
        };
        if self.saved.made.len() >= MAX_INTRODUCTIONS {
            self.saved.made.remove(0);
        }
        let accepted = pair.map(|key| made.pair.iter().any(|side| side.key == key && !side.is_to_be_asked()));
        self.saved.made.push(made);
        self.changed();
        Ok((at.is_none(), accepted))
    }

    /// Records that a contact introduces a key. Returns whether to tell the user: `false` for an
    /// ignored key, which the user can still accept, a repeated introduction, or one beyond the
    /// limits.
    pub(super) fn asks(&mut self, by: PublicKey, key: PublicKey, name: PeerName, date: u64) -> bool {
        self.reset_on_new_day(date);
        self.expire(date);
        let is_known = self.saved.received.iter().any(|one| one.by == by && one.key == key);
        if is_known {
            return false;
        }
        if self.saved.taken.get(&by).is_some_and(|taken| *taken >= MAX_INTRODUCTIONS_A_DAY) {
            return false;
        }
        if self.saved.received.len() >= MAX_INTRODUCTIONS {
            let is_done = |one: &IntroducedPeer| one.is_complete || self.is_ignored(one);
            let Some(at) = self.saved.received.iter().position(is_done) else { return false };
            self.saved.received.remove(at);
        }
        *self.saved.taken.entry(by).or_default() += 1;
        let (ours, theirs, is_complete) = (None, None, false);
        self.saved.received.push(IntroducedPeer { by, key, name, since: date, ours, theirs, is_complete });
        self.changed();
        !self.saved.ignored.contains(&key)
    }

    /// Returns whether the user has ignored an introduction, and not accepted it since.
    fn is_ignored(&self, one: &IntroducedPeer) -> bool {
        one.ours.is_none() && self.saved.ignored.contains(&one.key)
    }

    /// Returns the introductions that wait for the user's decision, or, with `ignored`, those that
    /// the user has ignored and can still accept.
    pub(super) fn undecided(&self, ignored: bool, date: u64) -> impl Iterator<Item = &IntroducedPeer> {
        let is_one = move |one: &&IntroducedPeer| {
            one.ours.is_none() && is_recent(one.since, date) && self.is_ignored(one) == ignored
        };
        self.saved.received.iter().filter(is_one)
    }

    /// Returns the introductions that the user made and that wait for an answer or a session, and
    /// those that the user received and that wait for a card.
    pub(super) fn waiting(&self, date: u64) -> (Vec<MadeIntroduction>, Vec<IntroducedPeer>) {
        let is_open = |one: &&MadeIntroduction| {
            let is_open = |side: &IntroducedContact| side.is_to_be_asked() || !side.passed;
            is_recent(one.since, date) && one.pair.iter().any(is_open)
        };
        let is_awaited = |one: &&IntroducedPeer| is_recent(one.since, date) && one.is_awaited();
        let Self { saved, .. } = self;
        (
            saved.made.iter().filter(is_open).cloned().collect(),
            saved.received.iter().filter(is_awaited).cloned().collect(),
        )
    }

    /// Returns the introduction of a key that the user has accepted and that waits for a card.
    pub(super) fn awaited(&self, key: PublicKey, date: u64) -> Option<&IntroducedPeer> {
        let mut received = self.saved.received.iter();
        received.find(|one| one.key == key && one.is_awaited() && is_recent(one.since, date))
    }

    /// Records that the user accepts an introduction, with our card. Its key is no longer ignored.
    /// Returns it with the card that has already arrived, if any. `None` if there is no such
    /// introduction.
    pub(super) fn accept(
        &mut self,
        by: PublicKey,
        ours: Box<ContactCard>,
        date: u64,
    ) -> Option<(IntroducedPeer, Option<Box<ContactCard>>)> {
        self.expire(date);
        let key = ours.to;
        let mut received = self.saved.received.iter_mut();
        let one = received.find(|one| one.by == by && one.key == key && one.ours.is_none())?;
        let theirs = one.theirs.take().filter(|card| is_valid(card, date));
        one.ours = Some(ours);
        one.is_complete = theirs.is_some();
        let told = one.clone();
        self.saved.ignored.retain(|ignored| *ignored != key);
        self.changed();
        Some((told, theirs))
    }

    /// Ignores this and all later introductions of a key, from any contact. Returns its name, or
    /// `None` if no introduction of it is undecided.
    pub(super) fn ignore(&mut self, key: PublicKey) -> Option<PeerName> {
        let is_it = |one: &&IntroducedPeer| one.key == key && one.ours.is_none() && !self.is_ignored(one);
        let name = self.saved.received.iter().find(is_it)?.name.clone();
        self.remember_ignored(key);
        self.changed();
        Some(name)
    }

    /// Takes a card from a contact and returns what to do with it. The caller has checked its
    /// signature. `me` is our own key.
    pub(super) fn card(&mut self, from: PublicKey, card: &ContactCard, me: PublicKey, date: u64) -> CardUse {
        if !is_valid(card, date) || card.key == card.to {
            return CardUse::None;
        }
        self.expire(date);
        if card.to != me {
            // We pass on only the first card of each contact, and only if its owner sent it.
            let mut made = self.saved.made.iter_mut();
            let side = made.find(|one| one.is_of([card.key, card.to])).and_then(|one| one.sides(card.key));
            let Some((side, _)) = side.filter(|(side, _)| from == card.key && side.card.is_none()) else {
                return CardUse::None;
            };
            side.card = Some(Box::new(card.clone()));
            side.passed = self.open.contains_key(&card.to);
            let now = side.passed;
            self.changed();
            return CardUse::PassOn { now };
        }
        let mut received = self.saved.received.iter_mut();
        let one = received.find(|one| one.by == from && one.key == card.key && !one.is_complete);
        let Some(one) = one else { return CardUse::None };
        if one.ours.is_some() {
            one.is_complete = true;
            self.changed();
            return CardUse::MakeContact;
        }
        if one.theirs.as_ref().is_none_or(|held| held.number < card.number) {
            one.theirs = Some(Box::new(card.clone()));
            self.changed();
        }
        CardUse::None
    }

    /// Returns what a contact with a session gets now of the introductions of `about`, or of all:
    /// at most [`MAX_AT_ONCE`] parts, preferably those that were not sent before.
    /// [`Introductions::next_part`] returns the others. The contact is asked until it has accepted.
    /// Cards are repeated, because they may have been lost.
    pub(super) fn due(&mut self, to: PublicKey, about: Option<PublicKey>, date: u64) -> Vec<DuePart> {
        if !self.is_open(to) {
            return Vec::new();
        }
        self.expire(date);
        let is_about = |key: PublicKey| about.is_none_or(|about| about == key);
        let (mut new, mut repeated) = (Vec::new(), Vec::new());
        for one in self.saved.received.iter().filter(|one| one.by == to && is_about(one.key)) {
            let parts = if one.is_complete { &mut repeated } else { &mut new };
            let ours = one.ours.iter().filter(|card| is_valid(card, date));
            parts.extend(ours.map(|card| DuePart::Card(card.clone())));
        }
        let mut is_changed = false;
        for one in &mut self.saved.made {
            let Some((side, other)) = one.sides(to).filter(|(_, other)| is_about(other.key)) else {
                continue;
            };
            let ask = side.is_to_be_asked().then_some((DuePart::Ask(other.key), &mut side.asked));
            let card = other.card.clone().map(|card| (DuePart::Card(card), &mut other.passed));
            for (part, was_sent) in ask.into_iter().chain(card) {
                let parts = if *was_sent { &mut repeated } else { &mut new };
                is_changed |= !std::mem::replace(was_sent, true);
                parts.push(part);
            }
        }
        if is_changed {
            self.changed();
        }
        new.extend(repeated);
        let mut rest = new.split_off(new.len().min(MAX_AT_ONCE));
        for parts in [&mut new, &mut rest] {
            // A card counts only after the question.
            parts.sort_by_key(|part| matches!(part, DuePart::Card(_)));
        }
        if let Some(next) = self.open.get_mut(&to).filter(|_| about.is_none()) {
            *next = rest.into();
        }
        new
    }

    /// Returns the next part for a contact that has answered.
    pub(super) fn next_part(&mut self, to: PublicKey) -> Option<DuePart> {
        self.open.get_mut(&to)?.pop_front()
    }

    /// Returns whether a contact has a session.
    pub(super) fn is_open(&self, key: PublicKey) -> bool {
        self.open.contains_key(&key)
    }

    /// Records that a contact has a session.
    pub(super) fn session_up(&mut self, key: PublicKey) {
        self.open.entry(key).or_default();
    }

    pub(super) fn session_down(&mut self, key: PublicKey) {
        self.open.remove(&key);
        self.early.remove(&key);
    }

    /// Keeps a part of a peer that is no contact yet, if it has a session and there is room.
    pub(super) fn keep_early(&mut self, from: PublicKey, part: IntroductionPart, date: u64) {
        if !self.is_open(from) {
            return;
        }
        let kept = self.early.entry(from).or_default();
        if kept.len() < MAX_EARLY_PARTS && kept.iter().all(|(known, _)| *known != part) {
            kept.push((part, date));
        }
    }

    /// Takes the parts of a peer that has become a contact.
    pub(super) fn take_early(
        &mut self,
        is_friend: impl Fn(PublicKey) -> bool,
    ) -> Option<(PublicKey, Vec<(IntroductionPart, u64)>)> {
        let from = self.early.keys().copied().find(|key| is_friend(*key))?;
        Some((from, self.early.remove(&from)?))
    }
}

/// Returns whether an introduction of this date has not expired.
fn is_recent(since: u64, date: u64) -> bool {
    date.saturating_sub(since) < CARD_VALID.as_secs()
}

fn is_valid(card: &ContactCard, date: u64) -> bool {
    card.is_valid_at(date.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::KEY_BYTES;

    /// The date of most tests: the beginning of a day.
    const DATE: u64 = 20_000 * DAY;

    fn key(n: usize) -> PublicKey {
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        PublicKey::new(bytes)
    }

    fn name() -> PeerName {
        PeerName::new("Carol")
    }

    fn card(of: usize, to: usize) -> ContactCard {
        ContactCard::unsigned(key(to), key(of), &name(), DATE * 1_000, &[])
    }

    fn boxed(of: usize, to: usize) -> Box<ContactCard> {
        Box::new(card(of, to))
    }

    /// Introductions of a user whose contacts `open` have a session.
    fn with_sessions(open: &[usize]) -> Introductions {
        let mut all = Introductions::default();
        open.iter().for_each(|n| all.session_up(key(*n)));
        all
    }

    /// The introductions after a restart, before any session.
    fn restarted(all: &mut Introductions) -> Introductions {
        Introductions::new(all.take(DATE))
    }

    #[test]
    fn twenty_introductions_a_day_are_sent() {
        let mut all = Introductions::default();
        for n in 2..22 {
            assert_eq!(all.introduce([key(1), key(n)], DATE), Ok((true, [false; 2])));
        }
        let mut all = restarted(&mut all);
        assert_eq!(all.introduce([key(30), key(1)], DATE + DAY - 1), Err(key(1)));
        assert!(all.introduce([key(2), key(1)], DATE).is_ok_and(|(is_new, _)| !is_new), "a repeated one");
        assert!(all.introduce([key(30), key(2)], DATE + DAY - 1).is_ok());
        assert!(all.introduce([key(30), key(1)], DATE + DAY).is_ok());
    }

    #[test]
    fn twenty_introductions_a_day_are_taken() {
        let mut all = Introductions::default();
        for n in 2..22 {
            assert!(all.asks(key(1), key(n), name(), DATE));
            assert!(!all.asks(key(1), key(2), name(), DATE), "a repeated one does not count");
        }
        let mut all = restarted(&mut all);
        assert!(!all.asks(key(1), key(22), name(), DATE));
        assert!(all.asks(key(30), key(22), name(), DATE), "another contact");
        assert!(all.asks(key(1), key(22), name(), DATE + DAY), "another day");
        assert!(!all.asks(key(1), key(22), name(), DATE + DAY), "the same again");
    }

    #[test]
    fn ignored_key_is_remembered() {
        let mut all = Introductions::default();
        assert!(all.asks(key(1), key(2), name(), DATE));
        assert_eq!(all.ignore(key(2)), Some(name()));
        assert_eq!([all.ignore(key(2)), all.ignore(key(3))], [None, None]);
        assert_eq!([false, true].map(|ignored| all.undecided(ignored, DATE).count()), [0, 1]);
        let mut next = restarted(&mut all);
        assert!(!next.asks(key(1), key(2), name(), DATE) && !next.asks(key(4), key(2), name(), DATE));
        assert!(next.asks(key(1), key(3), name(), DATE));
        // The user changes their mind.
        assert!(next.accept(key(4), boxed(9, 2), DATE).is_some());
        let mut next = restarted(&mut next);
        assert_eq!(next.undecided(true, DATE).count(), 0);
        assert!(next.asks(key(5), key(2), name(), DATE));
    }

    #[test]
    fn complete_introduction_is_made_again() {
        let mut all = with_sessions(&[1, 2]);
        let pair = [key(1), key(2)];
        all.introduce(pair, DATE).unwrap();
        for (of, to) in [(1, 2), (2, 1)] {
            all.due(key(of), None, DATE);
            assert_eq!(all.card(key(of), &card(of, to), key(9), DATE), CardUse::PassOn { now: true });
        }
        all.session_down(key(2));
        assert_eq!(all.introduce(pair, DATE), Ok((false, [false; 2])));
        let ask_and_card = |n, to| vec![DuePart::Ask(key(n)), DuePart::Card(boxed(n, to))];
        assert_eq!(all.due(key(1), Some(key(2)), DATE), ask_and_card(2, 1));
        assert_eq!(all.waiting(DATE).0.len(), 1, "2 is to be asked");
        all.session_up(key(2));
        assert_eq!(all.due(key(2), None, DATE), ask_and_card(1, 2));
        assert_eq!(all.waiting(DATE).0, []);
        assert_eq!(all.due(key(1), None, DATE), [DuePart::Card(boxed(2, 1))], "it is asked once");
    }

    #[test]
    fn card_makes_no_contact_before_acceptance() {
        let mut all = Introductions::default();
        let (me, by) = (key(9), key(1));
        assert_eq!(all.card(by, &card(2, 9), me, DATE), CardUse::None, "nobody asked");
        assert!(all.asks(by, key(2), name(), DATE));
        assert_eq!(all.card(by, &card(2, 9), me, DATE), CardUse::None);
        let mut all = restarted(&mut all);
        let (_, held) = all.accept(by, boxed(9, 2), DATE).unwrap();
        assert_eq!(held, Some(boxed(2, 9)));
        assert!(all.asks(by, key(3), name(), DATE));
        assert_eq!(all.accept(by, boxed(9, 3), DATE).unwrap().1, None);
        assert_eq!(all.accept(by, boxed(9, 3), DATE), None);
        assert_eq!(all.card(key(4), &card(3, 9), me, DATE), CardUse::None, "from another contact");
        assert_eq!(all.card(by, &card(3, 8), me, DATE), CardUse::None, "for another key");
        let mut expired = card(3, 9);
        expired.expires = DATE * 1_000;
        assert_eq!(all.card(by, &expired, me, DATE), CardUse::None);
        let mut all = restarted(&mut all);
        assert_eq!(all.card(by, &card(3, 9), me, DATE), CardUse::MakeContact);
        assert_eq!(all.card(by, &card(3, 9), me, DATE), CardUse::None, "once");
    }

    #[test]
    fn newest_held_card_counts() {
        let mut all = Introductions::default();
        assert!(all.asks(key(1), key(2), name(), DATE));
        let mut newer = card(2, 9);
        newer.number += 1;
        all.card(key(1), &newer, key(9), DATE);
        all.card(key(1), &card(2, 9), key(9), DATE);
        assert_eq!(all.accept(key(1), boxed(9, 2), DATE).unwrap().1, Some(Box::new(newer)));
    }

    #[test]
    fn introducer_passes_on_the_first_card() {
        let mut all = with_sessions(&[1, 2]);
        let me = key(9);
        assert_eq!(all.card(key(1), &card(1, 2), me, DATE), CardUse::None, "not introduced");
        all.introduce([key(1), key(2)], DATE).unwrap();
        assert_eq!(all.card(key(2), &card(1, 2), me, DATE), CardUse::None, "not from its owner");
        assert_eq!(all.card(key(1), &card(1, 3), me, DATE), CardUse::None, "for another key");
        for (of, to) in [(1, 2), (2, 1)] {
            assert_eq!(all.due(key(of), None, DATE)[0], DuePart::Ask(key(to)));
            assert_eq!(all.card(key(of), &card(of, to), me, DATE), CardUse::PassOn { now: true });
            assert_eq!(all.card(key(of), &card(of, to), me, DATE), CardUse::None);
        }
        assert_eq!(all.waiting(DATE).0, []);
    }

    #[test]
    fn contact_is_asked_until_it_accepts() {
        let mut all = with_sessions(&[1]);
        all.introduce([key(1), key(2)], DATE).unwrap();
        let ask = |n| vec![DuePart::Ask(key(n))];
        assert_eq!(all.due(key(1), Some(key(2)), DATE), ask(2));
        assert_eq!(all.due(key(2), Some(key(1)), DATE), [], "no session");
        let asked = all.waiting(DATE).0[0].pair.each_ref().map(|side| side.asked);
        assert_eq!(asked, [true, false]);
        let mut all = restarted(&mut all);
        [1, 2].into_iter().for_each(|n| all.session_up(key(n)));
        assert_eq!([all.due(key(1), None, DATE), all.due(key(2), None, DATE)], [ask(2), ask(1)]);
        all.session_down(key(2));
        assert_eq!(all.card(key(1), &card(1, 2), key(9), DATE), CardUse::PassOn { now: false });
        assert_eq!(all.introduce([key(2), key(1)], DATE), Ok((false, [false, true])));
        assert_eq!(all.due(key(1), None, DATE), []);
        let mut all = restarted(&mut all);
        all.session_up(key(2));
        assert_eq!(all.due(key(2), None, DATE), [DuePart::Ask(key(1)), DuePart::Card(boxed(1, 2))]);
    }

    #[test]
    fn own_card_is_sent_in_each_session() {
        let mut all = Introductions::default();
        assert!(all.asks(key(1), key(2), name(), DATE));
        all.card(key(1), &card(2, 9), key(9), DATE);
        assert!(all.accept(key(1), boxed(9, 2), DATE).is_some_and(|(one, _)| one.is_complete));
        let mut all = restarted(&mut all);
        all.session_up(key(1));
        assert_eq!(all.due(key(1), None, DATE), [DuePart::Card(boxed(9, 2))]);
        assert_eq!(all.due(key(1), None, DATE + CARD_VALID.as_secs()), []);
    }

    #[test]
    fn early_parts_are_bounded_and_end_with_session() {
        let mut all = with_sessions(&[1, 2]);
        let part = |n| IntroductionPart::Ask(key(n), name());
        for n in [10, 10].into_iter().chain(11..30) {
            [1, 2, 3].into_iter().for_each(|from| all.keep_early(key(from), part(n), DATE));
        }
        assert_eq!(all.take_early(|_| false), None);
        assert_eq!(all.take_early(|from| from == key(3)), None, "it has no session");
        let kept: Vec<_> = (10..10 + MAX_EARLY_PARTS).map(|n| (part(n), DATE)).collect();
        assert_eq!(all.take_early(|from| from == key(1)), Some((key(1), kept)));
        assert_eq!(all.take_early(|from| from == key(1)), None);
        all.session_down(key(2));
        assert_eq!(all.take_early(|_| true), None);
    }

    #[test]
    fn unsent_parts_go_before_repeated_ones() {
        let mut all = with_sessions(&[1]);
        for n in 2..2 + 2 * MAX_AT_ONCE {
            assert!(all.introduce([key(1), key(n)], DATE + n as u64 / 20 * DAY).is_ok());
        }
        let asked = |due: Vec<DuePart>, range: std::ops::Range<usize>| {
            assert_eq!(due, range.map(|n| DuePart::Ask(key(n))).collect::<Vec<_>>());
        };
        asked(all.due(key(1), Some(key(2)), DATE), 2..3);
        asked(all.due(key(1), None, DATE), 3..3 + MAX_AT_ONCE);
        let rest: Vec<DuePart> = std::iter::from_fn(|| all.next_part(key(1))).collect();
        let numbers = (3 + MAX_AT_ONCE..2 + 2 * MAX_AT_ONCE).chain([2]);
        assert_eq!(rest, numbers.map(|n| DuePart::Ask(key(n))).collect::<Vec<_>>());
    }

    #[test]
    fn full_list_drops_a_complete_introduction() {
        let mut all = Introductions::default();
        for n in 0..MAX_INTRODUCTIONS {
            assert!(all.asks(key(n / MAX_INTRODUCTIONS_A_DAY), key(1_000 + n), name(), DATE));
        }
        assert!(!all.asks(key(500), key(501), name(), DATE));
        all.accept(key(0), boxed(9, 1_000), DATE).unwrap();
        assert!(!all.asks(key(500), key(501), name(), DATE), "its card has not come");
        assert_eq!(all.card(key(0), &card(1_000, 9), key(9), DATE), CardUse::MakeContact);
        assert!(all.asks(key(500), key(501), name(), DATE));
        assert_eq!(all.saved.received.len(), MAX_INTRODUCTIONS);
    }

    #[test]
    fn introductions_expire_with_their_cards() {
        let mut all = with_sessions(&[1]);
        assert!(all.asks(key(1), key(2), name(), DATE));
        all.introduce([key(1), key(2)], DATE).unwrap();
        let later = DATE + CARD_VALID.as_secs();
        assert_eq!(all.undecided(false, later).count(), 0);
        assert_eq!(all.due(key(1), None, later), []);
        assert!(all.asks(key(1), key(3), name(), later));
        assert_eq!(all.undecided(false, later).map(|one| one.key).collect::<Vec<_>>(), [key(3)]);
        assert_eq!(all.card(key(1), &card(1, 2), key(9), later - 1), CardUse::None);
    }

    #[test]
    fn lost_contact_loses_its_introductions() {
        let mut all = Introductions::default();
        for (by, about) in [(1, 2), (1, 3), (2, 4), (3, 1)] {
            assert!(all.asks(key(by), key(about), name(), DATE));
        }
        all.introduce([key(1), key(2)], DATE).unwrap();
        all.introduce([key(3), key(4)], DATE).unwrap();
        all.accept(key(3), boxed(9, 1), DATE).unwrap();
        // 2 is forgotten, 3 is no contact of the user's own, and 4 is blocked.
        all.prune(|one| [1, 3].map(key).contains(&one), |one| one == key(4));
        let SavedIntroductions { made, received, .. } = all.take(DATE);
        assert_eq!(made, []);
        let left: Vec<_> = received.iter().map(|one| (one.by, one.key, one.is_complete)).collect();
        assert_eq!(left, [(key(1), key(2), false), (key(3), key(1), true)]);
        let mut all = restarted(&mut all);
        all.prune(|one| one == key(3), |_| false);
        assert_eq!(all.take(DATE).received, [], "the user has forgotten 1");
    }
}
