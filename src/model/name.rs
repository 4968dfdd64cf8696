//! Names: our own, which every program reads as one word, and those that peers claim.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use smol_str::SmolStr;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::{
    GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection, confusable_detection,
};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::address::PeerAddr;
use super::untrusted;

/// The maximum width of our own name, and of a peer's name on the screen, in columns: a third of a
/// typical line.
pub const MAX_NAME_COLUMNS: usize = 32;

/// The maximum length of our own name in bytes: 32 columns of the longest UTF-8 characters.
/// Combining marks take no columns, so columns alone do not bound it.
pub const MAX_NAME_BYTES: usize = 4 * MAX_NAME_COLUMNS;

/// The Braille pattern without dots. It looks like a space, so one name could read as several
/// words.
const BLANK: char = '\u{2800}';

/// Our own name: one word of 1 to [`MAX_NAME_COLUMNS`] columns for every program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name(Arc<str>);

impl Name {
    /// Returns the name as it is sent.
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
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[error("{why}.{}", .suggestion.as_ref().map_or(String::new(), |name| format!(" Try {name}.")))]
pub struct NameError {
    why: &'static str,
    suggestion: Option<String>,
}

impl NameError {
    /// Returns a similar name that is valid, if there is one.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match name_fault(text) {
            None => Ok(Self(text.into())),
            Some(why) => Err(NameError { why, suggestion: corrected(text).and_then(clear) }),
        }
    }
}

/// The characters that begin a command and a recipient.
const PROMPT_SIGNS: [char; 2] = ['/', '@'];

/// Parses the user's own name for a peer. At the beginning of a line, the prompt can take it only
/// for a name.
pub fn alias(text: &str) -> Result<Name, NameError> {
    let name: Name = text.parse()?;
    if is_reserved(text) {
        name.check_clear()?;
    }
    if !text.starts_with(PROMPT_SIGNS) {
        return Ok(name);
    }
    let bare = text.trim_start_matches(PROMPT_SIGNS);
    Err(NameError {
        why: "An alias cannot begin with / or @, which start a command or a recipient",
        suggestion: Some(bare.to_owned()).filter(|bare| name_fault(bare).is_none() && !is_reserved(bare)),
    })
}

/// Parses a name that the user sets or changes. Other people cannot mistake it for a name that it
/// resembles, or for another part of a line.
pub fn new_name(text: &str) -> Result<Name, NameError> {
    let name: Name = text.parse()?;
    name.check_clear().map(|()| name)
}

impl Name {
    /// Checks that other people cannot mistake the name for another one, or for another part of a
    /// line. It must not begin like a command or a notice, or contain a colon or brackets. It must
    /// be Highly Restrictive (UTS #39, section 5.2), with the rest of ASCII in its profile: its
    /// characters are allowed in identifiers and of one script, or of Latin with Han and the
    /// scripts of Japanese, Korean or Bopomofo.
    ///
    /// # Errors
    /// What is wrong with the name, with a similar name that is valid.
    pub fn check_clear(&self) -> Result<(), NameError> {
        let fits = |name: &String| {
            name_fault(name).is_none() && form_fault(name).is_none() && script_fault(name).is_none()
        };
        if let Some(why) = form_fault(&self.0) {
            return Err(NameError { why, suggestion: Some(without_signs(&self.0)).filter(fits) });
        }
        let Some(why) = script_fault(&self.0) else { return Ok(()) };
        // Latin letters that look the same, or else only the allowed characters.
        let latin = |c: char| match c.is_ascii() {
            true => Some(c),
            false => Some(prototype(c)).filter(char::is_ascii_alphanumeric),
        };
        let of_looks: Option<String> = self.0.chars().map(latin).collect();
        let is_allowed = |c: &char| c.is_ascii() || c.identifier_allowed();
        let allowed = || Some(without_signs(&self.0.nfkc().filter(is_allowed).collect::<String>()));
        let ascii = || Some(without_signs(&self.0.nfkc().filter(char::is_ascii).collect::<String>()));
        let suggestion = of_looks.filter(fits).or_else(|| allowed().filter(fits));
        Err(NameError { why, suggestion: suggestion.or_else(|| ascii().filter(fits)) })
    }
}

