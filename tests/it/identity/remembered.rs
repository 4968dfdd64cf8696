//! The keys in peers.toml, and the contacts of earlier runs.

use std::fs;
use std::path::Path;

use p2p_chat::model::key::PublicKey;
use tempfile::TempDir;

use super::{folder, run, with_data};
use crate::support::nobody;

/// The key of 32 times this byte.
fn key(byte: u8) -> PublicKey {
    PublicKey::new([byte; 32])
}

/// What is in Alice's contacts.toml; empty if there is none.
fn contacts(data: &Path) -> String {
    fs::read_to_string(folder(data, "alice").join("contacts.toml")).unwrap_or_default()
}

#[test]
fn static_peers_key_is_remembered_per_profile() {
    let data = TempDir::new().expect("a temporary directory");
    let listed =
        format!("[[peer]]\naddress = \"{}\"\nname = \"Bob\"\nkey = \"{}\"\n", nobody(), key(1).grouped());
    let mut alice = with_data("Alice", data.path()).saved_peers(&listed).start();
    alice.leaves();
    let known = contacts(data.path());
    let entry = format!("key = \"{}\"\nname = \"Bob\"\naddresses = [\"127.0.0.1:", key(1));
    assert!(known.contains(&entry), "{known}");
    // It is read the next time, without the list, and not written again.
    let mut alice = with_data("Alice", data.path()).start();
    alice.leaves();
    assert_eq!(contacts(data.path()), known);
    with_data("Zoe", data.path()).start().still_answers();
    assert!(!folder(data.path(), "zoe").join("contacts.toml").exists());
}

#[test]
fn listed_key_at_verified_contact_address_warns() {
    let (data, addr) = (TempDir::new().expect("a temporary directory"), nobody());
    let listed = format!("[[peer]]\naddress = \"{addr}\"\nkey = \"{}\"\n", key(2));
    let bobs_entry = format!(
        "[[contact]]\nkey = \"{}\"\nname = \"Bob\"\nverified = 2026-11-21T10:00:00Z\n\
         addresses = [\"{addr}\"]\n",
        key(1)
    );
    run(with_data("Alice", data.path()));
    fs::write(folder(data.path(), "alice").join("contacts.toml"), &bobs_entry).expect("written");
    let mut alice = with_data("Alice", data.path()).saved_peers(&listed).start();
    let warning = format!("The key that peers.toml has for {addr} is not the verified key of Bob");
    let line = alice.sees(&warning);
    assert!(line.contains(&key(1).grouped().to_string()), "{line}");
    alice.leaves();
    let listed_entry = format!("[[contact]]\nkey = \"{}\"\naddresses = [\"{addr}\"]\n", key(2));
    let saved = contacts(data.path());
    assert!(saved.contains(&listed_entry) && saved.contains(&bobs_entry), "{saved}");
}
