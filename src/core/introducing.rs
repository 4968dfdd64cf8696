//! `/introduce`, `/accept` and `/ignore`: passes introductions between the user, the peers and the
//! sessions.

use super::State;
use super::event::{Event, IntroductionNews, OpId, Output};
use super::introductions::{CardUse, IntroducedPeer, IntroductionPart};
use super::presence::Probe;
use super::time::Time;
use super::trust::ContactRecord;
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::protocol::session::ContactCard;

/// The name of a nameless contact in an introduction.
const NAMELESS: &str = "?";

impl State {
    /// Introduces two contacts to each other by asking each of them.
    pub(super) fn introduce(&mut self, pair: [PublicKey; 2], date: u64, now: Time) -> OpId {
        let [one, other] = pair.map(|key| self.who(key.into()));
        let news = match self.introductions.introduce(pair, date, now) {
            Err(full) if full == pair[0] => IntroductionNews::TooMany(one),
            Err(_) => IntroductionNews::TooMany(other),
            Ok(()) => {
                let name = |name: &Option<PeerName>| name.clone().unwrap_or_else(|| PeerName::new(NAMELESS));
                self.send_part(pair[0], IntroductionPart::Ask(pair[1], name(&other.name)));
                self.send_part(pair[1], IntroductionPart::Ask(pair[0], name(&one.name)));
                IntroductionNews::Asked(one, other)
            }
        };
        self.tell_introduction(news);
        self.nothing_to_wait_for()
    }

    /// Accepts an introduction: sends our card to the introducer. The introduced peer becomes a
    /// contact when its card has arrived.
    pub(super) fn accept_introduction(
        &mut self,
        by: PublicKey,
        card: Box<ContactCard>,
        date: u64,
        now: Time,
    ) -> OpId {
        let key = card.to;
        // The introducer may have been blocked or forgotten meanwhile.
        let may = self.may_introduce(by);
        let Some((introduction, theirs)) = self.introductions.accept(by, key).filter(|_| may) else {
            self.tell_introduction(IntroductionNews::NotThere);
            return self.nothing_to_wait_for();
        };
        self.send_part(by, IntroductionPart::Card(card));
        let waits = theirs.is_none() && !self.is_contact(key.into());
        let (by, name) = (self.who(by.into()), introduction.name);
        self.tell_introduction(IntroductionNews::Accepted { by, name, waits });
        if let Some(theirs) = theirs {
            self.add_introduced(&theirs, date, now);
        }
        self.nothing_to_wait_for()
    }

    /// Ignores this and all later introductions of a key.
    pub(super) fn ignore_introduction(&mut self, key: PublicKey) -> OpId {
        let name = self.introductions.undecided().find(|one| one.key == key).map(|one| one.name.clone());
        self.introductions.ignore(key);
        let news = name.map_or(IntroductionNews::NotThere, IntroductionNews::Ignored);
        self.tell_introduction(news);
        self.nothing_to_wait_for()
    }

    /// Handles part of an introduction. Only contacts may introduce. The caller has checked the
    /// signature of a card. `clock` is the time in milliseconds since 1970.
    pub fn introduced(
        &mut self,
        from: PublicKey,
        part: IntroductionPart,
        clock: u64,
        now: Time,
    ) -> Vec<Output> {
        if !self.closed && self.may_introduce(from) {
            match part {
                IntroductionPart::Ask(key, name) => self.receive_introduction(from, key, name, clock, now),
                IntroductionPart::Card(card) => self.receive_card(from, card, clock, now),
            }
        }
        self.done()
    }

    /// Returns whether a key is a contact that is not blocked.
    fn may_introduce(&self, key: PublicKey) -> bool {
        self.is_contact(key.into()) && !self.is_blocked(key.into())
    }

    fn receive_introduction(&mut self, by: PublicKey, key: PublicKey, name: PeerName, clock: u64, now: Time) {
        let is_useless = key == self.trust.me() || key == by || self.is_blocked(key.into());
        if !is_useless && self.introductions.asks(by, key, name.clone(), clock / 1_000, now) {
            let by = self.who(by.into());
            self.tell_introduction(IntroductionNews::Introduced { by, key, name });
        }
    }

    fn receive_card(&mut self, from: PublicKey, card: Box<ContactCard>, clock: u64, now: Time) {
        match self.introductions.card(from, &card, self.trust.me(), clock) {
            CardUse::PassOn => {
                let to = card.to;
                self.send_part(to, IntroductionPart::Card(card));
                let (from, to) = (self.who(from.into()), self.who(to.into()));
                self.tell_introduction(IntroductionNews::PassedOn { from, to });
            }
            CardUse::MakeContact => self.add_introduced(&card, clock / 1_000, now),
            CardUse::None => {}
        }
    }

    /// Makes the key of a card a contact and dials it. Changes no existing contact and no blocked
    /// key.
    fn add_introduced(&mut self, card: &ContactCard, date: u64, now: Time) {
        let id = Recipient::key(card.key);
        if self.is_contact(id) || self.is_blocked(id) {
            return;
        }
        let name = self.trust.pin(card.key).and_then(|pin| pin.name.clone());
        let contact = ContactRecord {
            id: PeerId::Key(card.key),
            name: name.or_else(|| Some(card.name())),
            verified: None,
            blocked: false,
            stranger: false,
            addrs: card.addrs(),
        };
        let told = match self.set_contact(contact, date, now) {
            Ok(decision) => Event::Decided(decision),
            Err(unknown) => Event::Undecided(unknown),
        };
        self.tell(told);
        if self.knows(id) && !self.peers.is_online(id) {
            self.probe(id, Probe::Connect, None, now);
        }
    }

    fn tell_introduction(&mut self, news: IntroductionNews) {
        self.tell(Event::Introduction(Box::new(news)));
    }

    fn send_part(&mut self, to: PublicKey, part: IntroductionPart) {
        if let Some(part) = self.introductions.send(to, part) {
            self.act(Output::Introduce(to, part));
        }
    }

    /// Sends what was held for a contact whose session has opened.
    pub(super) fn send_held_parts(&mut self, key: PublicKey) {
        for part in self.introductions.session_up(key) {
            self.act(Output::Introduce(key, part));
        }
    }

    /// Returns the introductions that wait for the user's decision.
    pub fn undecided_introductions(&self) -> Vec<IntroducedPeer> {
        self.introductions.undecided().cloned().collect()
    }

    /// Returns the ignored keys, oldest first.
    pub fn ignored(&self) -> Vec<PublicKey> {
        self.introductions.ignored().collect()
    }
}
