//! The lines about delivery statuses and results of commands. Pure.

use super::voice::{Voice, place};
use crate::core::{CommandKind, PeerInfo};
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use crate::model::message::{LINE_MARK, MAX_PARTS, MAX_SENT_BYTES, SendError, SendResult};
use crate::model::name::shortened;
use crate::model::session::ByeReason;
use crate::model::stored::StoreError;
use crate::model::untrusted::harmless;
use crate::net::{CONNECT_TIMEOUT, EOF_TIMEOUT};
use crate::ui::style::{Ink, Line};

/// The maximum width of the quoted message in a line about its delivery, in columns.
const QUOTED_COLUMNS: usize = 40;

/// Returns whether a message was delivered, or sent to a peer that gives no receipts.
pub fn is_good(status: &DeliveryStatus) -> bool {
    matches!(status, DeliveryStatus::Delivered | DeliveryStatus::Sent)
}

/// Returns the result of a `connect` or a goodbye as the end of a sentence.
fn fate_words(result: &SendResult) -> String {
    match result {
        SendResult::Delivered => "delivered".into(),
        SendResult::HandedOver => "handed over".into(),
        SendResult::NoReceipt => "it closed the connection without the receipt that it usually gives".into(),
        SendResult::Unanswered => format!("no reaction within {} s", EOF_TIMEOUT.as_secs()),
        SendResult::Broken => "the connection broke".into(),
        SendResult::Astray(to) => format!("it went to {to} instead, where somebody else listens"),
        SendResult::Failed(failure) => failure_words(failure),
    }
}

/// Returns why nothing could be sent as the end of a sentence.
fn failure_words(failure: &SendError) -> String {
    match failure {
        SendError::Refused => "refused, nobody listens there".into(),
        SendError::TimedOut => format!("timed out, no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        SendError::NoRoute => "no route, the network knows no way there".into(),
        SendError::NoResources => "this machine has no free connections at the moment".into(),
        SendError::NoSession => "it does not use encryption, though it said that it would".into(),
        SendError::WrongKey => "another key answers there".into(),
        SendError::Incompatible => "it runs an incompatible version".into(),
        SendError::NotSecure => "the encrypted session failed; someone on the path may be interfering".into(),
        SendError::NotAnswered => "it does not answer the question how it is spoken to".into(),
        SendError::TurnedAway(reason) => match reason {
            ByeReason::NotDecided => "it has not accepted you yet",
            ByeReason::NoRoom => "it has no room at the moment",
            ByeReason::Leaves => "it has just left",
            _ => "they do not accept messages from you",
        }
        .into(),
        SendError::NotTrusted(_) => "you do not accept the key there".into(),
        SendError::Cancelled => "there was no time left for it".into(),
        SendError::Other(words) => words.clone(),
    }
}

/// Returns the status of a message as the end of a sentence.
pub fn status_words(status: &DeliveryStatus) -> String {
    match status {
        DeliveryStatus::Queued(reason) => format!("queued: {}", hold_words(*reason)),
        DeliveryStatus::Sent => "handed over".into(),
        DeliveryStatus::Delivered => "delivered".into(),
        DeliveryStatus::Failed(reason) => reason_words(reason),
        DeliveryStatus::Expired => "it has waited for too long".into(),
        DeliveryStatus::Cancelled => "you have taken it back".into(),
        DeliveryStatus::Unknown => "whether it was read is unknown".into(),
    }
}

/// Returns why a message will not be sent again as the end of a sentence.
fn reason_words(reason: &FailureReason) -> String {
    match reason {
        FailureReason::NotAccepted => "they do not accept messages from you".into(),
        FailureReason::Blocked => "you have blocked its key".into(),
        FailureReason::Forgotten => "you have forgotten it".into(),
        FailureReason::Replaced => "it was for its old key".into(),
        FailureReason::Ended { attempted: true } => "no receipt came before you left".into(),
        FailureReason::Ended { attempted: false } => "nobody answered there before you left".into(),
        FailureReason::QueueFull => "too many messages wait for it".into(),
        FailureReason::ReachedAnother(Some(to)) => {
            format!("it went to {to} instead, where somebody else listens")
        }
        FailureReason::ReachedAnother(None) => "another peer got it".into(),
        FailureReason::NotSent(failure) => failure_words(failure),
        FailureReason::Rejected(_) => "it was not sent".into(),
    }
}

/// Returns why a message is queued.
pub fn hold_words(hold: PendingReason) -> &'static str {
    match hold {
        PendingReason::InLine => "those before it are on their way",
        PendingReason::Unreachable => "nobody answers there",
        PendingReason::NoSession => {
            "the program there does not answer or does not use encryption, and nothing is sent unencrypted"
        }
        PendingReason::Incompatible => "it runs an incompatible version",
        PendingReason::NotSecure => {
            "the encrypted session fails there; someone on the path may be interfering"
        }
        PendingReason::WrongKey => "another key answers at its address",
        PendingReason::NotAcceptedYet => "it has not accepted you yet",
        PendingReason::NoRoom => "it has no room at the moment",
        PendingReason::NoReceipt => "no receipt came for it",
        PendingReason::AnotherPeer => "another peer answers at its address",
        PendingReason::NotStored => {
            "that it is sent cannot be written down, and without that it might be sent twice"
        }
    }
}

