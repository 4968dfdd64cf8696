//! What the file is asked.

use rusqlite::{Connection, Result};

use super::{filter, rows, search};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::stored::{Entry, Open, Query};

/// The messages that a query asks for, the oldest first, all as of one moment.
pub(super) fn entries(conn: &mut Connection, query: &Query) -> Result<Vec<Entry>> {
    let tx = conn.transaction()?;
    let numbers = filter::numbers(&tx, &query.which)?;
    let mut filter = filter::times(&tx, &query.which)?;
    if let Some(before) = query.before {
        filter += &format!(" AND m.message < {}", before.0);
    }
    if let Some(words) = query.words.as_deref().and_then(search::Words::new) {
        return search::entries(&tx, &words, numbers.as_deref(), &filter, query.limit);
    }
    let Some(numbers) = numbers else { return last(&tx, &filter, query.limit) };
    // For each of them by itself, for each has an index of its own messages in order.
    let mut entries = Vec::new();
    for number in numbers {
        entries.extend(last(&tx, &(filter::with(&[number]) + &filter), query.limit)?);
    }
    entries.sort_unstable_by_key(|entry: &Entry| entry.row);
    entries.drain(..entries.len().saturating_sub(query.limit));
    Ok(entries)
}

/// The last messages `m` that fit, the oldest first.
pub(super) fn last(conn: &Connection, filter: &str, limit: usize) -> Result<Vec<Entry>> {
    let columns = rows::ENTRY;
    let mut statement = conn.prepare(&format!(
        "SELECT {columns} FROM message m CROSS JOIN peer p ON p.peer = m.peer \
         WHERE 1 {filter} ORDER BY m.message DESC LIMIT ?"
    ))?;
    let found = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], rows::entry)?;
    let mut entries = found.collect::<Result<Vec<_>>>()?;
    entries.reverse();
    Ok(entries)
}

/// Everybody of whom there are messages, by the last of them.
pub(super) fn parties(conn: &Connection) -> Result<Vec<(Recipient, Option<PeerName>)>> {
    let mut statement = conn.prepare(
        "SELECT p.key, p.addr, p.name, (SELECT max(m.message) FROM message m WHERE m.peer = p.peer) AS last \
         FROM peer p WHERE last IS NOT NULL ORDER BY last DESC",
    )?;
    statement.query_map([], |row| Ok((rows::party(row)?, rows::name(row, 2)?)))?.collect()
}

/// The keys that the user wrote messages to.
pub(super) fn written_to(conn: &Connection) -> Result<Vec<PublicKey>> {
    // Each message to a key has an id. This condition lets the index `message_id` answer.
    let mut statement = conn.prepare(
        "SELECT p.key FROM peer p WHERE p.key IS NOT NULL AND EXISTS ( \
           SELECT 1 FROM message m WHERE m.peer = p.peer AND m.id IS NOT NULL AND m.outgoing = 1 \
         ) ORDER BY p.key",
    )?;
    statement.query_map([], |row| Ok(PublicKey::new(row.get(0)?)))?.collect()
}

/// The texts of ours that wait.
pub(super) fn open(conn: &Connection) -> Result<Vec<Open>> {
    let (columns, is_open) = (rows::OPEN, filter::IS_OPEN);
    let mut statement = conn.prepare(&format!(
        "SELECT {columns} FROM message m CROSS JOIN peer p ON p.peer = m.peer WHERE {is_open} ORDER BY m.message"
    ))?;
    statement.query_map([], rows::open)?.collect()
}

/// The last of the messages that came and were not shown.
pub(super) fn unshown(conn: &Connection, limit: usize) -> Result<Vec<Entry>> {
    // The words of the index `message_unshown`.
    last(conn, " AND m.outgoing = 0 AND m.state = 0", limit)
}
