//! The plain protocol: one line of text per TCP connection, in the forms that legacy programs use.
//!
//! Parses the forms, tells commands from text, splits long text and writes receipts.

mod decode;
mod encode;
mod receipt;
mod standard;

pub use decode::{Decoder, Progress};
pub use encode::{EncodeError, Header, encode, messages_for};
pub use receipt::{CONNECTED, Receipt, receipt};
