//! Texts and how they go out: in plain, to a key, or after the question which of the two it is.

use std::sync::Arc;

use super::command::Target;
use super::event::{Deed, Event, OpId, Unsendable};
use super::outbox::{NotPut, OutText, TextNews, TextState};
use super::time::Time;
use super::{Chat, Purpose};
use crate::key::PeerKey;
use crate::message::{Failure, Fate, Outgoing, Speech};
use crate::peer::PeerAddr;
use crate::talk::{Hold, Letter, Lost, Say};

/// A text that waits until it is known how its recipient is spoken to.
#[derive(Clone, Debug)]
pub(super) struct Unsent {
    pub(super) op: OpId,
    pub(super) parts: Arc<[String]>,
    pub(super) letter: Letter,
}

impl Chat {
    /// Sends a text to each of `to` in the way that each is spoken to.
    pub(super) fn send(
        &mut self,
        to: Target,
        parts: Arc<[String]>,
        letter: Option<Letter>,
        in_plain: bool,
        now: Time,
    ) -> OpId {
        if let [only] = &parts[..] {
            // What the originals do when their user types these words as a text.
            if only.eq_ignore_ascii_case("exit") {
                self.tell(Event::TakenAs(Deed::Disconnect));
                return self.disconnect(to, now);
            }
            if only.eq_ignore_ascii_case("connect") {
                self.tell(Event::TakenAs(Deed::Connect));
                return self.connect(to);
            }
        }
        let targets = self.targets(to, false);
        let op = self.spread(Deed::Send, &targets);
        for addr in targets {
            if let Some(why) = self.send_to(addr, op, &parts, letter.as_ref(), in_plain, now) {
                let who = self.who(addr);
                self.tell(Event::NotSent { op, who, why });
                self.not_sent(op);
            }
        }
        self.next_turns(now);
        self.settle(op);
        op
    }

    /// Sends a text to one, or says why not.
    fn send_to(
        &mut self,
        addr: PeerAddr,
        op: OpId,
        parts: &Arc<[String]>,
        letter: Option<&Letter>,
        in_plain: bool,
        now: Time,
    ) -> Option<Unsendable> {
        if self.is_own(addr) {
            return Some(Unsendable::Ourselves);
        }
        match (self.speech_of(addr), letter) {
            (Speech::Secure(key), Some(letter)) if !in_plain => self.put_letter(key, op, letter.clone(), now),
            (Speech::Unknown, Some(letter)) if !in_plain => {
                if self.is_full_of_texts(addr) {
                    return Some(Unsendable::TooManyWaiting);
                }
                self.ask_first(addr, Unsent { op, parts: Arc::clone(parts), letter: letter.clone() });
                None
            }
            (Speech::Plain, Some(letter)) if !in_plain && self.says_in_plain(addr) => {
                self.wait_behind(addr, Unsent { op, parts: Arc::clone(parts), letter: letter.clone() })
            }
            (Speech::Plain, _) => self.send_in_plain(addr, op, parts),
            _ if in_plain => self.send_in_plain(addr, op, parts),
            // There is no id for it, and without one it could only go out in plain.
            _ => Some(Unsendable::NoRandom),
        }
    }

    fn send_in_plain(&mut self, addr: PeerAddr, op: OpId, parts: &Arc<[String]>) -> Option<Unsendable> {
        if self.is_only_encrypted(addr) {
            return Some(Unsendable::OnlyEncrypted);
        }
        if let Some(why) = self.unsendable(addr, parts) {
            return Some(why);
        }
        self.text_begins(addr);
        self.transmit(addr, Purpose::Text(op), Outgoing::Text(Arc::clone(parts)), None);
        if let Some(secure) = &mut self.secure {
            secure.in_plain.insert(addr);
        }
        None
    }

    /// Whether a text is under way in plain. Its receipt may say that the next need not go so; only who leaves has no time for that.
    fn says_in_plain(&self, addr: PeerAddr) -> bool {
        !self.leaving && self.secure.as_ref().is_some_and(|secure| secure.in_plain.contains(&addr))
    }

