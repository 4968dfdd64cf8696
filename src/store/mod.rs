//! Where messages are kept: in one SQLite file of the profile, or with `--no-history` in memory.
//!
//! A [`Store`] is used by one thread at a time and blocks while it reads and writes. The core
//! decides what is written when, and what follows from it.

mod clock;
mod database;
mod fold;
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

use self::database::beside;
pub use self::database::{Sqlite, in_memory};
pub(crate) use self::recovery::open_or_set_aside;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
pub use crate::model::stored::StoreError;
use crate::model::stored::{Query, QueuedMessage, SeenPeer, StoreOp, StoreResult, StoredMessage};

/// The file of the messages, in the directory of the profile.
pub const HISTORY_FILE: &str = "history.db";

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Stores messages.
pub trait Store: Send {
    /// Writes all of these, in this order. They are durable when it returns; after an error none
    /// is. `clock` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// If nothing was written.
    fn apply(&mut self, writes: &[StoreOp], clock: u64) -> Result<Vec<StoreResult>>;

    /// Returns the messages that a query asks for, oldest first.
    fn messages(&mut self, query: &Query) -> Result<Vec<StoredMessage>>;

    /// Returns every peer with messages under its last name, the one with the newest message first.
    fn peers(&mut self) -> Result<Vec<(Recipient, Option<PeerName>)>>;

    /// Returns the peers that were seen, the last one first.
    fn seen(&mut self) -> Result<Vec<SeenPeer>>;

    /// Returns the queued messages in the order in which they were typed.
    fn queued(&mut self) -> Result<Vec<QueuedMessage>>;

    /// Returns the messages that came and were not shown for certain, oldest first; at most the
    /// newest `limit`.
    fn unshown(&mut self, limit: usize) -> Result<Vec<StoredMessage>>;

    /// Records `clock`, in milliseconds since 1970, at most once an hour. If it is more than 30
    /// days from the recorded clock, it may be wrong: then it is not recorded until a contact's
    /// message or the user confirms it, and the recorded clock is returned.
    fn note_clock(&mut self, clock: u64) -> Result<Option<u64>> {
        let _ = clock;
        Ok(None)
    }

    /// Does some of the work that is left after messages were forgotten: their bytes go from the
    /// log, and free pages go back to the disk. Returns whether there is more
    /// to do. Each call takes at most some tens of milliseconds.
    ///
    /// # Errors
    /// If something could not be done. The next call tries it again.
    fn tidy(&mut self) -> Result<bool> {
        Ok(false)
    }
}
