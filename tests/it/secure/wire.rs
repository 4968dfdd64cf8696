//! The bytes between two p2p-chat peers, as seen by a man in the middle.

use crate::support::{Peer, SecurePeer};

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
