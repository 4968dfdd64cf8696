//! Turns bytes into messages and back. Pure: no socket, no clock.
//!
//! In scope: the lines that legacy programs write ([`plain`]), and the opening lines and records
//! between two p2p-chat peers ([`session`]). Out of scope: who is believed, and what follows from a
//! message; the chat rules decide that. docs/PROTOCOL.md specifies both formats.

pub mod plain;
pub mod session;

/// White space as Python's `str.split()` knows it, which the legacy programs cut at: Unicode's, and
/// the four information separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// The first word of `text`, and what comes after it, white space included. `None` where there is
/// no word.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(is_space);
    let end = text.find(is_space).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}
