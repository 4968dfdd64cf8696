//! Texts in plain, one at a time to each address, each written down before it goes out.

use std::sync::Arc;

use super::Chat;
use super::event::{Event, OpId, Unsendable, Who};
use super::time::Time;
use crate::model::message::{Fate, Speech};
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::{Hold, Letter};
use crate::model::stored::{Condition, Write};
/// A text to an address, or to somebody of whom it is not known yet how they are spoken to.
#[derive(Clone, Debug)]
pub(super) struct Unsent {
    pub(super) op: OpId,
    pub(super) parts: Arc<[String]>,
    /// None where there were no random numbers for an id.
    pub(super) letter: Option<Letter>,
    /// When it is given up.
    pub(super) expires: Time,
    /// The recipient that the message is stored for.
    pub(super) written_to: Recipient,
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
    /// The name of its recipient when the user entered the message; `None` if not yet known.
    pub(super) name: Option<PeerName>,
    /// The user wrote to this recipient by name or address, not to all peers.
    pub(super) is_direct: bool,
    /// The user wants the message sent although the recipient's name has changed.
    pub(super) confirmed: bool,
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
    /// A text that nothing was done about yet.
    pub(super) fn new_text(
        &self,
        peer_id: Recipient,
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
            written_to: peer_id,
            said: false,
            unwritten: false,
            goes_out: false,
            has_waited: false,
            told: false,
            name: self
                .table
                .peer(peer_id)
                .filter(|peer| peer.last_heard.is_some())
                .and_then(|peer| peer.name.clone()),
            is_direct: false,
            confirmed: false,
        }
    }

    pub(super) fn send_in_plain(
        &mut self,
        peer_id: Recipient,
        mut text: Unsent,
        now: Time,
    ) -> Option<Unsendable> {
        if self.is_only_encrypted(peer_id) {
            return Some(Unsendable::OnlyEncrypted);
        }
        if let Some(why) = self.unsendable(peer_id, &text.parts) {
            return Some(why);
        }
        self.text_begins(peer_id);
        self.secure.in_plain.insert(peer_id);
        let write = text.letter.as_ref().map(|letter| {
            let to = text.written_to;
            match text.said {
                true => Write::Became { to, id: letter.id, condition: Condition::Sent },
                false => self.said(to, text.name.clone(), letter, Condition::Sent),
            }
        });
        text.has_waited = text.said;
        text.said = write.is_some();
        text.goes_out = text.said;
        self.write_plain(peer_id, text, write, now);
        None
    }

    /// Whether an address has shown or promised a key since it was decided that a text goes there in plain.
    pub(super) fn has_shown_a_key_since(&self, peer_id: Recipient, text: &Unsent) -> bool {
        let row = self.table.peer(peer_id);
        // If another peer has replaced a legacy peer, the program asks again.
        let has_promised =
            || row.is_some_and(|peer| peer.promised.is_some() || self.plain_speech(peer) == Speech::Unknown);
        let has_a_key = matches!(self.speech_of(peer_id), Speech::Secure(_)) || has_promised();
        text.letter.is_some() && has_a_key
    }

    /// A text was to go out in plain, and must not any more: it is asked anew how its recipient is spoken to.
    pub(super) fn goes_otherwise(&mut self, peer_id: Recipient, mut text: Unsent, now: Time) {
        self.write_queued_again(peer_id, &mut text);
        let speech = self.speech_of(peer_id);
        let secure = &mut self.secure;
        secure.in_plain.remove(&peer_id);
        // Others may wait there, behind this one.
        secure.asked.entry(peer_id).or_default().insert(0, text);
        match speech {
            Speech::Secure(_) => self.asked(peer_id, Ok(speech), now),
            _ if !self.is_being_asked(peer_id) => self.ask(peer_id),
            _ => {}
        }
    }

    /// That a text goes out could not be written down. One that is written down as waiting would go out once more after a restart, so it goes
    /// on waiting; another one is not written down at all.
    pub(super) fn not_written(&mut self, peer_id: Recipient, mut text: Unsent, now: Time) -> Option<Unsent> {
        if !text.has_waited {
            text.is_not_written();
            return Some(text);
        }
        text.goes_out = false;
        self.text_ends(peer_id);
        self.secure.in_plain.remove(&peer_id);
        self.hold_back_all(peer_id, text, Hold::NotWritten, now);
        None
    }

    /// Lets a text wait, and with it those behind it, for there is nothing to be tried with them either.
    pub(super) fn hold_back_all(&mut self, peer_id: Recipient, text: Unsent, hold: Hold, now: Time) {
        self.hold_back(peer_id, text, hold, now);
        let behind = self.secure.asked.remove(&peer_id);
        for text in behind.into_iter().flatten() {
            self.text_ends(peer_id);
            self.hold_back(peer_id, text, hold, now);
        }
    }

    /// A text in plain is through, or could not be sent, and waits then if that helps.
    pub(super) fn plain_text_over(
        &mut self,
        peer_id: Recipient,
        mut text: Unsent,
        (who, fate): (Who, Fate),
        parts: (usize, usize),
        now: Time,
    ) {
        let hold = if parts.0 == 0 { self.hold_for(peer_id, &fate, &text) } else { None };
        if let Some(hold) = hold {
            self.write_queued_again(peer_id, &mut text);
            self.hold_back_all(peer_id, text, hold, now);
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
        self.reached(peer_id);
        if text.told {
            self.tell(Event::Later { op: text.op, who, fate, text: text.body() });
        } else {
            self.finished_with(text.op, who, fate, parts);
        }
    }

    /// Whether a text is under way in plain. Its receipt may say that the next need not go so; only who leaves has no time for that.
    pub(super) fn says_in_plain(&self, peer_id: Recipient) -> bool {
        !self.leaving && self.secure.in_plain.contains(&peer_id)
    }

    /// Lets a text wait until the one before it is through.
    pub(super) fn wait_behind(&mut self, peer_id: Recipient, mut text: Unsent) -> Option<Unsendable> {
        if let Some(why) = self.unsendable(peer_id, &text.parts) {
            return Some(why);
        }
        self.text_begins(peer_id);
        self.write_queued(peer_id, &mut text);
        let secure = &mut self.secure;
        secure.asked.entry(peer_id).or_default().push(text);
        None
    }

    /// Lets a text wait behind others for whom nobody could be reached. The user wants it there now, so they are tried at once.
    pub(super) fn wait_with_others(
        &mut self,
        peer_id: Recipient,
        mut text: Unsent,
        now: Time,
    ) -> Option<Unsendable> {
        if self.is_full_of_texts(peer_id) {
            return Some(Unsendable::TooManyWaiting);
        }
        self.write_queued(peer_id, &mut text);
        self.hold_back(peer_id, text, Hold::Unreachable, now);
        self.hurry_held(peer_id, now);
        None
    }

    /// Has a text for an address written down as one that waits.
    pub(super) fn write_queued(&mut self, peer_id: Recipient, text: &mut Unsent) {
        if let (false, Some(letter)) = (text.said, &text.letter) {
            let to = text.written_to;
            let (op, id) = (text.op, letter.id);
            let write = self.said(to, text.name.clone(), letter, Condition::Queued);
            text.unwritten = true;
            self.write_waiting(peer_id, op, id, write);
            text.said = true;
        }
    }

    /// Has it written down that a text waits after all which was written down as one that is sent: who finds it as that does not send it again.
    pub(super) fn write_queued_again(&mut self, peer_id: Recipient, text: &mut Unsent) {
        if let (true, Some(letter)) = (std::mem::take(&mut text.goes_out), &text.letter) {
            let (to, id) = (text.written_to, letter.id);
            let write = Write::Became { to, id, condition: Condition::Queued };
            text.unwritten = true;
            self.write_waiting(peer_id, text.op, id, write);
        }
    }

    /// A text in plain is through: the next goes, in whatever way its recipient is spoken to by now. Where it has just promised a key, that is
    /// known when it has been greeted.
    pub(super) fn said_in_plain(&mut self, peer_id: Recipient, now: Time) {
        let secure = &mut self.secure;
        secure.in_plain.remove(&peer_id);
        match self.speech_of(peer_id) {
            // Nothing is said of itself to whom the user has sent away meanwhile, but what waits for them has to be.
            Speech::Unknown if self.waits_for(peer_id) && !self.leaving && !self.is_being_asked(peer_id) => {
                self.ask(peer_id);
            }
            Speech::Unknown => {}
            speech => self.asked(peer_id, Ok(speech), now),
        }
    }

    /// We leave: the texts that wait for one another go one behind the other, and the goodbye behind them.
    pub(super) fn wait_no_more(&mut self, now: Time) {
        let secure = &self.secure;
        let waiting: Vec<Recipient> = secure.in_plain.iter().copied().collect();
        for peer_id in waiting {
            if self.speech_of(peer_id) == Speech::Plain {
                self.asked(peer_id, Ok(Speech::Plain), now);
            }
        }
    }
}
