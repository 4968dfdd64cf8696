//! Encrypted messages on their way: received and shown once, in order, by no other peer; and
//! unencrypted only where no key is proven.

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

/// Failed sessions with one key within ten seconds: one a second for messages, one a second for
/// probes, and the first two at once after a refusal or a break.
const FAILED_SESSIONS: usize = 24;
const FAILED_WITHIN: Duration = Duration::from_secs(10);

impl World {
    /// Messages reach a process that has accepted their sender. They are acknowledged when stored.
    /// If the event queue has no room, they are returned.
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
            self.fail(pid, format_args!("shows what is not stored: {:?}", done.told));
        }
        self.check_shown(pid, key, &came, done);
        taken
    }

    /// Of the messages of a key, those are shown that are stored or cannot be, and receipts leave.
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

    /// Receipts have arrived, only of peers that have the messages.
    pub(super) fn check_receipts_came(&self, pid: Pid, key: PublicKey, receipts: &[MessageId]) {
        for id in receipts {
            let taken = &self.typed[id].taken;
            if !taken.contains(&key) {
                self.fail(pid, format_args!("has a receipt of {key} for {id:?}, and only {taken:?} have it"));
            }
        }
    }

    /// A session is about to be asked for something.
    pub(super) fn check_request(&mut self, pid: Pid, talk: &SessionRequest) {
        let SessionRequest { addrs, expect, say, .. } = talk;
        let ours = self.ours(pid);
        for addr in addrs {
            if ours.state().book().is_own(*addr) || !ours.may_dial.contains(addr) {
                self.fail(pid, format_args!("dials {addr} for {say:?}"));
            }
        }
        let Request::Messages(messages) = say else { return };
        let Some(key) = *expect else {
            self.fail(pid, format_args!("sends {messages:?} to any key"));
        };
        let mut last = BTreeMap::new();
        for message in messages {
            let typed = self.typed_mut(message.id);
            let (by, is_for_key) = (typed.by, typed.is_for_key(key, addrs));
            if self.key_of(by) != self.key_of(pid) || !is_for_key {
                let typed = &self.typed[&message.id];
                self.fail(pid, format_args!("sends to {key} what is for {:?}", typed.meant));
            }
            self.check_leaves(pid, message.id, key);
            let typed = &self.typed[&message.id];
            // What the disk could not note waits for the next run, and is sent once more. A message
            // that the key already has is a copy of one that was for its address.
            let is_copy = typed.taken.contains(&key);
            if typed.is_resent || is_copy || self.is_unwritten_by(typed.by, message.id) {
                continue;
            }
            let before = last.insert(typed.queue_of(key), typed.number);
            if before.is_some_and(|before| before >= typed.number) {
                self.fail(pid, format_args!("sends {} after {before:?}", typed.number));
            }
        }
    }

    /// A request is about to be reported as ended.
    pub(super) fn check_request_ended(&mut self, pid: Pid, asked: &Asked, ended: &RequestEnded) {
        let (now, stopped) = (self.now, self.ours(pid).held_up);
        let Asked { request, met } = asked;
        self.count(format!("{}: {}", say_of(&request.say), end_of(&ended.end)));
        // An open session is not reported again.
        let was_open = ended.end == RequestEnd::Answered && request.expect.is_some();
        if let Some(addr) = met.or(ended.addr.filter(|_| was_open)) {
            self.ours_mut(pid).answered.insert(addr);
            self.ours_mut(pid).missed.remove(&addr);
        } else {
            // The next probe is counted from this attempt.
            for addr in &request.addrs {
                self.ours_mut(pid).missed.entry(*addr).and_modify(|at| *at = now);
            }
        }
        let Some(key) = request.expect else { return };
        if ended.end == RequestEnd::Answered {
            return;
        }
        let keyed = self.keyed_mut(pid);
        if let RequestEnd::NoSession | RequestEnd::WrongKey(_) = ended.end {
            // The peer there does not keep the promise, and may be another program.
            keyed.promised.retain(|(addr, _)| !request.addrs.contains(addr));
        }
        let failed = keyed.failed.entry(key).or_default();
        failed.push_back(now);
        while failed.front().is_some_and(|at| *at + FAILED_WITHIN < now) {
            failed.pop_front();
        }
        // A user may dial as often as they like, and a stopped process learns all at once.
        let count = failed.len();
        if count > FAILED_SESSIONS && stopped + FAILED_WITHIN < now && self.plan.actions == 0 {
            self.fail(pid, format_args!("has failed to reach {key} {count} times in {FAILED_WITHIN:?}"));
        }
    }

    /// A message is about to leave unencrypted.
    pub(super) fn check_plain_text(&mut self, pid: Pid, transmit: &PlainRequest) {
        let to = transmit.to;
        let Some(listener) = self.listener_at(pid, to) else { return };
        let Some(key) = self.key_of(listener) else { return };
        let keyed = &self.ours(pid).keyed;
        // A listening address in a hello is a mere claim.
        let (promised, proven) = (&keyed.promised, &keyed.proven);
        let is_shown = promised.contains(&(to, listener)) || proven.contains(&(to, listener));
        let is_pinned =
            self.ours(pid).state().trusted().pins_for(&key.to_string()).iter().any(|pin| !pin.blocked);
        if is_shown {
            self.fail(
                pid,
                format_args!("sends a message unencrypted to {key}, which has proven itself at {to}"),
            );
        }
        self.count(if is_pinned { "plain: to a key known elsewhere" } else { "plain: to an unknown key" });
    }
}

/// The name for counting.
fn say_of(say: &Request) -> &'static str {
    match say {
        Request::Open => "open",
        Request::Ping => "ping",
        Request::Messages(_) => "batch",
        Request::Bye => "bye",
    }
}

/// The name for counting.
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
