//! Finding messages by their words: the index, and those messages that are not in it yet.
//!
//! A message gets into the index after it was written, when there is time, so that no receipt waits for it. What is not in it yet is
//! searched in an index in memory that lasts for one search; both take the same words for the same.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Result, TransactionBehavior, params};

use super::{clause, filter, read, rows, schema, spans};
use crate::model::stored::Entry;
use crate::store::StoreError;

/// Words that are searched at once; those behind are not looked at. More than anybody remembers of a message.
const MAX_WORDS: usize = 32;

/// Parties that the index is asked for by itself; of more, messages are looked at one by one.
const MAX_NAMED: usize = 64;

/// Messages that are searched in memory at once: a few megabytes, and some tens of milliseconds.
const CHUNK: usize = 4_096;

/// Messages that are looked at one by one before the index is asked: for a word that stands in one of twenty of them, what is shown at once is
/// there, and the index would first put together all that it has of each word with that beginning. A few milliseconds. Tests have few messages, and shall come
/// to the index.
const RECENT: usize = if cfg!(test) { 4 } else { 1_024 };

/// Messages that are put into the index in one step while nothing else is to be done: a few tens of milliseconds.
pub(super) const IDLE_ROWS: usize = 512;

/// Words to search, as an expression for the index that is made of them and of nothing else.
pub(super) struct Words(String);

impl Words {
    /// The words of a text, if there is anything in it. Each is quoted, so that none is taken for more than a word.
    pub(super) fn new(text: &str) -> Option<Self> {
        // The index would read no further than a NUL, and takes it for what separates words, too.
        let words = text.split(|c: char| c.is_whitespace() || c == '\0').filter(|word| !word.is_empty());
        let quoted: Vec<_> =
            words.take(MAX_WORDS).map(|word| format!("\"{}\"*", word.replace('"', "\"\""))).collect();
        (!quoted.is_empty()).then(|| Self(format!("body : ({})", quoted.join(" AND "))))
    }

    /// The same, only of the messages from or to these.
    fn with(&self, numbers: Option<&[i64]>) -> String {
        let Some(numbers) = numbers.filter(|numbers| numbers.len() <= MAX_NAMED) else {
            return self.0.clone();
        };
        let names: Vec<_> = numbers.iter().map(|number| format!("\"{number}\"")).collect();
        format!("({}) AND peer : ({})", self.0, names.join(" OR "))
    }
}

/// The last messages with these words that fit, the oldest first. `conn` reads as of one moment.
pub(super) fn entries(
    conn: &Connection,
    words: &Words,
    numbers: Option<&[i64]>,
    filter: &str,
    limit: usize,
) -> Result<Vec<Entry>> {
    if numbers.is_some_and(<[i64]>::is_empty) {
        return Ok(Vec::new());
    }
    let filter = numbers.map(filter::with).unwrap_or_default() + filter;
    let indexed_to = indexed_to(conn)?;
    let (mut late, mut before) = (Vec::new(), i64::MAX);
    while late.len() < limit {
        let waits = format!("{filter} AND m.message > {indexed_to} AND m.message < {before}");
        let mut chunk = read::last(conn, &waits, CHUNK)?;
        let Some(first) = chunk.first() else { break };
        before = first.row.0;
        let found = found_in(&chunk, words)?;
        chunk.retain(|entry| found.contains(&entry.row.0));
        late.splice(0..0, chunk);
    }
    let mut is_all = false;
    if late.len() < limit && limit - late.len() < RECENT {
        let recent = format!("{filter} AND m.message <= {indexed_to} AND m.message < {before}");
        let mut chunk = read::last(conn, &recent, RECENT)?;
        is_all = chunk.len() < RECENT;
        before = chunk.first().map_or(before, |first| first.row.0);
        let found = found_in(&chunk, words)?;
        chunk.retain(|entry| found.contains(&entry.row.0));
        late.splice(0..0, chunk);
    }
    late.drain(..late.len().saturating_sub(limit));
    if is_all || late.len() == limit {
        return Ok(late);
    }
    let columns = rows::ENTRY;
    let mut statement = conn.prepare(&format!(
        "SELECT {columns} FROM search CROSS JOIN message m ON m.message = search.rowid CROSS JOIN peer p ON p.peer = m.peer \
         WHERE search MATCH ? AND search.rowid <= {indexed_to} AND search.rowid < {before} {filter} ORDER BY search.rowid DESC LIMIT ?"
    ))?;
    let rest = i64::try_from(limit - late.len()).unwrap_or(i64::MAX);
    let found = statement.query_map(params![words.with(numbers), rest], rows::entry)?;
    let mut entries = found.collect::<Result<Vec<_>>>()?;
    entries.reverse();
    entries.append(&mut late);
    Ok(entries)
}

