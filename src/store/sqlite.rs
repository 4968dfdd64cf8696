//! What is said, kept in one SQLite file (docs/HISTORY.md): how it is opened, and what each connection to it is set to.
//!
//! Promises: what [`Store::apply`] has taken survives a power cut, as far as the disk keeps what it says that it has written. A file that
//! a later version of the program has written is not touched. Only the user can read what is made.

mod aside;
mod filter;
mod forget;
mod jumps;
mod read;
mod rows;
mod schema;
mod search;
mod spans;
#[cfg(test)]
mod tests;
mod turn;
mod write;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, ffi};

pub use self::aside::open_or_set_aside;
pub(super) use self::forget::MAX_KNOWN;
use self::jumps::Jumps;
pub(super) use self::search::matching;
use self::write::{Bounds, Tally};
use super::{Store, StoreError};
use crate::files;
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::stored::{Entry, Open, Query, Write, Written};

/// How long a process that writes waits for another one: longer than any of them writes, but for forgetting very much.
const BUSY: Duration = Duration::from_secs(5);

/// What only exists while something is wrong: it has the file looked through when it is opened next.
const SUSPECT: &str = ".suspect";

/// Bytes of the header of an SQLite file (sqlite.org/fileformat2.html, section 1.3).
const HEADER_BYTES: usize = 100;

/// Statements that are kept ready; there are fewer.
const STATEMENTS: usize = 64;

/// What is said, in a file.
#[derive(Debug)]
pub struct Sqlite {
    conn: Connection,
    path: PathBuf,
    bounds: Bounds,
    started: Instant,
    jumps: Jumps,
    tally: Tally,
    /// Something was forgotten that may still be in the log of the file.
    in_log: bool,
}

impl Sqlite {
    /// Opens the file to read and to write, makes it where there is none, and brings one of an earlier version up to date.
    ///
    /// # Errors
    /// Why it cannot be used. After [`StoreError::Newer`] the file is what it was.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        refuse_newer(path)?;
        // Made here, for its log takes its permissions, and SQLite would give it those of the umask.
        let made = files::private().read(true).write(true).create(true).truncate(false).open(path);
        made.map_err(|error| StoreError::Other(error.to_string()))?;
        let mut store = Self::connected(path)?;
        let prepared = prepare(&mut store.conn);
        store.told(prepared)?;
        // From here on no number is given twice, whoever forgets the newest messages.
        store.tally.last = store.told(search::last(&store.conn))?;
        Ok(store)
    }

    /// Opens a file that is there to read only, also while another connection or process writes.
    ///
    /// # Errors
    /// Why it cannot be read. After [`StoreError::Newer`] the file is what it was.
    pub fn reader(path: &Path) -> Result<Self, StoreError> {
        refuse_newer(path)?;
        let mut store = Self::connected(path)?;
        let version = schema::version(&store.conn);
        if store.told(version)? < schema::VERSION {
            // Only a writer brings it up to date.
            drop(Self::open(path)?);
            store = Self::connected(path)?;
        }
        let conn = &store.conn;
        let only_reads = settle(conn).and_then(|()| conn.pragma_update(None, "query_only", true));
        store.told(only_reads)?;
        Ok(store)
    }

    /// A connection that leaves the file as it is, also when it is closed, until it is settled.
    fn connected(path: &Path) -> Result<Self, StoreError> {
        // Absolute, for SQLite takes a name that begins with `file:` for an address.
        let path = std::path::absolute(path).map_err(|error| StoreError::Other(error.to_string()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&path, flags).map_err(|error| clause(&error))?;
        let (started, jumps, tally) = (Instant::now(), Jumps::default(), Tally::default());
        let store = Self { conn, path, bounds: Bounds::default(), started, jumps, tally, in_log: false };
        store.told(connect(&store.conn))?;
        Ok(store)
    }

    /// Looks through the whole file.
    fn check(&self) -> Result<(), StoreError> {
        let found = self.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        if self.told(found)? == "ok" { Ok(()) } else { Err(StoreError::Damaged) }
    }

    /// A result in the words of the store. Damage is noted beside the file.
    fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        let result = result.map_err(|error| clause(&error));
        if let Err(StoreError::Damaged) = result {
            // Where that cannot be noted, the damage is found again when it is met again.
            drop(files::private().write(true).create(true).truncate(false).open(beside(&self.path, SUSPECT)));
        }
        result
    }

    fn apply_at(
        &mut self,
        writes: &[Write],
        clock: u64,
        elapsed: Duration,
    ) -> Result<Vec<Written>, StoreError> {
        // What a turn that fails has noticed and counted does not hold.
        let (mut jumps, mut tally) = (self.jumps, self.tally);
        let jump = jumps.by(clock, elapsed);
        let written = write::apply(&mut self.conn, &self.bounds, &mut tally, writes, clock, jump);
        let (written, forgot) = self.told(written)?;
        (self.jumps, self.tally) = (jumps, tally);
        if forgot {
            self.in_log = true;
            // It is written down, whatever becomes of the log: `idle` tries that again.
            drop(self.clear_log());
        }
        Ok(written)
    }

    /// Puts some messages that wait for it, at most so many, into the index of words, and tells how many wait still, or a few more.
    ///
    /// # Errors
    /// Why nothing was.
    pub fn index(&mut self, most: usize) -> Result<usize, StoreError> {
        let left = search::index(&mut self.conn, most);
        self.told(left)
    }

    /// Takes what was forgotten out of the log too, where nobody reads the log.
    fn clear_log(&mut self) -> Result<(), StoreError> {
        let cleared = forget::clear_log(&self.conn, BUSY);
        self.in_log = !self.told(cleared)?;
        Ok(())
    }
}

