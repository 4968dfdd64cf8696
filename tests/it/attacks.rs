//! Attacks on the encrypted exchange, each with the outcome that docs/SECURITY.md promises.
//!
//! Most use the real program. It dials ([`dialing`], [`promises`]) or is dialed ([`accepting`],
//! [`floods`], [`plain`], [`strangers`]) by a peer of the tests or by a man in the middle. The
//! effect of each single byte of a session is tested with the library ([`bytes`]), because a
//! thousand processes would take too long.
//!
//! [`strangers`] shows what a contact notices while strangers send countless messages, and
//! [`impostors`] while they pose as the contact.

mod accepting;
mod bytes;
mod decoys;
mod dialing;
mod floods;
mod impostors;
mod plain;
mod promises;
mod strangers;

use std::net::SocketAddrV4;

use p2p_chat::model::key::PublicKey;

use crate::support::{Builder, Peer};

/// Alice, who knows these from the start by their keys.
fn alice_who_trusts(others: &[(&str, SocketAddrV4, PublicKey)]) -> Builder {
    let entry = |(name, addr, key): &(&str, SocketAddrV4, PublicKey)| {
        format!("[[peer]]\naddress = \"{addr}\"\nname = \"{name}\"\nkey = \"{key}\"\n")
    };
    Peer::named("Alice").saved_peers(&others.iter().map(entry).collect::<String>())
}

/// Asserts that a peer was shown no line with these words.
fn never_saw(peer: &Peer, words: &str) {
    let printed = peer.printed();
    assert!(!printed.iter().any(|line| line.contains(words)), "`{words}` was shown: {printed:#?}");
}
