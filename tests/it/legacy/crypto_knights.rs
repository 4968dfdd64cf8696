//! CryptoKnights: standard form; `connect` is answered by `connect_ack` on a new connection.

use std::io;

use super::board::Board;
use super::form::{self, Message};
use super::listener::Then;

/// The command that asks to be listed, and what the program writes to connect.
pub(super) const CONNECT: &str = "connect";

/// The answer that makes the asker list the peer as connected.
pub(super) const CONNECT_ACK: &str = "connect_ack";

/// Handles what one receive returned.
pub(super) fn receive(board: &Board, got: io::Result<&[u8]>) -> Then {
    let Some(text) = form::decoded(board, got) else {
        return Then::Close;
    };
    match form::standard(text) {
        Some(message) => obey(board, &message),
        None => {
            form::show_malformed(board, text.as_bytes());
            Then::Close
        }
    }
}

/// Acts on one message; R3 obeys the same commands.
pub(super) fn obey(board: &Board, message: &Message<'_>) -> Then {
    let command = message.command();
    board.change(|record| match command.as_str() {
        "exit" => {
            record.unlist(message.from);
            record.shown.push(message.did("left"));
        }
        CONNECT => {
            record.list(message.from);
            record.shown.push(message.did("asks to connect"));
        }
        CONNECT_ACK => {
            record.mark_connected(message.from);
            record.shown.push(message.did("is connected"));
        }
        _ => {
            record.list(message.from);
            record.shown.push(message.said());
        }
    });
    match command.as_str() {
        CONNECT => Then::Tell(message.from, CONNECT_ACK),
        _ => Then::Close,
    }
}
