//! Where messages are kept: in one SQLite file of the profile, or with `--no-history` in memory.
//!
//! A [`Store`] is used by one thread at a time and blocks while it reads and writes. What is written
//! when, and what follows from it, is up to `chat` and `node`.

mod database;
mod fold;
mod import;
mod queries;
mod recovery;
mod retention;
mod rows;
mod schema;
mod search;
mod status;
#[cfg(test)]
mod tests;
mod writes;

use std::fmt;

use self::database::{BUSY, beside};
pub use self::database::{Sqlite, in_memory};
pub use self::recovery::open_or_set_aside;
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::stored::{Query, QueuedMessage, StoreOp, StoreResult, StoredMessage};

/// The file of the messages, in the directory of the profile.
pub const HISTORY_FILE: &str = "history.db";

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Keeps messages.
pub trait Store: Send {
    /// Writes all of these, in this order. They are durable when it returns; after an error none is.
    /// `clock` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// If nothing was written.
    fn apply(&mut self, writes: &[StoreOp], clock: u64) -> Result<Vec<StoreResult>>;

    /// Returns the messages that a query asks for, oldest first.
    ///
    /// # Errors
    /// If they cannot be read.
    fn entries(&mut self, query: &Query) -> Result<Vec<StoredMessage>>;

    /// Returns every peer with messages under its last name, the one with the newest message first.
    ///
    /// # Errors
    /// If they cannot be read.
    fn parties(&mut self) -> Result<Vec<(Recipient, Option<PeerName>)>>;

    /// Returns the keys of all peers that the user ever wrote to, delivered or not, sorted.
    ///
    /// # Errors
    /// If they cannot be read.
    fn written_to(&mut self) -> Result<Vec<PublicKey>>;

    /// Returns the queued messages in the order in which they were typed.
    ///
    /// # Errors
    /// If they cannot be read.
    fn open(&mut self) -> Result<Vec<QueuedMessage>>;

    /// Returns the messages that came and were not shown for certain, oldest first; at most the
    /// newest `limit`.
    ///
    /// # Errors
    /// If they cannot be read.
    fn unshown(&mut self, limit: usize) -> Result<Vec<StoredMessage>>;

    /// Does some of the work that is left after messages were forgotten: their bytes go from the log
    /// and from older files, and free pages go back to the disk. Returns whether there is more to do.
    /// Each call takes at most some tens of milliseconds.
    ///
    /// # Errors
    /// If something could not be done. The next call tries it again.
    fn tidy(&mut self) -> Result<bool> {
        Ok(false)
    }
}

/// Why something is not kept, or cannot be read. Its display is a clause for the user, like `the disk
/// is full`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// There is no room on the disk.
    Full,
    /// There is no room for the message in memory.
    NoRoom,
    /// Another process did not let go of the file in time.
    Busy,
    /// The file is damaged.
    Damaged,
    /// A later version of the program has written the file, in the format of this number.
    Newer(i64),
    /// Anything else, in the words of the database or of the operating system.
    Other(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full"),
            Self::NoRoom => f.write_str("the memory for messages is full (64 MiB queued, 80 MiB in all)"),
            Self::Busy => f.write_str("another process keeps the file for itself"),
            Self::Damaged => f.write_str("the file is damaged"),
            Self::Newer(version) => {
                write!(f, "a later version of p2p-chat has written it (format {version})")
            }
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for StoreError {}
