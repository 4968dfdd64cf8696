//! The tables, which docs/HISTORY.md describes, and the migrations between versions of the format.

use rusqlite::{Connection, Result, TransactionBehavior};

/// The id that marks a file as ours (`PRAGMA application_id`): "p2pc".
pub(super) const APPLICATION: i64 = 0x7032_7063;

/// The version that the first of the [`STEPS`] creates.
pub(super) const FIRST: i64 = 3;

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = FIRST + STEPS.len() as i64 - 1;

/// One step for each version. A released step never changes: a new version adds a step.
pub(super) const STEPS: &[&str] = &[VERSION_3, VERSION_4, VERSION_5];

/// Rows are numbered with AUTOINCREMENT, so a number never stands for another message later.
///
/// FTS5 splits `folded` only at spaces, because it takes every other character as a letter.
const VERSION_3: &str = "
PRAGMA application_id = 0x70327063;
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE peer (
    peer INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB UNIQUE CHECK (length(key) = 32),
    addr TEXT UNIQUE,
    name TEXT,
    contact INTEGER NOT NULL DEFAULT 0 CHECK (contact IN (0, 1)),
    last_seen INTEGER,
    source TEXT,
    read_to INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    CHECK ((key IS NULL) <> (addr IS NULL))
) STRICT;
CREATE TABLE address (
    peer INTEGER NOT NULL REFERENCES peer ON DELETE CASCADE,
    addr TEXT NOT NULL,
    last_seen INTEGER,
    PRIMARY KEY (peer, addr)
) STRICT, WITHOUT ROWID;
CREATE TABLE message (
    message INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    outgoing INTEGER NOT NULL CHECK (outgoing IN (0, 1)),
    status INTEGER,
    reason INTEGER,
    attempted INTEGER NOT NULL DEFAULT 0 CHECK (attempted IN (0, 1)),
    shown INTEGER NOT NULL CHECK (shown IN (0, 1)),
    id BLOB CHECK (length(id) = 16),
    name TEXT,
    time INTEGER NOT NULL,
    sent INTEGER,
    expires INTEGER NOT NULL DEFAULT 0,
    assurance INTEGER NOT NULL,
    body TEXT NOT NULL,
    folded TEXT,
    CHECK ((status IS NOT NULL) = outgoing),
    CHECK ((reason IS NOT NULL) = (status IS 3))
) STRICT;
CREATE UNIQUE INDEX message_id ON message (peer, id, outgoing) WHERE id IS NOT NULL;
CREATE INDEX message_conversation ON message (conversation);
CREATE INDEX message_time ON message (time);
CREATE INDEX message_queued ON message (message) WHERE status = 0;
CREATE INDEX message_unshown ON message (message) WHERE shown = 0;
CREATE INDEX message_plain ON message (message) WHERE assurance IN (0, 3);
CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
    UPDATE peer SET messages = messages + 1, bytes = bytes + octet_length(new.body) WHERE peer = new.peer;
END;
CREATE TRIGGER message_deleted AFTER DELETE ON message BEGIN
    UPDATE peer SET messages = messages - 1, bytes = bytes - octet_length(old.body) WHERE peer = old.peer;
END;
CREATE TRIGGER message_moved AFTER UPDATE OF peer ON message BEGIN
    UPDATE peer SET messages = messages - 1, bytes = bytes - octet_length(old.body) WHERE peer = old.peer;
    UPDATE peer SET messages = messages + 1, bytes = bytes + octet_length(new.body) WHERE peer = new.peer;
END;
CREATE TABLE known (
    known INTEGER PRIMARY KEY AUTOINCREMENT,
    peer INTEGER NOT NULL REFERENCES peer,
    id BLOB NOT NULL CHECK (length(id) = 16),
    UNIQUE (peer, id)
) STRICT;
CREATE VIRTUAL TABLE search USING fts5 (
    conversation, folded, content = 'message', content_rowid = 'message', columnsize = 0,
    tokenize = 'ascii tokenchars ''$+<=>^`|~'''
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
";

/// Counts the messages of strangers by source. Messages that were stored before this version have
/// no source, and count as messages of contacts.
///
/// The column `source` of a message has no foreign key, because a trigger deletes the row of a
/// source with its last message.
const VERSION_4: &str = "
ALTER TABLE peer DROP COLUMN source;
ALTER TABLE peer ADD COLUMN stranger_messages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE peer ADD COLUMN stranger_bytes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX peer_seen ON peer (last_seen)
  WHERE messages = 0 AND contact = 0 AND last_seen IS NOT NULL;
CREATE TABLE source (
    source INTEGER PRIMARY KEY,
    prefix TEXT NOT NULL UNIQUE,
    messages INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX source_messages ON source (messages);
CREATE INDEX source_bytes ON source (bytes);
ALTER TABLE message ADD COLUMN source INTEGER;
DROP INDEX message_plain;
CREATE INDEX message_source ON message (source) WHERE source IS NOT NULL;
CREATE INDEX message_stranger ON message (peer) WHERE source IS NOT NULL;
CREATE TRIGGER stranger_added AFTER INSERT ON message WHEN new.source IS NOT NULL BEGIN
    UPDATE source SET messages = messages + 1, bytes = bytes + octet_length(new.body)
      WHERE source = new.source;
    UPDATE peer SET stranger_messages = stranger_messages + 1,
      stranger_bytes = stranger_bytes + octet_length(new.body) WHERE peer = new.peer;
END;
CREATE TRIGGER stranger_deleted AFTER DELETE ON message WHEN old.source IS NOT NULL BEGIN
    UPDATE source SET messages = messages - 1, bytes = bytes - octet_length(old.body)
      WHERE source = old.source;
    DELETE FROM source WHERE source = old.source AND messages = 0;
    UPDATE peer SET stranger_messages = stranger_messages - 1,
      stranger_bytes = stranger_bytes - octet_length(old.body) WHERE peer = old.peer;
END;
CREATE TRIGGER stranger_accepted AFTER UPDATE OF source ON message
  WHEN old.source IS NOT NULL AND new.source IS NULL BEGIN
    UPDATE source SET messages = messages - 1, bytes = bytes - octet_length(old.body)
      WHERE source = old.source;
    DELETE FROM source WHERE source = old.source AND messages = 0;
    UPDATE peer SET stranger_messages = stranger_messages - 1,
      stranger_bytes = stranger_bytes - octet_length(old.body) WHERE peer = old.peer;
END;
";

/// Records which messages went to all peers. Older messages keep the names of their recipients.
const VERSION_5: &str = "
ALTER TABLE message ADD COLUMN to_all INTEGER NOT NULL DEFAULT 0 CHECK (to_all IN (0, 1));
";

/// Whether this program cannot read files of this version. 0 is that of an empty file.
pub(super) fn is_other(version: i64) -> bool {
    version != 0 && !(FIRST..=VERSION).contains(&version)
}

/// Returns the version of an open file; 0 if it is empty.
pub(super) fn version(conn: &Connection) -> Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Applies the steps that the file lacks, each in one transaction.
pub(super) fn migrate(conn: &mut Connection, steps: &[&str]) -> Result<()> {
    for (step, next) in steps.iter().zip(FIRST..) {
        if version(conn)? >= next {
            continue;
        }
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have applied it meanwhile.
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
    fn first_step_sets_the_mark_of_our_files() {
        assert!(VERSION_3.contains(&format!("{APPLICATION:#x}")));
    }
}
