//! One SQLite database, in a file or in memory: how it is opened, and what each connection is set
//! to.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, TransactionBehavior, ffi};

use super::recovery::SUSPECT;
use super::retention::{MemoryLimits, Quotas, ROW_BYTES, Tally};
use super::writes::{self, Batch};
use super::{Result, StoreError, clock, queries, retention, rows, schema, search};
use crate::files;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::stored::{Query, QueuedMessage, SeenPeer, StoreOp, StoreResult, StoredMessage};

/// How long a process that writes waits for another one. Only forgetting very much takes longer.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// The time between two tries to turn the log on: a write takes milliseconds.
const BUSY_SPACING: Duration = Duration::from_millis(10);

/// Bytes of the header of an SQLite file (sqlite.org/fileformat2.html, section 1.3).
const HEADER_BYTES: usize = 100;

/// The log and its index, beside the file.
const LOG_PARTS: [&str; 2] = ["-wal", "-shm"];

/// Statements kept ready; there are fewer.
const STATEMENTS: usize = 64;

/// Milliseconds by which the clock may differ from the time that passed without counting as set. A
/// synchronized clock is corrected by less, and the 7 days of a queued message allow it.
const CLOCK_TOLERANCE: i64 = 60_000;

/// The messages, in a file or in memory.
///
/// What [`Sqlite::apply`] has written to a file survives a power cut, if the disk keeps what it
/// says that it has written. Only the user can read the file. It blocks while it reads and writes.
#[derive(Debug)]
pub struct Sqlite {
    pub(super) conn: Connection,
    /// `None` for a database in memory.
    path: Option<PathBuf>,
    pub(super) quotas: Quotas,
    pub(super) limits: MemoryLimits,
    /// `None` if the next batch has to count.
    pub(super) tally: Option<Tally>,
    started: Instant,
    /// What the clock showed at the last batch, and how long the store had been open.
    clock: Option<(u64, Duration)>,
    /// How many milliseconds the clock was set by since the expiry of queued messages last followed
    /// it. It does not follow a doubtful clock.
    jumped: i64,
    /// The recorded clock, if it has been read.
    noted: Option<u64>,
    /// Whether no queued message waits for the clock to be confirmed.
    all_wait: bool,
    /// Something was forgotten that may still be in the log or in free pages.
    untidy: bool,
}

/// Makes an empty store in memory.
pub fn in_memory() -> Result<Sqlite> {
    let mut store = Sqlite::new(Connection::open_in_memory()?, None)?;
    store.conn.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")?;
    schema::migrate(&mut store.conn, schema::STEPS)?;
    let page: i64 = store.conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = store.limits.total / page;
    store.conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    Ok(store)
}

impl Sqlite {
    /// Opens the file to read and write. Makes it if it is missing.
    ///
    /// # Errors
    /// If it cannot be used. [`StoreError::OtherFormat`] leaves the file untouched.
    pub fn open(path: &Path) -> Result<Self> {
        refuse_other_format(path)?;
        // Made here, because its log takes its permissions, and SQLite would use the umask.
        match files::private().read(true).write(true).create(true).truncate(false).open(path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied && path.exists() => {
                return Err(StoreError::Other("it is write-protected; run `chmod 600` on it".into()));
            }
            opened => drop(opened?),
        }
        // A reader of a write-protected file may have made write-protected ones.
        LOG_PARTS.iter().for_each(|part| files::make_writable(&beside(path, part)));
        let mut store = Self::connected(path)?;
        let prepared = prepare(&mut store.conn, || log_works(path));
        store.note_damage(prepared)?;
        Ok(store)
    }

    /// Opens a file to read only, also while another process writes.
    ///
    /// # Errors
    /// If it cannot be read. [`StoreError::OtherFormat`] leaves the file untouched.
    pub fn reader(path: &Path) -> Result<Self> {
        refuse_other_format(path)?;
        let is_writable = files::is_writable(path) && path.parent().is_none_or(files::is_writable);
        let mut store = if is_writable { Self::connected(path)? } else { Self::protected(path)? };
        if store.note_damage(schema::version(&store.conn))? < schema::VERSION {
            // Only a writer brings it up to date.
            drop(store);
            drop(Self::open(path)?);
            store = Self::connected(path)?;
        }
        let settled = settle(&store.conn);
        store.note_damage(settled)?;
        store.conn.pragma_update(None, "query_only", true)?;
        Ok(store)
    }

