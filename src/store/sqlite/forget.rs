//! Messages that go: those that the user has forgotten, and the oldest where there are too many.
//!
//! What goes is overwritten (`secure_delete`), also in the index of words, and then in the log. A copy that the disk, the file system or
//! a backup has made is out of reach.

use std::time::Duration;

use rusqlite::{Connection, Result};

use super::filter::{self, IS_OPEN};
use super::write::{Bounds, Tally};
use super::{search, spans};
use crate::model::stored::Selection;

/// Ids of messages that came and are gone, by which they are known when they come again: 4 MB. Nobody sends again what is older than
/// this many messages.
pub(in crate::store) const MAX_KNOWN: usize = 100_000;

/// Messages that go at once, beyond those that have to, so that not each new one has to look for an old one.
const TRIM: i64 = 256;

/// Messages above which the index is made anew rather than each taken out of it, where a message takes longer than to be put in. The same
/// where most of them go, which leaves little to be put in.
const MAX_TAKEN_OUT: i64 = 20_000;

/// What is true of a message that came or went in plain; the index `message_plain` has the same words.
const IS_PLAIN: &str = " AND m.assurance IN (0, 3)";

/// How long it is waited for those who read the log; they read for a few milliseconds.
const LOG_BUSY: Duration = Duration::from_millis(100);

/// Of the pages of the file, one in so many may be free: they are filled again by what comes.
const FREE_SHARE: i64 = 4;

/// Pages that are given back at once: a megabyte, some milliseconds.
const SHRINK_PAGES: i64 = 256;

/// Forgets what is selected but what waits; tells how many are gone, and how many stay because they wait.
pub(super) fn forget(conn: &Connection, selection: &Selection) -> Result<(u64, u64)> {
    let mut filter = filter::times(conn, selection)?;
    if let Some(numbers) = filter::numbers(conn, selection)? {
        filter += &filter::with(&numbers);
    }
    let gone = remove(conn, &format!("{filter} AND NOT {IS_OPEN}"))?;
    let stay = number(conn, &format!("{filter} AND {IS_OPEN}"))?;
    Ok((gone, u64::try_from(stay).unwrap_or(0)))
}

/// Takes the oldest out where there are too many.
pub(super) fn keep_within(
    conn: &Connection,
    bounds: &Bounds,
    tally: &mut Tally,
    (messages, plain): (i64, i64),
) -> Result<()> {
    if plain > 0 {
        let at_most = match tally.plain {
            Some(before) => before.saturating_add(plain),
            None => number(conn, IS_PLAIN)?,
        };
        tally.plain =
            Some(if at_most > bounds.plain { trim(conn, bounds.plain, IS_PLAIN)? } else { at_most });
    }
    let first: i64 = conn
        .prepare_cached("SELECT coalesce(min(message), 0) FROM message")?
        .query_row([], |row| row.get(0))?;
    // So many numbers are no more messages than that; they are counted only where that does not answer it.
    if search::last(conn)?.saturating_sub(first) < bounds.messages {
        tally.messages = None;
        return Ok(());
    }
    let at_most = tally.messages.map(|before| before.saturating_add(messages));
    tally.messages = match at_most {
        Some(at_most) if at_most <= bounds.messages => Some(at_most),
        _ => Some(trim(conn, bounds.messages, "")?),
    };
    Ok(())
}

/// Takes out the oldest of the messages `m` that fit, where there are more than `bound`, and tells how many there are then.
fn trim(conn: &Connection, bound: i64, filter: &str) -> Result<i64> {
    let many = number(conn, filter)?;
    if many <= bound {
        return Ok(many);
    }
    let go = many - bound + TRIM.min(bound / FREE_SHARE);
    let oldest = format!(
        " AND m.message IN (SELECT m.message FROM message m WHERE NOT {IS_OPEN} {filter} ORDER BY m.message LIMIT {go})"
    );
    let gone = remove(conn, &oldest)?;
    Ok(many.saturating_sub_unsigned(gone))
}

