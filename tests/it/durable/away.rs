//! A message to an offline peer arrives when both are online, even if both programs were ended in
//! between.

use std::fs;
use std::path::Path;

use p2p_chat::store::Sqlite;

use super::{Home, history_of, times, until};
use crate::support::{Peer, SOON};

/// Two who know each other's keys, and have ended.
fn acquainted() -> (Home, Home) {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let (mut her, mut him) = (alice.start(), bob.start());
    her.says(&bob.addr.to_string(), "hello");
    her.sees(&format!("Delivered to {}.", bob.name));
    him.sees(": hello");
    him.leaves();
    her.sees(&format!("* {} left", bob.shown()));
    her.leaves();
    (alice, bob)
}

/// Bob starts alone, sees nothing, and has what she said as soon as she starts, each once and in
/// order.
fn has_it_when_both_are_there(alice: &Home, bob: &Home, texts: &[&str]) {
    let mut him = bob.start();
    him.types(&["/outbox"]);
    him.sees("No messages are queued.");
    for text in texts {
        assert_eq!(times(&him, text), 0, "nobody could have brought it");
    }
    let mut her = alice.start();
    // The messages may be delivered before the greeting could say that they are queued.
    for text in texts {
        him.sees(&format!("{} [encrypted]: {text}", alice.shown()));
        her.sees(&format!("Delivered to {}: \"{text}\"", bob.name));
    }
    her.types(&["/outbox"]);
    her.sees("No messages are queued.");
    her.leaves();
    for text in texts {
        assert_eq!(times(&him, text), 1);
    }
    him.leaves();
    // Nothing of it comes again.
    let (mut her, mut him) = (alice.start(), bob.builder().knows(alice.addr).start());
    him.sees(&format!("* {} is online", alice.shown()));
    her.says(&bob.addr.to_string(), "anything new?");
    him.sees(": anything new?");
    for text in texts {
        assert_eq!(times(&him, text) + times(&her, text), 0);
    }
}

#[test]
fn message_to_offline_contact_survives_both_restarts() {
    let (alice, bob) = acquainted();
    let mut her = alice.start();
    her.says(&bob.addr.to_string(), "first of two");
    let line = her.sees("is offline; will deliver");
    assert!(line.ends_with(" is offline; will deliver when they are back."), "{line}");
    her.says(&bob.addr.to_string(), "second of two");
    her.sees("is offline; will deliver");
    let printed = her.leaves();
    let stays = |line: &String| {
        line.starts_with("2 messages for ") && line.ends_with(" stay queued until the next start.")
    };
    assert!(printed.iter().any(stays), "{printed:#?}");
    has_it_when_both_are_there(&alice, &bob, &["first of two", "second of two"]);
}

#[test]
fn message_to_unused_address_survives_both_restarts() {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let mut her = alice.start();
    her.says(&bob.addr.to_string(), "whoever you are");
    her.sees(&format!("{} is offline; will deliver", bob.addr));
    her.leaves();
    has_it_when_both_are_there(&alice, &bob, &["whoever you are"]);
}

#[test]
fn queued_message_survives_an_immediate_kill() {
    let (alice, bob) = acquainted();
    let mut her = alice.start();
    her.says(&bob.addr.to_string(), "in spite of everything");
    her.sees("is offline; will deliver");
    her.crashes();
    has_it_when_both_are_there(&alice, &bob, &["in spite of everything"]);
}

#[test]
fn message_shown_before_a_kill_is_not_repeated() {
    let (alice, bob) = acquainted();
    let (mut her, mut him) = (alice.start(), bob.start());
    her.says(&bob.addr.to_string(), "remember this");
    her.sees("Delivered to Bob");
    him.sees(": remember this");
    let mut store = Sqlite::reader(&history_of(bob.name, bob.data.path())).expect("a history");
    until(SOON, "it is written down that it was shown", || {
        store.unshown(1).is_ok_and(|unshown| unshown.is_empty())
    });
    him.crashes();
    her.says("Bob", "and this");
    her.sees("is offline; will deliver");
    let mut him = bob.start();
    him.sees(": and this");
    her.sees("Delivered to Bob");
    assert_eq!(times(&him, "remember this"), 0);
}

/// Whether any file below this directory holds these bytes.
fn is_on_disk(dir: &Path, words: &str) -> bool {
    fs::read_dir(dir).expect("readable").any(|entry| {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            return is_on_disk(&path, words);
        }
        let bytes = fs::read(&path).expect("readable");
        bytes.windows(words.len()).any(|window| window == words.as_bytes())
    })
}

#[test]
fn no_history_writes_no_message_to_disk() {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let quiet = |home: &Home| -> Peer { home.builder().arg("--no-history").start() };
    let (mut her, mut him) = (quiet(&alice), quiet(&bob));
    her.says(&bob.addr.to_string(), "between-us-outwards");
    him.sees(": between-us-outwards");
    her.sees("Delivered to Bob");
    him.says("Alice", "between-us-inwards");
    her.sees(": between-us-inwards");
    him.crashes();
    // Until she knows, a message to him counts as sent.
    her.finds(bob.addr, "last seen");
    her.says("Bob", "between-us-waiting");
    her.sees("is offline; will deliver when they are back, until you quit.");
    // It is in the history of this run, and nowhere else.
    her.types(&["/history Bob between-us-waiting"]);
    her.sees("between-us-waiting (queued)");
    for home in [&alice, &bob] {
        assert!(!is_on_disk(home.data.path(), "between-us"), "{}", home.name);
        assert!(!history_of(home.name, home.data.path()).exists());
    }
    her.types(&["0"]);
    assert_eq!(her.ends().code(), Some(1), "a message is lost");
    let printed = her.printed();
    assert!(
        printed.iter().any(|line| line.contains("before you left") && line.contains("between-us-waiting")),
        "{printed:#?}"
    );
    assert!(!is_on_disk(alice.data.path(), "between-us"));
    // The same words are found where they are kept, or this would prove nothing.
    let mut her = alice.start();
    her.says(&bob.addr.to_string(), "between-us-kept");
    her.sees("is offline; will deliver");
    assert!(is_on_disk(alice.data.path(), "between-us"));
}
