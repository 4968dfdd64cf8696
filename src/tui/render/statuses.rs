//! The lines about delivery statuses and results of commands. Pure.

use super::renderer::{Renderer, place};
use crate::core::{CommandKind, LeftOut, LeftOutContacts, PeerInfo};
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use crate::model::message::{LINE_MARK, MAX_PARTS, MAX_SENT_BYTES, SendError, SendResult};
use crate::model::name::shortened;
use crate::model::session::ByeReason;
use crate::model::stored::StoreError;
use crate::model::untrusted::harmless;
use crate::runtime::{CONNECT_TIMEOUT, EOF_TIMEOUT};
use crate::tui::message::counted;
use crate::tui::style::{Ink, Line};

/// The maximum width of the quoted message in a line about its delivery, in columns.
const QUOTED_COLUMNS: usize = 40;

/// The mark of success in the status line.
pub(crate) const DELIVERED: char = '✓';

/// Returns whether a message was delivered, or sent to a peer that gives no receipts.
pub(crate) fn is_good(status: &DeliveryStatus) -> bool {
    matches!(status, DeliveryStatus::Delivered | DeliveryStatus::Sent)
}

/// Returns the result of a `connect` or a goodbye as the end of a sentence.
fn result_words(result: &SendResult) -> String {
    match result {
        SendResult::Delivered => "delivered".into(),
        SendResult::HandedOver => "sent".into(),
        SendResult::NoReceipt => "the connection closed without the usual receipt".into(),
        SendResult::Unanswered => format!("no response within {} s", EOF_TIMEOUT.as_secs()),
        SendResult::Broken => "the connection broke".into(),
        SendResult::Astray(to) => format!("another peer at {to} received it"),
        SendResult::Failed(failure) => failure_words(failure),
    }
}

/// Returns why nothing could be sent as the end of a sentence.
fn failure_words(failure: &SendError) -> String {
    match failure {
        SendError::Refused => "connection refused".into(),
        SendError::TimedOut => format!("connection timed out after {} s", CONNECT_TIMEOUT.as_secs()),
        SendError::NoRoute => "no route to that address".into(),
        SendError::NoResources => "this machine has no connections left".into(),
        SendError::NoSession => "no encrypted session, although they announced encryption".into(),
        SendError::WrongKey => "a peer with another key answers at that address".into(),
        SendError::Incompatible => "they run an incompatible version".into(),
        SendError::NotSecure => "the encrypted session failed; someone on the path may be interfering".into(),
        SendError::NotAnswered => "no answer to `connect`".into(),
        SendError::TurnedAway(reason) => match reason {
            ByeReason::NotDecided => "they have not accepted you yet",
            ByeReason::NoRoom => "they have no room for messages now",
            ByeReason::Leaves => "they have just left",
            _ => "they do not accept messages from you",
        }
        .into(),
        SendError::NotTrusted(_) => "you have not accepted the key at that address".into(),
        SendError::Cancelled => "there was no time left to send it".into(),
        SendError::Other(words) => words.clone(),
    }
}

/// Returns the status of a message as the end of a sentence.
pub(crate) fn status_words(status: &DeliveryStatus) -> String {
    match status {
        DeliveryStatus::Queued(reason) => format!("queued: {}", hold_words(*reason)),
        DeliveryStatus::Sent => "sent".into(),
        DeliveryStatus::Delivered => "delivered".into(),
        DeliveryStatus::Failed(reason) => reason_words(reason),
        DeliveryStatus::Expired => "expired".into(),
        DeliveryStatus::Cancelled => "cancelled".into(),
        DeliveryStatus::Unknown => "delivery is unconfirmed".into(),
    }
}

