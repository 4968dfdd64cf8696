//! Bounds of the file, of the disk and of the clock.

use super::*;
use crate::store::retention::Bounds;

/// How many messages there are, and how many of them are unencrypted. The store never takes them
/// for fewer.
fn counts(store: &Sqlite) -> (i64, i64) {
    let sql = "SELECT count(*), coalesce(sum(assurance IN (0, 3)), 0) FROM message";
    let real: (i64, i64) = store.conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert!(store.tally.messages.is_none_or(|at_most| at_most >= real.0), "{:?} {real:?}", store.tally);
    assert!(store.tally.plain.is_none_or(|at_most| at_most >= real.1), "{:?} {real:?}", store.tally);
    real
}

#[test]
fn oldest_messages_go_but_never_queued_ones() {
    let dir = dir();
    let mut store = opened(&dir);
    store.bounds = Bounds { messages: 40, plain: 20 };
    apply(&mut store, &[outgoing(key(1), 1, "waits"), incoming(2, &[1])]);
    for number in 2..100 {
        apply(&mut store, &[incoming(2, &[number]), incoming_plain(addr(1), "plain")]);
        let (messages, plain) = counts(&store);
        assert!(messages <= 40 && plain <= 20, "{messages} {plain}");
        assert_eq!(bodies(&mut store, &words("waits")), ["waits"]);
    }
    assert!(counts(&store).0 > 25, "no more than needed go");
    assert_eq!(store.queued().unwrap().len(), 1);
    assert_eq!(bodies(&mut store, &all()).last().unwrap(), "plain");
    assert_eq!(
        apply(&mut store, &[incoming(2, &[1])]),
        [StoreResult::Incoming(vec![None])],
        "it came before"
    );
    store.check().unwrap();
}

#[test]
fn unencrypted_flood_removes_no_encrypted_message() {
    let dir = dir();
    let mut store = opened(&dir);
    store.bounds = Bounds { messages: 1_000, plain: 50 };
    apply(&mut store, &[incoming(1, &[1, 2, 3])]);
    let flood: Vec<_> = (0..500).map(|port| incoming_plain(addr(port + 1), "flood")).collect();
    flood.chunks(30).for_each(|part| drop(apply(&mut store, part)));
    assert_eq!(bodies(&mut store, &with(&[key(1)])).len(), 3);
    assert!(counts(&store).1 <= 50);
    let peers: i64 = store.conn.query_row("SELECT count(*) FROM peer", [], |row| row.get(0)).unwrap();
    assert!(peers <= 51, "who is not heard of any more goes, too: {peers}");
}

#[test]
fn messages_forgotten_elsewhere_leave_room() {
    let dir = dir();
    let (mut store, mut other) = (opened(&dir), opened(&dir));
    store.bounds = Bounds { messages: 40, plain: 20 };
    apply(&mut store, &[incoming(1, &[1]), incoming_plain(addr(1), "old")]);
    for from in 2..10 {
        let numbers: Vec<_> = (0..20).collect();
        apply(&mut store, &[incoming(from, &numbers[..10])]);
        apply(&mut store, &[incoming(from, &numbers[10..]), incoming_plain(addr(2), "plain")]);
        assert_eq!(counts(&store), (23, 2));
        apply(&mut other, &[forget(Some(vec![key(from), addr(2)]), None, None)]);
    }
    assert_eq!(bodies(&mut store, &all()), ["text 1", "old"]);
    // What is there counts.
    let many: Vec<_> = (0..39).collect();
    apply(&mut store, &[incoming(10, &many)]);
    assert_eq!(counts(&store), (41 - 1 - 10, 0), "one too many, and a quarter of the bound");
}

#[test]
fn failed_batch_counts_nothing() {
    let dir = dir();
    let mut store = opened(&dir);
    apply(&mut store, &[incoming_plain(addr(1), "plain"), incoming_plain(addr(1), "plain")]);
    let before = format!("{:?}", store.tally);
    // It goes wrong after all was counted.
    raw(&file(dir.path())).execute_batch("DROP TABLE search").unwrap();
    assert!(matches!(store.apply(&[incoming_plain(addr(1), "plain")], CLOCK), Err(StoreError::Other(_))));
    assert_eq!(counts(&store), (2, 2));
    assert_eq!(format!("{:?}", store.tally), before);
}