/// Returns the line for a later status of a message, or `None` if it tells the user nothing new.
pub fn later(who: &PeerInfo, status: &DeliveryStatus, text: &str, voice: &Voice<'_>) -> Option<Line> {
    if let DeliveryStatus::Queued(hold @ (PendingReason::AnotherPeer | PendingReason::WrongKey)) = status {
        let waits = waits_for(who, *hold, voice);
        let words = format!("{waits} /outbox can cancel it: {}", quoted(text));
        return Some(Line::of(Ink::Bad, words));
    }
    let (who, text) = (voice.named(who), quoted(text));
    let (ink, words) = match status {
        DeliveryStatus::Queued(_) => return None,
        DeliveryStatus::Delivered => (Ink::Faint, format!("Delivered to {who}: {text}")),
        DeliveryStatus::Sent => {
            (Ink::Faint, format!("Handed over to {who}, which gives no receipts: {text}"))
        }
        DeliveryStatus::Cancelled => {
            (Ink::Plain, format!("Taken back, and not sent to {who} any more: {text}"))
        }
        DeliveryStatus::Unknown => {
            (Ink::Bad, format!("Sent to {who}, but {}; it is not sent again: {text}", status_words(status)))
        }
        DeliveryStatus::Failed(FailureReason::Ended { attempted: true }) => (
            Ink::Bad,
            format!("No receipt came from {who} before you left, so this may not have arrived: {text}"),
        ),
        DeliveryStatus::Failed(FailureReason::Rejected(why)) => (Ink::Bad, not_sent(&who, *why)),
        DeliveryStatus::Failed(FailureReason::NotSent(_) | FailureReason::ReachedAnother(_)) => {
            (Ink::Bad, format!("Not delivered to {who}: {}: {text}", status_words(status)))
        }
        DeliveryStatus::Failed(_) | DeliveryStatus::Expired => {
            (Ink::Bad, format!("Not delivered to {who}, for {}: {text}", status_words(status)))
        }
    };
    Some(Line::of(ink, words))
}

