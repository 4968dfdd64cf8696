//! Two of ours with each other, and one of ours where a program of old is, was, or will be.

mod delivery;
mod identities;
mod legacies;
mod policies;
mod several;
mod wire;
mod words;

use crate::support::Peer;

/// How often a peer was shown these words.
fn times(peer: &Peer, words: &str) -> usize {
    peer.printed().iter().filter(|line| line.contains(words)).count()
}
