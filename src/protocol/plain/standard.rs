//! The standard form, `ip:port team text`, with the address optionally in `<>`; and what the other
//! dialects share with it.

use std::net::Ipv4Addr;

use super::dialect::{Address, Content, Dialect};
use crate::model::address::{Claimed, parse_port};
use crate::model::message::{Body, Form};
use crate::model::name::PeerName;
use crate::model::untrusted::Text;
use crate::protocol::{first_word, is_space};

pub(super) static DIALECT: Dialect = Dialect { has_standard_texts: true, ..BASE };

/// What a dialect has that says nothing else.
pub(super) const BASE: Dialect = Dialect {
    form: Form::STANDARD,
    is_configurable: true,
    has_standard_texts: false,
    address,
    content: |content| named(content).or_else(|| nameless(content)),
    line: |header, text| format!("{}:{} {} {text}", header.ip, header.port, header.name),
    exit: None,
};

fn address(text: &str) -> Option<(Address, &str)> {
    let (word, rest) = first_word(text)?;
    let (word, is_bracketed) = unbracketed(word);
    let (ip, port) = word.split_once(':')?;
    Some((Address { claimed: claim(ip, port)?, is_bracketed }, rest))
}

/// A word without the `<>` around it, and whether it had them.
pub(super) fn unbracketed(word: &str) -> (&str, bool) {
    let inner = word.strip_prefix('<').and_then(|word| word.strip_suffix('>'));
    (inner.unwrap_or(word), inner.is_some())
}

pub(super) fn claim(ip: &str, port: &str) -> Option<Claimed> {
    Some(Claimed { ip: ip.parse::<Ipv4Addr>().ok()?, port: parse_port(port).ok()? })
}

/// Reads a name and a text or a command.
pub(super) fn named(content: Content<'_>) -> Option<(Option<PeerName>, Body)> {
    let (name, text) = first_word(content.text)?;
    let text = text.trim_end_matches(is_space);
    // One separator; what follows it is the text, whose own white space is the sender's business.
    let text = text.strip_prefix(is_space).unwrap_or(text);
    let body = match content.is_cut {
        true => Body::Text(Text::new(text)),
        false => body(text, content.is_bracketed),
    };
    (!text.is_empty()).then(|| (Some(PeerName::new(name)), body))
}

/// The word of a message of one word, which is only a command if the message is whole.
pub(super) fn only_word(content: Content<'_>) -> Option<&str> {
    let (word, rest) = first_word(content.text)?;
    (!content.is_cut && rest.trim_end_matches(is_space).is_empty()).then_some(word)
}

/// Reads a command without a name.
fn nameless(content: Content<'_>) -> Option<(Option<PeerName>, Body)> {
    let word = only_word(content)?;
    let is = |command: &str| word.eq_ignore_ascii_case(command);
    let body = if is_exit(word, content.is_bracketed) {
        Body::Exit
    } else if is("connect") {
        Body::Connect
    } else if is("connect_ack") || is("connected") {
        Body::ConnectAck
    } else if word == "PING" {
        Body::Ping
    } else {
        return None;
    };
    Some((None, body))
}

/// Whether a word is a goodbye, which some programs write otherwise.
fn is_exit(word: &str, is_bracketed: bool) -> bool {
    let is = |command: &str| word.eq_ignore_ascii_case(command);
    is("exit") || is("[PEER_QUIT]") || (is("quit") && is_bracketed)
}

/// Tells a command from a text: the whole of it, trimmed, in any case, but `PING` only exactly.
fn body(text: &str, is_bracketed: bool) -> Body {
    let word = text.trim_matches(is_space);
    // The longest command decides what is worth comparing.
    if word.len() > HASHPA_GREETING.len() {
        return Body::Text(Text::new(text));
    }
    let is = |command: &str| word.eq_ignore_ascii_case(command);
    if is_exit(word, is_bracketed) {
        Body::Exit
    } else if is("connect") {
        Body::Connect
    } else if is("connect_ack") {
        Body::ConnectAck
    } else if word == "PING" {
        Body::Ping
    } else if word == "CONNECT_REQUEST" {
        Body::ConnectRequest
    } else if word == HASHPA_GREETING {
        Body::Greeting(Text::new(text))
    } else {
        Body::Text(Text::new(text))
    }
}

/// What Hashpa sends to connect.
const HASHPA_GREETING: &str = "Hello, I am connecting!";
