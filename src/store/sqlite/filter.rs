//! Which messages: a selection as a condition of SQL. There are only numbers in it, so it is written out as it is.

use std::fmt::Write;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::rows::stored;
use super::spans;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::Selection;

/// What is true of a text of ours that waits; the index `message_open` has the same words.
pub(super) const IS_OPEN: &str = "(m.outgoing = 1 AND m.state <= 1)";

/// Marks the saved address of a recipient at which no peer has proven itself yet.
pub(super) const UNPROVEN_MARK: char = '?';

/// The column `addr` of a recipient: the address of a legacy peer as it is, and an unproven IPv4
/// address behind a mark. IPv6 needs no mark, because no legacy peer has IPv6.
pub(super) fn saved_addr(recipient: Recipient) -> Option<String> {
    let addr = recipient.addr()?;
    Some(match recipient {
        Recipient::Address(addr) if addr.v4().is_some() => format!("{UNPROVEN_MARK}{addr}"),
        Recipient::Peer(_) | Recipient::Address(_) => addr.to_string(),
    })
}

/// The number of a party in the file, if it has one.
pub(super) fn number_of(conn: &Connection, party: Recipient) -> Result<Option<i64>> {
    match party {
        Recipient::Peer(PeerId::Key(key)) => conn
            .prepare_cached("SELECT peer FROM peer WHERE key = ?")?
            .query_row(params![key.as_bytes()], |row| row.get(0)),
        Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => conn
            .prepare_cached("SELECT peer FROM peer WHERE addr = ?")?
            .query_row(params![saved_addr(party)], |row| row.get(0)),
    }
    .optional()
}

/// The numbers of the parties of a selection, where it names any; those that are not in the file have none.
pub(super) fn numbers(conn: &Connection, selection: &Selection) -> Result<Option<Vec<i64>>> {
    let Some(with) = &selection.with else { return Ok(None) };
    let mut numbers = Vec::with_capacity(with.len());
    for party in with {
        numbers.extend(number_of(conn, *party)?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(Some(numbers))
}

/// What else than the party is asked of a message `m`, with an ` AND ` before each part. Messages are in the order of the clock but
/// where it was set, so that time says between which numbers to look.
pub(super) fn times(conn: &Connection, selection: &Selection) -> Result<String> {
    if selection.since.is_none() && selection.until.is_none() {
        return Ok(String::new());
    }
    let (since, until) = (selection.since.map_or(0, stored), selection.until.map_or(i64::MAX, stored));
    // Where there is none of that time, nothing is between.
    let (first, last) = spans::ends(conn, since, until)?.unwrap_or((1, 0));
    Ok(format!(" AND m.time >= {since} AND m.time < {until} AND m.message BETWEEN {first} AND {last}"))
}

/// That a message `m` is from or to one of these, with an ` AND ` before it.
pub(super) fn with(numbers: &[i64]) -> String {
    if let [number] = numbers {
        return format!(" AND m.peer = {number}");
    }
    let mut sql = " AND m.peer IN (".to_owned();
    for (index, number) in numbers.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{comma}{number}");
    }
    sql + ")"
}
