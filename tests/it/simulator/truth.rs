//! The user is told and shown the truth.

use p2p_chat::core::{Event as Told, JobId, OpId, PlainAnswer, PresenceStatus, Row};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use p2p_chat::model::message::{Body, Decoded, Outgoing, SendResult};
use p2p_chat::protocol::session::opening::DIAL_LINE;

use super::legacy::Kind;
use super::ours::speakers_of;
use super::peer::{Pid, Program};
use super::world::World;

impl World {
    /// The answer, and what the user is told, fit what arrived.
    pub(super) fn check_received(
        &mut self,
        pid: Pid,
        (source, job): (Source, Option<JobId>),
        decoded: &[Decoded],
        answer: PlainAnswer,
        told: &[Told],
    ) {
        let mut texts = Vec::new();
        let mut speakers = Vec::new();
        for piece in decoded {
            let Decoded::Message(message) = piece else { continue };
            // With the name of a known key, or from where a contact with a key is online, nothing
            // is shown.
            let state = self.ours(pid).state();
            let named =
                message.name.as_ref().is_some_and(|name| !state.trusted().pins_for(name.as_str()).is_empty());
            let speakers_here = speakers_of(source, message.claimed);
            let is_contact_there = |row: &Row| {
                row.state != PresenceStatus::Offline
                    && row.id.public_key().is_some()
                    && row.addr.is_some_and(|addr| speakers_here.contains(&addr))
            };
            let unproven = named || self.keyed_rows(pid).iter().any(is_contact_there);
            if !unproven && !matches!(message.body, Body::Exit | Body::Ping | Body::ConnectAck) {
                speakers.extend(speakers_here);
            }
            if let Body::Text(text) | Body::Greeting(text) = &message.body {
                texts.push(text.raw());
            }
        }
        let shown: Vec<&str> = told
            .iter()
            .filter_map(|event| match event {
                Told::Message { text, .. } | Told::Unproven { text, .. } => Some(text.raw()),
                _ => None,
            })
            .collect();
        if answer != PlainAnswer::Nothing && shown != texts {
            self.fail(pid, format_args!("answered {answer:?} to {texts:?}, and showed {shown:?}"));
        }
        for text in shown {
            self.shown(pid, job, text);
        }
        if answer != PlainAnswer::Nothing && !speakers.is_empty() && self.is_checked(pid) {
            // A peer may be known at another loopback address than it writes from.
            let speaks = |addr: PeerAddr| {
                let is_loopback = |addr: &PeerAddr| addr.ip().is_loopback();
                let is_same = |other: &PeerAddr| is_loopback(other) && other.port() == addr.port();
                speakers.contains(&addr) || is_loopback(&addr) && speakers.iter().any(is_same)
            };
            let is_there = |row: &Row| {
                let addrs = [row.addr, row.id.addr()];
                row.state != PresenceStatus::Offline && addrs.into_iter().flatten().any(speaks)
            };
            // An address has no row while a key that claims it is dialed there.
            let state = self.ours(pid).state();
            let is_hidden = |row: &Row| {
                row.id.public_key().is_some()
                    && row
                        .addr
                        .is_some_and(|addr| speakers.contains(&addr) && state.book().knows(addr.into()))
            };
            let rows = self.rows(pid);
            if !rows.iter().any(is_there) && !rows.iter().any(is_hidden) {
                self.fail(pid, format_args!("{speakers:?} wrote, and is not online: {decoded:?}"));
            }
        }
    }

    /// `pid` has shown a message of ours.
    pub(super) fn shown(&mut self, pid: Pid, job: Option<JobId>, text: &str) {
        let port = self.processes[pid].port;
        let Some(said) = self.said.get_mut(text) else { return };
        said.shown_for.extend(job);
        let shown = said.shown.entry(pid).or_default();
        *shown += 1;
        // A peer may be listed at two addresses, and then gets a message to all twice.
        let addresses = said.to.iter().filter(|addr| addr.port() == port || addr.ip().is_loopback()).count();
        let (times, message) = (*shown, said.message);
        // It may have been sent again if its sender's disk could not note that it was sent, or if
        // its user wanted it.
        let may_come_again = message.is_some_and(|message| {
            let typed = &self.typed[&message];
            typed.is_resent || self.is_unwritten_by(typed.by, message)
        });
        if times > addresses && !may_come_again {
            self.fail(pid, format_args!("showed `{text}` {times} times"));
        }
    }

