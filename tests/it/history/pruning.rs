//! `p2p-chat history --prune`, and ages under a clock that may be wrong.

use std::time::SystemTime;

use rusqlite::Connection;

use super::kept::{Closed, Kept};

const DAY: i64 = 24 * 3_600_000;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("not that late")
}

/// A history with a message from 100 days ago and one from now, whose clock was recorded `days`
/// ago.
fn noted(days: i64) -> Closed {
    let mut kept = Kept::new();
    kept.hears_bob("old").hears_bob("young");
    let kept = kept.closed();
    let db = Connection::open(kept.folder().join("history.db")).expect("opened");
    db.execute("UPDATE message SET time = ? - 100 * ? * (body = 'old')", [now(), DAY]).expect("changed");
    db.execute("INSERT OR REPLACE INTO meta VALUES ('clock', ?)", [now() - days * DAY]).expect("noted");
    kept
}

#[test]
fn ages_under_a_doubtful_clock_delete_nothing() {
    let kept = noted(31);
    let errors = kept.asked(&["--forget", "--older-than=90d", "--yes"]).refused(2);
    assert!(errors.contains("so no age is reliable") && errors.contains("history --prune"), "{errors}");
    assert!(kept.asked(&[]).well().contains("Bob: old"));
    // Within 30 days, the clock counts as right.
    let kept = noted(29);
    let deleted = kept.asked(&["--forget", "--older-than=90d", "--yes"]).well();
    assert!(deleted.ends_with(" for good.\nDeleted 1 message.\n"), "{deleted}");
}

#[test]
fn prune_confirms_the_clock_and_deletes_old_messages() {
    let kept = noted(400);
    let pruned = kept.asked(&["--prune", "--keep-history=90d", "--yes"]).well();
    assert!(pruned.starts_with("The clock shows "), "{pruned}");
    assert!(pruned.ends_with("Deleted 1 message.\nThe clock is now accepted as correct.\n"), "{pruned}");
    let left = kept.asked(&[]).well();
    assert!(left.contains("Bob: young") && !left.contains("Bob: old"), "{left}");
    assert_eq!(kept.asked(&["--forget", "--older-than=90d", "--yes"]).well(), "Deleted no messages.\n");
    // Without an age there is nothing to delete, and nothing to ask.
    let kept = noted(400);
    assert!(kept.asked(&["--prune"]).well().contains("Messages are kept forever"));
    let deleted = kept.asked(&["--forget", "--older-than=90d", "--yes"]).well();
    assert!(deleted.ends_with(" for good.\nDeleted 1 message.\n"), "{deleted}");
    let errors = kept.asked(&["--prune", "--keep-history=90d"]).refused(2);
    assert!(errors.contains("--prune asks for confirmation"), "{errors}");
}