/// Returns the line for a message that waits because another peer answers at its recipient's last
/// address. An earlier line has named the key that answers there.
fn waits_for(who: &PeerInfo, hold: PendingReason, voice: &Voice<'_>) -> String {
    let (label, at) = (voice.label(who), place(who.id, who.addr));
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
    voice: &Voice<'_>,
) -> String {
    if let DeliveryStatus::Queued(hold @ (PendingReason::AnotherPeer | PendingReason::WrongKey)) = status {
        return waits_for(who, *hold, voice);
    }
    let (who, why) = (voice.named(who), status_words(status));
    let in_parts = if parts.1 > 1 { format!(", in {} messages.", parts.1) } else { ".".to_owned() };
    match status {
        DeliveryStatus::Delivered => format!("Delivered to {who}{in_parts}"),
        DeliveryStatus::Sent => format!("Handed over to {who}, which gives no receipts{in_parts}"),
        DeliveryStatus::Unknown => {
            format!("Sent{} to {who}, but {why}; it is not sent again.", part_words(parts, 1))
        }
        DeliveryStatus::Queued(PendingReason::NotAcceptedYet) => {
            format!("{who} has not accepted you yet; your message waits.")
        }
        DeliveryStatus::Queued(hold) => {
            format!("Queued for {who}: {}; it is sent again until it arrives.", hold_words(*hold))
        }
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
pub(super) fn done(kind: CommandKind, who: &PeerInfo, result: &SendResult, voice: &Voice<'_>) -> String {
    let (who, why) = (voice.named(who), fate_words(result));
    let is_taken = matches!(result, SendResult::Delivered | SendResult::HandedOver);
    match kind {
        CommandKind::Send => why,
        CommandKind::Connect if is_taken => format!("Connected to {who}."),
        CommandKind::Connect => format!("Not connected to {who}: {why}."),
        CommandKind::Disconnect if is_taken => format!("Disconnected from {who}."),
        CommandKind::Disconnect => format!("Disconnected from {who}, which could not be told: {why}."),
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
            "Not sent to {who}: an unencrypted message is sent in at most {MAX_PARTS} parts of {MAX_SENT_BYTES} bytes, and this one is longer. Divide it."
        ),
        RejectReason::OnlyEncrypted => format!(
            "Not sent to {who}: they use no encryption, and --require-encryption sends nothing unencrypted."
        ),
        RejectReason::NotTrusted => format!(
            "Not sent to {who}: they are blocked or wait for your decision. See /blocked and /requests."
        ),
        RejectReason::Forgotten => format!("Not sent to {who}: its key is forgotten."),
        RejectReason::Offline => format!("{who} is offline. It is not dialed until one of you writes."),
        RejectReason::Ourselves => format!("{who} is your own address; choose somebody else."),
        RejectReason::QueueFull => {
            format!(
                "Not sent to {who}: too many messages wait for it already; /outbox lists them and can cancel some."
            )
        }
        RejectReason::NoMemory => {
            format!("Not sent to {who}: {}; /outbox lists what waits and can cancel it.", StoreError::NoRoom)
        }
        RejectReason::CommandWord(word) => format!(
            "Not sent to {who}: programs there take `{word}` for a command and show it to nobody; put it in other words."
        ),
    }
}

/// Returns the line about the unencrypted strangers that a message to all left out, if any. A terminal
/// offers the command that includes them.
pub(super) fn left_out_words(count: usize, voice: &Voice<'_>) -> Option<String> {
    let strangers = match count {
        0 => return None,
        1 => "1 unencrypted stranger".to_owned(),
        count => format!("{count} unencrypted strangers"),
    };
    let offer = if voice.full { "" } else { "; /all-plain TEXT includes them" };
    Some(format!("{strangers} left out{offer}."))
}

/// Returns the line that sums up the results of one command for several peers.
pub(super) fn sum(
    kind: CommandKind,
    total: usize,
    done: usize,
    failed: &[(PeerInfo, DeliveryStatus)],
    voice: &Voice<'_>,
) -> String {
    let verb = match kind {
        CommandKind::Send => "Sent to",
        CommandKind::Connect => "Connected",
        CommandKind::Disconnect => "Told goodbye to",
    };
    let mut line = format!("{verb} {done} of {total}");
    for (who, status) in failed {
        let why = match status {
            DeliveryStatus::Failed(FailureReason::NotSent(SendError::Refused)) => " refused".to_owned(),
            DeliveryStatus::Failed(FailureReason::NotSent(SendError::TimedOut)) => " timed out".to_owned(),
            DeliveryStatus::Failed(FailureReason::NotAccepted) => {
                " does not accept messages from you".to_owned()
            }
            DeliveryStatus::Queued(reason) => format!(": queued, {}", hold_words(*reason)),
            other => format!(": {}", status_words(other)),
        };
        line.push_str(&format!("; {}{why}", voice.named(who)));
    }
    let unnamed = (total - done).saturating_sub(failed.len());
    if !failed.is_empty() && unnamed > 0 {
        line.push_str(&format!("; and {unnamed} more"));
    }
    line.push('.');
    line
}
