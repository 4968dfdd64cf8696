//! A line for everything that happens. Pure.

mod fates;
mod trust;
mod voice;

use super::list::{PeerList, peer_list};
use super::style::{Ink, Line};
use crate::core::{CommandKind, Event, GONE_AFTER, MAX_OUTBOX_BYTES, OfflineReason};
use crate::model::address::Source;
use crate::model::delivery::DeliveryStatus;
use crate::model::host::LookupError;
use crate::model::message::{Fault, SendResult};
use crate::model::stored::StoreError;
use crate::model::untrusted::harmless;
use fates::{done, first, left_out_words, not_sent, sum};
pub use fates::{hold_words, is_good, later, quoted, status_words};
pub(crate) use trust::beginning;
pub(super) use trust::name_of;
pub use trust::{lines_of_request, pin_lines, policy_words, requests_lines, untrusted_words};
pub(super) use trust::{refused_words, request_line, request_words, word_for};
pub(crate) use voice::place;
pub use voice::{VERIFIED, Voice};

/// Recipients of one command whose outcomes are all shown one by one; with more, only what went wrong and the sum.
const SHOWN_ONE_BY_ONE: usize = 10;

/// The lines that tell `event`; none where the user need not be told. Everything in them that came from the network is
/// harmless by its type.
pub fn lines(event: &Event, voice: &Voice<'_>) -> Vec<Line> {
    match event {
        Event::Message { from, text, cut, again, .. } => voice.message(from, text, *cut, *again),
        Event::Unreadable { source, what } => {
            let why = match what.fault {
                Fault::NoAddress => "does not begin with an address",
                Fault::NoText => "has no text",
            };
            vec![voice.notice(format!("Something from {source} is no message, it {why}: {}", what.text))]
        }
        Event::Impostor { source, claimed, text } => {
            let text = text.as_ref().map_or_else(|| ".".into(), |text| format!(": {text}"));
            vec![voice.notice(format!(
                "Refused a message from {source} that claims your own address {claimed}{text}"
            ))]
        }
        Event::Refused { sources, others } => vec![voice.notice(refused(sources, *others))],
        // A new label is shown by itself.
        Event::ProvenAt(..) | Event::Renamed(_) => Vec::new(),
        Event::AsksToVerify(who) => {
            let rest = format!(" wants to compare safety numbers: /verify {}", voice.word_for(who));
            vec![voice.about(who, voice.named(who), rest)]
        }
        Event::Came(who) => vec![voice.about(who, voice.introduced(who), " is online".into())],
        Event::Went(who, why) => vec![voice.about(who, voice.named(who), format!(" {}.", gone_words(*why)))],
        Event::Delivery { who, status, is_first: true, parts, total, .. } => {
            let good = is_good(status);
            if good && *total > SHOWN_ONE_BY_ONE {
                return Vec::new();
            }
            let ink = match status {
                DeliveryStatus::Queued(_) => Ink::Plain,
                _ if good => Ink::Faint,
                _ => Ink::Bad,
            };
            vec![Line::of(ink, first(who, status, *parts, voice))]
        }
        Event::Delivery { who, status, text, .. } => later(who, status, text, voice).into_iter().collect(),
        Event::Done { kind, who, result, total, .. } => {
            let good = matches!(result, SendResult::Delivered | SendResult::HandedOver);
            if good && *total > SHOWN_ONE_BY_ONE {
                return Vec::new();
            }
            let ink = if good { Ink::Faint } else { Ink::Bad };
            vec![Line::of(ink, done(*kind, who, result, voice))]
        }
        Event::NotSent { who, why, .. } => vec![Line::of(Ink::Bad, not_sent(&voice.named(who), *why))],
        // Of one its own line has said it; a script counts on the sum.
        Event::Sum { total: 1, left_out, .. } if !voice.full => {
            left_out_words(*left_out, voice).map(Line::from).into_iter().collect()
        }
        Event::Sum { kind, total, done, failed, left_out } => {
            let sum = (*total > 0).then(|| sum(*kind, *total, *done, failed, voice));
            let words: Vec<String> = sum.into_iter().chain(left_out_words(*left_out, voice)).collect();
            vec![words.join(" ").into()]
        }
        Event::NotFound { host, why, .. } => {
            let why = match why {
                LookupError::NotFound => "",
                LookupError::TimedOut => " (timed out)",
                LookupError::Busy => " (too many names at once)",
            };
            vec![Line::of(Ink::Bad, format!("{} cannot be found{why}.", host.name()))]
        }
        Event::TakenAs(kind) => vec![
            match kind {
                CommandKind::Disconnect => "A text that is only `exit` means goodbye, so this disconnects.",
                _ => "A text that is only `connect` asks to be listed, so this connects.",
            }
            .into(),
        ],
        Event::Nobody(kind) => vec![
            match kind {
                CommandKind::Send => "Nobody is there to send to; choose 3 to connect, or give an ip:port.",
                CommandKind::Connect => "Nobody is known yet; give an ip:port, or list peers in peers.toml.",
                CommandKind::Disconnect => "Nobody is there to disconnect from.",
            }
            .into(),
        ],
        Event::Unproven { .. }
        | Event::Pinned { .. }
        | Event::PeerRequest(_)
        | Event::RefusedStranger(_)
        | Event::MoreRequests(_)
        | Event::TakesName(..)
        | Event::Misled { .. }
        | Event::TurnedAway(..)
        | Event::AcceptsAgain(_)
        | Event::Decided(_)
        | Event::Undecided(_)
        | Event::PlainRefused(..) => trust::lines(event, voice),
        Event::NearlyFull { who, count, most } => vec![Line::of(
            Ink::Bad,
            format!(
                "{count} texts wait for {}; when {most} do, no more are taken until some arrive, or are taken back with /outbox.",
                voice.named(who)
            ),
        )],
        Event::AllNearlyFull => vec![Line::of(
            Ink::Bad,
            format!(
                "The texts that wait take nearly all of the {} MB that there are for them; when they take all, no more are taken until \
                 some arrive, or are taken back with /outbox.",
                MAX_OUTBOX_BYTES / 1024 / 1024
            ),
        )],
        Event::StayQueued(who, count) => vec![
            format!(
                "{} for {} until p2p-chat runs again.",
                if *count == 1 { "A text waits".to_owned() } else { format!("{count} texts wait") },
                voice.named(who)
            )
            .into(),
        ],
        Event::IdentityInUse(ip) => {
            vec![Line::of(Ink::Bad, format!("Your identity is also in use at {ip}."))]
        }
        Event::NotStored(why) => vec![voice.warning(not_stored(why))],
        Event::NotWaiting => vec!["That text does not wait any more; /outbox shows those that do.".into()],
        Event::Listed { rows, unasked } => {
            let is_muted = &|_| false;
            let list = PeerList {
                rows,
                unasked: *unasked,
                unlisted: &[],
                blocked: &[],
                blocked_legacy: &[],
                requests: &[],
                is_muted,
            };
            peer_list(&list, voice.labels)
        }
        Event::Dialed { total: 0, .. }
        | Event::Settled(_)
        | Event::ContactsChanged
        | Event::NetworkChanged => Vec::new(),
        Event::Dialed { total: 1, connected: 1 } => vec!["The static peer is there.".into()],
        Event::Dialed { total: 1, .. } => {
            vec!["The static peer is not there; it is tried again in the background.".into()]
        }
        Event::Dialed { total, connected } if total == connected => {
            vec![format!("All {total} static peers are there.").into()]
        }
        Event::Dialed { total, connected } => vec![
            format!(
                "{connected} of {total} static peers {} there; the rest is tried again in the background.",
                if *connected == 1 { "is" } else { "are" }
            )
            .into(),
        ],
    }
}

