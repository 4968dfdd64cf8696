//! Who a peer is: a key for each profile, which nobody else may read and one process at a time may
//! be.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Builder, Peer, is_running_already, refused};

mod printed;
mod remembered;

/// A peer that keeps everything in `data`.
fn with_data(name: &str, data: &Path) -> Builder {
    Peer::named(name).data_dir(data)
}

/// The directory of a profile.
fn folder(data: &Path, profile: &str) -> PathBuf {
    data.join("profiles").join(profile)
}

/// What stands in the file of a key.
fn key(data: &Path, profile: &str) -> String {
    fs::read_to_string(folder(data, profile).join("key")).expect("a key")
}

/// Runs a peer until it listens, and to its end.
fn run(peer: Builder) {
    let mut peer = peer.start();
    peer.leaves();
}

#[test]
fn first_run_makes_the_key_for_later_runs() {
    let data = TempDir::new().expect("a temporary directory");
    run(with_data("Alice", data.path()));
    let first = key(data.path(), "alice");
    let lines: Vec<_> = first.lines().map(|line| line.split_once(' ').expect("two words")).collect();
    assert!(
        matches!(lines[..], [("p2p-chat", "key 1"), ("secret", secret), ("public", public)]
            if secret.len() == 52 && public.len() == 52 && secret != public),
        "another format: it would be shown here, but it is secret"
    );
    run(with_data("Alice", data.path()));
    // A name differs from another by more than its capitals.
    run(with_data("ALICE", data.path()));
    assert!(key(data.path(), "alice") == first);
    assert_eq!(fs::read_dir(data.path().join("profiles")).expect("readable").count(), 1);
}

#[test]
#[cfg(unix)]
fn nobody_else_can_read_what_is_made() {
    use std::os::unix::fs::PermissionsExt;

    let data = TempDir::new().expect("a temporary directory");
    // Whatever the umask is.
    let mut alice = with_data("Alice", data.path()).after("umask 000").start();
    let alices = folder(data.path(), "alice");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&alices), 0o700);
    let files: Vec<_> =
        fs::read_dir(&alices).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    assert!(files.len() >= 3, "a key, a lock and the history, with what SQLite has beside it: {files:?}");
    assert!(files.iter().all(|path| mode(path) == 0o600), "{files:?}");
    alice.still_answers();
}

#[test]
fn second_process_is_refused_until_the_first_crashes() {
    let data = TempDir::new().expect("a temporary directory");
    let mut alice = with_data("Alice", data.path()).start();
    let expected = |alice: &Peer| {
        let port = alice.addr().port();
        format!("p2p-chat: Alice is already running (port {port}). Use --name NAME to start another profile.")
    };
    let said = is_running_already(with_data("Alice", data.path()));
    assert_eq!(said, expected(&alice));
    let said = is_running_already(with_data("Bob", data.path()).arg("--profile=alice"));
    assert_eq!(said, expected(&alice));
    alice.still_answers();
    let first = key(data.path(), "alice");
    alice.crashes();
    let mut again = with_data("Alice", data.path()).start();
    again.still_answers();
    assert!(key(data.path(), "alice") == first);
    assert_eq!(is_running_already(with_data("Alice", data.path())), expected(&again));
    // The number of its process is in the lock, also where it is shorter than the one before.
    let lock = fs::read_to_string(folder(data.path(), "alice").join("lock")).expect("a lock");
    assert_eq!(lock, format!("{}\n", again.pid()));
}

#[test]
#[cfg(unix)]
fn readable_key_is_refused_with_advice() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    let data = TempDir::new().expect("a temporary directory");
    run(with_data("Alice", data.path()));
    let alices = folder(data.path(), "alice");
    for path in [alices.join("key"), alices] {
        let good = fs::metadata(&path).expect("it is there").permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(good.mode() | 0o044)).expect("changed");
        let errors = refused(with_data("Alice", data.path()));
        assert!(errors.lines().count() == 1, "{errors}");
        let (sentence, help) = errors.split_once("; `").expect("what helps");
        let help = help.strip_suffix("` fixes that.").expect("the end of the sentence");
        assert!(sentence.starts_with("p2p-chat: Other users of this machine have access to "), "{sentence}");
        // What helps does help.
        assert!(Command::new("/bin/sh").args(["-c", help]).status().expect("a shell").success());
        run(with_data("Alice", data.path()));
    }
}

#[test]
fn missing_home_gives_a_key_for_one_run() {
    let nowhere = |name| Peer::named(name).env("XDG_DATA_HOME", "/dev/null/x").env("HOME", "/dev/null");
    let mut alice = nowhere("Alice").start();
    let line = alice.sees("Your key is for this run only: in the next run you are a stranger to your peers.");
    assert!(line.starts_with("Cannot create /dev/null/x/p2p-chat/profiles/alice: "), "{line}");
    alice.still_answers();
    // What cannot be kept cannot be locked.
    nowhere("Alice").start().still_answers();
    // Where the user says where, it has to be there.
    let errors = refused(Peer::named("Alice").arg("--data-dir=/dev/null/x"));
    assert!(errors.contains("Cannot use /dev/null/x/profiles/alice: "), "{errors}");
}

#[test]
fn test_peers_are_separate_and_touch_no_home() {
    let (mut one, mut other) = (Peer::named("Alice").start(), Peer::named("Alice").start());
    one.still_answers();
    other.still_answers();
    for peer in [&one, &other] {
        assert!(peer.data_dir().starts_with(peer.dir()) && peer.dir().starts_with(std::env::temp_dir()));
    }
    assert!(key(&one.data_dir(), "alice") != key(&other.data_dir(), "alice"));
    // One who goes on is the same person, at the same port.
    let (before, addr) = (key(&one.data_dir(), "alice"), one.addr());
    one.crashes();
    let mut one = one.goes_on_as(Peer::named("Alice"));
    one.still_answers();
    assert!(key(&one.data_dir(), "alice") == before && one.addr() == addr);
}
