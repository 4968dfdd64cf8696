//! A message between two p2p-chat peers arrives and is shown once, even after failures.

use tempfile::TempDir;

use super::times;
use crate::support::{Peer, nobody};

#[test]
fn goodbye_is_immediate_and_a_crash_is_noticed() {
    let (data, home) = (TempDir::new().expect("a directory"), nobody());
    let start = || Peer::named("Bob").data_dir(data.path()).port(home.port()).start();
    let mut bob = start();
    let mut alice = Peer::named("Alice").start();
    alice.says(&bob.addr().to_string(), "hello");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    bob.types(&["0"]);
    bob.ends();
    alice.sees(&format!("* {} left", bob.shown()));

    let mut bob = start();
    alice.says("Bob", "you are back");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    bob.sees("you are back");
    bob.crashes();
    alice.says("Bob", "wherever you are");
    alice.sees(&format!("{} is offline; will deliver when they are back.", bob.name()));
    let mut bob = start();
    // Nobody has to do anything for it.
    bob.sees(&format!("{} [encrypted]: wherever you are", alice.shown()));
    alice.sees(&format!("Delivered to {}: \"wherever you are\"", bob.name()));
    assert_eq!(times(&bob, "wherever you are"), 1);
}

#[test]
fn undelivered_messages_are_named_at_exit_without_history() {
    let mut bob = Peer::named("Bob").start();
    let mut alice = Peer::named("Alice").arg("--no-history").start();
    alice.says(&bob.addr().to_string(), "hello");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    bob.crashes();
    alice.says("Bob", "too late");
    alice.sees_queued();
    alice.types(&["0"]);
    alice.ends();
    let line = alice.has_seen("before you left");
    assert!(line.contains("\"too late\"") && line.contains(bob.name()), "{line}");
}

#[test]
fn list_of_undelivered_messages_is_short() {
    let mut bob = Peer::named("Bob").start();
    let mut alice = Peer::named("Alice").arg("--no-history").start();
    alice.says(&bob.addr().to_string(), "hello");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    bob.crashes();
    alice.says("Bob", "too late");
    alice.sees_queued();
    (0..52).for_each(|number| alice.says("Bob", &format!("also {number}")));
    alice.types(&["0"]);
    alice.ends();
    alice.has_seen("And 3 more.");
    let printed = alice.printed();
    assert_eq!(printed.iter().filter(|line| line.contains("before you left")).count(), 50, "{printed:#?}");
}
