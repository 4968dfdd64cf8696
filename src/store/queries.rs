//! Reads from the file.
//!
//! A filter is SQL about a message `m`, with an ` AND ` before each condition. It contains only
//! numbers, so it is built as text.

use std::fmt::Write;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::rows::{self, stored_time};
use super::search::{self, Terms};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::{Query, QueuedMessage, SeenPeer, Selection, StoredMessage};

/// A queued message. The index `message_queued` has the same condition.
pub(super) const IS_QUEUED: &str = "m.status = 0";

/// Returns the messages that a query asks for, oldest first, as of one moment. `scanned` is how
/// many of the newest messages a search looks through before it asks the full-text index.
pub(super) fn messages(conn: &mut Connection, query: &Query, scanned: usize) -> Result<Vec<StoredMessage>> {
    let tx = conn.transaction()?;
    let conversations = conversations(&tx, &query.which)?;
    let mut filter = within(&tx, &query.which)?;
    if let Some(before) = query.before {
        filter += &format!(" AND m.message < {}", before.0);
    }
    if let Some(terms) = query.words.as_deref().and_then(Terms::of) {
        return search::messages(&tx, &terms, conversations.as_deref(), &filter, query.limit, scanned);
    }
    let Some(conversations) = conversations else { return newest(&tx, &filter, query.limit) };
    // One by one, because each has its own messages in order in the index.
    let mut entries = Vec::new();
    for conversation in conversations {
        entries.extend(newest(&tx, &(among(&[conversation]) + &filter), query.limit)?);
    }
    entries.sort_unstable_by_key(|entry: &StoredMessage| entry.row);
    entries.drain(..entries.len().saturating_sub(query.limit));
    Ok(entries)
}

/// Messages of a time that are looked up for each page, which takes less than a millisecond. If
/// there are more, the pages walk through the table.
const LOOKED_UP: i64 = if cfg!(test) { 16 } else { 2_000 };

/// The first and the last message of a time, and how many it has, but no more than a limit.
pub(super) const ENDS: &str = "SELECT coalesce(min(message), 1), coalesce(max(message), 0), count(*) \
     FROM (SELECT message FROM message INDEXED BY message_time WHERE time >= ? AND time < ? LIMIT ?)";

/// Returns the filter for the times of a selection, for messages that are read in their order.
///
/// Messages stand in the order in which they were written, whatever the clock said, so the index of
/// times has to tell where those of a time begin and end.
pub(super) fn within(conn: &Connection, which: &Selection) -> Result<String> {
    let Some((since, until)) = times(which) else { return Ok(String::new()) };
    // The sign keeps SQLite from walking the index of times, which is in another order.
    let within = format!(" AND +m.time >= {since} AND +m.time < {until}");
    let (first, last, found): (i64, i64, i64) = conn
        .prepare_cached(ENDS)?
        .query_row([since, until, LOOKED_UP], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let is_all = found < LOOKED_UP;
    Ok(if is_all { format!(" AND m.message BETWEEN {first} AND {last}{within}") } else { within })
}

/// The times between which a selection is.
fn times(which: &Selection) -> Option<(i64, i64)> {
    (which.since.is_some() || which.until.is_some())
        .then(|| (which.since.map_or(0, stored_time), which.until.map_or(i64::MAX, stored_time)))
}

/// The whole selection as a filter, for messages in any order.
pub(super) fn selected(conn: &Connection, which: &Selection) -> Result<String> {
    let mut filter = conversations(conn, which)?.map(|numbers| among(&numbers)).unwrap_or_default();
    if let Some((since, until)) = times(which) {
        filter += &format!(" AND m.time >= {since} AND m.time < {until}");
    }
    Ok(filter)
}

/// Returns the newest messages `m` that fit, oldest first.
pub(super) fn newest(conn: &Connection, filter: &str, limit: usize) -> Result<Vec<StoredMessage>> {
    let columns = rows::MESSAGE;
    let mut statement = conn.prepare(&format!(
        "SELECT {columns} FROM message m CROSS JOIN peer p ON p.peer = m.peer \
         WHERE 1 {filter} ORDER BY m.message DESC LIMIT ?"
    ))?;
    let found = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], rows::message)?;
    let mut entries = found.collect::<Result<Vec<_>>>()?;
    entries.reverse();
    Ok(entries)
}