/// Returns whether a name cannot begin with this character because something else does: `*` begins
/// a notice, `/` a command, `@` a recipient, `-` an option.
pub fn begins_otherwise(c: char) -> bool {
    c.is_ascii_punctuation() && c != '_'
}

/// Means all peers wherever a recipient is typed.
const ALL: &str = "all";

/// Words that lines show in place of a name or beside one.
const RESERVED: [&str; 13] = [
    "you",
    "new",
    "warning",
    "verified",
    "unverified",
    "encrypted",
    "unencrypted",
    "unproven",
    "blocked",
    "muted",
    "online",
    "offline",
    "p2p-chat",
];

/// Returns whether the program uses a word in place of a name or beside one.
pub fn is_reserved(word: &str) -> bool {
    let word = folded(word);
    word == ALL || RESERVED.contains(&&*word)
}

/// The characters that surround or follow a name in a line.
const SIGNS_BEHIND_NAMES: [char; 5] = [':', '(', ')', '[', ']'];

/// Returns why other people could mistake a name for another part of a line.
fn form_fault(text: &str) -> Option<&'static str> {
    if is_reserved(text) {
        return Some("The screen uses this word itself, so it cannot be a name");
    }
    if text.starts_with(begins_otherwise) {
        return Some("A name begins with a letter, a digit or _");
    }
    if text.contains(SIGNS_BEHIND_NAMES) {
        return Some("A name cannot contain a colon or brackets, because they follow names on the screen");
    }
    None
}

/// Returns a name without the characters that [`form_fault`] finds.
fn without_signs(name: &str) -> String {
    let kept: String = name.chars().filter(|c| !SIGNS_BEHIND_NAMES.contains(c)).collect();
    kept.trim_start_matches(begins_otherwise).to_owned()
}

/// Returns why other people could mistake a name for another one.
fn script_fault(text: &str) -> Option<&'static str> {
    let letters: String = text.nfc().filter(|c| !c.is_ascii_punctuation()).collect();
    match letters.detect_restriction_level() {
        RestrictionLevel::ASCIIOnly
        | RestrictionLevel::SingleScript
        | RestrictionLevel::HighlyRestrictive => None,
        RestrictionLevel::ModeratelyRestrictive | RestrictionLevel::MinimallyRestrictive => {
            Some("A name cannot mix scripts, such as Latin and Cyrillic, because their letters look alike")
        }
        RestrictionLevel::Unrestricted => {
            Some("A name can have only common letters and digits, because others look too similar")
        }
    }
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
        return Some("A name cannot have control or invisible characters");
    }
    if text.width() > MAX_NAME_COLUMNS || text.len() > MAX_NAME_BYTES {
        return Some("A name has at most 32 columns");
    }
    if text.width() == 0 {
        return Some("A name needs at least one visible character");
    }
    if text.eq_ignore_ascii_case(ALL) {
        return Some("A name cannot be all, which means all peers");
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Some("A name needs a letter, because numbers select rows of the peer list");
    }
    if looks_like_address(text) {
        return Some("This looks like an address, so it cannot be a name");
    }
    if text.contains("CONNECT_REQUEST") {
        return Some("CONNECT_REQUEST is a command to older programs, so a name cannot contain it");
    }
    None
}

fn looks_like_address(text: &str) -> bool {
    text.parse::<PeerAddr>().is_ok() || text.parse::<IpAddr>().is_ok()
}

/// Returns the name if it is clear ([`Name::check_clear`]), else a similar one that is.
fn clear(name: String) -> Option<String> {
    match Name(name.as_str().into()).check_clear() {
        Ok(()) => Some(name),
        Err(error) => error.suggestion,
    }
}

