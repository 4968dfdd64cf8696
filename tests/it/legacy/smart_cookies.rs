//! SmartCookies: standard form, an acknowledgement on the same connection, and requests that wait
//! for its user.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use super::board::Board;
use super::form::{self, Message};
use super::listener::Then;

/// Anywhere in a text, this makes the program ask its user.
pub(super) const REQUEST: &str = "CONNECT_REQUEST";
/// The answer of a user who agrees.
pub(super) const CONNECTED: &str = "CONNECTED";
/// The answer of a user who does not.
pub(super) const REJECTED: &str = "REJECTED";
/// What its menu writes to leave one peer.
pub(super) const DISCONNECTED: &str = "DISCONNECTED";

/// How long a request waits for the user. The original has no limit; a test run needs one.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Handles what one receive returned: two fields are a control message, three a text.
pub(super) fn receive(board: &Board, got: io::Result<&[u8]>) -> Then {
    let Some(text) = form::decoded(board, got) else {
        return Then::Close;
    };
    if let Some(message) = form::standard(text) {
        return obey(board, &message);
    }
    match control(text) {
        Some((from, word)) if word.contains(REQUEST) => ask(board, from),
        Some((from, DISCONNECTED)) => {
            board.change(|record| {
                record.unlist(from);
                record.shown.push(format!("({from}) disconnected"));
            });
            acknowledge(board)
        }
        _ => {
            form::show_malformed(board, text.as_bytes());
            Then::Close
        }
    }
}

fn obey(board: &Board, message: &Message<'_>) -> Then {
    if message.text.contains(REQUEST) {
        return ask(board, message.from);
    }
    board.change(|record| {
        if message.command() == "exit" {
            // Announced, but whoever was in the table stays there.
            record.shown.push(message.did("left"));
        } else {
            record.list(message.from);
            record.shown.push(message.said());
        }
    });
    acknowledge(board)
}

/// Holds the connection until the user has answered.
fn ask(board: &Board, from: SocketAddrV4) -> Then {
    board.show(format!("{REQUEST} from {from}: accept? (y/n)"));
    board.wait(ANSWER_LIMIT, |record| record.answer.is_some() || record.stopping);
    match board.read(|record| record.answer) {
        Some(true) => {
            board.change(|record| record.list(from));
            Then::Reply(CONNECTED.to_owned())
        }
        Some(false) => Then::Reply(REJECTED.to_owned()),
        None => Then::Close,
    }
}

fn acknowledge(board: &Board) -> Then {
    let port = board.addr.port();
    Then::Reply(format!("[ACK] Message received from {port}"))
}

fn control(text: &str) -> Option<(SocketAddrV4, &str)> {
    match form::words(text, 3)[..] {
        [header, word] => Some((header.parse().ok()?, word)),
        _ => None,
    }
}