/// Returns why a message will not be sent again as the end of a sentence.
fn reason_words(reason: &FailureReason) -> String {
    match reason {
        FailureReason::NotAccepted => "they do not accept messages from you".into(),
        FailureReason::Blocked => "you have blocked them".into(),
        FailureReason::Forgotten => "you have forgotten them".into(),
        FailureReason::Replaced => "it was for their old key".into(),
        FailureReason::Ended { attempted: true } => "no receipt came before you left".into(),
        FailureReason::Ended { attempted: false } => "no answer before you left".into(),
        FailureReason::QueueFull => "the queue for them is full".into(),
        FailureReason::ReachedAnother(Some(to)) => {
            format!("another peer at {to} received it")
        }
        FailureReason::ReachedAnother(None) => "another peer received it".into(),
        FailureReason::NotSent(failure) => failure_words(failure),
        FailureReason::Rejected(_) => "not sent".into(),
    }
}

/// Returns why a message is queued.
pub(crate) fn hold_words(hold: PendingReason) -> &'static str {
    match hold {
        PendingReason::InLine => "waiting for earlier messages",
        PendingReason::Unreachable => "they are offline",
        PendingReason::NoSession => "no encrypted session yet",
        PendingReason::Incompatible => "they run an incompatible version",
        PendingReason::NotSecure => "the encrypted session fails; someone on the path may be interfering",
        PendingReason::WrongKey => "a peer with another key answers at their address",
        PendingReason::NotAcceptedYet => "they have not accepted you yet",
        PendingReason::NoRoom => "they have no room for messages now",
        PendingReason::NoReceipt => "no receipt yet",
        PendingReason::AnotherPeer => "another peer answers at their address",
        PendingReason::NotStored => "the history cannot be written",
    }
}

/// Returns the line for a later status of a message, or `None` if it tells the user nothing new.
pub fn later(who: &PeerInfo, status: &DeliveryStatus, text: &str, renderer: &Renderer<'_>) -> Option<Line> {
    if let DeliveryStatus::Queued(hold @ (PendingReason::AnotherPeer | PendingReason::WrongKey)) = status {
        let waits = waits_for(who, *hold, renderer);
        let words = format!("{waits} /outbox can cancel it: {}", quoted(text));
        return Some(Line::of(Ink::Bad, words));
    }
    let (who, text) = (renderer.recipient(who), quoted(text));
    let (ink, words) = match status {
        DeliveryStatus::Queued(_) => return None,
        DeliveryStatus::Delivered => (Ink::Faint, format!("Delivered to {who}: {text}")),
        DeliveryStatus::Sent => (Ink::Faint, format!("Sent to {who}; no receipt expected: {text}")),
        DeliveryStatus::Cancelled => (Ink::Plain, format!("Cancelled the message to {who}: {text}")),
        DeliveryStatus::Unknown => {
            (Ink::Bad, format!("Sent to {who}, but {}; not retried: {text}", status_words(status)))
        }
        DeliveryStatus::Failed(FailureReason::Ended { attempted: true }) => (
            Ink::Bad,
            format!("No receipt came from {who} before you left; this message may not have arrived: {text}"),
        ),
        DeliveryStatus::Failed(FailureReason::Rejected(why)) => (Ink::Bad, not_sent(&who, *why)),
        DeliveryStatus::Failed(_) | DeliveryStatus::Expired => {
            (Ink::Bad, format!("Not delivered to {who} ({}): {text}", status_words(status)))
        }
    };
    Some(Line::of(ink, words))
}

/// Returns the line for a message that waits because another peer answers at its recipient's last
/// address. An earlier line has named the key that answers there.
fn waits_for(who: &PeerInfo, hold: PendingReason, renderer: &Renderer<'_>) -> String {
    let (label, at) = (renderer.label(who), place(who.id, who.addr));
    let waits = format!("Your message waits for {label}.");
    if hold == PendingReason::WrongKey {
        return waits;
    }
    let whose = if label == at { format!("at {at}") } else { format!("at {label}'s address {at}") };
    format!("Another peer answers {whose}. {waits}")
}