#[test]
fn counts_survive_moves_and_forgetting() {
    let dir = dir();
    let mut store = opened(&dir);
    let moved = |number| StoreOp::Move { id: id(number), from: addr(1), to: key(1) };
    apply(
        &mut store,
        &[
            outgoing(addr(1), 1, "a"),
            outgoing(addr(1), 2, "b"),
            outgoing(key(1), 2, "b"),
            incoming(1, &[1, 1]),
        ],
    );
    assert_eq!(counts(&store), (4, 2));
    apply(
        &mut store,
        &[
            moved(1),
            moved(2),
            incoming_plain(addr(1), "x"),
            forget(Some(vec![addr(1)]), None, None),
            incoming_plain(addr(1), "y"),
        ],
    );
    assert_eq!(counts(&store), (4, 1));
    assert_eq!(
        bodies(&mut store, &Query { words: Some("a".into()), ..with(&[key(1)]) }),
        ["a"],
        "under whom it is now"
    );
    assert_eq!(bodies(&mut store, &Query { words: Some("a".into()), ..with(&[addr(1)]) }), [""; 0]);
    store.check().unwrap();
}

#[test]
fn full_disk_loses_one_batch_only() {
    let dir = dir();
    let mut store = opened(&dir);
    apply(&mut store, &[incoming(1, &[1])]);
    let pages: i64 = store.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let bound = |store: &Sqlite, pages: i64| {
        store.conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    bound(&store, pages);
    let large = |number| outgoing(key(1), number, &"large ".repeat(5_000));
    assert_eq!(store.apply(&[incoming(1, &[2]), large(3), incoming(1, &[4])], CLOCK), Err(StoreError::Full));
    assert_eq!(bodies(&mut store, &all()), ["text 1"]);
    apply(&mut store, &[changed(key(1), 3, ATTEMPTED), StoreOp::MarkShown(vec![RowId(1)])]);
    bound(&store, 1_000_000);
    assert_eq!(apply(&mut store, &[incoming(1, &[2]), large(3)]).len(), 2);
    assert_eq!(entries(&mut store).len(), 3);
    store.check().unwrap();
}

#[test]
fn set_clock_expires_no_queued_message() {
    let dir = dir();
    let mut store = opened(&dir);
    let expires = |store: &mut Sqlite| -> Vec<u64> {
        store.queued().unwrap().iter().map(|open| open.expires).collect()
    };
    let second = Duration::from_secs;
    let year = 365 * 24 * 3_600_000;
    let unlimited = |write| match write {
        StoreOp::Outgoing { to, name, message, status, attempted, assurance, .. } => {
            StoreOp::Outgoing { to, name, message, status, attempted, assurance, expires: 0 }
        }
        other => other,
    };
    store
        .apply_at(&[outgoing(key(1), 1, "x"), unlimited(outgoing(key(1), 2, "y"))], CLOCK, second(1))
        .unwrap();
    store.apply_at(&[], CLOCK + year + 1_000, second(2)).unwrap();
    assert_eq!(expires(&mut store), [CLOCK + 1_000 + year, 0]);
    // What is written in the turn that notices it knows the time already.
    let new = outgoing(key(1), 3, "z");
    store.apply_at(&[new], CLOCK + 2_000, second(3)).unwrap();
    assert_eq!(expires(&mut store), [CLOCK + 1_000, 0, CLOCK + 1_000]);
    // A turn that was not written has not noticed anything.
    let other = raw(&file(dir.path()));
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.conn.busy_timeout(Duration::from_millis(10)).unwrap();
    assert_eq!(store.apply_at(&[incoming(1, &[1])], CLOCK + year, second(4)), Err(StoreError::Busy));
    other.execute_batch("ROLLBACK").unwrap();
    store.apply_at(&[incoming(1, &[1])], CLOCK + year + 4_000, second(5)).unwrap();
    assert_eq!(expires(&mut store)[0], CLOCK + 1_000 + year);
}
