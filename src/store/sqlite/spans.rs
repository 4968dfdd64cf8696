//! When messages are from, of a span of numbers at a time: what is between two times is found by that, and no commit has to write it.
//!
//! A message gets there when it gets into the index of words. Until then it is looked at by itself.

use rusqlite::{Connection, Result, Row};

use super::search;

/// Bits of the numbers of one span, which is 1,024 messages: those before and after what is looked for cost less than a millisecond, and
/// there are 4,000 spans at most.
const BITS: u32 = 10;

/// Adds the messages with these numbers.
pub(super) fn add(conn: &Connection, first: i64, last: i64) -> Result<()> {
    conn.prepare_cached(&format!(
        "INSERT INTO span SELECT message >> {BITS}, min(time), max(time) FROM message \
         WHERE message BETWEEN ? AND ? GROUP BY message >> {BITS} \
         ON CONFLICT (span) DO UPDATE SET oldest = min(oldest, excluded.oldest), newest = max(newest, excluded.newest)"
    ))?
    .execute([first, last])
    .map(drop)
}

/// The spans that the messages `m` that fit are in.
pub(super) fn of(conn: &Connection, filter: &str) -> Result<Vec<i64>> {
    let sql = format!("SELECT DISTINCT m.message >> {BITS} FROM message m WHERE 1 {filter}");
    conn.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Leaves nothing in these spans of what is not there any more.
pub(super) fn renew(conn: &Connection, spans: &[i64]) -> Result<()> {
    let indexed_to = search::indexed_to(conn)?;
    for span in spans {
        conn.prepare_cached("DELETE FROM span WHERE span = ?")?.execute([span])?;
        let first = span << BITS;
        add(conn, first, indexed_to.min(first + (1 << BITS) - 1))?;
    }
    Ok(())
}

/// Numbers between which all messages are that are not older than `since` and older than `until`; none where there is no such message.
pub(super) fn ends(conn: &Connection, since: i64, until: i64) -> Result<Option<(i64, i64)>> {
    let spans: Option<(i64, i64)> = conn
        .prepare_cached(&format!(
            "SELECT min(span) << {BITS}, ((max(span) + 1) << {BITS}) - 1 FROM span WHERE newest >= ? AND oldest < ?"
        ))?
        .query_row([since, until], pair)?;
    let late: Option<(i64, i64)> = conn
        .prepare_cached(
            "SELECT min(message), max(message) FROM message WHERE time >= ? AND time < ? AND message > ?",
        )?
        .query_row([since, until, search::indexed_to(conn)?], pair)?;
    Ok(match (spans, late) {
        (Some(spans), Some(late)) => Some((spans.0.min(late.0), spans.1.max(late.1))),
        (spans, late) => spans.or(late),
    })
}

fn pair(row: &Row<'_>) -> Result<Option<(i64, i64)>> {
    Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?))
}
