//! The directory of a profile, whose name is made from the profile's name.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

use crate::crypto::sha256;
use crate::model::name::{MAX_NAME_BYTES, Name};
use crate::model::untrusted::is_harmless;

/// Bytes of a directory name, at most. File systems allow 255, some copying programs less.
const MAX_DIRECTORY_BYTES: usize = 100;

/// Bytes of the digest that distinguishes long names. Each is written as two hexadecimal digits.
const DIGEST_BYTES: usize = 8;

/// Bytes of a long name before its digest.
const CUT_BYTES: usize = MAX_DIRECTORY_BYTES - 1 - 2 * DIGEST_BYTES;

/// A profile, by its directory.
///
/// The directory is named after the first name of the profile, or as `--profile` says. It never
/// changes. Names that differ only in case have the same directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    directory: String,
}

impl Profile {
    /// Returns the profile called `text`. In the directory's name, lower-case letters, digits, `_`
    /// and `-` stay. Every other byte is written as `%` and two hexadecimal digits, so that two
    /// profiles never share a directory, even on a file system that ignores case. A long name is
    /// cut and ends in `+` and the beginning of its SHA-256.
    fn called(text: &str) -> Self {
        let directory: String = text
            .nfc()
            .collect::<String>()
            .to_lowercase()
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => char::from(byte).to_string(),
                byte => format!("%{byte:02x}"),
            })
            .collect();
        if directory.len() <= MAX_DIRECTORY_BYTES {
            return Self { directory };
        }
        let digest = sha256(directory.as_bytes());
        let digits: String = digest.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self { directory: format!("{}+{digits}", &directory[..CUT_BYTES]) }
    }

    /// Returns the profile in this directory.
    pub(crate) fn in_directory(directory: &str) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Returns the name of the directory.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// Returns the name that the directory was made from, in lower case. `None` if that was cut, or
    /// if another program made the directory.
    pub fn text(&self) -> Option<String> {
        let mut bytes = Vec::new();
        let mut rest = self.directory.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let mut digit = || char::from(rest.next()?).to_digit(16);
                    u8::try_from(digit()? * 16 + digit()?).ok()?
                }
                byte => byte,
            });
        }
        let text = String::from_utf8(bytes).ok()?;
        (Self::called(&text) == *self && is_harmless(&text)).then_some(text)
    }

    /// Returns the name of a profile whose profile.toml has none: that of its directory, changed if
    /// it is not a valid name.
    pub(crate) fn default_name(&self) -> Option<Name> {
        let text = self.text()?;
        match text.parse::<Name>() {
            Ok(name) => Some(name),
            Err(error) => error.suggestion()?.parse().ok(),
        }
    }
}

impl From<&Name> for Profile {
    fn from(name: &Name) -> Self {
        Self::called(name.as_str())
    }
}

/// Writes the argument of `--profile` that means this profile.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text().unwrap_or_else(|| self.directory.clone()))
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("a profile needs a name.".into());
        }
        if text.len() > MAX_NAME_BYTES {
            return Err(format!("the name of a profile has at most {MAX_NAME_BYTES} bytes."));
        }
        if !is_harmless(text) {
            return Err("the name of a profile has no control or invisible characters.".into());
        }
        Ok(if is_cut(text) { Self::in_directory(text) } else { Self::called(text) })
    }
}

/// Whether `text` is the directory of a long name, as lists of profiles show it.
fn is_cut(text: &str) -> bool {
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    let is_letter = |c: char| is_digit(c) || matches!(c, 'g'..='z' | '_' | '-' | '%');
    text.len() == MAX_DIRECTORY_BYTES
        && text.split_once('+').is_some_and(|(cut, digest)| {
            cut.len() == CUT_BYTES && cut.chars().all(is_letter) && digest.chars().all(is_digit)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folder(name: &str) -> String {
        name.parse::<Profile>().unwrap().directory().to_owned()
    }

    #[test]
    fn directory_is_named_after_its_profile() {
        for (name, expected) in [
            ("Alice", "alice"),
            ("bob_2-b", "bob_2-b"),
            ("At work", "at%20work"),
            ("../x", "%2e%2e%2fx"),
            ("Zoë", "zo%c3%ab"),
            ("ZOE\u{308}", "zo%c3%ab"),
            ("100%", "100%25"),
            (&"x".repeat(100), &"x".repeat(100)),
        ] {
            assert_eq!(folder(name), expected);
        }
        // The digits are from `sha256sum` of 101 times `x`.
        assert_eq!(folder(&"X".repeat(101)), format!("{}+c675a2e604b0cd12", "x".repeat(83)));
    }

    #[test]
    fn displayed_profile_is_accepted_as_the_same_profile() {
        for (name, shown) in [("Alice", "alice"), ("At work", "at work"), ("ZOE\u{308}", "zo\u{eb}")] {
            let profile: Profile = name.parse().unwrap();
            assert_eq!(profile.to_string(), shown);
            assert_eq!(shown.parse(), Ok(profile));
        }
        let cut: Profile = "X".repeat(101).parse().unwrap();
        assert_eq!(cut.to_string(), cut.directory());
        assert_eq!(cut.to_string().parse(), Ok(cut));
        // A directory that another program made.
        assert_eq!(Profile::in_directory("%zz").to_string(), "%zz");
    }

    #[test]
    fn default_name_is_a_valid_name() {
        for (profile, name) in [("Alice", "alice"), ("At work", "at_work"), ("42", "peer-42")] {
            let profile: Profile = profile.parse().unwrap();
            assert_eq!(profile.default_name().map(|name| name.to_string()).as_deref(), Some(name));
        }
        assert_eq!("x".repeat(101).parse::<Profile>().unwrap().default_name(), None);
    }

    #[test]
    fn invalid_profile_name_is_refused_with_a_sentence() {
        for wrong in ["", " ", "a\nb", "\u{1b}[2J", "\u{202e}", &"x".repeat(129)] {
            assert!(wrong.parse::<Profile>().unwrap_err().ends_with('.'));
        }
    }

    proptest! {
        #[test]
        fn directory_suits_every_file_system(name in "\\PC{1,32}") {
            if let Ok(profile) = name.parse::<Profile>() {
                let folder = profile.directory().to_owned();
                prop_assert!((1..=MAX_DIRECTORY_BYTES).contains(&folder.len()));
                prop_assert!(folder.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'%' | b'+')));
            }
        }

        #[test]
        fn profiles_never_share_a_directory(one in "[a-z%+_é]{1,40}", other in "[a-z%+_é]{1,40}") {
            prop_assert_eq!(folder(&one) == folder(&other), one == other);
        }
    }
}
