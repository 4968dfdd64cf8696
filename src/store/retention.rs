//! Removes messages: those that the user forgets, and the oldest where there are too many.
//!
//! What is removed is overwritten in the file (`secure_delete`), in the full-text index and in the
//! log. Copies that the disk, the file system or a backup has made are out of reach.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Result};

use super::queries::{self, IS_QUEUED};
use crate::model::stored::Selection;

/// Ids of removed messages by which duplicates of them are still recognized: 4 MB. Nobody sends a
/// message again after this many others.
const MAX_KNOWN: usize = 100_000;

/// Messages removed beyond the necessary ones, so that not every new message has to remove an old
/// one.
const TRIM: i64 = 256;

/// An unencrypted message. The index `message_plain` has the same condition.
const IS_PLAIN: &str = "m.assurance IN (0, 3)";

/// How long to wait for readers of the log; they read for a few milliseconds.
const LOG_BUSY: Duration = Duration::from_millis(100);

/// One page in this many may be free; new messages fill them.
const FREE_SHARE: i64 = 4;

/// Pages given back to the disk at once: a megabyte, some milliseconds.
const SHRINK_PAGES: i64 = 256;

/// How many messages the file keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// In all: 5,000 a day for two years, or about 2 GB.
    pub(super) messages: i64,
    /// Unencrypted ones. Anybody can write them in any name, so a flood of them may cost only such.
    pub(super) plain: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 4_000_000, plain: 500_000 }
    }
}

/// How many messages there are at most, so that not every batch counts them. Other processes only
/// remove messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) messages: Option<i64>,
    pub(super) plain: Option<i64>,
}

/// How many bytes a store in memory has.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryLimits {
    pub(super) total: i64,
    /// Of queued messages, which are never removed for others.
    pub(super) queued: i64,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { total: 80 * 1024 * 1024, queued: 64 * 1024 * 1024 }
    }
}

/// Bytes that a message takes beside its text: its columns, its places in the indexes, and what the
/// pages leave free.
pub(super) const ROW_BYTES: i64 = 512;

/// Forgets the selected messages that are not queued. Returns how many went, and how many stay.
pub(super) fn forget(conn: &Connection, selection: &Selection) -> Result<(i64, i64)> {
    let filter = queries::selected(conn, selection)?;
    let gone = remove(conn, &format!("{filter} AND NOT coalesce({IS_QUEUED}, 0)"))?;
    let stay = count(conn, &format!("{filter} AND {IS_QUEUED}"))?;
    Ok((gone, stay))
}

/// Removes the oldest messages where there are too many.
pub(super) fn keep_within(
    conn: &Connection,
    bounds: &Bounds,
    tally: &mut Tally,
    (messages, plain): (i64, i64),
) -> Result<()> {
    if plain > 0 {
        tally.plain = Some(trim(conn, bounds.plain, tally.plain, plain, &format!(" AND {IS_PLAIN}"))?);
    }
    tally.messages = Some(trim(conn, bounds.messages, tally.messages, messages, "")?);
    Ok(())
}

/// Removes the oldest messages that fit if there are more than `bound`. Returns how many there are.
fn trim(conn: &Connection, bound: i64, before: Option<i64>, added: i64, filter: &str) -> Result<i64> {
    if let Some(at_most) = before.map(|before| before.saturating_add(added)).filter(|it| *it <= bound) {
        return Ok(at_most);
    }
    let there = count(conn, filter)?;
    if there <= bound {
        return Ok(there);
    }
    let go = there - bound + TRIM.min(bound / FREE_SHARE);
    Ok(there - remove_oldest(conn, filter, go)?)
}

fn remove_oldest(conn: &Connection, filter: &str, go: i64) -> Result<i64> {
    let oldest = format!(
        " AND m.message IN (SELECT m.message FROM message m \
         WHERE NOT coalesce({IS_QUEUED}, 0) {filter} ORDER BY m.message LIMIT {go})"
    );
    remove(conn, &oldest)
}

/// Makes room in memory for `coming` bytes: removes shown messages, the oldest first. Returns
/// whether there is room.
pub(super) fn make_room(conn: &Connection, limits: &MemoryLimits, coming: i64) -> Result<bool> {
    loop {
        if used(conn)?.saturating_add(coming) <= limits.total {
            return Ok(true);
        }
        if remove_oldest(conn, " AND m.shown = 1", TRIM)? == 0 {
            return Ok(false);
        }
    }
}

/// Returns whether the queued messages in memory are within their limit.
pub(super) fn queue_fits(conn: &Connection, limits: &MemoryLimits) -> Result<bool> {
    if used(conn)? <= limits.queued {
        return Ok(true);
    }
    let sql = format!(
        "SELECT coalesce(sum(octet_length(m.body) + {ROW_BYTES}), 0) FROM message m WHERE {IS_QUEUED}"
    );
    conn.prepare_cached(&sql)?.query_row([], |row| Ok(row.get::<_, i64>(0)? <= limits.queued))
}

