//! What is said where the file cannot be used, and that it stays as it is.

use std::fs;

use rusqlite::Connection;

use super::kept::{Kept, bytes_in};

const HISTORY: &str = "history.db";

#[test]
fn history_of_a_later_version_is_left_alone() {
    let mut kept = Kept::new();
    kept.hears_bob("hi");
    let kept = kept.closed();
    let db = Connection::open(kept.folder().join(HISTORY)).expect("opened");
    db.pragma_update(None, "user_version", 1_000).expect("set");
    drop(db);
    let before = bytes_in(&kept.folder());
    for args in [&[][..], &["--forget", "--yes"]] {
        let errors = kept.asked(args).refused(2);
        assert!(
            errors.contains("history.db: another version of p2p-chat wrote it (format 1000)."),
            "{errors}"
        );
        assert!(errors.ends_with("The file is unchanged; use that version to read it.\n"), "{errors}");
        assert!(bytes_in(&kept.folder()) == before, "{args:?}");
    }
}

#[test]
fn damaged_history_is_reported_and_left_alone() {
    for damage in ["this is no database, but it is long enough to be one".repeat(100), "x".repeat(10)] {
        let kept = Kept::new().closed();
        for (path, _) in bytes_in(&kept.folder()) {
            fs::remove_file(path).expect("removed");
        }
        let path = kept.folder().join(HISTORY);
        fs::write(&path, &damage).expect("written");
        for args in [&[][..], &["--forget", "--yes"]] {
            let errors = kept.asked(args).refused(2);
            assert!(errors.contains("history.db: the file is damaged."), "{errors}");
            assert!(
                errors.ends_with("or start the chat, which sets the file aside and creates a new one.\n"),
                "{errors}"
            );
            assert_eq!(fs::read_to_string(&path).expect("readable"), damage);
        }
    }
}

#[test]
fn locked_history_is_reported_as_such() {
    let mut kept = Kept::new();
    kept.hears_bob("hi");
    let kept = kept.closed();
    let other = Connection::open(kept.folder().join(HISTORY)).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("begun");
    // Reading goes on beside writing.
    assert!(kept.asked(&[]).well().ends_with("Bob: hi\n"));
    let asked = kept.asked(&["--forget", "--yes"]);
    assert_eq!((&*asked.printed, asked.status), ("This deletes 1 message for good.\n", Some(1)));
    let errors = asked.errors;
    assert!(
        errors.ends_with("history.db: another process has locked the file; try again in a moment.\n"),
        "{errors}"
    );
    drop(other);
    assert_eq!(kept.asked(&["--forget", "--yes"]).well().lines().last(), Some("Deleted 1 message."));
}

#[test]
fn unreadable_history_is_reported_in_system_words() {
    let kept = Kept::new().closed();
    for (path, _) in bytes_in(&kept.folder()) {
        fs::remove_file(path).expect("removed");
    }
    fs::create_dir(kept.folder().join(HISTORY)).expect("a folder made");
    // The statuses of grep.
    for (args, status) in [(&[][..], 1), (&["--grep=x"], 2)] {
        let errors = kept.asked(args).refused(status);
        assert!(errors.starts_with("p2p-chat: Cannot use ") && errors.lines().count() == 1, "{errors}");
    }
}
