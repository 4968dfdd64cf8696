//! A disk that runs full under the history. It is a small one in a mount namespace of its own, so
//! nobody else sees it; where that cannot be made the tests say so and are skipped.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Home, history_of, kept_of, outbox_has, times, until};
use crate::support::{Builder, Peer, SOON};

/// Room for a profile and a history of some messages.
const SIZE: &str = "size=2m";

/// What is written at once to fill a disk.
const BLOCK: usize = 4_096;

/// What the user is told once.
const NOT_KEPT: &str = "The history cannot be written: the disk is full. A message that you send is lost if you leave before it is \
                        delivered. Incoming messages are shown but not acknowledged, so they are sent again.";

/// Has a command run with a small disk at `dir` that only it sees.
fn on_a_small_disk(dir: &Path) -> Vec<String> {
    let mount = format!("mount -t tmpfs -o {SIZE} none '{}' && exec \"$0\" \"$@\"", dir.display());
    ["unshare", "--mount", "/bin/sh", "-c", &mount].map(str::to_owned).into()
}

/// Whether such a disk can be made here; says so if not.
#[allow(clippy::print_stderr, reason = "a reader of the results has to know that these were not run")]
fn is_possible() -> bool {
    let dir = TempDir::new().expect("a directory");
    let words = on_a_small_disk(dir.path());
    let tried = Command::new(&words[0]).args(&words[1..]).arg("true").output();
    let possible = tried.is_ok_and(|done| done.status.success());
    if !possible {
        eprintln!("skipped: no disk can be mounted here; root can");
    }
    possible
}

/// A peer that keeps everything on a small disk.
struct OnDisk {
    peer: Peer,
    data: PathBuf,
}

impl OnDisk {
    fn start(home: &Home, builder: Builder) -> Self {
        let words = on_a_small_disk(home.data.path());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let peer = builder.under(&words).start();
        // The disk as the process sees it.
        let root = PathBuf::from(format!("/proc/{}/root", peer.pid()));
        let data = root.join(home.data.path().strip_prefix("/").expect("an absolute path"));
        assert!(data.join("profiles").exists(), "it keeps its profile there");
        Self { peer, data }
    }

    /// Fills the disk to the last byte.
    fn fills(&self) {
        let mut file = File::create(self.data.join("filler")).expect("there is room for a name");
        while file.write_all(&[0; BLOCK]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    /// The texts in its history. SQLite opens nothing by way of another process, so it is read from
    /// a copy.
    fn kept(&self, home: &Home) -> Vec<String> {
        let copy = TempDir::new().expect("a directory");
        let (from, to) = (history_of(home.name, &self.data), history_of(home.name, copy.path()));
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder made");
        for part in ["db", "db-wal"] {
            fs::copy(from.with_extension(part), to.with_extension(part)).expect("copied");
        }
        kept_of(home.name, copy.path()).iter().map(|entry| entry.body.to_string()).collect()
    }

    /// Makes room again.
    fn has_room(&self) {
        fs::remove_file(self.data.join("filler")).expect("it is there");
    }
}

#[test]
fn full_disk_delays_receipts_and_shows_messages_once() {
    if !is_possible() {
        return;
    }
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let him = OnDisk::start(&bob, bob.builder());
    let mut her = alice.start();
    her.says(&bob.addr.to_string(), "there is room");
    her.sees("Delivered to Bob");
    him.fills();
    for text in ["none is left", "still none"] {
        her.says(&bob.addr.to_string(), text);
        him.peer.has_seen(&format!(": {text}"));
        let line = her.sees_queued();
        assert!(line.contains("they have no room for messages now"), "{line}");
    }
    him.peer.has_seen(NOT_KEPT);
    let waits = outbox_has(&mut her, "they have no room for messages now; expires in ");
    assert!(waits.ends_with(": \"none is left\""), "{waits}");
    him.has_room();
    her.sees(&format!("Delivered to {}: \"none is left\"", bob.name));
    her.sees(&format!("Delivered to {}: \"still none\"", bob.name));
    her.says("bob", "room again");
    her.sees("Delivered to Bob");
    him.peer.has_seen(": room again");
    for text in ["there is room", "none is left", "still none", "room again"] {
        assert_eq!(times(&him.peer, &format!(": {text}")), 1, "{text}");
    }
    assert_eq!(times(&him.peer, "The history cannot be written"), 1);
    assert_eq!(him.kept(&bob), ["there is room", "none is left", "still none", "room again"]);
}

#[test]
fn full_disk_sends_messages_and_warns() {
    if !is_possible() {
        return;
    }
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let mut him = bob.start();
    let mut her = OnDisk::start(&alice, alice.builder());
    her.peer.says(&bob.addr.to_string(), "there is room");
    her.peer.sees("Delivered to Bob");
    her.fills();
    her.peer.says("bob", "none is left");
    him.sees(": none is left");
    her.peer.has_seen(NOT_KEPT);
    her.has_room();
    her.peer.says("bob", "room again");
    him.sees(": room again");
    until(SOON, "all three are delivered", || times(&her.peer, "Delivered to Bob") == 3);
    assert_eq!(times(&her.peer, "The history cannot be written"), 1);
    assert_eq!(times(&him, ": none is left"), 1);
    assert_eq!(her.kept(&alice), ["there is room", "room again"]);
}

#[test]
fn contact_change_on_full_disk_is_retried() {
    if !is_possible() {
        return;
    }
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let mut him = bob.start();
    let mut her = OnDisk::start(&alice, alice.builder());
    her.peer.says(&bob.addr.to_string(), "there is room");
    him.sees(": there is room");
    her.peer.sees("Delivered to Bob");
    her.fills();
    her.peer.types(&["/mute bob"]);
    let line = her.peer.sees("Cannot write ");
    let expected = "contacts.toml: No space left on device (os error 28). p2p-chat will try again.";
    assert!(line.ends_with(expected), "{line}");
    her.has_room();
    let contacts = her.data.join("profiles/alice/contacts.toml");
    until(SOON, "the change is saved", || {
        fs::read_to_string(&contacts).is_ok_and(|text| text.contains("muted = true"))
    });
}
