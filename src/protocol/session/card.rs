//! Contact cards: the key, name and addresses of an introduced user, signed with their key.

use std::net::SocketAddr;
use std::time::Duration;

use super::fields::{Fields, RecordFault, put};
use super::hello::{MAX_ADDRESSES, addresses, put_addresses, raw_name};
use crate::model::address::PeerAddr;
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::PeerName;

/// The length of a signature in bytes (RFC 8032, section 5.1.6).
pub const SIGNATURE_BYTES: usize = 64;

/// How long a card is valid.
pub const CARD_VALID: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The beginning of the signed bytes, which separates them from anything else that the key signs.
/// TLS signs bytes that begin with 64 spaces (RFC 8446, section 4.4.3).
const SIGNED_FOR: &[u8] = b"p2p-chat/1 contact card\0";

/// A contact card. Only its signature proves that it comes from its owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContactCard {
    /// The key that the card is for. Another key does not accept it.
    pub to: PublicKey,
    /// The key of the card's owner, which signs it.
    pub key: PublicKey,
    /// The owner's name as it is signed: one word.
    name: String,
    /// The time of the card in milliseconds since 1970. It rises with each card of the key.
    pub number: u64,
    /// When the card expires, in milliseconds since 1970.
    pub expires: u64,
    /// The owner's addresses, at most [`MAX_ADDRESSES`].
    addrs: Vec<SocketAddr>,
    /// The signature of [`ContactCard::signed_bytes`].
    pub signature: [u8; SIGNATURE_BYTES],
}

impl ContactCard {
    /// Returns a card of `key` for `to`, without its signature. `now` is in milliseconds since
    /// 1970.
    pub fn unsigned(to: PublicKey, key: PublicKey, name: &PeerName, now: u64, addrs: &[PeerAddr]) -> Self {
        // On another network, a link-local address belongs to another machine.
        let addrs = addrs.iter().map(|addr| addr.socket()).filter(|addr| !addr.to_string().contains('%'));
        let valid = u64::try_from(CARD_VALID.as_millis()).unwrap_or(u64::MAX);
        Self {
            to,
            key,
            name: name.as_str().to_owned(),
            number: now,
            expires: now.saturating_add(valid),
            addrs: addrs.take(MAX_ADDRESSES).collect(),
            signature: [0; SIGNATURE_BYTES],
        }
    }

    /// Returns the card with this signature of [`ContactCard::signed_bytes`].
    #[must_use]
    pub fn signed(self, signature: [u8; SIGNATURE_BYTES]) -> Self {
        Self { signature, ..self }
    }

    /// Returns the owner's name.
    pub fn name(&self) -> PeerName {
        PeerName::new(&self.name)
    }

    /// Returns the owner's addresses.
    pub fn addrs(&self) -> Vec<PeerAddr> {
        self.addrs.iter().filter_map(|addr| PeerAddr::of(*addr)).collect()
    }

    /// Returns whether the card is valid at `now`, in milliseconds since 1970. A card that expires
    /// later than [`CARD_VALID`] from `now` is invalid, with a tolerance of one day for differing
    /// clocks.
    pub fn is_valid_at(&self, now: u64) -> bool {
        let most = (CARD_VALID + Duration::from_secs(24 * 3_600)).as_millis();
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        self.expires > now && self.expires.saturating_sub(now) <= most
    }

    /// Returns the card as a profile saves it: the value of its record.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_fields(&mut bytes);
        bytes
    }

    /// Returns the card with these [bytes](ContactCard::to_bytes). `None` if they are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::decode(&Fields::of(bytes).ok()?).ok()
    }

    /// Returns the bytes that are signed: a text that names the purpose, then all fields except the
    /// signature.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = SIGNED_FOR.to_vec();
        self.encode_signed(&mut bytes);
        bytes
    }

    fn encode_signed(&self, to: &mut Vec<u8>) {
        put(to, 1, self.to.as_bytes());
        put(to, 2, self.key.as_bytes());
        put(to, 3, self.name.as_bytes());
        put(to, 4, &self.number.to_be_bytes());
        put(to, 5, &self.expires.to_be_bytes());
        if !self.addrs.is_empty() {
            put_addresses(to, 6, &self.addrs);
        }
    }

    pub(super) fn encode_fields(&self, to: &mut Vec<u8>) {
        self.encode_signed(to);
        put(to, 7, &self.signature);
    }

    pub(super) fn decode(fields: &Fields<'_>) -> Result<Self, RecordFault> {
        Ok(Self {
            to: PublicKey::new(fields.array::<KEY_BYTES>(1)?),
            key: PublicKey::new(fields.array::<KEY_BYTES>(2)?),
            name: raw_name(fields, 3)?.to_owned(),
            number: u64::from_be_bytes(fields.array(4)?),
            expires: u64::from_be_bytes(fields.array(5)?),
            addrs: match fields.at(6) {
                Some(bytes) => addresses(bytes).ok_or(RecordFault::Value(6))?,
                None => Vec::new(),
            },
            signature: fields.array(7)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_is_valid_for_seven_days() {
        let (day, now) = (24 * 3_600_000, 1_700_000_000_000);
        let [to, key] = [1, 2].map(|byte| PublicKey::new([byte; KEY_BYTES]));
        let addrs = ["192.0.2.7:5000", "[fe80::1%2]:5000"].map(|addr| addr.parse().unwrap());
        let card = ContactCard::unsigned(to, key, &PeerName::new("Bob"), now, &addrs);
        assert_eq!((card.addrs(), card.name()), (vec![addrs[0]], PeerName::new("Bob")));
        for (at, valid) in [
            (now, true),
            (now - day, true),
            (now + 7 * day - 1, true),
            (now + 7 * day, false),
            (now - day - 1, false),
        ] {
            assert_eq!(card.is_valid_at(at), valid, "{at}");
        }
        assert!(!ContactCard { expires: u64::MAX, ..card }.is_valid_at(now));
    }
}
