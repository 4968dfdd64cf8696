//! What a sender was told of each message, and how often its receiver was shown it.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use crate::support::{Peer, SOON, is_queued};

/// How often a line is looked for that has not come yet.
const LOOK: Duration = Duration::from_millis(5);

/// What the sender of a message was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Delivered,
    /// It waits, and is sent again until it arrives.
    Queued,
    HandedOver,
    /// It was sent, and its fate is not known.
    Unknown,
    NotSent,
}

/// The outcomes that `peer` was told of messages to `addr`, in the order in which they were sent.
pub(super) fn outcomes(peer: &Peer, addr: SocketAddrV4) -> Vec<Outcome> {
    let whom = format!("({addr})");
    // The only recipient with a key is named without its address.
    let about = |line: &String| line.contains(&whom) || !line.contains(" (");
    peer.printed().iter().filter(|line| about(line)).filter_map(|line| outcome(line)).collect()
}

fn outcome(line: &str) -> Option<Outcome> {
    if is_later(line) || is_sum(line) {
        return None;
    }
    match line {
        _ if line.starts_with("Delivered to ") => Some(Outcome::Delivered),
        _ if is_queued(line) => Some(Outcome::Queued),
        _ if line.starts_with("Sent to ") && line.ends_with("; no receipt expected.") => {
            Some(Outcome::HandedOver)
        }
        _ if line.starts_with("Sent to ") => {
            assert!(line.contains("is unconfirmed"), "no outcome: {line}");
            Some(Outcome::Unknown)
        }
        _ if line.starts_with("Not sent to ") => Some(Outcome::NotSent),
        _ => None,
    }
}

/// Whether a line tells of a text for which it was told before that it waits; those name it.
fn is_later(line: &str) -> bool {
    line.contains(": \"")
}

/// Whether a line sums up a message to all, like `Sent to 1 of 2`.
fn is_sum(line: &str) -> bool {
    let count = line.strip_prefix("Sent to ").and_then(|rest| rest.split_once(" of "));
    count.is_some_and(|(count, _)| count.parse::<usize>().is_ok())
}

/// How often `peer` was told that this text, which had to wait, is delivered.
pub(super) fn arrived_later(peer: &Peer, text: &str) -> usize {
    let ending = format!(": \"{text}\"");
    let told = |line: &&String| line.starts_with("Delivered to ") && line.ends_with(&ending);
    peer.printed().iter().filter(told).count()
}

/// Says `text` to the peer at `addr`, waits for what became of it, and makes sure that it was
/// said once.
pub(super) fn says_at(peer: &mut Peer, addr: SocketAddrV4, text: &str) -> Outcome {
    let before = outcomes(peer, addr).len();
    peer.types(&[&format!("@{addr} {text}")]);
    let deadline = Instant::now() + SOON;
    loop {
        let told = outcomes(peer, addr);
        if told.len() > before {
            assert_eq!(told.len(), before + 1, "more than one outcome of `{text}`");
            return told[before];
        }
        assert!(Instant::now() < deadline, "no outcome of `{text}`:\n{}", peer.printed().join("\n"));
        std::thread::sleep(LOOK);
    }
}

/// What stands behind a text that its receiver may have been shown in an earlier run.
const PERHAPS_AGAIN: &str = " [may have been shown before]";

/// How often a peer was shown a message that is exactly `text`.
pub(super) fn shown_times(printed: &[String], text: &str) -> usize {
    let endings = ["):", ") [encrypted]:", ") [encrypted] → all:"].map(|head| format!("{head} {text}"));
    let is_it = |line: &&String| {
        let line = line.strip_suffix(PERHAPS_AGAIN).unwrap_or(line);
        endings.iter().any(|ending| line.ends_with(ending))
    };
    printed.iter().filter(is_it).count()
}
