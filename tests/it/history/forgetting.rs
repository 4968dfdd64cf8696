//! `--forget`: what was chosen is gone from every byte, and nothing else is.

use p2p_chat::model::delivery::{DeliveryStatus, PendingReason};
use p2p_chat::model::peer_id::{PeerId, Recipient};

use super::kept::{Kept, at, bob, bytes_in};

/// Words that stand nowhere else, so that they can be looked for in bytes.
const SECRET: &str = "xylophone";

/// Bob's and Carol's messages, and a text of ours to Bob that waits.
fn kept() -> Kept {
    let mut kept = Kept::new();
    kept.hears_bob(&format!("the {SECRET} is under the bed")).later(86_400);
    kept.hears(at("127.0.0.1:5002"), "Carol", "an umbrella").later(86_400);
    kept.says(
        &[(Recipient::Peer(PeerId::Key(bob())), "Bob", DeliveryStatus::Queued(PendingReason::InLine))],
        "a trombone, later",
    );
    kept.says(
        &[(Recipient::Peer(PeerId::Key(bob())), "Bob", DeliveryStatus::Delivered)],
        &format!("which {SECRET}?"),
    );
    kept
}

/// How many files hold these bytes.
fn files_with(folder: &std::path::Path, word: &str) -> usize {
    let has = |bytes: &[u8]| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    bytes_in(folder).iter().filter(|(_, bytes)| has(bytes)).count()
}

#[test]
fn forgotten_messages_leave_no_bytes_but_queued_stay() {
    // While the chat has the file open, and after that.
    for is_open in [true, false] {
        let kept = kept();
        let folder = kept.folder();
        assert!(files_with(&folder, SECRET) > 0, "else this shows nothing");
        let args = ["--forget", "--with", "Bob", "--yes"];
        let said = "This deletes 2 messages with Bob for good; 1 queued message stays.\n\
                    Deleted 2 messages; 1 queued message stays.\n";
        let left = if is_open {
            assert_eq!(kept.asked(&args).well(), said);
            assert_eq!(files_with(&folder, SECRET), 0);
            kept.asked(&[]).well()
        } else {
            let kept = kept.closed();
            // It was searched in before.
            assert_eq!(kept.asked(&["--grep", SECRET]).well().lines().count(), 4);
            assert_eq!(kept.asked(&args).well(), said);
            assert_eq!(files_with(&folder, SECRET), 0);
            assert_eq!(
                kept.asked(&["--grep", SECRET]).refused(1),
                format!("No message matches `{SECRET}`.\n")
            );
            kept.asked(&[]).well()
        };
        let texts: Vec<&str> = left.lines().filter(|line| line.starts_with('[')).collect();
        assert_eq!(
            texts,
            ["[10:00:03] Carol (unencrypted): an umbrella", "[10:00:03] → Bob: a trombone, later (queued)"]
        );
    }
}

#[test]
fn messages_are_forgotten_by_age_or_entirely() {
    let kept = kept().closed();
    assert_eq!(kept.asked(&["--forget", "--until", "2026-11-20", "--yes"]).well(), "Deleted no messages.\n");
    assert_eq!(kept.asked(&["--forget", "--older-than", "36500d", "--yes"]).well(), "Deleted no messages.\n");
    // Two hours ahead of UTC.
    let said = "This deletes 1 message before 2026-11-22 00:00:00 for good.\nDeleted 1 message.\n";
    assert_eq!(kept.asked(&["--forget", "--until", "2026-11-21", "--yes"]).well(), said);
    assert_eq!(files_with(&kept.folder(), "under the bed"), 0);
    assert_eq!(kept.asked(&[]).well().lines().filter(|line| line.starts_with('[')).count(), 3);
    let said = "This deletes 2 messages for good; 1 queued message stays.\n\
                Deleted 2 messages; 1 queued message stays.\n";
    assert_eq!(kept.asked(&["--forget", "--yes"]).well(), said);
    assert_eq!((files_with(&kept.folder(), "umbrella"), files_with(&kept.folder(), "Carol")), (0, 0));
}

#[test]
fn nothing_is_forgotten_by_mistake() {
    let kept = kept().closed();
    let before = kept.asked(&["--json"]).well();
    for (args, words) in [
        (
            &["--forget"][..],
            "--forget asks for confirmation, which needs a terminal; add --yes to delete without asking.",
        ),
        (
            &["--forget", "--yes", "--grep", "x"],
            "--forget takes no --grep; choose the messages by peer and by age.",
        ),
        (&["--forget", "--yes", "--last=1"], "cannot be used with"),
        (&["--forget", "--yes", "--json"], "cannot be used with"),
        (
            &["--forget", "--yes", "--with", "Zoe"],
            "No messages with \"Zoe\". There are messages with Bob, Carol.",
        ),
        (&["--forget", "--yes", "--older-than=1d", "--until=1d"], "cannot be used with"),
        (&["--yes"], "--forget"),
    ] {
        let errors = kept.asked(args).refused(2);
        assert!(errors.contains(words), "{args:?}: {errors}");
    }
    assert_eq!(kept.asked(&["--json"]).well(), before);
}

#[test]
#[cfg(unix)]
fn on_a_terminal_the_user_is_asked_first() {
    use crate::support::Terminal;

    let kept = kept().closed();
    let question = "This deletes 3 messages for good; 1 queued message stays. Continue? y/N";
    for answer in ["", "n", "what"] {
        let mut window = Terminal::start(kept.asking(&["--forget"]), 24, 100);
        window.waits_for(question);
        window.enters(answer);
        window.waits_for("Nothing was deleted.");
        assert!(window.ends().success());
    }
    assert!(files_with(&kept.folder(), SECRET) > 0);
    let mut window = Terminal::start(kept.asking(&["--forget"]), 24, 100);
    window.waits_for(question);
    window.enters("y");
    window.waits_for("Deleted 3 messages; 1 queued message stays.");
    assert!(window.ends().success());
    assert_eq!(files_with(&kept.folder(), SECRET), 0);
    let mut window = Terminal::start(kept.asking(&["--forget"]), 24, 100);
    window.waits_for("There is nothing to delete; 1 queued message stays.");
    assert!(window.ends().success());
}

#[test]
#[cfg(unix)]
fn files_left_by_history_are_private() {
    use std::os::unix::fs::PermissionsExt;

    let kept = kept();
    let folder = kept.folder();
    let check = || {
        for (path, _) in bytes_in(&folder) {
            let mode = path.metadata().expect("it is there").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    };
    kept.asked(&[]).well();
    check();
    let kept = kept.closed();
    super::ask(kept.asking(&["--grep=bed"]).after("umask 000")).well();
    check();
    super::ask(kept.asking(&["--forget", "--yes"]).after("umask 000")).well();
    check();
}
