//! What a sender was told of each message, and how often its receiver was shown it.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use crate::support::{Outcome, Peer, SOON, outcomes_at};

/// How often a line is looked for that has not come yet.
const LOOK: Duration = Duration::from_millis(5);

/// The outcomes that `peer` was told of messages to `addr`, in the order in which they were sent.
pub(super) fn outcomes(peer: &Peer, addr: SocketAddrV4) -> Vec<Outcome> {
    outcomes_at(&peer.printed(), addr)
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
