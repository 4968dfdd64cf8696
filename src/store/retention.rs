//! Removes messages: those that the user forgets, and the oldest if there are too many.
//!
//! Removed messages are overwritten in the file (`secure_delete`), in the full-text index and in
//! the log. Copies that the disk, the file system or a backup has made cannot be reached.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, Row};

use super::queries::{self, IS_QUEUED};
use crate::model::stored::Selection;

/// Ids of removed messages that still identify duplicates, at most: 4 MB. No peer sends a message
/// again after this many others.
const MAX_KNOWN: i64 = 100_000;

/// Messages removed at once where there are too many, so that not every new message has to remove
/// an old one.
const TRIM: i64 = 256;

/// Messages of one stranger removed at once.
const STRANGER_TRIM: i64 = 16;

/// Bytes on the disk for each message beside its text, measured with short ones.
pub(super) const ROW_ON_DISK: i64 = 320;

/// Bytes on the disk for each byte of a text: the text, its folded copy, and the full-text index.
const TEXT_COPIES: i64 = 3;

/// Bytes on the disk of all messages if the user does not say otherwise: some millions of messages,
/// and a small part of any disk.
const MAX_HISTORY: i64 = 4 * 1024 * 1024 * 1024;

/// How long to wait for readers of the log; they read for a few milliseconds.
const LOG_BUSY: Duration = Duration::from_millis(100);

/// One page in this many may be free; new messages fill them.
const FREE_SHARE: i64 = 4;

/// Pages given back to the disk at once: a megabyte, some milliseconds.
const SHRINK_PAGES: i64 = 256;

/// A number of messages, and the bytes of their texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Size {
    pub(super) messages: i64,
    pub(super) bytes: i64,
}

impl Size {
    /// The size of one message.
    pub(super) fn of(body: &str) -> Self {
        Self { messages: 1, bytes: i64::try_from(body.len()).unwrap_or(i64::MAX) }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes.saturating_add(other.bytes) }
    }

    pub(super) fn less(self, other: Self) -> Self {
        Self { messages: self.messages - other.messages, bytes: self.bytes.saturating_sub(other.bytes) }
    }

    fn fits(self, limit: Self) -> bool {
        self.messages <= limit.messages && self.bytes <= limit.bytes
    }

    /// The bytes on the disk, about.
    pub(super) fn on_disk(self) -> i64 {
        (self.messages * ROW_ON_DISK).saturating_add(self.bytes.saturating_mul(TEXT_COPIES))
    }
}

/// How much the file keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotas {
    /// Messages of one stranger that the user has not accepted: more than a person writes before an
    /// answer.
    pub(super) stranger: Size,
    /// Messages of all strangers: one each of as many as write in years, and little on any disk.
    pub(super) strangers: Size,
    /// Bytes on the disk in all, about.
    pub(super) max_history: i64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            stranger: Size { messages: 200, bytes: 256 * 1024 },
            strangers: Size { messages: 20_000, bytes: 32 * 1024 * 1024 },
            max_history: MAX_HISTORY,
        }
    }
}

impl Quotas {
    /// Bytes on the disk for the user's messages and those of contacts. What strangers may take is
    /// set aside, so that contacts never lose anything to them.
    fn contacts(&self) -> i64 {
        self.max_history.saturating_sub(self.strangers.on_disk())
    }
}

/// How many messages there are at most, so that not every batch counts them. Other processes only
/// remove messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) strangers: Size,
    /// Those of the user and of contacts.
    pub(super) others: Size,
}

impl Tally {
    pub(super) fn and(self, other: Self) -> Self {
        Self { strangers: self.strangers.and(other.strangers), others: self.others.and(other.others) }
    }

