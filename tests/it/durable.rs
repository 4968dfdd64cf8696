//! Nothing is lost: what the promises of docs/HISTORY.md are to who uses real processes that end, are killed, and start again.
//!
//! The long form is ignored unless asked for: docs/FAULTS.md has its command.

mod killed;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::ledger::{Entry, Query};
use p2p_chat::store::{Sqlite, Store};

/// How often something is looked for that has not come yet.
const LOOK: Duration = Duration::from_millis(10);

/// More messages than any of these tests writes.
const ALL: usize = 1_000_000;

/// Waits until this is so.
fn until(within: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        thread::sleep(LOOK);
    }
}

/// The file of the messages of `name`, who keeps everything in `data`.
fn history_of(name: &str, data: &Path) -> PathBuf {
    data.join("profiles").join(name.to_lowercase()).join("history.db")
}

/// All messages that `name` has kept, the oldest first; also while the program runs.
fn kept_of(name: &str, data: &Path) -> Vec<Entry> {
    let mut store = Sqlite::reader(&history_of(name, data)).expect("a history");
    store.entries(&Query { limit: ALL, ..Query::default() }).expect("readable")
}
