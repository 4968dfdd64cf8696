//! What earlier versions kept of others' keys, known_peers.toml, and the keys in peers.toml.

use std::fs;
use std::path::{Path, PathBuf};

use p2p_chat::model::key::PublicKey;
use tempfile::TempDir;

use super::{folder, with_data};
use crate::support::{Builder, SOON, nobody, refused, until};

/// The key of 32 times this byte.
fn key(byte: u8) -> PublicKey {
    PublicKey::new([byte; 32])
}

fn file(data: &Path) -> PathBuf {
    folder(data, "alice").join("known_peers.toml")
}

/// What is in Alice's contacts.toml; empty if there is none.
fn contacts(data: &Path) -> String {
    fs::read_to_string(folder(data, "alice").join("contacts.toml")).unwrap_or_default()
}

/// Alice, who remembers this from before.
fn remembering(data: &Path, known: &str) -> Builder {
    fs::create_dir_all(folder(data, "alice")).expect("a folder made");
    close(&folder(data, "alice"));
    fs::write(file(data), known).expect("written");
    with_data("Alice", data)
}

#[cfg(unix)]
fn close(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("changed");
}

#[cfg(not(unix))]
fn close(_: &Path) {}

#[test]
fn damaged_known_peers_are_refused_with_their_line() {
    for (known, line, words) in [
        (
            "[[peer]]\nkey = \"abc\"\nfirst_seen = \"2026-11-21T10:00:00Z\"\n",
            2,
            "A key has 52 characters; this one has 3.",
        ),
        (&format!("[[peer]]\nkey = \"{}\"\nfirst_seen = \"now\"\n", key(1)), 3, "is not a date"),
        ("[[peer]]\nkey = \"abc\"\n", 1, "missing field `first_seen`"),
        ("\n[[peer]]\nblokced = true\n", 3, "unknown field `blokced`"),
        ("[[peer]]\nkey = \"abc", 2, "expected"),
    ] {
        let data = TempDir::new().expect("a temporary directory");
        let errors = refused(remembering(data.path(), known));
        let place = format!("{}, line {line}: ", file(data.path()).display());
        assert!(errors.starts_with(&format!("p2p-chat: {place}")), "{errors}");
        assert!(errors.contains(words) && errors.lines().count() == 1 && errors.ends_with('.'), "{errors}");
        assert_eq!(fs::read_to_string(file(data.path())).expect("still there"), known);
    }
}

#[test]
fn static_peers_key_is_remembered_per_profile() {
    let data = TempDir::new().expect("a temporary directory");
    let listed =
        format!("[[peer]]\naddress = \"{}\"\nname = \"Bob\"\nkey = \"{}\"\n", nobody(), key(1).grouped());
    let mut alice = with_data("Alice", data.path()).saved_peers(&listed).start();
    alice.types(&["0"]);
    assert!(alice.ends().success());
    let known = contacts(data.path());
    let entry = format!("key = \"{}\"\nname = \"Bob\"\naddresses = [\"127.0.0.1:", key(1));
    assert!(known.contains(&entry), "{known}");
    // It is read the next time, without the list, and not written again.
    let mut alice = with_data("Alice", data.path()).start();
    alice.types(&["0"]);
    assert!(alice.ends().success());
    assert_eq!(contacts(data.path()), known);
    with_data("Zoe", data.path()).start().still_answers();
    let zoes = fs::read_to_string(folder(data.path(), "zoe").join("contacts.toml")).expect("there");
    assert!(!zoes.contains("[[contact]]"), "{zoes}");
}

#[test]
fn remembered_key_survives_a_crash() {
    let data = TempDir::new().expect("a temporary directory");
    let listed = format!("[[peer]]\naddress = \"{}\"\nkey = \"{}\"\n", nobody(), key(1));
    let mut alice = with_data("Alice", data.path()).saved_peers(&listed).start();
    let entry = format!("key = \"{}\"\n", key(1));
    until(SOON, "it is written", || contacts(data.path()).contains(&entry));
    alice.crashes();
    with_data("Alice", data.path()).start().still_answers();
    assert!(contacts(data.path()).contains(&entry));
}

#[test]
fn listed_key_at_verified_contact_address_warns() {
    let (data, addr) = (TempDir::new().expect("a temporary directory"), nobody());
    let date = "2026-11-21T10:00:00Z";
    let known = |more: &str| {
        format!(
            "[[peer]]\nkey = \"{}\"\nname = \"Bob\"\naddresses = [\"{addr}\"]\nfirst_seen = \"{date}\"\n{more}",
            key(1)
        )
    };
    let listed = format!("[[peer]]\naddress = \"{addr}\"\nkey = \"{}\"\n", key(2));
    let verified = known(&format!("verified = \"{date}\"\n"));
    let mut alice = remembering(data.path(), &verified).saved_peers(&listed).start();
    let warning = format!("The key that peers.toml has for {addr} is not the verified key of Bob");
    let line = alice.sees(&warning);
    assert!(line.contains(&key(1).grouped().to_string()), "{line}");
    let listed_entry = format!("[[contact]]\nkey = \"{}\"\naddresses = [\"{addr}\"]\n", key(2));
    let bobs_entry = format!(
        "[[contact]]\nkey = \"{}\"\nname = \"Bob\"\nverified = {date}\naddresses = [\"{addr}\"]\n",
        key(1)
    );
    let saved_at_end = |alice: &mut crate::support::Peer, data: &Path| {
        alice.types(&["0"]);
        assert!(alice.ends().success());
        contacts(data)
    };
    let saved = saved_at_end(&mut alice, data.path());
    assert!(saved.contains(&listed_entry) && saved.contains(&bobs_entry), "{saved}");
    // A stranger stays one, without a warning.
    let data = TempDir::new().expect("a temporary directory");
    let mut alice = remembering(data.path(), &known("")).saved_peers(&listed).start();
    let saved = saved_at_end(&mut alice, data.path());
    assert!(saved.contains(&listed_entry) && !saved.contains(&key(1).to_string()), "{saved}");
    assert!(alice.printed().iter().all(|line| !line.contains("has another key")));
}
