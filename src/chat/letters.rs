//! Texts and how they go out: in plain, to a key, or after the question which of the two it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::Target;
use super::event::{Deed, Event, OpId, Unsendable, Who};
use super::outbox::{MAX_OPEN_TEXTS, NotPut, OutText, TextNews, TextState};
use super::time::Time;
use super::{Chat, Purpose};
use crate::key::PeerKey;
use crate::ledger::{Condition, Party, Write};
use crate::message::{Failure, Fate, Outgoing, Speech};
use crate::peer::{PeerAddr, PeerName};
use crate::talk::{Hold, Letter, Lost, Say};

/// A text to an address, or to somebody of whom it is not known yet how they are spoken to.
#[derive(Clone, Debug)]
pub(super) struct Unsent {
    pub(super) op: OpId,
    pub(super) parts: Arc<[String]>,
    /// None where there were no random numbers for an id.
    pub(super) letter: Option<Letter>,
    /// When it is given up.
    pub(super) expires: Time,
    /// The address that it is written down for.
    pub(super) written_to: PeerAddr,
    /// It is written down, or will be before anything else of it is.
    pub(super) said: bool,
    /// That is still to be done, and the user is not told before that it waits.
    pub(super) unwritten: bool,
    /// What is written down of it is that it goes out in plain.
    pub(super) goes_out: bool,
    /// Before that it was written down as one that waits.
    pub(super) has_waited: bool,
    /// The user was told that it waits.
    pub(super) told: bool,
    /// It goes out in plain to somebody who has a key, now or never.
    pub(super) once: bool,
    /// What its recipient was called.
    pub(super) name: Option<PeerName>,
}

impl Unsent {
    /// What was to be written down of it could not be: where it has to be later on, that is done anew.
    pub(super) fn is_not_written(&mut self) {
        self.said = false;
        self.goes_out = false;
        self.has_waited = false;
    }

    /// What it says.
    pub(super) fn body(&self) -> Arc<str> {
        match &self.letter {
            Some(letter) => Arc::clone(&letter.body),
            None => self.parts.join(" ").into(),
        }
    }
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

