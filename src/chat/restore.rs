//! Restores the messages of an earlier run that still wait, for their saved recipients.

use std::sync::Arc;
use std::time::Duration;

use super::Chat;
use super::event::{Action, Event, OpId};
use super::outbox::OutText;
use super::plain::Unsent;
use super::time::Time;
use crate::model::key::PublicKey;
use crate::model::message::Fate;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{Hold, Letter, Lost};
use crate::model::stored::{Condition, Write};
/// A text of an earlier run that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// To whom.
    pub to: Recipient,
    /// The text.
    pub letter: Letter,
    /// The same as messages to a plain peer; none where it is too long for that.
    pub parts: Arc<[String]>,
    /// It was being sent in plain when the run ended.
    pub cut_off: bool,
    /// How long it still waits.
    pub left: Duration,
    /// What its recipient was called.
    pub name: Option<PeerName>,
}

impl Chat {
    /// Takes on the texts of an earlier run that wait, in the order in which they were typed; before [`Chat::start`], and after the keys.
    pub fn restore(&mut self, texts: Vec<Restored>, now: Time) -> Vec<Action> {
        for Restored { to, letter, parts, cut_off, left, name } in texts {
            let op = self.operations.next_id();
            let (id, expires) = (letter.id, now.plus(left));
            match to {
                Recipient::Peer(PeerId::Key(key)) => self.restore_letter(key, op, letter, expires, now),
                Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) if cut_off => {
                    self.write(Write::Became { to, id, condition: Condition::Uncertain });
                    let who = self.who(to);
                    let fate = Fate::Lost(Lost::CutOff);
                    self.tell(Event::Later { op, who, fate, text: letter.body });
                }
                Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => {
                    let text = self.new_text(to, op, &parts, Some(&letter), now);
                    let text = Unsent { expires, said: true, told: true, name, ..text };
                    self.hold_back(to, text, Hold::Turn, now);
                }
            }
        }
        self.hurry_all(now);
        self.done()
    }

    pub(super) fn restore_letter(
        &mut self,
        key: PublicKey,
        op: OpId,
        letter: Letter,
        expires: Time,
        now: Time,
    ) {
        let secure = &mut self.secure;
        let (sent, letter) = (letter.again, Letter { again: true, ..letter });
        let text = OutText { op, letter, expires, sent };
        let id = text.letter.id;
        if let Some(to) = self.trust.writable(key) {
            // What there is no room for stays written down for the next time.
            if secure.outboxes.put(to, text).is_ok() {
                secure.told_of.insert((op, key));
                secure.outboxes.stored(key, id, Time::default());
            }
        } else if self.trust.pin(key).is_some() {
            // The key was blocked, and whoever did that knows.
            self.write(Write::Became {
                to: Recipient::Peer(PeerId::Key(key)),
                id,
                condition: Condition::Withdrawn,
            });
        } else if expires <= now {
            // Nobody is left to be named.
            self.write(Write::Became {
                to: Recipient::Peer(PeerId::Key(key)),
                id,
                condition: Condition::Expired,
            });
        } else {
            // It was to be remembered, and the program was ended before it was, or that cannot be written down. Whoever forgets a key has
            // its texts withdrawn.
            secure.unremembered.entry(key).or_default().push(text);
        }
    }

    /// A key is met that texts of an earlier run wait for, though it was not remembered.
    pub(super) fn remembers(&mut self, key: PublicKey, now: Time) {
        let secure = &mut self.secure;
        if self.trust.writable(key).is_none() {
            return;
        }
        if secure.unremembered.contains_key(&key) {
            // The user wrote to it in an earlier run.
            self.trust.make_contact(key);
        }
        for OutText { op, letter, expires, sent } in secure.unremembered.remove(&key).into_iter().flatten() {
            self.restore_letter(key, op, Letter { again: sent, ..letter }, expires, now);
        }
    }
}
