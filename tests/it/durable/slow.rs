//! A slow disk: what does not need it does not wait for it, and what needs it waits and is not
//! lost.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{Home, history_of, kept_of, times, until};
use crate::support::{MALLORY, SOON, dial_from, send_raw_from};

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

/// Messages in one connection: as many short ones as the 8 KiB that are read have room for.
const AT_ONCE: usize = 160;

/// Bytes that the messages of one source may take while they wait: half of the room.
const SHARE: usize = p2p_chat::runtime::MAX_WAITING_BYTES / 2;

/// Connections that are all taken. A waiting message takes 256 bytes beside its text of some 15.
const TAKEN: usize = SHARE / (256 + 20) / AT_ONCE;

/// Connections that are too many: 512 further writes may be with the writer.
const TOO_MANY: usize = (SHARE / 256 + 512) / AT_ONCE + 1;

/// For how long a connection beyond `TAKEN` is watched: one that is refused is closed at once, and
/// one that waits is refused after two seconds.
const WATCHED: Duration = Duration::from_millis(200);

#[test]
fn message_waits_for_room_in_store_queue() {
    let bob = Home::of("Bob");
    // A contact, whose messages all stay in the history.
    let him = bob.builder().arg("--peer=127.0.0.66:9").start();
    let disk = Connection::open(history_of(bob.name, bob.data.path())).expect("opened");
    disk.busy_timeout(SOON).expect("set");
    disk.execute_batch("BEGIN IMMEDIATE").expect("begun");
    let mut taken = 0;
    let (mut waiting, mut answer) = loop {
        assert!(taken < TOO_MANY, "more messages wait for the disk than may");
        let lines: String = (0..AT_ONCE)
            .map(|line| format!("127.0.0.66:9 Mallory {} is stored\n", taken * AT_ONCE + line))
            .collect();
        let mut stream = dial_from(MALLORY, him.addr());
        stream.write_all(lines.as_bytes()).expect("sent");
        stream.shutdown(Shutdown::Write).expect("still open");
        stream.set_read_timeout(Some(if taken < TAKEN { SOON } else { WATCHED })).expect("set");
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => assert!(answer.starts_with(b"[ACK] "), "refused after {taken}: {answer:?}"),
            Err(error) if error.kind() == ErrorKind::WouldBlock && taken >= TAKEN => break (stream, answer),
            Err(error) => panic!("no answer after {taken}: {error}"),
        }
        taken += 1;
    };
    disk.execute_batch("ROLLBACK").expect("over");
    waiting.set_read_timeout(Some(SOON)).expect("set");
    waiting.read_to_end(&mut answer).expect("the end");
    assert!(answer.starts_with(b"[ACK] "), "refused although there is room again: {answer:?}");
    let sent = (taken + 1) * AT_ONCE;
    until(SOON, "all are stored", || kept_of(bob.name, bob.data.path()).len() == sent);
    until(SOON, "all are shown", || times(&him, " is stored") == sent);
}
