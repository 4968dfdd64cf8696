//! `/outbox`: what waits, why, and for how long; taking back, and trying again.

use std::time::{Duration, Instant};

use super::{Home, outbox_has, times, until};
use crate::support::SOON;

#[test]
fn expired_message_is_never_sent() {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let mut her = alice.builder().arg("--expire=2s").start();
    her.says(&bob.addr.to_string(), "not for long");
    her.sees(&format!("{} is offline; will deliver", bob.addr));
    her.sees(&format!("Not delivered to {} (expired): \"not for long\"", bob.addr));
    outbox_has(&mut her, ", expired: \"not for long\"");
    her.has_seen("Not delivered, and no longer queued:");
    let mut him = bob.start();
    her.says(&bob.addr.to_string(), "are you there?");
    him.sees(": are you there?");
    her.sees("Delivered to Bob");
    assert_eq!(times(&him, "not for long"), 0);
    assert!(alice.history(&[]).contains("not for long (expired)"));
}

#[test]
fn message_expires_while_the_program_is_off() {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let mut her = alice.builder().arg("--expire=1s").start();
    her.says(&bob.addr.to_string(), "not for long");
    her.sees(&format!("{} is offline; will deliver", bob.addr));
    her.crashes();
    let began = Instant::now();
    until(SOON, "its time is over", || began.elapsed() > Duration::from_millis(1_100));
    let mut him = bob.start();
    let mut her = alice.builder().arg("--expire=1s").start();
    her.sees(&format!("Not delivered to {} (expired): \"not for long\"", bob.addr));
    her.says(&bob.addr.to_string(), "are you there?");
    him.sees(": are you there?");
    assert_eq!(times(&him, "not for long"), 0);
}

#[test]
fn queued_messages_are_listed_cancelled_and_retried() {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let mut her = alice.start();
    for text in ["one", "two", "three"] {
        her.says(&bob.addr.to_string(), text);
        her.sees(&format!("{} is offline; will deliver", bob.addr));
    }
    // It is the same list after she has been killed as soon as that was said.
    her.crashes();
    let mut her = alice.start();
    her.sees("3 messages are queued. /outbox lists them.");
    for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
        let to = format!("  {number}  to {}, queued: they are offline; expires in 7 days: ", bob.addr);
        let line = outbox_has(&mut her, &to);
        assert!(line.ends_with(&format!("\"{text}\"")), "{line}");
    }
    her.types(&["/outbox cancel 2"]);
    her.sees(&format!("Cancelled the message to {}: \"two\"", bob.addr));
    her.types(&["/outbox cancel 7"]);
    her.sees("There is no queued message 7. /outbox lists them.");
    let mut him = bob.start();
    her.types(&["/outbox again all"]);
    him.sees(": one");
    him.sees(": three");
    her.sees("\"one\"");
    her.sees("\"three\"");
    assert_eq!(times(&him, ": two"), 0);
    assert!(alice.history(&[]).contains("two (cancelled)"));
    her.types(&["0"]);
    assert_eq!(her.ends().code(), Some(1), "the refused line");
    assert!(times(&alice.start(), "wait") == 0);
}
