//! Bounds of the file, of the disk and of the clock.

use std::net::Ipv4Addr;

use super::*;
use crate::model::address::SourcePrefix;
use crate::store::retention::{Quotas, ROW_ON_DISK, Size};

/// How many messages strangers have, and how many the others. The counters are right,
/// and the store never takes them for fewer.
fn counts(store: &Sqlite) -> (i64, i64) {
    let size = |sql: &str| {
        store.conn.query_row(sql, [], |row| Ok(Size { messages: row.get(0)?, bytes: row.get(1)? })).unwrap()
    };
    let size_of = |filter| {
        size(&format!("SELECT count(*), coalesce(sum(octet_length(body)), 0) FROM message WHERE {filter}"))
    };
    let (strangers, others) = (size_of("source IS NOT NULL"), size_of("source IS NULL"));
    let counted =
        |table| size(&format!("SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM {table}"));
    assert_eq!((counted("source"), counted("peer")), (strangers, strangers.and(others)));
    let of_peers =
        size("SELECT coalesce(sum(stranger_messages), 0), coalesce(sum(stranger_bytes), 0) FROM peer");
    assert_eq!(of_peers, strangers);
    if let Some(tally) = store.tally {
        let is_bound = |tally: Size, real: Size| tally.messages >= real.messages && tally.bytes >= real.bytes;
        assert!(is_bound(tally.strangers, strangers) && is_bound(tally.others, others), "{tally:?}");
    }
    (strangers.messages, others.messages)
}

/// Room for this many short messages of contacts, and for few of strangers.
fn small(messages: i64) -> Quotas {
    let strangers = Size { messages: 64, bytes: 64 * 1024 };
    let max_history = strangers.on_disk() + messages * (ROW_ON_DISK + 30);
    Quotas { stranger: Size { messages: 20, bytes: 4 * 1024 }, strangers, max_history }
}

fn prefix(last: u8) -> SourcePrefix {
    Ipv4Addr::new(192, 0, 2, last).into()
}

/// A message of a stranger with this key, from this source.
fn of_stranger(from: u8, last: u8, number: u32, body: &str) -> StoreOp {
    let messages = vec![message(number, body)];
    let (from, name, assurance) = (peer_key(from), name("Eve"), Assurance::Encrypted);
    StoreOp::Incoming { from, name, assurance, stranger: Some(prefix(last)), messages }
}

/// The first message of such a write.
fn first(result: &StoreResult) -> Stored {
    match result {
        StoreResult::Incoming(each) => each[0],
        other => panic!("{other:?}"),
    }
}

/// Writes messages that are shown at once.
fn shown(store: &mut Sqlite, writes: &[StoreOp]) {
    let written = apply(store, writes);
    let rows = written.iter().filter_map(|result| first(result).row()).collect();
    apply(store, &[StoreOp::MarkShown(rows)]);
}

#[test]
fn largest_conversation_loses_its_oldest() {
    let dir = dir();
    let mut store = opened(&dir);
    store.quotas = small(600);
    let few: Vec<u32> = (0..100).collect();
    apply(
        &mut store,
        &[outgoing(key(1), 1_000, "waits"), outgoing(key(2), 1_000, "waits"), incoming(2, &few)],
    );
    for number in 1..700 {
        apply(&mut store, &[incoming(1, &[number])]);
        assert!(counts(&store).1 <= 620);
    }
    assert!(counts(&store).1 > 300, "no more than needed go");
    assert_eq!(bodies(&mut store, &with(&[key(2)])).len(), 101);
    assert_eq!(store.queued().unwrap().len(), 2);
    assert_eq!(bodies(&mut store, &all()).last().unwrap(), "text 699");
    assert_eq!(first(&apply(&mut store, &[incoming(1, &[1])])[0]), Stored::Duplicate, "it came before");
    store.check().unwrap();
}

