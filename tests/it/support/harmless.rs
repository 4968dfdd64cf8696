//! What must never reach a terminal, listed here once more so that the program's own list is not
//! its own judge.

use std::ops::RangeInclusive;

/// Characters that reorder their neighbours, break lines or take no room, next to the control
/// characters.
const HARMFUL: [RangeInclusive<char>; 17] = [
    '\u{ad}'..='\u{ad}',       // soft hyphen
    '\u{34f}'..='\u{34f}',     // combining grapheme joiner
    '\u{61c}'..='\u{61c}',     // Arabic letter mark
    '\u{115f}'..='\u{1160}',   // Hangul fillers
    '\u{17b4}'..='\u{17b5}',   // Khmer inherent vowels
    '\u{180b}'..='\u{180f}',   // Mongolian selectors
    '\u{200b}'..='\u{200b}',   // zero-width space
    '\u{200e}'..='\u{200f}',   // directional marks
    '\u{2028}'..='\u{202e}',   // line and paragraph separator, embeddings and overrides
    '\u{2060}'..='\u{206f}',   // invisible operators, isolates
    '\u{3164}'..='\u{3164}',   // Hangul filler
    '\u{fe00}'..='\u{fe0d}',   // variation selectors but for text and emoji
    '\u{feff}'..='\u{feff}',   // byte order mark
    '\u{ffa0}'..='\u{ffa0}',   // half-width Hangul filler
    '\u{fff0}'..='\u{fffb}',   // annotations
    '\u{1d173}'..='\u{1d17a}', // musical formatting
    '\u{e0000}'..='\u{e0fff}', // tags, further selectors
];

/// Checks every character of lines that were printed or logged.
pub(crate) fn assert_harmless(lines: impl IntoIterator<Item = impl AsRef<str>>) {
    for line in lines {
        let mut before = ' ';
        for c in line.as_ref().chars() {
            // A joiner is only needed behind letters of some scripts and behind emoji.
            let joins_ascii = matches!(c, '\u{200c}' | '\u{200d}') && before.is_ascii();
            let harmful = c.is_control() || joins_ascii || HARMFUL.iter().any(|range| range.contains(&c));
            before = c;
            assert!(!harmful, "{c:?} in {:?}", line.as_ref());
        }
    }
}