/// Returns a valid name that is similar to `text`, if there is one.
fn corrected(text: &str) -> Option<String> {
    let text = if looks_like_address(text) { text.replace(':', "-") } else { text.to_owned() };
    let words: Vec<String> =
        text.split_whitespace().map(without_signs).filter(|word| !word.is_empty()).collect();
    let joined = words.join("_").replace("CONNECT_REQUEST", "CONNECT-REQUEST");
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
    if !name.is_empty() && !is_reserved(&name) && name_fault(&name).is_some() {
        name.insert_str(0, "peer-");
    }
    (name_fault(&name).is_none()).then_some(name)
}

/// How many characters of a peer's name are processed: more than are ever shown, including
/// combining marks.
const MAX_NAME_CHARS: usize = 1_024;

/// Arrows to the right, and characters that look like one. The messages of the user begin with one,
/// and a name must not look like such a beginning.
const ARROWS: [RangeInclusive<char>; 10] = [
    '\u{2190}'..='\u{21ff}',
    '\u{2794}'..='\u{2794}',
    '\u{2798}'..='\u{27af}',
    '\u{27b1}'..='\u{27be}',
    '\u{27f0}'..='\u{27ff}',
    '\u{2900}'..='\u{297f}',
    '\u{2b00}'..='\u{2b11}',
    '\u{2b30}'..='\u{2b4f}',
    '\u{ffe9}'..='\u{ffec}',
    '\u{1f800}'..='\u{1f8ff}',
];

/// Returns whether a character in a name can look like anything, or like the arrow of a message: it
/// is blank, an arrow, for private use or unassigned. Names show such characters escaped.
fn is_meaningless(c: char) -> bool {
    c == BLANK
        || ARROWS.iter().any(|range| range.contains(&c))
        || matches!(c.general_category(), GeneralCategory::PrivateUse | GeneralCategory::Unassigned)
}

/// Returns whether `c`, or the character that it looks like, begins a line of the program: a
/// notice, a warning, or a time in brackets. It is escaped at the beginning of a name.
fn begins_line(c: char) -> bool {
    matches!(prototype(c), '*' | '!' | '[')
}

/// Returns whether `c` is or looks like a colon. It is escaped at the end of a word of a name,
/// where a message would seem to begin.
fn is_colon(c: char) -> bool {
    prototype(c) == ':'
}

/// Returns whether a character selects text or emoji presentation. It has an effect only after an
/// emoji base.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// The name that a peer claims: made harmless, in the composed spelling of Unicode (NFC, UAX #15),
/// and cut to [`MAX_NAME_COLUMNS`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PeerName(SmolStr);

impl PeerName {
    /// Creates a name from the name field of a message or from peers.toml.
    pub fn new(raw: &str) -> Self {
        // Nearly all names are like this, and every message contains one. They need no escapes.
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if raw.len() <= MAX_NAME_COLUMNS && raw.bytes().all(is_word) {
            return Self(raw.into());
        }
        // After NFC, two spellings of one name are equal. Characters beyond the shown columns need
        // no work.
        let mut before = ' ';
        let spelt = raw.chars().take(MAX_NAME_CHARS).filter(|c| {
            let before = std::mem::replace(&mut before, *c);
            !is_selector(*c) || untrusted::is_emoji_base(before)
        });
        let spelt: String = spelt.nfc().collect();
        let spelt = untrusted::harmless(&spelt);
        let mut shown = String::with_capacity(spelt.len());
        let mut chars = spelt.chars().peekable();
        let mut is_first = true;
        while let Some(c) = chars.next() {
            let ends_word = chars.peek().is_none_or(|next| next.is_whitespace());
            match is_meaningless(c) || (is_first && begins_line(c)) || (ends_word && is_colon(c)) {
                true => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
                false => shown.push(c),
            }
            is_first &= c.is_whitespace();
        }
        Self(shortened(&shown, MAX_NAME_COLUMNS).into())
    }

    /// Returns the name as it is shown.
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
    // A fast path for most names.
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // A selector between a letter and its accent would keep the two from being composed.
    let letters = name.chars().filter(|c| !is_selector(*c));
    let lower = letters.nfkc().collect::<String>().to_lowercase();
    // Lowercasing can undo the normalization: `İ` becomes two characters.
    lower.nfkc().collect()
}

