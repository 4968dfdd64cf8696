//! A history of an older version, and a program that is killed while it imports it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use p2p_chat::store::{Sqlite, Store};
use rusqlite::Connection;
use tempfile::TempDir;

use super::kept::{alice, ask};

/// A file as version 1 has left it.
const VERSION_1: &str = include_str!("../../../src/store/tests/version_1.sql");

/// Messages that came, so that the import takes a while.
const MANY: u32 = 10_000;

/// How much later each kill is than the one before, at first. It grows, so that a slow machine gets
/// to the end as well.
const STEP: Duration = Duration::from_millis(15);

fn old_history(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder made");
    let conn = Connection::open(folder.join("history.db")).expect("opened");
    conn.execute_batch(VERSION_1).expect("filled");
    conn.execute_batch(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY} + 99)
         INSERT INTO message (message, peer, outgoing, state, id, time, assurance, body)
         SELECT n, 2, 0, 1, randomblob(16), 1800000000000 + n, 1, 'message number ' || n FROM n;
         PRAGMA journal_mode = WAL;"
    ))
    .expect("filled");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable"));
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn killed_import_loses_nothing() {
    let data = TempDir::new().expect("a temporary directory");
    let folder = data.path().join("profiles").join("alice");
    old_history(&folder);
    let (mut killed, mut after) = (0, STEP);
    loop {
        let (mut command, _dir) = alice(data.path(), &["--last", "1"]).command();
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        let begun = Instant::now();
        while begun.elapsed() < after && child.try_wait().expect("a child").is_none() {
            std::thread::yield_now();
        }
        if child.try_wait().expect("a child").is_some() {
            break;
        }
        child.kill().expect("killed");
        child.wait().expect("it ends");
        killed += 1;
        after += STEP.max(after / 4);
    }
    assert!(killed > 1, "it was too fast to be killed");
    let printed = ask(alice(data.path(), &["--last", "1"])).well();
    assert!(printed.ends_with(&format!("Bob·aiba: message number {}\n", MANY + 99)), "{printed}");
    let mut store = Sqlite::open(&folder.join("history.db")).expect("a store");
    let every = p2p_chat::model::stored::Query { limit: usize::MAX, ..Default::default() };
    assert_eq!(store.messages(&every).expect("readable").len(), 15 + MANY as usize);
    assert_eq!(store.queued().expect("readable").len(), 2);
    drop(store);
    let old: Vec<_> = names(&folder).into_iter().filter(|name| name.starts_with("history.db.old-")).collect();
    assert!(!old.is_empty());
    // What is left of killed imports is gone, and forgetting takes the old file along.
    ask(alice(data.path(), &["--forget", "--yes"])).well();
    // A kill at the very end may leave the empty lock file.
    let left: Vec<_> = names(&folder).into_iter().filter(|name| name != "history.db.import").collect();
    assert_eq!(left, ["history.db"]);
}
