//! A line for everything that happens. Pure.

mod introductions;
mod renderer;
mod statuses;
mod trust;

use super::message::counted;
use super::style::{Ink, Line};
use crate::core::{CommandKind, Event, OfflineReason};
use crate::model::address::Source;
use crate::model::delivery::DeliveryStatus;
use crate::model::host::LookupError;
use crate::model::message::{Fault, SendResult};
use crate::model::stored::StoreError;
use crate::model::untrusted::harmless;
pub(crate) use introductions::{awaited_line, made_line};
pub use renderer::Renderer;
pub(crate) use renderer::{VERIFIED, place};
pub(crate) use statuses::{DELIVERED, hold_words, is_good, status_words};
use statuses::{done, first, left_out_words, not_sent, sum};
pub use statuses::{later, quoted};
pub(crate) use trust::beginning;
pub(super) use trust::{label_of_pin, name_of};
pub(crate) use trust::{lines_of_request, pin_lines, policy_words, requests_lines, untrusted_words};
pub(super) use trust::{refused_words, request_line, request_words, word_for};

/// The maximum number of recipients whose results are shown one by one. With more, only failures
/// and the sum are shown.
const SHOWN_ONE_BY_ONE: usize = 10;

/// Returns the lines about `event`; none if the user does not have to know. Everything in them from
/// the network is harmless by its type.
pub fn lines(event: &Event, renderer: &Renderer<'_>) -> Vec<Line> {
    match event {
        Event::Message { from, text, cut, again, to_all, .. } => {
            renderer.message(from, text, *to_all, *cut, *again)
        }
        Event::Unreadable { source, what } => {
            let why = match what.fault {
                Fault::NoAddress => "does not start with an address",
                Fault::NoText => "has no text",
            };
            vec![renderer.notice(format!("Ignored data from {source} that {why}: {}", what.text))]
        }
        Event::Impostor { source, claimed, text } => {
            let text = text.as_ref().map_or_else(|| ".".into(), |text| format!(": {text}"));
            vec![renderer.notice(format!(
                "Refused a message from {source} that claims your own address {claimed}{text}"
            ))]
        }
        Event::Refused { sources, others } => vec![renderer.notice(refused(sources, *others))],
        // A new label has its own line.
        Event::ProvenAt(..) | Event::Renamed(_) => Vec::new(),
        Event::AsksToVerify(who) => {
            let rest = format!(" wants to compare safety numbers: /verify {}", renderer.word_for(who));
            vec![renderer.about(who, renderer.named(who), rest)]
        }
        Event::Online(who) => vec![renderer.online(who)],
        Event::Offline(who, why) => {
            vec![renderer.about(who, renderer.present(who), format!(" {}", offline_words(*why)))]
        }
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
            vec![Line::of(ink, first(who, status, *parts, renderer))]
        }
        Event::Delivery { who, status, text, .. } => later(who, status, text, renderer).into_iter().collect(),
        Event::Done { kind, who, result, total, .. } => {
            let good = matches!(result, SendResult::Delivered | SendResult::HandedOver);
            if good && *total > SHOWN_ONE_BY_ONE {
                return Vec::new();
            }
            let ink = if good { Ink::Faint } else { Ink::Bad };
            vec![Line::of(ink, done(*kind, who, result, renderer))]
        }
        Event::NotSent { who, why, .. } => vec![Line::of(Ink::Bad, not_sent(&renderer.recipient(who), *why))],
        Event::Sum { kind, total, done, failed, left_out } => {
            let contacts = left_out.offline.count + left_out.refusing.count;
            // A single recipient has had its own line.
            let is_summed = contacts > 0 || *total > 1 || (*total == 1 && renderer.full);
            let sum = is_summed.then(|| sum(*kind, (*total, *done), failed, left_out, renderer));
            let words: Vec<String> =
                sum.into_iter().chain(left_out_words(left_out.strangers, renderer)).collect();
            if words.is_empty() { Vec::new() } else { vec![words.join(" ").into()] }
        }
        Event::NotFound { host, why, .. } => {
            let rest = match why {
                LookupError::NotFound => ". Check the name, or use ip:port.",
                LookupError::TimedOut => " (timed out). Check the name, or use ip:port.",
                LookupError::Busy => " (too many lookups at once).",
            };
            vec![Line::of(Ink::Bad, format!("Cannot find {}{rest}", host.name()))]
        }
        Event::TakenAs(kind) => vec![
            match kind {
                CommandKind::Disconnect => "Legacy programs take `exit` as a command, so this disconnects.",
                _ => "Legacy programs take `connect` as a command, so this connects.",
            }
            .into(),
        ],
        Event::Nobody(kind) => vec![
            match kind {
                CommandKind::Send => "No peer is online. Choose 3 to connect, or give an ip:port.",
                CommandKind::Connect => "No peers yet. Give an ip:port, or list peers in peers.toml.",
                CommandKind::Disconnect => "No peer is online to disconnect from.",
            }
            .into(),
        ],
        Event::Unproven { .. }
        | Event::Pinned { .. }
        | Event::PeerRequest(_)
        | Event::OnNetwork { .. }
        | Event::RefusedStranger(_)
        | Event::MoreRequests(_)
        | Event::TakesName(..)
        | Event::Misled { .. }
        | Event::WrongAnnouncement { .. }
        | Event::TurnedAway(..)
        | Event::AcceptsAgain(_)
        | Event::Decided(_)
        | Event::Undecided(_)
        | Event::PlainRefused(..) => trust::lines(event, renderer),
        Event::Introduction(news) => vec![introductions::line(news, renderer)],
        Event::StayQueued(who, count) => vec![
            match count {
                1 => format!("1 message for {} stays queued until the next start.", renderer.named(who)),
                count => {
                    format!("{count} messages for {} stay queued until the next start.", renderer.named(who))
                }
            }
            .into(),
        ],
        Event::IdentityInUse(ip) => {
            vec![Line::of(Ink::Bad, format!("Your identity is also in use at {ip}."))]
        }
        Event::NotStored(why) => vec![renderer.warning(not_stored(why))],
        Event::ClockDoubted { clock, noted } => vec![renderer.warning(format!(
            "The clock of this machine shows {}, but the last recorded date is {}. Until the clock is confirmed, \
             no message is deleted or expires. If it is right, run `p2p-chat history --prune`.",
            (renderer.date)(*clock),
            (renderer.date)(*noted)
        ))],
        Event::NotWaiting => {
            vec!["That message is no longer queued. /outbox lists the queued messages.".into()]
        }
        // The app shows the list, of which an event has only a part.
        Event::Listed { .. }
        | Event::Dialed { total: 0, .. }
        | Event::MutedMessage(_)
        | Event::Settled(_)
        | Event::ContactsChanged
        | Event::IntroductionsChanged
        | Event::NetworkChanged => Vec::new(),
        Event::Dialed { total: 1, connected: 1 } => vec!["The static peer is online.".into()],
        Event::Dialed { total: 1, .. } => {
            vec!["The static peer is offline; retrying in the background.".into()]
        }
        Event::Dialed { total, connected } if total == connected => {
            vec![format!("{} static peers are online.", all(*total)).into()]
        }
        Event::Dialed { total, connected: 0 } => {
            vec![format!("{} static peers are offline; retrying in the background.", all(*total)).into()]
        }
        Event::Dialed { total, connected } => vec![
            format!(
                "{connected} of {total} static peers {} online; retrying the other{} in the background.",
                if *connected == 1 { "is" } else { "are" },
                if total - connected == 1 { "" } else { "s" },
            )
            .into(),
        ],
    }
}