/// Returns the confusable skeletons of a name (UTS #39, section 4), ignoring case: two names that
/// share a skeleton look alike. The escapes of [`PeerName`] are ignored.
///
/// A letter may look like another in only one case, so one skeleton is of the name as written and
/// one of the name in lower case. `name` is at most as long as a [`PeerName`].
pub fn skeletons(name: &str) -> BTreeSet<String> {
    let name = without_escapes(name);
    let name = name.trim();
    let skeleton = |name: &str| confusable_detection::skeleton(name).collect::<String>().to_lowercase();
    let written = skeleton(&name.nfkc().collect::<String>());
    // All names without visible characters share the empty skeleton, so it does not count.
    [written, skeleton(&folded(name))].into_iter().filter(|skeleton| !skeleton.is_empty()).collect()
}

/// Returns the skeletons of the names that this one can pass for: itself, and itself without a part
/// in brackets or signs at its end. `Bob（verified）` and `Bob✓` can pass for Bob.
pub fn resembled(name: &str) -> BTreeSet<String> {
    let bare = without_escapes(name);
    let is_bracket = |c: char| c.general_category() == GeneralCategory::OpenPunctuation;
    let is_sign =
        |c: char| matches!(c.general_category(), GeneralCategory::OtherSymbol | GeneralCategory::MathSymbol);
    let word = bare.split(is_bracket).next().unwrap_or(&bare).trim();
    let word = word.trim_end_matches(|c| is_sign(c) || is_selector(c));
    let mut all = skeletons(name);
    if word.len() < bare.len() {
        all.extend(skeletons(word));
    }
    all
}

/// Returns the single character that `c` looks like, or `c`.
fn prototype(c: char) -> char {
    let mut skeleton = confusable_detection::skeleton(c.encode_utf8(&mut [0; 4])).collect::<Vec<_>>();
    if skeleton.len() == 1 { skeleton.pop().unwrap_or(c) } else { c }
}

/// Returns a name without the escapes of characters that are not shown, like `\u{e000}`.
fn without_escapes(name: &str) -> String {
    let mut rest = name;
    let mut bare = String::with_capacity(name.len());
    while let Some((before, after)) = rest.split_once("\\u{") {
        bare.push_str(before);
        match after.split_once('}') {
            Some((digits, end)) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => rest = end,
            // The escape was cut off.
            _ => rest = "",
        }
    }
    bare.push_str(rest);
    bare
}

/// How many columns of a text an error repeats: enough to find the text in a file with long lines.
const MAX_QUOTED_COLUMNS: usize = 60;

/// Returns a text as an error quotes it: harmless and shortened.
pub fn quoted(text: &str) -> String {
    shortened(&untrusted::harmless(text), MAX_QUOTED_COLUMNS)
}

