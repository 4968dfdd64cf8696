//! Messages and how they go out: to a key, unencrypted, or after asking the peer at an address
//! which of the two it takes.

use std::sync::Arc;

use super::command::Target;
use super::event::{Deed, Event, OpId, Unsendable};
use super::outbox::{MAX_OPEN_TEXTS, NotPut, OutText};
use super::plain::Unsent;
use super::time::Time;
use super::{Chat, Purpose};
use crate::model::key::PublicKey;
use crate::model::message::{Failure, Fate, Outgoing, Speech};
use crate::model::name::{PeerName, folded};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{Hold, Letter, Say};
use crate::model::stored::{Condition, Write};

impl Chat {
    /// Sends a text to each of `to` in the way that each is spoken to.
    pub(super) fn send(
        &mut self,
        to: Target,
        parts: Arc<[String]>,
        letter: Option<Letter>,
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
        let is_direct = to != Target::All;
        let targets = self.targets(to, false);
        let op = self.spread(Deed::Send, &targets);
        for peer_id in targets {
            let text = self.new_text(peer_id, op, &parts, letter.as_ref(), now);
            if let Some(why) = self.send_to(peer_id, Unsent { is_direct, ..text }, now) {
                let who = self.who(peer_id);
                self.tell(Event::NotSent { op, who, why });
                self.not_sent(op);
            }
        }
        self.next_turns(now);
        self.settle(op);
        op
    }

    /// Sends a message to one recipient. Returns why it cannot be sent, if so.
    pub(super) fn send_to(&mut self, peer_id: Recipient, mut text: Unsent, now: Time) -> Option<Unsendable> {
        if self.is_ours(peer_id) {
            return Some(Unsendable::Ourselves);
        }
        if text.is_direct {
            self.table.update(peer_id, |peer| peer.contact = true);
        }
        match (self.speech_of(peer_id), &text.letter) {
            (Speech::Secure(key), Some(_)) => self.put_letter(key, text, now),
            (Speech::Unknown | Speech::Plain, Some(_)) if self.holds_back(peer_id) => {
                self.wait_with_others(peer_id, text, now)
            }
            (Speech::Unknown, Some(_)) => {
                if self.is_full_of_texts(peer_id) {
                    return Some(Unsendable::TooManyWaiting);
                }
                self.ask_first(peer_id, text);
                None
            }
            // What waits for the answer to the question how it is spoken to was typed before, also where that is known by now.
            (Speech::Plain, Some(_)) if self.says_in_plain(peer_id) || self.waits_for(peer_id) => {
                self.wait_behind(peer_id, text)
            }
            (Speech::Plain, Some(_)) if self.is_another(peer_id, &text) => {
                self.write_queued(peer_id, &mut text);
                self.hold_back(peer_id, text, Hold::Another, now);
                None
            }
            (Speech::Plain, _) => self.send_in_plain(peer_id, text, now),
            // There is no id for it, and without one it could only go out in plain.
            _ => Some(Unsendable::NoRandom),
        }
    }

    pub(super) fn is_being_asked(&self, peer_id: Recipient) -> bool {
        self.jobs.values().any(|job| job.peer_id == peer_id && job.purpose == Purpose::Ask)
    }

