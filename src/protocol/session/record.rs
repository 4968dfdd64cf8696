//! The records inside the encrypted exchange, one at a time: their meaning and their bytes.
//!
//! A record is `type: u8, length: u24, value`. Its value consists of fields of the same shape, in
//! rising order of their numbers. Unknown fields are skipped, so that later versions can add some.
//! [`super::Records`] skips unknown records, and bounds their length and number.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::card::ContactCard;
use super::fields::{Fields, HEAD_BYTES, RecordFault, length_of, put};
use super::hello::{Hello, addresses, mapped, name, put_addresses};
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::message::{ID_BYTES, MessageId};
use crate::model::name::PeerName;
pub use crate::model::session::ByeReason;

/// The maximum length of a message in bytes: a few thousand words. Anything longer is a file.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The maximum length of a record's value in bytes: the longest message, and 2 KiB for its other
/// fields and those of later versions.
pub const MAX_RECORD_BYTES: usize = MAX_TEXT_BYTES + 2 * 1024;

/// The maximum number of ids in one receipt: as many as the messages in the largest batch.
pub const MAX_IDS: usize = 64;

const HELLO: u8 = 1;
const TEXT: u8 = 2;
const RECEIPT: u8 = 3;
const PING: u8 = 4;
const PONG: u8 = 5;
const BYE: u8 = 6;
const ADDRESSES: u8 = 7;
const NOT_STORED: u8 = 8;
const IN_USE: u8 = 9;
const NAME: u8 = 10;
const VERIFY: u8 = 11;
const INTRODUCE: u8 = 12;
const CARD: u8 = 13;

/// A record inside the encrypted exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// The first record of each side, which says who it is.
    Hello(Hello),
    /// A message for the user.
    Text {
        /// Its receipt names this id, and duplicates have the same.
        id: MessageId,
        /// The sender's clock, in milliseconds since 1970; a claim.
        time: u64,
        /// It was sent before, without a receipt.
        again: bool,
        /// Its sender wrote it to all peers.
        to_all: bool,
        /// 1 to [`MAX_TEXT_BYTES`] bytes, possibly of several lines.
        body: Arc<str>,
    },
    /// These messages were accepted: 1 to [`MAX_IDS`].
    Receipt(Vec<MessageId>),
    /// Asks whether the other side is still there.
    Ping(u64),
    /// The answer, with the number of the question.
    Pong(u64),
    /// The last record of a side on this connection, with the reason.
    Bye(ByeReason),
    /// The other addresses where this side listens from now on: at most [`super::MAX_ADDRESSES`].
    Addresses(Vec<SocketAddr>),
    /// These messages were not stored: 1 to [`MAX_IDS`]. The sender may try again after this many
    /// seconds.
    NotStored(Vec<MessageId>, u32),
    /// Another program at this IP uses the key of this side's peer.
    InUse(IpAddr),
    /// The name of this side from now on: one word.
    Name(PeerName),
    /// The user of this side wants to compare safety numbers.
    Verify,
    /// The sender's user introduces the owner of this key, who has this name.
    Introduce(PublicKey, PeerName),
    /// The contact card of an introduced user who has accepted.
    Card(Box<ContactCard>),
}

