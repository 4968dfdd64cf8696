//! A peer that is known by a key, and may be at one of several addresses.

use super::times;
use crate::support::{Peer, SecurePeer, nobody};

/// A peers.toml in which Bob has this key, and is at these addresses.
fn listed(key: &str, first: impl ToString, others: &[String]) -> String {
    let (first, others) = (first.to_string(), others.join("\", \""));
    format!("[[peer]]\naddress = \"{first}\"\nname = \"Bob\"\nkey = \"{key}\"\naddresses = [\"{others}\"]\n")
}

#[test]
fn second_address_is_used_if_first_is_empty() {
    let mut bob = Peer::named("Bob").start();
    let dead = nobody();
    let peers = listed(&bob.key(), dead, &[bob.addr().to_string()]);
    let mut alice = Peer::named("Alice").saved_peers(&peers).start();
    alice.says("Bob", "wherever you are");
    bob.sees(&format!("{}: wherever you are", alice.encrypted()));
    alice.has_seen(&format!("Delivered to {}", bob.name()));
    // He is one person, where he was found; and answers.
    alice.types(&["2"]);
    alice.sees("1 peer, 1 online.");
    assert!(alice.lists(bob.addr()).expect("listed").ends_with("  encrypted"));
    assert_eq!(alice.lists(dead), None);
    bob.says("Alice", "here");
    alice.sees(&format!("{}: here", bob.encrypted()));
    assert_eq!(times(&bob, ": wherever you are"), 1);
}

#[test]
fn second_address_is_used_if_first_is_taken() {
    let mut bob = Peer::named("Bob").start();
    let mallory = SecurePeer::named("Bob", b'M');
    let peers = listed(&bob.key(), mallory.addr(), &[bob.addr().to_string()]);
    let mut alice = Peer::named("Alice").saved_peers(&peers).start();
    alice.says("Bob", "for you alone");
    bob.sees(&format!("{}: for you alone", alice.encrypted()));
    alice.has_seen(&format!("Delivered to {}", bob.name()));
    let got = mallory.got();
    assert_eq!((got.bodies(), got.said_plainly(), got.met.len()), (vec![], vec![], 0));
}
