//! Where what is said is kept: in one SQLite file of the profile, or, with `--no-history`, in memory for this run.
//!
//! A [`Store`] is used by one thread at a time and blocks while it reads and writes. Out of scope: when something is written, and what
//! follows from it (`chat`, `node`).

mod change;
#[cfg(test)]
mod fold;
mod memory;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::memory::Memory;
pub use self::sqlite::{Sqlite, open_or_set_aside};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::stored::{Entry, Open, Query, Write, Written};

/// The file of the messages, in the directory of the profile.
pub const HISTORY_FILE: &str = "history.db";

/// Keeps what is said.
pub trait Store: Send {
    /// Writes all of these down, in this order. Once it returns they are durable, all of them; after an error none is. `clock` is the time
    /// in milliseconds since 1970.
    ///
    /// # Errors
    /// Why nothing was written.
    fn apply(&mut self, writes: &[Write], clock: u64) -> Result<Vec<Written>, StoreError>;

    /// The messages that a query asks for, the oldest first.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn entries(&mut self, query: &Query) -> Result<Vec<Entry>, StoreError>;

    /// Everybody of whom there are messages, with what they were called last, those first that messages came from or went to most lately.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn parties(&mut self) -> Result<Vec<(Recipient, Option<PeerName>)>, StoreError>;

    /// Returns the keys of all peers that the user ever wrote to, delivered or not, sorted.
    ///
    /// # Errors
    /// If they cannot be read.
    fn written_to(&mut self) -> Result<Vec<PublicKey>, StoreError>;

    /// The texts of ours that wait, in the order in which they were typed.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn open(&mut self) -> Result<Vec<Open>, StoreError>;

    /// The messages that came and were not shown, as far as is known, the oldest first; at most `limit`, the last of them.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn unshown(&mut self, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Does a little of the work that was put off, so it is called when nothing waits; true while there is more of it. Each call takes
    /// some tens of milliseconds at most, and whoever wants to write can do so between two calls.
    ///
    /// # Errors
    /// Why it is not done. Nothing is lost by that, and it is tried again at the next call.
    fn idle(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// Why something is not kept, or cannot be read. Its display is a clause for a user, like `the disk is full`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// There is no room on the disk.
    Full,
    /// Another process has not let go of the file in time.
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
