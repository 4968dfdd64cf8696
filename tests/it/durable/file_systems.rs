//! File systems without some features, simulated with bindfs.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Home;
use crate::support::refused;

/// A directory on a file system without some features.
struct Mount {
    seen: TempDir,
    _behind: TempDir,
}

impl Mount {
    /// Mounts it. Returns `None` where that is impossible, and prints why.
    #[allow(clippy::print_stderr, reason = "a reader of the results has to know that this one was not run")]
    fn new(options: &[&str]) -> Option<Self> {
        let (seen, behind) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
        let mut command = Command::new("bindfs");
        command.args(options).arg(behind.path()).arg(seen.path()).stdout(Stdio::null()).stderr(Stdio::null());
        if !command.status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: bindfs is not installed, or this user cannot mount with it");
            return None;
        }
        Some(Self { seen, _behind: behind })
    }

    /// A user whose data is in it.
    fn home(&self, name: &'static str) -> Home {
        Home { data: TempDir::new_in(self.seen.path()).expect("a directory"), ..Home::of(name) }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = |program: &str, options: &[&str]| {
            let mut command = Command::new(program);
            command.args(options).arg(self.seen.path()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let _ =
            unmounted("fusermount3", &["-u"]) || unmounted("fusermount", &["-u"]) || unmounted("umount", &[]);
    }
}

#[test]
fn messages_survive_without_shared_memory() {
    let Some(mount) = Mount::new(&["-o", "direct_io"]) else { return };
    let (alice, bob) = (mount.home("Alice"), Home::of("Bob"));
    let mut him = bob.start();
    for text in ["one", "two"] {
        let mut her = alice.start();
        her.says(&bob.addr.to_string(), text);
        him.sees(&format!(": {text}"));
        her.sees("Delivered to Bob");
        assert!(alice.history(&[]).contains(&format!("{text} (delivered)")), "while it runs");
        her.leaves();
    }
    let history = alice.history(&["--grep", "one"]);
    assert!(history.contains("one (delivered)"), "{history}");
    assert_eq!(
        alice.history(&["--forget", "--yes"]),
        "This deletes 2 messages for good.\nDeleted 2 messages.\n"
    );
}

#[test]
fn advice_for_fixed_permissions_works() {
    let Some(mount) = Mount::new(&["--perms=0755", "--chmod-ignore"]) else { return };
    let alice = mount.home("Alice");
    let errors = refused(alice.builder());
    assert!(errors.contains("its file system cannot prevent that"), "{errors}");
    assert!(errors.contains("--data-dir") && !errors.contains("chmod"), "{errors}");
    let started = || alice.builder().arg("--insecure-permissions").start();
    let mut her = started();
    her.still_answers();
    her.leaves();
    started().still_answers();
}
