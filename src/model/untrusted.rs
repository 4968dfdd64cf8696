//! Strings from the network, which can only be printed escaped.
//!
//! A [`Text`] prints only through [`Display`](fmt::Display) and [`Debug`](fmt::Debug), and both write
//! it *harmless*: on one line, without control characters, escape sequences, bidirectional overrides
//! or characters that take no room. [`Text::raw`] returns the raw string, to compare it or to send it
//! on.

use std::fmt;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Combining marks shown on one base character; further ones are escaped.
///
/// The longest stacks of living scripts (Tibetan, Vietnamese, Hebrew with cantillation) stay below
/// six. Stacks of dozens ("zalgo" text) run over the lines above and below.
pub const MAX_MARKS: usize = 8;

/// A string of unknown origin that can only be shown harmless.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(String);

impl Text {
    /// Takes a string of any content.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// Takes bytes of any content; invalid UTF-8 becomes U+FFFD.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The string as it came. Never print this.
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

/// Writes `raw` on one line, with everything escaped that a terminal would obey.
fn write_harmless(raw: &str, out: &mut impl fmt::Write) -> fmt::Result {
    // Most texts are all ASCII, or begin so.
    let ascii = raw.bytes().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(raw.len());
    // A mark with no base before it would sit on what we printed before.
    let mut marks = if ascii == 0 { MAX_MARKS } else { 0 };
    let mut plain_from = 0;
    for (at, c) in raw[ascii..].char_indices().map(|(at, c)| (ascii + at, c)) {
        if c == ' ' || c.is_ascii_graphic() {
            marks = 0;
            continue;
        }
        if is_mark(c) && marks < MAX_MARKS && !is_hidden(c) {
            marks += 1;
            continue;
        }
        if !is_mark(c) && !is_hidden(c) {
            marks = 0;
            continue;
        }
        out.write_str(&raw[plain_from..at])?;
        plain_from = at + c.len_utf8();
        marks = 0; // the escape itself is a base
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

/// `raw` made harmless, as a string.
pub fn harmless(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    // Writing into a String cannot fail.
    let _ = write_harmless(raw, &mut out);
    out
}

/// Whether `raw` is shown exactly as it stands.
pub fn is_harmless(raw: &str) -> bool {
    harmless(raw) == raw
}

/// A character that is drawn onto the one before it.
fn is_mark(c: char) -> bool {
    matches!(c.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

/// Whether a character must never reach a terminal: the terminal obeys it, or it reorders its
/// neighbours or takes no room.
///
/// These are the control and format characters by their category (all bidirectional controls,
/// zero-width spaces and joiners, tags, and the byte order mark), line and paragraph separators, and
/// what Unicode lists as `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt) under other
/// categories, except the two variation selectors that choose between text and emoji.
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
    fn ordinary_text_in_any_script_stays_as_it_is() {
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
    fn a_mark_cannot_sit_on_what_stands_before_the_text_nor_pile_up() {
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
        fn whatever_comes_is_printed_on_one_line_without_controls(bytes: Vec<u8>) {
            let shown = Text::from_bytes(&bytes).to_string();
            prop_assert!(shown.chars().all(|c| !is_hidden(c)));
            prop_assert!(!shown.chars().any(char::is_control));
        }

        #[test]
        fn making_harmless_twice_changes_nothing_more(text: String) {
            let once = harmless(&text);
            prop_assert_eq!(harmless(&once), once);
        }
    }
}
