//! Queues for legacy peers and for addresses where no peer has proven itself yet.
//!
//! Messages for an address go to the first peer that proves itself there. Messages for a legacy
//! peer never go to a key, and go to a peer of another name only if the user says so. Only a
//! message with no byte sent waits here: a legacy peer could not tell a second copy.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Chat;
use super::event::{Event, OpId};
use super::outbox::{FIRST_WAIT, NEARLY_FULL, NO_OK_WAIT, backoff};
use super::plain::Unsent;
use super::texts::MAX_TEXTS_WAITING;
use super::time::Time;
use crate::model::key::PublicKey;
use crate::model::message::{Failure, Fate, MessageId, Speech};
use crate::model::peer_id::Recipient;
use crate::model::session::{ByeReason, Hold, Lost};
use crate::model::stored::{Condition, Write};

/// Addresses that texts wait for; more than anybody writes to in vain. Each may have `MAX_TEXTS_WAITING` texts.
const MAX_HELD_ADDRS: usize = 1_000;

/// What waits for one address.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) texts: VecDeque<Unsent>,
    /// When the first of them to expire does.
    expires: Option<Time>,
    pub(super) hold: Option<Hold>,
    not_before: Time,
    last_try: Option<Time>,
    failures: u32,
}

impl Held {
    /// What waits goes its way, all of it.
    pub(super) fn release(&mut self) -> impl Iterator<Item = Unsent> + '_ {
        self.expires = None;
        self.texts.drain(..)
    }
}

impl Chat {
    /// Lets a text wait for an address where nobody could be reached.
    pub(super) fn hold_back(&mut self, peer_id: Recipient, mut text: Unsent, hold: Hold, now: Time) {
        let secure = &mut self.secure;
        let held = secure.waiting.entry(peer_id).or_default();
        if held.texts.is_empty() && hold != Hold::Turn {
            let wait = if hold == Hold::Another { NO_OK_WAIT } else { backoff(held.failures) };
            held.failures = held.failures.saturating_add(1);
            held.last_try = Some(now);
            held.not_before = now.plus(wait);
        }
        let is_news = held.hold != Some(hold);
        held.hold = Some(hold);
        let (op, told, is_written, body) = (text.op, text.told, !text.unwritten, text.body());
        text.told |= is_written;
        held.expires = Some(held.expires.map_or(text.expires, |first| first.min(text.expires)));
        held.texts.push_back(text);
        self.text_begins(peer_id);
        if !told && is_written {
            self.tell_of_wait(op, peer_id, hold);
        } else if told && is_news && hold == Hold::Another {
            let who = self.who(peer_id);
            self.tell(Event::Later { op, who, fate: Fate::Waits(hold), text: body });
        }
    }

    /// The user can rely on it from now on that a text waits.
    fn tell_of_wait(&mut self, op: OpId, peer_id: Recipient, hold: Hold) {
        self.finished(op, peer_id, Fate::Waits(hold), (0, 1));
        let count = self.texts.to(peer_id);
        if count * 100 >= MAX_TEXTS_WAITING * NEARLY_FULL {
            let who = self.who(peer_id);
            self.tell(Event::NearlyFull { who, count, most: MAX_TEXTS_WAITING });
        }
    }

    /// A text for an address is written down as one that waits, or cannot be: the user is told, if it does wait.
    pub(super) fn wait_is_written(&mut self, peer_id: Recipient, op: OpId, id: MessageId, kept: bool) {
        let is_it =
            |text: &&mut Unsent| text.op == op && text.letter.as_ref().is_some_and(|letter| letter.id == id);
        // The answer how its recipient is spoken to has come before this.
        if let Some(text) = self.keeping.plain_texts().find(is_it) {
            text.unwritten = false;
            if !kept {
                text.is_not_written();
            }
        }
        let secure = &mut self.secure;
        if let Some(text) = secure.asked.get_mut(&peer_id).and_then(|texts| texts.iter_mut().find(is_it)) {
            text.unwritten = false;
            text.said &= kept;
        }
        let Some(held) = secure.waiting.get_mut(&peer_id) else { return };
        let hold = held.hold.unwrap_or(Hold::Unreachable);
        let Some(text) = held.texts.iter_mut().find(is_it) else { return };
        text.unwritten = false;
        text.said &= kept;
        if !std::mem::replace(&mut text.told, true) {
            self.tell_of_wait(op, peer_id, hold);
        }
    }