#[test]
fn stranger_over_quota_loses_its_oldest_shown() {
    let dir = dir();
    let mut store = opened(&dir);
    store.quotas = small(1_000);
    shown(&mut store, &[of_stranger(3, 1, 0, "of another")]);
    for number in 0..100 {
        shown(&mut store, &[of_stranger(2, 1, number, &format!("text {number}"))]);
        assert!(counts(&store).0 <= 21);
    }
    let found = bodies(&mut store, &with(&[key(2)]));
    assert!(found.len() >= 4, "{found:?}");
    assert_eq!(found.last().unwrap(), "text 99");
    assert_eq!(bodies(&mut store, &with(&[key(3)])), ["of another"]);
    // A few large ones make as much room.
    shown(&mut store, &[of_stranger(2, 1, 200, &"x".repeat(4_090))]);
    assert_eq!(bodies(&mut store, &with(&[key(2)])).len(), 1);
    assert_eq!(bodies(&mut store, &words("text")), [""; 0]);
    store.check().unwrap();
}

#[test]
fn unseen_messages_of_a_stranger_stay() {
    let dir = dir();
    let mut store = opened(&dir);
    store.quotas = small(1_000);
    for number in 0..20 {
        assert!(first(&apply(&mut store, &[of_stranger(2, 1, number, "unseen")])[0]).row().is_some());
    }
    assert_eq!(first(&apply(&mut store, &[of_stranger(2, 1, 20, "more")])[0]), Stored::NoRoom);
    assert_eq!(first(&apply(&mut store, &[of_stranger(2, 1, 7, "unseen")])[0]), Stored::Duplicate);
    assert_eq!(counts(&store), (20, 0));
    let rows = rows(&entries(&mut store));
    apply(&mut store, &[StoreOp::MarkShown(rows[..1].to_vec())]);
    assert!(first(&apply(&mut store, &[of_stranger(2, 1, 20, "more")])[0]).row().is_some());
    assert_eq!(counts(&store), (20, 0));
}

#[test]
fn largest_source_of_strangers_loses_its_oldest() {
    let dir = dir();
    let mut store = opened(&dir);
    store.quotas = small(1_000);
    apply(
        &mut store,
        &[incoming(1, &[1, 2, 3]), of_stranger(2, 2, 1, "hello"), of_stranger(3, 3, 1, "hello")],
    );
    for number in 0..200 {
        // Each with a key of its own.
        apply(&mut store, &[of_stranger(10 + number, 1, 1, &format!("flood {number}"))]);
        assert!(counts(&store).0 <= 64);
    }
    assert_eq!(bodies(&mut store, &words("hello")).len(), 2);
    assert_eq!(bodies(&mut store, &words("text")).len(), 3);
    let flood = bodies(&mut store, &words("flood"));
    assert_eq!((flood.last().unwrap().as_str(), flood.len() > 50), ("flood 199", true));
    let peers: i64 = store.conn.query_row("SELECT count(*) FROM peer", [], |row| row.get(0)).unwrap();
    assert!(peers <= 65, "peers without messages go, too: {peers}");
    store.check().unwrap();
}

#[test]
fn bytes_of_strangers_are_bounded() {
    let dir = dir();
    let mut store = opened(&dir);
    store.quotas = small(1_000);
    for number in 0..100 {
        apply(&mut store, &[of_stranger(number, number % 3, 1, &"x".repeat(3_000))]);
        let bytes: i64 = store.conn.query_row("SELECT sum(bytes) FROM source", [], |row| row.get(0)).unwrap();
        assert!(bytes <= 64 * 1024, "{bytes}");
    }
    assert!(counts(&store).0 > 10);
}

#[test]
fn unencrypted_flood_removes_no_message_of_a_contact() {
    let dir = dir();
    let mut store = opened(&dir);
    store.quotas = small(1_000);
    let flood = |from: Recipient, assurance, body: &str| StoreOp::IncomingPlain {
        from,
        name: name("Bob"),
        assurance,
        stranger: Some(prefix(1)),
        body: body.into(),
    };
    apply(&mut store, &[incoming(1, &[1, 2, 3])]);
    for port in 0..200 {
        // Some in the name of the contact.
        let claimed = flood(key(1), Assurance::Claimed, "claimed");
        apply(&mut store, &[flood(addr(port + 1), Assurance::Plain, "flood"), claimed]);
    }
    assert!(counts(&store).0 <= 64);
    assert_eq!(bodies(&mut store, &words("text")).len(), 3);
    assert!(bodies(&mut store, &words("claimed")).len() <= 20);
}

