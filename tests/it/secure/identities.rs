//! An identity outlasts the process, on both sides.

use tempfile::TempDir;

use super::{times, with_data};
use crate::support::{Capability, Peer, SecurePeer, copy_directory, nobody};

#[test]
fn key_and_not_name_identifies_a_returning_peer() {
    let (data, home) = (TempDir::new().expect("a directory"), nobody());
    let mut bob = with_data("Bob", data.path()).port(home.port()).start();
    let mut alice = Peer::named("Alice").start();
    alice.says(&bob.addr().to_string(), "who are you?");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    bob.crashes();
    let mut bob = with_data("Bob", data.path()).port(home.port()).start();
    bob.says(&alice.addr().to_string(), "the same as ever");
    alice.sees(&format!("{} [encrypted]: the same as ever", bob.shown()));
    assert_eq!(times(&alice, " (new, key "), 1);
    bob.crashes();

    let mut other = Peer::named("Bob").port(home.port()).start();
    other.says(&alice.addr().to_string(), "Bob, as you see");
    alice.sees("! WARNING: Bob's key has changed.");
    assert_eq!(times(&alice, "Bob, as you see"), 0);
    alice.says("Bob", "for Bob alone");
    alice.sees("Your message waits for Bob.");
    assert_eq!(times(&other, "for Bob alone"), 0);
    // As soon as he is there himself, he has it.
    other.crashes();
    let bob = with_data("Bob", data.path()).port(home.port()).start();
    bob.has_seen(&format!("{} [encrypted]: for Bob alone", alice.shown()));
}

#[test]
fn contact_is_recognized_after_a_restart_without_plaintext() {
    let data = TempDir::new().expect("a directory");
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = with_data("Alice", data.path()).start();
    alice.says(&bob.addr().to_string(), "the first time");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    alice.types(&["0"]);
    alice.ends();
    let before = bob.got().said_plainly().len();

    // Whatever a receipt says now, nobody asks for it.
    bob.says_it_is(Capability::None);
    let mut alice = with_data("Alice", data.path()).start();
    alice.says(&bob.addr().to_string(), "and again");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    assert_eq!(times(&alice, " (new, key "), 0);
    let got = bob.got();
    assert_eq!(got.bodies(), ["the first time", "and again"]);
    assert_eq!(got.said_plainly().len(), before, "{:?}", got.plain);
    assert_eq!(got.met.first().map(|met| met.0), got.met.last().map(|met| met.0), "her key is the same");
}

#[test]
fn programs_sharing_a_key_both_learn_it() {
    let (first, second) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let mut bob = Peer::named("Bob").start();
    let mut alice = with_data("Alice", first.path()).start();
    alice.says(&bob.addr().to_string(), "from the desk");
    bob.sees("[encrypted]: from the desk");
    alice.types(&["0"]);
    alice.ends();
    copy_directory(first.path(), second.path());
    let alice = with_data("Alice", first.path()).start();
    bob.sees(&format!("* {} is online", alice.shown()));
    let mut other = with_data("Alice", second.path()).start();
    for one in [&alice, &other] {
        one.has_seen("Your identity is also in use at 127.0.0.1.");
    }
    // Messages go to the one that was there first, and nobody is told twice.
    bob.says("alice", "which of you is it?");
    alice.has_seen("[encrypted]: which of you is it?");
    other.says(&bob.addr().to_string(), "it is me");
    other.sees_queued();
    for one in [&alice, &other] {
        assert_eq!(times(one, "Your identity is also in use"), 1);
    }
    assert_eq!(times(&other, "which of you"), 0);
}
