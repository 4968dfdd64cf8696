//! Public keys, and how they are written.
//!
//! One spelling serves receipts, `peers.toml`, contacts and the screen: the whole key, not a hash.

use std::fmt;
use std::str::FromStr;

/// Bytes of an Ed25519 public key (RFC 8032, section 5.1.5).
pub const KEY_BYTES: usize = 32;

/// Characters of a key in writing: five bits each, four bits of the last one unused.
pub const KEY_CHARS: usize = (KEY_BYTES * 8).div_ceil(5);

/// Characters of a group of a key on the screen: as many as people read aloud at once.
const GROUP_CHARS: usize = 4;

/// The alphabet of base32 (RFC 4648, section 6) in lower case, without padding. It lacks 0, 1, 8
/// and 9, which look like letters.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The public key of a peer. Only a handshake proves that a peer holds it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    /// Makes a key of any bytes. One that is no point of the curve never proves anything.
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, as they are signed and sent.
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key for comparing: groups of four characters with spaces between.
    pub const fn grouped(self) -> Grouped {
        Grouped(self)
    }

    /// The first eight characters, in two groups: enough to recognize a key, not to verify it.
    pub fn short(&self) -> String {
        let chars = self.chars();
        let (first, second) = (&chars[..GROUP_CHARS], &chars[GROUP_CHARS..2 * GROUP_CHARS]);
        format!("{} {}", String::from_utf8_lossy(first), String::from_utf8_lossy(second))
    }

    /// The key in base32.
    fn chars(&self) -> [u8; KEY_CHARS] {
        let mut chars = [0; KEY_CHARS];
        encode(&self.0, &mut chars);
        chars
    }
}

/// Writes these bytes in base32. In place, so that a caller with secret bytes can overwrite both.
pub(crate) fn encode(bytes: &[u8; KEY_BYTES], chars: &mut [u8; KEY_CHARS]) {
    for (index, char) in chars.iter_mut().enumerate() {
        // Five bits lie in at most two bytes; behind the last one are zeros.
        let (first, shift) = (index * 5 / 8, index * 5 % 8);
        let next = bytes.get(first + 1).copied().unwrap_or(0);
        let both = u16::from_be_bytes([bytes[first], next]);
        *char = ALPHABET[usize::from(both >> (11 - shift) & 31)];
    }
}

/// 52 characters without a space, as it is written in files and on the wire.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.chars()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key in 13 groups of four characters; see [`PublicKey::grouped`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grouped(PublicKey);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.0.chars().chunks(GROUP_CHARS).enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{}", String::from_utf8_lossy(group))?;
        }
        Ok(())
    }
}

/// Why a text is not a key. Displays as a whole sentence for the user, without the text.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyError {
    /// A character that no key has, at this place, counted from 1 without spaces and hyphens.
    #[error("Character {0} of the key is invalid; keys have only the letters a to z and the digits 2 to 7.")]
    Character(usize),
    /// This wrong number of characters.
    #[error("A key has {KEY_CHARS} characters; this one has {0}.")]
    Length(usize),
    /// The last character has more bits than a key, so some character is wrong.
    #[error("The last character of the key is wrong; check the key for typing errors.")]
    LeftOver,
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Accepts capitals, white space and hyphens, because people copy keys so.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; KEY_BYTES];
        decode(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// Reads bytes that [`encode`] wrote. In place, as there. After an error some of them are written.
pub(crate) fn decode(text: &str, bytes: &mut [u8; KEY_BYTES]) -> Result<(), KeyError> {
    let (mut bits, mut held, mut count) = (0u16, 0, 0);
    for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let value =
            ALPHABET.iter().zip(0u16..).find(|(known, _)| char::from(**known) == c.to_ascii_lowercase());
        let (_, value) = value.ok_or(KeyError::Character(count + 1))?;
        // Between two characters at most seven bits are held, so nothing is lost at the top.
        bits = bits << 5 | value;
        held += 5;
        if held >= 8 {
            held -= 8;
            if let Some(byte) = bytes.get_mut(count * 5 / 8) {
                *byte = (bits >> held & 0xff) as u8;
            }
        }
        bits &= (1 << held) - 1;
        count += 1;
    }
    if count != KEY_CHARS {
        return Err(KeyError::Length(count));
    }
    if bits != 0 {
        return Err(KeyError::LeftOver);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made with another implementation: `base64.b32encode` of Python, in small letters and without
    /// `=`.
    const VECTORS: [([u8; KEY_BYTES], &str); 3] = [
        ([1; KEY_BYTES], "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq"),
        ([2; KEY_BYTES], "aibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaiba"),
        ([255; KEY_BYTES], "777777777777777777777777777777777777777777777777777q"),
    ];

    #[test]
    fn a_key_is_written_in_base32() {
        for (bytes, text) in VECTORS {
            assert_eq!(PublicKey::new(bytes).to_string(), text);
            assert_eq!(text.parse(), Ok(PublicKey::new(bytes)));
        }
    }

    #[test]
    fn a_key_is_shown_in_thirteen_groups() {
        let grouped = PublicKey::new([1; KEY_BYTES]).grouped().to_string();
        assert_eq!(grouped, "aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq");
    }

    #[test]
    fn invalid_key_is_refused_with_its_reason() {
        let [(_, good), ..] = VECTORS;
        for (wrong, error) in [
            (String::new(), KeyError::Length(0)),
            (good[1..].into(), KeyError::Length(51)),
            (format!("{good}a"), KeyError::Length(53)),
            (good.repeat(2_000), KeyError::Length(104_000)),
            (good.replacen('q', "1", 1), KeyError::Character(4)),
            (format!("aeaq - {}", "\u{202e}"), KeyError::Character(5)),
            (good.replacen('q', "é", 1), KeyError::Character(4)),
            (format!("{}r", &good[..51]), KeyError::LeftOver),
        ] {
            let found = wrong.parse::<PublicKey>().expect_err("no key");
            assert_eq!(found, error);
            let sentence = found.to_string();
            assert!(sentence.starts_with(char::is_uppercase) && sentence.ends_with('.'), "{sentence}");
        }
    }

    proptest! {
        #[test]
        fn key_is_read_as_people_copy_it(bytes: [u8; KEY_BYTES]) {
            let key = PublicKey::new(bytes);
            prop_assert_eq!(key.to_string().parse(), Ok(key));
            prop_assert_eq!(key.to_string().to_uppercase().parse(), Ok(key));
            prop_assert_eq!(key.grouped().to_string().parse(), Ok(key));
            prop_assert_eq!(key.grouped().to_string().replace(' ', "-\n\t").parse(), Ok(key));
        }

        #[test]
        fn no_two_texts_are_the_same_key(text in "[a-z2-7]{52}") {
            if let Ok(key) = text.parse::<PublicKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }
}
