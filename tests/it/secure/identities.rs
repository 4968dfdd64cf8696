//! An identity outlasts the process, on both sides.

use tempfile::TempDir;

use super::times;
use crate::support::{Peer, copy_directory};

#[test]
fn programs_sharing_a_key_both_learn_it() {
    let (first, second) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let mut bob = Peer::named("Bob").start();
    let mut alice = Peer::named("Alice").data_dir(first.path()).start();
    alice.says(&bob.addr().to_string(), "from the desk");
    bob.sees("[encrypted]: from the desk");
    alice.types(&["0"]);
    alice.ends();
    copy_directory(first.path(), second.path());
    let alice = Peer::named("Alice").data_dir(first.path()).start();
    bob.sees(&format!("* {} is online", alice.shown()));
    let mut other = Peer::named("Alice").data_dir(second.path()).start();
    for one in [&alice, &other] {
        one.has_seen("Your identity is also in use at 127.0.0.1.");
    }
    // Messages go to the one that was there first, and nobody is told twice.
    bob.says("alice", "which of you is it?");
    alice.has_seen("[encrypted]: which of you is it?");
    other.says(&bob.addr().to_string(), "it is me");
    other.sees_queued();
    for one in [&alice, &other] {
        assert_eq!(times(one, "Your identity is also in use"), 1);
    }
    assert_eq!(times(&other, "which of you"), 0);
}
