//! R3's dialect: `ip port name text`. It kills other programs.

use super::dialect::{Address, Dialect};
use super::standard::{self, claim, unbracketed};
use crate::model::message::Form;
use crate::protocol::first_word;

pub(super) static DIALECT: Dialect = Dialect {
    form: Form::new("r3"),
    address,
    // It has no messages without a name.
    content: standard::named,
    line: |header, text| format!("{} {} {} {text}", header.ip, header.port, header.name),
    ..standard::BASE
};

fn address(text: &str) -> Option<(Address, &str)> {
    let (ip, rest) = first_word(text)?;
    let (ip, is_bracketed) = unbracketed(ip);
    let (port, rest) = first_word(rest)?;
    Some((Address { claimed: claim(ip, port)?, is_bracketed }, rest))
}
