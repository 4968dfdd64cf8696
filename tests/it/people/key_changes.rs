//! An unknown key that claims a contact's name is a pending key change, wherever it comes from.

use crate::support::{Peer, SecurePeer};

use super::*;

/// The beginning of a key, as it is shown.
fn beginning(peer: &SecurePeer) -> String {
    peer.key().to_string().chars().take(4).collect()
}

/// Starts a stranger with this name at a new address. Checks that nothing from it is shown and that
/// messages for Bob, under the name `bob_is`, reach Bob. Returns the stranger.
fn is_pending(carol: &mut Peer, bob: &dyn Recipient, name: &str, bob_is: &str) -> SecurePeer {
    let other = SecurePeer::named(name, b'M');
    let taken = says_as(&other, carol.addr(), other.hello(), "I am Bob");
    // The user sees the key and has to decide.
    carol.has_seen(&beginning(&other));
    carol.types(&[&format!("@{bob_is} for Bob alone")]);
    reaches_only(carol, "for Bob alone", bob, &[&other]);
    never_got(carol, ": I am Bob");
    assert!(!taken, "a pending key gets no receipt");
    carol.has_seen("/trust");
    other
}

fn carol_and_bob() -> (Peer, Peer) {
    let bob = Peer::named("Bob").start();
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob);
    (carol, bob)
}

#[test]
fn new_key_with_a_contacts_name_waits() {
    let (mut carol, bob) = carol_and_bob();
    is_pending(&mut carol, &bob, "Bob", "bob");
}

#[test]
fn new_key_with_a_contacts_alias_waits() {
    let (mut carol, bob) = carol_and_bob();
    carol.types(&["/alias bob Boss"]);
    carol.has_seen("Boss");
    is_pending(&mut carol, &bob, "ＢＯＳＳ", "boss");
}

#[test]
fn new_key_named_like_an_offline_contact_waits() {
    let (bob, carol) = (Person::named("Bob"), Person::named("Carol"));
    let (bob_runs, mut carol_runs) = (bob.starts(), carol.starts());
    befriends(&mut carol_runs, &bob_runs);
    drop(bob_runs);
    carol_runs.leaves();
    let mut carol = carol.starts();
    let mark = sends(&mut carol, &["@bob for Bob alone"]);
    carol.says_it_waits(mark, "Bob");
    let other = SecurePeer::named("Ｂｏｂ", b'M');
    let taken = says_as(&other, carol.addr(), other.hello(), "I am Bob");
    carol.has_seen(&beginning(&other));
    let bob = bob.comes_to(nobody(), carol.addr());
    reaches_only(&carol, "for Bob alone", &bob, &[&other]);
    never_got(&carol, ": I am Bob");
    assert!(!taken, "a pending key gets no receipt");
}

#[test]
fn block_refuses_only_the_new_key() {
    let (mut carol, bob) = carol_and_bob();
    let other = is_pending(&mut carol, &bob, "Bob", "bob");
    carol.types(&["/block bob", "@bob still for the first"]);
    reaches_only(&carol, "still for the first", &bob, &[&other]);
    assert!(!says_as(&other, carol.addr(), other.hello(), "let me in"), "it is blocked");
    never_got(&carol, ": let me in");
}

#[test]
fn newcomer_at_a_contacts_address_raises_no_alarm() {
    let bob = Person::named("Bob");
    let bob_runs = bob.starts();
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob_runs);
    drop(bob_runs);
    let zed = SecurePeer::at("Zed", b'Z', bob.home);
    let taken = says_as(&zed, carol.addr(), zed.hello(), "hello from Zed");
    assert!(taken, "a newcomer was refused:\n{}", carol.received().join("\n"));
    carol.has_seen(": hello from Zed");
    let mark = sends(&mut carol, &["@bob for Bob alone"]);
    carol.types(&["@zed for Zed alone"]);
    zed.hears("for Zed alone");
    never_got(&zed, "for Bob alone");
    carol.says_it_waits(mark, "Bob");
    let bob = bob.comes_to(nobody(), carol.addr());
    reaches_only(&carol, "for Bob alone", &bob, &[&zed]);
    never_got(&bob, "for Zed alone");
    for alarm in ["has changed", "WARNING", "/trust"] {
        never_got(&carol, alarm);
    }
}
