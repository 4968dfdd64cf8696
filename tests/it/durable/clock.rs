//! A clock that may be wrong deletes nothing and expires nothing.

use rusqlite::Connection;

use super::{Home, history_of, outbox_has, until};
use crate::support::SOON;

const YEAR_MILLIS: i64 = 365 * 24 * 3_600_000;

/// Moves all times of a history one year back, so that the clock is a year ahead.
fn set_back(home: &Home) {
    let db = Connection::open(history_of(home.name, home.data.path())).expect("opened");
    for sql in [
        "UPDATE message SET time = time - ?",
        "UPDATE message SET expires = expires - ? WHERE expires > 0",
        "UPDATE meta SET value = value - ? WHERE name = 'clock'",
    ] {
        db.execute(sql, [YEAR_MILLIS]).expect("changed");
    }
}

#[test]
fn clock_a_year_ahead_deletes_and_expires_nothing() {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let started = || alice.builder().arg("--keep-history=90d").start();
    let (mut her, mut him) = (started(), bob.start());
    her.says(&bob.addr.to_string(), "kept");
    her.sees("Delivered to Bob");
    him.leaves();
    her.says("bob", "waits");
    her.sees("is offline; will deliver");
    her.leaves();
    set_back(&alice);
    // What is stored while the clock is doubtful does not confirm the clock.
    for number in 1..=2 {
        let mut her = started();
        her.sees("Until the clock is confirmed, no message is deleted or expires.");
        let line = outbox_has(&mut her, "\"waits\"");
        assert!(line.contains("expires in 7 days"), "{line}");
        her.says("bob", &format!("more {number}"));
        her.leaves();
    }
    let history = alice.history(&[]);
    assert!(history.contains("kept (delivered)") && history.contains("waits (queued)"), "{history}");
    // A contact's clock agrees.
    let mut her = started();
    let mut him = bob.builder().knows(alice.addr).start();
    him.sees(": waits");
    him.says("alice", "it is now");
    her.sees(": it is now");
    until(SOON, "the old messages are deleted", || !alice.history(&[]).contains("kept"));
    her.leaves();
    let mut her = started();
    her.still_answers();
    assert!(!her.printed().iter().any(|line| line.contains("The clock of this machine")));
}