    pub(super) fn put_letter(&mut self, key: PublicKey, text: Unsent, now: Time) -> Option<Unsendable> {
        let Unsent { op, letter, expires, said, told, written_to, is_direct, .. } = text;
        let Some(letter) = letter else { return Some(Unsendable::NoRandom) };
        let to = Recipient::Peer(PeerId::Key(key));
        let (id, name) = (letter.id, self.who(to).name);
        let write = match said {
            true => Write::Moved { id, from: written_to, to },
            false => self.said(to, name, &letter, Condition::Queued),
        };
        let secure = &mut self.secure;
        let Some(writable) = self.trust.writable(key) else { return Some(Unsendable::NotTrusted) };
        let sent = letter.again;
        match secure.outboxes.put(writable, OutText { op, letter, expires, sent }) {
            Ok(()) => {
                self.trust.keep(key);
                if is_direct {
                    self.is_contact_now(key);
                }
                let secure = &mut self.secure;
                if told {
                    secure.told_of.insert((op, key));
                }
                // The user wants it there now; what is not even tried now is said to wait.
                secure.outboxes.hurry(key, now);
                let (count, nearly) = secure.outboxes.filled(key);
                let all_nearly = secure.outboxes.are_nearly_full();
                self.write_letter(key, id, write);
                if all_nearly {
                    self.tell(Event::AllNearlyFull);
                }
                if nearly {
                    let who = self.who(to);
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
    fn ask_first(&mut self, peer_id: Recipient, mut text: Unsent) {
        self.text_begins(peer_id);
        self.write_queued(peer_id, &mut text);
        let secure = &mut self.secure;
        let waiting = secure.asked.entry(peer_id).or_default();
        waiting.push(text);
        if waiting.len() == 1 {
            self.ask(peer_id);
        }
    }

    /// Asks how to write to a recipient, because messages wait for the answer.
    pub(super) fn ask(&mut self, id: Recipient) {
        let promised = self.table.peer(id).and_then(|peer| peer.promised);
        let at = self.dialed_at(id);
        match (promised, at) {
            (Some(key), Some(at)) => self.promised(id, at, key, Purpose::Ask),
            _ if self.is_only_encrypted(id) => drop(self.talk(id, Purpose::Ask, Say::Greet, None)),
            _ => self.transmit(id, Purpose::Ask, Outgoing::Connect, None),
        }
    }

    /// Handles the answer to [`Chat::ask`], or its failure, and sends the messages that waited for
    /// it. A key that proved itself at an address gets the messages for the address, but none for
    /// a legacy peer there.
    pub(super) fn asked(&mut self, peer_id: Recipient, answer: Result<Speech, &Fate>, now: Time) {
        let is_for_legacy = matches!(peer_id, Recipient::Peer(PeerId::Legacy(_)));
        if let (true, Ok(Speech::Secure(_))) = (is_for_legacy, &answer) {
            self.hold_all(peer_id, Hold::Another, now);
            return;
        }
        let secure = &mut self.secure;
        let mut waiting = Vec::new();
        if let (Ok(Speech::Secure(_)), Some(held)) = (&answer, secure.waiting.get_mut(&peer_id)) {
            // They were typed before what waits for an answer.
            waiting.extend(held.release());
        }
        waiting.extend(secure.asked.remove(&peer_id).into_iter().flatten());
        if waiting.is_empty() {
            return;
        }
        let answer = answer.map_err(|fate| match fate {
            Fate::Failed(_) => fate.clone(),
            // That is the fate of the question; of the text itself, nothing was sent.
            _ => Fate::Failed(Failure::NotAnswered),
        });
        for text in waiting {
            self.text_ends(peer_id);
            let (op, before) = (text.op, text.clone());
            let refused = match &answer {
                Err(fate) => {
                    let parts = (0, text.parts.len().max(1));
                    let who = self.who(peer_id);
                    self.plain_text_over(peer_id, text, (who, fate.clone()), parts, now);
                    continue;
                }
                Ok(Speech::Secure(key)) if self.is_another(Recipient::key(*key), &text) => {
                    self.hold_back(peer_id, text, Hold::Another, now);
                    continue;
                }
                Ok(Speech::Secure(key)) => {
                    self.reached(peer_id);
                    self.put_letter(*key, text, now)
                }
                Ok(_) if self.is_another(peer_id, &text) => {
                    self.hold_back(peer_id, text, Hold::Another, now);
                    continue;
                }
                Ok(_) if self.says_in_plain(peer_id) => self.wait_behind(peer_id, text),
                Ok(_) => self.send_in_plain(peer_id, text, now),
            };
            if let Some(why) = refused {
                // It is not tried again at the next start either.
                self.write_condition(&before, Condition::NotSent);
                let who = self.who(peer_id);
                self.tell(Event::NotSent { op, who, why });
                if !before.told {
                    self.not_sent(op);
                }
            }
            self.settle(op);
        }
        self.next_turns(now);
    }

    /// Whether the peer there has another name than the one the message was written to. A name is
    /// only a claim, but a legacy peer has nothing better.
    pub(super) fn is_another(&self, id: Recipient, text: &Unsent) -> bool {
        let name = self.who(id).name;
        matches!((name, &text.name), (Some(now), Some(then)) if !text.confirmed && !same_name(&now, then))
    }
}

/// Whether two names differ only in spelling.
fn same_name(one: &PeerName, other: &PeerName) -> bool {
    folded(one.as_str()) == folded(other.as_str())
}
