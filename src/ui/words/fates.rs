//! What became of what was sent, in words. Pure.

use super::voice::{Voice, place};
use crate::chat::{Deed, Unsendable, Who};
use crate::model::message::{Failure, Fate, LINE_MARK, MAX_PARTS, MAX_SENT_BYTES};
use crate::model::name::shortened;
use crate::model::session::{ByeReason, Hold, Lost};
use crate::model::untrusted::harmless;
use crate::net::{CONNECT_TIMEOUT, EOF_TIMEOUT};
use crate::ui::style::{Ink, Line};

/// Columns of a text that are shown again where it is said what became of it.
const QUOTED_COLUMNS: usize = 40;

/// Whether something arrived, as far as can be known.
pub fn is_good(fate: &Fate) -> bool {
    matches!(fate, Fate::Delivered | Fate::HandedOver)
}

/// What became of something, as the end of a sentence.
pub fn fate_words(fate: &Fate) -> String {
    match fate {
        Fate::Delivered => "delivered".into(),
        Fate::HandedOver => "handed over".into(),
        Fate::NoReceipt => "it closed the connection without the receipt that it usually gives".into(),
        Fate::Waits(hold) => format!("queued: {}", hold_words(*hold)),
        Fate::Lost(lost) => lost_words(*lost).into(),
        Fate::Unanswered => format!("no reaction within {} s", EOF_TIMEOUT.as_secs()),
        Fate::Broken => "the connection broke".into(),
        Fate::Astray(to) => format!("it went to {to} instead, where somebody else listens"),
        Fate::Failed(failure) => match failure {
            Failure::Refused => "refused, nobody listens there".into(),
            Failure::TimedOut => format!("timed out, no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            Failure::NoRoute => "no route, the network knows no way there".into(),
            Failure::NoResources => "this machine has no free connections at the moment".into(),
            Failure::NoOk => "it does not speak encrypted, as it had said that it would".into(),
            Failure::WrongKey => "another key answers there".into(),
            Failure::NotSecure => "the encrypted exchange failed; somebody on the way may disturb it".into(),
            Failure::NotAnswered => "it does not answer the question how it is spoken to".into(),
            Failure::TurnedAway(reason) => match reason {
                ByeReason::NotDecided => "it has to decide first whether it takes your key",
                ByeReason::NoRoom => "it has no room at the moment",
                ByeReason::Leaves => "it has just left",
                _ => "it does not take your key",
            }
            .into(),
            Failure::NotTrusted => {
                "you do not take its key: it waits for your word, or is blocked, or the policy is strict"
                    .into()
            }
            Failure::Cancelled => "there was no time left for it".into(),
            Failure::Other(words) => words.clone(),
        },
    }
}

/// Why a text waits.
pub fn hold_words(hold: Hold) -> &'static str {
    match hold {
        Hold::Turn => "those before it are on their way",
        Hold::Unreachable => "nobody answers there",
        Hold::NoOk => {
            "whoever listens there does not answer, or does not speak encrypted, and it does not go out in plain"
        }
        Hold::NotSecure => "the encrypted exchange fails there; perhaps somebody on the way disturbs it",
        Hold::WrongKey => "another key answers at its address",
        Hold::NotDecided => "it has to decide first whether it takes your key",
        Hold::NoRoom => "it has no room at the moment",
        Hold::NoReceipt => "no receipt came for it",
        Hold::Another => "another peer answers at its address",
        Hold::NotWritten => "that it is sent cannot be written down, and without that it might be sent twice",
    }
}

/// Why a text is not sent any more.
fn lost_words(lost: Lost) -> &'static str {
    match lost {
        Lost::NotAccepted => "it does not take your key",
        Lost::Blocked => "you have blocked its key",
        Lost::Unpinned => "you have forgotten its key",
        Lost::Replaced => "it was for its old key",
        Lost::Left => "no receipt came before you left",
        Lost::TooMany => "too many texts wait for it",
        Lost::Unsent => "nobody answered there before you left",
        Lost::Expired => "it has waited for too long",
        Lost::Cancelled => "you have taken it back",
        Lost::CutOff => "the program was ended while it was sent",
    }
}

/// What becomes of a text after it was said that it waits; nothing where that is no news. `text` is what it says.
pub fn later(who: &Who, fate: &Fate, text: &str, voice: &Voice<'_>) -> Option<Line> {
    if let Fate::Waits(hold @ (Hold::Another | Hold::WrongKey)) = fate {
        let words = format!("{} /outbox can cancel it: {}", waits_for(who, *hold, voice), quoted(text));
        return Some(Line::of(Ink::Bad, words));
    }
    let (who, text) = (voice.named(who), quoted(text));
    let (ink, words) = match fate {
        Fate::Waits(_) => return None,
        Fate::Delivered => (Ink::Faint, format!("Delivered to {who}: {text}")),
        Fate::HandedOver => (Ink::Faint, format!("Handed over to {who}, which gives no receipts: {text}")),
        Fate::Lost(Lost::Left) => (
            Ink::Bad,
            format!("No receipt came from {who} before you left, so this may not have arrived: {text}"),
        ),
        Fate::Lost(Lost::Cancelled) => {
            (Ink::Plain, format!("Taken back, and not sent to {who} any more: {text}"))
        }
        Fate::Lost(lost @ Lost::CutOff) => (
            Ink::Bad,
            format!(
                "Whether {who} has read this is unknown, for {}; it is not sent again: {text}",
                lost_words(*lost)
            ),
        ),
        Fate::Lost(lost) => (Ink::Bad, format!("Not delivered to {who}, for {}: {text}", lost_words(*lost))),
        Fate::NoReceipt | Fate::Unanswered | Fate::Broken => (
            Ink::Bad,
            format!(
                "Sent to {who}, but {}: whether this was read is unknown, and it is not sent again: {text}",
                fate_words(fate)
            ),
        ),
        Fate::Astray(_) | Fate::Failed(_) => {
            (Ink::Bad, format!("Not delivered to {who}: {}: {text}", fate_words(fate)))
        }
    };
    Some(Line::of(ink, words))
}

