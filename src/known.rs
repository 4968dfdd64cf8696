//! `known_peers.toml`: the pinned keys, saved between runs. docs/IDENTITY.md describes the format.
//!
//! The lock of the profile keeps other processes from writing the file, so it is read once.
//! `core::trust` decides when to pin a key and what a pin means.

mod configured;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use crate::config::{ConfigError, mistake, read_text_within, toml_words};
use crate::core::{MAX_CONTACTS, MAX_HINTS, MAX_PINS, MAX_STRANGERS, Pin, PinChange};
use crate::files;
use crate::model::key::PublicKey;
use crate::model::name::{PeerName, quoted};
use crate::net;

/// The file, in the directory of the profile.
const KNOWN_FILE: &str = "known_peers.toml";

/// Bytes of one entry as we write it, at most, with some room for comments.
const MAX_ENTRY_BYTES: u64 = 1_200;

/// Bytes of the file, at most. Any file that we write can be read again.
const MAX_KNOWN_BYTES: u64 = MAX_PINS as u64 * MAX_ENTRY_BYTES;

/// Time between two writes of the file. Writing a full file takes 0.2 s in a debug build, too long
/// for each change. A crash loses the changes of this time.
const SAVE_PAUSE: Duration = Duration::from_secs(1);

const TITLE: &str = "# The pinned keys of other people. p2p-chat replaces this file; edit it while p2p-chat is not running.\n";

/// Why the pins cannot be read or saved. Displayed as a whole sentence.
#[derive(Debug)]
pub enum KnownError {
    /// The file cannot be read, or holds a mistake.
    File(ConfigError),
    /// The file cannot be written.
    Unwritable(PathBuf, io::Error),
    /// There are too many contacts or strangers.
    TooMany,
}

impl fmt::Display for KnownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Unwritable(path, error) => write!(
                f,
                "Cannot write {}: {error}; changes to known keys are lost when p2p-chat exits.",
                path.display()
            ),
            Self::TooMany => {
                write!(
                    f,
                    "More than {MAX_CONTACTS} contacts or {MAX_STRANGERS} strangers cannot be remembered."
                )
            }
        }
    }
}

impl std::error::Error for KnownError {}

/// The saved pins.
#[derive(Debug)]
pub struct KnownPeers {
    folder: Option<PathBuf>,
    pins: BTreeMap<PublicKey, Pin>,
    /// The file differs from `pins`.
    unsaved: bool,
    /// The pins have changed since the file was last written, or a write was last tried.
    due: bool,
    /// When the file was last written or a write was last tried.
    saved_at: Option<Instant>,
}

impl KnownPeers {
    /// Reads the file in `folder`, which has to exist by the first save. Without a folder nothing
    /// is read or saved.
    ///
    /// # Errors
    /// If the file exists and cannot be read, or contains a mistake.
    pub fn open(folder: Option<&Path>) -> Result<Self, KnownError> {
        let pins = folder.map_or_else(|| Ok(BTreeMap::new()), read).map_err(KnownError::File)?;
        Ok(Self { folder: folder.map(Path::to_owned), pins, unsaved: false, due: false, saved_at: None })
    }

    /// All pins, sorted by key.
    pub fn pins(&self) -> impl Iterator<Item = &Pin> {
        self.pins.values()
    }

    /// Applies changes, in order. If they change anything, the file is due to be saved.
    ///
    /// # Errors
    /// If there would be too many contacts or strangers. Nothing changes then.
    pub fn note(&mut self, changes: impl IntoIterator<Item = PinChange>) -> Result<(), KnownError> {
        // The last of several changes of a key wins.
        let mut changes: BTreeMap<PublicKey, Option<Pin>> = changes
            .into_iter()
            .map(|change| match change {
                PinChange::Write(pin) => (pin.key, Some(pin)),
                PinChange::Forget(key) => (key, None),
            })
            .collect();
        changes.retain(|key, pin| self.pins.get(key) != pin.as_ref());
        let unchanged = self.pins.iter().filter(|(key, _)| !changes.contains_key(key));
        let after = unchanged.map(|(_, pin)| pin).chain(changes.values().flatten());
        let (contacts, strangers) = after.fold((0, 0), |(contacts, strangers), pin| match pin.contact {
            true => (contacts + 1, strangers),
            false => (contacts, strangers + 1),
        });
        if contacts > MAX_CONTACTS || strangers > MAX_STRANGERS {
            return Err(KnownError::TooMany);
        }
        if !changes.is_empty() {
            (self.unsaved, self.due) = (true, true);
        }
        for (key, pin) in changes {
            match pin {
                Some(pin) => drop(self.pins.insert(key, pin)),
                None => drop(self.pins.remove(&key)),
            }
        }
        Ok(())
    }

