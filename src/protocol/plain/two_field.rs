//! SmartCookies' dialect for its commands: `ip:port WORD`. Its texts are in the standard form.

use super::dialect::{Content, Dialect};
use super::standard;
use crate::model::message::{Body, Form};
use crate::model::name::PeerName;

pub(super) static DIALECT: Dialect = Dialect {
    form: Form::new("two-field"),
    is_configurable: false,
    has_standard_texts: true,
    content,
    exit: Some(|header| format!("{}:{} DISCONNECTED", header.ip, header.port)),
    ..standard::BASE
};

fn content(content: Content<'_>) -> Option<(Option<PeerName>, Body)> {
    let word = standard::only_word(content)?;
    let is = |command: &str| word.eq_ignore_ascii_case(command);
    if is("CONNECT_REQUEST") {
        Some((None, Body::ConnectRequest))
    } else if is("DISCONNECTED") || is("DISCONNECT") {
        Some((None, Body::Exit))
    } else {
        None
    }
}
