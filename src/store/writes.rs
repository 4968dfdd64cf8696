//! Writes one batch in one transaction, the full-text index included.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::fold::folded;
use super::retention::{self, Quotas, Size, Tally};
use super::rows::{self, stored_time};
use super::status::Columns;
use super::{clock, queries};
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Message;
use crate::model::stored::{Assurance, RowId, StoreOp, StoreResult, Stored};

/// A transaction, and what it added.
pub(super) struct Batch<'a> {
    pub(super) conn: &'a Connection,
    /// Milliseconds since 1970.
    pub(super) clock: i64,
    /// Whether the clock may be wrong.
    pub(super) doubtful: bool,
    /// Whether a contact's message has confirmed the clock.
    pub(super) agrees: bool,
    /// Texts get a folded copy and stand in the full-text index.
    pub(super) indexed: bool,
    pub(super) quotas: Quotas,
    /// The messages that were added.
    pub(super) added: Tally,
    /// Messages of strangers became those of a contact.
    pub(super) accepted: bool,
    /// The user's messages were forgotten.
    pub(super) forgot: bool,
}

/// A message to be added.
struct New<'a> {
    /// `None` if it came.
    status: Option<Columns>,
    shown: bool,
    /// Where a stranger sent it from.
    stranger: Option<SourcePrefix>,
    message: Option<&'a Message>,
    name: Option<&'a PeerName>,
    expires: u64,
    assurance: Assurance,
    body: &'a str,
}

