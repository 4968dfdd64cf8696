//! Making the file, opening it, and several at once who use it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::config::DbConfig;

use super::*;

#[test]
fn messages_survive_a_restart() {
    let dir = dir();
    apply(&mut opened(&dir), &[incoming(1, &[1]), outgoing(key(2), 2, "waits")]);
    assert_eq!(names(&dir), ["history.db"], "the log is gone when nobody uses it");
    let mut store = opened(&dir);
    assert_eq!((entries(&mut store).len(), store.queued().unwrap().len()), (2, 1));
}

#[test]
#[cfg(unix)]
fn only_the_user_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let dir = dir();
    let mut store = opened(&dir);
    apply(&mut store, &[incoming(1, &[1])]);
    assert_eq!(names(&dir), ["history.db", "history.db-shm", "history.db-wal"]);
    for name in names(&dir) {
        let mode = fs::metadata(dir.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn commits_wait_for_the_disk() {
    let dir = dir();
    let store = opened(&dir);
    let set = |name| store.conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    let mode: String = store.conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    // synchronous is FULL, secure_delete is on, auto_vacuum is incremental.
    assert_eq!(
        (mode.as_str(), set("synchronous"), set("secure_delete"), set("auto_vacuum")),
        ("wal", 2, 1, 2)
    );
    assert_eq!((set("application_id"), set("user_version")), (schema::APPLICATION, schema::VERSION));
}

#[test]
fn reader_sees_commits_and_writes_nothing() {
    let dir = dir();
    let mut store = opened(&dir);
    let mut reader = Sqlite::reader(&file(dir.path())).unwrap();
    assert_eq!(entries(&mut reader), []);
    apply(&mut store, &[incoming(1, &[1])]);
    assert_eq!(entries(&mut reader), entries(&mut store));
    assert_eq!(bodies(&mut reader, &words("text")), ["text 1"]);
    assert!(matches!(reader.apply(&[incoming(1, &[2])], CLOCK), Err(StoreError::Other(_))));
    assert_eq!(entries(&mut reader).len(), 1);
    assert!(matches!(Sqlite::reader(&dir.path().join("other.db")), Err(StoreError::Other(_))));
    assert!(!exists(&dir, "other.db"));
}

#[test]
fn two_writers_and_a_reader_work_at_once() {
    const EACH: u32 = 100;
    let dir = dir();
    let (mut one, mut other) = (opened(&dir), opened(&dir));
    let mut reader = Sqlite::reader(&file(dir.path())).unwrap();
    let done = AtomicBool::new(false);
    let rounds = thread::scope(|scope| {
        let writers = [(&mut one, 1), (&mut other, 2)].map(|(store, from)| {
            scope.spawn(move || (0..EACH).for_each(|number| drop(apply(store, &[incoming(from, &[number])]))))
        });
        let reading = scope.spawn(|| {
            let (mut seen, mut rounds) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                let found = entries(&mut reader).len();
                assert!(found >= seen);
                let searched = bodies(&mut reader, &words("text")).len();
                assert!(searched >= found);
                (seen, rounds) = (found, rounds + 1);
            }
            rounds
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
        reading.join().unwrap()
    });
    assert!(rounds > 0);
    let found = entries(&mut reader);
    assert_eq!(found.len(), 2 * EACH as usize);
    for from in [1, 2] {
        let ids: Vec<_> =
            found.iter().filter(|entry| entry.peer == key(from)).map(|entry| entry.id).collect();
        assert_eq!(ids, (0..EACH).map(|number| Some(id(number))).collect::<Vec<_>>());
    }
}

#[test]
fn locked_file_is_busy_after_a_while() {
    let dir = dir();
    let mut store = opened(&dir);
    let other = raw(&file(dir.path()));
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.conn.busy_timeout(Duration::from_millis(10)).unwrap();
    assert_eq!(store.apply(&[incoming(1, &[1])], CLOCK), Err(StoreError::Busy));
    assert_eq!(entries(&mut store), [], "it can be read");
    other.execute_batch("ROLLBACK").unwrap();
    apply(&mut store, &[incoming(1, &[1])]);
}

#[test]
fn other_format_is_refused_and_untouched() {
    for format in [1, schema::FIRST - 1, schema::VERSION + 1] {
        let dir = dir();
        let path = file(dir.path());
        apply(&mut opened(&dir), &[incoming(1, &[1])]);
        raw(&path).pragma_update(None, "user_version", format).unwrap();
        assert_eq!(names(&dir), ["history.db"]);
        let state = || (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
        let before = state();
        assert_eq!(Sqlite::open(&path).err(), Some(StoreError::OtherFormat(format)));
        assert_eq!(Sqlite::reader(&path).err(), Some(StoreError::OtherFormat(format)));
        assert_eq!(open_or_set_aside(&path).err(), Some(StoreError::OtherFormat(format)));
        assert!(state() == before);
        assert_eq!(names(&dir), ["history.db"], "no log and nothing else");
    }
}

#[test]
fn other_format_in_the_log_is_refused() {
    let dir = dir();
    let path = file(dir.path());
    apply(&mut opened(&dir), &[incoming(1, &[1])]);
    let newer = schema::VERSION + 1;
    let other = raw(&path);
    other.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    other.pragma_update(None, "user_version", newer).unwrap();
    drop(other);
    let state = || ["", "-wal"].map(|part| fs::read(beside(&path, part)).unwrap());
    let before = state();
    assert_eq!(Sqlite::open(&path).err(), Some(StoreError::OtherFormat(newer)));
    assert_eq!(Sqlite::reader(&path).err(), Some(StoreError::OtherFormat(newer)));
    assert_eq!(open_or_set_aside(&path).err(), Some(StoreError::OtherFormat(newer)));
    assert!(state() == before);
}
