//! The rules of the house, checked: who may import whom, and what pure rooms must not know.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(room: &str) -> Vec<PathBuf> {
    below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room))
}

/// The files at and below `path`, but for unit tests.
fn below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .filter(|path| !path.ends_with("tests.rs") && !path.ends_with("tests"))
        .flat_map(|path| below(&path))
        .collect()
}

/// The part of a file that is not its unit tests.
fn without_tests(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("readable");
    text.split("#[cfg(test)]\nmod tests").next().expect("a first part").to_owned()
}

#[test]
fn rooms_import_only_what_they_may() {
    for (room, may) in [
        ("escape.rs", &[][..]),
        ("key.rs", &[]),
        ("peer.rs", &["escape"]),
        ("message.rs", &["escape", "key", "peer", "talk"]),
        ("talk.rs", &["key", "message", "peer"]),
        ("wire", &["escape", "key", "peer", "message", "talk"]),
        ("ledger.rs", &["escape", "key", "message", "peer", "talk"]),
        ("chat", &["escape", "key", "peer", "message", "talk", "ledger", "chat"]),
        ("store", &["files", "key", "ledger", "message", "peer", "store", "talk"]),
        ("net", &["key", "peer", "message", "talk", "wire", "net"]),
        ("ui", &["escape", "key", "peer", "message", "talk", "ledger", "chat", "net", "ui"]),
        ("mailbox.rs", &["peer"]),
    ] {
        for path in sources(room) {
            for line in without_tests(&path).lines() {
                let Some((_, imported)) = line.split_once("crate::") else { continue };
                let imported: String = imported.chars().take_while(|c| c.is_ascii_lowercase()).collect();
                assert!(may.contains(&imported.as_str()), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn pure_rooms_have_no_clock_no_thread_no_socket_no_file_no_randomness_and_no_terminal() {
    let impure = [
        "Instant",
        "SystemTime",
        "std::thread",
        "TcpStream",
        "TcpListener",
        "std::io",
        "std::fs",
        "crossterm",
        "jiff",
        "use ring",
        "rustls",
        "SystemRandom",
    ];
    let pure = [
        "ui/attention.rs",
        "ui/commands.rs",
        "ui/complete.rs",
        "ui/editor.rs",
        "ui/editor",
        "ui/history.rs",
        "ui/labels.rs",
        "ui/layout.rs",
        "ui/list.rs",
        "ui/menu.rs",
        "ui/menu",
        "ui/people.rs",
        "ui/past.rs",
        "ui/past",
        "ui/status.rs",
        "ui/style.rs",
        "ui/words.rs",
        "ui/words",
        "escape.rs",
        "key.rs",
        "peer.rs",
        "message.rs",
        "ledger.rs",
    ];
    for room in ["wire", "chat"].into_iter().chain(pure) {
        for path in sources(room) {
            let text = without_tests(&path);
            for word in impure {
                assert!(!text.contains(word), "{} knows {word}", path.display());
            }
        }
    }
}

#[test]
fn cryptography_is_named_only_where_keys_are_kept_and_checked() {
    for path in sources("") {
        let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below it");
        let may = ["src/net/secure", "src/identity", "src/identity.rs", "src/crypto.rs"];
        if may.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        let text = without_tests(path);
        for word in ["rustls::", "ring::"] {
            let named =
                text.match_indices(word).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric()));
            assert!(!named, "{} names {word}", path.display());
        }
    }
}
