//! Which text is safe to print. The rule differs from that of `model::untrusted` on purpose: a
//! mistake there shows here.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_width::UnicodeWidthChar;

use p2p_chat::tui::{LINE_END, Line, Palette, RAW_LINE_END, write_lines};

/// The last character of the control sequences that colour a line.
const COLOUR: &str = "m";

/// The last characters of the control sequences that draw the footer: colour, clear and move.
pub(super) const FOOTER: &str = "mKJAG";

/// All bidirectional controls (UAX #9).
const BIDI: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Characters without a width that do no harm: variation selectors 15 and 16.
const SELECTORS: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];

/// Visible characters to which `unicode-width` gives no width: letters that are drawn onto the next
/// letter (Grapheme_Cluster_Break=Prepend), and the caret of Devanagari.
const PREPENDED: [char; 15] = [
    '\u{d4e}',
    '\u{a8fa}',
    '\u{111c2}',
    '\u{111c3}',
    '\u{113d1}',
    '\u{1193f}',
    '\u{11941}',
    '\u{11a84}',
    '\u{11a85}',
    '\u{11a86}',
    '\u{11a87}',
    '\u{11a88}',
    '\u{11a89}',
    '\u{11d46}',
    '\u{11f02}',
];

/// Returns why a character must not be printed, or `None` if it may be.
pub fn harm(c: char) -> Option<&'static str> {
    use GeneralCategory as G;
    if c.is_control() {
        return Some("a control character");
    }
    if BIDI.contains(&c) {
        return Some("a bidirectional control");
    }
    if c.is_ascii() {
        return None;
    }
    let category = c.general_category();
    if matches!(category, G::Format | G::LineSeparator | G::ParagraphSeparator | G::Surrogate) {
        return Some("a format character");
    }
    // Marks are drawn onto the previous character, and so are the vowels and finals of Hangul.
    let is_drawn_on = matches!(category, G::NonspacingMark | G::EnclosingMark | G::SpacingMark)
        || matches!(c, '\u{1161}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}')
        || SELECTORS.contains(&c)
        || PREPENDED.contains(&c);
    (c.width() == Some(0) && !is_drawn_on).then_some("a character of no width")
}

/// Asserts that a text has one line and no harmful character.
pub(super) fn assert_harmless(text: &str) {
    let mut before = ' ';
    for c in text.chars() {
        // Some scripts and emoji need joiners.
        let is_joiner = matches!(c, '\u{200c}' | '\u{200d}') && !before.is_ascii();
        before = c;
        if let Some(harm) = harm(c).filter(|_| !is_joiner) {
            panic!("{harm}, U+{:04X}, in {text:?}", u32::from(c));
        }
    }
}

/// Asserts that lines are harmless, and that a pipe and terminals show them as they are.
pub(super) fn assert_lines_harmless(lines: &[Line]) {
    let texts: Vec<String> = lines.iter().map(Line::to_string).collect();
    texts.iter().for_each(|text| assert_harmless(text));
    let outputs = [(Palette::None, LINE_END), (Palette::Eight, RAW_LINE_END), (Palette::Many, LINE_END)];
    for (palette, end) in outputs {
        let mut out = Vec::new();
        // Writing to a vector does not fail.
        let _ = write_lines(&mut out, lines, palette, end);
        let out = String::from_utf8_lossy(&out);
        let printed: Vec<&str> = out.split_terminator(end).collect();
        assert_eq!(printed.len(), lines.len(), "{out:?}");
        let allowed = if palette == Palette::None { "" } else { COLOUR };
        for (printed, text) in printed.iter().zip(&texts) {
            assert_eq!(without_sequences(printed, allowed), *text);
        }
    }
}

/// Returns a row without its control sequences, and asserts that each ends with one of the
/// `allowed` characters.
pub(super) fn without_sequences(row: &str, allowed: &str) -> String {
    let mut text = String::new();
    let mut rest = row;
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        text.push_str(before);
        let end = sequence.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(sequence.len());
        let is_allowed = sequence[end..].starts_with(|last| allowed.contains(last));
        assert!(is_allowed, "a control sequence in {row:?}");
        rest = &sequence[end + 1..];
    }
    text + rest
}
