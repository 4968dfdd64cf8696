//! `/introduce`, `/accept` and `/ignore`: passes introductions between the user, the peers and the
//! sessions.

use super::State;
use super::event::{Decision, Event, IntroductionNews, Output};
use super::introductions::{
    CardUse, DuePart, IntroducedPeer, IntroductionPart, MadeIntroduction, SavedIntroductions,
};
use super::presence::Probe;
use super::time::Time;
use super::trust::ContactRecord;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::protocol::session::ContactCard;

/// The name of a nameless contact in an introduction.
const NAMELESS: &str = "?";

impl State {
    /// Introduces two contacts to each other by asking each of them that has not accepted yet, now
    /// or when its session opens.
    pub(super) fn introduce(&mut self, pair: [PublicKey; 2], date: u64) {
        let news = match self.introductions.introduce(pair, date) {
            Err(full) => IntroductionNews::TooMany(self.book().who(full.into())),
            Ok((is_new, has_accepted)) => {
                let (mut asked, mut later, mut accepted) = (Vec::new(), Vec::new(), Vec::new());
                for (key, has_accepted) in pair.into_iter().zip(has_accepted) {
                    let place = match has_accepted {
                        true => &mut accepted,
                        false if self.introductions.is_open(key) => &mut asked,
                        false => &mut later,
                    };
                    place.push(self.book().who(key.into()));
                }
                self.send_parts(pair[0], Some(pair[1]), date);
                self.send_parts(pair[1], Some(pair[0]), date);
                IntroductionNews::Asked { is_new, asked, later, accepted }
            }
        };
        self.tell_introduction(news);
    }

    /// Accepts an introduction: sends our card to the introducer. The introduced peer becomes a
    /// contact when its card has arrived.
    pub(super) fn accept_introduction(
        &mut self,
        by: PublicKey,
        card: Box<ContactCard>,
        date: u64,
        now: Time,
    ) {
        let key = card.to;
        let Some((introduction, theirs)) = self.introductions.accept(by, card, date) else {
            return self.tell_introduction(IntroductionNews::NotThere);
        };
        self.send_parts(by, Some(key), date);
        let (later, waits) = (!self.introductions.is_open(by), theirs.is_none());
        let (introducer, name) = (by, introduction.name);
        let by = self.book().who(by.into());
        self.tell_introduction(IntroductionNews::Accepted { by, name, later, waits });
        if let Some(theirs) = theirs {
            self.add_introduced(introducer, theirs.key, theirs.name(), theirs.addrs(), date, now);
        }
    }

    /// Ignores this and all later introductions of a key.
    pub(super) fn ignore_introduction(&mut self, key: PublicKey) {
        let name = self.introductions.ignore(key);
        let news = name.map_or(IntroductionNews::NotThere, IntroductionNews::Ignored);
        self.tell_introduction(news);
    }

    /// Handles part of an introduction. Only contacts may introduce; what a stranger sends counts
    /// if it becomes a contact during the session. The caller has checked the signature of a card.
    /// `clock` is the time in milliseconds since 1970.
    pub fn introduced(
        &mut self,
        from: PublicKey,
        part: IntroductionPart,
        clock: u64,
        now: Time,
    ) -> Vec<Output> {
        let date = clock / 1_000;
        match part {
            _ if self.closed => {}
            part if !self.book().is_friend(from) => self.introductions.keep_early(from, part, date),
            IntroductionPart::Ask(key, name) => self.receive_introduction(from, key, name, date),
            IntroductionPart::Card(card) => self.receive_card(from, card, date, now),
        }
        self.done()
    }

    /// Shows what peers have introduced before they became contacts.
    pub(super) fn receive_early_introductions(&mut self) {
        loop {
            let mut introductions = std::mem::take(&mut self.introductions);
            let early = introductions.take_early(|key| self.book().is_friend(key));
            self.introductions = introductions;
            let Some((from, parts)) = early else { return };
            for (part, date) in parts {
                match part {
                    IntroductionPart::Ask(key, name) => self.receive_introduction(from, key, name, date),
                    // The user has accepted no introduction of a stranger, so the card waits.
                    IntroductionPart::Card(card) => {
                        self.introductions.card(from, &card, self.trust.me(), date);
                    }
                }
            }
        }
    }

    /// Asks the user about an introduced key. About a contact the user is not asked, and the
    /// introducer is not told, because that would show them who the user's contacts are.
    fn receive_introduction(&mut self, by: PublicKey, key: PublicKey, name: PeerName, date: u64) {
        let is_useless = key == self.trust.me() || key == by || self.book().is_contact(key.into());
        if !is_useless && self.introductions.asks(by, key, name.clone(), date) {
            let by = self.book().who(by.into());
            self.tell_introduction(IntroductionNews::Introduced { by, key, name });
        }
    }

