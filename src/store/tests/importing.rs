//! Files of version 1 and 2.

use super::*;
use crate::store::import::STATES;
use crate::store::status::tests::all as all_statuses;

/// A file as version 1 has left it, with messages in all states.
const VERSION_1: &str = include_str!("version_1.sql");

/// What version 2 added to it.
const VERSION_2: &str = "
ALTER TABLE peer ADD COLUMN read_to INTEGER NOT NULL DEFAULT 0;
UPDATE peer SET read_to = 13 WHERE peer = 2;
UPDATE peer SET read_to = 12 WHERE peer = 3;
CREATE VIRTUAL TABLE search USING fts5 (
    peer, body, content = 'message', content_rowid = 'message', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE TABLE span (span INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('indexed_to', 0);
PRAGMA user_version = 2;
";

fn old(dir: &TempDir, version: i64) {
    let conn = raw(&file(dir.path()));
    conn.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    conn.execute_batch(VERSION_1).unwrap();
    if version == 2 {
        conn.execute_batch(VERSION_2).unwrap();
    }
}

/// The old file that is kept.
fn kept(dir: &TempDir) -> Vec<String> {
    names(dir).into_iter().filter(|name| name.starts_with("history.db.old-2")).collect()
}

/// Everything of the fixture is in the store.
fn is_whole(store: &mut Sqlite, version: i64) {
    let found = entries(store);
    assert_eq!(found.iter().map(|entry| entry.row.0).collect::<Vec<_>>(), (1..=15).collect::<Vec<_>>());
    // The numbers of the fixture have the order of this list.
    let directions = found.iter().map(|entry| entry.direction.clone());
    let outgoing = directions.filter(Direction::is_outgoing).collect::<Vec<_>>();
    assert_eq!(outgoing, all_statuses().into_iter().map(direction).collect::<Vec<_>>());
    let came = found.iter().filter(|entry| matches!(entry.direction, Direction::Incoming { .. }));
    let came: Vec<_> = came.map(|entry| (entry.direction.clone(), entry.assurance)).collect();
    // Version 1 counts as read.
    let way = |unshown, new| Direction::Incoming { unshown, new: new && version == 2 };
    let expected = [
        (way(false, false), Assurance::Plain),
        (way(false, false), Assurance::Encrypted),
        (way(true, true), Assurance::Verified),
        (way(true, true), Assurance::Claimed),
    ];
    assert_eq!(came, expected);
    assert_eq!(found[0].sent, Some(1_799_999_999_996));
    let open: Vec<_> = store
        .queued()
        .unwrap()
        .iter()
        .map(|open| (open.attempted, open.message.again, open.expires))
        .collect();
    let expires = 1_800_600_000_000;
    assert_eq!(open, [(false, false, expires), (true, true, expires)]);
    assert_eq!(bodies(store, &words("zaun")).len(), 3);
    let counted: (i64, i64) = store
        .conn
        .query_row("SELECT sum(messages), sum(bytes) FROM peer", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let bytes: usize = found.iter().map(|entry| entry.body.len()).sum();
    assert_eq!(counted, (15, bytes as i64));
    store.check().unwrap();
}

#[test]
fn old_file_is_imported_whole_and_kept() {
    for version in [1, 2] {
        let dir = dir();
        old(&dir, version);
        let before = fs::read(file(dir.path())).unwrap();
        let (mut store, told) = open_or_set_aside(&file(dir.path())).unwrap();
        assert_eq!(told, None);
        is_whole(&mut store, version);
        let kept = kept(&dir);
        assert_eq!(kept.len(), 1);
        assert!(fs::read(dir.path().join(&kept[0])).unwrap() == before);
        // Ids are remembered, and numbers go on.
        let written = apply(&mut store, &[incoming(2, &[1, 2])]);
        assert_eq!(written, [StoreResult::Incoming(vec![Stored::Duplicate, Stored::New(RowId(16))])]);
        drop(store);
        assert_eq!(names(&dir), ["history.db".to_owned(), kept[0].clone()]);
        assert_eq!(entries(&mut opened(&dir)).len(), 16, "it is imported once");
    }
}

#[test]
fn every_old_state_is_imported_as_one_status() {
    let mut read: Vec<_> = STATES.iter().map(|columns| columns.read().unwrap()).collect();
    assert_eq!(read, all_statuses().into_iter().map(|(status, _)| status).collect::<Vec<_>>());
    read.dedup();
    assert_eq!(read.len(), STATES.len());
}

#[test]
fn reader_imports_an_old_file_too() {
    let dir = dir();
    old(&dir, 2);
    let mut reader = Sqlite::reader(&file(dir.path())).unwrap();
    is_whole(&mut reader, 2);
}

#[test]
fn messages_in_the_log_are_imported() {
    let dir = dir();
    old(&dir, 2);
    let conn = raw(&file(dir.path()));
    let no_checkpoint = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    conn.set_db_config(no_checkpoint, true).unwrap();
    conn.execute_batch("UPDATE message SET body = 'only in the log' WHERE message = 1").unwrap();
    drop(conn);
    assert!(exists(&dir, "history.db-wal"));
    assert_eq!(bodies(&mut opened(&dir), &words("log")), ["only in the log"]);
}

#[test]
fn killed_import_starts_again() {
    // What is there after a kill: half a new file, a whole one, or both names of the old one.
    let whole = {
        let dir = dir();
        old(&dir, 2);
        drop(opened(&dir));
        fs::read(file(dir.path())).unwrap()
    };
    for (new, linked) in [(&b""[..], false), (&whole[..5_000], false), (&whole, false), (&whole, true)] {
        let dir = dir();
        old(&dir, 2);
        fs::write(dir.path().join("history.db.new"), new).unwrap();
        fs::write(dir.path().join("history.db.import"), "").unwrap();
        if linked {
            fs::hard_link(file(dir.path()), dir.path().join("history.db.old-20261128")).unwrap();
        }
        // The older program has written in between.
        let conn = raw(&file(dir.path()));
        conn.execute_batch("UPDATE message SET body = 'newest' WHERE message = 12").unwrap();
        drop(conn);
        let mut store = opened(&dir);
        is_whole(&mut store, 2);
        assert_eq!(bodies(&mut store, &words("newest")), ["newest"]);
        assert!(!exists(&dir, "history.db.new") && !exists(&dir, "history.db.import"));
    }
}

#[test]
fn two_processes_import_once() {
    let dir = dir();
    old(&dir, 2);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| entries(&mut opened(&dir)).len())).collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), 15));
    });
    assert_eq!(kept(&dir).len(), 1);
}

