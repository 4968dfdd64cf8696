//! The plain protocol: one line of text per TCP connection, in the dialects of the legacy programs.
//! Each dialect is a file. This module also splits long text and writes receipts.
//!
//! | form | message |
//! |---|---|
//! | standard | `ip:port team text`, the address optionally in `<>` |
//! | two-field | `ip:port WORD` |
//! | R3 | `ip port name text` |

mod decode;
mod dialect;
mod encode;
mod r3;
mod receipt;
mod standard;
mod two_field;

pub use decode::{Decoder, Progress};
pub(crate) use encode::EncodeError;
pub use encode::{Header, encode, messages_for};
pub use receipt::{CONNECTED, Receipt, receipt};

use dialect::Dialect;

use crate::model::address::{Claimed, PeerAddr, PlainAddr, Source};
use crate::model::message::Form;
use crate::model::peer_id::{LegacyId, PeerId};

/// All dialects, in the order in which a message is tried.
static DIALECTS: &[&Dialect] = &[&standard::DIALECT, &two_field::DIALECT, &r3::DIALECT];

/// Returns the dialect of a form; the standard one for a form without any.
fn dialect_of(form: Form) -> &'static Dialect {
    DIALECTS.iter().copied().find(|dialect| dialect.form == form).unwrap_or(&standard::DIALECT)
}

/// The forms that the user may give a peer.
pub fn configurable_forms() -> impl Iterator<Item = Form> {
    DIALECTS.iter().filter(|dialect| dialect.is_configurable).map(|dialect| dialect.form)
}

/// Whether programs that write in this form write their texts in the standard form.
pub fn has_standard_texts(form: Form) -> bool {
    dialect_of(form).has_standard_texts
}

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