impl Batch<'_> {
    pub(super) fn write(&mut self, write: &StoreOp) -> Result<StoreResult> {
        match write {
            StoreOp::Outgoing { to, name, message, status, attempted, assurance, expires } => {
                let columns = Columns::of(status, *attempted);
                let (name, expires) = (name.as_ref(), *expires);
                let new = New {
                    status: Some(columns),
                    shown: true,
                    stranger: None,
                    message: Some(message),
                    name,
                    expires,
                    assurance: *assurance,
                    body: &message.body,
                };
                let peer = self.peer(*to, name)?;
                if self.add(peer, &new)?.is_none() {
                    self.resend(*to, message.id, columns, expires)?;
                }
            }
            StoreOp::Status { to, id, status, attempted } => {
                self.change(*to, *id, Columns::of(status, *attempted))?;
            }
            StoreOp::Move { id, from, to } => self.move_message(*id, *from, *to)?,
            StoreOp::IncomingPlain { from, name, assurance, stranger, body } => {
                let name = name.as_ref();
                let new = New {
                    status: None,
                    shown: true,
                    stranger: *stranger,
                    message: None,
                    name,
                    expires: 0,
                    assurance: *assurance,
                    body,
                };
                let peer = self.peer(*from, name)?;
                self.add_within_quota(peer, &new)?;
            }
            StoreOp::Incoming { from, name, assurance, stranger, messages } => {
                let from = Recipient::key(*from);
                self.agrees |= stranger.is_none() && messages.iter().any(|message| self.agrees_with(message));
                let add = |message| {
                    let new = New {
                        status: None,
                        shown: false,
                        stranger: *stranger,
                        message: Some(message),
                        name: name.as_ref(),
                        expires: 0,
                        assurance: *assurance,
                        body: &message.body,
                    };
                    self.add_incoming(from, message.id, &new)
                };
                return messages.iter().map(add).collect::<Result<_>>().map(StoreResult::Incoming);
            }
            StoreOp::MarkShown(rows) => {
                let mut update =
                    self.conn.prepare_cached("UPDATE message SET shown = 1 WHERE message = ?")?;
                for row in rows {
                    update.execute([row.0])?;
                }
            }
            StoreOp::MarkRead(from) => {
                if let Some(peer) = queries::number_of(self.conn, *from)? {
                    self.conn
                        .prepare_cached(
                            "UPDATE peer SET read_to = coalesce( \
                               (SELECT max(message) FROM message WHERE conversation = ?1), read_to \
                             ) WHERE peer = ?1",
                        )?
                        .execute([peer])?;
                }
            }
            StoreOp::Seen { peer, name, contact, addrs } => {
                let peer = self.peer(Recipient::Peer(*peer), name.as_ref())?;
                self.seen(peer, *contact, addrs)?;
                if !contact {
                    retention::drop_old_strangers(self.conn)?;
                }
            }
            StoreOp::Accept(peer) => {
                self.accepted = true;
                self.accept(*peer)?;
            }
            StoreOp::Forget(selection) => {
                let (removed, queued) = retention::forget(self.conn, selection)?;
                let (removed, queued) = (removed.unsigned_abs(), queued.unsigned_abs());
                self.forgot |= removed > 0;
                return Ok(StoreResult::Forgotten { removed, queued });
            }
        }
        Ok(StoreResult::Done)
    }

    /// Returns whether a message was typed about now, by its sender's clock. A message that is sent
    /// again proves nothing, because it may have waited.
    fn agrees_with(&self, message: &Message) -> bool {
        !message.again && stored_time(message.time).abs_diff(self.clock) <= clock::AGREES_WITHIN
    }

    /// Returns the column `expires`. While the clock is doubtful, this is the waiting time as a
    /// negative number.
    fn expires(&self, expires: u64) -> i64 {
        let expires = stored_time(expires);
        if self.doubtful && expires > 0 { self.clock.saturating_sub(expires).min(-1) } else { expires }
    }

    /// Adds a message that came in a session, unless its id is known or the quota of its sender has
    /// no room.
    fn add_incoming(&mut self, from: Recipient, id: MessageId, new: &New<'_>) -> Result<Stored> {
        if let Some(peer) = queries::number_of(self.conn, from)? {
            let is_known = self
                .conn
                .prepare_cached(
                    "SELECT 1 FROM known WHERE peer = ?1 AND id = ?2 UNION ALL \
                     SELECT 1 FROM message WHERE peer = ?1 AND id = ?2 AND outgoing = 0",
                )?
                .exists(params![peer, id.as_bytes()])?;
            if is_known {
                return Ok(Stored::Duplicate);
            }
        }
        let peer = self.peer(from, new.name)?;
        Ok(self.add_within_quota(peer, new)?.map_or(Stored::NoRoom, Stored::New))
    }

    /// Adds a message that came, unless a stranger's quota has no room for it.
    fn add_within_quota(&mut self, peer: i64, new: &New<'_>) -> Result<Option<RowId>> {
        let size = Size::of(new.body);
        if new.stranger.is_some() && new.assurance != Assurance::Claimed && self.is_contact(peer)? {
            // The user has accepted the peer since the message came.
            return self.add(peer, &New { stranger: None, ..*new });
        }
        if new.stranger.is_some() && !retention::make_room_for_stranger(self.conn, &self.quotas, peer, size)?
        {
            return Ok(None);
        }
        self.add(peer, new)
    }

    /// Adds a message, unless there is one with its id.
    fn add(&mut self, peer: i64, new: &New<'_>) -> Result<Option<RowId>> {
        let folded = self.indexed.then(|| folded(new.body));
        let source = new.stranger.map(|prefix| self.source(prefix)).transpose()?;
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO message (conversation, peer, outgoing, status, reason, attempted, shown, id, \
                   name, time, sent, expires, assurance, body, folded, source, \
                   to_all) \
                 VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
                 ON CONFLICT (peer, id, outgoing) WHERE id IS NOT NULL DO NOTHING",
            )?
            .execute(params![
                peer,
                new.status.is_some(),
                new.status.map(|status| status.status),
                new.status.and_then(|status| status.reason),
                new.status.is_some_and(|status| status.attempted),
                new.shown,
                new.message.map(|message| message.id.as_bytes()),
                new.name.map(PeerName::as_str),
                self.clock,
                new.message.map(|message| stored_time(message.time)),
                self.expires(new.expires),
                rows::assurance_number(new.assurance),
                new.body,
                folded,
                source,
                new.message.is_some_and(|message| message.to_all),
            ])?;
        if added == 0 {
            return Ok(None);
        }
        let message = self.conn.last_insert_rowid();
        self.index(message, peer, folded.as_deref())?;
        let counted = if new.stranger.is_some() { &mut self.added.strangers } else { &mut self.added.others };
        *counted = counted.and(Size::of(new.body));
        Ok(Some(RowId(message)))
    }

    /// Returns the number of a source. A new one gets a number.
    fn source(&self, prefix: SourcePrefix) -> Result<i64> {
        let prefix = prefix.to_string();
        let mut known = self.conn.prepare_cached("SELECT source FROM source WHERE prefix = ?")?;
        if let Some(source) = known.query_row([&prefix], |row| row.get(0)).optional()? {
            return Ok(source);
        }
        self.conn.prepare_cached("INSERT INTO source (prefix) VALUES (?)")?.execute([prefix])?;
        Ok(self.conn.last_insert_rowid())
    }

    fn is_contact(&self, peer: i64) -> Result<bool> {
        let mut is_contact = self.conn.prepare_cached("SELECT contact FROM peer WHERE peer = ?")?;
        is_contact.query_row([peer], |row| row.get(0))
    }

    /// Makes a peer a contact. Unencrypted messages in its name stay those of strangers.
    fn accept(&self, peer: PeerId) -> Result<()> {
        let Some(peer) = queries::number_of(self.conn, peer.into())? else { return Ok(()) };
        self.conn.prepare_cached("UPDATE peer SET contact = 1 WHERE peer = ?")?.execute([peer])?;
        let claimed = rows::assurance_number(Assurance::Claimed);
        self.conn
            .prepare_cached(
                "UPDATE message SET source = NULL \
                 WHERE peer = ? AND source IS NOT NULL AND assurance <> ?",
            )?
            .execute(params![peer, claimed])
            .map(drop)
    }

    fn index(&self, message: i64, conversation: i64, folded: Option<&str>) -> Result<()> {
        let Some(folded) = folded else { return Ok(()) };
        self.conn
            .prepare_cached("INSERT INTO search (rowid, conversation, folded) VALUES (?, ?, ?)")?
            .execute(params![message, conversation, folded])
            .map(drop)
    }

    /// Changes the status of an outgoing message if the rules allow it.
    fn change(&self, to: Recipient, id: MessageId, columns: Columns) -> Result<()> {
        match self.status_of(to, id)? {
            Some((message, from)) if from.may_become(columns) => self.set(to, message, from, columns, None),
            _ => Ok(()),
        }
    }

    /// Changes the status of a message that the user sends again, and when it expires.
    fn resend(&self, to: Recipient, id: MessageId, columns: Columns, expires: u64) -> Result<()> {
        match self.status_of(to, id)? {
            Some((message, from)) if from.may_become(columns) || from.may_be_resent() => {
                self.set(to, message, from, columns, Some(expires))
            }
            _ => Ok(()),
        }
    }

    /// Returns the row and the status of an outgoing message.
    fn status_of(&self, to: Recipient, id: MessageId) -> Result<Option<(i64, Columns)>> {
        let Some(peer) = queries::number_of(self.conn, to)? else { return Ok(None) };
        self.conn
            .prepare_cached(
                "SELECT message, status, reason, attempted FROM message \
                 WHERE peer = ? AND id = ? AND outgoing = 1",
            )?
            .query_row(params![peer, id.as_bytes()], |row| {
                Ok((row.get::<_, i64>(0)?, rows::status(row, 1)?.1))
            })
            .optional()
    }

    fn set(
        &self,
        to: Recipient,
        message: i64,
        from: Columns,
        columns: Columns,
        expires: Option<u64>,
    ) -> Result<()> {
        // An unencrypted message is queued again only if it was not sent.
        let stays_attempted = from.attempted && columns.is_queued() && to.public_key().is_some();
        self.conn
            .prepare_cached(
                "UPDATE message SET status = ?, reason = ?, attempted = ?, expires = coalesce(?, expires) \
                 WHERE message = ?",
            )?
            .execute(params![
                columns.status,
                columns.reason,
                columns.attempted || stays_attempted,
                expires.map(|expires| self.expires(expires)),
                message
            ])
            .map(drop)
    }

    /// Gives an outgoing message to another recipient, or drops it if it is there already.
    fn move_message(&self, id: MessageId, from: Recipient, to: Recipient) -> Result<()> {
        if from == to {
            return Ok(());
        }
        let Some(peer) = queries::number_of(self.conn, from)? else { return Ok(()) };
        let found = self
            .conn
            .prepare_cached(
                "SELECT message, name, assurance, folded FROM message \
                 WHERE peer = ? AND id = ? AND outgoing = 1",
            )?
            .query_row(params![peer, id.as_bytes()], |row| {
                let (message, folded): (i64, Option<String>) = (row.get(0)?, row.get(3)?);
                Ok((message, rows::name(row, 1)?, row.get::<_, u8>(2)?, folded))
            })
            .optional()?;
        let Some((message, name, assurance, folded)) = found else { return Ok(()) };
        let target = self.peer(to, None)?;
        let is_there = self
            .conn
            .prepare_cached("SELECT 1 FROM message WHERE peer = ? AND id = ? AND outgoing = 1")?
            .exists(params![target, id.as_bytes()])?;
        if is_there {
            retention::remove_rows(self.conn, &[message])?;
            return retention::drop_if_empty(self.conn, peer);
        }
        // The name is older than one that the peer has, but better than none.
        self.conn
            .prepare_cached("UPDATE peer SET name = ? WHERE peer = ? AND name IS NULL")?
            .execute(params![name.as_ref().map(PeerName::as_str), target])?;
        let plain = rows::assurance_number(Assurance::Plain);
        let assurance = match to.public_key() {
            Some(_) if assurance == plain => rows::assurance_number(Assurance::Encrypted),
            _ => assurance,
        };
        if let Some(folded) = &folded {
            self.conn
                .prepare_cached(
                    "INSERT INTO search (search, rowid, conversation, folded) VALUES ('delete', ?, ?, ?)",
                )?
                .execute(params![message, peer, folded])?;
        }
        self.conn
            .prepare_cached(
                "UPDATE message SET conversation = ?1, peer = ?1, assurance = ?2 WHERE message = ?3",
            )?
            .execute(params![target, assurance, message])?;
        self.index(message, target, folded.as_deref())?;
        retention::drop_if_empty(self.conn, peer)
    }

    /// Remembers that a peer is seen now, and that it is dialed at these addresses and no others,
    /// the latest first.
    fn seen(&self, peer: i64, contact: bool, addrs: &[PeerAddr]) -> Result<()> {
        self.conn
            .prepare_cached("UPDATE peer SET last_seen = ?2, contact = ?3 WHERE peer = ?1")?
            .execute(params![peer, self.clock, contact])?;
        self.conn.prepare_cached("DELETE FROM address WHERE peer = ?")?.execute([peer])?;
        let mut insert =
            self.conn.prepare_cached("INSERT INTO address (peer, addr, last_seen) VALUES (?, ?, ?)")?;
        for (place, addr) in (0..).zip(addrs) {
            // The order is that of the times.
            insert.execute(params![peer, addr.to_string(), self.clock - place])?;
        }
        Ok(())
    }

    /// Returns the number of a peer, and sets its name if it has a new one. A new peer gets a
    /// number.
    fn peer(&self, of: Recipient, name: Option<&PeerName>) -> Result<i64> {
        let name = name.map(PeerName::as_str);
        if let Some(peer) = queries::number_of(self.conn, of)? {
            if name.is_some() {
                self.conn
                    .prepare_cached("UPDATE peer SET name = ?2 WHERE peer = ?1 AND name IS NOT ?2")?
                    .execute(params![peer, name])?;
            }
            return Ok(peer);
        }
        let (key, addr) = (of.public_key(), rows::saved_addr(of));
        self.conn.prepare_cached("INSERT INTO peer (key, addr, name) VALUES (?, ?, ?)")?.execute(params![
            key.as_ref().map(|key| key.as_bytes()),
            addr,
            name
        ])?;
        Ok(self.conn.last_insert_rowid())
    }
}

/// Moves the expiry of queued messages along by `jump` milliseconds, the time by which the clock
/// was set, so that setting the clock expires nothing.
pub(super) fn follow_clock(conn: &Connection, jump: i64) -> Result<()> {
    let sql = "UPDATE message AS m SET expires = max(1, expires + ?) WHERE m.status = 0 AND expires > 0";
    conn.prepare_cached(sql)?.execute([jump]).map(drop)
}
