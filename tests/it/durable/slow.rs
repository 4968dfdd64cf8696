//! A slow disk: what does not need it does not wait for it, and what needs it waits and is not
//! lost.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{Home, history_of, times};
use crate::support::{MALLORY, SOON, send_raw_from};

/// For less than this the program itself waits for another process that keeps the file for itself.
/// The test has to be through by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// For so long others are served meanwhile: far longer than a text needs to arrive.
const WHILE: Duration = Duration::from_secs(1);

#[test]
fn slow_disk_delays_only_its_own_message() {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let (mut her, mut him) = (alice.start(), bob.start());
    her.says(&bob.addr.to_string(), "before");
    her.sees("Delivered to Bob");
    him.sees(": before");
    // To him the disk is as slow as this connection wants.
    let disk = Connection::open(history_of(bob.name, bob.data.path())).expect("opened");
    disk.busy_timeout(SOON).expect("set");
    disk.execute_batch("BEGIN IMMEDIATE").expect("begun");
    let began = Instant::now();
    her.says("bob", "this has to be written down");
    let mut number = 0;
    while began.elapsed() < WHILE {
        let text = format!("127.0.0.66:9 Mallory {number} has not");
        let answer = send_raw_from(MALLORY, him.addr(), text.as_bytes());
        assert!(answer.starts_with(b"[ACK] "), "{answer:?}");
        him.sees(&format!(": {number} has not"));
        number += 1;
    }
    assert!(him.lists(alice.addr).is_some_and(|row| row.contains("Alice")));
    him.types(&["/history before"]);
    him.sees(": before");
    assert_eq!(times(&him, ": this has to be written down") + times(&her, "Delivered to Bob"), 1);
    assert!(began.elapsed() < PATIENCE, "the machine was too slow to show anything: {:?}", began.elapsed());
    disk.execute_batch("ROLLBACK").expect("over");
    him.sees(": this has to be written down");
    her.sees("Delivered to Bob");
    assert_eq!(times(&him, ": this has to be written down"), 1);
    assert_eq!(times(&him, "cannot be written"), 0);
}
