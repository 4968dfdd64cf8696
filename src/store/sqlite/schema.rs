//! What the file looks like (docs/HISTORY.md), and how a file of an earlier version of the program is brought up to date.

use rusqlite::{Connection, Result, TransactionBehavior};

/// The mark in the header of each file of ours (`PRAGMA application_id`): "p2pc".
pub(super) const APPLICATION: i64 = 0x7032_7063;

/// The format that this program reads and writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// How words are told apart, in the file and in memory alike: as Unicode has them, whatever their case and their marks.
pub(super) const TOKENIZER: &str = "unicode61 remove_diacritics 2";

/// What each version adds to the one before it. A step is never changed once it has been released; what is new is another step.
pub(super) const STEPS: &[&str] = &[MESSAGES, SEARCH];

/// Version 1: the messages.
const MESSAGES: &str = "
PRAGMA application_id = 0x70327063;
CREATE TABLE peer (
    peer INTEGER PRIMARY KEY,
    key BLOB UNIQUE CHECK (length(key) = 32),
    addr TEXT,
    name TEXT,
    CHECK ((key IS NULL) <> (addr IS NULL))
) STRICT;
CREATE UNIQUE INDEX peer_addr ON peer (addr) WHERE addr IS NOT NULL;
CREATE TABLE message (
    message INTEGER PRIMARY KEY,
    peer INTEGER NOT NULL REFERENCES peer,
    outgoing INTEGER NOT NULL,
    state INTEGER NOT NULL,
    again INTEGER NOT NULL DEFAULT 0,
    id BLOB CHECK (length(id) = 16),
    name TEXT,
    time INTEGER NOT NULL,
    sent INTEGER,
    expires INTEGER NOT NULL DEFAULT 0,
    assurance INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_id ON message (peer, id, outgoing) WHERE id IS NOT NULL;
CREATE INDEX message_peer ON message (peer);
CREATE INDEX message_open ON message (message) WHERE outgoing = 1 AND state <= 1;
CREATE INDEX message_unshown ON message (message) WHERE outgoing = 0 AND state = 0;
CREATE INDEX message_plain ON message (message) WHERE assurance IN (0, 3);
CREATE TABLE known (
    known INTEGER PRIMARY KEY,
    peer INTEGER NOT NULL REFERENCES peer,
    id BLOB NOT NULL CHECK (length(id) = 16),
    UNIQUE (peer, id)
) STRICT;
";

/// Version 2: the words of the messages, when they are from, and up to where each peer's have been read. What was there before has been read.
const SEARCH: &str = "
ALTER TABLE peer ADD COLUMN read_to INTEGER NOT NULL DEFAULT 0;
UPDATE peer SET read_to = coalesce((SELECT max(message) FROM message WHERE message.peer = peer.peer), 0);
CREATE VIRTUAL TABLE search USING fts5 (
    peer, body, content = 'message', content_rowid = 'message', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE TABLE span (span INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('indexed_to', 0);
";

/// The version of an open file; 0 where nothing is in it.
pub(super) fn version(conn: &Connection) -> Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Takes the steps that the file lacks, each of them whole or not at all.
pub(super) fn bring_up(conn: &mut Connection, steps: &[&str]) -> Result<()> {
    for (step, next) in steps.iter().zip(1i64..) {
        if version(conn)? >= next {
            continue;
        }
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have taken it in the meantime.
        if version(&tx)? < next {
            tx.execute_batch(step)?;
            tx.pragma_update(None, "user_version", next)?;
        }
        tx.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_name_the_mark_and_the_tokenizer_that_the_code_names() {
        assert!(SEARCH.contains(TOKENIZER));
        assert!(MESSAGES.contains(&format!("{APPLICATION:#x}")));
    }
}
