//! The plain protocol: one line of text per TCP connection, in the forms that legacy programs use.
//!
//! Parses the forms, tells commands from text, splits long text and writes receipts.

mod decode;
mod encode;
mod receipt;
mod standard;

pub use decode::{Decoder, Progress};
pub(crate) use encode::EncodeError;
pub use encode::{Header, encode, messages_for};
pub use receipt::{CONNECTED, Receipt, receipt};

use crate::model::address::{Claimed, PeerAddr, PlainAddr, Source};
use crate::model::peer_id::{LegacyId, PeerId};

/// Returns the legacy peer at an address, after an unencrypted exchange with it.
pub fn peer_at(addr: PlainAddr) -> PeerId {
    PeerId::Legacy(LegacyId::seen_at(addr))
}

/// Returns where the sender of a message is known: the source IP of its connection with the port
/// that its header claims. `None` if that cannot be dialed. Many honest legacy programs claim a
/// wrong IP, and no program can speak for an IP of another (docs/PROTOCOL.md).
pub fn sender_addr(source: Source, claimed: Claimed) -> Option<PeerAddr> {
    source.at(claimed.port)
}
