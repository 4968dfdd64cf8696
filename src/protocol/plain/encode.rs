//! From what we have to say to the bytes of one connection.

use std::net::Ipv4Addr;

use super::dialect_of;
use crate::model::message::{Form, LINE_MARK, MAX_PARTS, MAX_SENT_BYTES, Outgoing};
use crate::model::name::Name;
use crate::protocol::is_space;

/// The sender's half of a message: where we listen and what we are called.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The IP that the peer can dial us at: the local one of the very connection, or what the user
    /// advertises.
    pub ip: Ipv4Addr,
    /// Our listening port.
    pub port: u16,
    /// Our name.
    pub name: &'a Name,
}

/// The longest address that a header can hold, so that a text fits whatever connection it goes
/// over.
const LONGEST_ADDRESS: usize = "255.255.255.255:65535".len();

/// The longest mark before a part of a split text.
const LONGEST_MARK: usize = "(16/16) ".len();

/// Why a text cannot be sent to plain peers. Its display is a whole sentence for a user.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
pub enum EncodeError {
    /// There is nothing but white space.
    #[error("The message is empty; type at least one character.")]
    Empty,
    /// It would take more than [`MAX_PARTS`] messages.
    #[error("The message has {bytes} bytes; the limit is {limit}. Shorten or divide it.")]
    TooLong {
        bytes: usize,
        /// The most that would fit.
        limit: usize,
    },
}

/// The messages that carry `text`: usually one, and a text too long for a legacy peer's single
/// `recv(1024)` in several that begin with `(1/3) `, cut at white space where there is some, always
/// between characters. A text of several lines has [`LINE_MARK`] where they end, for no message may
/// hold a newline. Control characters, which nobody types, become visible; a tab becomes a space.
///
/// # Errors
/// Where there is no text, or it takes more than [`MAX_PARTS`] messages.
pub fn messages_for(text: &str, name: &Name) -> Result<Vec<String>, EncodeError> {
    let room = MAX_SENT_BYTES - LONGEST_ADDRESS - 1 - name.as_str().len() - 1;
    let ends = ['\n', '\r', '\x0b', '\x0c', '\u{85}', '\u{2028}', '\u{2029}'];
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> =
        text.trim_matches(is_space).split(ends).map(|line| line.trim_end_matches(is_space)).collect();
    let line = visible_controls(&lines.join(LINE_MARK));
    if line.is_empty() {
        return Err(EncodeError::Empty);
    }
    if line.len() <= room {
        return Ok(vec![line]);
    }
    let parts = split(&line, room - LONGEST_MARK);
    let count = parts.len();
    if count > MAX_PARTS {
        let limit = MAX_PARTS * (room - LONGEST_MARK);
        return Err(EncodeError::TooLong { bytes: text.len(), limit });
    }
    Ok(parts.iter().enumerate().map(|(i, part)| format!("({}/{count}) {part}", i + 1)).collect())
}

