//! Strangers that pose as a contact, by its name or a similar one. The user is told, and messages
//! for the contact reach only the contact.

use std::net::Ipv4Addr;

use p2p_chat::model::session::ByeReason;

use super::{alice_who_trusts, never_saw};
use crate::support::secure::Ended;
use crate::support::{Peer, SecurePeer};

/// Addresses from which invented keys come.
const SOURCES: u8 = 4;

/// Invented keys from each.
const KEYS_OF_EACH: u8 = 4;

/// A peer called Bob at this machine.
fn bob_at(last: u8, number: u32) -> SecurePeer {
    SecurePeer::numbered("Bob", number, Ipv4Addr::new(127, 0, 90, last))
}

/// Dials Alice, who lets it wait for her user.
fn waits(peer: &SecurePeer, alice: &Peer) {
    let met = peer.greets(alice.addr());
    assert!(matches!(met, Err(Ended::Bye(ByeReason::NotDecided))), "{met:?}");
}

#[test]
fn invented_key_changes_hide_no_real_one() {
    let old = SecurePeer::named("Bob", b'B');
    let mut alice = alice_who_trusts(&[("Bob", old.addr(), old.key())]).start();
    old.says(alice.addr(), &["it is me."]);
    alice.has_seen(": it is me.");
    for number in 0..SOURCES * KEYS_OF_EACH {
        waits(&bob_at(number / KEYS_OF_EACH, number.into()), &alice);
    }
    // Bob has a new machine, with a new key, at a new address. Others go on inventing keys.
    let new = bob_at(200, 1_000);
    waits(&new, &alice);
    for number in 0..SOURCES * KEYS_OF_EACH {
        waits(&bob_at(number / KEYS_OF_EACH, 2_000 + u32::from(number)), &alice);
    }
    // Until the user decides, the key that they know is Bob.
    alice.types(&["@bob which of you is it?"]);
    old.hears("which of you is it?");
    // The question which of them it is names the real one.
    let beginning = |peer: &SecurePeer| peer.key().to_string()[..8].to_owned();
    alice.types(&["/trust bob"]);
    alice.sees(&format!("/trust {} (Bob at ", beginning(&new)));
    alice.types(&[&format!("/trust {}", beginning(&new)), "@bob welcome back."]);
    new.hears("welcome back.");
    new.says(alice.addr(), &["thank you."]);
    alice.has_seen(": thank you.");
    assert_eq!(old.got().bodies(), ["which of you is it?"]);
}

/// Names that look like Bob and are none of his.
const LIKE_BOB: [&str; 5] =
    ["B\u{43e}b", "Bob\u{16fe4}", "Bob\u{2d7f}", "Bob\u{ff08}verified\u{ff09}", "b0b"];

/// Names that are Bob's, in another form.
const BOB: [&str; 2] = ["\u{ff22}ob", "\u{1d401}ob"];

#[test]
fn lookalike_names_are_marked_and_get_nothing() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    bob.says(alice.addr(), &["it is me."]);
    alice.has_seen(": it is me.");
    let like: Vec<SecurePeer> =
        LIKE_BOB.iter().zip(1..).map(|(name, key)| SecurePeer::named(name, key)).collect();
    for (number, other) in like.iter().enumerate() {
        other.says(alice.addr(), &[&format!("trust me {number}.")]);
        let line = alice.has_seen(&format!(": trust me {number}."));
        assert!(line.contains("looks like Bob"), "{line}");
    }
    let same: Vec<SecurePeer> =
        BOB.iter().zip(101..).map(|(name, key)| SecurePeer::named(name, key)).collect();
    for other in &same {
        waits(other, &alice);
        alice.has_seen(&other.key().grouped().to_string());
    }
    alice.types(&["@bob for Bob alone."]);
    bob.hears("for Bob alone.");
    let line = alice.has_seen(": it is me.");
    assert!(!line.contains("looks like"), "{line}");
    for other in like.iter().chain(&same) {
        assert_eq!(other.got().bodies(), [""; 0], "{:?}", other.hello().name);
    }
}

#[test]
fn message_to_all_skips_peers_that_only_knocked() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    bob.says(alice.addr(), &["hello."]);
    alice.has_seen(": hello.");
    // One says `connect` in plain and no more. Another speaks in plain, as a legacy program.
    let (knocks, speaks) = (SecurePeer::named("Mallory", b'M'), SecurePeer::named("Nobody", b'N'));
    for peer in [&knocks, &speaks] {
        peer.says_it_is(crate::support::Capability::None);
    }
    assert!(knocks.says_plainly(alice.addr(), "connect").starts_with("[ACK]"));
    assert!(speaks.says_plainly(alice.addr(), "let me in.").starts_with("[ACK]"));
    alice.has_seen(": let me in.");
    alice.types(&["@all for contacts."]);
    bob.hears("for contacts.");
    alice.sees("left out");
    for peer in [&knocks, &speaks] {
        let got = peer.got();
        assert!(!got.said_plainly().iter().any(|said| said.contains("for contacts.")), "{got:?}");
        assert_eq!(got.bodies(), [""; 0]);
    }
    never_saw(&alice, "Delivered to Mallory");
}