    /// Sets how many bytes on the disk all messages may take, about.
    pub fn with_max_history(mut self, bytes: u64) -> Self {
        self.quotas.max_history = rows::stored_time(bytes);
        self
    }

    /// A connection that leaves the file as it is, also when it is closed, until it is settled.
    pub(super) fn connected(path: &Path) -> Result<Self> {
        // Absolute, because SQLite takes a name that begins with `file:` for an address.
        let path = std::path::absolute(path)?;
        let mut conn = untouched(&path)?;
        if reads(&conn).is_err_and(|error| needs_shared_memory(&error)) {
            drop(conn);
            merge_log(&path)?;
            conn = untouched(&path)?;
        }
        Self::new(conn, Some(path))
    }

    /// Opens a file if this process cannot write to it or to its directory. Creates no files.
    pub(super) fn protected(path: &Path) -> Result<Self> {
        if !keeps_log(path) || LOG_PARTS.iter().all(|part| beside(path, part).exists()) {
            // No file has to be created. If a program uses the file or has crashed, the log is
            // read.
            return Self::connected(path);
        }
        if fs::metadata(beside(path, LOG_PARTS[0])).is_ok_and(|log| log.len() > 0) {
            return Err(StoreError::Other(
                "its log can be read only in a writable directory; copy both to another directory".into(),
            ));
        }
        // No program has the file open: one that writes would have a log.
        let path = std::path::absolute(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let conn = Connection::open_with_flags(address(&path), flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        Self::new(conn, Some(path))
    }

    fn new(conn: Connection, path: Option<PathBuf>) -> Result<Self> {
        let store = Self {
            conn,
            path,
            quotas: Quotas::default(),
            limits: MemoryLimits::default(),
            tally: None,
            started: Instant::now(),
            clock: None,
            jumped: 0,
            noted: None,
            all_wait: false,
            untidy: false,
        };
        store.note_damage(connect(&store.conn))?;
        Ok(store)
    }

    /// Looks through the whole file.
    pub(super) fn check(&self) -> Result<()> {
        let found = self.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        if self.note_damage(found)? == "ok" { Ok(()) } else { Err(StoreError::Damaged) }
    }

    /// Turns an error into one of the store, and notes damage beside the file.
    pub(super) fn note_damage<T>(&self, result: Result<T, impl Into<StoreError>>) -> Result<T> {
        let result = result.map_err(Into::into);
        match (&result, &self.path) {
            (Err(StoreError::Damaged), Some(path)) => {
                // If that cannot be noted, the damage is found again when it is met again.
                let suspect = beside(path, SUSPECT);
                drop(files::private().write(true).create(true).truncate(false).open(suspect));
            }
            (Err(StoreError::Full), None) => return Err(StoreError::NoRoom),
            _ => {}
        }
        result
    }

    /// The milliseconds by which the clock was set since the last batch, if it was.
    fn clock_jump(&self, clock: u64, elapsed: Duration) -> Option<i64> {
        let (clock_then, elapsed_then) = self.clock?;
        let passed = i64::try_from(elapsed.saturating_sub(elapsed_then).as_millis()).unwrap_or(i64::MAX);
        let jump = clock.cast_signed().saturating_sub(clock_then.cast_signed()).saturating_sub(passed);
        (jump.saturating_abs() > CLOCK_TOLERANCE).then_some(jump)
    }

    pub(super) fn apply_at(
        &mut self,
        writes: &[StoreOp],
        clock: u64,
        elapsed: Duration,
    ) -> Result<Vec<StoreResult>> {
        let doubt = self.doubt(clock)?;
        let jumped = self.jumped.saturating_add(self.clock_jump(clock, elapsed).unwrap_or(0));
        let jump = Some(jumped).filter(|jump| doubt.is_none() && jump.saturating_abs() > CLOCK_TOLERANCE);
        let written = self.transact(writes, clock, jump, doubt.is_some());
        let (written, forgot, agrees) = self.note_damage(written)?;
        // A batch that fails has noticed nothing.
        self.clock = Some((clock, elapsed));
        self.jumped = if doubt.is_some() { jumped } else { 0 };
        if doubt.is_some() && agrees {
            self.trust_clock(clock)?;
        }
        if forgot {
            self.untidy = true;
            // The messages are removed even if erasing their bytes failed: `tidy` retries that.
            drop(self.tidy());
        }
        Ok(written)
    }

    /// Returns the recorded clock if `clock` is so far from it that it may be wrong.
    ///
    /// # Errors
    /// If the file cannot be read, or if it has no recorded clock yet and cannot be written.
    pub fn doubt(&mut self, clock: u64) -> Result<Option<u64>> {
        let is_far = |noted: &u64| noted.abs_diff(clock) > clock::DOUBTFUL_AFTER;
        if self.path.is_none() || self.noted.is_some_and(|noted| !is_far(&noted)) {
            return Ok(None);
        }
        // Another process may have recorded it since.
        self.noted = self.note_damage(clock::noted(&self.conn))?;
        if self.noted.is_none()
            && let Some(sign) = self.note_damage(clock::earlier_sign(&self.conn, clock))?
        {
            self.note(sign)?;
        }
        Ok(self.noted.filter(is_far))
    }

    /// Records that the clock is right.
    pub fn trust_clock(&mut self, clock: u64) -> Result<()> {
        if self.path.is_some() {
            self.note(clock)?;
        }
        Ok(())
    }

    fn note(&mut self, clock: u64) -> Result<()> {
        self.note_damage(clock::note(&self.conn, clock))?;
        self.noted = Some(clock);
        Ok(())
    }

    fn transact(
        &mut self,
        writes: &[StoreOp],
        clock: u64,
        jump: Option<i64>,
        doubtful: bool,
    ) -> Result<(Vec<StoreResult>, bool, bool)> {
        if writes.is_empty() && jump.is_none() {
            return Ok((Vec::new(), false, false));
        }
        let in_memory = self.path.is_none();
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(jump) = jump {
            writes::follow_clock(&tx, jump)?;
        }
        if in_memory && !retention::make_room(&tx, &self.limits, writes.iter().map(size).sum())? {
            return Err(StoreError::NoRoom);
        }
        let mut batch = Batch {
            conn: &tx,
            clock: rows::stored_time(clock),
            doubtful,
            agrees: false,
            indexed: !in_memory,
            quotas: self.quotas,
            added: Tally::default(),
            accepted: false,
            forgot: false,
        };
        let written = writes.iter().map(|write| batch.write(write)).collect::<rusqlite::Result<_>>()?;
        let Batch { added, accepted, forgot, agrees, .. } = batch;
        let mut tally = self.tally.filter(|_| !accepted);
        if added != Tally::default() {
            if in_memory && !retention::queue_fits(&tx, &self.limits)? {
                return Err(StoreError::NoRoom);
            }
            let bound = tally.map(|tally| tally.and(added)).filter(|bound| bound.fits(&self.quotas));
            tally = Some(bound.map_or_else(|| retention::keep_within(&tx, &self.quotas), Ok)?);
        }
        tx.commit()?;
        self.tally = tally;
        Ok((written, forgot, agrees))
    }
}

/// The bytes that a write may add.
fn size(write: &StoreOp) -> i64 {
    let bytes = |body: &str| ROW_BYTES.saturating_add(i64::try_from(body.len()).unwrap_or(i64::MAX));
    match write {
        StoreOp::Outgoing { message, .. } => bytes(&message.body),
        StoreOp::IncomingPlain { body, .. } => bytes(body),
        StoreOp::Incoming { messages, .. } => messages.iter().map(|message| bytes(&message.body)).sum(),
        _ => 0,
    }
}

impl Sqlite {
    /// Writes all of these, in this order. They are durable when it returns; after an error none
    /// is. `clock` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// If nothing was written.
    pub fn apply(&mut self, writes: &[StoreOp], clock: u64) -> Result<Vec<StoreResult>> {
        self.apply_at(writes, clock, self.started.elapsed())
    }

    /// Returns the messages that a query asks for, oldest first.
    pub fn messages(&mut self, query: &Query) -> Result<Vec<StoredMessage>> {
        // In memory there is no full-text index.
        let scanned = if self.path.is_some() { search::SCANNED } else { usize::MAX };
        let messages = queries::messages(&mut self.conn, query, scanned);
        self.note_damage(messages)
    }

    /// Returns every peer with messages under its last name, the one with the newest message first.
    pub fn peers(&mut self) -> Result<Vec<(Recipient, Option<PeerName>)>> {
        self.note_damage(queries::peers(&self.conn))
    }

    /// Returns the peers that were seen, the last one first.
    pub fn seen(&mut self) -> Result<Vec<SeenPeer>> {
        self.note_damage(queries::seen(&self.conn))
    }

    /// Returns the queued messages in the order in which they were typed.
    pub fn queued(&mut self) -> Result<Vec<QueuedMessage>> {
        self.note_damage(queries::queued(&self.conn))
    }

    /// Returns the messages that came and were not shown for certain, oldest first; at most the
    /// newest `limit`.
    pub fn unshown(&mut self, limit: usize) -> Result<Vec<StoredMessage>> {
        // The condition of the index `message_unshown`.
        self.note_damage(queries::newest(&self.conn, " AND m.shown = 0", limit))
    }

    /// Records `clock`, in milliseconds since 1970, at most once an hour. If it is more than 30
    /// days from the recorded clock, it may be wrong: then it is not recorded until a contact's
    /// message or the user confirms it, and the recorded clock is returned.
    pub fn note_clock(&mut self, clock: u64) -> Result<Option<u64>> {
        let doubt = self.doubt(clock)?;
        if self.path.is_none() || doubt.is_some() {
            self.all_wait &= doubt.is_none();
            return Ok(doubt);
        }
        if self.noted.is_none_or(|noted| noted.abs_diff(clock) >= clock::NOTED_EVERY) {
            self.note(clock)?;
        }
        if !self.all_wait {
            self.note_damage(clock::start_waiting(&self.conn, clock))?;
            self.all_wait = true;
        }
        Ok(None)
    }

    /// Does some of the work that is left after messages were forgotten: their bytes go from the
    /// log, and free pages go back to the disk. Returns whether there is more to do. Each call
    /// takes at most some tens of milliseconds.
    ///
    /// # Errors
    /// If something could not be done. The next call tries it again.
    pub fn tidy(&mut self) -> Result<bool> {
        if !self.untidy {
            return Ok(false);
        }
        let cleared = retention::clear_log(&self.conn, BUSY);
        // Pages move within the file through the log, which has to be cleared again then.
        self.untidy = !self.note_damage(cleared)? || self.note_damage(retention::shrink(&self.conn))?;
        Ok(self.untidy)
    }
}

/// Opens a connection that leaves the file unchanged, even when it is closed.
fn untouched(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(conn)
}

fn reads(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// Returns whether this error means that processes cannot share memory on this file system. The
/// index of the log needs that.
fn needs_shared_memory(error: &Error) -> bool {
    let codes = [ffi::SQLITE_IOERR_SHMOPEN, ffi::SQLITE_IOERR_SHMMAP, ffi::SQLITE_IOERR_SHMLOCK];
    matches!(error, Error::SqliteFailure(failure, _) if codes.contains(&failure.extended_code))
}

/// Moves the log into the file and turns it off, without shared memory.
pub(super) fn merge_log(path: &Path) -> rusqlite::Result<()> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.busy_timeout(BUSY)?;
    // With exclusive access, SQLite keeps the index of the log in its own memory.
    conn.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE;")?;
    Ok(())
}

/// Tries whether a file in this directory can have a log.
fn log_works(path: &Path) -> bool {
    static TRIES: AtomicU64 = AtomicU64::new(0);

    // Each try has its own file: to take the shared memory of another one away would kill it.
    let name = format!(".try-{}-{}", std::process::id(), TRIES.fetch_add(1, Ordering::Relaxed));
    let scratch = beside(path, &name);
    let make = files::private().write(true).create_new(true).open(&scratch);
    let tried = make.is_ok().then(|| {
        let conn = Connection::open_with_flags(&scratch, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE tried (it);")
    });
    let parts = LOG_PARTS.iter().chain(&["-journal", ""]);
    parts.for_each(|part| drop(fs::remove_file(beside(&scratch, part))));
    // If in doubt, use no log, which works everywhere.
    tried.is_some_and(|tried| tried.is_ok())
}

/// Returns the SQLite URI of a file that no process changes.
fn address(path: &Path) -> String {
    let mut address = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                address.push(char::from(*byte))
            }
            // Writing to a string cannot fail.
            _ => drop(write!(address, "%{byte:02x}")),
        }
    }
    address + "?immutable=1"
}