/// Returns the beginning of a message of the user, in quotes and on one line.
pub fn quoted(text: &str) -> String {
    let line = text.trim().replace('\n', LINE_MARK);
    format!("\"{}\"", shortened(&harmless(&line), QUOTED_COLUMNS))
}

/// Returns the line for the first status of a message.
pub(super) fn first(
    who: &PeerInfo,
    status: &DeliveryStatus,
    parts: (usize, usize),
    renderer: &Renderer<'_>,
) -> String {
    if let DeliveryStatus::Queued(hold @ (PendingReason::AnotherPeer | PendingReason::WrongKey)) = status {
        return waits_for(who, *hold, renderer);
    }
    let (who, why) = (renderer.recipient(who), status_words(status));
    let in_parts = if parts.1 > 1 { format!(" in {} messages", parts.1) } else { String::new() };
    match status {
        DeliveryStatus::Delivered => format!("Delivered to {who}{in_parts}."),
        DeliveryStatus::Sent => format!("Sent to {who}{in_parts}; no receipt expected."),
        DeliveryStatus::Unknown => {
            format!("Sent{} to {who}, but {why}; not retried.", part_words(parts, 1))
        }
        DeliveryStatus::Queued(PendingReason::NotAcceptedYet) => {
            format!("{who} has not accepted you yet; your message waits.")
        }
        DeliveryStatus::Queued(PendingReason::Unreachable) => {
            let until = if renderer.durable { "" } else { ", until you quit" };
            format!("{who} is offline; will deliver when they are back{until}.")
        }
        DeliveryStatus::Queued(PendingReason::NoSession) => {
            format!("No encrypted session with {who} yet; retrying.")
        }
        DeliveryStatus::Queued(hold) => format!("Queued for {who}: {}.", hold_words(*hold)),
        DeliveryStatus::Failed(FailureReason::Rejected(why)) => not_sent(&who, *why),
        DeliveryStatus::Failed(FailureReason::ReachedAnother(_)) => format!("Not delivered to {who}: {why}."),
        DeliveryStatus::Failed(_) | DeliveryStatus::Expired | DeliveryStatus::Cancelled => {
            let only = if parts.0 > 0 { part_words(parts, 0) } else { String::new() };
            let how = if only.is_empty() { "Not sent".to_owned() } else { format!("Sent only{only}") };
            format!("{how} to {who}: {why}.")
        }
    }
}

/// Returns the line for the result of a command to one peer.
pub(super) fn done(
    kind: CommandKind,
    who: &PeerInfo,
    result: &SendResult,
    renderer: &Renderer<'_>,
) -> String {
    let (who, why) = (renderer.named(who), result_words(result));
    let is_taken = matches!(result, SendResult::Delivered | SendResult::HandedOver);
    match kind {
        CommandKind::Send => why,
        CommandKind::Connect if is_taken => format!("Connected to {who}."),
        CommandKind::Connect => format!("Not connected to {who}: {why}."),
        CommandKind::Disconnect if is_taken => format!("Disconnected from {who}."),
        CommandKind::Disconnect => format!("Disconnected from {who}, but could not say goodbye: {why}."),
    }
}

/// Returns how many parts of a message were sent, counting `more` that may have been.
fn part_words(parts: (usize, usize), more: usize) -> String {
    if parts.1 > 1 { format!(" {} of {} messages", parts.0 + more, parts.1) } else { String::new() }
}

