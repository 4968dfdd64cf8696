//! A sentence for everything that happens.

use super::list::peer_list;
use crate::chat::{Deed, Event, GONE_AFTER, MAX_TEXTS_WAITING, Unsendable, Who, Why};
use crate::message::{Failure, Fate, Fault, MAX_RECEIVED_BYTES};
use crate::net::{CONNECT_TIMEOUT, EOF_TIMEOUT};

/// Recipients of one command whose outcomes are all shown one by one; with more, only what went wrong and the sum.
const SHOWN_ONE_BY_ONE: usize = 10;

/// The lines that tell `event`, at the local time `clock`; none where the user need not be told. Everything in them
/// that came from the network is harmless by its type.
pub fn lines(event: &Event, clock: &str) -> Vec<String> {
    match event {
        Event::Message { from, text, cut } => {
            let end = if *cut {
                format!(" [cut: longer than {MAX_RECEIVED_BYTES} bytes or too slow]")
            } else {
                String::new()
            };
            vec![format!("[{clock}] {}: {text}{end}", named(from))]
        }
        Event::Unreadable { source, what } => {
            let why = match what.fault {
                Fault::NoAddress => "does not begin with an address",
                Fault::NoText => "has no text",
            };
            vec![format!("[{clock}] * Something from {source} is no message, it {why}: {}", what.text)]
        }
        Event::Impostor { source, claimed, text } => {
            vec![format!(
                "[{clock}] * Somebody at {source} claims our own address {claimed}; not taken: {text}"
            )]
        }
        Event::Came(who) => vec![format!("[{clock}] * {} is here.", named(who))],
        Event::Went(who, why) => vec![format!("[{clock}] * {} {}.", named(who), gone_words(*why))],
        Event::Done { deed, who, fate, parts, total, .. } => {
            let good = matches!(fate, Fate::Delivered | Fate::HandedOver);
            if good && *total > SHOWN_ONE_BY_ONE { Vec::new() } else { vec![done(*deed, who, fate, *parts)] }
        }
        Event::NotSent { who, why, .. } => vec![not_sent(who, *why)],
        Event::Sum { deed, total, done, failed } => vec![sum(*deed, *total, *done, failed)],
        Event::TakenAs(deed) => vec![
            match deed {
                Deed::Disconnect => "A text that is only `exit` means goodbye, so this disconnects.",
                _ => "A text that is only `connect` asks to be listed, so this connects.",
            }
            .into(),
        ],
        Event::Nobody(deed) => vec![
            match deed {
                Deed::Send => "Nobody is there to send to; choose 3 to connect, or give an ip:port.",
                Deed::Connect => "Nobody is known yet; give an ip:port, or list peers in peers.toml.",
                Deed::Disconnect => "Nobody is there to disconnect from.",
            }
            .into(),
        ],
        Event::Listed { rows, unasked } => peer_list(rows, *unasked),
        Event::Dialled { total: 0, .. } | Event::Settled(_) => Vec::new(),
        Event::Dialled { total: 1, connected: 1 } => vec!["The static peer is there.".into()],
        Event::Dialled { total: 1, .. } => {
            vec!["The static peer is not there; it is tried again in the background.".into()]
        }
        Event::Dialled { total, connected } if total == connected => {
            vec![format!("All {total} static peers are there.")]
        }
        Event::Dialled { total, connected } => vec![format!(
            "{connected} of {total} static peers {} there; the rest is tried again in the background.",
            if *connected == 1 { "is" } else { "are" }
        )],
    }
}

/// A peer's name and address. An address in its header that is not where it was heard from is named too.
pub fn named(who: &Who) -> String {
    let claim = who.claimed.map(|claimed| format!(", calls itself {claimed}")).unwrap_or_default();
    match &who.name {
        Some(name) => format!("{name} ({}{claim})", who.addr),
        None if claim.is_empty() => who.addr.to_string(),
        None => format!("{} ({})", who.addr, &claim[2..]),
    }
}

fn gone_words(why: Why) -> String {
    match why {
        Why::SaidExit => "has left".into(),
        Why::Disconnected => "is disconnected".into(),
        Why::Refused | Why::NotYetThere => "is gone: nobody listens there any more".into(),
        Why::NoAnswer => format!("is gone: no answer for {} s", GONE_AFTER.as_secs()),
    }
}