    /// Whether texts wait for an address, so that another one waits behind them; there may be no room for one to wait first.
    pub(super) fn holds_back(&self, peer_id: Recipient) -> bool {
        self.secure.waiting.get(&peer_id).is_some_and(|held| !held.texts.is_empty())
    }

    /// Why a text that met this fate waits, where nothing of it was sent; nothing if it does not.
    pub(super) fn hold_for(&self, peer_id: Recipient, fate: &Fate, text: &Unsent) -> Option<Hold> {
        let secure = &self.secure;
        let has_room = secure.waiting.contains_key(&peer_id) || secure.waiting.len() < MAX_HELD_ADDRS;
        // Who leaves and keeps nothing is told at once that it does not arrive.
        let in_vain = self.leaving && !self.keeping.durable && !text.told;
        if text.letter.is_none() || !has_room || in_vain {
            return None;
        }
        hold_of(fate)
    }

    /// Somebody is at an address: what waits for it goes out as soon as may be, unless it is for another. Each question shows at an old
    /// program, and its answer would be the reason for the next.
    pub(super) fn somebody_is_at(&mut self, peer_id: Recipient, now: Time) {
        let held = self.secure.waiting.get(&peer_id);
        let is_for_another = held.is_some_and(|held| {
            held.hold == Some(Hold::Another) && held.texts.iter().all(|text| self.is_another(peer_id, text))
        });
        if !is_for_another {
            self.hurry_held(peer_id, now);
        }
    }

    /// What waits for an address is tried as soon as may be.
    pub(super) fn hurry_held(&mut self, peer_id: Recipient, now: Time) {
        if let Some(held) = self.secure.waiting.get_mut(&peer_id) {
            held.failures = 0;
            let earliest = held.last_try.map_or(now, |last| last.plus(FIRST_WAIT).max(now));
            held.not_before = held.not_before.min(earliest);
        }
    }

    /// Everything that waits is tried now.
    pub(super) fn hurry_all(&mut self, now: Time) {
        let secure = &mut self.secure;
        let addrs: Vec<Recipient> = secure.waiting.keys().copied().collect();
        let keys: Vec<PublicKey> = secure.outboxes.keys().collect();
        keys.into_iter().for_each(|key| secure.outboxes.met(key, now));
        addrs.into_iter().for_each(|peer_id| self.hurry_held(peer_id, now));
        self.next_turns(now);
    }

    /// When something that waits for an address is due.
    pub(super) fn next_held(&self) -> Option<Time> {
        let secure = &self.secure;
        let due = |(peer_id, held): (&Recipient, &Held)| {
            let expires = held.expires?;
            let is_busy = secure.asked.contains_key(peer_id) || secure.in_plain.contains(peer_id);
            Some(if is_busy { expires } else { expires.min(held.not_before) })
        };
        secure.waiting.iter().filter_map(due).min()
    }

    /// Tries what is due, and gives up what has waited for too long.
    pub(super) fn next_held_turns(&mut self, now: Time) {
        let secure = &self.secure;
        if secure.waiting.is_empty() {
            return;
        }
        let is_over = |held: &Held| held.expires.is_some_and(|first| first <= now);
        let over: Vec<Recipient> =
            secure.waiting.iter().filter(|(_, held)| is_over(held)).map(|(peer_id, _)| *peer_id).collect();
        for peer_id in over {
            self.drop_held(peer_id, Lost::Expired, Condition::Expired, |text| text.expires <= now);
        }
        let secure = &self.secure;
        let is_due = |peer_id: &Recipient, held: &Held| {
            let is_busy = secure.asked.contains_key(peer_id) || secure.in_plain.contains(peer_id);
            !held.texts.is_empty() && held.not_before <= now && !is_busy
        };
        let due: Vec<Recipient> = secure
            .waiting
            .iter()
            .filter(|(peer_id, held)| is_due(peer_id, held))
            .map(|(peer_id, _)| *peer_id)
            .collect();
        for peer_id in due {
            self.try_held(peer_id, now);
        }
    }

