//! The last-seen times decide which contacts are dialed, and in which order.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};

use p2p_chat::model::key::PublicKey;
use p2p_chat::model::peer_id::PeerId;
use p2p_chat::model::stored::StoreOp;
use p2p_chat::store::{HISTORY_FILE, Sqlite};

use super::*;
use crate::support::{nobody, secure::now};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// Contacts that are dialed at a time, at most.
const AT_A_TIME: usize = 32;

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

/// A silent listener at an address.
struct Silent {
    listener: TcpListener,
    accepted: Option<TcpStream>,
    was_dialed: bool,
}

impl Silent {
    fn at(addr: SocketAddrV4) -> Self {
        let listener = TcpListener::bind(addr).expect("the port is free there");
        listener.set_nonblocking(true).expect("an option");
        Self { listener, accepted: None, was_dialed: false }
    }

    /// Accepts a pending connection. Returns whether one is open.
    fn is_being_dialed(&mut self) -> bool {
        if let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true).expect("an option");
            assert!(self.accepted.is_none(), "one address is dialed twice at a time");
            (self.accepted, self.was_dialed) = (Some(stream), true);
        }
        let mut buffer = [0; 64];
        let is_open = |stream: &mut TcpStream| loop {
            match stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        };
        if !self.accepted.as_mut().is_some_and(is_open) {
            self.accepted = None;
        }
        self.accepted.is_some()
    }
}

#[test]
fn contacts_are_dialed_in_order_with_a_limit() {
    const CONTACTS: u8 = 40;
    let data = data();
    let port = nobody().port();
    // Each has its own address, because the limit on simultaneous dials is shared by source.
    let addr = |n: u8| SocketAddrV4::new(Ipv4Addr::new(127, 0, 7, n), port);
    let key = |n: u8| PublicKey::new([n; 32]);
    let entry_of = |n: u8| entry(&key(n).to_string(), &format!("addresses = [\"{}\"]\n", addr(n)));
    profile("Alice", &data, &(1..=CONTACTS).map(entry_of).collect::<Vec<_>>().join("\n"));
    // The last contact in the file was seen most recently.
    were_seen(&data, "alice", (1..=CONTACTS).map(|n| (key(n), u64::from(CONTACTS - n + 1) * HOUR)));
    let mut contacts: Vec<Silent> = (1..=CONTACTS).map(|n| Silent::at(addr(n))).collect();
    let _alice = started("Alice", &data).start();
    let mut first: Option<Vec<bool>> = None;
    until("all are dialed", || {
        let open = contacts.iter_mut().map(Silent::is_being_dialed).filter(|is_open| *is_open).count();
        assert!(open <= AT_A_TIME, "{open} at a time");
        let dialed: Vec<bool> = contacts.iter().map(|contact| contact.was_dialed).collect();
        if open == AT_A_TIME && first.is_none() {
            first = Some(dialed.clone());
            // The others get their turn.
            contacts.iter_mut().for_each(|contact| contact.accepted = None);
        }
        dialed.iter().all(|was_dialed| *was_dialed)
    });
    let first = first.expect("the limit is used");
    let seen_first: Vec<bool> =
        (0..usize::from(CONTACTS)).map(|at| at >= contacts.len() - AT_A_TIME).collect();
    assert_eq!(first, seen_first, "the first are those that were seen last");
}
