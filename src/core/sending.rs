//! Outgoing messages: how each recipient can be written to, and what the outbox wants done.

use std::collections::HashSet;
use std::sync::Arc;

use super::command::Target;
use super::event::{CommandKind, Event, LeftOut, LeftOutContacts, Output};
use super::ids::OpId;
use super::outbox::{NewMessage, OutboxOutput, Route, RouteAnswer, StatusChange};
use super::time::Time;
use super::trust::Policy;
use super::{Purpose, State, Verification};
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use crate::model::key::PublicKey;
use crate::model::message::{Outgoing, PeerProtocol};
use crate::model::name::{Name, PeerName};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{Message, Request};
use crate::protocol::plain;

/// Contacts that a message to all leaves out for one reason and that its line names, at most: as
/// many as fit into a row.
const MAX_LEFT_OUT_NAMED: usize = 3;

/// Messages that legacy programs take for commands, in any case, and do not show.
const COMMAND_WORDS: [&str; 4] = ["exit", "connect", "connect_ack", "[PEER_QUIT]"];

impl State {
    /// Sends a message to each recipient. A message that is exactly a command word of the legacy
    /// programs does what it does there, unless only peers with a key are meant.
    pub(super) fn send(&mut self, to: Target, message: Message, now: Time) -> OpId {
        let is_direct = matches!(to, Target::These(_));
        let message = Message { to_all: !is_direct, ..message };
        let (targets, left_out) = self.audience(to.clone());
        let has_key = |id: &Recipient| matches!(self.book().protocol_of(*id), PeerProtocol::Session(_));
        let only_keys = left_out == 0 && !targets.is_empty() && targets.iter().all(has_key);
        let text = message.body.trim();
        if !only_keys && text.eq_ignore_ascii_case("exit") {
            self.tell(Event::TakenAs(CommandKind::Disconnect));
            return self.disconnect(to, now);
        }
        if !only_keys && text.eq_ignore_ascii_case("connect") {
            self.tell(Event::TakenAs(CommandKind::Connect));
            return self.connect(to, now);
        }
        let op = match left_out {
            0 => self.spread(CommandKind::Send, !is_direct, &targets),
            _ => self.operations.spread(CommandKind::Send, !is_direct, targets.len()),
        };
        let mut left_out = LeftOut { strangers: left_out, ..LeftOut::default() };
        if !is_direct && !targets.is_empty() {
            (left_out.offline, left_out.refusing) = self.left_out_contacts();
        }
        self.operations.leaves_out(op, left_out);
        for to in targets {
            let name = self.book().known_name(to);
            let new = NewMessage { op, message: message.clone(), name, is_direct };
            self.send_to(to, new, now);
        }
        self.settle(op);
        op
    }

    /// Returns the contacts that a message to all does not go to: those that are offline, and those
    /// that do not accept messages from us.
    fn left_out_contacts(&self) -> (LeftOutContacts, LeftOutContacts) {
        let online: HashSet<Recipient> = self.targets(Target::All, false).into_iter().collect();
        let listed = self.targets(Target::All, true).into_iter();
        let book = self.book();
        let unlisted = book.unlisted_contacts().into_iter().map(|pin| Recipient::key(pin.key));
        let is_missed = |id: &Recipient| {
            !online.contains(id) && book.is_contact(*id) && !book.is_blocked(*id) && !book.is_ours(*id)
        };
        let missed = listed.chain(unlisted).filter(is_missed);
        let (refusing, offline): (Vec<_>, Vec<_>) =
            missed.partition(|id| self.peers.refusal_of(*id).is_some());
        let named = |ids: Vec<Recipient>| LeftOutContacts {
            first: ids.iter().take(MAX_LEFT_OUT_NAMED).map(|id| book.who(*id)).collect(),
            count: ids.len(),
        };
        (named(offline), named(refusing))
    }

    /// Returns the recipients of a message, and how many unencrypted strangers are left out. The
    /// user knows neither who a stranger is nor who else reads what is sent to them unencrypted.
    fn audience(&self, to: Target) -> (Vec<Recipient>, usize) {
        if let Target::These(_) = to {
            return (self.targets(to, false), 0);
        }
        let (takes_keys, takes_plain) = (self.trust.policy() == Policy::AcceptNew, to == Target::AllPlain);
        let mut left_out = 0;
        let mut targets = self.targets(Target::All, false);
        targets.retain(|id| match id.public_key() {
            _ if self.book().is_contact(*id) => true,
            Some(_) => takes_keys,
            None => {
                left_out += usize::from(!takes_plain);
                takes_plain
            }
        });
        (targets, left_out)
    }

