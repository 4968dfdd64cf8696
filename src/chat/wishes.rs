//! The outbox as the user sees it: lists, cancels, retries and resends waiting messages.

use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, OpId, Who};
use super::outbox::OutText;
use super::plain::Unsent;
use super::time::Time;
use super::{Chat, Deed};
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{Hold, Letter, Lost};
use crate::model::stored::{Condition, Write};

/// A text that waits, as the user sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingText {
    /// For whom, as it is named.
    pub who: Who,
    /// For whom.
    pub to: Recipient,
    /// The text.
    pub letter: Letter,
    /// It is on its way at the moment.
    pub under_way: bool,
    /// It was written before, and may have arrived.
    pub sent: bool,
    /// Why it waits.
    pub hold: Hold,
    /// How long it waits before it expires.
    pub left: Duration,
}

impl Chat {
    /// All that waits, by recipient, and for each in the order in which it was typed.
    pub fn waiting(&self, now: Time) -> Vec<WaitingText> {
        let secure = &self.secure;
        let to_keys = secure.outboxes.waiting().map(|(key, waiting)| {
            let OutText { letter, expires, sent, .. } = waiting.text;
            WaitingText {
                who: self.who(Recipient::key(key)),
                to: Recipient::Peer(PeerId::Key(key)),
                letter: letter.clone(),
                under_way: waiting.under_way,
                sent: *sent,
                hold: waiting.hold,
                left: expires.since(now),
            }
        });
        let to_addr = |peer_id: Recipient, text: &Unsent, under_way, hold| {
            let (letter, left) = (text.letter.clone()?, text.expires.since(now));
            let (who, to) = (self.who(peer_id), peer_id);
            Some(WaitingText { who, to, letter, under_way, sent: false, hold, left })
        };
        let held = secure.waiting.iter().flat_map(|(peer_id, held)| {
            let hold = held.hold.unwrap_or(Hold::Unreachable);
            held.texts.iter().filter_map(move |text| to_addr(*peer_id, text, false, hold))
        });
        let asked = secure.asked.iter().flat_map(|(peer_id, texts)| {
            texts.iter().filter_map(move |text| to_addr(*peer_id, text, true, Hold::Turn))
        });
        let mut all: Vec<WaitingText> = to_keys.chain(held).chain(asked).collect();
        // The order within one recipient stays.
        all.sort_by_key(|waiting| waiting.to);
        all
    }

    /// The recipient of messages that were listed as those for `to`: a peer may have proven itself
    /// at an address since.
    fn queued_for(&self, to: Recipient) -> Recipient {
        if self.waits_for(to) || self.holds_back(to) { to } else { self.meant(to) }
    }

    /// Takes a text back that waits.
    pub(super) fn cancel(&mut self, to: Recipient, id: MessageId) -> OpId {
        let to = self.queued_for(to);
        let is_it = |text: &Unsent| text.letter.as_ref().is_some_and(|letter| letter.id == id);
        let was_there = match to {
            Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => {
                self.drop_held(to, Lost::Cancelled, Condition::Cancelled, is_it)
                    || self.cancel_asked(to, is_it)
            }
            Recipient::Peer(PeerId::Key(key)) => {
                let (was_there, news) = self.secure.outboxes.cancel(key, id);
                self.tell_news(key, news);
                was_there
            }
        };
        if !was_there {
            self.tell(Event::NotWaiting);
        }
        self.nothing_to_wait_for()
    }

    /// Takes a text back that waits for the answer how its recipient is spoken to; says whether it was there.
    pub(super) fn cancel_asked(&mut self, peer_id: Recipient, is_it: impl Fn(&Unsent) -> bool) -> bool {
        let secure = &mut self.secure;
        let Some(asked) = secure.asked.get_mut(&peer_id) else { return false };
        let Some(at) = asked.iter().position(is_it) else { return false };
        let text = asked.remove(at);
        self.text_ends(peer_id);
        self.write_condition(&text, Condition::Cancelled);
        self.tell_lost(peer_id, &text, Lost::Cancelled);
        true
    }

    /// Tries the messages that wait for a recipient. This one may go to a legacy peer that has
    /// changed its name.
    pub(super) fn try_now(&mut self, to: Recipient, id: MessageId, now: Time) -> OpId {
        let to = self.queued_for(to);
        let secure = &mut self.secure;
        if let Some(key) = to.public_key() {
            secure.outboxes.met(key, now);
        }
        let held = secure.waiting.get_mut(&to);
        let is_it = |text: &&mut Unsent| text.letter.as_ref().is_some_and(|letter| letter.id == id);
        let chosen = held.into_iter().flat_map(|held| &mut held.texts).filter(is_it);
        chosen.for_each(|text| text.confirmed = true);
        self.hurry_held(to, now);
        self.next_turns(now);
        self.nothing_to_wait_for()
    }

    /// Sends a text again that is not sent any more.
    pub(super) fn send_again(
        &mut self,
        listed: Recipient,
        parts: &Arc<[String]>,
        letter: Letter,
        name: Option<PeerName>,
        now: Time,
    ) -> OpId {
        let to = self.queued_for(listed);
        if to.public_key().is_none() && self.has_in_hand(to, letter.id) {
            // It is on its way already, and in plain nothing would show that it comes twice.
            return self.try_now(to, letter.id, now);
        }
        let op = self.spread(Deed::Send, &[to]);
        let letter = Letter { again: true, ..letter };
        if to != listed {
            // One row in the history, not one for each.
            self.write(Write::Moved { id: letter.id, from: listed, to });
        }
        let text = self.new_text(to, op, parts, Some(&letter), now);
        let text = Unsent { is_direct: true, name: name.or(text.name.clone()), ..text };
        if let Some(why) = self.send_to(to, text, now) {
            let who = self.who(to);
            self.tell(Event::NotSent { op, who, why });
            self.not_sent(op);
        }
        self.next_turns(now);
        self.settle(op);
        op
    }

    /// Whether a text for an address waits, or is on its way.
    fn has_in_hand(&mut self, peer_id: Recipient, id: MessageId) -> bool {
        let is_it = |text: &Unsent| text.letter.as_ref().is_some_and(|letter| letter.id == id);
        let goes_out = self.keeping.plain_texts().any(|text| text.written_to == peer_id && is_it(text));
        let secure = &self.secure;
        let held = secure.waiting.get(&peer_id).is_some_and(|held| held.texts.iter().any(is_it));
        let asked = secure.asked.get(&peer_id).is_some_and(|texts| texts.iter().any(is_it));
        let under_way = secure.plain.values().any(|text| text.written_to == peer_id && is_it(text));
        goes_out || held || asked || under_way
    }
}
