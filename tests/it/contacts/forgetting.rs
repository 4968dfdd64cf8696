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

#[test]
fn conversation_ends_when_its_entry_is_removed() {
    let data = data();
    let (mut alice, bob) = talking(&data);
    until("Bob is saved", || toml(&data, "alice").contains(&bob.key()));
    alice.types(&["/chat bob"]);
    alice.sees("/back");
    let without = toml(&data, "alice").split("\n[[contact]]").next().expect("a title").to_owned() + "\n";
    edits(&data, "alice", &without);
    alice.sees("Bob is no longer a contact");
    alice.types(&["line two"]);
    alice.sees("Not sent: a message needs a recipient");
}

#[test]
fn withdrawn_message_is_refused_with_its_reason() {
    let data = data();
    let (mut alice, bob) = talking(&data);
    leaves(bob);
    alice.sees("* Bob (");
    alice.types(&["@bob are you there?"]);
    alice.sees("is offline; will deliver");
    alice.types(&["/forget bob", "yes"]);
    alice.sees("Not delivered to Bob");
    alice.sees("Removed Bob from your contacts");
    alice.types(&["/outbox again 1"]);
    alice.sees("Not sent to Bob");
    alice.still_answers();
    let printed = alice.printed();
    assert!(printed.iter().any(|line| line.ends_with(": you have forgotten their key.")), "{printed:?}");
}
