//! How messages and parties stand in the rows of the file.

use std::sync::Arc;

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Error, Result, Row};

use super::filter::UNPROVEN_MARK;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{LegacyId, PeerId, Recipient};
use crate::model::session::Letter;
use crate::model::stored::{Assurance, Condition, Entry, Open, RowId, Way};

/// The columns that [`entry`] reads, of a message `m` and its peer `p`.
pub(super) const ENTRY: &str = "p.key, p.addr, m.message, m.name, m.outgoing, m.state, m.id, m.time, m.sent, m.assurance, m.body, p.read_to";

/// The columns that [`open`] reads.
pub(super) const OPEN: &str = "p.key, p.addr, m.name, m.id, m.sent, m.again, m.body, m.state, m.expires";

/// The state of a message that came and was not shown, as far as is known.
pub(super) const UNSHOWN: u8 = 0;

/// The state of a message that came and was shown.
pub(super) const SHOWN: u8 = 1;

/// The number of an assurance in the file. None is ever given another meaning.
pub(super) fn number(assurance: Assurance) -> u8 {
    match assurance {
        Assurance::Plain => 0,
        Assurance::Encrypted => 1,
        Assurance::Verified => 2,
        Assurance::Claimed => 3,
    }
}

/// Whether a message counts among those that came or went in plain.
pub(super) fn is_plain(assurance: Assurance) -> bool {
    matches!(assurance, Assurance::Plain | Assurance::Claimed)
}

/// A time as the file has it.
pub(super) fn stored(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn time(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// Whose row of `peer` this is, by the columns `key` and `addr` at its beginning.
pub(super) fn party(row: &Row<'_>) -> Result<Recipient> {
    if let Some(key) = row.get(0)? {
        return Ok(Recipient::Peer(PeerId::Key(PublicKey::new(key))));
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

/// The message of a row of [`ENTRY`].
pub(super) fn entry(row: &Row<'_>) -> Result<Entry> {
    let message = row.get(2)?;
    let way = match row.get(4)? {
        true => Way::Out(condition(row, 5)?),
        false => Way::In { unshown: row.get::<_, u8>(5)? == UNSHOWN, new: message > row.get(11)? },
    };
    Ok(Entry {
        row: RowId(message),
        party: party(row)?,
        name: name(row, 3)?,
        way,
        id: row.get::<_, Option<_>>(6)?.map(MessageId::new),
        time: time(row.get(7)?),
        sent: row.get::<_, Option<_>>(8)?.map(time),
        assurance: assurance(row, 9)?,
        body: body(row, 10)?,
    })
}

/// The text that waits of a row of [`OPEN`].
pub(super) fn open(row: &Row<'_>) -> Result<Open> {
    let letter = Letter {
        id: MessageId::new(row.get(3)?),
        time: time(row.get(4)?),
        again: row.get(5)?,
        body: body(row, 6)?,
    };
    let (to, name) = (party(row)?, name(row, 2)?);
    Ok(Open { to, name, letter, condition: condition(row, 7)?, expires: time(row.get(8)?) })
}

/// The name in a column. It is made harmless again: another program may have written the file.
pub(super) fn name(row: &Row<'_>, at: usize) -> Result<Option<PeerName>> {
    let name = row.get_ref(at)?.as_str_or_null();
    Ok(name.map_err(|error| wrong(at, error))?.map(PeerName::new))
}

/// The condition whose number stands in a column.
pub(super) fn condition(row: &Row<'_>, at: usize) -> Result<Condition> {
    let number = row.get(at)?;
    Condition::of(number).ok_or(Error::IntegralValueOutOfRange(at, number.into()))
}

fn assurance(row: &Row<'_>, at: usize) -> Result<Assurance> {
    let stands_for: u8 = row.get(at)?;
    let all = [Assurance::Plain, Assurance::Encrypted, Assurance::Verified, Assurance::Claimed];
    let found = all.into_iter().find(|assurance| number(*assurance) == stands_for);
    found.ok_or(Error::IntegralValueOutOfRange(at, stands_for.into()))
}

fn body(row: &Row<'_>, at: usize) -> Result<Arc<str>> {
    row.get_ref(at)?.as_str().map(Arc::from).map_err(|error| wrong(at, error))
}

fn wrong(at: usize, error: FromSqlError) -> Error {
    Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}