/// The rows of those entries that have all these words.
///
/// # Errors
/// Why they cannot be searched.
pub(in crate::store) fn matching(entries: &[Entry], words: &str) -> Result<HashSet<i64>, StoreError> {
    match Words::new(words) {
        Some(words) => found_in(entries, &words).map_err(|error| clause(&error)),
        None => Ok(entries.iter().map(|entry| entry.row.0).collect()),
    }
}

fn found_in(entries: &[Entry], words: &Words) -> Result<HashSet<i64>> {
    let conn = Connection::open_in_memory()?;
    let tokenizer = schema::TOKENIZER;
    conn.execute_batch(&format!(
        "PRAGMA journal_mode = OFF; BEGIN; \
         CREATE VIRTUAL TABLE search USING fts5 (body, content = '', tokenize = '{tokenizer}');"
    ))?;
    let mut insert = conn.prepare("INSERT INTO search (rowid, body) VALUES (?, ?)")?;
    for entry in entries {
        insert.execute(params![entry.row.0, entry.body])?;
    }
    let mut select = conn.prepare("SELECT rowid FROM search WHERE search MATCH ?")?;
    select.query_map([&words.0], |row| row.get(0))?.collect()
}

/// The last message that is in the index; all before it are, too.
pub(super) fn indexed_to(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = 'indexed_to'")?.query_row([], |row| row.get(0))
}

/// Sets up to where messages are in the index.
pub(super) fn set_indexed_to(conn: &Connection, message: i64) -> Result<()> {
    conn.prepare_cached("UPDATE meta SET value = ? WHERE name = 'indexed_to'")?.execute([message]).map(drop)
}

/// Puts the next messages into the index, in a transaction of its own, and tells how many wait still, or a few more.
pub(super) fn index(conn: &mut Connection, most: usize) -> Result<usize> {
    if waiting(conn)? == 0 {
        return Ok(0);
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    index_some(&tx, most)?;
    let left = waiting(&tx)?;
    tx.commit()?;
    Ok(left)
}

/// How many messages wait for the index, or a few more where some are gone.
pub(super) fn waiting(conn: &Connection) -> Result<usize> {
    let left = last(conn)?.saturating_sub(indexed_to(conn)?);
    Ok(usize::try_from(left).unwrap_or(0))
}

/// The largest number of a message, 0 where there is none.
pub(super) fn last(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("SELECT coalesce(max(message), 0) FROM message")?.query_row([], |row| row.get(0))
}

/// Puts the next messages into the index, within a transaction.
pub(super) fn index_some(conn: &Connection, most: usize) -> Result<()> {
    let from = indexed_to(conn)?;
    let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let next = "SELECT message FROM message WHERE message > ?1 ORDER BY message LIMIT ?2";
    let to: Option<i64> = conn
        .prepare_cached(&format!("SELECT max(message) FROM ({next})"))?
        .query_row(params![from, most], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(to) = to else { return Ok(()) };
    conn.prepare_cached(
        "INSERT INTO search (rowid, peer, body) SELECT message, peer, body FROM message \
         WHERE message > ?1 AND message <= ?2 ORDER BY message",
    )?
    .execute(params![from, to])?;
    spans::add(conn, from.saturating_add(1), to)?;
    set_indexed_to(conn, to)
}