    fn receive_card(&mut self, from: PublicKey, card: Box<ContactCard>, date: u64, now: Time) {
        match self.introductions.card(from, &card, self.trust.me(), date) {
            CardUse::PassOn { now } => {
                let to = card.to;
                if now && self.book().is_friend(to) {
                    self.act(Output::Introduce(to, IntroductionPart::Card(card)));
                }
                let (from, to) = (self.book().who(from.into()), self.book().who(to.into()));
                self.tell_introduction(IntroductionNews::PassedOn { from, to });
            }
            CardUse::MakeContact => {
                self.add_introduced(from, card.key, card.name(), card.addrs(), date, now);
            }
            CardUse::None => {}
        }
    }

    /// Makes a key that `by` has introduced a contact, and dials it. Changes no existing contact
    /// and no blocked key.
    fn add_introduced(
        &mut self,
        by: PublicKey,
        key: PublicKey,
        name: PeerName,
        addrs: Vec<PeerAddr>,
        date: u64,
        now: Time,
    ) {
        let id = Recipient::key(key);
        if self.book().is_contact(id) {
            return;
        }
        let known = self.trust.pin(key).and_then(|pin| pin.name.clone());
        let contact = ContactRecord {
            id: PeerId::Key(key),
            name: known.or(Some(name)),
            verified: None,
            blocked: false,
            stranger: false,
            addrs,
        };
        let told = match self.set_contact(contact, date, now) {
            Ok(_) => {
                let [who, by] = [key, by].map(|key| self.book().who(key.into()));
                Event::Decided(Decision::AddedIntroduced { who, by: Box::new(by) })
            }
            Err(unknown) => Event::Undecided(unknown),
        };
        self.tell(told);
        if self.peers.knows(id) && !self.peers.is_online(id) {
            self.probe(id, Probe::Connect, None, now);
        }
    }

    /// A key has proven itself. If the user has accepted its introduction, it becomes a contact
    /// without a card: a peer that has us as a contact is not asked and sends none.
    pub(super) fn meets_introduced(&mut self, key: PublicKey, date: u64, now: Time) {
        if let Some((by, name)) = self.introductions.awaited(key, date).map(|one| (one.by, one.name.clone()))
        {
            self.add_introduced(by, key, name, Vec::new(), date, now);
            self.prune_introductions();
        }
    }

    fn tell_introduction(&mut self, news: IntroductionNews) {
        self.tell(Event::Introduction(Box::new(news)));
    }

    /// Sends what a contact gets now of the introductions of `about`, or of all.
    fn send_parts(&mut self, to: PublicKey, about: Option<PublicKey>, date: u64) {
        if !self.book().is_friend(to) {
            return;
        }
        for part in self.introductions.due(to, about, date) {
            self.send_part(to, part);
        }
    }

    fn send_part(&mut self, to: PublicKey, part: DuePart) {
        let part = match part {
            DuePart::Card(card) => IntroductionPart::Card(card),
            DuePart::Ask(key) => {
                let name = self.book().who(key.into()).name;
                IntroductionPart::Ask(key, name.unwrap_or_else(|| PeerName::new(NAMELESS)))
            }
        };
        self.act(Output::Introduce(to, part));
    }

    /// Sends the next part to a contact that has answered, unless the user has forgotten or blocked
    /// one of the two since.
    pub(super) fn send_next_part(&mut self, to: PublicKey) {
        while let Some(part) = self.introductions.next_part(to) {
            let about = match &part {
                DuePart::Ask(key) => *key,
                DuePart::Card(card) if card.key == self.trust.me() => to,
                DuePart::Card(card) => card.key,
            };
            if self.book().is_friend(to) && self.book().is_friend(about) {
                return self.send_part(to, part);
            }
        }
    }

    /// Sends a contact whose session has opened what waits for it.
    pub(super) fn send_introductions(&mut self, key: PublicKey, date: u64) {
        self.introductions.session_up(key);
        self.send_parts(key, None, date);
    }

    /// Forgets introductions that involve a contact which was forgotten or blocked, and settles
    /// those of peers that have become contacts.
    pub(super) fn prune_introductions(&mut self) {
        let mut introductions = std::mem::take(&mut self.introductions);
        introductions.prune(|key| self.book().is_friend(key), |key| self.book().is_blocked(key.into()));
        self.introductions = introductions;
    }

    /// Returns the introductions that wait for the user's decision. `date` is the clock, in seconds
    /// since 1970.
    pub fn undecided_introductions(&self, date: u64) -> Vec<IntroducedPeer> {
        self.introductions.undecided(false, date).cloned().collect()
    }

    /// Returns the introductions that the user has ignored and can still accept.
    pub fn ignored_introductions(&self, date: u64) -> Vec<IntroducedPeer> {
        self.introductions.undecided(true, date).cloned().collect()
    }

    /// Returns the introductions that the user made and that wait for an answer or a session, and
    /// those that the user has accepted and that wait for a card.
    pub fn waiting_introductions(&self, date: u64) -> (Vec<MadeIntroduction>, Vec<IntroducedPeer>) {
        self.introductions.waiting(date)
    }

    /// Returns what is to be saved of the introductions.
    pub fn take_introductions(&mut self, date: u64) -> SavedIntroductions {
        self.introductions.take(date)
    }
}
