//! The session protocol between two p2p-chat peers: the opening lines before TLS, and the records
//! inside it.

mod card;
mod fields;
mod hello;
pub mod opening;
mod record;
mod records;

pub use card::{CARD_VALID, ContactCard, SIGNATURE_BYTES};
pub use fields::RecordFault;
pub use hello::{Hello, MAX_ADDRESSES};
pub use record::{ByeReason, MAX_IDS, MAX_RECORD_BYTES, MAX_TEXT_BYTES, Record};
pub use records::{MAX_UNKNOWN, Records};
