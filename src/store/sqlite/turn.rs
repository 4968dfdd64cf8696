//! What a turn of writing does to single messages and to those they are from and to.

use rusqlite::{OptionalExtension, Result, params};

use super::rows::{self, stored};
use super::write::{New, Turn};
use super::{filter, forget, search};
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::{Assurance, Condition, RowId};
use crate::store::change::may_become;

impl Turn<'_> {
    /// Adds a message, if none of its id is there.
    pub(super) fn add(&mut self, new: &New<'_>) -> Result<Option<RowId>> {
        let number = self.last.saturating_add(1);
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO message (message, peer, outgoing, state, again, id, name, time, sent, expires, assurance, body) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (peer, id, outgoing) WHERE id IS NOT NULL DO NOTHING",
            )?
            .execute(params![
                number,
                new.peer,
                new.ours,
                new.state,
                new.again,
                new.letter.map(|letter| letter.id.as_bytes()),
                new.name.map(PeerName::as_str),
                self.clock,
                new.letter.map(|letter| stored(letter.time)),
                stored(new.expires),
                rows::number(new.assurance),
                new.body,
            ])?;
        if added == 0 {
            return Ok(None);
        }
        self.last = number;
        self.messages += 1;
        self.plain += i64::from(rows::is_plain(new.assurance));
        Ok(Some(RowId(number)))
    }

    pub(super) fn change(
        &self,
        peer: i64,
        id: MessageId,
        condition: Condition,
        expires: Option<u64>,
    ) -> Result<()> {
        let found = self
            .conn
            .prepare_cached("SELECT message, state FROM message WHERE peer = ? AND id = ? AND outgoing = 1")?
            .query_row(params![peer, id.as_bytes()], |row| {
                Ok((row.get::<_, i64>(0)?, rows::condition(row, 1)?))
            })
            .optional()?;
        let Some((message, from)) = found else { return Ok(()) };
        if may_become(from, condition) {
            self.conn
                .prepare_cached(
                    "UPDATE message SET state = ?, again = max(again, ?), expires = coalesce(?, expires) WHERE message = ?",
                )?
                .execute(params![
                    condition.number(),
                    condition == Condition::Sent,
                    expires.map(stored),
                    message
                ])?;
        }
        Ok(())
    }

    pub(super) fn move_text(&mut self, id: MessageId, from: Recipient, to: Recipient) -> Result<()> {
        if from == to {
            return Ok(());
        }
        let Some(peer) = filter::number_of(self.conn, from)? else { return Ok(()) };
        let mut select = self.conn.prepare_cached(
            "SELECT message, name, assurance, body FROM message WHERE peer = ? AND id = ? AND outgoing = 1",
        )?;
        let found = select
            .query_row(params![peer, id.as_bytes()], |row| {
                let (message, body): (i64, String) = (row.get(0)?, row.get(3)?);
                Ok((message, rows::name(row, 1)?, row.get::<_, u8>(2)?, body))
            })
            .optional()?;
        let Some((message, name, assurance, body)) = found else { return Ok(()) };
        let indexed = message <= search::indexed_to(self.conn)?;
        let target = self.peer(to, None)?;
        let there = self
            .conn
            .prepare_cached("SELECT 1 FROM message WHERE peer = ? AND id = ? AND outgoing = 1")?
            .exists(params![target, id.as_bytes()])?;
        if there {
            return forget::remove(self.conn, &format!(" AND m.message = {message}")).map(drop);
        }
        // What they were called when it was typed is older than what they are called, if that is known.
        self.conn
            .prepare_cached("UPDATE peer SET name = ? WHERE peer = ? AND name IS NULL")?
            .execute(params![name.as_ref().map(PeerName::as_str), target])?;
        let secured =
            matches!(to, Recipient::Peer(PeerId::Key(_))) && assurance == rows::number(Assurance::Plain);
        if indexed {
            self.conn
                .prepare_cached("INSERT INTO search (search, rowid, peer, body) VALUES ('delete', ?, ?, ?)")?
                .execute(params![message, peer, body])?;
            self.conn
                .prepare_cached("INSERT INTO search (rowid, peer, body) VALUES (?, ?, ?)")?
                .execute(params![message, target, body])?;
        }
        let assurance = if secured { rows::number(Assurance::Encrypted) } else { assurance };
        self.conn
            .prepare_cached("UPDATE message SET peer = ?, assurance = ? WHERE message = ?")?
            .execute(params![target, assurance, message])?;
        forget::let_go(self.conn, peer)
    }

    /// The number of a party, who is called so now. One that is new gets a number.
    pub(super) fn peer(&self, party: Recipient, name: Option<&PeerName>) -> Result<i64> {
        let name = name.map(PeerName::as_str);
        if let Some(peer) = filter::number_of(self.conn, party)? {
            // Nothing is written where nothing changes.
            self.conn
                .prepare_cached(
                    "UPDATE peer SET name = ?2 WHERE peer = ?1 AND ?2 IS NOT NULL AND name IS NOT ?2",
                )?
                .execute(params![peer, name])?;
            return Ok(peer);
        }
        let (key, addr) = (party.public_key(), filter::saved_addr(party));
        self.conn.prepare_cached("INSERT INTO peer (key, addr, name) VALUES (?, ?, ?)")?.execute(params![
            key.as_ref().map(|key| key.as_bytes()),
            addr,
            name
        ])?;
        Ok(self.conn.last_insert_rowid())
    }
}