/// Returns every peer with messages under its last name, the one with the newest message first.
pub(super) fn peers(conn: &Connection) -> Result<Vec<(Recipient, Option<PeerName>)>> {
    let mut statement = conn.prepare(
        "SELECT p.key, p.addr, p.name, \
           (SELECT max(m.message) FROM message m WHERE m.conversation = p.peer) AS newest \
         FROM peer p WHERE p.messages > 0 ORDER BY newest DESC",
    )?;
    statement.query_map([], |row| Ok((rows::recipient(row)?, rows::name(row, 2)?)))?.collect()
}

/// Peers that were seen, read at most: more contacts than the core keeps, and then strangers.
const MAX_SEEN: i64 = 20_000;

/// Returns the peers that were seen, the last one first.
pub(super) fn seen(conn: &Connection) -> Result<Vec<SeenPeer>> {
    let mut statement = conn.prepare(
        "SELECT p.key, p.addr, p.name, p.last_seen, \
           (SELECT group_concat(a.addr, ' ' ORDER BY a.last_seen DESC) FROM address a WHERE a.peer = p.peer) \
         FROM peer p WHERE p.last_seen IS NOT NULL ORDER BY p.contact DESC, p.last_seen DESC LIMIT ?",
    )?;
    let found = statement.query_map([MAX_SEEN], |row| {
        let addrs: Option<String> = row.get(4)?;
        let addrs = addrs.iter().flat_map(|addrs| addrs.split(' ')).filter_map(|addr| addr.parse().ok());
        let (recipient, name) = (rows::recipient(row)?, rows::name(row, 2)?);
        let last_seen = u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0);
        Ok(match recipient {
            Recipient::Peer(id) => Some(SeenPeer { id, name, last_seen, addrs: addrs.collect() }),
            Recipient::Address(_) => None,
        })
    })?;
    let mut found = found.filter_map(Result::transpose).collect::<Result<Vec<_>>>()?;
    found.sort_by_key(|seen| std::cmp::Reverse(seen.last_seen));
    Ok(found)
}

/// Returns the queued messages in the order in which they were typed.
pub(super) fn queued(conn: &Connection) -> Result<Vec<QueuedMessage>> {
    let columns = rows::QUEUED;
    let mut statement = conn.prepare(&format!(
        "SELECT {columns} FROM message m CROSS JOIN peer p ON p.peer = m.peer \
         WHERE {IS_QUEUED} ORDER BY m.message"
    ))?;
    statement.query_map([], rows::queued)?.collect()
}

/// Returns the number of a peer or an address, if the file has it.
pub(super) fn number_of(conn: &Connection, of: Recipient) -> Result<Option<i64>> {
    match of {
        Recipient::Peer(PeerId::Key(key)) => conn
            .prepare_cached("SELECT peer FROM peer WHERE key = ?")?
            .query_row(params![key.as_bytes()], |row| row.get(0)),
        Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => conn
            .prepare_cached("SELECT peer FROM peer WHERE addr = ?")?
            .query_row(params![rows::saved_addr(of)], |row| row.get(0)),
    }
    .optional()
}

/// The conversations that a selection names, as far as the file has them.
fn conversations(conn: &Connection, which: &Selection) -> Result<Option<Vec<i64>>> {
    let Some(with) = &which.with else { return Ok(None) };
    let mut numbers = Vec::with_capacity(with.len());
    for peer in with {
        numbers.extend(number_of(conn, *peer)?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(Some(numbers))
}

/// The filter for messages of these conversations.
pub(super) fn among(conversations: &[i64]) -> String {
    if let [one] = conversations {
        return format!(" AND m.conversation = {one}");
    }
    let mut sql = " AND m.conversation IN (".to_owned();
    for (index, number) in conversations.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{comma}{number}");
    }
    sql + ")"
}