    /// Makes contacts of the pinned keys in `keys`, up to [`MAX_CONTACTS`], and ignores other keys.
    /// Used for keys that the history or the aliases show to be contacts, although a file of an
    /// earlier version does not.
    pub fn mark_contacts(&mut self, keys: impl IntoIterator<Item = PublicKey>) {
        let mut contacts = self.pins.values().filter(|pin| pin.contact).count();
        for key in keys {
            let stranger = self.pins.get_mut(&key).filter(|pin| !pin.contact);
            if let Some(pin) = stranger.filter(|_| contacts < MAX_CONTACTS) {
                pin.contact = true;
                contacts += 1;
                (self.unsaved, self.due) = (true, true);
            }
        }
    }

    /// When to save the file: at once, but at most once a second. `None` if it was saved or tried
    /// since the last change.
    pub fn save_due(&self) -> Option<Instant> {
        let due = self.due && self.folder.is_some();
        due.then(|| self.saved_at.map_or_else(Instant::now, |at| at + SAVE_PAUSE))
    }

    /// Replaces the file if there are unsaved changes. Blocks until it is on the disk.
    ///
    /// # Errors
    /// If the file cannot be written. It stays as it was. The next change makes it due again, and
    /// each further call tries again.
    pub fn save(&mut self) -> Result<(), KnownError> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.unsaved) else { return Ok(()) };
        let path = folder.join(KNOWN_FILE);
        let written = files::replace(&path, text_of(self.pins.values()).as_bytes());
        // Counted from the end, so that a slow disk does not block the caller all the time.
        self.saved_at = Some(Instant::now());
        (self.unsaved, self.due) = (written.is_err(), false);
        written.map_err(|error| KnownError::Unwritable(path, error))
    }
}

fn read(folder: &Path) -> Result<BTreeMap<PublicKey, Pin>, ConfigError> {
    let path = folder.join(KNOWN_FILE);
    match read_text_within(&path, MAX_KNOWN_BYTES) {
        Err(ConfigError::Unreadable(_, error)) if error.kind() == io::ErrorKind::NotFound => {
            Ok(BTreeMap::new())
        }
        text => pins_of(&path, &text?),
    }
}

/// The pins in the text of a file.
pub(crate) fn pins_of(path: &Path, text: &str) -> Result<BTreeMap<PublicKey, Pin>, ConfigError> {
    parse(text).map_err(|(at, what)| mistake(path, text.as_bytes(), at, &what))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    peer: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
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

/// A mistake: its byte offset, and a sentence.
type Mistake = (usize, String);

fn parse(text: &str) -> Result<BTreeMap<PublicKey, Pin>, Mistake> {
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let format = "A list of known peers has [[peer]] entries, each with a `key` and `first_seen`, and perhaps `name`, \
                      `addresses`, `contact`, `verified` and `blocked`.";
        (at, format!("{}. {format}", toml_words(error.message())))
    })?;
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
            return Err((at, format!("{key} is listed twice; leave one of the entries out.")));
        }
    }
    Ok(pins)
}

fn pin(entry: Entry) -> Result<Pin, Mistake> {
    let key = entry.key.get_ref().parse().map_err(|error| (entry.key.span().start, format!("{error}")))?;
    if let Some(extra) = entry.addresses.get(MAX_HINTS) {
        return Err((
            extra.span().start,
            format!("more than {MAX_HINTS} addresses are listed; keep the latest."),
        ));
    }
    let addr = |text: &Spanned<String>| {
        net::parse_addr(text.get_ref()).map_err(|error| (text.span().start, format!("{error}")))
    };
    Ok(Pin {
        key,
        name: entry.name.map(name).transpose()?,
        // Earlier versions did not write `contact`, but only contacts are verified or blocked.
        contact: entry.contact || entry.verified.is_some() || entry.blocked,
        addrs: entry.addresses.iter().map(addr).collect::<Result<_, _>>()?,
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
            format!("`{}` is no date; write one like \"2026-11-21T10:00:00Z\".", quoted(text.get_ref()));
        (text.span().start, what)
    })
}

/// The date of a time in seconds since 1970; the last possible date for a later time.
fn date(seconds: u64) -> Timestamp {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

/// The text of a file with these pins.
pub(crate) fn text_of<'a>(pins: impl Iterator<Item = &'a Pin>) -> String {
    pins.fold(TITLE.to_owned(), |text, pin| text + &entry_of(pin))
}

fn entry_of(pin: &Pin) -> String {
    let mut text = format!("\n[[peer]]\nkey = \"{}\"\n", pin.key);
    if let Some(name) = &pin.name {
        text.push_str(&format!("name = {}\n", toml::Value::from(name.as_str())));
    }
    if !pin.addrs.is_empty() {
        let addrs: Vec<String> = pin.addrs.iter().map(|addr| format!("\"{addr}\"")).collect();
        text.push_str(&format!("addresses = [{}]\n", addrs.join(", ")));
    }
    if pin.contact {
        text.push_str("contact = true\n");
    }
    text.push_str(&format!("first_seen = \"{}\"\n", date(pin.first_seen)));
    if let Some(verified) = pin.verified {
        text.push_str(&format!("verified = \"{}\"\n", date(verified)));
    }
    if pin.blocked {
        text.push_str("blocked = true\n");
    }
    text
}

#[cfg(test)]
mod tests;