    /// Lets a text wait until the one before it is through.
    fn wait_behind(&mut self, addr: PeerAddr, text: Unsent) -> Option<Unsendable> {
        if let Some(why) = self.unsendable(addr, &text.parts) {
            return Some(why);
        }
        self.text_begins(addr);
        let secure = self.secure.as_mut()?;
        secure.asked.entry(addr).or_default().push(text);
        None
    }

    /// A text in plain is through: the next goes, in whatever way its recipient is spoken to by now. Where it has just promised a key, that is
    /// known when it has been greeted.
    pub(super) fn said_in_plain(&mut self, addr: PeerAddr, now: Time) {
        let Some(secure) = &mut self.secure else { return };
        secure.in_plain.remove(&addr);
        match self.speech_of(addr) {
            Speech::Unknown => {}
            speech => self.asked(addr, Ok(speech), now),
        }
    }

    /// We leave: the texts that wait for one another go one behind the other, and the goodbye behind them.
    pub(super) fn wait_no_more(&mut self, now: Time) {
        let Some(secure) = &self.secure else { return };
        let waiting: Vec<PeerAddr> = secure.in_plain.iter().copied().collect();
        for addr in waiting {
            if self.speech_of(addr) == Speech::Plain {
                self.asked(addr, Ok(Speech::Plain), now);
            }
        }
    }

    fn put_letter(&mut self, key: PeerKey, op: OpId, letter: Letter, now: Time) -> Option<Unsendable> {
        let secure = self.secure.as_mut()?;
        let Some(to) = secure.trusted.writable(key) else { return Some(Unsendable::NotTrusted) };
        match secure.outboxes.put(to, OutText { op, letter }) {
            Ok(()) => {
                secure.trusted.keep(key);
                // The user wants it there now; what is not even tried now is said to wait.
                secure.outboxes.hurry(key, now);
                let news = secure.outboxes.news_of_last(key, now);
                self.tell_news(key, news.into_iter().collect());
                None
            }
            Err(NotPut::Full) => Some(Unsendable::TooManyWaiting),
            Err(NotPut::TooLong) => Some(Unsendable::TooLongForPlain),
            Err(NotPut::Doubled) => {
                // Somebody was chosen by two addresses: one text, one outcome.
                self.not_sent(op);
                None
            }
        }
    }

    /// Lets a text wait, and asks how its recipient is spoken to if nobody has asked yet.
    fn ask_first(&mut self, addr: PeerAddr, text: Unsent) {
        self.text_begins(addr);
        let promised = self.table.peer(addr).and_then(|peer| peer.promised);
        let only_encrypted = self.is_only_encrypted(addr);
        let Some(secure) = &mut self.secure else { return };
        let waiting = secure.asked.entry(addr).or_default();
        waiting.push(text);
        if waiting.len() > 1 {
            return;
        }
        if only_encrypted || promised.is_some() {
            self.talk(addr, promised, Purpose::Ask, Say::Greet, None);
        } else {
            self.transmit(addr, Purpose::Ask, Outgoing::Connect, None);
        }
    }

    /// It is known now how `addr` is spoken to, or that it is not: what waited for that goes its way. Who was asked there may be listed
    /// elsewhere, so how is not looked up here.
    pub(super) fn asked(&mut self, addr: PeerAddr, answer: Result<Speech, &Fate>, now: Time) {
        let Some(secure) = &mut self.secure else { return };
        let Some(waiting) = secure.asked.remove(&addr) else { return };
        let answer = answer.map_err(|fate| match fate {
            Fate::Failed(_) => fate.clone(),
            // That is the fate of the question; of the text itself, nothing was sent.
            _ => Fate::Failed(Failure::NotAnswered),
        });
        for Unsent { op, parts, letter } in waiting {
            self.text_ends(addr);
            let refused = match &answer {
                Err(fate) => {
                    self.finished(op, addr, fate.clone(), (0, parts.len().max(1)));
                    continue;
                }
                Ok(Speech::Secure(key)) => self.put_letter(*key, op, letter, now),
                Ok(_) if self.says_in_plain(addr) => self.wait_behind(addr, Unsent { op, parts, letter }),
                Ok(_) => self.send_in_plain(addr, op, &parts),
            };
            if let Some(why) = refused {
                let who = self.who(addr);
                self.tell(Event::NotSent { op, who, why });
                self.not_sent(op);
            }
            self.settle(op);
        }
        self.next_turns(now);
    }