impl Store for Sqlite {
    fn apply(&mut self, writes: &[Write], clock: u64) -> Result<Vec<Written>, StoreError> {
        self.apply_at(writes, clock, self.started.elapsed())
    }

    fn entries(&mut self, query: &Query) -> Result<Vec<Entry>, StoreError> {
        let entries = read::entries(&mut self.conn, query);
        self.told(entries)
    }

    fn parties(&mut self) -> Result<Vec<(Recipient, Option<PeerName>)>, StoreError> {
        self.told(read::parties(&self.conn))
    }

    fn written_to(&mut self) -> Result<Vec<PublicKey>, StoreError> {
        self.told(read::written_to(&self.conn))
    }

    fn open(&mut self) -> Result<Vec<Open>, StoreError> {
        self.told(read::open(&self.conn))
    }

    fn unshown(&mut self, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.told(read::unshown(&self.conn, limit))
    }

    fn idle(&mut self) -> Result<bool, StoreError> {
        if self.index(search::IDLE_ROWS)? > 0 {
            return Ok(true);
        }
        let more = forget::shrink(&self.conn);
        if let Some(more) = self.told(more)? {
            // What was moved within the file is in the log, and the file is cut off when the log is taken over.
            self.in_log = true;
            if more {
                return Ok(true);
            }
        }
        if self.in_log {
            self.clear_log()?;
        }
        Ok(self.in_log)
    }
}

/// What holds for each connection, and changes nothing in the file.
fn connect(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;",
    )
}

/// Makes a connection one that writes.
fn prepare(conn: &mut Connection) -> rusqlite::Result<()> {
    if schema::version(conn)? == 0 {
        // Only an empty file can be set to that.
        conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    // FULL, for a receipt promises what was committed; what is deleted is overwritten.
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;")?;
    settle(conn)?;
    conn.execute_batch("PRAGMA journal_mode = WAL")?;
    schema::bring_up(conn, schema::STEPS)
}

/// From here on the connection takes part in the upkeep of the file, if the file is ours.
fn settle(conn: &Connection) -> rusqlite::Result<()> {
    let version = schema::version(conn)?;
    let mark: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if version > schema::VERSION {
        return Err(Error::IntegralValueOutOfRange(NEWER, version));
    }
    if (version > 0 || tables > 0) && mark != schema::APPLICATION {
        return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOTADB), None));
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map(drop)
}

/// Stands in the place of a column in the error of a version that we do not know; no query has so many.
const NEWER: usize = usize::MAX;

/// Refuses a file whose header says that a later version has written it, before SQLite does anything to it.
fn refuse_newer(path: &Path) -> Result<(), StoreError> {
    let mut header = [0; HEADER_BYTES];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    if read.is_err() {
        return Ok(());
    }
    let number = |at: usize| {
        i64::from(u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]))
    };
    // Of the header, by the same page: user_version, application_id.
    let (version, mark) = (number(60), number(68));
    if header.starts_with(b"SQLite format 3\0") && mark == schema::APPLICATION && version > schema::VERSION {
        return Err(StoreError::Newer(version));
    }
    Ok(())
}

/// What an error is to the one who uses the store.
fn clause(error: &Error) -> StoreError {
    match error {
        Error::SqliteFailure(failure, _) => match (failure.code, failure.extended_code) {
            // The index of the log is a file of its own, and SQLite says so where it cannot grow.
            (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => StoreError::Full,
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => StoreError::Busy,
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => StoreError::Damaged,
            _ => StoreError::Other(error.to_string()),
        },
        Error::IntegralValueOutOfRange(NEWER, version) => StoreError::Newer(*version),
        // Something stands there that we never write.
        Error::IntegralValueOutOfRange(..)
        | Error::FromSqlConversionFailure(..)
        | Error::InvalidColumnType(..) => StoreError::Damaged,
        _ => StoreError::Other(error.to_string()),
    }
}

/// The file of the same name with this at its end.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}
