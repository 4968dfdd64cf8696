//! A history that this version cannot use.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{Home, history_of};
use crate::support::refused;

/// Bytes of the header of an SQLite file (sqlite.org/fileformat2.html, section 1.3), without which
/// nothing in it can be found.
const HEADER: usize = 100;

/// A peer that has ended with a queued message, and its recipient.
fn waiting() -> (Home, Home) {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let mut her = alice.start();
    her.says(&bob.addr.to_string(), "whenever you come");
    her.sees("is offline; will deliver");
    her.leaves();
    (alice, bob)
}

/// Everything in the directory of the history, but for the lock.
fn bytes_beside(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(path.parent().expect("a folder")).expect("readable");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = paths
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("history")))
        .map(|path| (path.clone(), fs::read(&path).expect("readable")))
        .collect();
    files.sort();
    files
}

#[test]
fn later_history_is_refused_in_one_sentence() {
    let (alice, bob) = waiting();
    let path = history_of(alice.name, alice.data.path());
    let db = Connection::open(&path).expect("opened");
    db.pragma_update(None, "user_version", 1_000).expect("set");
    drop(db);
    let before = bytes_beside(&path);
    let errors = refused(alice.builder());
    assert_eq!(
        errors,
        format!(
            "p2p-chat: Cannot use {}: another version of p2p-chat wrote it (format 1000). \
             Start with --no-history to store no messages, or with another --data-dir.",
            path.display()
        )
    );
    assert!(bytes_beside(&path) == before);
    // What the sentence proposes helps, and does not touch the file either.
    let mut her = alice.builder().arg("--no-history").start();
    let mut him = bob.start();
    her.says(&bob.addr.to_string(), "without a history");
    him.sees(": without a history");
    her.leaves();
    assert!(bytes_beside(&path) == before);
}

#[test]
fn damaged_history_is_set_aside_at_start() {
    let (alice, bob) = waiting();
    let path = history_of(alice.name, alice.data.path());
    let mut bytes = fs::read(&path).expect("readable");
    bytes[..HEADER].fill(b'x');
    fs::write(&path, &bytes).expect("written");
    let mut her = alice.start();
    let line = her.sees("The history is damaged. p2p-chat renamed it to ");
    let aside =
        line.split(" renamed it to ").nth(1).and_then(|rest| rest.split(" and created a new one").next());
    let aside = fs::read(aside.expect("a name")).expect("it is there");
    assert!(aside == bytes, "what is set aside is as it was");
    let mut him = bob.start();
    her.says(&bob.addr.to_string(), "a new beginning");
    him.sees(": a new beginning");
    her.sees("Delivered to ");
    // It is told once, and the new one is well.
    her.leaves();
    let mut her = alice.start();
    her.types(&["/history"]);
    assert!(her.sees("a new beginning").ends_with("(delivered)"));
    assert!(!her.printed().iter().any(|line| line.contains("is damaged")));
}