    /// A text that nothing was done about yet.
    pub(super) fn new_text(
        &self,
        addr: PeerAddr,
        op: OpId,
        parts: &Arc<[String]>,
        letter: Option<&Letter>,
        now: Time,
    ) -> Unsent {
        Unsent {
            op,
            parts: Arc::clone(parts),
            letter: letter.cloned(),
            expires: self.expiry(now),
            written_to: addr,
            said: false,
            unwritten: false,
            goes_out: false,
            has_waited: false,
            told: false,
            once: false,
            name: self.table.peer(addr).and_then(|peer| peer.name.clone()),
        }
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

    fn send_in_plain(&mut self, addr: PeerAddr, mut text: Unsent, now: Time) -> Option<Unsendable> {
        if self.is_only_encrypted(addr) {
            return Some(Unsendable::OnlyEncrypted);
        }
        if let Some(why) = self.unsendable(addr, &text.parts) {
            return Some(why);
        }
        self.text_begins(addr);
        if let Some(secure) = &mut self.secure {
            secure.in_plain.insert(addr);
        }
        let write = text.letter.as_ref().map(|letter| {
            let to = Party::Addr(text.written_to);
            match text.said {
                true => Write::Became { to, id: letter.id, condition: Condition::Sent },
                false => self.said(to, text.name.clone(), letter, Condition::Sent),
            }
        });
        text.has_waited = text.said;
        text.said = write.is_some();
        text.goes_out = text.said;
        self.write_plain(addr, text, write, now);
        None
    }

    /// That a text goes out could not be written down. One that is written down as waiting would go out once more after a restart, so it goes
    /// on waiting; another one is not written down at all.
    pub(super) fn not_written(&mut self, addr: PeerAddr, mut text: Unsent, now: Time) -> Option<Unsent> {
        if !text.has_waited {
            text.is_not_written();
            return Some(text);
        }
        text.goes_out = false;
        self.text_ends(addr);
        if let Some(secure) = &mut self.secure {
            secure.in_plain.remove(&addr);
        }
        self.hold_back_all(addr, text, Hold::NotWritten, now);
        None
    }

    /// Lets a text wait, and with it those behind it, for there is nothing to be tried with them either.
    fn hold_back_all(&mut self, addr: PeerAddr, text: Unsent, hold: Hold, now: Time) {
        self.hold_back(addr, text, hold, now);
        let behind = self.secure.as_mut().and_then(|secure| secure.asked.remove(&addr));
        for text in behind.into_iter().flatten() {
            self.text_ends(addr);
            self.hold_back(addr, text, hold, now);
        }
    }

    /// A text in plain is through, or could not be sent, and waits then if that helps.
    pub(super) fn plain_text_over(
        &mut self,
        addr: PeerAddr,
        mut text: Unsent,
        (who, fate): (Who, Fate),
        parts: (usize, usize),
        now: Time,
    ) {
        let hold = if parts.0 == 0 { self.hold_for(addr, &fate, &text) } else { None };
        if let Some(hold) = hold {
            self.write_queued_again(addr, &mut text, now);
            self.hold_back_all(addr, text, hold, now);
            return;
        }
        let condition = match &fate {
            Fate::Delivered => Condition::Delivered,
            Fate::HandedOver => Condition::HandedOver,
            Fate::Astray(_) => Condition::Astray,
            Fate::Failed(_) if parts.0 == 0 => Condition::NotSent,
            _ => Condition::Uncertain,
        };
        self.write_condition(&text, condition);
        self.reached(addr);
        if text.told {
            self.tell(Event::Later { op: text.op, who, fate, text: text.body() });
        } else {
            self.finished_with(text.op, who, fate, parts);
        }
    }

    /// Whether a text is under way in plain. Its receipt may say that the next need not go so; only who leaves has no time for that.
    fn says_in_plain(&self, addr: PeerAddr) -> bool {
        !self.leaving && self.secure.as_ref().is_some_and(|secure| secure.in_plain.contains(&addr))
    }

    /// Lets a text wait until the one before it is through.
    fn wait_behind(&mut self, addr: PeerAddr, mut text: Unsent, now: Time) -> Option<Unsendable> {
        if let Some(why) = self.unsendable(addr, &text.parts) {
            return Some(why);
        }
        self.text_begins(addr);
        self.write_queued(addr, &mut text, now);
        let secure = self.secure.as_mut()?;
        secure.asked.entry(addr).or_default().push(text);
        None
    }

    /// Lets a text wait behind others for whom nobody could be reached. The user wants it there now, so they are tried at once.
    fn wait_with_others(&mut self, addr: PeerAddr, mut text: Unsent, now: Time) -> Option<Unsendable> {
        if self.is_full_of_texts(addr) {
            return Some(Unsendable::TooManyWaiting);
        }
        self.write_queued(addr, &mut text, now);
        self.hold_back(addr, text, Hold::Unreachable, now);
        self.hurry_held(addr, now);
        None
    }

    /// Has a text for an address written down as one that waits.
    fn write_queued(&mut self, addr: PeerAddr, text: &mut Unsent, now: Time) {
        if let (false, Some(letter)) = (text.said, &text.letter) {
            let to = Party::Addr(text.written_to);
            let (op, id) = (text.op, letter.id);
            let write = self.said(to, text.name.clone(), letter, Condition::Queued);
            text.unwritten = self.write_waiting(addr, op, id, write, now);
            text.said = true;
        }
    }

    /// Has it written down that a text waits after all which was written down as one that is sent: who finds it as that does not send it again.
    fn write_queued_again(&mut self, addr: PeerAddr, text: &mut Unsent, now: Time) {
        if let (true, Some(letter)) = (std::mem::take(&mut text.goes_out), &text.letter) {
            let (to, id) = (Party::Addr(text.written_to), letter.id);
            let write = Write::Became { to, id, condition: Condition::Queued };
            text.unwritten = self.write_waiting(addr, text.op, id, write, now);
        }
    }

    /// A text in plain is through: the next goes, in whatever way its recipient is spoken to by now. Where it has just promised a key, that is
    /// known when it has been greeted.
    pub(super) fn said_in_plain(&mut self, addr: PeerAddr, now: Time) {
        let Some(secure) = &mut self.secure else { return };
        secure.in_plain.remove(&addr);
        match self.speech_of(addr) {
            // Nothing is said of itself to whom the user has sent away meanwhile, but what waits for them has to be.
            Speech::Unknown if self.waits_for(addr) && !self.leaving && !self.is_being_asked(addr) => {
                self.ask(addr);
            }
            Speech::Unknown => {}
            speech => self.asked(addr, Ok(speech), now),
        }
    }

    fn is_being_asked(&self, addr: PeerAddr) -> bool {
        self.jobs.values().any(|job| job.addr == addr && job.purpose == Purpose::Ask)
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

    pub(super) fn put_letter(
        &mut self,
        key: PeerKey,
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

    /// Begins the turns that are due.
    pub(super) fn next_turns(&mut self, now: Time) {
        self.next_held_turns(now);
        while let Some((key, news)) = self.secure.as_mut().and_then(|secure| secure.outboxes.expire(now)) {
            self.tell_news(key, news);
        }
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
            match self.addr_of(key) {
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

    /// Tells what became of texts, and has it written down. The first that is known of a text ends its part in the command; what comes later
    /// is told as such.
    pub(super) fn tell_news(&mut self, key: PeerKey, news: Vec<TextNews>) {
        let gone = self.secure.as_ref().and_then(|secure| secure.gone.get(&key)).map(|(addr, _)| *addr);
        let addr = self.addr_of(key).or(gone);
        for TextNews { id, op, state, written, body } in news {
            if let Some(condition) = condition_of(state, written) {
                self.write(Write::Became { to: Party::Key(key), id, condition });
            }
            if state.is_final() {
                self.keeping.is_done(key, id);
            }
            let Some(secure) = &mut self.secure else { return };
            let told = secure.told_of.contains(&(op, key));
            if matches!(state, TextState::Queued(_)) {
                secure.told_of.insert((op, key));
            } else {
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
            let fate = match state {
                TextState::Delivered => Fate::Delivered,
                TextState::Queued(hold) => Fate::Waits(hold),
                TextState::Failed(lost) => Fate::Lost(lost),
            };
            if told {
                let who = self.who(addr);
                self.tell(Event::Later { op, who, fate, text: body });
            } else {
                let parts = (usize::from(state == TextState::Delivered), 1);
                self.finished(op, addr, fate, parts);
            }
        }
    }

    /// We leave: whatever waits is tried at once, unless it can wait until we are back.
    pub(super) fn last_turns(&mut self, now: Time) {
        if self.keeping.durable { self.next_turns(now) } else { self.hurry_all(now) }
    }

    /// We leave: what is not delivered by now stays for the next time, or is not delivered.
    pub(super) fn abandon_texts(&mut self) {
        let Some(secure) = &mut self.secure else { return };
        let waiting: Vec<PeerAddr> = secure.asked.keys().copied().collect();
        for addr in waiting {
            self.asked(addr, Err(&Fate::Failed(Failure::Cancelled)), Time::default());
        }
        self.leave_waiting();
        let durable = self.keeping.durable;
        let Some(secure) = &mut self.secure else { return };
        let mut stay: BTreeMap<PeerKey, usize> = BTreeMap::new();
        for (key, news) in secure.outboxes.abandon() {
            let durable = durable && !self.keeping.is_unkept(key, news.id);
            *stay.entry(key).or_default() += usize::from(durable);
            let is_told = self.secure.as_ref().is_some_and(|secure| secure.told_of.contains(&(news.op, key)));
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
            if let (true, Some(who)) = (durable, self.who_of(key)) {
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