    /// Asks how whoever is there is spoken to; what waits follows from the answer.
    fn try_held(&mut self, peer_id: Recipient, now: Time) {
        let speech = self.speech_of(peer_id);
        let is_own = self.is_ours(peer_id);
        let secure = &mut self.secure;
        let Some(held) = secure.waiting.get_mut(&peer_id) else { return };
        if held.texts.is_empty() || secure.asked.contains_key(&peer_id) {
            // What became of another that was due at the same time has had this one tried already.
            return;
        }
        held.last_try = Some(now);
        let texts: Vec<Unsent> = held.release().collect();
        secure.asked.insert(peer_id, texts);
        match speech {
            // Since an earlier run, perhaps, in which we listened elsewhere.
            _ if is_own => self.asked(peer_id, Ok(Speech::Plain), now),
            Speech::Secure(_) => self.asked(peer_id, Ok(speech), now),
            _ => self.ask(peer_id),
        }
    }

    /// What waited for an address was sent, so nothing is remembered of the failures before.
    pub(super) fn reached(&mut self, peer_id: Recipient) {
        if self.secure.waiting.get(&peer_id).is_some_and(|held| held.texts.is_empty()) {
            self.secure.waiting.remove(&peer_id);
        }
    }

    /// Gives up some of what waits for an address; says whether there was any.
    pub(super) fn drop_held(
        &mut self,
        peer_id: Recipient,
        lost: Lost,
        condition: Condition,
        which: impl Fn(&Unsent) -> bool,
    ) -> bool {
        let secure = &mut self.secure;
        let Some(held) = secure.waiting.get_mut(&peer_id) else { return false };
        let (gone, stays): (VecDeque<Unsent>, VecDeque<Unsent>) =
            held.texts.drain(..).partition(|text| which(text));
        held.expires = stays.iter().map(|text| text.expires).min();
        held.texts = stays;
        let any = !gone.is_empty();
        if held.texts.is_empty() {
            secure.waiting.remove(&peer_id);
        }
        for text in gone {
            self.text_ends(peer_id);
            self.write_condition(&text, condition);
            self.tell_lost(peer_id, &text, lost);
        }
        any
    }

    /// Says that a text is not sent any more.
    pub(super) fn tell_lost(&mut self, peer_id: Recipient, text: &Unsent, lost: Lost) {
        if text.told {
            let who = self.who(peer_id);
            self.tell(Event::Later { op: text.op, who, fate: Fate::Lost(lost), text: text.body() });
        } else {
            self.finished(text.op, peer_id, Fate::Lost(lost), (0, 1));
        }
    }

    /// Moves what is queued for an address to the legacy peer there.
    pub(super) fn queues_follow(&mut self, from: Recipient, to: Recipient) {
        let secure = &mut self.secure;
        if let Some(held) = secure.waiting.remove(&from) {
            let there = secure.waiting.entry(to).or_default();
            there.expires = [there.expires, held.expires].into_iter().flatten().min();
            there.texts.extend(held.texts);
        }
        if let Some(asked) = secure.asked.remove(&from) {
            secure.asked.entry(to).or_default().extend(asked);
        }
        if secure.in_plain.remove(&from) {
            secure.in_plain.insert(to);
        }
        let held = secure.waiting.get_mut(&to).into_iter().flat_map(|held| &mut held.texts);
        let asked = secure.asked.get_mut(&to).into_iter().flatten();
        let mut moved = Vec::new();
        for text in held.chain(asked).chain(self.keeping.plain_texts()) {
            if text.written_to != from {
                continue;
            }
            text.written_to = to;
            if let (true, Some(letter)) = (text.said, &text.letter) {
                moved.push(Write::Moved { id: letter.id, from, to });
            }
        }
        moved.into_iter().for_each(|write| self.write(write));
    }