/// Sets what every connection needs, and changes nothing in the file.
fn connect(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;",
    )
}

/// Prepares a connection for writing. Calls `log_works` if the file has no log yet. Without a log,
/// SQLite uses a rollback journal, and readers wait for writers.
pub(super) fn prepare(conn: &mut Connection, log_works: impl FnOnce() -> bool) -> Result<()> {
    if schema::version(conn)? == 0 {
        // Only an empty file can be set to that.
        conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    // FULL, because a receipt promises what was committed.
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;")?;
    settle(conn)?;
    let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" && log_works() {
        turn_log_on(conn)?;
    }
    schema::migrate(conn, schema::STEPS)?;
    retention::drop_old_strangers(conn)?;
    Ok(())
}

/// Turns the log on. Two connections that do so at once would wait for each other, so SQLite does
/// not wait at all; then this tries again.
fn turn_log_on(conn: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match conn.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                if began.elapsed() > BUSY {
                    return Err(error);
                }
                thread::sleep(BUSY_SPACING);
            }
            done => return done,
        }
    }
}

/// Checks that the file is ours. From here on the connection takes part in the upkeep of the log.
fn settle(conn: &Connection) -> Result<()> {
    let version = schema::version(conn)?;
    let mark: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if mark == schema::APPLICATION && schema::is_other(version) {
        return Err(StoreError::OtherFormat(version));
    }
    if (version > 0 || tables > 0) && mark != schema::APPLICATION {
        return Err(StoreError::Damaged);
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

/// Reads the header of a file.
fn header(path: &Path) -> Option<[u8; HEADER_BYTES]> {
    let mut header = [0; HEADER_BYTES];
    File::open(path).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    Some(header)
}

/// Returns whether the header says that the file has a log.
fn keeps_log(path: &Path) -> bool {
    header(path).is_some_and(|header| header[18..20] == [2, 2])
}

/// Refuses a file whose header names an unknown format, before SQLite does anything to it.
fn refuse_other_format(path: &Path) -> Result<()> {
    let Some(header) = header(path) else { return Ok(()) };
    let number = |at: usize| {
        i64::from(u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]))
    };
    // By the same section: user_version, application_id.
    let (version, mark) = (number(60), number(68));
    let is_ours = header.starts_with(b"SQLite format 3\0") && mark == schema::APPLICATION;
    if is_ours && schema::is_other(version) {
        return Err(StoreError::OtherFormat(version));
    }
    Ok(())
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match &error {
            Error::SqliteFailure(failure, _) => match (failure.code, failure.extended_code) {
                // The index of the log is a file of its own, and SQLite says so where it cannot
                // grow.
                (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
                (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Busy,
                (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Self::Damaged,
                (ErrorCode::ReadOnly, _) => {
                    Self::Other("the file or its directory is write-protected".into())
                }
                (ErrorCode::CannotOpen, _) => {
                    Self::Other("the file, or its log beside it, cannot be opened or created".into())
                }
                (ErrorCode::SystemIoFailure, _) => {
                    Self::Other(format!("the disk or its file system reports an error ({error})"))
                }
                _ => Self::Other(error.to_string()),
            },
            // The file contains something that we never write.
            Error::IntegralValueOutOfRange(..)
            | Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..) => Self::Damaged,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::Full,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// The file of the same name with this at its end.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}
