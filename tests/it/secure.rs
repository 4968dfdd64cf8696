//! Two of ours with each other, and one of ours where a program of old is, was, or will be.

mod delivery;
mod identities;
mod legacies;
mod policies;
mod several;
mod wire;
mod words;

use std::path::Path;

use p2p_chat::model::key::PublicKey;

use crate::support::{Builder, Peer};

/// A peer that keeps everything in `data`, so that it is the same when it is started again.
fn with_data(name: &str, data: &Path) -> Builder {
    Peer::named(name).arg("--data-dir").arg(data.display())
}

/// How often a peer was shown these words.
fn times(peer: &Peer, words: &str) -> usize {
    peer.printed().iter().filter(|line| line.contains(words)).count()
}

/// The key of a peer as a screen shows it.
fn in_groups(peer: &Peer) -> String {
    peer.key().parse::<PublicKey>().expect("a key").grouped().to_string()
}
