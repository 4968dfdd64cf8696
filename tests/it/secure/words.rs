//! What the user says about a key: that it is compared, taken, blocked, forgotten, or passed over
//! for one text. What takes protection away is asked back.

use super::times;
use crate::support::{Peer, grouped};

/// Alice and Bob, who have met and have written to each other.
fn acquainted() -> (Peer, Peer) {
    let mut bob = Peer::named("Bob").start();
    let mut alice = Peer::named("Alice").start();
    alice.says(&bob.addr().to_string(), "good morning");
    alice.meets(&bob);
    bob.meets(&alice);
    bob.has_seen(&format!("{}: good morning", alice.encrypted()));
    bob.says("Alice", "good morning to you");
    alice.has_seen(&format!("{}: good morning to you", bob.encrypted()));
    bob.sees(&format!("Delivered to {}.", alice.name()));
    (alice, bob)
}

/// Types `/verify`, and returns the code that is shown.
fn compares(peer: &mut Peer, other: &str) -> String {
    peer.types(&[&format!("/verify {other}")]);
    peer.sees("You should both see:");
    let code = peer.sees("  ").trim().to_owned();
    assert!(code.len() == 35 && code.bytes().all(|byte| byte == b' ' || byte.is_ascii_digit()), "{code}");
    code
}

#[test]
fn verified_mark_is_on_both_sides_and_stays() {
    let (mut alice, mut bob) = acquainted();
    let at_alice = alice.addr();
    let hers = compares(&mut alice, "bob");
    bob.sees(&format!("* {} wants to compare safety numbers: /verify Alice", alice.shown()));
    let his = compares(&mut bob, "alice");
    assert_eq!(hers, his);
    let asks = |peer: &Peer| peer.printed().iter().any(|line| line.contains("to type /verify too."));
    assert!(asks(&alice) && !asks(&bob), "she has asked him already");
    // Only a yes is one.
    alice.types(&["perhaps"]);
    alice.sees("Expected yes or no. Nothing changed.");
    assert_eq!(compares(&mut alice, "bob"), hers);
    alice.types(&["yes"]);
    alice.sees("Bob is verified.");
    bob.types(&["no"]);
    bob.sees("The numbers differ: someone may be intercepting your messages.");
    // What one of them says is nothing to the other.
    bob.says("Alice", "not yet");
    alice.sees(&format!("{} [verified]: not yet", bob.shown()));
    alice.says("Bob", "why not?");
    bob.sees(&format!("{}: why not?", alice.encrypted()));
    assert_eq!(compares(&mut bob, "alice"), his);
    bob.types(&["yes"]);
    bob.sees("Alice is verified.");
    alice.says("Bob", "at last");
    bob.sees(&format!("{} [verified]: at last", alice.shown()));
    for (mut peer, other) in [(alice, bob.addr()), (bob, at_alice)] {
        let row = peer.lists(other).expect("listed");
        assert!(row.ends_with("  verified"), "{row}");
    }
}

#[test]
fn blocked_key_is_cut_off_until_forgotten() {
    let (mut alice, mut bob) = acquainted();
    let beginning: String = bob.key().chars().take(8).collect();
    alice.types(&["/block bob"]);
    alice.sees(&format!(
        "Blocked Bob (key {beginning}…). Nothing is sent to them, and nothing from them is shown."
    ));
    alice.types(&["2"]);
    alice.sees("  blocked  ");
    alice.sees("0 peers, 0 online, 1 blocked.");
    bob.says("Alice", "why do you not answer?");
    // It was not sent, or it was sent in the session that ended just then.
    let to_alice = [format!("Not sent to {}", alice.name()), format!("Not delivered to {}", alice.name())];
    bob.sees_line("the refusal", |line| {
        to_alice.iter().any(|begin| line.starts_with(begin))
            && line.contains("they do not accept messages from you")
    });
    bob.types(&["2"]);
    bob.sees("  does not accept messages from you");
    alice.types(&[&format!("@{} not for you", bob.addr())]);
    alice.sees(&format!("Not sent to {}: Bob is blocked. /unblock {beginning} unblocks them.", bob.addr()));
    alice.types(&["@bob not for you"]);
    alice.sees("Bob is blocked");
    assert_eq!(times(&alice, "why do you not answer?") + times(&bob, "not for you"), 0);

    // The user is asked before his key counts again, as that of a new peer.
    alice.types(&[&format!("/forget {beginning}")]);
    alice.sees(" will no longer be blocked. If the key appears again, it is new to you.");
    alice.types(&["yes"]);
    alice.sees("Forgot Bob, who is no longer blocked.");
    bob.says("Alice", "and now?");
    alice.sees(&format!("{}: and now?", bob.encrypted()));
    assert_eq!(times(&alice, " (new, key "), 2);
}

#[test]
fn trusted_key_change_is_unverified_and_gets_messages() {
    let (mut alice, mut bob) = acquainted();
    compares(&mut alice, "bob");
    alice.types(&["yes"]);
    alice.sees("Bob is verified.");
    let (old, home) = (grouped(&bob.key()), bob.addr().port());
    bob.crashes();
    drop(bob);
    // He has lost his key, and comes back with another.
    let mut bob = Peer::named("Bob").port(home).start();
    bob.says(&alice.addr().to_string(), "it is I");
    bob.sees(" has not accepted you yet; your message waits.");
    // Either he writes to her first, or she finds the new key when she looks for him.
    alice.sees("! WARNING: Bob's key has changed.");
    alice.sees(&old);
    alice.sees(&grouped(&bob.key()));
    alice.types(&["@bob for Bob, whoever he is"]);
    alice.sees("Your message waits for Bob.");
    assert_eq!((times(&alice, ": it is I"), times(&bob, ": for Bob, whoever he is")), (0, 0));

    alice.types(&["/trust bob"]);
    // It is he, so what waited for him goes to him, too.
    bob.has_seen(&format!("{}: for Bob, whoever he is", alice.encrypted()));
    alice.has_seen(&format!("Delivered to {}: \"for Bob", bob.name()));
    alice.has_seen(&format!("{}: it is I", bob.encrypted()));
    bob.has_seen(&format!("Delivered to {}: \"it is I\"", alice.name()));
    alice.says("Bob", "so it is");
    bob.has_seen(&format!("{}: so it is", alice.encrypted()));
    assert_eq!((times(&alice, ": it is I"), times(&bob, ": for Bob, whoever he is")), (1, 1));
    let row = alice.lists(bob.addr()).expect("listed");
    assert!(row.ends_with("  encrypted"), "{row}");
}
