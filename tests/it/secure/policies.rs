//! What happens to strangers under `--policy ask` and `--policy strict`.

use super::times;
use crate::support::{Builder, Peer, grouped};

/// The entry for a peer with its key in peers.toml.
fn listed(name: &str, peer: &Peer) -> String {
    format!("[[peer]]\naddress = \"{}\"\nname = \"{name}\"\nkey = \"{}\"\n", peer.addr(), peer.key())
}

fn with_policy(policy: &str) -> Builder {
    Peer::named("Bob").arg("--policy").arg(policy)
}

#[test]
fn accepted_message_request_shows_its_message_once() {
    let mut bob = with_policy("ask").start();
    let mut alice = Peer::named("Alice").start();
    alice.says(&bob.addr().to_string(), "may I come in?");
    bob.sees(&format!(
        "* {} wants to chat, key {}. /accept Alice or /block Alice.",
        alice.shown(),
        grouped(&alice.key())
    ));
    alice.sees(" has not accepted you yet; your message waits.");
    // However often she comes, neither is told of it again.
    alice.says("", "are you there?");
    alice.sees(" has not accepted you yet; your message waits.");
    bob.types(&["2", "/requests"]);
    bob.sees(&format!("* {} wants to chat, key ", alice.shown()));
    assert_eq!((times(&bob, "may I come in?"), times(&bob, "are you there?")), (0, 0));
    // Nor does anything go out to her.
    bob.types(&[&format!("@{} hello", alice.addr())]);
    let line = bob.sees("Not sent to ");
    let words = ": Alice's key waits for your decision: /accept Alice or /block Alice.";
    assert!(line.ends_with(words), "{line}");
    bob.types(&["@alice hello"]);
    bob.sees("Alice's key waits for your decision: /accept Alice or /block Alice.");
    bob.types(&["/ignore alice"]);
    bob.sees(
        "No introduction matches \"alice\". Alice's key waits for your decision: /accept Alice or /block",
    );

    bob.types(&["/accept alice"]);
    bob.sees("Added Alice to your contacts. Compare keys with /verify Alice.");
    bob.sees(&format!("{}: may I come in?", alice.encrypted()));
    bob.sees(&format!("{}: are you there?", alice.encrypted()));
    alice.has_seen(&format!("Delivered to {}: \"may I come in?\"", bob.name()));
    alice.has_seen(&format!("Delivered to {}: \"are you there?\"", bob.name()));
    bob.says("Alice", "come in");
    alice.sees(&format!("{}: come in", bob.encrypted()));
    assert_eq!((times(&bob, ": may I come in?"), times(&bob, ": are you there?")), (1, 1));
    assert_eq!(times(&alice, ": hello"), 0);
    let told = (times(&alice, "has not accepted you yet."), times(&alice, " (new, key "));
    assert_eq!(told, (0, 1), "{:#?}", alice.printed());
}

#[test]
fn held_message_is_shown_after_its_sender_left() {
    let mut bob = with_policy("ask").start();
    let mut alice = Peer::named("Alice").start();
    alice.says(&bob.addr().to_string(), "may I come in?");
    alice.sees(" has not accepted you yet; your message waits.");
    bob.sees(" wants to chat, key ");
    // When she is refused a second time, the first message has gone out.
    alice.says("", "are you there?");
    alice.sees(" has not accepted you yet; your message waits.");
    alice.crashes();
    bob.types(&["/accept alice"]);
    bob.sees(": may I come in?");
}

#[test]
fn strict_policy_refuses_strangers_and_talks_to_contacts() {
    let mut carol = Peer::named("Carol").start();
    let mut bob = with_policy("strict").saved_peers(&listed("Carol", &carol)).start();
    carol.meets(&bob);
    bob.sees(&format!("* {} is online", carol.shown()));
    let mut alice = Peer::named("Alice").start();
    alice.says(&bob.addr().to_string(), "let me in");
    // Whether she knows his name by then depends on which of his connections came first.
    let line = alice.sees("Not sent to ");
    let words = "they do not accept messages from you.";
    assert!(line.contains(&bob.addr().to_string()) && line.ends_with(words), "{line}");
    // There is nothing to decide, and what she asked in plain makes her nobody with a key.
    bob.types(&["/requests"]);
    bob.sees("No requests are waiting for your decision.");
    assert_eq!(bob.lists(alice.addr()), None);
    carol.says("Bob", "you know me");
    bob.sees(&format!("{}: you know me", carol.encrypted()));
    bob.says("Carol", "I do");
    carol.sees(&format!("{}: I do", bob.encrypted()));
    assert_eq!(times(&bob, "let me in") + times(&bob, "is new"), 0, "{:?}", bob.printed());
}

#[test]
fn refused_key_is_shown_once_and_addable() {
    let mut bob = with_policy("strict").start();
    let mut dave = Peer::named("Dave").start();
    for text in ["let me in", "please"] {
        dave.says(&bob.addr().to_string(), text);
        dave.sees("Not sent to ");
    }
    let end = ", policy strict): /add Dave";
    bob.sees(end);
    bob.types(&["/accept dave"]);
    let line = bob.sees("Refused Dave (key ");
    assert!(line.ends_with(end), "{line}");
    assert_eq!(times(&bob, "* Refused "), 1, "{:#?}", bob.printed());
    bob.types(&["/add dave"]);
    bob.sees("Added Dave to your contacts. Compare keys with /verify Dave.");
    dave.says(&bob.addr().to_string(), "thank you");
    bob.sees(&format!("{}: thank you", dave.encrypted()));
    bob.says("Dave", "welcome");
    dave.sees(&format!("{}: welcome", bob.encrypted()));
    assert_eq!(times(&bob, "let me in") + times(&bob, "please"), 0, "{:#?}", bob.printed());
}

#[test]
fn typed_address_accepts_the_key_there() {
    for policy in ["ask", "strict"] {
        for command in ["/connect", "/add", "@"] {
            let mut bob = with_policy(policy).start();
            let mut dave = Peer::named("Dave").start();
            match command {
                "@" => bob.says(&dave.addr().to_string(), "hello"),
                _ => bob.types(&[&format!("{command} {}", dave.addr()), "@dave hello"]),
            }
            dave.sees(&format!("{}: hello", bob.encrypted()));
            dave.says("Bob", "hello too");
            bob.sees(&format!("{}: hello too", dave.encrypted()));
            bob.types(&["/contacts"]);
            bob.sees("Dave: online, key ");
            for words in ["wants to chat", "Refused"] {
                assert_eq!(times(&bob, words), 0, "{policy} {command}: {:#?}", bob.printed());
            }
        }
    }
}

#[test]
fn static_peer_is_accepted_under_every_policy() {
    for policy in ["ask", "strict"] {
        let mut dave = Peer::named("Dave").start();
        let mut bob = with_policy(policy).knows(dave.addr()).start();
        bob.meets(&dave);
        dave.says("Bob", "hello");
        bob.sees(&format!("{}: hello", dave.encrypted()));
        for words in ["offline", "wants to chat", "Refused"] {
            assert_eq!(times(&bob, words), 0, "{policy}: {:#?}", bob.printed());
        }
    }
}
