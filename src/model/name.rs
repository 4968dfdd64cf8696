//! Names: our own, which every program takes for one word, and those that peers claim.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use smol_str::SmolStr;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::address::PeerAddr;
use super::untrusted;

/// Columns of our own name at most, and of a peer's name on the screen: a third of a usual line.
pub const MAX_NAME_COLUMNS: usize = 32;

/// Bytes of our own name at most: 32 columns of the longest UTF-8 characters. Combining marks take no
/// column, so columns alone do not bound it.
pub const MAX_NAME_BYTES: usize = 4 * MAX_NAME_COLUMNS;

/// The Braille pattern without dots. It looks like a space, so one name could read as several words.
const BLANK: char = '\u{2800}';

/// Our own name: one word of 1 to [`MAX_NAME_COLUMNS`] columns for every program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name(Arc<str>);

impl Name {
    /// The name as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a string cannot be our name, and a similar one that can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    why: &'static str,
    suggestion: Option<String>,
}

impl NameError {
    /// A valid name that is similar, if there is one.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)?;
        match &self.suggestion {
            Some(name) => write!(f, "; how about `{name}`?"),
            None => f.write_str("."),
        }
    }
}

impl std::error::Error for NameError {}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match name_fault(text) {
            None => Ok(Self(text.into())),
            Some(why) => Err(NameError { why, suggestion: corrected(text) }),
        }
    }
}

/// The characters that begin a command and a recipient.
const PROMPT_SIGNS: [char; 2] = ['/', '@'];

/// Parses the user's own name for a peer. It is a name that the prompt takes for nothing else where
/// it stands at the beginning of a line.
///
/// # Errors
/// Why it cannot be one, with one that can.
pub fn alias(text: &str) -> Result<Name, NameError> {
    let name: Name = text.parse()?;
    if !text.starts_with(PROMPT_SIGNS) {
        return Ok(name);
    }
    let bare = text.trim_start_matches(PROMPT_SIGNS);
    Err(NameError {
        why: "An alias does not begin with / or @, which begin a command and a recipient",
        suggestion: Some(bare.to_owned()).filter(|bare| name_fault(bare).is_none()),
    })
}

/// Returns what is wrong with `text` as our name.
fn name_fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("A name needs at least one character");
    }
    if text.contains(char::is_whitespace) {
        return Some("A name is one word, without spaces");
    }
    if !untrusted::is_harmless(text) || text.contains(BLANK) {
        return Some("A name has no control or invisible characters");
    }
    if text.width() > MAX_NAME_COLUMNS || text.len() > MAX_NAME_BYTES {
        return Some("A name has at most 32 columns");
    }
    if text.width() == 0 {
        return Some("A name needs at least one visible character");
    }
    if text.eq_ignore_ascii_case("all") {
        return Some("The prompt understands `all` as everybody, so nobody can be called that");
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Some("The prompt understands a number as a row of the peer list, so a name needs a letter");
    }
    if text.parse::<PeerAddr>().is_ok() || text.parse::<IpAddr>().is_ok() {
        return Some("The prompt understands that as an address, so a name has to look different");
    }
    if text.contains("CONNECT_REQUEST") {
        return Some("CONNECT_REQUEST is a command to older programs, so a name cannot hold it");
    }
    None
}

/// Returns a valid name that is similar to `text`, if there is one.
fn corrected(text: &str) -> Option<String> {
    let joined =
        text.split_whitespace().collect::<Vec<_>>().join("_").replace("CONNECT_REQUEST", "CONNECT-REQUEST");
    let mut name = String::new();
    for c in joined.chars() {
        let mut longer = name.clone();
        longer.push(c);
        if !untrusted::is_harmless(&longer) || c == BLANK {
            continue;
        }
        if longer.width() > MAX_NAME_COLUMNS || longer.len() > MAX_NAME_BYTES {
            break;
        }
        name = longer;
    }
    if !name.is_empty() && name_fault(&name).is_some() {
        name.insert_str(0, "peer-");
    }
    (name_fault(&name).is_none()).then_some(name)
}

/// The name that a peer claims: made harmless, in the composed spelling of Unicode (NFC, UAX #15),
/// and cut to [`MAX_NAME_COLUMNS`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PeerName(SmolStr);

