//! A peer that is known by a key never gets unencrypted messages, for any command.

use crate::legacy::{Legacy, Program};
use crate::support::{Capability, Peer, SOON, SecurePeer};

use super::*;

#[test]
fn known_key_gets_nothing_plain_at_legacy_program() {
    let bob = Person::named("Bob");
    let bob_runs = bob.starts();
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob_runs);
    drop(bob_runs);
    let hashpa = Legacy::start_at(Program::Hashpa, bob.home).expect("the port is free");
    hashpa.send(carol.addr(), "hello from Hashpa").expect("Carol listens");
    carol.has_seen(": hello from Hashpa");
    let mark = sends(&mut carol, &["@bob for Bob alone"]);
    carol.types(&["@bob and this too", "/connect bob", "/outbox again all"]);
    let opening = |raw: &[Vec<u8>]| raw.iter().any(|bytes| bytes == b"P2P-CHAT/1\n");
    assert!(hashpa.wait_raw(opening, SOON), "{:?}", hashpa.received());
    carol.still_answers();
    never_got(&hashpa, "for Bob");
    never_got(&hashpa, "and this too");
    carol.says_it_waits(mark, "Bob");
    drop(hashpa);
    let bob = bob.comes_to(nobody(), carol.addr());
    reaches_only(&carol, "for Bob alone", &bob, &[]);
    reaches_only(&carol, "and this too", &bob, &[]);
}

#[test]
fn known_key_gets_nothing_plain_after_a_restart() {
    let carol = Person::named("Carol");
    let bob = SecurePeer::named("Bob", b'B');
    let mut carol_runs = carol.starts();
    befriends_secure(&mut carol_runs, &bob);
    carol_runs.leaves();
    let before = bob.got().said_plainly().len();
    bob.says_it_is(Capability::None);
    let mut carol = carol.starts();
    // His unencrypted message changes nothing.
    assert!(bob.says_plainly(carol.addr(), "connect").starts_with("[ACK]"));
    carol.types(&["@bob by name", &format!("@{} by address", bob.addr()), "@all to all"]);
    for words in ["by name", "by address"] {
        bob.hears(words);
    }
    carol.leaves();
    assert_eq!(bob.got().said_plainly().len(), before, "{:?}", bob.got().plain);
}
