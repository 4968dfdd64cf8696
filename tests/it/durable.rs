//! Nothing is lost: what the promises of docs/HISTORY.md are to who uses real processes that end,
//! are killed, and start again.
//!
//! The long form is ignored unless asked for: CONTRIBUTING.md has its command.

mod away;
mod calendar;
mod clock;
#[cfg(target_os = "linux")]
mod disk;
mod file_systems;
mod files;
mod killed;
mod outbox;
mod past;
mod plain;
mod slow;

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Output;

use p2p_chat::model::stored::{Query, StoredMessage};
use p2p_chat::store::Sqlite;
use tempfile::TempDir;

use crate::support::{Builder, Peer, SOON, nobody, until};

/// More messages than any of these tests writes.
const ALL: usize = 1_000_000;

/// The file of the messages of `name`, who keeps everything in `data`.
fn history_of(name: &str, data: &Path) -> PathBuf {
    data.join("profiles").join(name.to_lowercase()).join("history.db")
}

/// All messages that `name` has kept, the oldest first; also while the program runs.
fn kept_of(name: &str, data: &Path) -> Vec<StoredMessage> {
    let mut store = Sqlite::reader(&history_of(name, data)).expect("a history");
    store.messages(&Query { limit: ALL, ..Query::default() }).expect("readable")
}

/// A peer with the same key and port at each start.
struct Home {
    name: &'static str,
    data: TempDir,
    addr: SocketAddrV4,
}

impl Home {
    fn of(name: &'static str) -> Self {
        Self { name, data: TempDir::new().expect("a directory"), addr: nobody() }
    }

    /// That one, about to be started.
    fn builder(&self) -> Builder {
        Peer::named(self.name).data_dir(self.data.path()).port(self.addr.port())
    }

    fn start(&self) -> Peer {
        self.builder().start()
    }

    /// Name and address as others show them.
    fn shown(&self) -> String {
        format!("{} ({})", self.name, self.addr)
    }

    /// What `p2p-chat history` prints of their messages, whether the program runs or not.
    fn history(&self, args: &[&str]) -> String {
        let builder = Peer::named(self.name).without_port().data_dir(self.data.path());
        let builder = builder.arg("--time-format=off").arg("history");
        let (mut command, _dir) = args.iter().fold(builder, |builder, arg| builder.arg(arg)).command();
        let Output { status, stdout, stderr } = command.output().expect("it runs");
        let errors = String::from_utf8(stderr).expect("UTF-8");
        assert!(status.success(), "{errors}");
        String::from_utf8(stdout).expect("UTF-8") + &errors
    }
}

/// Lines that hold these words.
fn times(peer: &Peer, words: &str) -> usize {
    peer.printed().iter().filter(|line| line.contains(words)).count()
}

/// Asks for what waits until a line of that has these words in it, and returns the line. What
/// becomes of a text is told before it is written down.
fn outbox_has(peer: &mut Peer, words: &str) -> String {
    let mut found = None;
    until(SOON, words, || {
        let before = peer.printed().len();
        // The last line of the list, or all there is.
        peer.types(&["/outbox", "/mute"]);
        peer.sees("No peers are muted. /mute WHOM mutes one.");
        found = peer.printed()[before..].iter().find(|line| line.contains(words)).cloned();
        found.is_some()
    });
    found.expect("it was found")
}
