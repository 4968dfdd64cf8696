//! Imports a file of version 1 or 2 into a new file, once.
//!
//! The new file takes the place of the old one in one step, after everything is in it. If the
//! program is killed before that, the next start imports again. The old file stays under another
//! name until the user forgets something.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, Error, Row, TransactionBehavior, params};

use super::fold::folded;
use super::status::{self, Columns};
use super::{Result, Sqlite, StoreError, beside, recovery, retention, schema};
use crate::files;

/// The name of the old file after the import, followed by the date.
pub(super) const OLD: &str = ".old-";

/// The new file while it is written.
const NEW: &str = ".new";

/// The lock that only one process holds while it imports.
const LOCK: &str = ".import";

/// A queued message in an old file.
pub(super) const IS_QUEUED: &str = "m.outgoing = 1 AND m.state <= 1";

/// The columns of a queued message in an old file, in the order of [`super::rows::QUEUED`].
pub(super) const QUEUED: &str = "p.key, p.addr, m.name, m.id, m.sent, (m.state = 1 OR (m.again AND p.key NOT NULL)), m.body, m.expires, 0";

/// The columns `status`, `reason` and `attempted` of each `state` of an old file, in the order of
/// its numbers.
pub(super) const STATES: [Columns; 11] = [
    Columns::queued(false),
    Columns::queued(true),
    Columns::plain(status::DELIVERED),
    Columns::plain(status::SENT),
    Columns::plain(status::UNKNOWN),
    Columns::failed(status::REACHED_ANOTHER_PEER),
    Columns::failed(status::NOT_SENT),
    Columns::failed(status::NOT_ACCEPTED),
    Columns::failed(status::WITHDRAWN),
    Columns::plain(status::EXPIRED),
    Columns::plain(status::CANCELLED),
];

/// Returns whether an open file is of a version that has to be imported.
pub(super) fn is_old(conn: &Connection) -> rusqlite::Result<bool> {
    let mark: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(mark == schema::APPLICATION && (1..schema::FIRST).contains(&schema::version(conn)?))
}

/// Replaces an old file by a new one with everything that is in it.
pub(super) fn import(path: &Path) -> Result<()> {
    let lock_file = beside(path, LOCK);
    let lock = files::private().write(true).create(true).truncate(false).open(&lock_file)?;
    lock.lock()?;
    let imported = import_locked(path);
    drop(fs::remove_file(lock_file));
    imported
}

fn import_locked(path: &Path) -> Result<()> {
    let mut old = Sqlite::connected(path)?;
    if !old.note_damage(is_old(&old.conn))? {
        // Another process has imported it.
        return Ok(());
    }
    let new = beside(path, NEW);
    for part in ["", "-journal", "-wal", "-shm"] {
        // Left by a killed process.
        drop(fs::remove_file(beside(&new, part)));
    }
    drop(files::private().read(true).write(true).create_new(true).open(&new)?);
    let copied = copy(&mut old.conn, &new);
    old.note_damage(copied)?;
    if !retention::clear_log(&old.conn, super::BUSY)? {
        return Err(StoreError::Busy);
    }
    // Closing the last connection removes the empty log, which must not stand beside the new file.
    old.removes_log()?;
    drop(old);
    if ["-wal", "-shm"].iter().any(|part| beside(path, part).exists()) {
        return Err(StoreError::Busy);
    }
    let kept = recovery::free_name(path, &jiff::Zoned::now().strftime(&format!("{OLD}%Y%m%d")).to_string())?;
    // A copy where the file system has no links; the old file stays in its place meanwhile.
    fs::hard_link(path, &kept).or_else(|_| fs::copy(path, &kept).map(drop))?;
    fs::rename(&new, path)?;
    Ok(())
}

/// Copies all rows in one transaction of the new file, which is of no version before.
fn copy(old: &mut Connection, new: &Path) -> Result<()> {
    // No other process writes to the old file meanwhile.
    let old = old.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut new = Sqlite::connected(new)?.conn;
    new.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
    )?;
    let tx = new.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(schema::STEPS[0])?;
    copy_peers(&old, &tx)?;
    copy_messages(&old, &tx)?;
    let mut insert = tx.prepare("INSERT INTO known (known, peer, id) VALUES (?, ?, ?)")?;
    each(&old, "SELECT known, peer, id FROM known", |row| {
        insert
            .execute(params![row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, [u8; 16]>(2)?])
            .map(drop)
    })?;
    drop(insert);
    tx.execute_batch("INSERT INTO search (search) VALUES ('rebuild')")?;
    tx.pragma_update(None, "user_version", schema::FIRST)?;
    tx.commit()?;
    Ok(())
}

fn copy_peers(old: &Connection, new: &Connection) -> rusqlite::Result<()> {
    // Version 1 did not record what was read, so everything counts as read.
    let read_to = match schema::version(old)? {
        1 => "coalesce((SELECT max(message) FROM message WHERE message.peer = peer.peer), 0)",
        _ => "read_to",
    };
    let mut insert =
        new.prepare("INSERT INTO peer (peer, key, addr, name, read_to) VALUES (?, ?, ?, ?, ?)")?;
    each(old, &format!("SELECT peer, key, addr, name, {read_to} FROM peer"), |row| {
        let (key, addr): (Option<[u8; 32]>, Option<String>) = (row.get(1)?, row.get(2)?);
        let (name, read_to): (Option<String>, i64) = (row.get(3)?, row.get(4)?);
        insert.execute(params![row.get::<_, i64>(0)?, key, addr, name, read_to]).map(drop)
    })
}

fn copy_messages(old: &Connection, new: &Connection) -> rusqlite::Result<()> {
    let mut insert = new.prepare(
        "INSERT INTO message (message, conversation, peer, outgoing, status, reason, attempted, shown, id, \
           name, time, sent, expires, assurance, body, folded) \
         VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    each(
        old,
        "SELECT m.message, m.peer, m.outgoing, m.state, m.again AND p.key NOT NULL, m.id, m.name, m.time, \
           m.sent, m.expires, m.assurance, m.body \
         FROM message m CROSS JOIN peer p ON p.peer = m.peer ORDER BY m.message",
        |row| {
            let (outgoing, state): (bool, u8) = (row.get(2)?, row.get(3)?);
            let status = match outgoing {
                true => {
                    let columns = STATES.get(usize::from(state)).copied();
                    let columns = columns.ok_or(Error::IntegralValueOutOfRange(3, state.into()))?;
                    let again: bool = row.get(4)?;
                    Some(Columns {
                        attempted: columns.attempted || (columns.is_queued() && again),
                        ..columns
                    })
                }
                false => None,
            };
            let body: String = row.get(11)?;
            insert
                .execute(params![
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    outgoing,
                    status.map(|status| status.status),
                    status.and_then(|status| status.reason),
                    status.is_some_and(|status| status.attempted),
                    outgoing || state > 0,
                    row.get::<_, Option<[u8; 16]>>(5)?,
                    row.get::<_, Option<String>>(6)?,
                    row.get::<_, i64>(7)?,
                    row.get::<_, Option<i64>>(8)?,
                    row.get::<_, i64>(9)?,
                    row.get::<_, i64>(10)?,
                    body,
                    folded(&body),
                ])
                .map(drop)
        },
    )
}

/// Calls `take` for each row of a query.
fn each(
    conn: &Connection,
    sql: &str,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}
