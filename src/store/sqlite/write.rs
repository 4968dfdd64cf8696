//! What is written down, all of one turn in one transaction.

use rusqlite::{Connection, Result, TransactionBehavior, params};

use super::rows::{SHOWN, UNSHOWN, stored};
use super::{filter, forget, search};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Letter;
use crate::model::stored::{Assurance, Condition, RowId, Write, Written};

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

/// What is kept in mind of the file, so that not each commit has to write it down. It may be more than there is, for others forget, too.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// The largest number that a message has had since the file was opened, or that one had then.
    pub(super) last: i64,
    /// How many messages there are at most, once they were counted.
    pub(super) messages: Option<i64>,
    /// How many of them came or went in plain, at most, once those were counted.
    pub(super) plain: Option<i64>,
}

/// Puts that many more into the index than have come, when too many wait.
const CATCH_UP: usize = 256;

/// Writes all of these down, or nothing. `jump` is by how much the clock was set since the last time, in milliseconds. Tells whether
/// anything was forgotten, too.
pub(super) fn apply(
    conn: &mut Connection,
    bounds: &Bounds,
    tally: &mut Tally,
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
    // Another process may have written, too.
    tally.last = tally.last.max(search::last(&tx)?);
    let mut turn =
        Turn { conn: &tx, clock: stored(clock), last: tally.last, messages: 0, plain: 0, forgot: false };
    let written = writes.iter().map(|write| turn.write(write)).collect::<Result<_>>()?;
    let (messages, plain, forgot) = (turn.messages, turn.plain, turn.forgot);
    tally.last = turn.last;
    if messages > 0 {
        forget::keep_within(&tx, bounds, tally, (messages, plain))?;
        if search::waiting(&tx)? > bounds.unindexed {
            search::index_some(&tx, CATCH_UP.saturating_add(usize::try_from(messages).unwrap_or(0)))?;
        }
    }
    tx.commit()?;
    Ok((written, forgot))
}

/// One transaction.
pub(super) struct Turn<'a> {
    pub(super) conn: &'a Connection,
    pub(super) clock: i64,
    /// The number that was given last.
    pub(super) last: i64,
    /// Messages that were added.
    pub(super) messages: i64,
    /// How many of them in plain.
    pub(super) plain: i64,
    pub(super) forgot: bool,
}

/// A message to be added.
pub(super) struct New<'a> {
    pub(super) peer: i64,
    pub(super) ours: bool,
    pub(super) state: u8,
    pub(super) again: bool,
    pub(super) letter: Option<&'a Letter>,
    pub(super) name: Option<&'a PeerName>,
    pub(super) expires: u64,
    pub(super) assurance: Assurance,
    pub(super) body: &'a str,
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
                let peer = self.peer(Recipient::Peer(PeerId::Key(*from)), None)?;
                let take = |letter| self.take(peer, name.as_ref(), *assurance, letter);
                let taken = letters.iter().map(take).collect::<Result<Vec<_>>>()?;
                if taken.iter().any(Option::is_some) {
                    self.peer(Recipient::Peer(PeerId::Key(*from)), name.as_ref())?;
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
                self.forgot = true;
                return forget::forget(self.conn, selection)
                    .map(|(gone, stay)| Written::Forgotten(gone, stay));
            }
        }
        Ok(Written::Done)
    }

    fn say(
        &mut self,
        to: Recipient,
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
}
