//! Who is meant by what the user types. Pure.

use std::net::IpAddr;

use super::labels::{Labels, MARK};
use crate::chat::{Offer, Pin, Row, State, Target};
use crate::model::address::{AddrError, PeerAddr};
use crate::model::key::PublicKey;
use crate::model::name::shortened;
use crate::model::untrusted::harmless;

/// Columns of a kept text or a mistaken entry that are shown again in a sentence.
const SHOWN_AGAIN: usize = 40;

/// What the prompt looks people up in.
pub trait Directory {
    /// The peer list.
    fn rows(&self) -> Vec<Row>;
    /// Whether an address is our own.
    fn is_own(&self, addr: PeerAddr) -> bool;
    /// What each is called.
    fn labels(&self) -> &Labels;
    /// What is known of the key of a peer, if it has proven one.
    fn key_of(&self, addr: PeerAddr) -> Option<Pin>;
    /// The pins that a word of the user may mean: exactly a name, or the beginning of a key.
    fn pins_named(&self, word: &str) -> Vec<Pin>;
    /// The keys waiting for the user's word that a word may mean: a name, or the beginning of a key.
    fn offers_for(&self, word: &str) -> Vec<Offer>;
    /// The digits that we and whoever holds this key compare.
    fn code_with(&self, key: PublicKey) -> String;
    /// The address that a word is, if it is one. Whoever knows the interfaces of the machine takes their names, too.
    ///
    /// # Errors
    /// Why it is none.
    fn address(&self, word: &str) -> Result<PeerAddr, AddrError> {
        word.parse()
    }
}

/// Somebody chosen, and how to call them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// Who it is.
    pub target: Target,
    /// What they are called, for sentences and prompts.
    pub label: String,
}

impl Chosen {
    /// One peer.
    pub fn one(addr: PeerAddr, label: String) -> Self {
        Self { target: Target::These(vec![addr]), label }
    }

    /// Everybody.
    pub fn all() -> Self {
        Self { target: Target::All, label: "all".into() }
    }

    /// The address, if it is one peer.
    pub fn addr(&self) -> Option<PeerAddr> {
        match &self.target {
            Target::These(addrs) if addrs.len() == 1 => addrs.first().copied(),
            _ => None,
        }
    }
}

/// What a word of the user's names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Named {
    /// Exactly this.
    Exactly(Chosen),
    /// Nobody is called so, but only this can be meant: it begins so, or is the only one there of that name.
    Perhaps(Chosen),
    /// An IP, of which the port is missing.
    NeedsPort(IpAddr),
}

/// Why a word names nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Lost {
    /// No row has that number.
    NoNumber,
    /// It is our own address.
    Ourselves(PeerAddr),
    /// It is to be an address, and a sentence says why it is none.
    NoAddress(String),
    /// Nobody is called so; somebody is called almost so.
    Nobody(Option<String>),
    /// Several are.
    Several(String),
}

/// A text of the user's own, as it is named in a sentence.
pub(super) fn shown(text: &str) -> String {
    shortened(&harmless(text), SHOWN_AGAIN)
}

impl Lost {
    /// The sentence that says so. `or` is what else can be done, as the end of a sentence.
    pub(super) fn sentence(&self, word: &str, or: &str) -> String {
        let word = shown(word);
        match self {
            Self::NoNumber => {
                format!("No peer has the number {word}; 2 in the menu, or /peers, shows the list.")
            }
            Self::Ourselves(addr) => format!("{addr} is our own address; choose somebody else."),
            Self::NoAddress(sentence) | Self::Several(sentence) => sentence.clone(),
            Self::Nobody(Some(near)) => {
                format!(
                    "Nobody is called `{word}`; did you mean {near}? Give a number, a name, an ip:port or `all`{or}."
                )
            }
            Self::Nobody(None) => {
                format!("Nobody is called `{word}`; give a number, a name, an ip:port or `all`{or}.")
            }
        }
    }
}

