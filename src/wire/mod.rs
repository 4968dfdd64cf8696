//! Bytes <-> messages of the plain network. Pure: no socket, no clock.
//!
//! In scope: the forms that legacy programs write (one file each), telling their commands from their texts, splitting
//! long texts, receipts. Out of scope: who is believed, and what follows from a message; that is the chat's.
//! The rules are those of docs/PROTOCOL.md.

mod decode;
mod encode;
mod receipt;
mod standard;

pub use decode::{Decoder, Progress};
pub use encode::{EncodeError, Header, encode, messages_for};
pub use receipt::{CONNECTED, Receipt, receipt};

/// White space as Python's `str.split()` knows it, which the legacy programs cut at: Unicode's, and the four
/// information separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// The first word of `text`, and what comes after it, white space included. `None` where there is no word.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(is_space);
    let end = text.find(is_space).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}