    /// The status of a message is what was seen of it.
    pub(super) fn check_outcome(
        &mut self,
        pid: Pid,
        (job, to): (JobId, PeerAddr),
        message: &Outgoing,
        (result, parts): (&SendResult, (usize, usize)),
        told: &[Told],
    ) {
        let Outgoing::Text(texts) = message else { return };
        let shown = |text: &String| self.said.get(text).is_some_and(|said| said.shown_for.contains(&job));
        // Of this message; others may follow or wait because of its result.
        let message = texts.first().and_then(|text| self.said.get(text)?.message);
        let is_of = |op: &OpId| message.is_none_or(|message| self.is_of(pid, *op, message));
        let done: Vec<(&DeliveryStatus, PeerAddr)> = told
            .iter()
            .filter_map(|event| match event {
                Told::Delivery { op, status, who, .. } if is_of(op) => {
                    Some((status, who.addr.expect("an address")))
                }
                _ => None,
            })
            .collect();
        const UNREACHABLE: DeliveryStatus = DeliveryStatus::Queued(PendingReason::Unreachable);
        let waits = match message {
            Some(message) if matches!(result, SendResult::Failed(_)) && parts.0 == 0 => match done[..] {
                // It expired, or the user cancelled it on its way.
                [(DeliveryStatus::Expired | DeliveryStatus::Cancelled, _)]
                | [(&UNREACHABLE, _), (DeliveryStatus::Expired, _)] => true,
                [] => self.is_known_to_wait(pid, message),
                // A message that was sent again may wait behind itself.
                [..] if done.len() == 1 || self.typed[&message].is_resent => {
                    done.iter().all(|(told, _)| **told == UNREACHABLE)
                }
                _ => false,
            },
            _ => false,
        };
        let said: Vec<&DeliveryStatus> = done.iter().map(|(status, _)| *status).collect();
        // The user is not told that one peer has what another has.
        if let [(DeliveryStatus::Delivered | DeliveryStatus::Sent, whom)] = done[..]
            && whom != to
        {
            self.fail(pid, format_args!("{texts:?} went to {to}, and the user was told of {whom}"));
        }
        let reached_another = DeliveryStatus::Failed(FailureReason::ReachedAnother(Some(to)));
        let strays = said == [&reached_another] && done.iter().all(|(_, whom)| *whom != to);
        // A peer that never gave a receipt cannot miss one.
        let misses = *result == SendResult::HandedOver && self.ours(pid).receipts.contains(&to);
        let expected = status_of(result);
        let is_true =
            said == [&expected] || (misses && said == [&DeliveryStatus::Unknown]) || strays || waits;
        if !is_true {
            self.fail(pid, format_args!("{job:?} ended as {result:?}, and the user was told {said:?}"));
        }
        match result {
            SendResult::Delivered if !texts.iter().all(shown) => {
                self.fail(pid, format_args!("{texts:?} was delivered and never shown"));
            }
            SendResult::Failed(_) if texts.iter().skip(parts.0).any(shown) => {
                self.fail(pid, format_args!("{texts:?} was shown, and its sender told that it was not sent"));
            }
            _ => {}
        }
    }

    /// Something has ended a legacy program.
    pub(super) fn check_killed(&self, pid: Pid, from: Pid, kind: Kind, why: &str, bytes: &[u8]) {
        let by_ours = matches!(self.processes[from].program, Program::Ours(_));
        // An earlier program there may have taught the sender R3's form, and nothing shows that it
        // is gone; and a liar on the same machine can write for it.
        let taught = self.processes.iter().any(|other| {
            let there = other.host == self.processes[pid].host;
            let same = other.port == self.processes[pid].port;
            matches!(&other.program, Program::Legacy(legacy)
                if (legacy.kind == Kind::R3 && same) || (legacy.kind == Kind::Liar && (same || there)))
        });
        if by_ours && !taught && bytes != DIAL_LINE {
            let bytes = String::from_utf8_lossy(bytes).into_owned();
            self.fail(pid, format_args!("{kind:?} was ended by process {from} with {why}: `{bytes}`"));
        }
    }
}

/// Returns the status that the user is told for a result.
fn status_of(result: &SendResult) -> DeliveryStatus {
    match result {
        SendResult::Delivered => DeliveryStatus::Delivered,
        SendResult::HandedOver => DeliveryStatus::Sent,
        SendResult::NoReceipt | SendResult::Unanswered | SendResult::Broken => DeliveryStatus::Unknown,
        SendResult::Astray(addr) => DeliveryStatus::Failed(FailureReason::ReachedAnother(Some(*addr))),
        SendResult::Failed(failure) => DeliveryStatus::Failed(FailureReason::NotSent(failure.clone())),
    }
}
