//! Texts for a peer that the user has forgotten: each is refused.

use super::*;

/// Alice and Bob, who is her contact and has written to her.
fn talking(data: &TempDir) -> (Peer, Peer) {
    let (mut alice, mut bob) = together(data);
    bob.says("Alice", "hello yourself");
    alice.sees(": hello yourself");
    (alice, bob)
}

#[test]
fn conversation_ends_when_its_peer_is_forgotten() {
    let data = data();
    let (mut alice, _bob) = talking(&data);
    alice.types(&["/chat bob", "/forget bob", "yes", "line two"]);
    alice.sees("Removed Bob from your contacts. Messages stay in the history.");
    alice.sees("Not sent: a message needs a recipient");
    assert!(!alice.printed().iter().any(|line| line.contains("conversation ends")));
    // It is no default recipient any more, and no reply goes to it.
    alice.types(&["1", ""]);
    alice.sees("Type a name, number, ip:port or all.");
    alice.types(&["/reply hey"]);
    alice.sees("There is no message to answer yet.");
}