/// The bytes of the pages in use.
fn used(conn: &Connection) -> Result<i64> {
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
}

/// Removes the messages `m` that fit, remembers the ids of those that came, and drops the peers
/// without messages. Returns how many messages went.
pub(super) fn remove(conn: &Connection, filter: &str) -> Result<i64> {
    let gone = count(conn, filter)?;
    if gone == 0 {
        return Ok(0);
    }
    conn.execute_batch(&format!(
        "INSERT OR IGNORE INTO known (peer, id) SELECT m.peer, m.id FROM message m \
           WHERE m.outgoing = 0 AND m.id IS NOT NULL {filter} ORDER BY m.message; \
         DELETE FROM known WHERE known <= (SELECT max(known) FROM known) - {MAX_KNOWN};"
    ))?;
    // Taking a message out of the index takes longer than putting one in.
    let anew = are_at_most(conn, gone.saturating_mul(2))?;
    if !anew {
        conn.execute_batch(&format!(
            "INSERT INTO search (search, rowid, conversation, folded) \
             SELECT 'delete', m.message, m.conversation, m.folded FROM message m \
             WHERE m.folded IS NOT NULL {filter}"
        ))?;
    }
    conn.execute_batch(&format!("DELETE FROM message AS m WHERE 1 {filter}"))?;
    if anew {
        conn.execute_batch("INSERT INTO search (search) VALUES ('rebuild')")?;
    }
    drop_empty_peers(conn)?;
    Ok(gone)
}

/// Peers without messages that are remembered because they were seen, at most: as many as the core
/// has pins.
pub(super) const MAX_SEEN: i64 = 20_000;

/// Forgets the peers without messages that were seen longest ago, if there are more than
/// [`MAX_SEEN`]. Contacts stay.
pub(super) fn drop_old_strangers(conn: &Connection) -> Result<()> {
    conn.prepare_cached(
        "UPDATE peer SET last_seen = NULL WHERE messages = 0 AND contact = 0 AND peer IN ( \
           SELECT peer FROM peer WHERE messages = 0 AND last_seen IS NOT NULL \
           ORDER BY last_seen DESC LIMIT -1 OFFSET ?)",
    )?
    .execute([MAX_SEEN])?;
    drop_empty_peers(conn)
}

/// Drops the peers without messages. One that is still known by ids of messages loses its name.
pub(super) fn drop_empty_peers(conn: &Connection) -> Result<()> {
    conn.execute_batch(
        "DELETE FROM peer WHERE messages = 0 AND contact = 0 AND last_seen IS NULL \
           AND NOT EXISTS (SELECT 1 FROM known WHERE known.peer = peer.peer); \
         UPDATE peer SET name = NULL WHERE messages = 0 AND contact = 0 AND name IS NOT NULL;",
    )
}

/// Returns whether there are at most this many messages, without counting more of them.
fn are_at_most(conn: &Connection, many: i64) -> Result<bool> {
    let sql = "SELECT count(*) <= ?1 FROM (SELECT 1 FROM message LIMIT ?1 + 1)";
    conn.prepare_cached(sql)?.query_row([many], |row| row.get(0))
}

fn count(conn: &Connection, filter: &str) -> Result<i64> {
    conn.query_row(&format!("SELECT count(*) FROM message m WHERE 1 {filter}"), [], |row| row.get(0))
}

/// Moves the log into the file and empties it. Returns false if a reader prevents that. `busy` is
/// how long a writer waits otherwise.
pub(super) fn clear_log(conn: &Connection, busy: Duration) -> Result<bool> {
    conn.busy_timeout(LOG_BUSY)?;
    let held = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    conn.busy_timeout(busy)?;
    held.map(|held| !held)
}

/// Gives some free pages back to the disk if there are too many. Returns whether there were.
pub(super) fn shrink(conn: &Connection) -> Result<bool> {
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("freelist_count")? <= pragma("page_count")? / FREE_SHARE {
        return Ok(false);
    }
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({SHRINK_PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(true)
}

/// Overwrites and removes the files beside `path` whose names begin with its name and `mark`.
pub(super) fn erase_copies(path: &Path, mark: &str) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let begins = format!("{}{mark}", name.to_string_lossy());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(&begins) || !entry.file_type()?.is_file() {
            continue;
        }
        let mut file = OpenOptions::new().write(true).open(entry.path())?;
        io::copy(&mut io::Read::take(io::repeat(0), file.metadata()?.len()), &mut file)?;
        file.flush()?;
        file.sync_all()?;
        fs::remove_file(entry.path())?;
    }
    Ok(())
}
