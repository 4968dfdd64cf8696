//! The bytes between two p2p-chat peers, as seen by a man in the middle.

use crate::support::{Meddler, Peer, SecurePeer, assert_sealed};

#[test]
fn nothing_readable_passes_between_two_p2p_chats() {
    let (to_bob, bob) = Meddler::in_the_only_way_to(Peer::named("Bob"));
    let (to_alice, alice) = Meddler::in_the_only_way_to(Peer::named("Alice"));
    let (mut bob, mut alice) = (bob.start(), alice.start());
    let texts = ["the first text of all", "and the second one"];
    for text in texts {
        alice.says(&to_bob.addr().to_string(), text);
        alice.sees(&format!("Delivered to {}.", bob.name()));
        bob.sees(&format!("{} [encrypted]: {text}", alice.shown()));
    }
    bob.says("Alice", "an answer");
    bob.sees(&format!("Delivered to {}.", alice.name()));
    alice.has_seen(&format!("{} [encrypted]: an answer", bob.shown()));
    // Both are told once whom they speak to.
    let word = " (new, key ";
    let keys = [&alice, &bob]
        .map(|peer| peer.has_seen(word).split(word).nth(1).expect("a key").replace([' ', '.'], ""));
    alice.types(&["0"]);
    alice.ends();
    bob.sees(&format!("* {} left", alice.shown()));
    bob.types(&["0"]);
    bob.ends();

    let secrets = [&texts[..], &["an answer", "Alice", "Bob", &keys[0], &keys[1]]].concat();
    let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.as_bytes()).collect();
    for meddler in [&to_bob, &to_alice] {
        assert!(!meddler.opened().is_empty());
    }
    for wire in to_bob.wires().into_iter().chain(to_alice.wires()) {
        if wire.opened {
            assert_sealed(&wire, &secrets);
            continue;
        }
        // In plain there is the question that settles how they speak, and nothing else.
        let said = String::from_utf8_lossy(&wire.up);
        let asked = format!("{} Alice connect", alice.addr());
        let answered = format!("{} Bob connect_ack", bob.addr());
        assert!(said.is_empty() || said == asked || said == answered, "{said}");
    }
}

#[test]
fn multiline_and_longest_messages_arrive_unchanged() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = Peer::named("Alice").start();
    bob.says(alice.addr(), &["one\n  two\n[14:03:07] Carol: three"]);
    alice.sees(&format!("{} [encrypted]: one", bob.shown()));
    assert_eq!(alice.sees("two"), "  │   two");
    assert_eq!(alice.sees("three"), "  │ [14:03:07] Carol: three");
    let longest = "ü".repeat(p2p_chat::protocol::session::MAX_TEXT_BYTES / 2);
    bob.says(alice.addr(), &[&longest]);
    let line = alice.sees("üü");
    assert!(
        line.ends_with(&format!("{} [encrypted]: {longest}", bob.shown())),
        "it has {} bytes",
        line.len()
    );
    alice.still_answers();
}