/// The line for messages that cannot be stored.
fn not_stored(why: &StoreError) -> String {
    let what_comes = "what comes is shown, and not acknowledged, so that it comes again";
    match why {
        StoreError::NoRoom => {
            format!("Messages cannot be stored: {why}. What you send is refused; {what_comes}.")
        }
        _ => format!(
            "The history cannot be written: {}. What you send goes out, and is lost if you leave before it \
             arrives; {what_comes}.",
            harmless(&why.to_string())
        ),
    }
}

/// The line that sums up what could not be taken.
fn refused(sources: &[(Source, u64)], others: u64) -> String {
    let count = |count: u64| match count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    };
    let mut from: Vec<String> =
        sources.iter().map(|(source, of)| format!("{} from {source}", count(*of))).collect();
    if others > 0 {
        from.push(format!("{} from others", count(others)));
    }
    let refused = if let ([(_, 1)], 0) = (sources, others) { "was refused" } else { "were refused" };
    format!(
        "{} {refused}: more came at once than can be taken. Nothing of it was acknowledged.",
        from.join(", ")
    )
}

fn gone_words(why: OfflineReason) -> String {
    match why {
        OfflineReason::SaidGoodbye => "has left".into(),
        OfflineReason::Disconnected => "is disconnected".into(),
        OfflineReason::Refused | OfflineReason::NotSeenYet => "is gone: nobody listens there any more".into(),
        OfflineReason::Replaced => "is gone: another peer is at its address".into(),
        OfflineReason::NoAnswer => format!("is gone: no answer for {} s", GONE_AFTER.as_secs()),
    }
}

#[cfg(test)]
mod tests;
