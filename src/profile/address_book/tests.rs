use std::fs;
use std::net::Ipv4Addr;

use tempfile::TempDir;

use super::*;
use crate::model::address::PeerAddr;
use crate::model::key::KEY_BYTES;
use crate::model::name::PeerName;
use crate::store::in_memory;

const KNOWN: &str = "[[peer]]
key = \"aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq\"
name = \"Bob\"
addresses = [\"192.0.2.7:5000\"]
contact = true
first_seen = \"2026-11-21T10:00:00Z\"

[[peer]]
key = \"aibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaiba\"
name = \"Dave\"
addresses = [\"192.0.2.8:5000\"]
first_seen = \"2026-11-21T10:00:00Z\"
";

const ALIASES: &str = "version = 2
[[alias]]
key = \"aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq\"
name = \"Boss\"
";

fn key(byte: u8) -> PublicKey {
    PublicKey::new([byte; KEY_BYTES])
}

#[test]
fn older_files_are_imported_once() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("profile");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("known_peers.toml"), KNOWN).unwrap();
    fs::write(dir.path().join("aliases.toml"), ALIASES).unwrap();
    let mut store = in_memory().unwrap();
    let alice = "Alice".parse().unwrap();
    let source = BookSource { folder: Some(&folder), data: Some(dir.path()), own_name: &alice, saves: true };
    for start in 1..=2 {
        let book = AddressBook::open(source, &mut store, 5_000).unwrap();
        let bob = book.contacts.get(PeerId::Key(key(1))).expect("a contact");
        assert_eq!(bob.alias.as_ref().map(Name::as_str), Some("Boss"), "start {start}");
        let names: Vec<_> = book.pins.values().map(|pin| (pin.name.clone(), pin.contact)).collect();
        let name = |name| Some(PeerName::new(name));
        assert_eq!(names, [(name("Bob"), true), (name("Dave"), false)], "start {start}");
        assert_eq!(book.pins[&key(2)].addrs, ["192.0.2.8:5000".parse().unwrap()]);
        let known = book.known_contacts(8_000);
        assert_eq!(known[0].last_seen, Some(Duration::from_secs(3)));
    }
    assert!(!folder.join("known_peers.toml").exists() && folder.join("known_peers.toml.old").exists());
}

#[test]
fn refused_alias_is_not_imported() {
    for refused in ["/boss", "@boss", "ALICE"] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("aliases.toml"), ALIASES.replace("Boss", refused)).unwrap();
        let alice = "Alice".parse().unwrap();
        let source =
            BookSource { folder: Some(dir.path()), data: Some(dir.path()), own_name: &alice, saves: true };
        let book = AddressBook::open(source, &mut in_memory().unwrap(), 0).unwrap();
        let contacts: Vec<_> = book.contacts.all().map(|contact| (contact.id, &contact.alias)).collect();
        assert_eq!(contacts, [(PeerId::Key(key(1)), &None)], "{refused}");
    }
}

#[test]
fn reader_imports_older_files_without_saving() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("known_peers.toml"), KNOWN).unwrap();
    let mut store = in_memory().unwrap();
    let alice = "Alice".parse().unwrap();
    let source = BookSource { folder: Some(dir.path()), data: None, own_name: &alice, saves: false };
    let book = AddressBook::open(source, &mut store, 0).unwrap();
    assert!(book.pins[&key(1)].contact && book.contacts.get(PeerId::Key(key(1))).is_some());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn one_source_does_not_fill_the_remembered_strangers() {
    let mut store = in_memory().unwrap();
    let seen = |number: usize, ip: [u8; 4]| {
        let mut key = [9; KEY_BYTES];
        key[..8].copy_from_slice(&number.to_be_bytes());
        let peer = PeerId::Key(PublicKey::new(key));
        let addrs = vec![PeerAddr::new(Ipv4Addr::from(ip), 5_000).unwrap()];
        StoreOp::Seen { peer, name: Some(PeerName::new("Eve")), contact: false, addrs }
    };
    // The others were seen long before those of the one source.
    store.apply(&[seen(0, [192, 0, 2, 7])], 1_000).unwrap();
    let crowd: Vec<StoreOp> = (1..=MAX_STRANGERS_PER_PREFIX + 10).map(|n| seen(n, [192, 0, 2, 66])).collect();
    store.apply(&crowd, 2_000).unwrap();
    // Legacy peers of that source take no room from keys: they are not remembered so.
    let legacy = |port: u16| {
        let addr = PeerAddr::new(Ipv4Addr::new(192, 0, 2, 66), port).unwrap();
        let peer = crate::protocol::plain::peer_at(addr.plain().unwrap());
        StoreOp::Seen { peer, name: None, contact: false, addrs: vec![addr] }
    };
    let count = u16::try_from(MAX_STRANGERS_PER_PREFIX).unwrap();
    store.apply(&(1..=count).map(legacy).collect::<Vec<_>>(), 3_000).unwrap();
    let alice = "Alice".parse().unwrap();
    let source = BookSource { folder: None, data: None, own_name: &alice, saves: false };
    let book = AddressBook::open(source, &mut store, 5_000).unwrap();
    assert_eq!(book.pins.len(), 1 + MAX_STRANGERS_PER_PREFIX);
}