#[test]
fn file_in_use_is_not_imported() {
    let dir = dir();
    old(&dir, 2);
    let reader = raw(&file(dir.path()));
    reader.execute_batch("BEGIN; SELECT count(*) FROM message;").unwrap();
    assert_eq!(Sqlite::open(&file(dir.path())).err(), Some(StoreError::Busy));
    drop(reader);
    is_whole(&mut opened(&dir), 2);
}

#[test]
fn damaged_old_file_keeps_its_queued_messages() {
    let dir = dir();
    old(&dir, 2);
    let conn = raw(&file(dir.path()));
    conn.execute_batch("UPDATE message SET assurance = 9 WHERE message = 12").unwrap();
    conn.execute_batch("UPDATE message SET state = 99 WHERE message = 5").unwrap();
    drop(conn);
    let (mut store, told) = open_or_set_aside(&file(dir.path())).unwrap();
    assert!(told.unwrap().ends_with("2 queued messages were carried over."));
    let open: Vec<_> =
        store.queued().unwrap().iter().map(|open| (open.attempted, open.message.again)).collect();
    assert_eq!(open, [(false, false), (true, true)]);
}

#[test]
fn forgetting_erases_the_old_file() {
    let dir = dir();
    old(&dir, 2);
    let mut store = opened(&dir);
    let link = dir.path().join("link");
    fs::hard_link(dir.path().join(&kept(&dir)[0]), &link).unwrap();
    fs::write(dir.path().join("history.db.older"), "not ours").unwrap();
    apply(&mut store, &[forget(Some(vec![key(9)]), None, None)]);
    assert_eq!(kept(&dir).len(), 1, "nothing was forgotten");
    apply(&mut store, &[forget(Some(vec![key(2)]), None, None)]);
    assert_eq!(kept(&dir), [""; 0]);
    assert!(fs::read(link).unwrap().iter().all(|byte| *byte == 0), "its bytes are overwritten");
    assert!(exists(&dir, "history.db.older"));
    assert_eq!(entries(&mut store).len(), 13);
}
