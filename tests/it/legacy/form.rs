//! The forms legacy programs write and read: fields cut as Python's split() cuts them.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::Program;
use super::board::Board;

/// One message taken apart, whichever form it came in.
pub(super) struct Message<'a> {
    /// The address its header claims.
    pub(super) from: SocketAddrV4,
    /// The team name.
    pub(super) name: &'a str,
    /// The rest, trailing white space included.
    pub(super) text: &'a str,
}

impl Message<'_> {
    /// The text as a command: trimmed, in lower case.
    pub(super) fn command(&self) -> String {
        self.text.trim_matches(is_space).to_lowercase()
    }

    /// The line its user sees for plain text.
    pub(super) fn said(&self) -> String {
        format!("{} ({}): {}", self.name, self.from, self.text)
    }

    /// The line its user sees for a command, such as "Bob (127.0.0.1:5000) left".
    pub(super) fn did(&self, what: &str) -> String {
        format!("{} ({}) {what}", self.name, self.from)
    }
}

/// What str.isspace() says. Python also counts U+001C to U+001F, which Rust's White_Space leaves
/// out.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// `text.split(None, at_most - 1)`: the last word keeps its inner and trailing white space.
pub(super) fn words(text: &str, at_most: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let cut = match rest.find(is_space) {
            Some(cut) if words.len() + 1 < at_most => cut,
            _ => rest.len(),
        };
        words.push(&rest[..cut]);
        rest = rest[cut..].trim_start_matches(is_space);
    }
    words
}

/// Reads `ip:port team text`; `None` is a malformed message.
pub(super) fn standard(text: &str) -> Option<Message<'_>> {
    let [header, name, text] = words(text, 3)[..] else {
        return None;
    };
    let from = header.parse().ok()?;
    Some(Message { from, name, text })
}

/// Reads R3's `ip port name text`; `None` is a malformed message.
pub(super) fn four_field(text: &str) -> Option<Message<'_>> {
    let [ip, port, name, text] = words(text, 4)[..] else {
        return None;
    };
    let from = SocketAddrV4::new(ip.parse::<Ipv4Addr>().ok()?, port.parse().ok()?);
    Some(Message { from, name, text })
}

/// Writes `text` in the program's own form, with `header` as the sender. No trailing newline.
pub(super) fn written(program: Program, header: SocketAddrV4, text: &str) -> String {
    let name = program.name();
    match program {
        Program::R3 => format!("{} {} {name} {text}", header.ip(), header.port()),
        _ => format!("{header} {name} {text}"),
    }
}

/// What every program but XYZ does first: drops resets and empty connections in silence, and shows
/// one malformed line for bytes that are no UTF-8.
pub(super) fn decoded<'a>(board: &Board, got: io::Result<&'a [u8]>) -> Option<&'a str> {
    let bytes = got.ok().filter(|bytes| !bytes.is_empty())?;
    let text = str::from_utf8(bytes).ok();
    if text.is_none() {
        show_malformed(board, bytes);
    }
    text
}

/// Shows the line a user sees when a message could not be read.
pub(super) fn show_malformed(board: &Board, bytes: &[u8]) {
    board.show(format!("malformed message: {}", bytes.escape_ascii()));
}