impl Record {
    /// Returns its bytes. They are read back as the same record if its parts keep their limits.
    ///
    /// # Panics
    ///
    /// If a part is longer than 16 MiB.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        self.encode_into(&mut bytes);
        bytes
    }

    /// Appends its bytes to a buffer, because a turn is one write.
    ///
    /// # Panics
    ///
    /// As [`Record::encode`].
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        let kind = match self {
            Self::Hello(_) => HELLO,
            Self::Text { .. } => TEXT,
            Self::Receipt(_) => RECEIPT,
            Self::Ping(_) => PING,
            Self::Pong(_) => PONG,
            Self::Bye(_) => BYE,
            Self::Addresses(_) => ADDRESSES,
            Self::NotStored(..) => NOT_STORED,
            Self::InUse(_) => IN_USE,
            Self::Name(_) => NAME,
            Self::Verify => VERIFY,
            Self::Introduce(..) => INTRODUCE,
            Self::Card(_) => CARD,
        };
        let head = bytes.len();
        bytes.extend([kind, 0, 0, 0]);
        self.encode_fields(bytes);
        let length = length_of(bytes.len() - head - HEAD_BYTES);
        bytes[head + 1..head + HEAD_BYTES].copy_from_slice(&length);
    }

    fn encode_fields(&self, to: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => hello.encode_fields(to),
            Self::Text { id, time, again, to_all, body } => {
                put(to, 1, id.as_bytes());
                put(to, 2, &time.to_be_bytes());
                put(to, 3, body.as_bytes());
                if *again {
                    put(to, 4, &[]);
                }
                if *to_all {
                    put(to, 5, &[]);
                }
            }
            Self::Receipt(ids) => put(to, 1, &bytes_of(ids)),
            Self::Ping(nonce) | Self::Pong(nonce) => put(to, 1, &nonce.to_be_bytes()),
            Self::Bye(reason) => put(to, 1, &[reason.number()]),
            Self::Addresses(addresses) => put_addresses(to, 1, addresses),
            Self::NotStored(ids, seconds) => {
                put(to, 1, &bytes_of(ids));
                put(to, 2, &seconds.to_be_bytes());
            }
            Self::InUse(ip) => put(to, 1, &mapped(*ip).octets()),
            Self::Name(name) => put(to, 1, name.as_str().as_bytes()),
            Self::Verify => {}
            Self::Introduce(key, name) => {
                put(to, 1, key.as_bytes());
                put(to, 2, name.as_str().as_bytes());
            }
            Self::Card(card) => card.encode_fields(to),
        }
    }

    /// Returns the record of this type and value; `None` if the type is unknown.
    pub(super) fn decode(kind: u8, value: &[u8]) -> Result<Option<Self>, RecordFault> {
        if !(HELLO..=CARD).contains(&kind) {
            return Ok(None);
        }
        let fields = Fields::of(value)?;
        Ok(Some(match kind {
            HELLO => Self::Hello(Hello::decode(&fields)?),
            TEXT => Self::Text {
                id: MessageId::new(fields.array(1)?),
                time: u64::from_be_bytes(fields.array(2)?),
                again: fields.flag(4)?,
                to_all: fields.flag(5)?,
                body: fields.text(3, MAX_TEXT_BYTES)?.into(),
            },
            RECEIPT => Self::Receipt(ids_of(fields.need(1)?)?),
            PING => Self::Ping(u64::from_be_bytes(fields.array(1)?)),
            PONG => Self::Pong(u64::from_be_bytes(fields.array(1)?)),
            BYE => Self::Bye(ByeReason::of(fields.array::<1>(1)?[0])),
            ADDRESSES => Self::Addresses(addresses(fields.need(1)?).ok_or(RecordFault::Value(1))?),
            NOT_STORED => Self::NotStored(ids_of(fields.need(1)?)?, u32::from_be_bytes(fields.array(2)?)),
            IN_USE => Self::InUse(Ipv6Addr::from(fields.array::<16>(1)?).to_canonical()),
            NAME => Self::Name(name(&fields, 1)?),
            VERIFY => Self::Verify,
            INTRODUCE => Self::Introduce(PublicKey::new(fields.array::<KEY_BYTES>(1)?), name(&fields, 2)?),
            _ => Self::Card(Box::new(ContactCard::decode(&fields)?)),
        }))
    }
}

fn bytes_of(ids: &[MessageId]) -> Vec<u8> {
    ids.iter().flat_map(|id| *id.as_bytes()).collect()
}

fn ids_of(bytes: &[u8]) -> Result<Vec<MessageId>, RecordFault> {
    let (ids, rest) = bytes.as_chunks::<ID_BYTES>();
    if ids.is_empty() || ids.len() > MAX_IDS || !rest.is_empty() {
        return Err(RecordFault::Value(1));
    }
    Ok(ids.iter().map(|id| MessageId::new(*id)).collect())
}

#[cfg(test)]
mod tests;