fn visible_controls(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => out.push(' '),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Pieces of `line` of at most `room` bytes.
fn split(line: &str, room: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = line;
    while rest.len() > room {
        let end = rest.floor_char_boundary(room);
        // Cutting at a space must not leave tiny parts, so only one in the second half counts.
        let cut = rest[..end].rfind(' ').filter(|space| *space > room / 2).unwrap_or(end);
        parts.push(&rest[..cut]);
        rest = rest[cut..].trim_start_matches(' ');
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// The bytes of each connection that `message` takes: several for a text in parts, none for an
/// empty connection. Texts come from [`messages_for`], so every message is at most
/// [`MAX_SENT_BYTES`] long, on one line, and valid UTF-8.
pub fn encode(header: Header<'_>, form: Form, message: &Outgoing) -> Vec<Vec<u8>> {
    let dialect = dialect_of(form);
    let line = |text: &str| {
        let line = (dialect.line)(header, text);
        debug_assert!(line.len() <= MAX_SENT_BYTES);
        line.into_bytes()
    };
    match message {
        Outgoing::Text(parts) => parts.iter().map(|part| line(part)).collect(),
        Outgoing::Connect => vec![line("connect")],
        Outgoing::ConnectAck => vec![line("connect_ack")],
        Outgoing::Exit => vec![dialect.exit.map_or_else(|| line("exit"), |exit| exit(header).into_bytes())],
        Outgoing::Ping => vec![line("PING")],
        Outgoing::Probe => vec![Vec::new()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alice() -> Name {
        "Alice".parse().unwrap()
    }

    fn encoded(form: Form, message: &Outgoing) -> Vec<String> {
        let name = alice();
        let header = Header { ip: Ipv4Addr::LOCALHOST, port: 5000, name: &name };
        let messages = encode(header, form, message);
        messages.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }

    #[test]
    fn each_message_has_the_form_its_peer_understands() {
        let hi = Outgoing::Text(["hi you".to_owned()].into());
        for (form, message, bytes) in [
            (Form::STANDARD, &hi, "127.0.0.1:5000 Alice hi you"),
            (Form::new("r3"), &hi, "127.0.0.1 5000 Alice hi you"),
            (Form::new("two-field"), &hi, "127.0.0.1:5000 Alice hi you"),
            (Form::STANDARD, &Outgoing::Connect, "127.0.0.1:5000 Alice connect"),
            (Form::new("r3"), &Outgoing::ConnectAck, "127.0.0.1 5000 Alice connect_ack"),
            (Form::STANDARD, &Outgoing::Exit, "127.0.0.1:5000 Alice exit"),
            (Form::new("r3"), &Outgoing::Exit, "127.0.0.1 5000 Alice exit"),
            (Form::new("two-field"), &Outgoing::Exit, "127.0.0.1:5000 DISCONNECTED"),
            (Form::STANDARD, &Outgoing::Ping, "127.0.0.1:5000 Alice PING"),
            (Form::STANDARD, &Outgoing::Probe, ""),
        ] {
            assert_eq!(encoded(form, message), [bytes]);
        }
    }

    #[test]
    fn several_lines_become_one_message_with_marks() {
        assert_eq!(messages_for(" a \r\n\n  b\u{2028}c \n", &alice()).unwrap(), ["a ⏎  ⏎   b ⏎ c"]);
        assert_eq!(messages_for(" \n\t", &alice()), Err(EncodeError::Empty));
    }

    #[test]
    fn control_characters_are_sent_visible() {
        assert_eq!(messages_for("a\x1b[31m\tb", &alice()).unwrap(), ["a\\u{1b}[31m b"]);
    }

    #[test]
    fn long_text_is_split_between_words_and_numbered() {
        let text = "word ".repeat(300);
        let parts = messages_for(&text, &alice()).unwrap();
        assert_eq!(parts.len(), 2);
        assert!(parts[0].starts_with("(1/2) word") && parts[0].ends_with("word"));
        assert!(parts[1].starts_with("(2/2) word"));
    }

    #[test]
    fn text_over_the_limit_is_refused() {
        let error = messages_for(&"x".repeat(100_000), &alice()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("100000 bytes") && text.contains("the limit is 15"), "{text}");
    }

    proptest! {
        #[test]
        fn parts_of_split_text_hold_every_word(words in prop::collection::vec("[a-zé漢]{1,30}", 1..150)) {
            let text = words.join(" ");
            let parts = messages_for(&text, &alice()).unwrap();
            let longest = parts.iter().map(String::len).max().unwrap_or(0);
            prop_assert!(longest + LONGEST_ADDRESS + 7 <= MAX_SENT_BYTES);
            if parts.len() > 1 {
                let unmarked: Vec<&str> = parts.iter().map(|part| part.split_once(") ").unwrap().1).collect();
                prop_assert_eq!(unmarked.join(" "), text);
            }
        }
    }
}
