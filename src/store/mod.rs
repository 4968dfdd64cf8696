//! Where messages are kept: in one SQLite file of the profile, or with `--no-history` in memory.
//!
//! The core decides what is written when, and what follows from it.

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
pub use crate::model::stored::StoreError;

/// The file of the messages, in the directory of the profile.
pub const HISTORY_FILE: &str = "history.db";

type Result<T, E = StoreError> = std::result::Result<T, E>;
