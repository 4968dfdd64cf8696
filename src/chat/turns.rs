//! Turns of texts to keys: when each begins, what is told of it, and what becomes of all when we leave.

use std::collections::BTreeMap;

use super::event::Event;
use super::outbox::{Jitter, TextNews, TextState, TurnEnd};
use super::time::Time;
use super::{Chat, Purpose};
use crate::model::key::PublicKey;
use crate::model::message::{Failure, Fate};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{Hold, Letter, Lost, Say};
use crate::model::stored::{Condition, Write};
impl Chat {
    /// Begins the turns that are due.
    pub(super) fn next_turns(&mut self, now: Time) {
        self.next_held_turns(now);
        while let Some((key, news)) = self.secure.outboxes.expire(now) {
            self.tell_news(key, news);
        }
        while let Some(key) = self.secure.outboxes.due(now) {
            let secure = &mut self.secure;
            let Some(to) = self.trust.writable(key) else {
                let news = secure.outboxes.give_up(key, Lost::Unpinned);
                self.tell_news(key, news);
                continue;
            };
            let letters: Vec<Letter> =
                secure.outboxes.begin_turn(to, now).into_iter().map(|text| text.letter).collect();
            if letters.is_empty() {
                break;
            }
            if !self.talk(Recipient::key(key), Purpose::Turn(key), Say::Texts(letters), None) {
                self.turn_is_lost(key, now);
            }
        }
    }

    /// Nobody knows where to dial: it is tried again as if nobody had answered.
    pub(super) fn turn_is_lost(&mut self, key: PublicKey, now: Time) {
        let secure = &mut self.secure;
        let end = TurnEnd::Held(Hold::Unreachable);
        let news = secure.outboxes.turn_ended(key, 0, &[], end, now, Jitter(0));
        self.tell_news(key, news);
    }

    /// Tells what became of texts, and has it written down. The first that is known of a text ends its part in the command; what comes later
    /// is told as such.
    pub(super) fn tell_news(&mut self, key: PublicKey, news: Vec<TextNews>) {
        // The result of messages to a replaced key is reported for the key that replaced it.
        let heir = self.secure.gone.get(&key).copied().flatten();
        let is_known = self.trust.pin(key).is_some();
        let told_as = heir.or(Some(key).filter(|_| is_known)).map(Recipient::key);
        for TextNews { id, op, state, written, body } in news {
            if let Some(condition) = condition_of(state, written) {
                self.write(Write::Became { to: Recipient::Peer(PeerId::Key(key)), id, condition });
            }
            if state.is_final() {
                self.keeping.is_done(key, id);
            }
            let secure = &mut self.secure;
            let told = secure.told_of.contains(&(op, key));
            if matches!(state, TextState::Queued(_)) {
                secure.told_of.insert((op, key));
            } else {
                secure.told_of.remove(&(op, key));
            }
            let Some(peer_id) = told_as else {
                // Nobody is left to be named: its key was forgotten, and whoever did that knows.
                if !told && state.is_final() {
                    self.not_sent(op);
                    self.settle(op);
                }
                continue;
            };
            let fate = match state {
                TextState::Delivered => Fate::Delivered,
                TextState::Queued(hold) => Fate::Waits(hold),
                TextState::Failed(lost) => Fate::Lost(lost),
            };
            if told {
                let who = self.who(peer_id);
                self.tell(Event::Later { op, who, fate, text: body });
            } else {
                let parts = (usize::from(state == TextState::Delivered), 1);
                self.finished(op, peer_id, fate, parts);
            }
        }
    }

    /// We leave: whatever waits is tried at once, unless it can wait until we are back.
    pub(super) fn last_turns(&mut self, now: Time) {
        if self.keeping.durable { self.next_turns(now) } else { self.hurry_all(now) }
    }

    /// We leave: what is not delivered by now stays for the next time, or is not delivered.
    pub(super) fn abandon_texts(&mut self) {
        let secure = &mut self.secure;
        let waiting: Vec<Recipient> = secure.asked.keys().copied().collect();
        for peer_id in waiting {
            self.asked(peer_id, Err(&Fate::Failed(Failure::Cancelled)), Time::default());
        }
        self.leave_waiting();
        let durable = self.keeping.durable;
        let secure = &mut self.secure;
        let mut stay: BTreeMap<PublicKey, usize> = BTreeMap::new();
        for (key, news) in secure.outboxes.abandon() {
            let durable = durable && !self.keeping.is_unkept(key, news.id);
            *stay.entry(key).or_default() += usize::from(durable);
            let is_told = self.secure.told_of.contains(&(news.op, key));
            match durable {
                false => self.tell_news(key, vec![news]),
                true if is_told => {}
                true => {
                    let hold = if news.written { Hold::NoReceipt } else { Hold::Turn };
                    self.tell_news(key, vec![TextNews { state: TextState::Queued(hold), ..news }]);
                }
            }
        }
        for (key, count) in stay.into_iter().filter(|(_, count)| *count > 0) {
            if durable {
                let who = self.who(Recipient::key(key));
                self.tell(Event::StayQueued(who, count));
            }
        }
    }
}

/// What is written down of a text to a key in this state; nothing where it says that already.
fn condition_of(state: TextState, written: bool) -> Option<Condition> {
    match state {
        TextState::Queued(_) => written.then_some(Condition::Sent),
        TextState::Delivered => Some(Condition::Delivered),
        TextState::Failed(lost) => match lost {
            Lost::NotAccepted => Some(Condition::NotAccepted),
            Lost::Blocked | Lost::Unpinned | Lost::Replaced => Some(Condition::Withdrawn),
            Lost::TooMany => Some(Condition::NotSent),
            Lost::Expired => Some(Condition::Expired),
            Lost::Cancelled => Some(Condition::Cancelled),
            Lost::CutOff => Some(Condition::Uncertain),
            Lost::Left | Lost::Unsent => None,
        },
    }
}
