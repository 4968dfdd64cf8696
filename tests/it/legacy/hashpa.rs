//! Hashpa: standard form, one connection at a time; the only command it knows is `PING`.

use std::io;

use super::board::Board;
use super::form;
use super::listener::Then;

/// The probe's text: this case exactly, with nothing after it.
pub(super) const PING: &str = "PING";

/// What Hashpa writes to connect; plain chat to everybody.
pub(super) const GREETING: &str = "Hello, I am connecting!";

/// Handles what one receive returned. An empty connection is a malformed message here.
pub(super) fn receive(board: &Board, got: io::Result<&[u8]>) -> Then {
    if let Ok([]) = got {
        form::show_malformed(board, b"");
        return Then::Close;
    }
    let Some(text) = form::decoded(board, got) else {
        return Then::Close;
    };
    match form::standard(text) {
        // The header of a ping is the recipient's own address: nobody is added.
        Some(ping) if ping.text == PING => {}
        Some(message) => board.change(|record| {
            record.list(message.from);
            record.shown.push(message.said());
        }),
        None => form::show_malformed(board, text.as_bytes()),
    }
    Then::Close
}