/// Returns the line for a message that was rejected before it was sent.
pub(super) fn not_sent(who: &str, why: RejectReason) -> String {
    match why {
        RejectReason::TooLongForLegacy => format!(
            "Not sent to {who}: an unencrypted message has at most {MAX_PARTS} parts of {MAX_SENT_BYTES} bytes. Divide it."
        ),
        RejectReason::OnlyEncrypted => {
            format!("Not sent to {who}: they use no encryption, and --require-encryption is on.")
        }
        RejectReason::NotTrusted => format!(
            "Not sent to {who}: they are blocked or wait for your decision. See /blocked and /requests."
        ),
        RejectReason::Forgotten => format!("Not sent to {who}: you have forgotten their key."),
        RejectReason::Offline => format!("{who} is offline; will connect when one of you writes."),
        RejectReason::Ourselves => format!("{who} is your own address. Choose another recipient."),
        RejectReason::QueueFull => {
            format!("The queue for {who} is full (1,000 messages). /outbox can cancel some.")
        }
        RejectReason::OutboxFull => "The outbox is full (64 MB). /outbox can cancel messages.".into(),
        RejectReason::NoMemory => {
            format!("Not sent to {who}: {}. /outbox can cancel queued messages.", StoreError::NoRoom)
        }
        RejectReason::CommandWord(word) => {
            format!("Not sent to {who}: legacy programs take `{word}` as a command. Use other words.")
        }
    }
}

/// Returns the line about the unencrypted strangers that a message to all left out, if any. A
/// terminal offers the command that includes them.
pub(super) fn left_out_words(count: usize, renderer: &Renderer<'_>) -> Option<String> {
    if count == 0 {
        return None;
    }
    let strangers = counted(count, "unencrypted stranger");
    let offer = if renderer.full { "" } else { "; /all-plain MESSAGE includes them" };
    Some(format!("{strangers} left out{offer}."))
}

/// Returns the contacts that a message to all left out for one reason, as the subject of a clause
/// with this verb: `Bob and Carol are`.
fn left_out_contacts(
    contacts: &LeftOutContacts,
    verbs: [&str; 2],
    renderer: &Renderer<'_>,
) -> Option<String> {
    let names: Vec<String> = contacts.first.iter().map(|who| renderer.word_for(who)).collect();
    let subject = match (contacts.count - names.len(), &names[..]) {
        (_, []) => return None,
        (0, [one]) => one.clone(),
        (0, [others @ .., last]) => format!("{} and {last}", others.join(", ")),
        (more, _) => format!("{} and {more} more", names.join(", ")),
    };
    Some(format!("{subject} {}", if contacts.count == 1 { verbs[0] } else { verbs[1] }))
}

/// Returns the line that sums up the results of one command for several peers, with the contacts
/// that a message to all left out. The numbers are those of all recipients and of those reached.
pub(super) fn sum(
    kind: CommandKind,
    (total, done): (usize, usize),
    failed: &[(PeerInfo, DeliveryStatus)],
    left_out: &LeftOut,
    renderer: &Renderer<'_>,
) -> String {
    let verb = match kind {
        CommandKind::Send => "Sent to",
        CommandKind::Connect => "Connected to",
        CommandKind::Disconnect => "Disconnected from",
    };
    let failure = |(who, status): &(PeerInfo, DeliveryStatus)| {
        let who = renderer.word_for(who);
        match status {
            DeliveryStatus::Queued(PendingReason::Unreachable) => format!("{who} is offline, queued"),
            DeliveryStatus::Failed(FailureReason::NotSent(SendError::Refused)) => {
                format!("{who} refused the connection")
            }
            other => format!("{who}: {}", status_words(other)),
        }
    };
    let mut failures: Vec<String> = failed.iter().map(failure).collect();
    let unnamed = (total - done).saturating_sub(failed.len());
    if !failed.is_empty() && unnamed > 0 {
        failures.push(format!("{unnamed} more"));
    }
    let LeftOut { offline, refusing, .. } = left_out;
    failures.extend(left_out_contacts(offline, ["is offline, not sent", "are offline, not sent"], renderer));
    let verbs = ["does not accept messages from you", "do not accept messages from you"];
    failures.extend(left_out_contacts(refusing, verbs, renderer));
    let total = total + offline.count + refusing.count;
    let failures = if failures.is_empty() { String::new() } else { format!(" ({})", failures.join("; ")) };
    format!("{verb} {done} of {total}{failures}.")
}