/// Returns `text` if it takes at most `columns`, else its beginning and an ellipsis that fit into
/// `columns`.
pub fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns && text.len() <= 4 * columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for grapheme in text.graphemes(true) {
        // The width of the whole is not always the sum of its parts: a following character can make
        // a character wide.
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
    fn invalid_name_is_refused_with_a_suggestion() {
        for (wrong, suggestion) in [
            ("Alice Smith", Some("Alice_Smith")),
            (" Al\tice ", Some("Al_ice")),
            ("* Bob", Some("Bob")),
            ("Bob (new)", Some("Bob_new")),
            ("a\u{202e}b", Some("ab")),
            ("a\u{2800}b", Some("ab")),
            ("all", None),
            ("ALL", None),
            ("42", Some("peer-42")),
            ("127.0.0.1", Some("peer-127.0.0.1")),
            ("127.0.0.1:5000", Some("127.0.0.1-5000")),
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
    fn alias_begins_unlike_a_command_or_recipient() {
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
    fn own_name_keeps_to_one_script() {
        for fits in ["Alice", "Bob_2.0", "a/b", "Zoë", "Вова", "王偉Bob", "さくらAi", "김Kim", "علي"]
        {
            assert!(new_name(fits).is_ok(), "{fits}");
        }
        for (wrong, suggestion) in [
            ("B\u{43e}b", Some("Bob")),
            ("\u{ff22}ob", Some("Bob")),
            ("\u{1d401}ob", Some("Bob")),
            ("Bob\u{ff08}verified\u{ff09}", Some("Bobverified")),
            ("Bob\u{2713}", Some("Bob")),
            ("Bob\u{e000}", Some("Bob")),
            ("🦊", None),
            ("Ελληνbob", Some("bob")),
        ] {
            let error = new_name(wrong).expect_err(wrong);
            assert_eq!(error.suggestion(), suggestion, "{wrong}: {error}");
            assert!(wrong.parse::<Name>().is_ok(), "{wrong} may stay");
        }
        assert_eq!(
            new_name("B\u{43e}b").expect_err("two scripts").to_string(),
            "A name cannot mix scripts, such as Latin and Cyrillic, because their letters look alike. \
             Try Bob."
        );
    }

    #[test]
    fn own_name_reads_as_nothing_else() {
        let signs = "A name begins with a letter, a digit or _";
        let colon = "A name cannot contain a colon or brackets, because they follow names on the screen";
        for (wrong, why, suggestion) in [
            ("/bob", signs, Some("bob")),
            ("@bob", signs, Some("bob")),
            ("*Bob", signs, Some("Bob")),
            ("-x", signs, Some("x")),
            (".bob", signs, Some("bob")),
            ("!", signs, None),
            ("[18:20:18]", signs, None),
            ("Bob:", colon, Some("Bob")),
            ("Bob:Hi", colon, Some("BobHi")),
            ("Bob(new)", colon, Some("Bobnew")),
        ] {
            let error = new_name(wrong).expect_err(wrong);
            assert_eq!((error.why, error.suggestion()), (why, suggestion), "{wrong}");
        }
        for fits in ["_bob_", "Bob/2", "b@b", "O'Neil", "Newton"] {
            assert!(new_name(fits).is_ok(), "{fits}");
        }
        for word in ["new", "You", "VERIFIED", "\u{ff4e}ew", "p2p-chat"] {
            let why = "The screen uses this word itself, so it cannot be a name.";
            assert_eq!(new_name(word).expect_err(word).to_string(), why);
            assert_eq!(alias(word).expect_err(word).to_string(), why);
            assert!(word.parse::<Name>().is_ok(), "{word} may stay");
        }
        let why = "A name cannot be all, which means all peers.";
        assert_eq!(new_name("All").expect_err("all").to_string(), why);
    }

    #[test]
    fn peers_name_reads_as_nothing_else() {
        for (name, shown) in [
            ("Bob:", r"Bob\u{3a}"),
            ("Bob: hi", r"Bob\u{3a} hi"),
            ("Bob\u{ff1a}", r"Bob\u{ff1a}"),
            ("Bob:hi", "Bob:hi"),
            ("* Bob", r"\u{2a} Bob"),
            ("** Bob", r"\u{2a}* Bob"),
            (" *Bob", r" \u{2a}Bob"),
            ("\u{2217} Bob", r"\u{2217} Bob"),
            ("[18:20:18]", r"\u{5b}18:20:18]"),
            ("! WARNING", r"\u{21} WARNING"),
            ("Bob*", "Bob*"),
        ] {
            assert_eq!(PeerName::new(name).as_str(), shown);
            assert_eq!(PeerName::new(shown).as_str(), shown);
        }
    }

    #[test]
    fn meaningless_characters_of_a_peers_name_are_escaped() {
        for (name, shown) in [
            ("Bob\u{16fe4}", r"Bob\u{16fe4}"),
            ("Bob\u{2d7f}", r"Bob\u{2d7f}"),
            ("Bob\u{e000}", r"Bob\u{e000}"),
            ("Bob\u{f0000}", r"Bob\u{f0000}"),
            ("Bob\u{378}", r"Bob\u{378}"),
            ("Bob\u{fe0f}", "Bob"),
            ("Bob❤\u{fe0f}", "Bob❤\u{fe0f}"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("B\u{43e}b", "B\u{43e}b"),
        ] {
            assert_eq!(PeerName::new(name).as_str(), shown);
            assert_eq!(PeerName::new(shown).as_str(), shown);
        }
    }

    #[test]
    fn look_alikes_share_a_skeleton() {
        let bob = skeletons("Bob");
        let like = |name: &str| !resembled(PeerName::new(name).as_str()).is_disjoint(&bob);
        for name in [
            "BOB",
            "B\u{43e}b",
            "\u{412}\u{43e}b",
            "b0b",
            "\u{ff22}ob",
            "\u{1d401}ob",
            "Bob\u{16fe4}",
            "Bob\u{2d7f}",
            "Bob\u{e000}",
            "Bob\u{200b}",
            "Bob\u{ff08}verified\u{ff09}",
            "Bob(verified)",
            "Bob\u{2713}",
            "Bob\u{2705}",
            "Bob:",
            "* Bob",
        ] {
            assert!(like(name), "{name}");
        }
        for name in ["Rob", "Bobby", "B", "", "\u{e000}", "(Bob)", "BobTheBuilder"] {
            assert!(!like(name), "{name}");
        }
        assert!(!skeletons("Bill").is_disjoint(&skeletons("BiIl")));
    }

    #[test]
    fn skeleton_of_the_longest_name_is_bounded() {
        // U+FDFA is 18 characters in NFKC.
        let longest = "\u{fdfa}".repeat(MAX_RAW_BYTES / 3);
        let name = PeerName::new(&longest);
        assert!(name.as_str().len() <= 4 * MAX_NAME_COLUMNS + '…'.len_utf8());
        let chars: usize = resembled(name.as_str()).iter().map(|skeleton| skeleton.chars().count()).sum();
        assert!(chars <= 100 * MAX_NAME_COLUMNS, "{chars}");
    }

    /// A hello holds a longer name than any other message.
    const MAX_RAW_BYTES: usize = 65_536;

    #[test]
    fn a_name_is_measured_in_columns() {
        assert!("王".repeat(16).parse::<Name>().is_ok());
        assert!("王".repeat(17).parse::<Name>().is_err());
        assert!("Zoë".parse::<Name>().is_ok());
        assert!("e\u{301}".repeat(32).parse::<Name>().is_ok());
    }

    #[test]
    fn character_widened_by_the_next_is_measured_so() {
        assert_eq!(shortened("0\u{fe0f} and more", 2), "…");
        assert_eq!(shortened("0\u{fe0f} and more", 3), "0\u{fe0f}…");
    }

    #[test]
    fn peer_name_is_harmless_and_bounded() {
        assert_eq!(PeerName::new("Bob:\u{2800}hi").as_str(), r"Bob:\u{2800}hi");
        assert_eq!(PeerName::new("Bob\x1b[2J").as_str(), r"Bob\x1b[2J");
        assert_eq!(PeerName::new(&"x".repeat(40)).as_str(), format!("{}…", "x".repeat(31)));
    }

    proptest! {
        #[test]
        fn a_suggested_name_is_always_valid(text: String) {
            if let Err(error) = new_name(&text)
                && let Some(name) = error.suggestion()
            {
                prop_assert!(new_name(name).is_ok());
            }
        }

        #[test]
        fn equal_names_share_a_skeleton(text: String) {
            let upper = text.to_uppercase();
            if folded(&text) == folded(&upper) {
                let (one, other) = (skeletons(&text), skeletons(&upper));
                prop_assert!(one == other || !one.is_disjoint(&other), "{:?} {:?}", one, other);
            }
        }

        #[test]
        fn shortened_text_fits_its_columns(text: String, columns in 1usize..40) {
            prop_assert!(shortened(&text, columns).width() <= columns);
        }
    }
}
