//! A damaged file is set aside, and what waits in it is taken over into a new one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags, Row};

use super::filter::IS_OPEN;
use super::{SUSPECT, Sqlite, beside, rows};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::{Assurance, Open, Write};
use crate::store::{Store, StoreError};

/// Files that were set aside within one second; nobody has more.
const MAX_ASIDE: u32 = 100;

/// The files beside the database that belong to it, those first without which it is still whole: should the program be ended in between,
/// the next start finds the damaged file, and never the log of one file beside another.
const PARTS: [&str; 3] = ["-wal", "-shm", ""];

/// Opens the file to read and to write, as [`Sqlite::open`] does. A damaged one is set aside under another name and a new one is made,
/// with those texts that wait in the damaged one and can be read; then a sentence tells the user so.
///
/// # Errors
/// Why there is no store.
pub fn open_or_set_aside(path: &Path) -> Result<(Sqlite, Option<String>), StoreError> {
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
    let waiting = rescued(&aside);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    store.apply(&waiting, u64::try_from(clock).unwrap_or(u64::MAX))?;
    let taken_over = match waiting.len() {
        0 => "no message that waits could be read in it".to_owned(),
        1 => "the one message that waits was taken over".to_owned(),
        many => format!("{many} messages that wait were taken over"),
    };
    let sentence = format!(
        "The history is damaged. It is kept as {}, and a new one begins; {taken_over}.",
        aside.display()
    );
    Ok((store, Some(sentence)))
}

/// The file, if what is needed of it at the start can be read, or, where it is suspect, all of it.
fn opened(path: &Path, suspect: bool) -> Result<Sqlite, StoreError> {
    let mut store = Sqlite::open(path)?;
    if suspect {
        store.check()?;
    }
    store.open()?;
    store.parties()?;
    Ok(store)
}

/// Renames the file and what belongs to it, over nothing that is there, and tells what it is called now.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let when = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let names = (1..=MAX_ASIDE).map(|number| match number {
        1 => beside(path, &format!(".damaged-{when}")),
        _ => beside(path, &format!(".damaged-{when}-{number}")),
    });
    let is_free = |name: &PathBuf| PARTS.iter().all(|part| beside(name, part).symlink_metadata().is_err());
    let aside = names.into_iter().find(is_free).ok_or(std::io::ErrorKind::AlreadyExists)?;
    for part in PARTS {
        let from = beside(path, part);
        if part.is_empty() || from.symlink_metadata().is_ok() {
            fs::rename(from, beside(&aside, part))?;
        }
    }
    Ok(aside)
}

/// The texts that wait in a damaged file, as far as they can be read: by their index, and from both ends of the messages.
fn rescued(path: &Path) -> Vec<Write> {
    let Ok(conn) = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY) else {
        return Vec::new();
    };
    let mut found = BTreeMap::new();
    for (by, order) in [("INDEXED BY message_open", "ASC"), ("NOT INDEXED", "ASC"), ("NOT INDEXED", "DESC")] {
        let columns = rows::OPEN;
        let sql = format!(
            "SELECT {columns}, m.message FROM message m {by} CROSS JOIN peer p ON p.peer = m.peer \
             WHERE {IS_OPEN} ORDER BY m.message {order}"
        );
        let Ok(mut statement) = conn.prepare(&sql) else { continue };
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(9)?, rows::open(row)?));
        let Ok(texts) = statement.query_map([], read) else { continue };
        // Up to the first that cannot be read.
        found.extend(texts.map_while(Result::ok));
    }
    found.into_values().map(said).collect()
}

fn said(open: Open) -> Write {
    let assurance = match open.to {
        Recipient::Peer(PeerId::Key(_)) => Assurance::Encrypted,
        Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => Assurance::Plain,
    };
    let Open { to, name, letter, condition, expires } = open;
    Write::Said { to, name, letter, condition, assurance, expires }
}
