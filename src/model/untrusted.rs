//! Strings from the network, which can only be printed escaped.
//!
//! A [`Text`] prints only through [`Display`](fmt::Display) and [`Debug`](fmt::Debug), and both
//! write it *harmless*: on one line, without control characters, escape sequences, bidirectional
//! overrides or characters without width. [`Text::raw`] returns the raw string for comparing or
//! forwarding it.

use std::fmt;

use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};
use unicode_script::{Script, ScriptExtension};
use unicode_width::UnicodeWidthChar;

/// The maximum number of combining marks shown on one base character. Further ones are escaped.
///
/// The longest stacks of living scripts (Tibetan, Vietnamese, Hebrew with cantillation) have fewer
/// than six. Stacks of dozens ("zalgo" text) cover the lines above and below.
pub const MAX_MARKS: usize = 8;

/// A string of unknown origin that can only be shown harmless.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(String);

impl Text {
    /// Creates a text from any string.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// Creates a text from any bytes. Invalid UTF-8 becomes U+FFFD.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Returns the string as it was received. Never print it.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_harmless(&self.0, f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(")?;
        write_harmless(&self.0, f)?;
        f.write_str(")")
    }
}

/// Writes `raw` on one line. Escapes everything that a terminal would act on or that has no width.
fn write_harmless(raw: &str, out: &mut impl fmt::Write) -> fmt::Result {
    // Most texts are ASCII, or begin so.
    let ascii = raw.bytes().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(raw.len());
    // A mark without a base would be drawn onto the text printed before it.
    let mut marks = if ascii == 0 { MAX_MARKS } else { 0 };
    let mut base = raw[..ascii].chars().next_back();
    let mut before = base;
    let mut plain_from = 0;
    for (at, c) in raw[ascii..].char_indices().map(|(at, c)| (ascii + at, c)) {
        let after = || raw[at + c.len_utf8()..].chars().next();
        let is_plain = match kind(c) {
            CharEffect::Base => {
                (marks, base) = (0, Some(c));
                true
            }
            CharEffect::Attached => {
                let is_shown = marks < MAX_MARKS && base.is_some_and(|base| fits(base, c));
                marks += usize::from(is_shown);
                is_shown
            }
            CharEffect::Joiner => joins(c, base, before, after()),
            CharEffect::Selector => before.is_some_and(is_emoji_base),
            CharEffect::Hidden => false,
        };
        before = Some(c);
        if is_plain {
            continue;
        }
        out.write_str(&raw[plain_from..at])?;
        plain_from = at + c.len_utf8();
        // The escape itself is a base.
        (marks, base, before) = (0, Some('}'), Some('}'));
        match c {
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\0'..='\x7f' => write!(out, "\\x{:02x}", u32::from(c))?,
            _ => write!(out, "\\u{{{:x}}}", u32::from(c))?,
        }
    }
    out.write_str(&raw[plain_from..])
}

/// Returns `raw` made harmless.
pub fn harmless(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    // Writing into a String cannot fail.
    let _ = write_harmless(raw, &mut out);
    out
}

/// Whether `raw` is shown unchanged.
pub fn is_harmless(raw: &str) -> bool {
    harmless(raw) == raw
}

/// The effect of a character on its neighbours.
enum CharEffect {
    /// It has a width of its own.
    Base,
    /// It is drawn onto the character before it, or into the same syllable.
    Attached,
    /// ZWJ or ZWNJ, which some scripts and emoji need.
    Joiner,
    /// It chooses between text and emoji.
    Selector,
    /// It is never shown: see [`is_hidden`].
    Hidden,
}

fn kind(c: char) -> CharEffect {
    match c {
        ' '..='~' => CharEffect::Base,
        ZWNJ | ZWJ => CharEffect::Joiner,
        '\u{fe0e}' | '\u{fe0f}' => CharEffect::Selector,
        _ if is_hidden(c) => CharEffect::Hidden,
        _ if is_mark(c) || c.width() == Some(0) => CharEffect::Attached,
        _ => CharEffect::Base,
    }
}

