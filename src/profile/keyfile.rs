//! The file of a key: three lines that a person can read, copy and write down.
//!
//! ```text
//! p2p-chat key 1
//! secret <the seed, 32 bytes in base32>
//! public <the key that it makes, the same way>
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::model::key::{KEY_BYTES, PublicKey};

/// The first line: what this is, and the version of the format.
const TITLE: &str = "p2p-chat key 1";

/// Bytes that are read of a file: it has 135, or a few more where somebody copied it by hand.
const MAX_BYTES: u64 = 1_000;

/// A secret and the key that it makes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pair {
    /// What RFC 8032, section 5.1.5 calls the private key. It is never shown.
    pub(super) seed: [u8; KEY_BYTES],
    pub(super) public: PublicKey,
}

impl Pair {
    /// The pair of this seed. `None` never happens to one from a good random source, as far as is known.
    pub(super) fn from_seed(seed: [u8; KEY_BYTES]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        Some(Self { seed, public: PublicKey::new(pair.public_key().as_ref().try_into().ok()?) })
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("public", &self.public).finish_non_exhaustive()
    }
}

/// What stands in the file.
pub(super) fn text_of(pair: &Pair) -> String {
    // A seed has as many bytes as a key, and is written the same way.
    format!("{TITLE}\nsecret {}\npublic {}\n", PublicKey::new(pair.seed), pair.public)
}

/// The beginning of the file, a byte longer than it may be.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The pair in the file, or a whole sentence that says what is wrong with it, and repeats nothing that stands there.
pub(super) fn parse(bytes: &[u8]) -> Result<Pair, String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("It has more than {MAX_BYTES} bytes."));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "It is no text.".to_owned())?;
    let mut lines = text.lines().map(str::trim_end);
    match lines.next() {
        None => return Err("It is empty.".into()),
        Some(TITLE) => {}
        Some(_) => return Err(format!("Its first line is not `{TITLE}`.")),
    }
    let seed = value(lines.next(), "secret")?;
    let public = value(lines.next(), "public")?;
    if lines.any(|line| !line.is_empty()) {
        return Err("Something follows its third line.".into());
    }
    match Pair::from_seed(*seed.as_bytes()) {
        Some(pair) if pair.public == public => Ok(pair),
        _ => Err("Its public key is not the one that its secret makes.".into()),
    }
}

fn value(line: Option<&str>, word: &str) -> Result<PublicKey, String> {
    let value = line.and_then(|line| line.strip_prefix(word)).and_then(|rest| rest.strip_prefix(' '));
    let value = value.ok_or_else(|| format!("Its line `{word}` is missing."))?;
    value.parse().map_err(|error| format!("In its line `{word}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 1, in base32 as Python's `base64.b32encode` writes it.
    const VECTOR: &str = "p2p-chat key 1\n\
        secret tvq3dhpp7vngbouejl2jf3bmyrcetrljpmzgsglqhowaghfop5qa\n\
        public 25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkena\n";

    #[test]
    fn the_file_is_read_as_it_is_written_and_as_it_is_documented() {
        let pair = Pair::from_seed([7; KEY_BYTES]).unwrap();
        assert_eq!(parse(text_of(&pair).as_bytes()), Ok(pair));
        let pair = parse(VECTOR.as_bytes()).unwrap();
        assert_eq!((pair.seed[0], text_of(&pair).as_str()), (0x9d, VECTOR));
        // As an editor of another system writes it.
        assert_eq!(parse(VECTOR.replace('\n', "\r\n").as_bytes()), Ok(pair));
    }

    #[test]
    fn the_beginning_of_a_file_is_no_key() {
        // Only the last line end may be missing.
        for length in 0..VECTOR.len() - 1 {
            assert!(parse(&VECTOR.as_bytes()[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_changed_character_is_seen_and_the_secret_is_not_told() {
        for at in 0..VECTOR.len() - 1 {
            let mut bytes = VECTOR.as_bytes().to_vec();
            // To another character that may stand there, or to one that may not.
            for other in *b"ab \xff" {
                bytes[at] = other;
                if bytes == VECTOR.as_bytes() {
                    continue;
                }
                let sentence = parse(&bytes).unwrap_err();
                assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{sentence}");
                assert!(!sentence.contains("tvq3d"), "{sentence}");
            }
        }
    }

    #[test]
    fn each_mistake_is_told() {
        for (text, words) in [
            (String::new(), "It is empty."),
            (VECTOR.replace("key 1", "key 2"), "not `p2p-chat key 1`"),
            (VECTOR.replace("secret", "secrets"), "`secret` is missing"),
            (VECTOR.replace("public", "\npublic"), "`public` is missing"),
            (VECTOR.replace("tvq3", "tvq"), "`secret`: A key has 52 characters, and this has 51."),
            (format!("{VECTOR}more"), "follows its third line"),
            (VECTOR.repeat(10), "more than 1000 bytes"),
        ] {
            let sentence = parse(text.as_bytes()).unwrap_err();
            assert!(sentence.contains(words), "{sentence}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let pair = Pair::from_seed([7; KEY_BYTES]).unwrap();
        assert_eq!(format!("{pair:?}"), format!("Pair {{ public: {}, .. }}", pair.public));
    }
}
