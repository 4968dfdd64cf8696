//! From the bytes of a connection to its messages.

use std::borrow::Cow;

use super::DIALECTS;
use super::dialect::{Address, Content};
use crate::model::message::{Decoded, Fault, Form, MAX_RECEIVED_BYTES, Plain, Unreadable};
use crate::model::untrusted::Text;

/// Characters of an unreadable message that are kept for showing: enough to see who or what sent
/// it.
const UNREADABLE_CHARS: usize = 120;

/// Collects the bytes of one connection. A plain message has no end of its own: it ends when the
/// sender closes, falls silent, or reaches [`MAX_RECEIVED_BYTES`], and the caller says which by
/// calling [`Decoder::finish`].
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    full: bool,
}

/// Whether a [`Decoder`] takes more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The message may go on.
    NeedMore,
    /// More came than is read; reading on is of no use.
    Full,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the connection, in pieces of any size.
    pub fn push(&mut self, bytes: &[u8]) -> Progress {
        let room = MAX_RECEIVED_BYTES - self.bytes.len();
        if bytes.len() > room {
            self.full = true;
        }
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if self.full { Progress::Full } else { Progress::NeedMore }
    }

    /// Whether nothing has come yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All that has come.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the last byte ends a line.
    pub fn ends_a_line(&self) -> bool {
        self.bytes.last() == Some(&b'\n')
    }

    /// The sender was not done: the last message is not whole, and so no command.
    pub fn mark_cut(&mut self) {
        self.full = true;
    }

    /// Whether the last message is not whole: more came than was read, or the sender was not done.
    pub fn is_cut(&self) -> bool {
        self.full
    }

    /// The messages, now that there are no more bytes. None for an empty connection or nothing but
    /// white space.
    pub fn finish(self) -> Vec<Decoded> {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = match text {
            // A cut through a character is ours, not the sender's.
            Cow::Owned(lossy) if self.full => Cow::Owned(lossy.trim_end_matches('\u{fffd}').to_owned()),
            text => text,
        };
        decode(&text, self.full)
    }
}

/// The messages in `text`. It is split at a newline only where the next line begins with the
/// address that the first line began with: no sender can write a line in another's name, and a text
/// of several lines stays one.
fn decode(text: &str, cut: bool) -> Vec<Decoded> {
    let text = text.trim_start_matches(crate::protocol::is_space);
    if text.is_empty() {
        return Vec::new();
    }
    let Some(first) = address(text) else {
        return vec![unreadable(text, Fault::NoAddress)];
    };
    let mut messages = Vec::new();
    let mut begin = 0;
    for (newline, _) in text.match_indices('\n') {
        let next = newline + 1;
        let line = &text[next..];
        // A line that begins with white space is passed over here, for finding where each ends
        // would take long.
        if !line.starts_with(crate::protocol::is_space) && address(line) == Some(first) {
            messages.push(decoded(&text[begin..newline], false));
            begin = next;
        }
    }
    messages.push(decoded(&text[begin..], cut));
    messages
}

/// The address that `text` begins with, and its form.
fn address(text: &str) -> Option<(Form, Address)> {
    DIALECTS.iter().find_map(|dialect| Some((dialect.form, (dialect.address)(text)?.0)))
}

/// The message that `text` is, in the first dialect that has such messages.
fn decoded(text: &str, is_cut: bool) -> Decoded {
    let mut fault = Fault::NoAddress;
    for dialect in DIALECTS {
        let Some((Address { claimed, is_bracketed }, text)) = (dialect.address)(text) else { continue };
        fault = Fault::NoText;
        if let Some((name, body)) = (dialect.content)(Content { text, is_bracketed, is_cut }) {
            return Decoded::Message(Plain { claimed, form: dialect.form, name, body });
        }
    }
    unreadable(text, fault)
}

