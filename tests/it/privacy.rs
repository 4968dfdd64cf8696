//! What other users and programs of the machine can see: the log, the profile, the memory.

use std::fs;
use std::net::TcpListener;

#[cfg(unix)]
use crate::support::{Builder, refused};
use crate::support::{MALLORY, Peer, hear, send_raw_from};

/// Exchanges a message of each kind, and returns the log and what went to standard error.
fn log_of_a_chat(args: &[&str]) -> (String, String) {
    let mut bob = Peer::named("Bob").start();
    let mut alice = Peer::named("Alice").knows(bob.addr());
    for arg in args {
        alice = alice.arg(arg);
    }
    let mut alice = alice.start();
    alice.meets(&bob);
    alice.types(&["@bob secret-encrypted-out"]);
    bob.sees("secret-encrypted-out");
    bob.types(&["@alice secret-encrypted-in"]);
    alice.sees("secret-encrypted-in");
    let program = TcpListener::bind((MALLORY, 0)).expect("a port");
    let mallory = program.local_addr().expect("bound");
    let own = alice.addr();
    for text in [
        &format!("{mallory} Mallory secret-plain-in"),
        "secret-without-an-address",
        "127.0.0.1:9 Bob secret-claim",
        &format!("{own} Mallory secret-impostor"),
    ] {
        send_raw_from(MALLORY, own, text.as_bytes());
    }
    alice.sees_all_of(&[
        &|line| line.contains("secret-plain-in"),
        &|line| line.contains("secret-without-an-address"),
        &|line| line.contains("secret-claim"),
        &|line| line.contains("secret-impostor"),
    ]);
    alice.types(&["@mallory secret-plain-out"]);
    while !hear(&program).0.contains("secret-plain-out") {}
    drop(program);
    alice.leaves();
    (fs::read_to_string(alice.dir().join("log")).unwrap_or_default(), alice.errors())
}

#[test]
fn log_holds_no_text_of_messages() {
    let (log, errors) = log_of_a_chat(&["--log-file=log", "-vv"]);
    assert!(log.contains("Bob") && log.contains("from 127.0.0.66"), "{log}");
    assert!(!log.contains("secret-"), "{log}");
    assert_eq!(errors, "");
    // On standard error likewise.
    for verbose in ["-v", "-vv"] {
        let (_, errors) = log_of_a_chat(&[verbose]);
        assert!(errors.contains("Bob") && !errors.contains("secret-"), "{errors}");
    }
}

#[test]
fn log_holds_messages_when_asked_to() {
    let (log, _) = log_of_a_chat(&["--log-file=log", "-vv", "--log-messages"]);
    for text in ["encrypted-in", "plain-in", "without-an-address", "impostor", "plain-out"] {
        assert!(log.contains(&format!("secret-{text}")), "{text} is missing in {log}");
    }
}

#[cfg(unix)]
mod modes {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::path::Path;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn log_file_is_created_for_the_user_alone() {
        let mut alice = Peer::named("Alice").arg("--log-file=log").after("umask 000").start();
        alice.still_answers();
        assert_eq!(mode(&alice.dir().join("log")), 0o600);
        // One that is there gets this mode, and the user reads that it had another.
        let readable = || Peer::named("Alice").file("log", "").arg("--log-file=log").after("chmod 644 log");
        for more in ["-v", "--log-messages"] {
            let mut alice = readable().arg(more).start();
            alice.still_answers();
            assert_eq!(mode(&alice.dir().join("log")), 0o600, "{more}");
            let errors = alice.errors();
            assert!(errors.contains("Other users could access the log file log."), "{errors}");
        }
    }

    #[test]
    fn messages_are_not_logged_where_others_read_them() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can give a file to another user");
            return;
        }
        let data = tempfile::TempDir::new().expect("a temporary directory");
        let log = data.path().join("log");
        fs::write(&log, "").expect("a file");
        fs::set_permissions(&log, fs::Permissions::from_mode(0o644)).expect("ours");
        chown(&log, Some(NOBODY), None).expect("root may");
        let log = format!("--log-file={}", log.display());
        let errors = refused(Peer::named("Alice").arg(&log).arg("--log-messages"));
        assert!(errors.contains("Other users can access the log file "), "{errors}");
        assert_eq!(mode(&data.path().join("log")), 0o644);
    }

    /// Alice, whose profile is in this data directory.
    fn alice(data: &Path) -> Builder {
        Peer::named("Alice").data_dir(data)
    }

    /// A user id that no test runs as: that of `nobody`.
    const NOBODY: u32 = 65534;

    #[test]
    fn profile_of_another_user_is_refused() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can give a file to another user");
            return;
        }
        let data = tempfile::TempDir::new().expect("a temporary directory");
        alice(data.path()).start().still_answers();
        let folder = data.path().join("profiles/alice");
        for path in [folder.clone(), folder.join("key")] {
            chown(&path, Some(NOBODY), None).expect("root may");
            let errors = refused(alice(data.path()));
            assert!(
                errors.contains(&format!("{} belongs to another user (uid 65534)", path.display())),
                "{errors}"
            );
            chown(&path, Some(0), None).expect("root may");
        }
        alice(data.path()).start().still_answers();
    }
}

/// The limit of a core dump's size in `/proc/PID/limits`.
#[cfg(target_os = "linux")]
fn core_limit(pid: u32) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it runs");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    line.expect("a limit").trim().to_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn release_build_leaves_no_core_dump() {
    let alice = Peer::named("Alice").start();
    let found = core_limit(alice.pid());
    if cfg!(debug_assertions) {
        assert_eq!(found, core_limit(std::process::id()), "a debug build can be debugged");
    } else {
        assert_eq!(found.split_whitespace().collect::<Vec<_>>(), ["0", "0", "bytes"]);
    }
}