    /// Queues a message for one recipient and serves its queue. Tells the user if it is rejected.
    pub(super) fn send_to(&mut self, to: Recipient, new: NewMessage, now: Time) {
        let (op, id, text) = (new.op, new.message.id, Arc::clone(&new.message.body));
        let name = new.name.clone();
        if let Err(why) = self.queue_message(to, new, now) {
            let status = DeliveryStatus::Failed(FailureReason::Rejected(why));
            let (is_first, is_plain, parts) = (true, false, (0, 1));
            let change = StatusChange { op, to, id, status, is_first, is_plain, parts, text };
            self.tell_status(change, name);
            return;
        }
        self.serve(to, now);
    }

    fn queue_message(&mut self, to: Recipient, new: NewMessage, now: Time) -> Result<(), RejectReason> {
        self.book().may_write_to(to)?;
        let is_direct = new.is_direct;
        if is_direct {
            self.peers.want(to);
            self.make_contact(to);
        }
        self.takes_body(to, &new.message.body)?;
        self.outbox.put(to, new, now)?;
        if let Some(key) = to.public_key() {
            // It is stored before the message: after a crash, a message for a key that was never
            // seen is one that the user wrote to it.
            if self.trust.keep(key) {
                self.seen(to);
            }
            if is_direct {
                self.make_key_contact(key);
            }
        }
        Ok(())
    }

    /// Whether at least one recipient would be sent a message with this text now, or would have it
    /// queued.
    pub fn takes_message(&self, to: &Target, body: &str) -> bool {
        let accepts = |to: Recipient| {
            let room = || self.outbox.room_for(to, body);
            let may_write = self.book().may_write_to(to);
            may_write.and_then(|()| self.takes_body(to, body)).and_then(|()| room()).is_ok()
        };
        self.audience(to.clone()).0.into_iter().any(accepts)
    }

    /// Checks that a text can be sent in the way that a recipient is written to.
    fn takes_body(&self, to: Recipient, body: &str) -> Result<(), RejectReason> {
        match self.book().protocol_of(to) {
            PeerProtocol::Session(key) if !self.trust.is_writable(key) => Err(RejectReason::NotTrusted),
            PeerProtocol::Plain => self.plain_check(to)(body).map_or(Ok(()), Err),
            PeerProtocol::Session(_) | PeerProtocol::Unknown => Ok(()),
        }
    }

    /// Makes a contact of a recipient that the user writes to, if it is a peer.
    pub(super) fn make_contact(&mut self, to: Recipient) {
        let was_for_run = self.book().is_contact(to) && !self.book().is_lasting_contact(to);
        if (self.peers.make_contact(to) || was_for_run)
            && let Recipient::Peer(id @ PeerId::Legacy(_)) = to
        {
            self.legacy_is_contact(id);
        }
    }

    /// Returns a function that says why a message may not be sent to a recipient unencrypted.
    pub(super) fn plain_check(&self, to: Recipient) -> impl Fn(&str) -> Option<RejectReason> + use<> {
        let (is_ours, only_encrypted) = (self.book().is_ours(to), self.trust.is_only_encrypted(to));
        let may_be_smart_cookies = self.peers.may_be_smart_cookies(to);
        let name = self.name.clone();
        move |text| {
            if is_ours {
                return Some(RejectReason::Ourselves);
            }
            if only_encrypted {
                return Some(RejectReason::OnlyEncrypted);
            }
            rejected_plain(text, &name, may_be_smart_cookies)
        }
    }

    /// Sends what can be sent to a recipient now, and does what else the outbox wants done.
    pub(super) fn serve(&mut self, to: Recipient, now: Time) {
        let name = self.book().who(to).name;
        let protocol = match self.book().protocol_of(to) {
            // While we leave, a legacy peer that answers gets no row.
            PeerProtocol::Unknown if self.leaving && is_legacy(to) && !self.peers.knows(to) => {
                PeerProtocol::Plain
            }
            protocol => protocol,
        };
        match protocol {
            PeerProtocol::Session(key) => {
                let is_writable = self.trust.is_writable(key);
                let route = if is_writable { Route::Session } else { Route::None };
                self.outbox.serve(to, route, name.as_ref(), now);
            }
            PeerProtocol::Plain => {
                let check = self.plain_check(to);
                self.outbox.serve(to, Route::Plain(&check), name.as_ref(), now);
            }
            PeerProtocol::Unknown => self.outbox.serve(to, Route::Unknown, name.as_ref(), now),
        }
        self.carry_out(now);
    }

