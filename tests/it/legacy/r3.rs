//! R3: CryptoKnights' commands in a form of its own, `ip port name text`, and no other form.

use std::io;

use super::board::Board;
use super::listener::Then;
use super::{crypto_knights, form};

/// Handles what one receive returned.
pub(super) fn receive(board: &Board, got: io::Result<&[u8]>) -> Then {
    let Some(text) = form::decoded(board, got) else {
        return Then::Close;
    };
    match form::four_field(text) {
        Some(message) => crypto_knights::obey(board, &message),
        None => {
            form::show_malformed(board, text.as_bytes());
            Then::Close
        }
    }
}
