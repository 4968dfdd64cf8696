//! What a sender was told of each message, and how often its receiver was shown it.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use crate::support::{Peer, SOON};

/// How often a line is looked for that has not come yet.
const LOOK: Duration = Duration::from_millis(5);

/// What the sender of a message was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Delivered,
    HandedOver,
    /// It was sent, and its fate is not known.
    Unknown,
    NotSent,
}

/// The outcomes that `peer` was told of messages to `addr`, in the order in which they were sent.
pub(super) fn outcomes(peer: &Peer, addr: SocketAddrV4) -> Vec<Outcome> {
    let whom = format!("({addr})");
    let about = |line: &String| line.contains(&whom);
    peer.printed().iter().filter(|line| about(line)).filter_map(|line| outcome(line)).collect()
}

fn outcome(line: &str) -> Option<Outcome> {
    [
        ("Delivered to ", Outcome::Delivered),
        ("Handed over to ", Outcome::HandedOver),
        ("Sent to ", Outcome::Unknown),
        ("Not sent to ", Outcome::NotSent),
    ]
    .into_iter()
    .find(|(words, _)| line.starts_with(words))
    .map(|(words, outcome)| {
        assert!(words != "Sent to " || line.contains("is unknown"), "no outcome: {line}");
        outcome
    })
}

/// Says `text` to whoever is at `addr`, waits for what became of it, and makes sure that it was said once.
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

/// How often somebody was shown a message that is exactly `text`.
pub(super) fn shown_times(printed: &[String], text: &str) -> usize {
    let ending = format!("): {text}");
    printed.iter().filter(|line| line.ends_with(&ending)).count()
}
