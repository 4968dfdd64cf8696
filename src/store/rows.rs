//! How messages and peers stand in the rows of the file.

use std::sync::Arc;

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Error, Result, Row};

use super::status::Columns;
use crate::model::address::PeerAddr;
use crate::model::delivery::DeliveryStatus;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{LegacyId, PeerId, Recipient};
use crate::model::session::Message;
use crate::model::stored::{Assurance, Direction, QueuedMessage, RowId, StoredMessage};

/// The columns that [`message`] reads, of a message `m` and its peer `p`.
pub(super) const MESSAGE: &str = "p.key, p.addr, m.message, m.name, m.outgoing, m.status, m.reason, m.attempted, \
     m.shown, m.id, m.time, m.sent, m.assurance, m.body, p.read_to, \
     m.to_all";

/// How many columns [`MESSAGE`] has.
pub(super) const MESSAGE_COLUMNS: usize = 16;

/// The columns that [`queued`] reads.
pub(super) const QUEUED: &str =
    "p.key, p.addr, m.name, m.id, m.sent, m.attempted, m.body, m.expires, m.to_all";

/// How many columns [`QUEUED`] has.
pub(super) const QUEUED_COLUMNS: usize = 9;

/// Marks the saved address of a recipient at which no peer has proven itself yet.
const UNPROVEN_MARK: char = '?';

/// Every assurance with its number. None is ever given another meaning.
pub(super) const ASSURANCES: [(Assurance, u8); 4] =
    [(Assurance::Plain, 0), (Assurance::Encrypted, 1), (Assurance::Verified, 2), (Assurance::Claimed, 3)];

pub(super) fn assurance_number(assurance: Assurance) -> u8 {
    ASSURANCES.iter().find(|(it, _)| *it == assurance).map_or(0, |(_, number)| *number)
}

/// Milliseconds since 1970 as a column has them.
pub(super) fn stored_time(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn time(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// The column `addr` of a recipient: the address of a legacy peer as it is, and an unproven IPv4
/// address behind a mark. IPv6 needs no mark, because no legacy peer has IPv6.
pub(super) fn saved_addr(recipient: Recipient) -> Option<String> {
    let addr = recipient.addr()?;
    Some(match recipient {
        Recipient::Address(addr) if addr.v4().is_some() => format!("{UNPROVEN_MARK}{addr}"),
        Recipient::Peer(_) | Recipient::Address(_) => addr.to_string(),
    })
}

/// The recipient in the columns `key` and `addr`, which come first in the row.
pub(super) fn recipient(row: &Row<'_>) -> Result<Recipient> {
    if let Some(key) = row.get(0)? {
        return Ok(Recipient::key(PublicKey::new(key)));
    }
    let text = row.get_ref(1)?.as_str().map_err(|error| wrong(1, error))?;
    let (is_unproven, text) = match text.strip_prefix(UNPROVEN_MARK) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let addr: PeerAddr = text.parse().map_err(|error| wrong(1, FromSqlError::other(error)))?;
    Ok(match addr.plain().filter(|_| !is_unproven) {
        Some(plain) => PeerId::Legacy(LegacyId::saved_as(plain)).into(),
        None => Recipient::Address(addr),
    })
}

pub(super) fn message(row: &Row<'_>) -> Result<StoredMessage> {
    let message = row.get(2)?;
    let direction = match row.get(4)? {
        true => {
            let (status, Columns { attempted, .. }) = status(row, 5)?;
            Direction::Outgoing { status, attempted }
        }
        false => Direction::Incoming { unshown: !row.get::<_, bool>(8)?, new: message > row.get(14)? },
    };
    Ok(StoredMessage {
        row: RowId(message),
        peer: recipient(row)?,
        name: name(row, 3)?,
        direction,
        id: row.get::<_, Option<_>>(9)?.map(MessageId::new),
        to_all: row.get(15)?,
        time: time(row.get(10)?),
        sent: row.get::<_, Option<_>>(11)?.map(time),
        assurance: assurance(row, 12)?,
        body: body(row, 13)?,
    })
}

pub(super) fn queued(row: &Row<'_>) -> Result<QueuedMessage> {
    let attempted = row.get(5)?;
    let message = Message {
        id: MessageId::new(row.get(3)?),
        time: time(row.get(4)?),
        again: attempted,
        to_all: row.get(8)?,
        body: body(row, 6)?,
    };
    let (to, name) = (recipient(row)?, name(row, 2)?);
    Ok(QueuedMessage { to, name, message, attempted, expires: time(row.get(7)?) })
}

/// The name in a column, made harmless again: another program may have written the file.
pub(super) fn name(row: &Row<'_>, at: usize) -> Result<Option<PeerName>> {
    let name = row.get_ref(at)?.as_str_or_null();
    Ok(name.map_err(|error| wrong(at, error))?.map(PeerName::new))
}

/// The columns `status`, `reason` and `attempted`, the first of them at `at`, and the status that
/// they stand for.
pub(super) fn status(row: &Row<'_>, at: usize) -> Result<(DeliveryStatus, Columns)> {
    let (status, reason, attempted) = (row.get(at)?, row.get(at + 1)?, row.get(at + 2)?);
    let columns = Columns { status, reason, attempted };
    let status = columns.read().ok_or(Error::IntegralValueOutOfRange(at, columns.status.into()))?;
    Ok((status, columns))
}

fn assurance(row: &Row<'_>, at: usize) -> Result<Assurance> {
    let number: u8 = row.get(at)?;
    let found = ASSURANCES.iter().find(|(_, it)| *it == number).map(|(assurance, _)| *assurance);
    found.ok_or(Error::IntegralValueOutOfRange(at, number.into()))
}

fn body(row: &Row<'_>, at: usize) -> Result<Arc<str>> {
    row.get_ref(at)?.as_str().map(Arc::from).map_err(|error| wrong(at, error))
}

fn wrong(at: usize, error: FromSqlError) -> Error {
    Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}