impl PeerName {
    /// Takes the name field of a message, or a name from peers.toml.
    pub fn new(raw: &str) -> Self {
        // Nearly all names are like this, and every message has one. They need no escapes.
        if raw.len() <= MAX_NAME_COLUMNS && raw.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Self(raw.into());
        }
        // One spelling, so that no two names look the same and differ.
        let spelt: String = raw.nfc().collect();
        Self(shortened(&untrusted::harmless(&spelt).replace(BLANK, r"\u{2800}"), MAX_NAME_COLUMNS).into())
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the form of a name in which names are compared: two names that differ only in case, in
/// compatibility characters (NFKC, UAX #15) or in emoji presentation have the same form.
pub fn folded(name: &str) -> String {
    // Most names, and a fraction of the time.
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // A selector between a letter and its accent would keep the two from being composed.
    let messages = name.chars().filter(|c| !matches!(c, '\u{fe0e}' | '\u{fe0f}'));
    let lower = messages.nfkc().collect::<String>().to_lowercase();
    // Lowercasing can undo the normalization: `İ` becomes two characters.
    lower.nfkc().collect()
}

/// Columns of a text that an error about it repeats: enough to find it in a file of long lines.
const MAX_QUOTED_COLUMNS: usize = 60;

/// Returns a text for an error about it: harmless, and shortened.
pub fn quoted(text: &str) -> String {
    shortened(&untrusted::harmless(text), MAX_QUOTED_COLUMNS)
}

/// Returns `text` if it takes at most `columns`, else its beginning and an ellipsis in as many.
pub fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns && text.len() <= 4 * columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for grapheme in text.graphemes(true) {
        // The width of the whole is not always that of its parts: what follows can make a character wide.
        let end = short.len();
        short.push_str(grapheme);
        if short.width() + 1 > columns || short.len() > 4 * columns {
            short.truncate(end);
            break;
        }
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_that_cannot_be_is_refused_with_one_that_can() {
        for (wrong, suggestion) in [
            ("Alice Smith", Some("Alice_Smith")),
            (" Al\tice ", Some("Al_ice")),
            ("a\u{202e}b", Some("ab")),
            ("a\u{2800}b", Some("ab")),
            ("all", Some("peer-all")),
            ("ALL", Some("peer-ALL")),
            ("42", Some("peer-42")),
            ("127.0.0.1", Some("peer-127.0.0.1")),
            ("xCONNECT_REQUESTx", Some("xCONNECT-REQUESTx")),
            ("", None),
            ("\u{200b}", None),
            ("\u{3000}", None),
        ] {
            let error = wrong.parse::<Name>().expect_err(wrong);
            assert_eq!(error.suggestion(), suggestion, "{wrong:?}");
        }
        let long = "x".repeat(33).parse::<Name>().expect_err("33 columns");
        assert_eq!(long.suggestion(), Some("x".repeat(32).as_str()));
    }

    #[test]
    fn alias_does_not_begin_like_a_command_or_recipient() {
        for (wrong, suggestion) in [
            ("/boss", Some("boss")),
            ("@boss", Some("boss")),
            ("//@boss", Some("boss")),
            ("/", None),
            ("@7", None),
        ] {
            assert_eq!(alias(wrong).expect_err(wrong).suggestion(), suggestion, "{wrong}");
        }
        assert!(alias("a b").is_err());
        for fits in ["Boss", "a/b", "a@b"] {
            assert_eq!(alias(fits).expect(fits).as_str(), fits);
        }
    }

    #[test]
    fn names_that_look_alike_fold_to_one_form() {
        for (one, other) in [
            ("BOB", "bob"),
            ("\u{ff22}ob", "bob"),
            ("Bob\u{fe0f}", "bob"),
            ("Andr\u{e9}", "ANDRE\u{301}"),
            ("Andr\u{e9}", "Andre\u{fe0f}\u{301}"),
            ("\u{fb01}ona", "FIONA"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} and {other}");
        }
        assert_ne!(folded("Bob"), folded("Rob"));
    }

    #[test]
    fn a_name_is_measured_in_columns() {
        assert!("王".repeat(16).parse::<Name>().is_ok());
        assert!("王".repeat(17).parse::<Name>().is_err());
        assert!("Zoë".parse::<Name>().is_ok());
        assert!("e\u{301}".repeat(32).parse::<Name>().is_ok());
    }

    #[test]
    fn a_character_that_its_follower_makes_wide_is_measured_with_it() {
        assert_eq!(shortened("0\u{fe0f} and more", 2), "…");
        assert_eq!(shortened("0\u{fe0f} and more", 3), "0\u{fe0f}…");
    }

    #[test]
    fn a_peers_name_is_shown_harmless_and_no_longer_than_ours_may_be() {
        assert_eq!(PeerName::new("Bob:\u{2800}hi").as_str(), r"Bob:\u{2800}hi");
        assert_eq!(PeerName::new("Bob\x1b[2J").as_str(), r"Bob\x1b[2J");
        assert_eq!(PeerName::new(&"x".repeat(40)).as_str(), format!("{}…", "x".repeat(31)));
    }

    proptest! {
        #[test]
        fn a_suggested_name_is_always_valid(text: String) {
            if let Err(error) = text.parse::<Name>()
                && let Some(name) = error.suggestion()
            {
                prop_assert!(name.parse::<Name>().is_ok());
            }
        }

        #[test]
        fn a_shortened_text_never_takes_more_columns_than_it_may(text: String, columns in 1usize..40) {
            prop_assert!(shortened(&text, columns).width() <= columns);
        }
    }
}