/// The lines for a message that waits because another peer answers at its recipient's last address.
fn waits_for(who: &Who, hold: Hold, voice: &Voice<'_>) -> String {
    let another = if hold == Hold::WrongKey { "key" } else { "peer" };
    let (label, at) = (voice.label(who), place(who.id, who.addr));
    let whose = if label == at { format!("at {at}") } else { format!("at {label}'s address {at}") };
    format!("Another {another} answers {whose}. Your message waits for {label}.")
}

/// The beginning of a text of the user's own, on one line.
pub fn quoted(text: &str) -> String {
    let line = text.trim().replace('\n', LINE_MARK);
    format!("\"{}\"", shortened(&harmless(&line), QUOTED_COLUMNS))
}

pub(super) fn done(deed: Deed, who: &Who, fate: &Fate, parts: (usize, usize), voice: &Voice<'_>) -> String {
    if let (Deed::Send, Fate::Waits(hold @ (Hold::Another | Hold::WrongKey))) = (deed, fate) {
        return waits_for(who, *hold, voice);
    }
    let (who, why) = (voice.named(who), fate_words(fate));
    match (deed, fate) {
        (Deed::Send, Fate::Delivered | Fate::HandedOver) => {
            let how = if *fate == Fate::Delivered {
                format!("Delivered to {who}")
            } else {
                format!("Handed over to {who}, which gives no receipts")
            };
            if parts.1 > 1 { format!("{how}, in {} messages.", parts.1) } else { format!("{how}.") }
        }
        (Deed::Send, Fate::NoReceipt | Fate::Unanswered | Fate::Broken) => {
            format!(
                "Sent{} to {who}, but {why}: whether it was read is unknown, and it is not sent again.",
                part_words(parts, 1)
            )
        }
        (Deed::Send, Fate::Waits(hold)) => {
            format!("Queued for {who}: {}; it is sent again until it arrives.", hold_words(*hold))
        }
        (Deed::Send, Fate::Astray(_)) => format!("Not delivered to {who}: {why}."),
        (Deed::Send, _) if parts.0 > 0 => format!("Sent only{} to {who}: {why}.", part_words(parts, 0)),
        (Deed::Send, _) => format!("Not sent to {who}: {why}."),
        (Deed::Connect, Fate::Delivered | Fate::HandedOver) => format!("Connected to {who}."),
        (Deed::Connect, _) => format!("Not connected to {who}: {why}."),
        (Deed::Disconnect, Fate::Delivered | Fate::HandedOver) => format!("Disconnected from {who}."),
        (Deed::Disconnect, _) => format!("Disconnected from {who}, which could not be told: {why}."),
    }
}

/// How much of a text in parts was sent, `more` of them perhaps.
fn part_words(parts: (usize, usize), more: usize) -> String {
    if parts.1 > 1 { format!(" {} of {} messages", parts.0 + more, parts.1) } else { String::new() }
}

pub(super) fn not_sent(who: &str, why: Unsendable) -> String {
    match why {
        Unsendable::TooLongForPlain => format!(
            "Not sent to {who}: in plain a text goes in at most {MAX_PARTS} messages of {MAX_SENT_BYTES} bytes, and this one is longer; divide it."
        ),
        Unsendable::OnlyEncrypted => format!(
            "Not sent to {who}: it is spoken to in plain, and --require-encryption lets nothing go out in plain."
        ),
        Unsendable::NoRandom => {
            format!("Not sent to {who}: the system gives no random numbers, so it cannot be encrypted.")
        }
        Unsendable::NotTrusted => format!(
            "Not sent to {who}: its key is blocked, or waits for your word; /offers lists those that wait."
        ),
        Unsendable::NotThere => format!("{who} is not there, so there is nobody to disconnect from."),
        Unsendable::Ourselves => format!("{who} is our own address; choose somebody else."),
        Unsendable::TooManyWaiting => {
            format!(
                "Not sent to {who}: as many texts wait for it as may; /outbox shows them, and takes some back."
            )
        }
        Unsendable::CommandWord(word) => format!(
            "Not sent to {who}: programs there take `{word}` for a command and show it to nobody; put it in other words."
        ),
    }
}

pub(super) fn sum(deed: Deed, total: usize, done: usize, failed: &[(Who, Fate)]) -> String {
    let verb = match deed {
        Deed::Send => "Sent to",
        Deed::Connect => "Connected",
        Deed::Disconnect => "Told goodbye to",
    };
    let mut line = format!("{verb} {done} of {total}");
    for (who, fate) in failed {
        let why = match fate {
            Fate::Failed(Failure::Refused) => "refused".to_owned(),
            Fate::Failed(Failure::TimedOut) => "timed out".to_owned(),
            Fate::Failed(Failure::NoRoute) => "no route".to_owned(),
            other => fate_words(other),
        };
        line.push_str(&format!("; {} {why}", place(who.id, who.addr)));
    }
    let unnamed = (total - done).saturating_sub(failed.len());
    if !failed.is_empty() && unnamed > 0 {
        line.push_str(&format!("; and {unnamed} more"));
    }
    line.push('.');
    line
}
