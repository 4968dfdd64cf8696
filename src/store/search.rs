//! Finds messages by their words, through the full-text index of the folded texts.

use rusqlite::{Connection, Result, Row, params};

use super::fold::{folded, is_single};
use super::{queries, rows};
use crate::model::stored::StoredMessage;

/// Words of one search, at most. Later ones are ignored.
const MAX_WORDS: usize = 32;

/// Conversations that the index is asked for at once. Of more, messages are looked at one by one.
const MAX_NAMED: usize = 64;

/// Newest messages that a search of a file looks through itself, which takes a few milliseconds.
/// The index would first collect every occurrence of every word with a common beginning; the newest
/// of those are here. Tests have few messages and should reach the index.
pub(super) const SCANNED: usize = if cfg!(test) { 4 } else { 1_024 };

/// The words of a search, folded like the messages. Each begins with a space, and ends with one if
/// it has to match to its end; otherwise it matches the beginning of a word.
pub(super) struct Terms(Vec<String>);

impl Terms {
    /// Returns the terms of a text; `None` if the text is blank. A text without a letter, a digit
    /// or a symbol has no terms, and nothing matches it.
    pub(super) fn of(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        let words = text.split_whitespace().map(folded).filter(|word| !word.is_empty());
        let term = |word: String| {
            let end = if word.ends_with(is_single) { " " } else { "" };
            format!(" {word}{end}")
        };
        Some(Self(words.take(MAX_WORDS).map(term).collect()))
    }

    /// Returns whether a folded text has all of them. `space` is reused between calls.
    fn are_in(&self, folded: &str, space: &mut String) -> bool {
        space.clear();
        space.extend([" ", folded, " "]);
        self.0.iter().all(|term| space.contains(term.as_str()))
    }

    /// The same as an expression of FTS5. No folded word contains a quote.
    fn expression(&self, conversations: Option<&[i64]>) -> String {
        let phrase = |term: &String| match term.strip_suffix(' ') {
            Some(whole) => format!("\"{}\"", whole.trim_start()),
            None => format!("\"{}\" *", term.trim_start()),
        };
        let phrases: Vec<_> = self.0.iter().map(phrase).collect();
        let words = format!("folded : ({})", phrases.join(" AND "));
        let Some(numbers) = conversations.filter(|numbers| numbers.len() <= MAX_NAMED) else {
            return words;
        };
        let numbers: Vec<_> = numbers.iter().map(|number| format!("\"{number}\"")).collect();
        format!("({words}) AND conversation : ({})", numbers.join(" OR "))
    }
}

/// Returns the newest messages with these terms that fit, oldest first. The newest `scanned` are
/// looked through, older ones are found by the index. `conn` reads as of one moment.
pub(super) fn messages(
    conn: &Connection,
    terms: &Terms,
    conversations: Option<&[i64]>,
    filter: &str,
    limit: usize,
    scanned: usize,
) -> Result<Vec<StoredMessage>> {
    if terms.0.is_empty() || conversations.is_some_and(<[i64]>::is_empty) {
        return Ok(Vec::new());
    }
    let filter = conversations.map(queries::among).unwrap_or_default() + filter;
    let (mut entries, oldest) = scan(conn, terms, &filter, limit, scanned)?;
    if let Some(oldest) = oldest.filter(|_| entries.len() < limit) {
        let columns = rows::MESSAGE;
        let mut statement = conn.prepare(&format!(
            "SELECT {columns} FROM search CROSS JOIN message m ON m.message = search.rowid \
             CROSS JOIN peer p ON p.peer = m.peer \
             WHERE search MATCH ? AND search.rowid < ? {filter} ORDER BY search.rowid DESC LIMIT ?"
        ))?;
        let rest = i64::try_from(limit - entries.len()).unwrap_or(i64::MAX);
        let found =
            statement.query_map(params![terms.expression(conversations), oldest, rest], rows::message)?;
        for entry in found {
            entries.push(entry?);
        }
    }
    entries.reverse();
    Ok(entries)
}

/// Looks through the newest messages that fit. Returns those with the terms, newest first, and the
/// oldest one that was looked at if there may be older ones.
fn scan(
    conn: &Connection,
    terms: &Terms,
    filter: &str,
    limit: usize,
    scanned: usize,
) -> Result<(Vec<StoredMessage>, Option<i64>)> {
    let columns = rows::MESSAGE;
    let mut statement = conn.prepare(&format!(
        "SELECT {columns}, m.folded FROM message m CROSS JOIN peer p ON p.peer = m.peer \
         WHERE 1 {filter} ORDER BY m.message DESC LIMIT ?"
    ))?;
    let mut found = statement.query([i64::try_from(scanned).unwrap_or(i64::MAX)])?;
    let (mut entries, mut count, mut oldest, mut space) = (Vec::new(), 0, None, String::new());
    while entries.len() < limit {
        let Some(row) = found.next()? else { break };
        count += 1;
        oldest = Some(row.get(2)?);
        if has(row, terms, &mut space)? {
            entries.push(rows::message(row)?);
        }
    }
    Ok((entries, oldest.filter(|_| count == scanned)))
}

/// Returns whether a message has the terms. Its folded copy follows the columns of
/// [`rows::MESSAGE`]; in memory there is none.
fn has(row: &Row<'_>, terms: &Terms, space: &mut String) -> Result<bool> {
    Ok(match row.get_ref(rows::MESSAGE_COLUMNS)?.as_str_or_null()? {
        Some(text) => terms.are_in(text, space),
        None => terms.are_in(&folded(&rows::message(row)?.body), space),
    })
}