/// Who is meant by `word`: `all`, a number of the list, an address, an IP, a name or its beginning.
pub(super) fn find(word: &str, directory: &dyn Directory) -> Result<Named, Lost> {
    if word.eq_ignore_ascii_case("all") {
        return Ok(Named::Exactly(Chosen::all()));
    }
    let rows = directory.rows();
    let labels = directory.labels();
    let chosen = |row: &Row| Chosen::one(row.addr, labels.label(row.addr, row.name.as_ref()));
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
        let row = rows.iter().find(|row| row.number.to_string() == word);
        return row.map(|row| Named::Exactly(chosen(row))).ok_or(Lost::NoNumber);
    }
    if let Ok(ip) = word.parse::<IpAddr>() {
        return Ok(Named::NeedsPort(ip));
    }
    let address = directory.address(word);
    match address {
        Ok(addr) if directory.is_own(addr) => return Err(Lost::Ourselves(addr)),
        Ok(addr) => {
            let row = rows.iter().find(|row| row.addr == addr);
            let label = row.map_or_else(|| labels.label(addr, None), |row| chosen(row).label);
            return Ok(Named::Exactly(Chosen::one(addr, label)));
        }
        Err(_) => {}
    }
    by_name(word, &rows, labels).or_else(|lost| match (lost, address) {
        (Lost::Nobody(_), Err(error)) if word.contains(':') => Err(Lost::NoAddress(error.to_string())),
        (Lost::Nobody(near), _) => away(word, directory).ok_or(Lost::Nobody(near)),
        (lost, _) => Err(lost),
    })
}

/// Somebody who is known by a key and not in the list: they are away, and can be written to all the same. Of several nobody is meant.
fn away(word: &str, directory: &dyn Directory) -> Option<Named> {
    let pins = directory.pins_named(word);
    let mut known = pins.iter().filter(|pin| !pin.blocked);
    let (Some(pin), None) = (known.next(), known.next()) else { return None };
    let addr = *pin.addrs.first()?;
    Some(Named::Exactly(Chosen::one(addr, directory.labels().label(addr, pin.name.as_ref()))))
}

/// How alike a name has to be (1 is the same) for it to be offered in place of another.
const ALIKE: f64 = 0.8;

fn by_name(word: &str, rows: &[Row], labels: &Labels) -> Result<Named, Lost> {
    let wanted = word.to_lowercase();
    if let Some((addr, name)) = labels.nicknames().find(|(_, name)| name.as_str().to_lowercase() == wanted) {
        return Ok(Named::Exactly(Chosen::one(*addr, name.to_string())));
    }
    let label = |row: &Row| labels.label(row.addr, row.name.as_ref());
    let choose = |row: &Row| Chosen::one(row.addr, label(row));
    let is_there = |row: &&Row| row.state != State::Gone;
    let whole = of_name(rows, |name| name == wanted);
    // A colon is easier to type than the mark before the port.
    let with_mark = wanted.replace(':', &MARK.to_string());
    let is_called = |row: &&Row| [&wanted, &with_mark].contains(&&label(row).to_lowercase());
    if let Some(row) = rows.iter().find(is_called) {
        // Of two Bobs, one gone and one there, the user may mean either.
        if is_there(&row) || !whole.iter().any(|row| row.state != State::Gone) {
            return Ok(Named::Exactly(choose(row)));
        }
    }
    let fitting = if whole.is_empty() {
        let starting = |row: &&Row| label(row).to_lowercase().starts_with(&wanted);
        let mut rows_of = of_name(rows, |name| name.starts_with(&wanted));
        if rows_of.is_empty() {
            rows_of = rows.iter().filter(starting).collect();
        }
        rows_of
    } else {
        whole
    };
    match fitting[..] {
        [row] => Ok(Named::Perhaps(choose(row))),
        [] => Err(Lost::Nobody(nearest(&wanted, rows.iter().map(label)))),
        _ => Err(Lost::Several(which(word, &fitting, label))),
    }
}

/// The rows whose name fits; those that are there before those that are gone.
fn of_name(rows: &[Row], fits: impl Fn(&str) -> bool) -> Vec<&Row> {
    let fitting = |row: &&Row| row.name.as_ref().is_some_and(|name| fits(&name.as_str().to_lowercase()));
    let all: Vec<_> = rows.iter().filter(fitting).collect();
    let there: Vec<_> = all.iter().copied().filter(|row| row.state != State::Gone).collect();
    if there.is_empty() { all } else { there }
}

fn nearest(wanted: &str, labels: impl Iterator<Item = String>) -> Option<String> {
    labels
        .map(|label| (strsim::jaro_winkler(&label.to_lowercase(), wanted), label))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, label)| label)
}

/// Peers of a question that are named one by one.
const MAX_NAMED: usize = 8;

fn which(word: &str, rows: &[&Row], label: impl Fn(&Row) -> String) -> String {
    let mut named: Vec<String> = rows
        .iter()
        .take(MAX_NAMED)
        .map(|row| format!("{} for {} ({})", row.number, label(row), row.addr))
        .collect();
    if rows.len() > MAX_NAMED {
        named.push(format!("and {} more in the list", rows.len() - MAX_NAMED));
    }
    format!("`{}` fits {} peers; give a number: {}.", shown(word), rows.len(), named.join(", "))
}
