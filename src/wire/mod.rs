//! Bytes <-> messages. Pure: no socket, no clock.
//!
//! In scope: the forms that legacy programs write (one file each), telling their commands from their texts, splitting
//! long texts, receipts; the lines that open the encrypted exchange between two p2p-chat peers, and the records inside. Out of scope: who is believed, and what follows from a message; that is the chat's.
//! The rules are those of docs/PROTOCOL.md.

mod decode;
mod encode;
mod fields;
mod hello;
pub mod opening;
mod receipt;
mod record;
mod records;
mod standard;

pub use decode::{Decoder, Progress};
pub use encode::{EncodeError, Header, encode, messages_for};
pub use fields::RecordFault;
pub use hello::{Hello, MAX_ADDRESSES};
pub use receipt::{CONNECTED, Receipt, receipt};
pub use record::{ByeReason, MAX_IDS, MAX_RECORD_BYTES, MAX_TEXT_BYTES, Record};
pub use records::{MAX_TURN_BYTES, MAX_TURN_RECORDS, MAX_UNKNOWN, Records};

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
