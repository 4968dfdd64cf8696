//! What is written down, all of one turn in one transaction.

use rusqlite::{Connection, OptionalExtension, Result, TransactionBehavior, params};

use super::rows::{self, SHOWN, UNSHOWN, stored};
use super::{filter, forget, search};
use crate::ledger::{Assurance, Condition, Party, RowId, Write, Written};
use crate::message::MessageId;
use crate::peer::PeerName;
use crate::store::change::may_become;
use crate::talk::Letter;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Messages in all: 5,000 a day for two years, or about 2 GB.
    pub(super) messages: i64,
    /// Messages that came or went in plain, where anybody can write in anybody's name: a flood of them costs only such.
    pub(super) plain: i64,
    /// Messages that wait for the index of words before the next ones are held up by it: a search looks at each of those.
    pub(super) unindexed: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 4_000_000, plain: 500_000, unindexed: 4_096 }
    }
}

/// Puts that many more into the index than have come, when too many wait.
const CATCH_UP: usize = 256;

/// Writes all of these down, or nothing. `jump` is by how much the clock was set since the last time, in milliseconds. Tells whether
/// anything was forgotten, too.
pub(super) fn apply(
    conn: &mut Connection,
    bounds: &Bounds,
    writes: &[Write],
    clock: u64,
    jump: i64,
) -> Result<(Vec<Written>, bool)> {
    if writes.is_empty() && jump == 0 {
        return Ok((Vec::new(), false));
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if jump != 0 {
        let sql = format!(
            "UPDATE message AS m SET expires = max(1, expires + ?) WHERE {} AND expires > 0",
            filter::IS_OPEN
        );
        tx.execute(&sql, [jump])?;
    }
    let mut turn = Turn { conn: &tx, clock: stored(clock), messages: 0, plain: 0, forgot: false };
    let written = writes.iter().map(|write| turn.write(write)).collect::<Result<_>>()?;
    let (messages, plain, forgot) = (turn.messages, turn.plain, turn.forgot);
    forget::count(&tx, messages, plain)?;
    if messages > 0 {
        forget::keep_within(&tx, bounds)?;
        if search::waiting(&tx)? > bounds.unindexed {
            search::index_some(&tx, CATCH_UP.saturating_add(usize::try_from(messages).unwrap_or(0)))?;
        }
    }
    tx.commit()?;
    Ok((written, forgot))
}

/// One transaction.
struct Turn<'a> {
    conn: &'a Connection,
    clock: i64,
    /// Messages that were added.
    messages: i64,
    /// How many of them in plain.
    plain: i64,
    forgot: bool,
}

/// A message to be added.
struct New<'a> {
    peer: i64,
    ours: bool,
    state: u8,
    again: bool,
    letter: Option<&'a Letter>,
    name: Option<&'a PeerName>,
    expires: u64,
    assurance: Assurance,
    body: &'a str,
}

