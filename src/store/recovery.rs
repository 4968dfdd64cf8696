//! Sets a damaged file aside, and copies its queued messages into a new one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags, Row};

use super::queries::IS_QUEUED;
use super::{Sqlite, StoreError, beside, rows};
use crate::model::delivery::{DeliveryStatus, PendingReason};
use crate::model::stored::{Assurance, QueuedMessage, StoreOp};

/// Marks a file in which damage was found. The next start checks the whole file.
pub(super) const SUSPECT: &str = ".suspect";

/// Files set aside within one second or day, at most.
const MAX_ASIDE: u32 = 100;

/// The files of a database. Those without which it is still whole come first: if the program is
/// killed in between, the next start never finds the log of one file beside another.
const PARTS: [&str; 4] = ["-wal", "-shm", "-journal", ""];

/// Opens the file to read and write, as [`Sqlite::open`] does. A damaged file is renamed, and a new
/// one begins with the queued messages that can still be read; a sentence tells the user.
///
/// # Errors
/// If the file cannot be used for another reason than damage.
pub(crate) fn open_or_set_aside(path: &Path) -> Result<(Sqlite, Option<String>), StoreError> {
    let suspect = beside(path, SUSPECT);
    match opened(path, suspect.exists()) {
        Err(StoreError::Damaged) => {}
        Ok(store) => {
            drop(fs::remove_file(suspect));
            return Ok((store, None));
        }
        Err(error) => return Err(error),
    }
    let aside = set_aside(path)
        .map_err(|error| StoreError::Other(format!("it is damaged, and cannot be renamed: {error}")))?;
    let mut store = Sqlite::open(path)?;
    drop(fs::remove_file(suspect));
    let queued = rescued(&aside);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    store.apply(&queued, u64::try_from(clock).unwrap_or(u64::MAX))?;
    let carried_over = match queued.len() {
        0 => "no queued messages could be read".to_owned(),
        1 => "1 queued message was carried over".to_owned(),
        many => format!("{many} queued messages were carried over"),
    };
    let sentence = format!(
        "The history is damaged. p2p-chat renamed it to {} and created a new one; {carried_over}.",
        aside.display()
    );
    Ok((store, Some(sentence)))
}

/// Opens the file if what the start needs can be read; of a suspect file, everything.
fn opened(path: &Path, suspect: bool) -> Result<Sqlite, StoreError> {
    let mut store = Sqlite::open(path)?;
    if suspect {
        store.check()?;
    }
    store.queued()?;
    store.peers()?;
    Ok(store)
}

/// Renames the file and its parts, and returns its new name.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = free_name(path, &jiff::Zoned::now().strftime(".damaged-%Y%m%d-%H%M%S").to_string())?;
    for part in PARTS {
        let from = beside(path, part);
        if part.is_empty() || from.symlink_metadata().is_ok() {
            fs::rename(from, beside(&aside, part))?;
        }
    }
    Ok(aside)
}

/// Returns a name that no file has: `path` with `end`, and a number if necessary.
fn free_name(path: &Path, end: &str) -> io::Result<PathBuf> {
    let names = (1..=MAX_ASIDE).map(|number| match number {
        1 => beside(path, end),
        _ => beside(path, &format!("{end}-{number}")),
    });
    let is_free = |name: &PathBuf| PARTS.iter().all(|part| beside(name, part).symlink_metadata().is_err());
    names.into_iter().find(is_free).ok_or(io::ErrorKind::AlreadyExists.into())
}

/// Returns the queued messages of a damaged file that can be read: by their index, and from both
/// ends of the table.
fn rescued(path: &Path) -> Vec<StoreOp> {
    let Ok(conn) = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY) else {
        return Vec::new();
    };
    let mut columns = rows::QUEUED.to_owned();
    if conn.prepare("SELECT to_all FROM message").is_err() {
        // A file of an earlier version.
        columns = columns.replace("m.to_all", "0");
    }
    let mut found = BTreeMap::new();
    for (by, order) in [("INDEXED BY message_queued", "ASC"), ("NOT INDEXED", "ASC"), ("NOT INDEXED", "DESC")]
    {
        let sql = format!(
            "SELECT {columns}, m.message FROM message m {by} CROSS JOIN peer p ON p.peer = m.peer \
             WHERE {IS_QUEUED} ORDER BY m.message {order}"
        );
        let Ok(mut statement) = conn.prepare(&sql) else { continue };
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(rows::QUEUED_COLUMNS)?, rows::queued(row)?));
        let Ok(messages) = statement.query_map([], read) else { continue };
        // Up to the first that cannot be read.
        found.extend(messages.map_while(Result::ok));
    }
    found.into_values().map(add).collect()
}

/// Adds a queued message of another file.
fn add(queued: QueuedMessage) -> StoreOp {
    let QueuedMessage { to, name, message, attempted, expires } = queued;
    let assurance = if to.public_key().is_some() { Assurance::Encrypted } else { Assurance::Plain };
    let status = DeliveryStatus::Queued(PendingReason::InLine);
    StoreOp::Outgoing { to, name, message, status, attempted, assurance, expires }
}
