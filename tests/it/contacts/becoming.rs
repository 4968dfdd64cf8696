//! Which peers become contacts.

use super::*;
use crate::legacy::{Legacy, Program};

/// Whether contacts.toml has an entry for this key.
fn has(data: &TempDir, key: &str) -> bool {
    toml(data, "alice").contains(&format!("key = \"{key}\"\n"))
}

#[test]
fn writing_by_name_or_address_makes_a_contact() {
    let data = data();
    let [mut bob, mut carol] = ["Bob", "Carol"].map(|name| Peer::named(name).start());
    let mut alice = started("Alice", &data).knows(bob.addr()).start();
    alice.meets(&bob);
    alice.types(&["@bob hello"]);
    bob.sees(": hello");
    alice.types(&[&format!("@{} hello", carol.addr())]);
    carol.sees(": hello");
    for peer in [&bob, &carol] {
        until("a contact", || has(&data, &peer.key()));
    }
    alice.leaves();
    assert_eq!(contacts("Alice", &data).len(), 2);
}

#[test]
fn adding_an_empty_address_says_nothing_was_added() {
    let mut alice = Peer::named("Alice").start();
    alice.types(&[&format!("/add {}", crate::support::nobody())]);
    alice.sees("Not connected to ");
    alice.sees("No contact was added.");
}

#[test]
fn automated_replies_make_no_contact() {
    let data = data();
    let mut alice = started("Alice", &data).start();
    let knights = Legacy::start(Program::CryptoKnights);
    knights.connect(alice.addr()).expect("she listens");
    // Alice answers with connect_ack.
    assert!(knights.wait_connected(|peers| peers.contains(&alice.addr()), SOON));
    alice.sees("is online");
    alice.leaves();
    assert!(!toml(&data, "alice").contains("[[contact]]"), "{}", toml(&data, "alice"));
}

#[test]
fn alias_verify_and_add_make_a_contact() {
    let data = data();
    let mut alice = started("Alice", &data).start();
    let [bob, carol, dave] = ["Bob", "Carol", "Dave"].map(|name| {
        let mut peer = Peer::named(name).knows(alice.addr()).start();
        peer.meets(&alice);
        peer
    });
    for peer in [&bob, &carol, &dave] {
        alice.has_seen(&format!("* {} is online", peer.shown()));
    }
    alice.types(&["/alias bob Boss"]);
    alice.sees("is now called Boss");
    alice.types(&["/verify carol", "yes"]);
    alice.sees("verified");
    alice.types(&["/add dave"]);
    alice.sees(" to your contacts.");
    let unmet = "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq";
    alice.types(&[&format!("/add {unmet}")]);
    alice.sees(" to your contacts.");
    for key in [&bob.key(), &carol.key(), &dave.key(), unmet] {
        until("a contact", || has(&data, key));
    }
    let text = toml(&data, "alice");
    assert!(text.contains("alias = \"Boss\"\n") && text.contains("verified = 2"), "{text}");
    // A crash loses nothing.
    alice.crashes();
    assert_eq!(contacts("Alice", &data).len(), 4);
}

#[test]
fn queued_message_makes_a_contact_after_restart() {
    let (data, bobs) = (data(), data());
    let mut bob = started("Bob", &bobs).start();
    let addr = bob.addr();
    bob.leaves();
    let mut alice = started("Alice", &data).start();
    alice.types(&[&format!("@{addr} hello")]);
    alice.sees(&format!("{addr} is offline; will deliver"));
    alice.leaves();
    let mut alice = started("Alice", &data).start();
    let mut bob = started("Bob", &bobs).port(addr.port()).start();
    bob.sees(": hello");
    alice.sees("Delivered to Bob");
    until("a contact", || has(&data, &bob.key()));
}

#[test]
fn queued_message_to_all_makes_no_contact() {
    let (data, bobs) = (data(), data());
    let mut alice = started("Alice", &data).start();
    let addr = alice.addr();
    let mut bob = started("Bob", &bobs).knows(addr).start();
    alice.meets(&bob);
    bob.meets(&alice);
    bob.is_stopped();
    alice.types(&["@all soup is ready"]);
    alice.sees("Queued for Bob");
    alice.crashes();
    bob.crashes();
    let mut alice = started("Alice", &data).port(addr.port()).start();
    let mut bob = started("Bob", &bobs).knows(addr).start();
    bob.sees(": soup is ready");
    alice.sees("Delivered to Bob");
    alice.leaves();
    assert!(!has(&data, &bob.key()), "{}", toml(&data, "alice"));
}
