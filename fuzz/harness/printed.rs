//! What may be printed, said once more and otherwise than in `escape`, so that a mistake there is seen here.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_width::UnicodeWidthChar;

use p2p_chat::ui::{LINE_END, Line, Palette, RAW_LINE_END, write_lines};

/// The bidirectional controls, all of them (UAX #9).
const BIDI: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Characters of no width that are known to take no room and do no harm: variation selectors 15 and 16.
const SELECTORS: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];

/// Characters that `unicode-width` gives no width and that are seen all the same: letters that are drawn onto the one
/// after them (Grapheme_Cluster_Break=Prepend), and the caret of Devanagari.
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

/// Why a character must not be printed, if so.
fn fault(c: char) -> Option<&'static str> {
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
    // Marks are drawn onto the character before them, and so are the vowels and finals of Hangul.
    let is_drawn_on = matches!(category, G::NonspacingMark | G::EnclosingMark | G::SpacingMark)
        || matches!(c, '\u{1161}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}')
        || SELECTORS.contains(&c)
        || PREPENDED.contains(&c);
    (c.width() == Some(0) && !is_drawn_on).then_some("a character of no width")
}

/// Asserts that a text is harmless, and one line.
///
/// # Panics
/// Where it is not.
pub(super) fn is_harmless(text: &str) {
    for c in text.chars() {
        if let Some(fault) = fault(c) {
            panic!("{fault}, U+{:04X}, in {text:?}", u32::from(c));
        }
    }
}

/// Asserts that lines are harmless as they are, and as they are printed on a pipe and on terminals.
///
/// # Panics
/// Where they are not, or are more or fewer than that when they are printed.
pub(super) fn are_harmless(lines: &[Line]) {
    let texts: Vec<String> = lines.iter().map(Line::to_string).collect();
    texts.iter().for_each(|text| is_harmless(text));
    for (palette, end) in
        [(Palette::None, LINE_END), (Palette::Eight, RAW_LINE_END), (Palette::Many, LINE_END)]
    {
        let mut out = Vec::new();
        // Writing into a vector cannot fail.
        let _ = write_lines(&mut out, lines, palette, end);
        let out = String::from_utf8_lossy(&out);
        let printed: Vec<&str> = out.split_terminator(end).collect();
        assert_eq!(printed.len(), lines.len(), "{out:?}");
        for (printed, text) in printed.iter().zip(&texts) {
            let bare = if palette == Palette::None { (*printed).to_owned() } else { uncoloured(printed) };
            assert_eq!(bare, *text);
        }
    }
}

/// A printed line without the sequences that we colour it with; all others stay in it.
fn uncoloured(line: &str) -> String {
    let mut bare = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('\x1b') {
        bare.push_str(&rest[..at]);
        let end = rest[at..].find('m').map_or(rest.len(), |end| at + end + 1);
        let is_ours = rest[at..end].strip_prefix("\x1b[").is_some_and(|colour| {
            colour
                .strip_suffix('m')
                .is_some_and(|colour| colour.bytes().all(|b| b == b';' || b.is_ascii_digit()))
        });
        if !is_ours {
            bare.push_str(&rest[at..end]);
        }
        rest = &rest[end..];
    }
    bare + rest
}

/// A row without the control sequences that the dock is drawn with: colours, and those that clear and move.
///
/// # Panics
/// Where there are others.
pub(super) fn without_sequences(row: &str) -> String {
    let mut bare = String::new();
    let mut rest = row;
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        bare.push_str(before);
        let end = sequence.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(sequence.len());
        let last = sequence[end..].chars().next();
        assert!(matches!(last, Some('m' | 'K' | 'J' | 'A' | 'G')), "{row:?}");
        rest = &sequence[end + 1..];
    }
    bare + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_there_is_becomes_harmless() {
        let faults: Vec<String> = ('\0'..=char::MAX)
            .filter(|c| {
                p2p_chat::model::untrusted::harmless(&format!("a{c}")).chars().any(|c| fault(c).is_some())
            })
            .map(|c| format!("U+{:04X}", u32::from(c)))
            .collect();
        assert!(faults.is_empty(), "{faults:?}");
    }
}