/// Takes out the messages `m` that fit, keeps the ids of those that came, lets go of those of whom nothing is left, and tells how many
/// messages they were.
pub(super) fn remove(conn: &Connection, filter: &str) -> Result<u64> {
    let many = number(conn, filter)?;
    conn.execute(
        &format!(
            "INSERT OR IGNORE INTO known (peer, id) SELECT m.peer, m.id FROM message m \
             WHERE m.outgoing = 0 AND m.id IS NOT NULL {filter} ORDER BY m.message"
        ),
        [],
    )?;
    conn.execute_batch(&format!(
        "DELETE FROM known WHERE known <= (SELECT max(known) FROM known) - {MAX_KNOWN}"
    ))?;
    if many > MAX_TAKEN_OUT || are_fewer(conn, many * 2)? {
        conn.execute_batch("INSERT INTO search (search) VALUES ('delete-all')")?;
        search::set_indexed_to(conn, 0)?;
    } else {
        let indexed_to = search::indexed_to(conn)?;
        conn.execute_batch(&format!(
            "INSERT INTO search (search, rowid, peer, body) SELECT 'delete', m.message, m.peer, m.body FROM message m \
             WHERE m.message <= {indexed_to} {filter}"
        ))?;
    }
    let mut select = conn.prepare(&format!("SELECT DISTINCT m.peer FROM message m WHERE 1 {filter}"))?;
    let peers = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<_>>>()?;
    let (newest, in_spans) = (search::last(conn)?, spans::of(conn, filter)?);
    conn.execute_batch(&format!("DELETE FROM message AS m WHERE 1 {filter}"))?;
    let last = search::last(conn)?;
    if last < newest {
        // A later run gives the numbers after it again, to messages that are new and not in the index.
        conn.execute("UPDATE peer SET read_to = ?1 WHERE read_to > ?1", [last])?;
        search::set_indexed_to(conn, search::indexed_to(conn)?.min(last))?;
    }
    spans::renew(conn, &in_spans)?;
    peers.into_iter().try_for_each(|peer| let_go(conn, peer))?;
    Ok(u64::try_from(many).unwrap_or(0))
}

/// Lets go of somebody of whom there is no message: who is known by what came from them stays, as a key without a name.
pub(super) fn let_go(conn: &Connection, peer: i64) -> Result<()> {
    if conn.prepare_cached("SELECT 1 FROM message WHERE peer = ?")?.exists([peer])? {
        return Ok(());
    }
    let known = conn.prepare_cached("SELECT 1 FROM known WHERE peer = ?")?.exists([peer])?;
    let sql =
        if known { "UPDATE peer SET name = NULL WHERE peer = ?" } else { "DELETE FROM peer WHERE peer = ?" };
    conn.prepare_cached(sql)?.execute([peer]).map(drop)
}

fn number(conn: &Connection, filter: &str) -> Result<i64> {
    conn.query_row(&format!("SELECT count(*) FROM message m WHERE 1 {filter}"), [], |row| row.get(0))
}

/// Whether there are fewer messages than that; no more of them are looked at.
fn are_fewer(conn: &Connection, many: i64) -> Result<bool> {
    let sql = "SELECT count(*) < ?1 FROM (SELECT 1 FROM message LIMIT ?1)";
    conn.prepare_cached(sql)?.query_row([many], |row| row.get(0))
}

/// Takes the log over into the file and empties it; false where somebody reads it. `busy` is how long a writer waits otherwise.
pub(super) fn clear_log(conn: &Connection, busy: Duration) -> Result<bool> {
    conn.busy_timeout(LOG_BUSY)?;
    let held = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    conn.busy_timeout(busy)?;
    held.map(|held| !held)
}

/// Gives some free pages back to the disk where there are too many, and tells whether there are still; none if there were not.
pub(super) fn shrink(conn: &Connection) -> Result<Option<bool>> {
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let too_many =
        || Ok::<_, rusqlite::Error>(pragma("freelist_count")? > pragma("page_count")? / FREE_SHARE);
    if !too_many()? {
        return Ok(None);
    }
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({SHRINK_PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(Some(too_many()?))
}
