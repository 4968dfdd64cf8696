//! The cryptography outside TLS: unique ids, the code that two people compare, signatures of
//! contact cards, and the announcement that only contacts recognize.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use aws_lc_rs::{hmac, pbkdf2, rand};

use crate::core::code_input;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::protocol::session::ContactCard;

/// Digits of a short code. A man in the middle chooses both keys that he shows, so he searches for
/// a collision. This takes the square root of the number of codes: with 30 digits (99 bits) and
/// `CODE_ROUNDS` for each try, about 2^66 rounds.
pub(crate) const CODE_DIGITS: usize = 30;

/// Rounds of PBKDF2 for a short code. They take 20 ms, once to show the code and again for each
/// try to find a collision.
const CODE_ROUNDS: NonZeroU32 = NonZeroU32::new(100_000).expect("not zero");

/// The purpose of a short code, so that nothing else results in the same bytes.
const CODE_SALT: &[u8] = b"p2p-chat/1 verify";

/// Bytes that a group of five digits is made of: so many that no digit is noticeably likelier than
/// another.
const GROUP_BYTES: usize = 5;

/// Digits of such a group.
const GROUP_DIGITS: usize = 5;

/// Returns the SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut out = [0; SHA256_OUTPUT_LEN];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// An id for a new text, or nothing where the system gives no random bytes.
pub(crate) fn message_id() -> Option<MessageId> {
    random().map(MessageId::new)
}

/// The length of the random number in an announcement for contacts, in bytes.
pub(crate) const NONCE_BYTES: usize = 16;

/// The length of the digest in an announcement for contacts, in bytes before hexadecimal encoding.
const TOKEN_BYTES: usize = 8;

/// Separates this digest from any other use of the same key.
const TOKEN_SALT: &[u8] = b"p2p-chat discovery";

/// Returns random bytes. `None` if the system gives none.
pub(crate) fn random<const BYTES: usize>() -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Returns the instance name in an announcement for contacts: 16 hexadecimal digits. `hour` is
/// counted from 1970. Without the key, no one can tell whose announcement it is.
pub(crate) fn discovery_token(key: PublicKey, hour: u64, nonce: &[u8; NONCE_BYTES]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
    [TOKEN_SALT, &hour.to_be_bytes(), nonce].into_iter().for_each(|part| context.update(part));
    hex(&context.sign().as_ref()[..TOKEN_BYTES])
}

/// Returns bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the bytes that hexadecimal digits stand for.
pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<_>>().filter(|_| rest.is_empty())
}

/// The code that is the same on the screens of those who hold these two keys, and that nobody else
/// can make: digits alone, which takes some milliseconds.
pub(crate) fn short_code(one: PublicKey, other: PublicKey) -> String {
    let mut bytes = [0; CODE_DIGITS / GROUP_DIGITS * GROUP_BYTES];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, CODE_ROUNDS, CODE_SALT, &code_input(one, other), &mut bytes);
    let number = |group: &[u8]| group.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    bytes.chunks(GROUP_BYTES).map(|group| format!("{:05}", number(group) % 100_000)).collect()
}

/// Returns whether a contact card is signed by its owner's key (Ed25519, RFC 8032).
pub fn is_signed(card: &ContactCard) -> bool {
    let key = UnparsedPublicKey::new(&ED25519, card.key.as_bytes());
    key.verify(&card.signed_bytes(), &card.signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_compute_the_test_vector() {
        let (one, other) = (PublicKey::new([1; 32]), PublicKey::new([2; 32]));
        // docs/PROTOCOL.md
        let vector = "689449071507249303500876352055";
        assert_eq!(short_code(one, other), vector);
        assert_eq!(short_code(other, one), vector);
        assert_eq!(vector.len(), CODE_DIGITS);
        assert_ne!(short_code(one, PublicKey::new([3; 32])), vector);
    }

    #[test]
    fn announcement_has_the_digest_of_the_test_vector() {
        let key = PublicKey::new([1; 32]);
        // docs/PROTOCOL.md
        assert_eq!(discovery_token(key, 500_000, &[2; NONCE_BYTES]), "ec66ba80083f662a");
        assert_ne!(discovery_token(key, 500_001, &[2; NONCE_BYTES]), "ec66ba80083f662a");
        assert_ne!(discovery_token(key, 500_000, &[3; NONCE_BYTES]), "ec66ba80083f662a");
    }

    #[test]
    fn changed_card_is_not_signed() {
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

        use crate::model::name::PeerName;

        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let key = PublicKey::new(pair.public_key().as_ref().try_into().expect("32 bytes"));
        let addrs = ["192.0.2.7:5000".parse().expect("an address")];
        let unsigned = |to, name, now, addrs: &[_]| {
            ContactCard::unsigned(PublicKey::new([to; 32]), key, &PeerName::new(name), now, addrs)
        };
        let card = unsigned(1, "Bob", 1_000, &addrs);
        let signature = pair.sign(&card.signed_bytes()).as_ref().try_into().expect("64 bytes");
        assert!(is_signed(&card.clone().signed(signature)));
        for changed in [
            unsigned(2, "Bob", 1_000, &addrs),
            unsigned(1, "Rob", 1_000, &addrs),
            unsigned(1, "Bob", 1_001, &addrs),
            unsigned(1, "Bob", 1_000, &[]),
            {
                let mut of_another = card;
                of_another.key = PublicKey::new([3; 32]);
                of_another
            },
        ] {
            assert!(!is_signed(&changed.signed(signature)));
        }
    }

    #[test]
    fn no_two_ids_are_the_same() {
        assert_ne!(message_id().expect("random bytes"), message_id().expect("random bytes"));
    }
}
