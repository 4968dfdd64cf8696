//! Contacts whose addresses change.

use super::*;

#[test]
fn contact_that_dials_from_another_port_is_recognized() {
    let (alices, bobs) = (data(), data());
    let mut bob = started("Bob", &bobs).start();
    let mut alice = started("Alice", &alices).start();
    alice.types(&[&format!("@{} hello", bob.addr())]);
    bob.sees(": hello");
    alice.sees("Delivered to Bob");
    bob.types(&["@alice hello yourself"]);
    alice.sees(": hello yourself");
    bob.leaves();
    // Bob is at another port, and Alice is his contact.
    let mut bob = started("Bob", &bobs).start();
    bob.has_seen("* Alice (");
    alice.types(&["@bob found you"]);
    bob.sees(": found you");
    let learned = alice.key();
    assert_eq!(contacts("Bob", &bobs).len(), 1, "{learned}");
    alice.leaves();
    bob.passes_all();
    // Alice dials his last address.
    let mut alice = started("Alice", &alices).start();
    alice.has_seen(&format!("* Bob ({}) is online", bob.addr()));
    alice.types(&["@bob still there?"]);
    bob.sees(": still there?");
    assert!(alice.printed().iter().all(|line| !line.contains(" (new, key ")));
    assert_eq!(contacts("Alice", &alices).len(), 1);
}

#[test]
fn connect_adds_the_proven_address_to_the_contact() {
    let (alices, bobs) = (data(), data());
    let mut bob = started("Bob", &bobs).start();
    let key = bob.key();
    profile("Alice", &alices, &entry(&key, "name = \"Bob\"\n"));
    let mut alice = started("Alice", &alices).start();
    lists_one(&mut alice, &["Bob: no known address"]);
    alice.types(&[&format!("/connect {}", bob.addr())]);
    bob.sees("* Alice (");
    let expected = entry(&key, &format!("name = \"Bob\"\naddresses = [\"{}\"]\n", bob.addr()));
    until("the address is saved", || toml(&alices, "alice") == expected);
    alice.leaves();
    // The second address precedes the first.
    bob.leaves();
    let bob = started("Bob", &bobs).start();
    let mut alice = started("Alice", &alices).start();
    alice.types(&[&format!("/connect {}", bob.addr())]);
    until("both are saved", || toml(&alices, "alice").contains(&format!("[\"{}\", \"", bob.addr())));
    assert_eq!(toml(&alices, "alice").matches("[[contact]]").count(), 1);
}
