//! Texts to peers that have proven a key, on their way: taken and shown once, in order, said to nobody else, and in plain only where no key was shown.

use std::collections::BTreeMap;
use std::time::Duration;

use p2p_chat::core::{Event as Told, PlainRequest, SessionRequest, Staged, Verification};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::session::{ByeReason, Message, Request, RequestEnd, SessionReport};
use p2p_chat::model::stored::{StoreOp, StoreResult};
use p2p_chat::store::StoreError;

use super::ours::Cause;
use super::peer::Pid;
use super::talks::Step;
use super::world::World;

/// Talks with one key that were begun without success, within ten seconds: one text a second at most, one look a second, and the first
/// two at once when a refusal or a broken connection shows that something is wrong.
const FAILED_TALKS: usize = 24;
const FAILED_WITHIN: Duration = Duration::from_secs(10);

/// Texts that came in one turn, on their way to the disk.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) key: PublicKey,
    /// Those that are not written down yet.
    pub(super) messages: Vec<Message>,
    /// The receipts of the others.
    pub(super) receipts: Vec<MessageId>,
    /// How many were sent.
    pub(super) all: usize,
    /// The talk that they came in, and what its other side waits for.
    pub(super) talk: (u64, u64),
}

impl World {
    /// Texts reach a process that has welcomed their sender. They are answered when they are written down.
    pub(super) fn takes_letters(&mut self, pid: Pid, turn: Turn) {
        let Turn { key, ref messages, .. } = turn;
        let all = messages.clone();
        let (staged, told) =
            self.with_state(pid, Cause::Met, |state, now| state.messages_received(key, all, now));
        if told.iter().any(|event| matches!(event, Told::Message { .. })) {
            self.fail(pid, format_args!("shows what is not written down: {told:?}"));
        }
        let Some(Staged { receipts, name, assurance, messages }) = staged else {
            self.turn_over(pid);
            return self.answers_turn(pid, &turn, Vec::new());
        };
        self.check_receipts(pid, key, &receipts);
        let is_all = messages.is_empty();
        let write = StoreOp::Incoming { from: key, name, assurance, messages: messages.clone() };
        let turn = Turn { messages, receipts, ..turn };
        if is_all {
            let receipts = turn.receipts.clone();
            self.answers_turn(pid, &turn, receipts);
        } else {
            self.writes_down(pid, turn, write);
        }
        self.turn_over(pid);
    }

    /// They are written down, or cannot be: the rules show them, and say which get receipts.
    pub(super) fn wrote_down(&mut self, pid: Pid, turn: Turn, result: Result<StoreResult, StoreError>) {
        let (key, messages) = (turn.key, turn.messages.clone());
        let rows = match result {
            Ok(StoreResult::Incoming(rows)) => Ok(rows),
            Ok(written) => self.fail(pid, format_args!("a store answers {written:?} to texts")),
            Err(error) => Err(error),
        };
        let (more, told) =
            self.with_state(pid, Cause::Met, |state, now| state.messages_stored(key, messages, rows, now));
        for event in &told {
            let Told::Message { from: who, text, again, row, .. } = event else { continue };
            let Some(message) = turn.messages.iter().find(|message| &*message.body == text.raw()) else {
                self.fail(pid, format_args!("shows what did not come: {event:?}"));
            };
            if who.id != Recipient::key(key) || who.verification == Verification::Plain {
                self.fail(pid, format_args!("shows what {key} said as if it were of {who:?}"));
            }
            self.shown_live(pid, (key, message.id), *again, *row);
        }
        self.check_receipts(pid, key, &more);
        let receipts = turn.receipts.iter().copied().chain(more).collect();
        self.answers_turn(pid, &turn, receipts);
    }

    fn answers_turn(&mut self, pid: Pid, turn: &Turn, receipts: Vec<MessageId>) {
        if !receipts.is_empty() {
            self.note_sign(pid, turn.key);
        }
        let own = self.key_of(pid).expect("who takes them has a key");
        for id in &receipts {
            self.penned.get_mut(id).expect("somebody has written it").taken.insert(own);
        }
        let bye = (receipts.len() < turn.all).then_some(ByeReason::NoRoom);
        self.answers(pid, turn.talk, Step::Answered(receipts, bye));
    }

