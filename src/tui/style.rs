//! Coloured lines, and the colours of a terminal. Pure.
//!
//! Each colour is readable on a dark and on a light background: its contrast with black and with
//! white is about 4 to 1 or more, which a test computes as WCAG 2 does.

use std::fmt::{self, Write};
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

/// The meaning of a part of a line. The palette gives it a colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ink {
    /// The default colour of the terminal.
    Plain,
    /// Less important than its neighbours.
    Faint,
    /// More important.
    Strong,
    /// A problem.
    Bad,
    /// The name of a peer. Equal numbers have equal colours.
    Peer(u32),
    /// A QR code: black on white.
    Code,
}

/// The colours of a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Palette {
    /// None, and no control sequences.
    #[default]
    None,
    /// The eight basic colours.
    Eight,
    /// The 256 colours of xterm.
    Many,
}

/// The xterm colours of names: distinct hues, in an order in which neighbours differ.
const PEERS: [u8; 12] = [31, 130, 98, 28, 161, 63, 64, 163, 30, 129, 27, 131];

/// The basic colours of names: green, magenta and cyan. Blue is not readable on black, yellow is
/// not on white, and red is for problems.
const FEW_PEERS: [u8; 3] = [2, 5, 6];

/// The xterm colour of problems: red.
const BAD: u8 = 196;

/// The xterm colour of less important parts: grey.
const FAINT: u8 = 243;

const RESET: &str = "\x1b[0m";

/// Stands before the further lines of a message, so that none looks like another message.
pub(super) const BAR: &str = "  │ ";

/// A line of text with coloured parts. It has no control characters: text from outside is made
/// harmless first ([`crate::model::untrusted`]).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Line {
    parts: Vec<(Ink, String)>,
    kind: LineKind,
    /// Whether the first part is the time.
    is_stamped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum LineKind {
    #[default]
    Other,
    /// The first line of a message, whose text begins at this column.
    Message(usize),
    /// The first line of a message that is shown whole, even if it is long.
    WholeMessage(usize),
    Further,
}

impl Line {
    /// Creates a line in one ink.
    pub fn of(ink: Ink, text: impl Into<String>) -> Self {
        Self::default().and(ink, text)
    }

    /// Returns the beginning of a line about an event: the time, or nothing.
    pub fn at(stamp: &str) -> Self {
        Self { is_stamped: !stamp.is_empty(), ..Self::of(Ink::Faint, stamp) }
    }

    /// Replaces the time of the line, if it has one.
    #[must_use]
    pub fn shown_at(mut self, stamp: &str) -> Self {
        if let Some((_, time)) = self.parts.first_mut().filter(|_| self.is_stamped) {
            if let LineKind::Message(column) | LineKind::WholeMessage(column) = &mut self.kind {
                *column = *column - time.width() + stamp.width();
            }
            stamp.clone_into(time);
        }
        self
    }

    /// Adds a part at the end.
    #[must_use]
    pub fn and(mut self, ink: Ink, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.parts.push((ink, text));
        }
        self
    }

    /// Adds a plain part at the end.
    #[must_use]
    pub fn then(self, text: impl Into<String>) -> Self {
        self.and(Ink::Plain, text)
    }

    /// Adds a part at the beginning.
    #[must_use]
    pub fn behind(mut self, ink: Ink, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.parts.insert(0, (ink, text));
        }
        self
    }

    /// Gives all plain parts another ink.
    #[must_use]
    pub fn in_ink(mut self, ink: Ink) -> Self {
        for part in &mut self.parts {
            if part.0 == Ink::Plain {
                part.0 = ink;
            }
        }
        self
    }

    /// Returns the parts in order.
    pub fn parts(&self) -> impl Iterator<Item = (Ink, &str)> {
        self.parts.iter().map(|(ink, text)| (*ink, text.as_str()))
    }

    /// Marks the line as the beginning of a message whose text follows.
    #[must_use]
    pub fn begins_message(mut self) -> Self {
        self.kind = LineKind::Message(self.parts().map(|(_, text)| text.width()).sum());
        self
    }

    /// Marks the line as the beginning of a message that is shown whole.
    #[must_use]
    pub fn shown_whole(mut self) -> Self {
        if let LineKind::Message(column) = self.kind {
            self.kind = LineKind::WholeMessage(column);
        }
        self
    }

    /// Returns the beginning of a further line of a message.
    pub fn further() -> Self {
        Self { kind: LineKind::Further, ..Self::of(Ink::Faint, BAR) }
    }

    /// Whether it is a line of a message.
    pub fn is_message(&self) -> bool {
        self.kind != LineKind::Other
    }

    /// Whether it is a further line of a message.
    pub fn is_further(&self) -> bool {
        self.kind == LineKind::Further
    }

    /// Whether it begins a message that is cut if it has many rows.
    pub fn can_be_cut(&self) -> bool {
        matches!(self.kind, LineKind::Message(_))
    }

    /// Returns the column where the text begins; 0 if the line is no message.
    pub(super) fn text_column(&self) -> usize {
        match self.kind {
            LineKind::Other => 0,
            LineKind::Message(column) | LineKind::WholeMessage(column) => column,
            LineKind::Further => BAR.width(),
        }
    }

    /// Returns these bytes of the line.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        let mut part = Self { kind: self.kind, ..Self::default() };
        let mut at = 0;
        for (ink, text) in &self.parts {
            let (start, end) = (range.start.max(at), range.end.min(at + text.len()));
            if start < end {
                part.parts.push((*ink, text[start - at..end - at].to_owned()));
            }
            at += text.len();
        }
        part
    }

    /// Returns the line as it is written to a terminal with these colours.
    pub fn paint(&self, palette: Palette) -> String {
        let mut out = String::new();
        let mut before = None;
        for (ink, text) in self.parts() {
            let sequence = sequence(palette, ink);
            if sequence != before {
                if before.is_some() {
                    out.push_str(RESET);
                }
                if let Some(sequence) = &sequence {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\x1b[{sequence}m");
                }
                before = sequence;
            }
            out.push_str(text);
        }
        if before.is_some() {
            out.push_str(RESET);
        }
        out
    }
}