fn unreadable(text: &str, fault: Fault) -> Decoded {
    let text = text.trim_end_matches(crate::protocol::is_space);
    let mut beginning: String = text.chars().take(UNREADABLE_CHARS).collect();
    if beginning.len() < text.len() {
        beginning.push('…');
    }
    Decoded::Unreadable(Unreadable { fault, text: Text::new(beginning) })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::address::Claimed;
    use crate::model::message::Body;
    use crate::model::name::PeerName;

    fn decoded(bytes: &[u8]) -> Vec<Decoded> {
        let mut decoder = Decoder::new();
        decoder.push(bytes);
        decoder.finish()
    }

    fn plain(form: Form, name: Option<&str>, body: Body) -> Decoded {
        Decoded::Message(Plain {
            claimed: Claimed { ip: Ipv4Addr::LOCALHOST, port: 5001 },
            form,
            name: name.map(PeerName::new),
            body,
        })
    }

    fn text(text: &str) -> Body {
        Body::Text(Text::new(text))
    }

    #[test]
    fn every_form_of_a_message_is_understood() {
        let bob = Some("Bob");
        for (bytes, form, name, body) in [
            ("127.0.0.1:5001 Bob Hello there", Form::STANDARD, bob, text("Hello there")),
            ("<127.0.0.1:5001> Bob Hello", Form::STANDARD, bob, text("Hello")),
            ("127.0.0.1 5001 Bob Hello there", Form::new("r3"), bob, text("Hello there")),
            ("127.0.0.1:5001 Bob Hello\r\n", Form::STANDARD, bob, text("Hello")),
            ("127.0.0.1:5001\u{2003}Bob\u{a0}Hello", Form::STANDARD, bob, text("Hello")),
            ("127.0.0.1:5001 Bob   indented", Form::STANDARD, bob, text("  indented")),
            ("127.0.0.1:5001 Bob exit", Form::STANDARD, bob, Body::Exit),
            ("127.0.0.1:5001 Bob  EXIT \n", Form::STANDARD, bob, Body::Exit),
            ("127.0.0.1:5001 Bob exit now", Form::STANDARD, bob, text("exit now")),
            ("127.0.0.1:5001 Bob [PEER_QUIT]", Form::STANDARD, bob, Body::Exit),
            ("<127.0.0.1:5001> Bob quit", Form::STANDARD, bob, Body::Exit),
            ("127.0.0.1:5001 Bob quit", Form::STANDARD, bob, text("quit")),
            ("127.0.0.1:5001 Bob Connect", Form::STANDARD, bob, Body::Connect),
            ("127.0.0.1 5001 Bob connect", Form::new("r3"), bob, Body::Connect),
            ("127.0.0.1 5001 Bob connect_ack", Form::new("r3"), bob, Body::ConnectAck),
            ("127.0.0.1:5001 Hashpa PING", Form::STANDARD, Some("Hashpa"), Body::Ping),
            ("127.0.0.1:5001 Bob ping", Form::STANDARD, bob, text("ping")),
            (
                "127.0.0.1:5001 Hashpa Hello, I am connecting!",
                Form::STANDARD,
                Some("Hashpa"),
                Body::Greeting(Text::new("Hello, I am connecting!")),
            ),
            ("127.0.0.1:5001 CONNECT_REQUEST", Form::new("two-field"), None, Body::ConnectRequest),
            ("127.0.0.1:5001 DISCONNECTED", Form::new("two-field"), None, Body::Exit),
            ("127.0.0.1:5001 DISCONNECT", Form::new("two-field"), None, Body::Exit),
            ("127.0.0.1:5001 CONNECT", Form::STANDARD, None, Body::Connect),
            ("127.0.0.1:5001 Connected", Form::STANDARD, None, Body::ConnectAck),
        ] {
            assert_eq!(decoded(bytes.as_bytes()), [plain(form, name, body)], "{bytes:?}");
        }
    }

    #[test]
    fn unparsable_message_is_kept_to_be_shown() {
        for (bytes, fault) in [
            ("hello", Fault::NoAddress),
            ("127.0.0.1:0 Bob hi", Fault::NoAddress),
            ("127.0.0.1:65536 Bob hi", Fault::NoAddress),
            ("127.0.0.1:５００１ Bob hi", Fault::NoAddress),
            ("127.0.0.066:5001 Bob hi", Fault::NoAddress),
            ("<127.0.0.1:5001 Bob hi", Fault::NoAddress),
            ("127.0.0.1:5001> Bob hi", Fault::NoAddress),
            ("127.0.0.1:abc Bob hi", Fault::NoAddress),
            ("127.0.0.1: Bob hi", Fault::NoAddress),
            ("[::1]:5001 Bob hi", Fault::NoAddress),
            ("1.2.3:5001 Bob hi", Fault::NoAddress),
            ("127.0.0.1 Bob hi", Fault::NoAddress),
            ("127.0.0.1:5001", Fault::NoText),
            ("127.0.0.1:5001 Bob", Fault::NoText),
            ("127.0.0.1:5001 Bob  \n", Fault::NoText),
            ("127.0.0.1 5001 exit", Fault::NoText),
            ("GET / HTTP/1.1", Fault::NoAddress),
        ] {
            let expected = Unreadable { fault, text: Text::new(bytes.trim_end()) };
            assert_eq!(decoded(bytes.as_bytes()), [Decoded::Unreadable(expected)], "{bytes:?}");
        }
    }

    #[test]
    fn an_empty_connection_carries_nothing() {
        assert_eq!(decoded(b""), []);
        assert_eq!(decoded(b" \r\n"), []);
    }

    #[test]
    fn only_lines_of_same_sender_are_messages() {
        let one = plain(Form::STANDARD, Some("Bob"), text("one"));
        let two = plain(Form::STANDARD, Some("Bob"), text("two"));
        assert_eq!(decoded(b"127.0.0.1:5001 Bob one\n127.0.0.1:5001 Bob two\n"), [one, two]);
        let forged = "127.0.0.1:5001 Bob one\n127.0.0.1:5002 Eve two";
        let whole = plain(Form::STANDARD, Some("Bob"), text("one\n127.0.0.1:5002 Eve two"));
        assert_eq!(decoded(forged.as_bytes()), [whole]);
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        let body = text("caf\u{fffd} ok");
        assert_eq!(decoded(b"127.0.0.1:5001 Bob caf\xe9 ok"), [plain(Form::STANDARD, Some("Bob"), body)]);
    }

    #[test]
    fn message_over_the_limit_is_cut() {
        let mut decoder = Decoder::new();
        let mut bytes = b"127.0.0.1:5001 Bob ".to_vec();
        bytes.resize(MAX_RECEIVED_BYTES, b'x');
        assert_eq!(decoder.push(&bytes), Progress::NeedMore);
        assert_eq!(decoder.push(b"y"), Progress::Full);
        assert_eq!(decoder.push(&[b'z'; 100_000]), Progress::Full);
        assert!(decoder.is_cut());
        let messages = decoder.finish();
        let [Decoded::Message(Plain { body: Body::Text(text), .. })] = &messages[..] else {
            panic!("{messages:?}")
        };
        assert_eq!(text.raw().len(), MAX_RECEIVED_BYTES - "127.0.0.1:5001 Bob ".len());
    }

    #[test]
    fn cut_inside_character_leaves_no_replacement_character() {
        let mut decoder = Decoder::new();
        let mut bytes = b"127.0.0.1:5001 Bob ".to_vec();
        bytes.resize(MAX_RECEIVED_BYTES - 1, b'x');
        bytes.extend("€".bytes());
        decoder.push(&bytes);
        let messages = decoder.finish();
        let [Decoded::Message(Plain { body: Body::Text(text), .. })] = &messages[..] else {
            panic!("{messages:?}")
        };
        assert!(text.raw().ends_with('x'));
    }

    #[test]
    fn cut_message_is_no_command() {
        let mut decoder = Decoder::new();
        decoder.push(b"127.0.0.1:5001 Bob exit");
        decoder.mark_cut();
        assert_eq!(decoder.finish(), [plain(Form::STANDARD, Some("Bob"), text("exit"))]);
        let mut decoder = Decoder::new();
        decoder.push(b"127.0.0.1:5001 DISCONNECTED");
        decoder.mark_cut();
        assert!(matches!(decoder.finish()[..], [Decoded::Unreadable(_)]));
    }
}
