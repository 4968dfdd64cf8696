//! Which of a user's keys: a profile has a name, and a folder that is called after it.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use unicode_normalization::UnicodeNormalization;

use crate::model::name::{MAX_NAME_BYTES, Name};
use crate::model::untrusted::is_harmless;

/// Bytes that a folder's name may have. File systems take 255, but some programs that copy them less.
const MAX_FOLDER_BYTES: usize = 100;

/// Bytes of the digest that tells long names apart, in two digits each: no two of anybody's own are the same by accident.
const DIGEST_BYTES: usize = 8;

/// What one of the user's keys is called: what the user is called, unless they say otherwise. Capitals make no difference.
#[derive(Clone, Debug)]
pub struct Profile(String);

impl Profile {
    /// The name of its folder: small letters, digits, `_` and `-` as they are, and every other byte as `%` and two digits, so that no file system
    /// takes two profiles for one. What is too long is cut, with `+` and the beginning of its SHA-256 instead.
    pub fn folder(&self) -> String {
        let name = self.0.nfc().collect::<String>().to_lowercase();
        let folder: String = name
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => char::from(byte).to_string(),
                byte => format!("%{byte:02x}"),
            })
            .collect();
        if folder.len() <= MAX_FOLDER_BYTES {
            return folder;
        }
        let digest = digest(&SHA256, folder.as_bytes());
        let digits: String =
            digest.as_ref().iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
        format!("{}+{digits}", &folder[..MAX_FOLDER_BYTES - 1 - digits.len()])
    }
}

impl From<&Name> for Profile {
    fn from(name: &Name) -> Self {
        Self(name.as_str().to_owned())
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folder(name: &str) -> String {
        name.parse::<Profile>().unwrap().folder()
    }

    #[test]
    fn a_folder_is_called_after_its_profile() {
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
        // SHA-256 of 101 times `x`, as sha256sum has it.
        assert_eq!(folder(&"X".repeat(101)), format!("{}+c675a2e604b0cd12", "x".repeat(83)));
    }

    #[test]
    fn a_name_that_no_profile_can_have_is_refused_with_a_sentence() {
        for wrong in ["", " ", "a\nb", "\u{1b}[2J", "\u{202e}", &"x".repeat(129)] {
            assert!(wrong.parse::<Profile>().unwrap_err().ends_with('.'));
        }
    }

    proptest! {
        #[test]
        fn a_folder_is_one_that_every_file_system_takes(name in "\\PC{1,32}") {
            if let Ok(profile) = name.parse::<Profile>() {
                let folder = profile.folder();
                prop_assert!((1..=MAX_FOLDER_BYTES).contains(&folder.len()));
                prop_assert!(folder.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'%' | b'+')));
            }
        }

        #[test]
        fn two_profiles_have_two_folders(one in "[a-z%+_é]{1,40}", other in "[a-z%+_é]{1,40}") {
            prop_assert_eq!(folder(&one) == folder(&other), one == other);
        }
    }
}