/// Whether a character is drawn onto the one before it.
fn is_mark(c: char) -> bool {
    matches!(c.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

/// The dotted circle, the base on which marks of any script are shown alone.
const DOTTED_CIRCLE: char = '\u{25cc}';

/// Whether a mark belongs on this base. A mark of a script belongs on letters of this script, so
/// that the invisible marks of rare scripts cannot hide behind other letters.
fn fits(base: char, mark: char) -> bool {
    let of_mark = ScriptExtension::from(mark);
    if of_mark.is_common() || of_mark.is_inherited() || base == DOTTED_CIRCLE {
        return true;
    }
    let of_base = ScriptExtension::from(base);
    !of_base.is_common() && !of_base.is_inherited() && !shared(base, mark).is_empty()
}

const ZWNJ: char = '\u{200c}';
const ZWJ: char = '\u{200d}';

/// Whether a joiner has an effect between these characters: within an emoji sequence, between
/// letters of a cursive script, or next to the virama of an Indic script (RFC 5892, appendix A,
/// without its table of joining types). `base` is the letter before the marks before it.
fn joins(joiner: char, base: Option<char>, before: Option<char>, after: Option<char>) -> bool {
    let (Some(base), Some(before)) = (base, before) else { return false };
    let is_of = |scripts: &[Script], of: ScriptExtension| {
        !of.is_common() && !of.is_inherited() && scripts.iter().any(|script| of.contains_script(*script))
    };
    if VIRAMAS.contains(&before) && is_of(&INDIC, base.into()) {
        return true;
    }
    let Some(after) = after else { return false };
    if joiner == ZWJ && VIRAMAS.contains(&after) {
        return before == base && is_of(&INDIC, shared(base, after));
    }
    if !matches!(kind(after), CharEffect::Base) {
        return false;
    }
    let ends_emoji = is_emoji_base(before) || (before == '\u{fe0f}' && is_emoji_base(base));
    if joiner == ZWJ && ends_emoji && !base.is_ascii() && is_emoji_base(after) && !after.is_ascii() {
        return true;
    }
    let is_letter = before.is_alphabetic() || is_mark(before);
    is_letter && after.is_alphabetic() && is_of(&CURSIVE, shared(base, after))
}

/// Returns the scripts that both characters are used in.
fn shared(one: char, other: char) -> ScriptExtension {
    let mut shared = ScriptExtension::from(one);
    shared.intersect_with(other.into());
    shared
}

/// Scripts whose letters join, where a joiner changes their shape.
const CURSIVE: [Script; 7] = [
    Script::Arabic,
    Script::Syriac,
    Script::Mongolian,
    Script::Nko,
    Script::Mandaic,
    Script::Adlam,
    Script::Hanifi_Rohingya,
];

/// Scripts of India and its neighbours where a joiner chooses the form of a cluster.
const INDIC: [Script; 12] = [
    Script::Devanagari,
    Script::Bengali,
    Script::Gurmukhi,
    Script::Gujarati,
    Script::Oriya,
    Script::Tamil,
    Script::Telugu,
    Script::Kannada,
    Script::Malayalam,
    Script::Sinhala,
    Script::Khmer,
    Script::Myanmar,
];

/// The signs of these scripts that take the vowel from a consonant.
const VIRAMAS: [char; 13] = [
    '\u{94d}', '\u{9cd}', '\u{a4d}', '\u{acd}', '\u{b4d}', '\u{bcd}', '\u{c4d}', '\u{ccd}', '\u{d4d}',
    '\u{dca}', '\u{17d2}', '\u{1039}', '\u{103a}',
];

/// Whether a selector may follow: the character has both a text and an emoji form.
pub(super) fn is_emoji_base(c: char) -> bool {
    c.is_emoji_char()
}

/// Whether a character must never reach a terminal, because the terminal acts on it, or because it
/// reorders its neighbours or has no width.
///
/// These are the control and format characters by their category (all bidirectional controls,
/// zero-width spaces, tags, and the byte order mark), line and paragraph separators, and the
/// characters of other categories that Unicode lists as `Default_Ignorable_Code_Point`
/// (DerivedCoreProperties.txt). For the joiners and the two selectors between text and emoji, the
/// neighbours decide.
fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let by_category = matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::Surrogate
    );
    by_category
        || matches!(c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_text_of_any_script_is_unchanged() {
        for text in ["Hello, world!", "¡Grüße! 你好 नमस्ते", "e\u{301}a\u{308}", "❤\u{fe0f} ok", "שלום"]
        {
            assert_eq!(Text::new(text).to_string(), text);
        }
    }

    #[test]
    fn control_characters_are_visible_and_not_obeyed() {
        let text = Text::new("a\x1b[31mb\r\n\tc\0\x7f\u{9b}2J");
        assert_eq!(text.to_string(), r"a\x1b[31mb\r\n\tc\x00\x7f\u{9b}2J");
    }

    #[test]
    fn bidi_and_zero_width_characters_are_escaped() {
        let text = Text::new("a\u{202e}b\u{200b}c\u{2066}d\u{feff}e\u{200d}f\u{2028}g\u{e0041}");
        assert_eq!(text.to_string(), r"a\u{202e}b\u{200b}c\u{2066}d\u{feff}e\u{200d}f\u{2028}g\u{e0041}");
    }

    #[test]
    fn needed_joiners_are_shown_as_written() {
        for text in [
            "می\u{200c}خواهم",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "👩🏽\u{200d}🚀 🏳\u{fe0f}\u{200d}🌈 ❤\u{fe0f}\u{200d}🔥 1\u{fe0f}\u{20e3}",
            "क्\u{200d}ष क्\u{200c}ष",
            "ශ්\u{200d}රී",
            "র\u{200d}্য",
            "ന്\u{200d} x",
            "\u{1112}\u{1161}\u{11ab}",
            "בְּרֵאשִׁית",
            "\u{25cc}\u{5b0}",
        ] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn needless_zero_width_characters_are_escaped() {
        for (text, shown) in [
            ("Bob\u{16fe4}", r"Bob\u{16fe4}"),
            ("Bob\u{2d7f}", r"Bob\u{2d7f}"),
            ("Bob_\u{16fe4}", r"Bob_\u{16fe4}"),
            ("Bob\u{fe0f}", r"Bob\u{fe0f}"),
            ("❤\u{fe0f}\u{fe0f}", "❤\u{fe0f}\\u{fe0f}"),
            ("Bo\u{200d}b \u{200c}", r"Bo\u{200d}b \u{200c}"),
            ("Bob\u{200c}می", r"Bob\u{200c}می"),
            ("می\u{200c}\u{200c}خ", "می\\u{200c}\\u{200c}خ"),
            ("می\u{200c}", r"می\u{200c}"),
            ("👩\u{200d}x 1\u{200d}2", r"👩\u{200d}x 1\u{200d}2"),
            ("Bob\u{1161}", r"Bob\u{1161}"),
            ("Bob\u{64e}", r"Bob\u{64e}"),
        ] {
            assert_eq!(harmless(text), shown);
            assert_eq!(harmless(shown), shown);
        }
    }

    #[test]
    fn combining_marks_neither_attach_outside_nor_pile_up() {
        assert_eq!(Text::new("\u{301}x").to_string(), r"\u{301}x");
        let zalgo = format!("x{}", "\u{301}".repeat(MAX_MARKS + 1));
        let shown = Text::new(zalgo).to_string();
        assert_eq!(shown, format!("x{}\\u{{301}}", "\u{301}".repeat(MAX_MARKS)));
    }

    #[test]
    fn debug_output_is_as_harmless_as_display() {
        assert_eq!(format!("{:?}", Text::new("\x1b]0;x\x07")), r"Text(\x1b]0;x\x07)");
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_without_controls(bytes: Vec<u8>) {
            let shown = Text::from_bytes(&bytes).to_string();
            prop_assert!(shown.chars().all(|c| !is_hidden(c) || matches!(c, ZWNJ | ZWJ)));
            prop_assert!(!shown.chars().any(char::is_control));
        }

        #[test]
        fn making_harmless_twice_changes_nothing_more(text: String) {
            let once = harmless(&text);
            prop_assert_eq!(harmless(&once), once);
        }
    }
}
