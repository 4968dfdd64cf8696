//! What a dialect of the legacy programs has of its own.

use crate::model::address::Claimed;
use crate::model::message::{Body, Form};
use crate::model::name::PeerName;

use super::Header;

/// A dialect: how its programs write messages, and how messages to them are written.
pub(super) struct Dialect {
    /// Its form, by whose name peers.toml and the test vectors call it.
    pub(super) form: Form,
    /// Whether peers.toml may name it. A form only for commands shows by itself.
    pub(super) is_configurable: bool,
    /// Whether its programs write their texts in the standard form, so that one of those does not
    /// show that another program writes.
    pub(super) has_standard_texts: bool,
    /// Reads the address that a text begins with. Returns it and what follows it.
    pub(super) address: fn(&str) -> Option<(Address, &str)>,
    /// Reads what follows the address, up to the end of the message. `None` if the message is not
    /// in this dialect.
    pub(super) content: fn(Content<'_>) -> Option<(Option<PeerName>, Body)>,
    /// Writes a message with this text or command.
    pub(super) line: fn(Header<'_>, &str) -> String,
    /// Writes a goodbye, where it is not the text `exit`.
    pub(super) exit: Option<fn(Header<'_>) -> String>,
}

/// The address at the beginning of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Address {
    pub(super) claimed: Claimed,
    pub(super) is_bracketed: bool,
}

/// What follows the address of a message.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) text: &'a str,
    pub(super) is_bracketed: bool,
    /// The message may go on, so it is no command.
    pub(super) is_cut: bool,
}