impl Turn<'_> {
    fn write(&mut self, write: &Write) -> Result<Written> {
        match write {
            Write::Said { to, name, letter, condition, assurance, expires } => {
                self.say(*to, name.as_ref(), letter, *condition, *assurance, *expires)?;
            }
            Write::Became { to, id, condition } => {
                if let Some(peer) = filter::number_of(self.conn, *to)? {
                    self.change(peer, *id, *condition, None)?;
                }
            }
            Write::Moved { id, from, to } => self.move_text(*id, *from, *to)?,
            Write::Heard { from, name, assurance, body } => {
                let (peer, name) = (self.peer(*from, name.as_ref())?, name.as_ref());
                self.add(&New {
                    peer,
                    ours: false,
                    state: SHOWN,
                    again: false,
                    letter: None,
                    name,
                    expires: 0,
                    assurance: *assurance,
                    body,
                })?;
            }
            Write::Taken { from, name, assurance, letters } => {
                let peer = self.peer(Party::Key(*from), None)?;
                let take = |letter| self.take(peer, name.as_ref(), *assurance, letter);
                let taken = letters.iter().map(take).collect::<Result<Vec<_>>>()?;
                if taken.iter().any(Option::is_some) {
                    self.peer(Party::Key(*from), name.as_ref())?;
                } else {
                    forget::let_go(self.conn, peer)?;
                }
                return Ok(Written::Taken(taken));
            }
            Write::Shown(shown) => {
                let sql = "UPDATE message SET state = ? WHERE message = ? AND outgoing = 0";
                let mut update = self.conn.prepare_cached(sql)?;
                for row in shown {
                    update.execute(params![SHOWN, row.0])?;
                }
            }
            Write::Read(party) => {
                if let Some(peer) = filter::number_of(self.conn, *party)? {
                    self.conn
                        .prepare_cached(
                            "UPDATE peer SET read_to = coalesce((SELECT max(message) FROM message WHERE peer = ?1), read_to) WHERE peer = ?1",
                        )?
                        .execute([peer])?;
                }
            }
            Write::Forget(selection) => {
                // What came before it in this turn is counted first, for what is forgotten is taken off.
                forget::count(
                    self.conn,
                    std::mem::take(&mut self.messages),
                    std::mem::take(&mut self.plain),
                )?;
                self.forgot = true;
                return forget::forget(self.conn, selection)
                    .map(|(gone, stay)| Written::Forgotten(gone, stay));
            }
        }
        Ok(Written::Done)
    }

    fn say(
        &mut self,
        to: Party,
        name: Option<&PeerName>,
        letter: &Letter,
        condition: Condition,
        assurance: Assurance,
        expires: u64,
    ) -> Result<()> {
        let peer = self.peer(to, name)?;
        let again = letter.again || condition == Condition::Sent;
        let new = New {
            peer,
            ours: true,
            state: condition.number(),
            again,
            letter: Some(letter),
            name,
            expires,
            assurance,
            body: &letter.body,
        };
        if self.add(&new)?.is_none() {
            self.change(peer, letter.id, condition, Some(expires))?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        peer: i64,
        name: Option<&PeerName>,
        assurance: Assurance,
        letter: &Letter,
    ) -> Result<Option<RowId>> {
        let known = self
            .conn
            .prepare_cached("SELECT 1 FROM known WHERE peer = ? AND id = ?")?
            .exists(params![peer, letter.id.as_bytes()])?;
        if known {
            return Ok(None);
        }
        self.add(&New {
            peer,
            ours: false,
            state: UNSHOWN,
            again: false,
            letter: Some(letter),
            name,
            expires: 0,
            assurance,
            body: &letter.body,
        })
    }

    /// Adds a message, if none of its id is there.
    fn add(&mut self, new: &New<'_>) -> Result<Option<RowId>> {
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO message (peer, outgoing, state, again, id, name, time, sent, expires, assurance, body) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (peer, id, outgoing) WHERE id IS NOT NULL DO NOTHING",
            )?
            .execute(params![
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
        self.messages += 1;
        self.plain += i64::from(rows::is_plain(new.assurance));
        Ok(Some(RowId(self.conn.last_insert_rowid())))
    }

    fn change(&self, peer: i64, id: MessageId, condition: Condition, expires: Option<u64>) -> Result<()> {
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

    fn move_text(&mut self, id: MessageId, from: Party, to: Party) -> Result<()> {
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
        let target = self.peer(to, name.as_ref())?;
        let there = self
            .conn
            .prepare_cached("SELECT 1 FROM message WHERE peer = ? AND id = ? AND outgoing = 1")?
            .exists(params![target, id.as_bytes()])?;
        if there {
            return forget::remove(self.conn, &format!(" AND m.message = {message}")).map(drop);
        }
        let secured = matches!(to, Party::Key(_)) && assurance == rows::number(Assurance::Plain);
        if secured {
            forget::count(self.conn, 0, -1)?;
        }
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
    fn peer(&self, party: Party, name: Option<&PeerName>) -> Result<i64> {
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
        let (key, addr) = match party {
            Party::Key(key) => (Some(key), None),
            Party::Addr(addr) => (None, Some(addr.to_string())),
        };
        self.conn.prepare_cached("INSERT INTO peer (key, addr, name) VALUES (?, ?, ?)")?.execute(params![
            key.as_ref().map(|key| key.as_bytes()),
            addr,
            name
        ])?;
        Ok(self.conn.last_insert_rowid())
    }
}
