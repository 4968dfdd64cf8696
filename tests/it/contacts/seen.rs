//! The last-seen times decide which contacts are dialed, and in which order.

use p2p_chat::model::key::PublicKey;
use p2p_chat::model::peer_id::PeerId;
use p2p_chat::model::stored::StoreOp;
use p2p_chat::store::{HISTORY_FILE, Sqlite};

use super::*;
use crate::support::secure::now;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// Stores that these peers were last seen this number of milliseconds ago.
fn were_seen(data: &TempDir, profile: &str, peers: impl Iterator<Item = (PublicKey, u64)>) {
    let path = file(data.path(), profile).with_file_name(HISTORY_FILE);
    let mut store = Sqlite::open(&path).expect("a store");
    let mut peers: Vec<(u64, PublicKey)> = peers.map(|(key, ago)| (ago, key)).collect();
    peers.sort();
    let now = now();
    // The clock of the store must not go back.
    for (ago, key) in peers.into_iter().rev() {
        let seen = StoreOp::Seen { peer: PeerId::Key(key), name: None, contact: true, addrs: Vec::new() };
        store.apply(&[seen], now - ago).expect("written");
    }
}

fn key_of(peer: &Peer) -> PublicKey {
    peer.key().parse().expect("a key")
}

#[test]
fn dormant_contact_is_dialed_when_written_to() {
    let data = data();
    let [mut long_ago, recent, never] = ["Bob", "Carol", "Dave"].map(|name| Peer::named(name).start());
    let entry_of = |peer: &Peer| {
        entry(&peer.key(), &format!("name = \"{}\"\naddresses = [\"{}\"]\n", peer.name(), peer.addr()))
    };
    profile("Alice", &data, &[&long_ago, &recent, &never].map(entry_of).join("\n"));
    let ago = [(key_of(&long_ago), 31 * DAY), (key_of(&recent), 29 * DAY)];
    were_seen(&data, "alice", ago.into_iter());
    let mut alice = started("Alice", &data).start();
    // If Bob were dialed at the start, it would be before Dave, who was never seen.
    for peer in [&recent, &never] {
        alice.has_seen(&format!("* {} is online", peer.shown()));
    }
    lists_one(&mut alice, &["Bob: last seen 31 days ago"]);
    assert!(!long_ago.printed().iter().any(|line| line.contains("Alice")), "{:?}", long_ago.printed());
    alice.types(&["@bob are you still there?"]);
    long_ago.sees(": are you still there?");
    lists_one(&mut alice, &["Bob: online"]);
}
