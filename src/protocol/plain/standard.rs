//! Headers and commands of the three plain forms.
//!
//! | form | message |
//! |---|---|
//! | standard | `ip:port team text`, the address optionally in `<>` |
//! | two-field | `ip:port WORD` |
//! | R3 | `ip port name text` |

use std::net::Ipv4Addr;

use crate::model::address::{Claimed, parse_port};
use crate::model::message::{Body, Fault, Form, Plain};
use crate::model::name::PeerName;
use crate::model::untrusted::Text;
use crate::protocol::{first_word, is_space};

/// The address at the beginning of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Address {
    pub(super) claimed: Claimed,
    form: Form,
    bracketed: bool,
}

/// Reads the address that `text` begins with, and returns what follows it.
pub(super) fn address(text: &str) -> Result<(Address, &str), Fault> {
    let (word, rest) = first_word(text).ok_or(Fault::NoAddress)?;
    let inner = word.strip_prefix('<').and_then(|word| word.strip_suffix('>'));
    let bracketed = inner.is_some();
    let word = inner.unwrap_or(word);
    if let Some((ip, port)) = word.split_once(':') {
        let claimed = claim(ip, port).ok_or(Fault::NoAddress)?;
        return Ok((Address { claimed, form: Form::Standard, bracketed }, rest));
    }
    let (port, rest) = first_word(rest).ok_or(Fault::NoAddress)?;
    let claimed = claim(word, port).ok_or(Fault::NoAddress)?;
    Ok((Address { claimed, form: Form::R3, bracketed }, rest))
}

fn claim(ip: &str, port: &str) -> Option<Claimed> {
    Some(Claimed { ip: ip.parse::<Ipv4Addr>().ok()?, port: parse_port(port).ok()? })
}

/// Reads what follows the address of one message, which ends where `rest` ends. One that is `cut`
/// may go on to be anything, so it is no command.
pub(super) fn message(address: Address, rest: &str, cut: bool) -> Result<Plain, Fault> {
    let (name, text) = first_word(rest).ok_or(Fault::NoText)?;
    let text = text.trim_end_matches(is_space);
    // One separator; what follows it is the text, whose own white space is the sender's business.
    let text = text.strip_prefix(is_space).unwrap_or(text);
    if text.is_empty() {
        return command_word(address, name).filter(|_| !cut).ok_or(Fault::NoText);
    }
    Ok(Plain {
        claimed: address.claimed,
        form: address.form,
        name: Some(PeerName::new(name)),
        body: if cut { Body::Text(Text::new(text)) } else { body(text, address.bracketed) },
    })
}

/// The two-field form: an address and a word that is a command.
fn command_word(address: Address, word: &str) -> Option<Plain> {
    if address.form == Form::R3 {
        return None;
    }
    let is = |command: &str| word.eq_ignore_ascii_case(command);
    let (form, body) = if is("CONNECT_REQUEST") {
        (Form::TwoField, Body::ConnectRequest)
    } else if is("DISCONNECTED") || is("DISCONNECT") {
        (Form::TwoField, Body::Exit)
    } else if is("exit") || is("[PEER_QUIT]") || (is("quit") && address.bracketed) {
        (Form::Standard, Body::Exit)
    } else if is("connect") {
        (Form::Standard, Body::Connect)
    } else if is("connect_ack") || is("connected") {
        (Form::Standard, Body::ConnectAck)
    } else if word == "PING" {
        (Form::Standard, Body::Ping)
    } else {
        return None;
    };
    Some(Plain { claimed: address.claimed, form, name: None, body })
}

/// Tells a command from a text: the whole of it, trimmed, in any case, but `PING` only exactly.
fn body(text: &str, bracketed: bool) -> Body {
    let word = text.trim_matches(is_space);
    // The longest command decides what is worth comparing.
    if word.len() > HASHPA_GREETING.len() {
        return Body::Text(Text::new(text));
    }
    let is = |command: &str| word.eq_ignore_ascii_case(command);
    if is("exit") || is("[PEER_QUIT]") || (is("quit") && bracketed) {
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
