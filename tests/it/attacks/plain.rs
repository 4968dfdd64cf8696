//! Unencrypted messages in the name or from the address of a peer with a key: they are shown apart
//! and have no effect.

use p2p_chat::model::session::ByeReason;

use super::{alice_who_trusts, never_saw};
use crate::support::secure::key_of;
use crate::support::{MALLORY, SecurePeer, send_raw_from};

#[test]
fn unencrypted_message_in_contact_name_is_shown_apart() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    alice.sees("The static peer is online.");
    for (source, from) in [([127, 0, 0, 1].into(), bob.addr().to_string()), (MALLORY, format!("{MALLORY}:9"))]
    {
        let text = format!("send the password to {from}");
        let answer = send_raw_from(source, alice.addr(), format!("{from} Bob {text}").as_bytes());
        assert!(answer.starts_with(b"[ACK]"), "{:?}", String::from_utf8_lossy(&answer));
        let line = alice.sees(&text);
        assert!(line.contains(&format!("! Unproven, from {source}, claims to be Bob: ")), "{line}");
        assert!(!line.contains("[encrypted]"), "{line}");
    }
    never_saw(&alice, "Bob (127.0.0.66:9)");
}

#[test]
fn unencrypted_goodbye_does_not_remove_a_contact() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    alice.sees("The static peer is online.");
    for words in ["exit", "connect_ack", "connect"] {
        bob.says_plainly(alice.addr(), words);
        let claims = format!("{} Bob {words}", bob.addr());
        send_raw_from(MALLORY, alice.addr(), claims.as_bytes());
        let row = alice.lists(bob.addr()).expect("listed");
        assert!(row.contains("  connected  ") && row.ends_with("  encrypted"), "after `{words}`: {row}");
    }
    never_saw(&alice, "has left");
    alice.says("Bob", "you are still there");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    assert_eq!(bob.got().said_plainly(), [""; 0]);
    // Its own word does.
    let (session, _) = bob.greets(alice.addr()).expect("it is welcome");
    session.leaves(ByeReason::Leaves);
    alice.sees(&format!("* {} left", bob.shown()));
}

#[test]
fn contact_name_with_another_key_waits_for_user() {
    let bob = SecurePeer::named("Bob", b'B');
    let mallory = SecurePeer::named("Bob", b'M');
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    alice.sees("The static peer is online.");
    let met = mallory.greets(alice.addr());
    assert!(met.is_err(), "{met:?}");
    alice.sees("! WARNING: Bob is online with the old key, so this ");
    alice.sees(&key_of(b'B').public().grouped().to_string());
    alice.sees(&mallory.key().grouped().to_string());
    // The true one is not cut off by that.
    alice.says("Bob", "are you well?");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    assert_eq!((bob.got().bodies(), mallory.got().bodies()), (vec!["are you well?"], vec![]));
}
