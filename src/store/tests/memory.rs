//! What only a store in memory promises.

use super::*;
use crate::store::retention::MemoryLimits;

/// Bytes of a limit that a test reaches soon.
const SMALL: i64 = 2 * 1024 * 1024;

/// A store with small limits, half of them for queued messages.
fn small() -> Sqlite {
    let mut store = in_memory().unwrap();
    store.limits = MemoryLimits { total: SMALL, queued: SMALL / 2 };
    store
}

fn large(number: u32, bytes: i64) -> StoreOp {
    outgoing(key(1), number, &"x".repeat(usize::try_from(bytes).unwrap()))
}

#[test]
fn shown_messages_make_room_oldest_first() {
    let mut store = small();
    apply(&mut store, &[outgoing(key(1), 1, "waits"), incoming(2, &[1])]);
    for number in 0..3_000 {
        apply(&mut store, &[incoming_plain(addr(1), &format!("{number} {}", "x".repeat(1_000)))]);
    }
    let found = bodies(&mut store, &all());
    assert_eq!(found[..2], ["waits", "text 1"], "neither was shown");
    assert!(found.last().unwrap().starts_with("2999 "));
    assert!((500..2_500).contains(&found.len()), "{}", found.len());
    let numbers: Vec<usize> =
        found[2..].iter().map(|body| body.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(numbers.is_sorted());
    assert_eq!(
        apply(&mut store, &[incoming(2, &[1])]),
        [StoreResult::Incoming(vec![Stored::Duplicate])],
        "it came before"
    );
}

#[test]
fn message_over_the_queue_limit_is_refused() {
    let mut store = small();
    apply(&mut store, &[large(1, SMALL / 4), large(2, SMALL / 5)]);
    assert_eq!(store.apply(&[large(3, SMALL / 4)], CLOCK), Err(StoreError::NoRoom));
    assert_eq!(store.queued().unwrap().len(), 2);
    // A delivered message makes room.
    apply(&mut store, &[changed(key(1), 1, done(DeliveryStatus::Delivered)), large(3, SMALL / 4)]);
    assert_eq!(store.queued().unwrap().len(), 2);
}

#[test]
fn unshown_messages_are_refused_rather_than_lost() {
    let mut store = small();
    let body = "x".repeat(60_000);
    let mut count = 0;
    let refused = loop {
        let messages = vec![message(count, &body)];
        let (from, name, assurance) = (peer_key(1), None, Assurance::Encrypted);
        let write = StoreOp::Incoming { from, name, assurance, stranger: None, messages };
        match store.apply(&[write], CLOCK) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, StoreError::NoRoom);
    assert!(count > 20);
    assert_eq!(store.unshown(usize::MAX).unwrap().len(), count as usize);
    let rows = rows(&entries(&mut store));
    apply(&mut store, &[StoreOp::MarkShown(rows)]);
    apply(&mut store, &[incoming(1, &[1_000])]);
}

#[test]
fn hard_limit_holds_for_one_huge_batch() {
    let mut store = in_memory().unwrap();
    let huge: Vec<_> = (0..90).map(|number| large(number, 1024 * 1024)).collect();
    assert_eq!(store.apply(&huge, CLOCK), Err(StoreError::NoRoom));
    assert_eq!(entries(&mut store), []);
    let queued: Vec<_> = (0..63).map(|number| large(number, 1024 * 1024)).collect();
    apply(&mut store, &queued);
    assert_eq!(store.apply(&[large(100, 2 * 1024 * 1024)], CLOCK), Err(StoreError::NoRoom));
    assert_eq!(store.queued().unwrap().len(), 63);
}