    pub(super) fn fits(self, quotas: &Quotas) -> bool {
        self.strangers.fits(quotas.strangers) && self.others.on_disk() <= quotas.contacts()
    }
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

/// Bytes in memory that a message takes beside its text: its columns, its places in the indexes,
/// and what the pages leave free.
pub(super) const ROW_BYTES: i64 = 512;

/// Forgets the selected messages that are not queued. Returns how many went, and how many stay.
pub(super) fn forget(conn: &Connection, selection: &Selection) -> Result<(i64, i64)> {
    let filter = queries::selected(conn, selection)?;
    let gone = remove(conn, &format!("{filter} AND NOT coalesce({IS_QUEUED}, 0)"))?;
    let stay = count(conn, &format!("{filter} AND {IS_QUEUED}"))?;
    Ok((gone, stay))
}

/// Removes the oldest messages where there are too many: of the largest source if they are
/// strangers', otherwise of the largest conversation. Returns how many are left.
pub(super) fn keep_within(conn: &Connection, quotas: &Quotas) -> Result<Tally> {
    let strangers = trim_strangers(conn, quotas.strangers)?;
    Ok(Tally { strangers, others: trim_conversations(conn, quotas.contacts())? })
}

/// Makes room within the quota of a stranger for one message more: removes its own oldest messages
/// that were shown. Returns whether there is room.
pub(super) fn make_room_for_stranger(
    conn: &Connection,
    quotas: &Quotas,
    peer: i64,
    coming: Size,
) -> Result<bool> {
    let size = conn
        .prepare_cached("SELECT stranger_messages, stranger_bytes FROM peer WHERE peer = ?")?
        .query_row([peer], size_of_row)?;
    let wanted = size.and(coming);
    if wanted.fits(quotas.stranger) {
        return Ok(true);
    }
    let mut statement = conn.prepare_cached(
        "SELECT message, octet_length(body) FROM message \
         WHERE peer = ? AND source IS NOT NULL AND shown = 1 ORDER BY message",
    )?;
    let mut shown = statement.query([peer])?;
    let (mut gone, mut removed) = (Vec::new(), Size::default());
    while !wanted.less(removed).fits(quotas.stranger) || removed.messages < STRANGER_TRIM {
        let Some(row) = shown.next()? else { break };
        gone.push(row.get(0)?);
        removed = removed.and(Size { messages: 1, bytes: row.get(1)? });
    }
    if !wanted.less(removed).fits(quotas.stranger) {
        return Ok(false);
    }
    remove_rows(conn, &gone)?;
    Ok(true)
}

/// Removes messages of strangers if there are more than `limit`. Returns how many are left.
fn trim_strangers(conn: &Connection, limit: Size) -> Result<Size> {
    let mut left = total(conn, "source")?;
    if left.fits(limit) {
        return Ok(left);
    }
    // Some more, so that the next message finds room.
    let target = limit.less(Size { messages: limit.messages / 64, bytes: limit.bytes / 64 });
    while !left.fits(target) {
        let excess = left.messages - target.messages;
        let by = if excess > 0 { "messages" } else { "bytes" };
        let largest = conn
            .prepare_cached(&format!("SELECT source, messages FROM source ORDER BY {by} DESC LIMIT 1"))?
            .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            .optional()?;
        let Some((source, messages)) = largest else { break };
        // Only a part, because another source may be the largest then.
        let count = (messages / 4).min(if excess > 0 { excess } else { TRIM }).max(1);
        let removed = remove_oldest_of(conn, "source = ?1", source, count)?;
        if removed.messages == 0 {
            break;
        }
        left = left.less(removed);
    }
    Ok(left)
}

/// Removes messages of the user and of contacts, the oldest of the largest conversation, while
/// there are more than `limit` bytes of them. Returns how many are left.
fn trim_conversations(conn: &Connection, limit: i64) -> Result<Size> {
    let mut left = total(conn, "peer")?.less(total(conn, "source")?);
    while left.on_disk() > limit {
        let mut largest = conn.prepare_cached(&format!(
            "SELECT peer FROM peer WHERE messages > stranger_messages \
             ORDER BY (messages - stranger_messages) * {ROW_ON_DISK} \
               + (bytes - stranger_bytes) * {TEXT_COPIES} DESC"
        ))?;
        let mut peers = largest.query([])?;
        let mut removed = Size::default();
        // Queued messages stay, and so do those of strangers.
        while removed.messages == 0 {
            let Some(row) = peers.next()? else { return Ok(left) };
            let filter = "conversation = ?1 AND source IS NULL AND status IS NOT 0";
            removed = remove_oldest_of(conn, filter, row.get(0)?, TRIM)?;
        }
        left = left.less(removed);
    }
    Ok(left)
}

/// Removes at most `count` of the oldest messages that fit `filter` with the number `of`. Returns
/// their size.
fn remove_oldest_of(conn: &Connection, filter: &str, of: i64, count: i64) -> Result<Size> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT message, peer, octet_length(body) FROM message WHERE {filter} ORDER BY message LIMIT ?2"
    ))?;
    let found = statement.query_map([of, count], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let found = found.collect::<Result<Vec<(i64, i64, i64)>>>()?;
    let rows: Vec<i64> = found.iter().map(|(row, ..)| *row).collect();
    remove_rows(conn, &rows)?;
    let mut removed = Size::default();
    for (_, peer, bytes) in found {
        drop_if_empty(conn, peer)?;
        removed = removed.and(Size { messages: 1, bytes });
    }
    Ok(removed)
}