#[test]
fn accepted_stranger_keeps_its_messages() {
    let dir = dir();
    let mut store = opened(&dir);
    store.quotas = small(1_000);
    shown(&mut store, &(0..10).map(|number| of_stranger(2, 1, number, "mine")).collect::<Vec<_>>());
    let claimed = StoreOp::IncomingPlain {
        from: key(2),
        name: None,
        assurance: Assurance::Claimed,
        stranger: Some(prefix(9)),
        body: "claimed".into(),
    };
    apply(&mut store, &[claimed, StoreOp::Accept(PeerId::Key(peer_key(2)))]);
    assert_eq!(counts(&store), (1, 10));
    let flood: Vec<_> = (10..110).map(|from| of_stranger(from, 1, 1, "flood")).collect();
    apply(&mut store, &flood);
    let more: Vec<u32> = (100..140).collect();
    apply(&mut store, &[incoming(2, &more)]);
    assert_eq!(bodies(&mut store, &words("mine")).len(), 10);
    assert_eq!(bodies(&mut store, &with(&[key(2)])).len(), 51);
    counts(&store);
}

#[test]
fn messages_forgotten_elsewhere_leave_room() {
    let dir = dir();
    let (mut store, mut other) = (opened(&dir), opened(&dir));
    store.quotas = small(40);
    for from in 2..10 {
        let numbers: Vec<_> = (0..30).collect();
        apply(&mut store, &[incoming(from, &numbers)]);
        assert_eq!(counts(&store), (0, 30));
        apply(&mut other, &[forget(None, None, None)]);
    }
}

#[test]
fn failed_batch_counts_nothing() {
    let dir = dir();
    let mut store = opened(&dir);
    let flood = of_stranger(1, 1, 1, "hi");
    apply(&mut store, &[flood, incoming(2, &[1])]);
    let before = store.tally;
    // It goes wrong after all was counted.
    raw(&file(dir.path())).execute_batch("DROP TABLE search").unwrap();
    assert!(matches!(store.apply(&[incoming(2, &[2])], CLOCK), Err(StoreError::Other(_))));
    assert_eq!(counts(&store), (1, 1));
    assert_eq!(store.tally, before);
}

#[test]
fn batch_within_bounds_counts_only_its_own() {
    let dir = dir();
    let (mut store, mut other) = (opened(&dir), opened(&dir));
    apply(&mut store, &[incoming(1, &[1, 2])]);
    apply(&mut other, &[forget(None, None, None)]);
    apply(&mut store, &[incoming(1, &[3])]);
    assert_eq!(store.tally.unwrap().others.messages, 3);
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
    assert_eq!(counts(&store), (0, 4));
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
    assert_eq!(counts(&store), (0, 4));
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
    // Less than makes the clock doubtful.
    let jump = 20 * 24 * 3_600_000;
    let unlimited = |write| match write {
        StoreOp::Outgoing { to, name, message, status, attempted, assurance, .. } => {
            StoreOp::Outgoing { to, name, message, status, attempted, assurance, expires: 0 }
        }
        other => other,
    };
    store
        .apply_at(&[outgoing(key(1), 1, "x"), unlimited(outgoing(key(1), 2, "y"))], CLOCK, second(1))
        .unwrap();
    store.apply_at(&[], CLOCK + jump + 1_000, second(2)).unwrap();
    assert_eq!(expires(&mut store), [CLOCK + 1_000 + jump, 0]);
    // What is written in the turn that notices it knows the time already.
    let new = outgoing(key(1), 3, "z");
    store.apply_at(&[new], CLOCK + 2_000, second(3)).unwrap();
    assert_eq!(expires(&mut store), [CLOCK + 1_000, 0, CLOCK + 1_000]);
    // A turn that was not written has not noticed anything.
    let other = raw(&file(dir.path()));
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.conn.busy_timeout(Duration::from_millis(10)).unwrap();
    assert_eq!(store.apply_at(&[incoming(1, &[1])], CLOCK + jump, second(4)), Err(StoreError::Busy));
    other.execute_batch("ROLLBACK").unwrap();
    store.apply_at(&[incoming(1, &[1])], CLOCK + jump + 4_000, second(5)).unwrap();
    assert_eq!(expires(&mut store)[0], CLOCK + 1_000 + jump);
}
