//! Texts to peers that have proven a key, on their way: taken and shown once, in order, said to
//! nobody else, and in plain only where no key was shown.

use std::collections::BTreeMap;
use std::time::Duration;

use p2p_chat::core::{Event as Told, PlainRequest, RequestEnded, SessionRequest, Verification};
use p2p_chat::model::address::Source;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::session::{Message, Request, RequestEnd};
use p2p_chat::net::sessions::LinkId;

use super::ours::{Cause, Done};
use super::peer::Pid;
use super::sessions::Asked;
use super::world::World;

/// Talks with one key that were begun without success, within ten seconds: one text a second at
/// most, one look a second, and the first two at once when a refusal or a broken connection shows
/// that something is wrong.
const FAILED_TALKS: usize = 24;
const FAILED_WITHIN: Duration = Duration::from_secs(10);

impl World {
    /// Texts reach a process that has welcomed their sender. They are answered when they are
    /// written down. If the mailbox has no room, they are returned.
    pub(super) fn takes_messages(
        &mut self,
        pid: Pid,
        (link, key): (LinkId, PublicKey),
        source: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        let is_full = self.random.in_thousand(self.plan.full);
        self.ours(pid).twin.is_full.set(is_full);
        if is_full {
            self.count("messages: no room in the mailbox");
        }
        let came = messages.clone();
        let (taken, done) = self.step(pid, Cause::Met, |step| step.messages(link, key, source, messages));
        self.ours(pid).twin.is_full.set(false);
        if taken.is_err() != is_full {
            self.fail(pid, format_args!("the mailbox has room: {}, and texts: {taken:?}", !is_full));
        }
        let is_shown = done.told.iter().any(|event| matches!(event, Told::Message { .. }));
        if is_shown {
            self.fail(pid, format_args!("shows what is not written down: {:?}", done.told));
        }
        self.check_shown(pid, key, &came, done);
        taken
    }

    /// Of texts of a key, those are shown that are written down or cannot be, and receipts go out.
    pub(super) fn check_shown(&mut self, pid: Pid, key: PublicKey, came: &[Message], done: Done) {
        for event in &done.told {
            let Told::Message { from: who, text, again, row, .. } = event else { continue };
            let Some(message) = came.iter().find(|message| &*message.body == text.raw()) else {
                self.fail(pid, format_args!("shows what did not come: {event:?}"));
            };
            if who.id != Recipient::key(key) || who.verification == Verification::Plain {
                self.fail(pid, format_args!("shows what {key} said as if it were of {who:?}"));
            }
            self.shown_live(pid, (key, message.id), *again, *row);
        }
        for stored in done.stored {
            self.check_receipts(pid, key, &stored.receipts);
            self.answers(pid, key, stored);
        }
    }

    /// Receipts have come: only for what their sender has taken.
    pub(super) fn check_receipts_came(&self, pid: Pid, key: PublicKey, receipts: &[MessageId]) {
        for id in receipts {
            let taken = &self.penned[id].taken;
            if !taken.contains(&key) {
                self.fail(pid, format_args!("has a receipt of {key} for {id:?}, and only {taken:?} have it"));
            }
        }
    }

    /// Something is about to be said in encryption.
    pub(super) fn check_talk(&mut self, pid: Pid, talk: &SessionRequest) {
        let SessionRequest { addrs, expect, say, .. } = talk;
        let ours = self.ours(pid);
        for addr in addrs {
            if ours.state().is_own(*addr) || !ours.may_dial.contains(addr) {
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
            // What the disk could not take note of is found as one that waits by the next life, and
            // goes once more. And one that the key has is another copy of it, which was for an
            // address that has turned out to be the key's: it is taken for the same.
            let is_copy = penned.taken.contains(&key);
            if penned.is_resent || is_copy || self.is_unwritten_by(penned.by, message.id) {
                continue;
            }
            let before = last.insert(penned.queue_of(key), penned.number);
            if before.is_some_and(|before| before >= penned.number) {
                self.fail(pid, format_args!("says {} after {before:?}", penned.number));
            }
        }
    }

    /// A request is about to be reported as over.
    pub(super) fn check_request_ended(&mut self, pid: Pid, asked: &Asked, ended: &RequestEnded) {
        let (now, stopped) = (self.now, self.ours(pid).held_up);
        let Asked { request, met } = asked;
        self.count(format!("{}: {}", say_of(&request.say), end_of(&ended.end)));
        // A session that was open before is not reported again.
        let was_open = ended.end == RequestEnd::Answered && request.expect.is_some();
        if let Some(addr) = met.or(ended.addr.filter(|_| was_open)) {
            self.ours_mut(pid).answered.insert(addr);
            self.ours_mut(pid).missed.remove(&addr);
        }
        let Some(key) = request.expect else { return };
        if ended.end == RequestEnd::Answered {
            return;
        }
        let keyed = self.keyed_mut(pid);
        if let RequestEnd::NoSession | RequestEnd::WrongKey(_) = ended.end {
            // Whoever is there does not keep the promise, and may be another program by now.
            keyed.promised.retain(|(addr, _)| !request.addrs.contains(addr));
        }
        let failed = keyed.failed.entry(key).or_default();
        failed.push_back(now);
        while failed.front().is_some_and(|at| *at + FAILED_WITHIN < now) {
            failed.pop_front();
        }
        // Whoever asks for it may dial as often as they like, and who was stopped learns all at
        // once.
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
            self.ours(pid).state().trusted().pins_for(&key.to_string()).iter().any(|pin| !pin.blocked);
        if is_shown {
            self.fail(pid, format_args!("says a text in plain to {key}, which has shown its key at {to}"));
        }
        self.count(if is_pinned { "plain: to a key known elsewhere" } else { "plain: to an unknown key" });
    }
}

/// What a request asks for, for counting.
fn say_of(say: &Request) -> &'static str {
    match say {
        Request::Open => "open",
        Request::Ping => "ping",
        Request::Messages(_) => "batch",
        Request::Bye => "bye",
    }
}

/// How it ended, for counting.
pub(super) fn end_of(end: &RequestEnd) -> &'static str {
    match end {
        RequestEnd::Answered => "answered",
        RequestEnd::Unreachable(_) => "unreachable",
        RequestEnd::NoSession => "no session",
        RequestEnd::WrongKey(_) => "wrong key",
        RequestEnd::Ourselves => "ourselves",
        RequestEnd::Incompatible => "incompatible",
        RequestEnd::NotSecure => "not secure",
        RequestEnd::Bye(_) => "bye",
        RequestEnd::NotStored(_) => "not stored",
        RequestEnd::Broken => "broken",
    }
}
