//! What waits, as the user sees it, and what they want of it: taken back, tried at once, sent again.

use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, OpId, Who};
use super::outbox::OutText;
use super::plain::Unsent;
use super::time::Time;
use super::{Chat, Deed, Op};
use crate::model::address::PeerAddr;
use crate::model::message::MessageId;
use crate::model::session::{Hold, Letter, Lost};
use crate::model::stored::{Condition, Party};
/// A text that waits, as the user sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingText {
    /// For whom, as it is named.
    pub who: Who,
    /// For whom.
    pub to: Party,
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
        let Some(secure) = &self.secure else { return Vec::new() };
        let to_keys = secure.outboxes.waiting().filter_map(|(key, waiting)| {
            let OutText { letter, expires, sent, .. } = waiting.text;
            Some(WaitingText {
                who: self.who_of(key)?,
                to: Party::Key(key),
                letter: letter.clone(),
                under_way: waiting.under_way,
                sent: *sent,
                hold: waiting.hold,
                left: expires.since(now),
            })
        });
        let to_addr = |addr: PeerAddr, text: &Unsent, under_way, hold| {
            let (letter, left) = (text.letter.clone()?, text.expires.since(now));
            let (who, to) = (self.who(addr), Party::Addr(addr));
            Some(WaitingText { who, to, letter, under_way, sent: false, hold, left })
        };
        let held = secure.waiting.iter().flat_map(|(addr, held)| {
            let hold = held.hold.unwrap_or(Hold::Unreachable);
            held.texts.iter().filter_map(move |text| to_addr(*addr, text, false, hold))
        });
        let asked = secure.asked.iter().flat_map(|(addr, texts)| {
            texts.iter().filter_map(move |text| to_addr(*addr, text, true, Hold::Turn))
        });
        let mut all: Vec<WaitingText> = to_keys.chain(held).chain(asked).collect();
        // The order within one recipient stays.
        all.sort_by_key(|waiting| waiting.to);
        all
    }

    /// Takes a text back that waits.
    pub(super) fn cancel(&mut self, to: Party, id: MessageId) -> OpId {
        let is_it = |text: &Unsent| text.letter.as_ref().is_some_and(|letter| letter.id == id);
        let was_there = match to {
            Party::Addr(addr) => {
                self.drop_held(addr, Lost::Cancelled, Condition::Cancelled, is_it)
                    || self.cancel_asked(addr, is_it)
            }
            Party::Key(key) => {
                let (was_there, news) = match &mut self.secure {
                    Some(secure) => secure.outboxes.cancel(key, id),
                    None => (false, Vec::new()),
                };
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
    pub(super) fn cancel_asked(&mut self, addr: PeerAddr, is_it: impl Fn(&Unsent) -> bool) -> bool {
        let Some(secure) = &mut self.secure else { return false };
        let Some(asked) = secure.asked.get_mut(&addr) else { return false };
        let Some(at) = asked.iter().position(is_it) else { return false };
        let text = asked.remove(at);
        self.text_ends(addr);
        self.write_condition(&text, Condition::Cancelled);
        self.tell_lost(addr, &text, Lost::Cancelled);
        true
    }

    /// Tries at once what waits for somebody.
    pub(super) fn try_now(&mut self, to: Party, now: Time) -> OpId {
        match (to, &mut self.secure) {
            (Party::Key(key), Some(secure)) => secure.outboxes.met(key, now),
            (Party::Addr(addr), _) => self.hurry_held(addr, now),
            (Party::Key(_), None) => {}
        }
        self.next_turns(now);
        self.nothing_to_wait_for()
    }

    /// Sends a text again that is not sent any more.
    pub(super) fn send_again(&mut self, to: Party, parts: Arc<[String]>, letter: Letter, now: Time) -> OpId {
        let addr = match to {
            Party::Addr(addr) => Some(addr),
            Party::Key(key) => self.addr_of(key),
        };
        let Some(addr) = addr else {
            self.tell(Event::NotWaiting);
            return self.nothing_to_wait_for();
        };
        if matches!(to, Party::Addr(_)) && self.has_in_hand(addr, letter.id) {
            // It is on its way already, and in plain nothing would show that it comes twice.
            return self.try_now(to, now);
        }
        let op = self.spread(Deed::Send, &[addr]);
        let letter = Letter { again: true, ..letter };
        let refused = match to {
            Party::Key(key) => {
                let text = self.new_text(addr, op, &parts, Some(&letter), now);
                self.put_letter(key, addr, text, now)
            }
            Party::Addr(_) => self.send_to(addr, op, &parts, Some(&letter), false, now),
        };
        if let Some(why) = refused {
            let who = self.who(addr);
            self.tell(Event::NotSent { op, who, why });
            self.not_sent(op);
        }
        self.next_turns(now);
        self.settle(op);
        op
    }

    /// Whether a text for an address waits, or is on its way.
    fn has_in_hand(&mut self, addr: PeerAddr, id: MessageId) -> bool {
        let is_it = |text: &Unsent| text.letter.as_ref().is_some_and(|letter| letter.id == id);
        let goes_out = self.keeping.plain_texts().any(|text| text.written_to == addr && is_it(text));
        let Some(secure) = &self.secure else { return goes_out };
        let held = secure.waiting.get(&addr).is_some_and(|held| held.texts.iter().any(is_it));
        let asked = secure.asked.get(&addr).is_some_and(|texts| texts.iter().any(is_it));
        let under_way = secure.plain.values().any(|text| text.written_to == addr && is_it(text));
        goes_out || held || asked || under_way
    }

    /// A command that is done at once.
    pub(super) fn nothing_to_wait_for(&mut self) -> OpId {
        let op = self.new_op(Op::Spread {
            deed: Deed::Connect,
            total: 0,
            pending: 0,
            done: 0,
            failed: Vec::new(),
        });
        self.settle(op);
        op
    }
}
