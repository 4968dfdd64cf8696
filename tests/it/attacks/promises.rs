//! An unencrypted receipt only promises encryption, and anyone on the path can change it. It never
//! makes an encrypted peer less secure.

use super::{alice_who_trusts, never_saw};
use crate::support::meddler::{receipt, stripped};
use crate::support::secure::{Capability, key_of};
use crate::support::{Manner, Meddler, Peer, SecurePeer};

#[test]
fn key_stripped_at_first_contact_means_unencrypted() {
    let bob = SecurePeer::named("Bob", b'B');
    let meddler = Meddler::before(bob.addr());
    meddler.does(receipt(stripped));
    let mut alice = Peer::named("Alice").start();
    alice.says(&meddler.addr().to_string(), "can you read this?");
    alice.sees(&format!("Delivered to {}.", meddler.addr()));
    never_saw(&alice, "[encrypted]");
    assert!(bob.got().said_plainly().iter().any(|said| said.ends_with(" Alice can you read this?")));
    let row = alice.lists(meddler.addr()).expect("listed");
    assert!(row.ends_with("  unencrypted"), "{row}");
    // As soon as a receipt comes through, it is encrypted, without a word of the user.
    meddler.does(|_| crate::support::meddler::CommandKind::Pass);
    alice.says(&meddler.addr().to_string(), "and this?");
    alice.sees(" (new, key ");
    alice.says(&meddler.addr().to_string(), "but not this");
    alice.sees("Delivered to Bob.");
    assert_eq!(bob.got().bodies(), ["but not this"]);
}

#[test]
fn key_stripped_from_contact_changes_nothing() {
    let bob = SecurePeer::named("Bob", b'B');
    bob.says_it_is(Capability::None);
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    alice.says("Bob", "nobody is asked");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    // Nor by what it says in plain by itself.
    assert!(bob.says_plainly(alice.addr(), "connect").starts_with("[ACK]"));
    alice.says("Bob", "not any more either");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    assert_eq!(bob.got().bodies(), ["nobody is asked", "not any more either"]);
    assert_eq!(bob.got().said_plainly(), [""; 0]);
}

#[test]
fn unpromised_key_is_reported_and_gets_no_message() {
    let bob = SecurePeer::named("Bob", b'B');
    let promised = key_of(b'M').public();
    bob.says_it_is(Capability::Key(promised));
    let mut alice = Peer::named("Alice").start();
    alice.says(&bob.addr().to_string(), "what nobody else may read");
    alice.sees(&format!("The key at {} is not the one that the unencrypted receipt named.", bob.addr()));
    alice.sees(&format!("Receipt: {}", promised.grouped()));
    alice.sees(&format!("Proven:  {}", bob.key().grouped()));
    let got = bob.got();
    assert_eq!(got.texts, []);
    assert!(!got.said_plainly().iter().any(|said| said.contains("what nobody")), "{:?}", got.plain);
    never_saw(&alice, " (new, key ");
}

/// Returns the safety number that is shown to a peer for Bob, or for Alice.
fn code_for(peer: &mut Peer, other: &str) -> String {
    peer.types(&[&format!("/verify {other}")]);
    peer.sees("You should both see:");
    let line = peer.sees("  ");
    let code = line.trim().to_owned();
    assert!(code.split(' ').all(|group| group.bytes().all(|byte| byte.is_ascii_digit())), "{line}");
    assert_eq!(code.split(' ').map(str::len).sum::<usize>(), 30, "{line}");
    peer.types(&["no"]);
    code
}

/// At the first contact a key cannot be checked, so a man in the middle reads everything until both
/// users compare their safety numbers.
#[test]
fn man_in_the_middle_is_revealed_by_codes() {
    // Without a man in the middle they are equal.
    let mut bob = Peer::named("Bob").start();
    let mut alice = Peer::named("Alice").start();
    alice.says(&bob.addr().to_string(), "hello");
    bob.meets_at(&alice.shown());
    alice.meets_at(&bob.shown());
    assert_eq!(code_for(&mut alice, "bob"), code_for(&mut bob, "alice"));

    // Mallory is Bob to Alice, and Alice to Bob.
    let mut alice = Peer::named("Alice").start();
    let mut bob = Peer::named("Bob").start();
    let (to_alice, to_bob) = (SecurePeer::named("Bob", b'M'), SecurePeer::named("Alice", b'N'));
    alice.says(&to_alice.addr().to_string(), "who are you?");
    alice.meets_at(&to_alice.shown());
    to_alice.hears("who are you?");
    to_bob.says(bob.addr(), &["who are you?"]);
    bob.has_seen(&format!("{} [encrypted]: who are you?", to_bob.shown()));
    assert_ne!(code_for(&mut alice, "bob"), code_for(&mut bob, "alice"));

    // The true one is not taken for the one who was pinned.
    bob.says(&alice.addr().to_string(), "it is me");
    alice.sees("! WARNING: Bob is online with the old key, so this may be someone else.");
    alice.sees(&format!("  ! Old: {}", to_alice.key().grouped()));
    assert!(!alice.sees("  ! New: ").contains(&to_alice.key().grouped().to_string()));
    never_saw(&alice, ": it is me");
}

#[test]
fn word_without_a_key_promises_a_session() {
    for words in [" p2p-chat/1", " p2p-chat/1 aeaq", " p2p-chat/1 \u{1b}[2J"] {
        let bob = SecurePeer::named("Bob", b'B');
        bob.says_it_is(Capability::Words(words.into()));
        // He does not open one at first.
        bob.behaves(Manner::Says(b"no\n".to_vec()));
        let mut alice = Peer::named("Alice").start();
        alice.says(&bob.addr().to_string(), "only in a session");
        alice.sees(&format!("No encrypted session with {} yet; retrying.", bob.addr()));
        bob.behaves(Manner::Good);
        alice.sees(&format!("Delivered to {}", bob.name()));
        let got = bob.hears("only in a session");
        assert_eq!(got.bodies(), ["only in a session"], "{words:?}");
        assert!(got.said_plainly().iter().all(|said| said.ends_with(" Alice connect")), "{:?}", got.plain);
        crate::support::assert_harmless(alice.printed());
    }
}
