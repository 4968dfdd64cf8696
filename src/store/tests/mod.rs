//! What a store promises in a file and in memory, and what only one of them does.

mod bounds;
mod clock;
mod contract;
mod damage;
mod documented;
mod file_systems;
mod forgetting;
mod memory;
mod migrating;
mod numbers;
mod opening;
mod power;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::model::address::PeerAddr;
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Message;
use crate::model::stored::{
    Assurance, Direction, Query, QueuedMessage, RowId, Selection, StoreOp, StoreResult, Stored, StoredMessage,
};

/// Some time after 2026.
const CLOCK: u64 = 1_800_000_000_000;

/// A store to be tried, in a directory of its own if it needs one.
struct Tried {
    store: Sqlite,
    name: &'static str,
    _dir: TempDir,
}

/// One of each kind, empty.
fn both() -> [Tried; 2] {
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let sqlite = Sqlite::open(&file(dir.path())).unwrap();
    [
        Tried { store: sqlite, name: "sqlite", _dir: dir },
        Tried { store: in_memory().unwrap(), name: "memory", _dir: other },
    ]
}

fn file(dir: &Path) -> PathBuf {
    dir.join("history.db")
}

fn peer_key(number: u8) -> PublicKey {
    PublicKey::new([number; 32])
}

fn key(number: u8) -> Recipient {
    Recipient::Peer(PeerId::Key(peer_key(number)))
}

fn addr(port: u16) -> Recipient {
    Recipient::Address(PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap())
}

fn id(number: u32) -> MessageId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    MessageId::new(bytes)
}

fn message(number: u32, body: &str) -> Message {
    Message { id: id(number), time: CLOCK - 5, again: false, to_all: false, body: body.into() }
}

fn name(text: &str) -> Option<PeerName> {
    Some(PeerName::new(text))
}

fn outgoing(to: Recipient, number: u32, body: &str) -> StoreOp {
    let assurance = match to {
        Recipient::Peer(PeerId::Key(_)) => Assurance::Encrypted,
        Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => Assurance::Plain,
    };
    let (message, expires) = (message(number, body), CLOCK + 1_000);
    let (status, attempted) = QUEUED;
    StoreOp::Outgoing { to, name: None, message, status, attempted, assurance, expires }
}

fn changed(to: Recipient, number: u32, (status, attempted): StoredStatus) -> StoreOp {
    StoreOp::Status { to, id: id(number), status, attempted }
}

/// A status, and whether the message was attempted.
type StoredStatus = (DeliveryStatus, bool);

/// A message that was not sent yet, as it is read.
const QUEUED: StoredStatus = (DeliveryStatus::Queued(PendingReason::InLine), false);

/// A message that may have been sent, as it is read.
const ATTEMPTED: StoredStatus = (DeliveryStatus::Queued(PendingReason::NoReceipt), true);

/// A message whose status is final.
fn done(status: DeliveryStatus) -> StoredStatus {
    (status, false)
}

fn direction((status, attempted): StoredStatus) -> Direction {
    Direction::Outgoing { status, attempted }
}

fn incoming(from: u8, numbers: &[u32]) -> StoreOp {
    let messages = numbers.iter().map(|number| message(*number, &format!("text {number}"))).collect();
    let (from, name, assurance) = (peer_key(from), name("Bob"), Assurance::Encrypted);
    StoreOp::Incoming { from, name, assurance, stranger: None, messages }
}

fn incoming_plain(from: Recipient, body: &str) -> StoreOp {
    let (name, body) = (name("Plain"), body.into());
    StoreOp::IncomingPlain { from, name, assurance: Assurance::Plain, stranger: None, body }
}

fn forget(with: Option<Vec<Recipient>>, since: Option<u64>, until: Option<u64>) -> StoreOp {
    StoreOp::Forget(Selection { with, since, until })
}

fn all() -> Query {
    Query { limit: usize::MAX, ..Query::default() }
}

fn with(peers: &[Recipient]) -> Query {
    let which = Selection { with: Some(peers.to_vec()), ..Selection::default() };
    Query { which, ..all() }
}

fn words(text: &str) -> Query {
    Query { words: Some(text.into()), ..all() }
}

fn apply(store: &mut Sqlite, writes: &[StoreOp]) -> Vec<StoreResult> {
    store.apply(writes, CLOCK).unwrap()
}

fn bodies(store: &mut Sqlite, query: &Query) -> Vec<String> {
    store.messages(query).unwrap().iter().map(|entry| entry.body.to_string()).collect()
}

fn entries(store: &mut Sqlite) -> Vec<StoredMessage> {
    store.messages(&all()).unwrap()
}

fn rows(entries: &[StoredMessage]) -> Vec<RowId> {
    entries.iter().map(|entry| entry.row).collect()
}

/// A directory with nothing in it yet.
fn dir() -> TempDir {
    TempDir::new().unwrap()
}

fn opened(dir: &TempDir) -> Sqlite {
    Sqlite::open(&file(dir.path())).unwrap()
}

/// The file as the sqlite3 tool sees it.
fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

fn exists(dir: &TempDir, name: &str) -> bool {
    dir.path().join(name).exists()
}

/// The names in a directory, in order.
fn names(dir: &TempDir) -> Vec<String> {
    let names =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
