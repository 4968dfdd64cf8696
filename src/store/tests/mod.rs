//! What both stores promise, and what only the file does.

mod contract;
mod memory;
mod twins;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Memory, Sqlite, Store};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Letter;
use crate::model::stored::{Assurance, Condition, Entry, Query, RowId, Selection, Write, Written};

/// Some time after 2026.
pub(super) const CLOCK: u64 = 1_800_000_000_000;

/// A store to be tried, in a directory of its own if it needs one.
pub(super) struct Tried {
    pub(super) store: Box<dyn Store>,
    pub(super) name: &'static str,
    _dir: TempDir,
}

/// One of each kind, empty.
pub(super) fn both() -> [Tried; 2] {
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let sqlite = Sqlite::open(&file(dir.path())).unwrap();
    [
        Tried { store: Box::new(sqlite), name: "sqlite", _dir: dir },
        Tried { store: Box::new(Memory::default()), name: "memory", _dir: other },
    ]
}

pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join("history.db")
}

pub(super) fn peer_key(number: u8) -> PublicKey {
    PublicKey::new([number; 32])
}

pub(super) fn key(number: u8) -> Recipient {
    Recipient::Peer(PeerId::Key(peer_key(number)))
}

pub(super) fn addr(port: u16) -> Recipient {
    Recipient::Address(PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap())
}

pub(super) fn id(number: u32) -> MessageId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    MessageId::new(bytes)
}

pub(super) fn letter(number: u32, body: &str) -> Letter {
    Letter { id: id(number), time: CLOCK - 5, again: false, body: body.into() }
}

pub(super) fn name(text: &str) -> Option<PeerName> {
    Some(PeerName::new(text))
}

pub(super) fn said(to: Recipient, number: u32, body: &str) -> Write {
    let assurance = match to {
        Recipient::Peer(PeerId::Key(_)) => Assurance::Encrypted,
        Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => Assurance::Plain,
    };
    let (letter, condition, expires) = (letter(number, body), Condition::Queued, CLOCK + 1_000);
    Write::Said { to, name: None, letter, condition, assurance, expires }
}

pub(super) fn became(to: Recipient, number: u32, condition: Condition) -> Write {
    Write::Became { to, id: id(number), condition }
}

pub(super) fn taken(from: u8, numbers: &[u32]) -> Write {
    let letters = numbers.iter().map(|number| letter(*number, &format!("text {number}"))).collect();
    Write::Taken { from: peer_key(from), name: name("Bob"), assurance: Assurance::Encrypted, letters }
}

pub(super) fn heard(from: Recipient, body: &str) -> Write {
    Write::Heard { from, name: name("Plain"), assurance: Assurance::Plain, body: body.into() }
}

pub(super) fn forget(with: Option<Vec<Recipient>>, since: Option<u64>, until: Option<u64>) -> Write {
    Write::Forget(Selection { with, since, until })
}

pub(super) fn all() -> Query {
    Query { limit: usize::MAX, ..Query::default() }
}

pub(super) fn with(parties: &[Recipient]) -> Query {
    let which = Selection { with: Some(parties.to_vec()), ..Selection::default() };
    Query { which, ..all() }
}

pub(super) fn words(text: &str) -> Query {
    Query { words: Some(text.into()), ..all() }
}

pub(super) fn apply(store: &mut dyn Store, writes: &[Write]) -> Vec<Written> {
    store.apply(writes, CLOCK).unwrap()
}

pub(super) fn bodies(store: &mut dyn Store, query: &Query) -> Vec<String> {
    store.entries(query).unwrap().iter().map(|entry| entry.body.to_string()).collect()
}

pub(super) fn entries(store: &mut dyn Store) -> Vec<Entry> {
    store.entries(&all()).unwrap()
}

pub(super) fn rows(entries: &[Entry]) -> Vec<RowId> {
    entries.iter().map(|entry| entry.row).collect()
}
