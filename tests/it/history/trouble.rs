//! What is said where the file cannot be used, and that it stays as it is.

use std::fs;

use super::kept::{Kept, bytes_in};

const HISTORY: &str = "history.db";

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
