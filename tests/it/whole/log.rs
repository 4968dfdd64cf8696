//! A log that cannot be written: the chat goes on without it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{MALLORY, Peer, send_raw_from};

/// Messages that come; each leaves some 400 bytes in a log that tells everything.
const MESSAGES: usize = 500;

/// The size of a disk that is too small for that.
const SMALL: &str = "size=64k";

/// Asserts that a chat whose log goes to `path` is undisturbed, and nothing is said of the log but
/// once at most.
fn goes_on_with_its_log_at(path: &Path) -> Peer {
    let mut bob = Peer::named("Bob").start();
    let alice = Peer::named("Alice").knows(bob.addr()).arg("-vv").arg("--log-messages");
    let mut alice = alice.arg("--log-file").arg(path.display()).start();
    alice.sees("The static peer is online.");
    for number in 0..MESSAGES {
        let text = format!("127.0.0.66:9 Mallory number {number}.");
        let answer = send_raw_from(MALLORY, alice.addr(), text.as_bytes());
        assert!(answer.starts_with(b"[ACK] "), "{number}: {answer:?}");
    }
    alice.sees(&format!(": number {}.", MESSAGES - 1));
    alice.says("bob", "undisturbed");
    bob.sees(": undisturbed");
    alice.sees("Delivered to Bob");
    let shown = alice.printed().iter().filter(|line| line.contains(": number ")).count();
    assert_eq!(shown, MESSAGES);
    let complaints = alice.printed().iter().filter(|line| line.to_lowercase().contains("log")).count();
    let errors = alice.errors();
    assert!(complaints + errors.lines().count() <= 1, "{errors}");
    alice
}

#[test]
fn full_log_disk_does_not_disturb_the_chat() {
    let mut alice = goes_on_with_its_log_at(Path::new("/dev/full"));
    alice.leaves();
    assert!(alice.errors().lines().count() <= 1, "{}", alice.errors());
}

/// A disk of its own, taken away when dropped.
struct Disk(TempDir);

impl Disk {
    /// `None` where this process must not make one.
    fn small() -> Option<Self> {
        let dir = TempDir::new().expect("a temporary directory");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", SMALL, "none"]).arg(dir.path()).output();
        mount.is_ok_and(|done| done.status.success()).then(|| Self(dir))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A process that has a file open keeps it until it closes it.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn temporarily_full_log_disk_does_not_disturb_chat() {
    let Some(disk) = Disk::small() else {
        eprintln!("skipped: no disk can be mounted here; root can");
        return;
    };
    fs::write(disk.file("filler"), [0; 24 * 1024]).expect("there is room");
    let mut alice = goes_on_with_its_log_at(&disk.file("log"));
    let log = || fs::read_to_string(disk.file("log")).expect("a log in UTF-8");
    assert!(!log().contains(": undisturbed"), "the disk was not full");
    fs::remove_file(disk.file("filler")).expect("it is there");
    alice.still_answers();
    alice.leaves();
    assert!(log().contains("still-there-"), "the log did not go on where it could");
    assert_eq!(alice.errors(), "");
}