/// Without colours.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().try_for_each(|(_, text)| f.write_str(text))
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::of(Ink::Plain, text)
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::of(Ink::Plain, text)
    }
}

/// Returns the SGR parameters of an ink, if it differs from plain.
fn sequence(palette: Palette, ink: Ink) -> Option<String> {
    let of = |colours: &[u8], number: u32| colours[number as usize % colours.len()];
    Some(match (palette, ink) {
        (Palette::None, _) | (_, Ink::Plain) | (Palette::Eight, Ink::Faint) => return None,
        (_, Ink::Strong) => "1".to_owned(),
        // The white of the eight basic colours is grey on many terminals.
        (Palette::Eight, Ink::Code) => "30;47".to_owned(),
        (Palette::Eight, Ink::Bad) => "31".to_owned(),
        (Palette::Eight, Ink::Peer(number)) => format!("3{}", of(&FEW_PEERS, number)),
        (Palette::Many, Ink::Code) => "38;5;16;48;5;231".to_owned(),
        (Palette::Many, Ink::Bad) => format!("38;5;{BAD}"),
        (Palette::Many, Ink::Faint) => format!("38;5;{FAINT}"),
        (Palette::Many, Ink::Peer(number)) => format!("38;5;{}", of(&PEERS, number)),
    })
}

/// Returns the ink of a name: the same in every run and for every peer.
pub(crate) fn ink_of(name: &str) -> Ink {
    // FNV-1a, 32 bits: the hashes of the standard library may change from one release to the next.
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Ink::Peer(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_nothing_but_the_text_is_written() {
        let line = Line::of(Ink::Faint, "[14:03] ").and(ink_of("Bob"), "Bob").then(": hello");
        assert_eq!(line.paint(Palette::None), "[14:03] Bob: hello");
        assert_eq!(line.to_string(), "[14:03] Bob: hello");
    }

    #[test]
    fn every_colour_ends_where_its_part_ends() {
        let line = Line::of(Ink::Bad, "n").and(Ink::Bad, "o").then(" yes");
        assert_eq!(line.paint(Palette::Many), "\x1b[38;5;196mno\x1b[0m yes");
        assert_eq!(line.paint(Palette::Eight), "\x1b[31mno\x1b[0m yes");
    }

    #[test]
    fn a_name_has_its_colour_in_every_run() {
        assert_eq!(ink_of("Alice"), Ink::Peer(752_715_143));
        assert_ne!(ink_of("Bob"), ink_of("bob"));
    }

    /// The relative luminance of an xterm colour of the cube or the grey ramp (WCAG 2).
    fn luminance(colour: u8) -> f64 {
        let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
        let rgb = match colour {
            16..=231 => [(colour - 16) / 36, (colour - 16) / 6 % 6, (colour - 16) % 6].map(step),
            _ => [8 + 10 * (colour - 232); 3],
        };
        let [r, g, b] = rgb.map(|c| {
            let c = f64::from(c) / 255.0;
            if c <= 0.03928 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    #[test]
    fn held_line_has_the_time_of_showing() {
        let line = |stamp| Line::at(stamp).then("* Bob is online");
        assert_eq!(line("[9:59] ").shown_at("[10:00] ").to_string(), "[10:00] * Bob is online");
        assert_eq!(line("").shown_at("[10:00] ").to_string(), "* Bob is online");
        let message = Line::at("[9:59] ").then("Bob: ").begins_message().shown_at("[10:00] ");
        assert_eq!(message.text_column(), "[10:00] Bob: ".len());
        assert_eq!(Line::further().shown_at("[10:00] "), Line::further());
    }

    #[test]
    fn every_colour_is_readable_on_black_and_white() {
        for colour in PEERS.into_iter().chain([BAD, FAINT]) {
            let luminance = luminance(colour);
            let (on_white, on_black) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05);
            assert!(on_white >= 3.99 && on_black >= 3.99, "{colour}: {on_white:.2} {on_black:.2}");
        }
    }
}
