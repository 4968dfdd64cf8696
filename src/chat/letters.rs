//! Texts and how they go out: in plain, to a key, or after the question which of the two it is.

use std::sync::Arc;

use super::command::Target;
use super::event::{Deed, Event, OpId, Unsendable};
use super::outbox::{MAX_OPEN_TEXTS, NotPut, OutText};
use super::plain::Unsent;
use super::time::Time;
use super::{Chat, Purpose};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::{Failure, Fate, Outgoing, Speech};
use crate::model::session::{Hold, Letter, Say};
use crate::model::stored::{Condition, Party, Write};

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
    pub(super) fn send_to(
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
        let text = self.new_text(addr, op, parts, letter, now);
        match (self.speech_of(addr), letter) {
            (Speech::Secure(key), Some(_)) if !in_plain => {
                // What was typed before may still wait for whoever is at this address.
                self.asked(addr, Ok(Speech::Secure(key)), now);
                self.put_letter(key, addr, text, now)
            }
            (Speech::Unknown | Speech::Plain, Some(_)) if !in_plain && self.holds_back(addr) => {
                self.wait_with_others(addr, text, now)
            }
            (Speech::Unknown, Some(_)) if !in_plain => {
                if self.is_full_of_texts(addr) {
                    return Some(Unsendable::TooManyWaiting);
                }
                self.ask_first(addr, text, now);
                None
            }
            // What waits for the answer to the question how it is spoken to was typed before, also where that is known by now.
            (Speech::Plain, Some(_)) if !in_plain && (self.says_in_plain(addr) || self.waits_for(addr)) => {
                self.wait_behind(addr, text, now)
            }
            (Speech::Plain, _) => self.send_in_plain(addr, text, now),
            _ if in_plain => self.send_in_plain(addr, Unsent { once: true, ..text }, now),
            // There is no id for it, and without one it could only go out in plain.
            _ => Some(Unsendable::NoRandom),
        }
    }

    pub(super) fn is_being_asked(&self, addr: PeerAddr) -> bool {
        self.jobs.values().any(|job| job.addr == addr && job.purpose == Purpose::Ask)
    }

    pub(super) fn put_letter(
        &mut self,
        key: PublicKey,
        addr: PeerAddr,
        text: Unsent,
        now: Time,
    ) -> Option<Unsendable> {
        let Unsent { op, letter, expires, said, told, written_to, .. } = text;
        let Some(letter) = letter else { return Some(Unsendable::NoRandom) };
        let to = Party::Key(key);
        let (id, name) = (letter.id, self.who_of(key).and_then(|who| who.name));
        let write = match said {
            true => Write::Moved { id, from: Party::Addr(written_to), to },
            false => self.said(to, name, &letter, Condition::Queued),
        };
        let secure = self.secure.as_mut()?;
        let Some(writable) = secure.trusted.writable(key) else { return Some(Unsendable::NotTrusted) };
        let sent = letter.again;
        match secure.outboxes.put(writable, OutText { op, letter, expires, sent }) {
            Ok(()) => {
                secure.trusted.keep(key);
                if told {
                    secure.told_of.insert((op, key));
                }
                // The user wants it there now; what is not even tried now is said to wait.
                secure.outboxes.hurry(key, now);
                let (count, nearly) = secure.outboxes.filled(key);
                let all_nearly = secure.outboxes.are_nearly_full();
                self.write_letter(key, id, write, now);
                if all_nearly {
                    self.tell(Event::AllNearlyFull);
                }
                if nearly {
                    let who = self.who(addr);
                    self.tell(Event::NearlyFull { who, count, most: MAX_OPEN_TEXTS });
                }
                None
            }
            Err(NotPut::Full) => Some(Unsendable::TooManyWaiting),
            Err(NotPut::TooLong) => Some(Unsendable::TooLongForPlain),
            Err(NotPut::Doubled) => {
                // Somebody was chosen by two addresses: one text, one outcome.
                if said {
                    self.write(write);
                }
                if !told {
                    self.not_sent(op);
                }
                None
            }
        }
    }

    /// Lets a text wait, and asks how its recipient is spoken to if nobody has asked yet.
    fn ask_first(&mut self, addr: PeerAddr, mut text: Unsent, now: Time) {
        self.text_begins(addr);
        self.write_queued(addr, &mut text, now);
        let Some(secure) = &mut self.secure else { return };
        let waiting = secure.asked.entry(addr).or_default();
        waiting.push(text);
        if waiting.len() == 1 {
            self.ask(addr);
        }
    }

    /// Asks how whoever is at an address is spoken to, for texts that wait for that.
    pub(super) fn ask(&mut self, addr: PeerAddr) {
        let promised = self.table.peer(addr).and_then(|peer| peer.promised);
        if self.is_only_encrypted(addr) || promised.is_some() {
            self.talk(addr, promised, Purpose::Ask, Say::Greet, None);
        } else {
            self.transmit(addr, Purpose::Ask, Outgoing::Connect, None);
        }
    }

    /// It is known now how `addr` is spoken to, or that it is not: what waited for that goes its way. Who was asked there may be listed
    /// elsewhere, so how is not looked up here.
    pub(super) fn asked(&mut self, addr: PeerAddr, answer: Result<Speech, &Fate>, now: Time) {
        let Some(secure) = &mut self.secure else { return };
        let mut waiting = Vec::new();
        if let (Ok(Speech::Secure(_)), Some(held)) = (&answer, secure.waiting.get_mut(&addr)) {
            // They were typed before what waits for an answer.
            waiting.extend(held.release());
        }
        waiting.extend(secure.asked.remove(&addr).into_iter().flatten());
        if waiting.is_empty() {
            return;
        }
        let answer = answer.map_err(|fate| match fate {
            Fate::Failed(_) => fate.clone(),
            // That is the fate of the question; of the text itself, nothing was sent.
            _ => Fate::Failed(Failure::NotAnswered),
        });
        for text in waiting {
            self.text_ends(addr);
            let (op, before) = (text.op, text.clone());
            let refused = match &answer {
                Err(fate) => {
                    let parts = (0, text.parts.len().max(1));
                    let who = self.who(addr);
                    self.plain_text_over(addr, text, (who, fate.clone()), parts, now);
                    continue;
                }
                Ok(Speech::Secure(key)) => {
                    self.reached(addr);
                    self.put_letter(*key, addr, text, now)
                }
                Ok(_) if self.is_another(addr, &text) => {
                    self.hold_back(addr, text, Hold::Another, now);
                    continue;
                }
                Ok(_) if self.says_in_plain(addr) => self.wait_behind(addr, text, now),
                Ok(_) => self.send_in_plain(addr, text, now),
            };
            if let Some(why) = refused {
                // It is not tried again at the next start either.
                self.write_condition(&before, Condition::NotSent);
                let who = self.who(addr);
                self.tell(Event::NotSent { op, who, why });
                if !before.told {
                    self.not_sent(op);
                }
            }
            self.settle(op);
        }
        self.next_turns(now);
    }

    /// Whether somebody of another name is there by now than when the text was entered. A name is a claim, but more there is not in plain.
    pub(super) fn is_another(&self, addr: PeerAddr, text: &Unsent) -> bool {
        let name = self.table.peer(addr).and_then(|peer| peer.name.as_ref());
        matches!((name, &text.name), (Some(now), Some(then)) if text.told && now != then)
    }
}