    /// Something is about to be said in encryption.
    pub(super) fn check_talk(&mut self, pid: Pid, talk: &SessionRequest) {
        let SessionRequest { addrs, expect, say, .. } = talk;
        let ours = self.ours(pid);
        for addr in addrs {
            if ours.state.is_own(*addr) || !ours.may_dial.contains(addr) {
                self.fail(pid, format_args!("dials {addr} for {say:?}"));
            }
        }
        let Request::Messages(messages) = say else { return };
        let Some(key) = *expect else {
            self.fail(pid, format_args!("says {messages:?} to whoever is there"));
        };
        let mut last = BTreeMap::new();
        for message in messages {
            let penned = self.penned.get_mut(&message.id).expect("somebody has written it");
            let (by, is_for_key) = (penned.by, penned.is_for_key(key, addrs));
            if self.key_of(by) != self.key_of(pid) || !is_for_key {
                let penned = &self.penned[&message.id];
                self.fail(pid, format_args!("says to {key} what is for {:?}", penned.meant));
            }
            self.check_leaves(pid, message.id, key);
            let penned = &self.penned[&message.id];
            // What the disk could not take note of is found as one that waits by the next life, and goes once more.
            if penned.is_resent || self.is_unwritten_by(penned.by, message.id) {
                continue;
            }
            let before = last.insert(penned.queue_of(key), penned.number);
            if before.is_some_and(|before| before >= penned.number) {
                self.fail(pid, format_args!("says {} after {before:?}", penned.number));
            }
        }
    }

    /// A talk is about to be reported.
    pub(super) fn check_talk_ended(&mut self, pid: Pid, talk: &SessionRequest, talked: &SessionReport) {
        let (now, stopped) = (self.now, self.ours(pid).held_up);
        let Some(key) = talk.expect else { return };
        let met = talked.met.is_some();
        if met {
            let addr = talked.addr;
            self.ours_mut(pid).answered.insert(addr);
            self.ours_mut(pid).missed.remove(&addr);
        }
        if talked.end == RequestEnd::Answered {
            self.note_sign(pid, key);
            return;
        }
        let keyed = self.keyed_mut(pid);
        if let RequestEnd::NoSession | RequestEnd::WrongKey(_) = talked.end {
            // Whoever is there does not keep the promise, and may be another program by now.
            keyed.promised.retain(|(addr, _)| !talk.addrs.contains(addr));
        }
        let failed = keyed.failed.entry(key).or_default();
        failed.push_back(now);
        while failed.front().is_some_and(|at| *at + FAILED_WITHIN < now) {
            failed.pop_front();
        }
        // Whoever asks for it may dial as often as they like, and who was stopped learns all at once.
        let count = failed.len();
        if count > FAILED_TALKS && stopped + FAILED_WITHIN < now && self.plan.deeds == 0 {
            self.fail(pid, format_args!("has failed to talk with {key} {count} times in {FAILED_WITHIN:?}"));
        }
    }

    /// A text is about to leave in plain.
    pub(super) fn check_plain_text(&mut self, pid: Pid, transmit: &PlainRequest) {
        let to = transmit.to;
        let Some(listener) = self.listener_at(pid, to) else { return };
        let Some(key) = self.key_of(listener) else { return };
        let keyed = &self.ours(pid).keyed;
        // That a peer says in its hello that it listens there is a mere claim.
        let (promised, proven) = (&keyed.promised, &keyed.proven);
        let is_shown = promised.contains(&(to, listener)) || proven.contains(&(to, listener));
        let is_pinned =
            self.ours(pid).state.trusted().pins_for(&key.to_string()).iter().any(|pin| !pin.blocked);
        if is_shown {
            self.fail(pid, format_args!("says a text in plain to {key}, which has shown its key at {to}"));
        }
        self.count(if is_pinned { "plain: to a key known elsewhere" } else { "plain: to an unknown key" });
    }
}
