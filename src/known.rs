//! `known_peers.toml`: what is remembered of other people's keys from one run to the next. docs/IDENTITY.md has the format.
//!
//! Out of scope: what follows from it, and when a key is remembered. The lock of the profile keeps other processes from writing
//! the file meanwhile, so it is read once.

mod configured;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use crate::chat::{MAX_HINTS, MAX_PINS, Pin, PinChange};
use crate::config::{ConfigError, mistake, read_text_within, toml_words};
use crate::files;
use crate::model::key::PublicKey;
use crate::model::name::{PeerName, quoted};
use crate::net;

/// The file, in the directory of the profile.
const KNOWN_FILE: &str = "known_peers.toml";

/// Bytes that one entry takes at most as we write it, and some more for comments.
const MAX_ENTRY_BYTES: u64 = 1_200;

/// Bytes that the file may have, so that what is written can be read.
const MAX_KNOWN_BYTES: u64 = MAX_PINS as u64 * MAX_ENTRY_BYTES;

/// Time between two writes. A full file takes 0.1 s in a debug build, too long for each change; a crash loses what was learned in a second.
const SAVE_PAUSE: Duration = Duration::from_secs(1);

const TITLE: &str = "# Other people's keys. p2p-chat writes this file anew when one changes; edit it while p2p-chat is not running.\n";

/// Why the keys cannot be read or kept. Its display is a whole sentence for a user.
#[derive(Debug)]
pub enum KnownError {
    /// The file cannot be read, or holds a mistake.
    File(ConfigError),
    /// The file cannot be written.
    Unwritable(PathBuf, io::Error),
    /// There are too many.
    TooMany,
}

impl fmt::Display for KnownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Unwritable(path, error) => write!(
                f,
                "Cannot write {}: {error}; what is known of others holds for this run, and the next one begins with what was known before.",
                path.display()
            ),
            Self::TooMany => write!(f, "More than {MAX_PINS} keys cannot be remembered."),
        }
    }
}

impl std::error::Error for KnownError {}

/// Everything that is remembered of others.
#[derive(Debug)]
pub struct KnownPeers {
    folder: Option<PathBuf>,
    pins: BTreeMap<PublicKey, Pin>,
    /// The file does not say what is known.
    unsaved: bool,
    /// Nobody has tried to write it since the last change.
    due: bool,
    /// When it was last written, or that was tried.
    saved_at: Option<Instant>,
}

impl KnownPeers {
    /// Those that are kept in this directory, which has to be there once something changes; without one they are for this run.
    ///
    /// # Errors
    /// Where the file is there and cannot be read, or holds a mistake.
    pub fn open(folder: Option<&Path>) -> Result<Self, KnownError> {
        let pins = folder.map_or_else(|| Ok(BTreeMap::new()), read).map_err(KnownError::File)?;
        Ok(Self { folder: folder.map(Path::to_owned), pins, unsaved: false, due: false, saved_at: None })
    }

    /// All of them, by their keys.
    pub fn pins(&self) -> impl Iterator<Item = &Pin> {
        self.pins.values()
    }

    /// Takes changes. They are in the file once it is saved, which is due afterwards if they change anything.
    ///
    /// # Errors
    /// Where there would be too many: nothing is changed then.
    pub fn note(&mut self, changes: impl IntoIterator<Item = PinChange>) -> Result<(), KnownError> {
        // Of several changes of a key the last counts.
        let mut changes: BTreeMap<PublicKey, Option<Pin>> = changes
            .into_iter()
            .map(|change| match change {
                PinChange::Write(pin) => (pin.key, Some(pin)),
                PinChange::Forget(key) => (key, None),
            })
            .collect();
        changes.retain(|key, pin| self.pins.get(key) != pin.as_ref());
        let forgotten = changes.values().filter(|pin| pin.is_none()).count();
        let new = changes.iter().filter(|(key, pin)| pin.is_some() && !self.pins.contains_key(key)).count();
        if self.pins.len() + new > MAX_PINS + forgotten {
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

    /// When the file is to be saved: at once, but at most once a second. `None` where that was
    /// done, or tried, since the last change.
    pub fn save_due(&self) -> Option<Instant> {
        let due = self.due && self.folder.is_some();
        due.then(|| self.saved_at.map_or_else(Instant::now, |at| at + SAVE_PAUSE))
    }

    /// Writes the file as a whole, if it does not say what is known. It goes down to the disk, so it may take its time.
    ///
    /// # Errors
    /// Where the file cannot be written: it stays as it was. It is due again with the next change, and each further call tries it.
    pub fn save(&mut self) -> Result<(), KnownError> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.unsaved) else { return Ok(()) };
        let path = folder.join(KNOWN_FILE);
        let written = files::replace(&path, text_of(self.pins.values()).as_bytes());
        // Counted from the end, so that a slow disk does not take all the time of whoever saves.
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

/// What the text of a file lists.
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
    first_seen: Spanned<String>,
    verified: Option<Spanned<String>>,
    #[serde(default)]
    blocked: bool,
}

/// A mistake: its place, and a sentence.
type Mistake = (usize, String);

fn parse(text: &str) -> Result<BTreeMap<PublicKey, Pin>, Mistake> {
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let format = "A list of known peers has [[peer]] entries, each with a `key` and `first_seen`, and perhaps `name`, \
                      `addresses`, `verified` and `blocked`.";
        (at, format!("{}. {format}", toml_words(error.message())))
    })?;
    let mut pins = BTreeMap::new();
    for entry in file.peer {
        let at = entry.key.span().start;
        if pins.len() >= MAX_PINS {
            return Err((at, format!("more than {MAX_PINS} keys are listed; keep those that you need.")));
        }
        let pin = pin(entry)?;
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

/// A date as it stands in the file; the latest that can be written for one beyond that.
fn date(seconds: u64) -> Timestamp {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

/// The file that lists these.
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