    /// Begins the turns that are due.
    pub(super) fn next_turns(&mut self, now: Time) {
        while let Some(secure) = &mut self.secure
            && let Some(key) = secure.outboxes.due(now)
        {
            let Some(to) = secure.trusted.writable(key) else {
                let news = secure.outboxes.give_up(key, Lost::Unpinned);
                self.tell_news(key, news);
                continue;
            };
            let letters: Vec<Letter> =
                secure.outboxes.begin_turn(to, now).into_iter().map(|text| text.letter).collect();
            if letters.is_empty() {
                break;
            }
            let first = self.table.row_of(key).or_else(|| self.addrs_of(key, None).first().copied());
            match first {
                Some(addr) => self.talk(addr, Some(key), Purpose::Turn(key), Say::Texts(letters), None),
                None => self.turn_is_lost(key, now),
            }
        }
    }

    /// Nobody knows where to dial: it is tried again as if nobody had answered.
    fn turn_is_lost(&mut self, key: PeerKey, now: Time) {
        let Some(secure) = &mut self.secure else { return };
        let end = super::outbox::TurnEnd::Held(Hold::Unreachable);
        let news = secure.outboxes.turn_ended(key, 0, &[], end, now, super::outbox::Jitter(0));
        self.tell_news(key, news);
    }

    /// Tells what became of texts. The first that is known of a text ends its part in the command; what comes later is told as such.
    pub(super) fn tell_news(&mut self, key: PeerKey, news: Vec<TextNews>) {
        let gone = self.secure.as_ref().and_then(|secure| secure.gone.get(&key)).map(|(addr, _)| *addr);
        let addr = self.table.row_of(key).or_else(|| self.addrs_of(key, None).first().copied()).or(gone);
        for TextNews { op, state, .. } in news {
            let Some(secure) = &mut self.secure else { return };
            let told = secure.told_of.contains(&(op, key));
            if matches!(state, TextState::Queued(_)) {
                secure.told_of.insert((op, key));
            } else if state != TextState::Sent {
                secure.told_of.remove(&(op, key));
            }
            let Some(addr) = addr else {
                // Nobody is left to be named: its key was forgotten, and whoever did that knows.
                if !told && state.is_final() {
                    self.not_sent(op);
                    self.settle(op);
                }
                continue;
            };
            match state {
                TextState::Sent => {}
                _ if told => {
                    let who = self.who(addr);
                    self.tell(Event::Later { op, who, state });
                }
                TextState::Delivered => self.finished(op, addr, Fate::Delivered, (1, 1)),
                TextState::Queued(hold) => self.finished(op, addr, Fate::Waits(hold), (0, 1)),
                TextState::Failed(lost) => self.finished(op, addr, Fate::Lost(lost), (0, 1)),
            }
        }
    }

    /// We leave: whatever waits is tried at once.
    pub(super) fn last_turns(&mut self, now: Time) {
        let Some(secure) = &mut self.secure else { return };
        let keys: Vec<PeerKey> = secure.outboxes.keys().collect();
        keys.into_iter().for_each(|key| secure.outboxes.met(key, now));
        self.next_turns(now);
    }

    /// We leave: what is not delivered by now is not.
    pub(super) fn abandon_texts(&mut self) {
        let Some(secure) = &mut self.secure else { return };
        let lost = secure.outboxes.abandon();
        for (key, news) in lost {
            self.tell_news(key, vec![news]);
        }
        let Some(secure) = &mut self.secure else { return };
        let waiting: Vec<PeerAddr> = secure.asked.keys().copied().collect();
        for addr in waiting {
            self.asked(addr, Err(&Fate::Failed(Failure::Cancelled)), Time::default());
        }
    }
}
