//! A history that is there before the program is started, filled through the library, and the
//! program that is asked about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::SystemTime;

use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::delivery::{DeliveryStatus, PendingReason};
use p2p_chat::model::key::{KEY_BYTES, PublicKey};
use p2p_chat::model::message::MessageId;
use p2p_chat::model::name::PeerName;
use p2p_chat::model::peer_id::{PeerId, Recipient};
use p2p_chat::model::session::Message;
use p2p_chat::model::stored::{Assurance, StoreOp};
use p2p_chat::store::Sqlite;
use tempfile::TempDir;

use crate::support::{Builder, Peer, assert_harmless};

/// Three seconds after eight in the morning of 21 November 2026, UTC, in milliseconds since 1970.
const MORNING: u64 = 1_795_248_003_000;

/// Alice's history, in a data directory of its own.
pub(super) struct Kept {
    data: TempDir,
    store: Sqlite,
    clock: u64,
    ids: u128,
}

pub(super) fn bob() -> PublicKey {
    PublicKey::new([1; KEY_BYTES])
}

pub(super) fn at(addr: &str) -> Recipient {
    Recipient::Address(addr.parse::<PeerAddr>().expect("an address"))
}

impl Kept {
    /// One without messages.
    pub(super) fn new() -> Self {
        let data = TempDir::new().expect("a temporary directory");
        fs::create_dir_all(folder(data.path())).expect("a folder made");
        let mut store = Sqlite::open(&folder(data.path()).join("history.db")).expect("a store");
        // The clock of this machine is right, however far from the morning of these messages.
        store.trust_clock(millis(SystemTime::now())).expect("noted");
        Self { data, store, clock: MORNING, ids: 0 }
    }

    /// Time goes by.
    pub(super) fn later(&mut self, seconds: u64) -> &mut Self {
        self.clock += seconds * 1_000;
        self
    }

    fn write(&mut self, write: StoreOp) -> &mut Self {
        self.store.apply(&[write], self.clock).expect("written");
        self
    }

    fn message(&self, body: &str) -> Message {
        let id = MessageId::new(self.ids.to_be_bytes());
        Message { id, time: self.clock - 1_000, again: false, to_all: false, body: body.into() }
    }

    /// The holder of a key writes.
    pub(super) fn takes(
        &mut self,
        from: PublicKey,
        name: &str,
        assurance: Assurance,
        body: &str,
    ) -> &mut Self {
        self.ids += 1;
        let messages = vec![self.message(body)];
        let name = Some(PeerName::new(name));
        self.write(StoreOp::Incoming { from, name, assurance, stranger: None, messages })
    }

    /// Bob writes.
    pub(super) fn hears_bob(&mut self, body: &str) -> &mut Self {
        self.takes(bob(), "Bob", Assurance::Encrypted, body)
    }

    /// A peer writes an unencrypted message.
    pub(super) fn hears(&mut self, from: Recipient, name: &str, body: &str) -> &mut Self {
        let name = Some(PeerName::new(name));
        let (assurance, body) = (Assurance::Plain, Arc::from(body));
        self.write(StoreOp::IncomingPlain { from, name, assurance, stranger: None, body })
    }

    /// Alice writes to these peers; several are all.
    pub(super) fn says(&mut self, to: &[(Recipient, &str, DeliveryStatus)], body: &str) -> &mut Self {
        self.ids += 1;
        let several = to.len() > 1;
        for (to, name, status) in to {
            let assurance = match to {
                Recipient::Peer(PeerId::Key(_)) => Assurance::Encrypted,
                Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => Assurance::Plain,
            };
            let message = Message { to_all: several, ..self.message(body) };
            let name = Some(PeerName::new(name));
            let (to, status, expires) = (*to, status.clone(), self.clock + 1_000_000_000_000);
            let attempted = status == DeliveryStatus::Queued(PendingReason::NoReceipt);
            self.write(StoreOp::Outgoing { to, name, message, status, attempted, assurance, expires });
        }
        self
    }

    /// The directory of the profile.
    pub(super) fn folder(&self) -> PathBuf {
        folder(self.data.path())
    }

    /// The store is closed, as after the chat has ended.
    pub(super) fn closed(self) -> Closed {
        Closed(self.data)
    }

    /// `p2p-chat history`, while the store is open here.
    pub(super) fn asked(&self, args: &[&str]) -> Asked {
        ask(alice(self.data.path(), args))
    }
}

/// A history that no process has open.
pub(super) struct Closed(TempDir);

impl Closed {
    pub(super) fn folder(&self) -> PathBuf {
        folder(self.0.path())
    }

    pub(super) fn asked(&self, args: &[&str]) -> Asked {
        ask(self.asking(args))
    }

    pub(super) fn asking(&self, args: &[&str]) -> Builder {
        alice(self.0.path(), args)
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("not that late")
}

fn folder(data: &Path) -> PathBuf {
    data.join("profiles").join("alice")
}

/// Alice's `p2p-chat history`, two hours ahead of UTC.
pub(super) fn alice(data: &Path, args: &[&str]) -> Builder {
    let builder = Peer::named("Alice").without_port().data_dir(data).env("TZ", "HERE-2").arg("history");
    args.iter().fold(builder, |builder, arg| builder.arg(arg))
}

/// What it has answered.
pub(super) struct Asked {
    pub(super) printed: String,
    pub(super) errors: String,
    pub(super) status: Option<i32>,
}

impl Asked {
    /// What it has printed, once it has ended well with nothing else to say.
    pub(super) fn well(self) -> String {
        assert_eq!((&*self.errors, self.status), ("", Some(0)));
        self.printed
    }

    /// What it has remarked, once it has ended well with nothing printed.
    pub(super) fn remark(self) -> String {
        assert_eq!((&*self.printed, self.status), ("", Some(0)), "{}", self.errors);
        self.errors
    }

    /// What it has complained of.
    pub(super) fn refused(self, status: i32) -> String {
        assert_eq!((&*self.printed, self.status), ("", Some(status)), "{}", self.errors);
        self.errors
    }
}

pub(super) fn ask(builder: Builder) -> Asked {
    let (mut command, _dir) = builder.command();
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let printed = String::from_utf8(stdout).expect("UTF-8");
    let errors = String::from_utf8(stderr).expect("UTF-8");
    assert_harmless(printed.lines().chain(errors.lines()));
    Asked { printed, errors, status: status.code() }
}

/// All bytes of all files in a directory.
pub(super) fn bytes_in(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(&path).expect("readable"))).collect();
    files.sort();
    files
}