    /// Holds all messages queued for a recipient, for this reason.
    pub(super) fn hold_all(&mut self, id: Recipient, hold: Hold, now: Time) {
        let secure = &mut self.secure;
        let mut texts: Vec<Unsent> = Vec::new();
        if let Some(held) = secure.waiting.get_mut(&id) {
            texts.extend(held.release());
        }
        texts.extend(secure.asked.remove(&id).into_iter().flatten());
        for text in texts {
            self.text_ends(id);
            self.hold_back(id, text, hold, now);
        }
    }

    /// We are called otherwise from now on, and each message has to have room for our name: those of what waits are made anew.
    pub fn renamed(&mut self, messages: impl Fn(&str) -> Arc<[String]>) {
        let secure = &mut self.secure;
        let held = secure.waiting.values_mut().flat_map(|held| held.texts.iter_mut());
        for text in held.chain(secure.asked.values_mut().flatten()) {
            if let Some(letter) = &text.letter {
                text.parts = messages(&letter.body);
            }
        }
        for text in self.keeping.plain_texts() {
            // It was found to fit; where it just does not any more, it goes as it was made.
            let parts = text.letter.as_ref().map(|letter| messages(&letter.body));
            if let Some(parts) = parts.filter(|parts| !parts.is_empty()) {
                text.parts = parts;
            }
        }
    }

    /// Takes note of what is known of a text that was written down for an address.
    pub(super) fn write_condition(&mut self, text: &Unsent, condition: Condition) {
        if let (true, Some(letter)) = (text.said, &text.letter) {
            self.write(Write::Became { to: text.written_to, id: letter.id, condition });
        }
    }

    /// We leave: says how much waits for whom until we are back, or what will not arrive if nothing is kept.
    pub(super) fn leave_waiting(&mut self) {
        let durable = self.keeping.durable;
        let secure = &mut self.secure;
        let held = std::mem::take(&mut secure.waiting);
        for (peer_id, mut held) in held {
            let who = self.who(peer_id);
            let hold = held.hold.unwrap_or(Hold::Unreachable);
            for text in held.texts.iter_mut().filter(|text| !text.told) {
                // The disk takes too long for anything else to be known of it.
                text.told = true;
                self.finished(text.op, peer_id, Fate::Waits(hold), (0, 1));
            }
            // What could not be written down is not there the next time.
            let (stay, lost): (Vec<Unsent>, Vec<Unsent>) =
                held.texts.into_iter().partition(|text| durable && text.said);
            if !stay.is_empty() {
                self.tell(Event::StayQueued(who.clone(), stay.len()));
            }
            for text in lost {
                let (op, text, who) = (text.op, text.body(), who.clone());
                self.tell(Event::Later { op, who, fate: Fate::Lost(Lost::Unsent), text });
            }
        }
    }
}

/// Why a text waits that was not sent for this reason; nothing where trying again would not help.
fn hold_of(fate: &Fate) -> Option<Hold> {
    let Fate::Failed(failure) = fate else { return None };
    match failure {
        Failure::Refused
        | Failure::TimedOut
        | Failure::NoRoute
        | Failure::NoResources
        | Failure::Cancelled
        | Failure::NotAnswered
        | Failure::TurnedAway(ByeReason::Leaves | ByeReason::Idle)
        | Failure::Other(_) => Some(Hold::Unreachable),
        Failure::NoOk => Some(Hold::NoOk),
        Failure::NotSecure => Some(Hold::NotSecure),
        Failure::TurnedAway(ByeReason::NotDecided) => Some(Hold::NotDecided),
        Failure::TurnedAway(ByeReason::NoRoom) => Some(Hold::NoRoom),
        Failure::WrongKey | Failure::TurnedAway(_) | Failure::NotTrusted => None,
    }
}