    /// Serves all queues that are due, and gives up the messages that have expired.
    pub(super) fn serve_due(&mut self, now: Time) {
        self.outbox.expire(now);
        let peers = &self.peers;
        self.outbox.tell_overdue(now, |to| match peers.is_online(to) {
            true => PendingReason::NoReceipt,
            false => PendingReason::Unreachable,
        });
        self.carry_out(now);
        for to in self.outbox.due(now) {
            self.serve(to, now);
        }
    }

    /// Does what the outbox wants done.
    pub(super) fn carry_out(&mut self, now: Time) {
        loop {
            let outputs = self.outbox.take_outputs();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                self.carry_out_one(output, now);
            }
        }
    }

    fn carry_out_one(&mut self, output: OutboxOutput, now: Time) {
        match output {
            OutboxOutput::Store(id, write) => self.act(Output::Store(id, write)),
            OutboxOutput::Ask(to) => self.ask(to, now),
            OutboxOutput::SendPlain { to, id, body } => {
                let parts = plain::messages_for(&body, &self.name).unwrap_or_default();
                self.send_plain(to, Purpose::Message(id), Outgoing::Text(parts.into()), None);
            }
            OutboxOutput::SendBatch { key, messages } => {
                self.request(Recipient::key(key), Purpose::Batch(key), Request::Messages(messages), None);
            }
            OutboxOutput::Status(change) => self.tell_status(change, None),
            OutboxOutput::Duplicate(op) => {
                self.operations.skipped(op);
                self.settle(op);
            }
            OutboxOutput::StaysQueued(to, count) => {
                let who = self.book().who(to);
                self.tell(Event::StayQueued(who, count));
            }
            OutboxOutput::Count(to, count) => self.peers.messages_wait(to, count),
        }
    }

    /// Asks how to write to a recipient, because messages wait for the answer.
    fn ask(&mut self, to: Recipient, now: Time) {
        if self.book().is_ours(to) {
            // It was entered in an earlier run in which we listened elsewhere.
            let check = self.plain_check(to);
            self.outbox.answered(to, RouteAnswer::Plain, now);
            self.outbox.serve(to, Route::Plain(&check), None, now);
            return;
        }
        if let (Some(promise), Some(at)) = (self.peers.promised(to), self.book().dialed_at(to)) {
            self.promised(to, at, promise, Purpose::Ask);
        } else if self.trust.is_only_encrypted(to) {
            self.request(to, Purpose::Ask, Request::Open, None);
        } else {
            self.send_plain(to, Purpose::Ask, Outgoing::Connect, None);
        }
    }

    /// Gives the messages for an address to the key that proved itself there.
    pub(super) fn binds(&mut self, at_addr: Recipient, key: PublicKey, now: Time) {
        let to = Recipient::key(key);
        let name = self.book().who(to).name;
        let moved = self.outbox.rebind(at_addr, to, name.as_ref(), now);
        if moved.count > 0 {
            self.trust.keep(key);
        }
        if moved.is_direct {
            self.make_key_contact(key);
        }
        self.serve(to, now);
    }

    /// Tells what became of a message, and ends its part in the command with the first that is
    /// known. `name` is that of a recipient that is not known any more.
    fn tell_status(&mut self, change: StatusChange, name: Option<PeerName>) {
        let StatusChange { op, to, id: _, status, is_first, is_plain, parts, text } = change;
        let mut who = self.book().who(to);
        who.name = who.name.or(name);
        if is_plain {
            // If the peer has shown a key meanwhile, the message was unencrypted all the same.
            who.verification = Verification::Plain;
        }
        let done = if is_first { self.operations.finished(op, &who, &status) } else { None };
        let total = done.map_or(1, |(_, total)| total);
        self.tell(Event::Delivery { op, who, status, is_first, parts, total, text });
        self.settle(op);
    }
}

fn is_legacy(to: Recipient) -> bool {
    matches!(to, Recipient::Peer(PeerId::Legacy(_)))
}

/// Why a message may not be sent to a legacy peer.
fn rejected_plain(text: &str, name: &Name, may_be_smart_cookies: bool) -> Option<RejectReason> {
    let Ok(parts) = plain::messages_for(text, name) else { return Some(RejectReason::TooLongForLegacy) };
    for part in &parts {
        if let Some(word) = COMMAND_WORDS.iter().find(|word| part.eq_ignore_ascii_case(word)) {
            return Some(RejectReason::CommandWord(word));
        }
        if part == "PING" {
            return Some(RejectReason::CommandWord("PING"));
        }
        // SmartCookies asks its user about any message with this word in it.
        if may_be_smart_cookies && part.contains("CONNECT_REQUEST") {
            return Some(RejectReason::CommandWord("CONNECT_REQUEST"));
        }
    }
    None
}