/// Returns the word for all of several.
fn all(count: usize) -> String {
    if count == 2 { "Both".into() } else { format!("All {count}") }
}

fn not_stored(why: &StoreError) -> String {
    let incoming = "Incoming messages are shown but not acknowledged, so they are sent again.";
    match why {
        StoreError::NoRoom => {
            format!("Messages cannot be stored: {why}. You cannot send. {incoming}")
        }
        _ => format!(
            "The history cannot be written: {}. A message that you send is lost if you leave before it \
             is delivered. {incoming}",
            harmless(&why.to_string())
        ),
    }
}

fn refused(sources: &[(Source, u64)], others: u64) -> String {
    let count = |count: u64| counted(count, "message");
    let mut from: Vec<String> =
        sources.iter().map(|(source, of)| format!("{} from {source}", count(*of))).collect();
    if others > 0 {
        from.push(format!("{} from others", count(others)));
    }
    format!("Refused {}: too many at once. None was acknowledged.", from.join(", "))
}

fn offline_words(why: OfflineReason) -> &'static str {
    match why {
        OfflineReason::SaidGoodbye => "left",
        OfflineReason::Disconnected => "is disconnected",
        OfflineReason::Refused | OfflineReason::NotSeenYet => "is offline",
        OfflineReason::Replaced => "is offline: another peer is at that address",
        OfflineReason::NoAnswer => "is unreachable",
    }
}

#[cfg(test)]
mod tests;
