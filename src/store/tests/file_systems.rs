//! File systems that lack something, and files that cannot be written to.

use rusqlite::{Error, OpenFlags, ffi};

use super::*;
use crate::store::database::{merge_log, prepare};

fn mode(store: &Sqlite) -> String {
    store.conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap()
}

/// The files of a store as a crash leaves them, in another directory.
fn crashed(parts: &[&str]) -> TempDir {
    let (dir, copy) = (dir(), dir());
    let mut store = opened(&dir);
    apply(&mut store, &[incoming(1, &[1, 2])]);
    for part in parts {
        fs::copy(beside(&file(dir.path()), part), beside(&file(copy.path()), part)).unwrap();
    }
    copy
}

#[test]
fn file_without_a_log_is_written_and_read() {
    let dir = dir();
    let path = file(dir.path());
    fs::write(&path, "").unwrap();
    let mut store = Sqlite::connected(&path).unwrap();
    prepare(&mut store.conn, || false).unwrap();
    assert_eq!(mode(&store), "delete");
    let mut reader = Sqlite::reader(&path).unwrap();
    for number in 1..=3 {
        apply(&mut store, &[incoming(1, &[number])]);
        assert_eq!(entries(&mut reader).len(), number as usize);
    }
    // Without a visible log, a program may still write to the file.
    let mut protected = Sqlite::protected(&path).unwrap();
    assert_eq!(entries(&mut protected).len(), 3);
    apply(&mut store, &[incoming(1, &[4])]);
    assert_eq!(entries(&mut protected).len(), 4);
    drop(protected);
    apply(&mut store, &[forget(None, None, None)]);
    while store.tidy().unwrap() {}
    assert_eq!(names(&dir), ["history.db"]);
    drop((store, reader));
    // On another file system it has a log.
    assert_eq!(mode(&opened(&dir)), "wal");
}

#[test]
fn log_is_merged_without_shared_memory() {
    let dir = crashed(&["", "-wal"]);
    merge_log(&file(dir.path())).unwrap();
    assert_eq!(names(&dir), ["history.db"]);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = Connection::open_with_flags(file(dir.path()), flags).unwrap();
    assert_eq!(
        conn.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).unwrap(),
        "delete"
    );
    assert_eq!(entries(&mut opened(&dir)).len(), 2);
}

#[test]
fn protected_file_is_read_without_new_files() {
    let dir = dir();
    let path = file(dir.path());
    let mut store = opened(&dir);
    apply(&mut store, &[incoming(1, &[1])]);
    // The log of a running program counts.
    assert_eq!(entries(&mut Sqlite::protected(&path).unwrap()).len(), 1);
    drop(store);
    assert_eq!(names(&dir), ["history.db"]);
    let mut protected = Sqlite::protected(&path).unwrap();
    assert_eq!((entries(&mut protected).len(), names(&dir)), (1, vec!["history.db".to_owned()]));
    drop(protected);
    assert_eq!(names(&dir), ["history.db"]);
    // A name with characters that have a meaning in a URI.
    let odd = dir.path().join("100%? #1&x.db");
    fs::rename(&path, &odd).unwrap();
    assert_eq!(entries(&mut Sqlite::protected(&odd).unwrap()).len(), 1);
}

#[test]
fn log_of_a_protected_file_is_never_ignored() {
    let dir = crashed(&["", "-wal"]);
    let why = Sqlite::protected(&file(dir.path())).err().unwrap().to_string();
    assert!(why.contains("copy both to another directory"), "{why}");
    assert_eq!(names(&dir), ["history.db", "history.db-wal"]);
}

#[test]
#[cfg(unix)]
fn write_protected_log_is_writable_again() {
    use std::os::unix::fs::PermissionsExt;

    let dir = crashed(&["", "-wal", "-shm"]);
    let parts = ["-wal", "-shm"].map(|part| beside(&file(dir.path()), part));
    for part in &parts {
        fs::set_permissions(part, fs::Permissions::from_mode(0o400)).unwrap();
    }
    let mut store = opened(&dir);
    for part in &parts {
        assert_eq!(fs::metadata(part).unwrap().permissions().mode() & 0o777, 0o600);
    }
    apply(&mut store, &[incoming(1, &[3])]);
    assert_eq!(entries(&mut store).len(), 3);
}

#[test]
fn reasons_of_sqlite_say_what_is_wrong() {
    for (code, expected) in [
        (ffi::SQLITE_READONLY, "the file or its directory is write-protected"),
        (ffi::SQLITE_CANTOPEN, "the file, or its log beside it, cannot be opened or created"),
        (ffi::SQLITE_IOERR_WRITE, "the disk or its file system reports an error (disk I/O error)"),
    ] {
        let error = Error::SqliteFailure(ffi::Error::new(code), Some("disk I/O error".into()));
        assert_eq!(StoreError::from(error).to_string(), expected);
    }
}