/// The messages that the rows of this table count.
fn total(conn: &Connection, table: &str) -> Result<Size> {
    conn.prepare_cached(&format!("SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM {table}"))?
        .query_row([], size_of_row)
}

fn size_of_row(row: &Row<'_>) -> Result<Size> {
    Ok(Size { messages: row.get(0)?, bytes: row.get(1)? })
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
        // Those of strangers first.
        if remove_oldest(conn, " AND m.shown = 1 AND m.source IS NOT NULL", TRIM)? == 0
            && remove_oldest(conn, " AND m.shown = 1", TRIM)? == 0
        {
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

/// Removes a few messages. Remembers the ids of those that came from contacts; a stranger could
/// push out all others with its own.
pub(super) fn remove_rows(conn: &Connection, messages: &[i64]) -> Result<()> {
    let mut known = conn.prepare_cached(
        "INSERT OR IGNORE INTO known (peer, id) SELECT peer, id FROM message \
         WHERE message = ? AND outgoing = 0 AND id IS NOT NULL AND source IS NULL",
    )?;
    let mut unindex = conn.prepare_cached(
        "INSERT INTO search (search, rowid, conversation, folded) \
         SELECT 'delete', message, conversation, folded FROM message WHERE message = ? AND folded IS NOT NULL",
    )?;
    let mut delete = conn.prepare_cached("DELETE FROM message WHERE message = ?")?;
    let mut remembered = 0;
    for message in messages {
        remembered += known.execute([message])?;
        unindex.execute([message])?;
        delete.execute([message])?;
    }
    if remembered > 0 {
        bound_known(conn)?;
    }
    Ok(())
}

/// Drops the oldest ids of removed messages if there are too many.
fn bound_known(conn: &Connection) -> Result<()> {
    conn.prepare_cached("DELETE FROM known WHERE known <= (SELECT max(known) FROM known) - ?")?
        .execute([MAX_KNOWN])
        .map(drop)
}

/// Drops a peer that has no messages left, unless it is a contact. If it is still known by ids of
/// messages, it only loses its name.
pub(super) fn drop_if_empty(conn: &Connection, peer: i64) -> Result<()> {
    let is_empty = "peer = ? AND messages = 0 AND contact = 0";
    let is_unknown = "NOT EXISTS (SELECT 1 FROM known WHERE known.peer = peer.peer)";
    let dropped = conn
        .prepare_cached(&format!("DELETE FROM peer WHERE {is_empty} AND {is_unknown}"))?
        .execute([peer])?;
    if dropped == 0 {
        conn.prepare_cached(&format!("UPDATE peer SET name = NULL WHERE {is_empty}"))?.execute([peer])?;
    }
    Ok(())
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
           WHERE m.outgoing = 0 AND m.id IS NOT NULL {filter} ORDER BY m.message;"
    ))?;
    bound_known(conn)?;
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

/// Strangers without messages that are remembered because they were seen, at most: as many as the
/// core remembers.
const MAX_SEEN: i64 = 4_000;

/// Forgets the strangers without messages that were seen longest ago, if there are more than
/// [`MAX_SEEN`].
pub(super) fn drop_old_strangers(conn: &Connection) -> Result<()> {
    // The condition of the index `peer_seen`.
    let mut old = conn.prepare_cached(
        "SELECT peer FROM peer WHERE messages = 0 AND contact = 0 AND last_seen IS NOT NULL \
         ORDER BY last_seen DESC LIMIT -1 OFFSET ?",
    )?;
    let old = old.query_map([MAX_SEEN], |row| row.get(0))?.collect::<Result<Vec<i64>>>()?;
    for peer in old {
        conn.prepare_cached("UPDATE peer SET last_seen = NULL WHERE peer = ?")?.execute([peer])?;
        drop_if_empty(conn, peer)?;
    }
    Ok(())
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
