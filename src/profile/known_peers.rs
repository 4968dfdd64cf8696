//! `known_peers.toml`, where versions before contacts.toml stored the pinned keys. It is imported
//! once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use crate::core::{MAX_CONTACTS, MAX_HINTS, MAX_PINS, MAX_STRANGERS, Pin};
use crate::interfaces;
use crate::model::key::PublicKey;
use crate::model::name::{PeerName, quoted};
use crate::settings::file::{ConfigError, Mistake, PeerFile, deserialized, parsed, read_if_present};

/// The file, in the directory of the profile.
const KNOWN_FILE: &str = "known_peers.toml";

/// The maximum size of the file in bytes, which is the limit of the versions that wrote it.
const MAX_KNOWN_BYTES: u64 = MAX_PINS as u64 * 1_200;

/// The name of the file after its import.
const SET_ASIDE: &str = "known_peers.toml.old";

/// Reads the pins in `folder`.
///
/// # Errors
/// If the file exists and cannot be read, or contains a mistake.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<PublicKey, Pin>, ConfigError> {
    let path = folder.join(KNOWN_FILE);
    match read_if_present(&path, MAX_KNOWN_BYTES)? {
        None => Ok(BTreeMap::new()),
        Some(text) => pins_of(&path, &text),
    }
}

/// Renames the file after its import.
pub(super) fn set_aside(folder: &Path) {
    let renamed = std::fs::rename(folder.join(KNOWN_FILE), folder.join(SET_ASIDE));
    if let Err(error) = renamed
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("{KNOWN_FILE} could not be renamed: {error}");
    }
}

/// Returns the pins in the text of a file. Only errors use `path`.
pub(crate) fn pins_of(path: &Path, text: &str) -> Result<BTreeMap<PublicKey, Pin>, ConfigError> {
    parsed(path, text, parse)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownPeerEntry {
    key: Spanned<String>,
    name: Option<Spanned<String>>,
    #[serde(default)]
    addresses: Vec<Spanned<String>>,
    #[serde(default)]
    contact: bool,
    first_seen: Spanned<String>,
    verified: Option<Spanned<String>>,
    #[serde(default)]
    blocked: bool,
}

fn parse(text: &str) -> Result<BTreeMap<PublicKey, Pin>, Mistake> {
    let format = "A list of known peers has [[peer]] entries, each with a `key` and `first_seen`, and perhaps `name`, \
                  `addresses`, `contact`, `verified` and `blocked`.";
    let file: PeerFile<KnownPeerEntry> = deserialized(text, format)?;
    let mut pins = BTreeMap::new();
    let (mut contacts, mut strangers) = (0, 0);
    for entry in file.peer {
        let at = entry.key.span().start;
        let pin = pin(entry)?;
        let (count, most, what) = match pin.contact {
            true => (&mut contacts, MAX_CONTACTS, "contacts"),
            false => (&mut strangers, MAX_STRANGERS, "keys of strangers"),
        };
        *count += 1;
        if *count > most {
            return Err((at, format!("more than {most} {what} are listed; keep those that you need.")));
        }
        let key = pin.key;
        if pins.insert(key, pin).is_some() {
            return Err((at, format!("{key} is listed twice; remove one entry.")));
        }
    }
    Ok(pins)
}

fn pin(entry: KnownPeerEntry) -> Result<Pin, Mistake> {
    let key = entry.key.get_ref().parse().map_err(|error| (entry.key.span().start, format!("{error}")))?;
    if let Some(extra) = entry.addresses.get(MAX_HINTS) {
        return Err((
            extra.span().start,
            format!("more than {MAX_HINTS} addresses are listed; keep the latest."),
        ));
    }
    let addr = |text: &Spanned<String>| {
        interfaces::parse_addr(text.get_ref()).map_err(|error| (text.span().start, format!("{error}")))
    };
    Ok(Pin {
        key,
        name: entry.name.map(name).transpose()?,
        // Earlier versions did not write `contact`, but only contacts are verified or blocked.
        contact: entry.contact || entry.verified.is_some() || entry.blocked,
        addrs: entry.addresses.iter().map(addr).collect::<Result<_, _>>()?,
        given: Vec::new(),
        first_seen: seconds(&entry.first_seen)?,
        verified: entry.verified.as_ref().map(seconds).transpose()?,
        blocked: entry.blocked,
    })
}

fn name(text: Spanned<String>) -> Result<PeerName, Mistake> {
    if text.get_ref().trim().is_empty() {
        return Err((text.span().start, "a name is not empty; leave `name` out if there is none.".into()));
    }
    Ok(PeerName::new(text.get_ref()))
}

fn seconds(text: &Spanned<String>) -> Result<u64, Mistake> {
    let time = text.get_ref().parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
    time.ok_or_else(|| {
        let what =
            format!("`{}` is not a date; write one like \"2026-11-21T10:00:00Z\".", quoted(text.get_ref()));
        (text.span().start, what)
    })
}

#[cfg(test)]
mod tests;