/// What became of something, as the end of a sentence.
pub fn fate_words(fate: &Fate) -> String {
    match fate {
        Fate::Delivered => "delivered".into(),
        Fate::HandedOver => "handed over".into(),
        Fate::Unanswered => format!("no reaction within {} s", EOF_TIMEOUT.as_secs()),
        Fate::Broken => "the connection broke".into(),
        Fate::Failed(failure) => match failure {
            Failure::Refused => "refused, nobody listens there".into(),
            Failure::TimedOut => format!("timed out, no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            Failure::NoRoute => "no route, the network knows no way there".into(),
            Failure::NoResources => "this machine has no free connections at the moment".into(),
            Failure::Cancelled => "there was no time left for it".into(),
            Failure::Other(words) => words.clone(),
        },
    }
}

fn done(deed: Deed, who: &Who, fate: &Fate, parts: (usize, usize)) -> String {
    let who = named(who);
    let why = fate_words(fate);
    match (deed, fate) {
        (Deed::Send, Fate::Delivered | Fate::HandedOver) => {
            let how = if *fate == Fate::Delivered {
                format!("Delivered to {who}")
            } else {
                format!("Handed over to {who}, which gives no receipts")
            };
            if parts.1 > 1 { format!("{how}, in {} messages.", parts.1) } else { format!("{how}.") }
        }
        (Deed::Send, Fate::Unanswered | Fate::Broken) => {
            format!(
                "Sent{} to {who}, but {why}: whether it was read is unknown, and it is not sent again.",
                part_words(parts, 1)
            )
        }
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

fn not_sent(who: &Who, why: Unsendable) -> String {
    let who = named(who);
    match why {
        Unsendable::NotThere => format!("{who} is not there, so there is nobody to disconnect from."),
        Unsendable::Ourselves => format!("{who} is our own address; choose somebody else."),
        Unsendable::TooManyWaiting => {
            format!(
                "Not sent to {who}: {MAX_TEXTS_WAITING} texts wait for it already; try again when some are gone."
            )
        }
        Unsendable::CommandWord(word) => format!(
            "Not sent to {who}: programs there take `{word}` for a command and show it to nobody; put it in other words."
        ),
    }
}

fn sum(deed: Deed, total: usize, done: usize, failed: &[(Who, Fate)]) -> String {
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
        line.push_str(&format!("; {} {why}", who.addr));
    }
    let unnamed = (total - done).saturating_sub(failed.len());
    if !failed.is_empty() && unnamed > 0 {
        line.push_str(&format!("; and {unnamed} more"));
    }
    line.push('.');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::OpId;
    use crate::escape::Text;
    use crate::peer::{Claimed, PeerAddr, PeerName};

    fn bob() -> Who {
        let addr: PeerAddr = "127.0.0.1:5001".parse().unwrap();
        Who { name: Some(PeerName::new("Bob")), addr, claimed: None }
    }

    fn told(event: &Event) -> String {
        lines(event, "14:03:07").join("\n")
    }

    fn sent(deed: Deed, fate: Fate, parts: (usize, usize)) -> String {
        told(&Event::Done { op: OpId(1), deed, who: bob(), fate, parts, total: 1 })
    }

    #[test]
    fn a_message_names_when_who_from_where_and_what() {
        let event = Event::Message { from: bob(), text: Text::new("Hello"), cut: false };
        assert_eq!(told(&event), "[14:03:07] Bob (127.0.0.1:5001): Hello");
    }

    #[test]
    fn an_address_that_is_only_claimed_is_said_to_be() {
        let claimed = Some(Claimed { ip: [127, 0, 1, 1].into(), port: 5001 });
        let event = Event::Message { from: Who { claimed, ..bob() }, text: Text::new("x"), cut: false };
        assert_eq!(told(&event), "[14:03:07] Bob (127.0.0.1:5001, calls itself 127.0.1.1:5001): x");
    }

    #[test]
    fn every_fate_of_a_text_has_its_words() {
        let failed = |failure| Fate::Failed(failure);
        for (fate, parts, words) in [
            (Fate::Delivered, (1, 1), "Delivered to Bob (127.0.0.1:5001)."),
            (Fate::Delivered, (3, 3), "Delivered to Bob (127.0.0.1:5001), in 3 messages."),
            (Fate::HandedOver, (1, 1), "Handed over to Bob (127.0.0.1:5001), which gives no receipts."),
            (
                Fate::Unanswered,
                (0, 1),
                "Sent to Bob (127.0.0.1:5001), but no reaction within 1 s: whether it was read is unknown, and it is not sent again.",
            ),
            (
                failed(Failure::Refused),
                (0, 1),
                "Not sent to Bob (127.0.0.1:5001): refused, nobody listens there.",
            ),
            (
                failed(Failure::TimedOut),
                (1, 3),
                "Sent only 1 of 3 messages to Bob (127.0.0.1:5001): timed out, no answer within 3 s.",
            ),
        ] {
            assert_eq!(sent(Deed::Send, fate, parts), words);
        }
    }

    #[test]
    fn a_sum_names_those_that_failed() {
        let refused = Fate::Failed(Failure::Refused);
        let event = Event::Sum { deed: Deed::Connect, total: 4, done: 3, failed: vec![(bob(), refused)] };
        assert_eq!(told(&event), "Connected 3 of 4; 127.0.0.1:5001 refused.");
    }
}
