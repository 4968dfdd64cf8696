//! The key file: three lines that a person can read, copy and write down.
//!
//! ```text
//! p2p-chat key 1
//! secret <the seed, 32 bytes in base32>
//! public <the public key, in base32>
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::model::key::{self, KEY_BYTES, KEY_CHARS, KeyError, PublicKey};

/// The first line, with the version of the format.
const TITLE: &str = "p2p-chat key 1";

/// Bytes of a key file, at most. It has 135, and a few more if it was copied by hand.
const MAX_BYTES: usize = 1_000;

/// The private half of an Ed25519 key (RFC 8032, section 5.1.5). Its memory is overwritten when it
/// is dropped.
pub(super) type Seed = Zeroizing<[u8; KEY_BYTES]>;

/// A private key and its public key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pair {
    /// The private key. It is never shown.
    pub(super) seed: Seed,
    pub(super) public: PublicKey,
}

impl Pair {
    /// Returns the pair of this seed. `None` if aws-lc rejects the seed, which is not expected
    /// of a random one.
    pub(super) fn from_seed(seed: Seed) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).ok()?;
        Some(Self { seed, public: PublicKey::new(pair.public_key().as_ref().try_into().ok()?) })
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Returns the text of the file.
pub(super) fn text_of(pair: &Pair) -> Zeroizing<Vec<u8>> {
    // A seed has as many bytes as a public key and the same text form.
    let mut seed = Zeroizing::new([0; KEY_CHARS]);
    key::encode(&pair.seed, &mut seed);
    // Large enough from the start: a vector that grows leaves a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    let public = pair.public.to_string();
    for part in [TITLE.as_bytes(), b"\nsecret ", &*seed, b"\npublic ", public.as_bytes(), b"\n"] {
        text.extend_from_slice(part);
    }
    text
}

/// Reads the file, but at most one byte more than is allowed.
pub(super) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // Not `read_to_end`, which may grow the vector and leave a copy behind.
    let mut bytes = Zeroizing::new(vec![0; MAX_BYTES + 1]);
    let mut file = File::open(path)?;
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Returns the pair in the file, or a sentence about its first mistake. The sentence quotes nothing
/// from the file, which may hold the secret.
pub(super) fn parse(bytes: &[u8]) -> Result<Pair, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("It has more than {MAX_BYTES} bytes."));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "It is not text.".to_owned())?;
    let mut lines = text.lines().map(str::trim_end);
    match lines.next() {
        None => return Err("It is empty.".into()),
        Some(TITLE) => {}
        Some(_) => return Err(format!("Its first line is not `{TITLE}`.")),
    }
    let mut seed = Seed::default();
    value(lines.next(), "secret", |text| key::decode(text, &mut seed))?;
    let public = value(lines.next(), "public", str::parse::<PublicKey>)?;
    if lines.any(|line| !line.is_empty()) {
        return Err("Something follows its third line.".into());
    }
    match Pair::from_seed(seed) {
        Some(pair) if pair.public == public => Ok(pair),
        _ => Err("Its public key does not match its secret key.".into()),
    }
}

/// Returns what `read` makes of the value in a line that begins with `word`.
fn value<T>(
    line: Option<&str>,
    word: &str,
    read: impl FnOnce(&str) -> Result<T, KeyError>,
) -> Result<T, String> {
    let value = line.and_then(|line| line.strip_prefix(word)).and_then(|rest| rest.strip_prefix(' '));
    let value = value.ok_or_else(|| format!("Its line `{word}` is missing."))?;
    read(value).map_err(|error| format!("In its line `{word}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 1, in base32 as Python's `base64.b32encode` writes it.
    const VECTOR: &str = "p2p-chat key 1\n\
        secret tvq3dhpp7vngbouejl2jf3bmyrcetrljpmzgsglqhowaghfop5qa\n\
        public 25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkena\n";

    #[test]
    fn documented_and_written_files_can_be_read() {
        let pair = Pair::from_seed(Seed::new([7; KEY_BYTES])).unwrap();
        assert_eq!(parse(&text_of(&pair)), Ok(pair));
        let pair = parse(VECTOR.as_bytes()).unwrap();
        assert_eq!((pair.seed[0], &text_of(&pair)[..]), (0x9d, VECTOR.as_bytes()));
        // With the line ends of Windows.
        assert_eq!(parse(VECTOR.replace('\n', "\r\n").as_bytes()), Ok(pair));
    }

    #[test]
    fn truncated_file_is_refused() {
        // Only the last line end may be missing.
        for length in 0..VECTOR.len() - 1 {
            assert!(parse(&VECTOR.as_bytes()[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn error_about_a_changed_character_hides_the_secret() {
        for at in 0..VECTOR.len() - 1 {
            let mut bytes = VECTOR.as_bytes().to_vec();
            // Valid and invalid characters.
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
    fn each_mistake_has_its_own_error() {
        for (text, words) in [
            (String::new(), "It is empty."),
            (VECTOR.replace("key 1", "key 2"), "not `p2p-chat key 1`"),
            (VECTOR.replace("secret", "secrets"), "`secret` is missing"),
            (VECTOR.replace("public", "\npublic"), "`public` is missing"),
            (VECTOR.replace("tvq3", "tvq"), "`secret`: A key has 52 characters; this one has 51."),
            (format!("{VECTOR}more"), "follows its third line"),
            (VECTOR.repeat(10), "more than 1000 bytes"),
        ] {
            let sentence = parse(text.as_bytes()).unwrap_err();
            assert!(sentence.contains(words), "{sentence}");
        }
    }

    #[test]
    fn file_is_read_up_to_its_limit() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("key");
        for (length, read_length) in [(0, 0), (135, 135), (MAX_BYTES, MAX_BYTES), (5_000, MAX_BYTES + 1)] {
            std::fs::write(&path, vec![b'x'; length]).unwrap();
            assert_eq!(read(&path).unwrap().len(), read_length);
        }
    }

    #[test]
    fn dropped_secret_is_overwritten() {
        // Safe code cannot look at freed memory, so the compiler checks the types.
        fn overwrites(_: &impl zeroize::ZeroizeOnDrop) {}

        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("key");
        let pair = Pair::from_seed(Seed::new([7; KEY_BYTES])).unwrap();
        overwrites(&pair.seed);
        overwrites(&text_of(&pair));
        std::fs::write(&path, VECTOR).unwrap();
        overwrites(&read(&path).unwrap());
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let pair = Pair::from_seed(Seed::new([7; KEY_BYTES])).unwrap();
        assert_eq!(format!("{pair:?}"), format!("Pair {{ public: {}, .. }}", pair.public));
    }
}
