//! The data directory: what the program keeps for the user from one run to the next. This file
//! keeps the nicknames; [`crate::profile`] keeps the keys.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::Deserialize;
use toml::Spanned;

use crate::cli::Cli;
use crate::config::{ConfigError, FOLDER, mistake, read_text, toml_words};
use crate::files;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::name::{Name, folded};
use crate::model::peer_id::{LegacyId, PeerId, Recipient};
use crate::net;

/// The file of the nicknames.
const ALIASES_FILE: &str = "aliases.toml";

/// The version of the file in which a nickname of an address is that of the legacy peer there.
/// Earlier files have no version, and the address may be that of a peer with a key.
const VERSION: u32 = 2;

/// Nicknames that are kept: more friends than anybody names.
const MAX_ALIASES: usize = 1_000;

/// The directory: the one that the user named, or `p2p-chat` in the platform's place for data (`$XDG_DATA_HOME` or
/// `~/.local/share` on Linux). `None` where there is none, for want of a home.
pub fn folder(cli: &Cli) -> Option<PathBuf> {
    let usual = || Some(etcetera::base_strategy::choose_native_strategy().ok()?.data_dir().join(FOLDER));
    cli.data_dir.clone().or_else(usual)
}

/// Why the nicknames cannot be read or kept. Its display is a whole sentence for a user.
#[derive(Debug)]
pub enum DataError {
    /// The file cannot be read, or holds a mistake.
    File(ConfigError),
    /// There is nowhere to keep anything.
    NoFolder,
    /// The file cannot be written.
    Unwritable(PathBuf, io::Error),
    /// There are too many nicknames.
    TooMany,
    /// Another peer already has that nickname.
    Taken(Name, Recipient),
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::NoFolder => {
                f.write_str("There is no home directory to keep nicknames in; start with --data-dir DIR.")
            }
            Self::Unwritable(path, error) => {
                write!(f, "Cannot write {}: {error}; the nicknames stay as they were.", path.display())
            }
            Self::TooMany => {
                write!(
                    f,
                    "There are {MAX_ALIASES} nicknames already; take one away with /alias WHOM - first."
                )
            }
            Self::Taken(name, id) => write!(f, "{id} is called {name} already; choose another nickname."),
        }
    }
}

impl std::error::Error for DataError {}

/// The user's nicknames for peers.
///
/// A nickname belongs to a key, or to the legacy peer at an address and to the address itself as
/// long as no peer has proven itself there. A peer with a key never has the nickname of its
/// address.
#[derive(Debug)]
pub struct Aliases {
    folder: Option<PathBuf>,
    all: BTreeMap<Recipient, Name>,
    /// The file is from an earlier version, which named peers with a key by their address.
    is_earlier: bool,
}

/// The recipient that a nickname is saved for: an IPv4 address as the legacy peer there.
fn kept_as(id: Recipient) -> Recipient {
    let plain = match id {
        Recipient::Address(addr) => addr.plain(),
        Recipient::Peer(_) => None,
    };
    plain.map_or(id, |addr| PeerId::Legacy(LegacyId::saved_as(addr)).into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasFile {
    #[serde(default)]
    version: u32,
    #[serde(default)]
    alias: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: Option<Spanned<String>>,
    address: Option<Spanned<String>>,
    name: Spanned<String>,
}

impl Aliases {
    /// Those that are kept in this directory, which need not exist.
    ///
    /// # Errors
    /// Where the file is there and cannot be read, or holds a mistake.
    pub fn open(folder: Option<PathBuf>) -> Result<Self, DataError> {
        let all = folder.as_deref().map_or_else(|| Ok(BTreeMap::new()), read)?;
        let is_earlier = !all.is_empty() && folder.as_deref().is_some_and(is_earlier);
        Ok(Self { folder, all, is_earlier })
    }

    /// All of them.
    pub fn all(&self) -> &BTreeMap<Recipient, Name> {
        &self.all
    }

    /// Gives a peer a nickname, or takes it away, and keeps that. The file is read again before, so that two programs that
    /// share it do not undo each other, and replaced as a whole, so that it is never half written.
    ///
    /// # Errors
    /// Where there is nowhere to keep it, the file cannot be read or written, there are too many, or somebody else is
    /// called so. Nothing is changed then.
    pub fn set(&mut self, id: Recipient, name: Option<Name>) -> Result<(), DataError> {
        let id = kept_as(id);
        let folder = self.folder.as_deref().ok_or(DataError::NoFolder)?;
        let mut all = read(folder)?;
        match name {
            None => drop(all.remove(&id)),
            Some(name) => {
                let wanted = folded(name.as_str());
                let taken = all.iter().find(|(other, name)| **other != id && folded(name.as_str()) == wanted);
                if let Some((other, name)) = taken {
                    return Err(DataError::Taken(name.clone(), *other));
                }
                if !all.contains_key(&id) && all.len() >= MAX_ALIASES {
                    return Err(DataError::TooMany);
                }
                all.insert(id, name);
            }
        }
        write(folder, &all)?;
        self.all = all;
        Ok(())
    }

    /// Moves a nickname from one recipient to another that has none, and saves it.
    ///
    /// # Errors
    /// As [`Aliases::set`]. Nothing is changed then.
    pub fn move_to(&mut self, from: Recipient, to: Recipient) -> Result<(), DataError> {
        let folder = self.folder.as_deref().ok_or(DataError::NoFolder)?;
        let mut all = read(folder)?;
        if all.contains_key(&kept_as(to)) {
            return Ok(());
        }
        let Some(name) = all.remove(&kept_as(from)) else { return Ok(()) };
        all.insert(kept_as(to), name);
        write(folder, &all)?;
        self.all = all;
        Ok(())
    }

    /// Rewrites a file of an earlier version, once its nicknames belong to keys where needed.
    ///
    /// # Errors
    /// If the file cannot be read or written. It stays in the earlier version then.
    pub fn keep_in_this_version(&mut self) -> Result<(), DataError> {
        let Some(folder) = self.folder.as_deref().filter(|_| self.is_earlier) else { return Ok(()) };
        write(folder, &read(folder)?)?;
        self.is_earlier = false;
        Ok(())
    }

    /// Returns the nicknames by address that belong to a key: the address is the key's only one,
    /// and no other key was ever there. Only a file of an earlier version has such nicknames: in
    /// this version a nickname of an address belongs to a legacy peer, and no key gets it. `keys`
    /// are all known keys with their addresses.
    pub fn with_key<'a>(
        &self,
        keys: impl IntoIterator<Item = (PublicKey, &'a [PeerAddr])>,
    ) -> Vec<(Recipient, PublicKey)> {
        if !self.is_earlier {
            return Vec::new();
        }
        let mut there: BTreeMap<PeerAddr, Vec<(PublicKey, bool)>> = BTreeMap::new();
        for (key, addrs) in keys {
            for addr in addrs {
                there.entry(*addr).or_default().push((key, addrs.len() == 1));
            }
        }
        let key_at = |id: &Recipient| match there.get(&id.addr()?).map(Vec::as_slice) {
            Some([(key, true)]) => Some((*id, *key)),
            _ => None,
        };
        self.all.keys().filter_map(key_at).collect()
    }
}

/// Whether the file is from an earlier version.
fn is_earlier(folder: &Path) -> bool {
    let text = read_text(&folder.join(ALIASES_FILE)).unwrap_or_default();
    toml::from_str::<AliasFile>(&text).is_ok_and(|file| file.version < VERSION)
}

fn read(folder: &Path) -> Result<BTreeMap<Recipient, Name>, DataError> {
    let path = folder.join(ALIASES_FILE);
    let text = match read_text(&path) {
        // Also where the directory is a file: nothing is kept there.
        Err(ConfigError::Unreadable(_, error))
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(BTreeMap::new());
        }
        text => text.map_err(DataError::File)?,
    };
    aliases_of(&path, &text).map_err(DataError::File)
}

/// Returns the nicknames that the text of an aliases.toml lists. `path` is for errors only.
///
/// # Errors
/// The first mistake, with its line.
pub fn aliases_of(path: &Path, text: &str) -> Result<BTreeMap<Recipient, Name>, ConfigError> {
    parse(text).map_err(|(at, what)| mistake(path, text.as_bytes(), at, &what))
}

/// The nicknames that `text` lists; a mistake with its place and a sentence.
fn parse(text: &str) -> Result<BTreeMap<Recipient, Name>, (usize, String)> {
    let file: AliasFile = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = toml_words(error.message());
        (
            at,
            format!(
                "{message}. A list of nicknames has [[alias]] entries, each with a `name` and a `key` or an `address`."
            ),
        )
    })?;
    let mut all = BTreeMap::new();
    for entry in file.alias {
        let (at, id) = whose(&entry)?;
        let name: Name =
            entry.name.get_ref().parse().map_err(|error| (entry.name.span().start, format!("{error}")))?;
        if all.len() >= MAX_ALIASES {
            return Err((
                at,
                format!("more than {MAX_ALIASES} nicknames are listed; keep those that you need."),
            ));
        }
        if all.insert(id, name).is_some() {
            return Err((at, format!("{id} is listed twice; leave one of the entries out.")));
        }
    }
    Ok(all)
}

/// The recipient of an entry and the position that names it, or a mistake with its position and a
/// sentence.
fn whose(entry: &Entry) -> Result<(usize, Recipient), (usize, String)> {
    match (&entry.key, &entry.address) {
        (Some(key), None) => {
            let at = key.span().start;
            let key: PublicKey = key.get_ref().parse().map_err(|error| (at, format!("{error}")))?;
            Ok((at, Recipient::key(key)))
        }
        (None, Some(address)) => {
            let at = address.span().start;
            let addr = net::parse_addr(address.get_ref()).map_err(|error| (at, format!("{error}")))?;
            Ok((at, kept_as(Recipient::Address(addr))))
        }
        _ => Err((entry.name.span().start, "an [[alias]] entry has either a `key` or an `address`.".into())),
    }
}

fn write(folder: &Path, all: &BTreeMap<Recipient, Name>) -> Result<(), DataError> {
    let path = folder.join(ALIASES_FILE);
    let written = files::make_folder(folder).and_then(|()| files::replace(&path, text_of(all).as_bytes()));
    written.map_err(|error| DataError::Unwritable(path, error))
}

/// Returns the text of an aliases.toml that lists these nicknames.
pub fn text_of(all: &BTreeMap<Recipient, Name>) -> String {
    let mut text = format!(
        "# Nicknames, as /alias gives them. p2p-chat writes this file anew when one changes.\nversion = {VERSION}\n"
    );
    for (id, name) in all {
        let name = toml::Value::from(name.as_str());
        let whose = match (id.public_key(), id.addr()) {
            (Some(key), _) => format!("key = \"{key}\""),
            (None, Some(addr)) => format!("address = \"{addr}\""),
            (None, None) => continue,
        };
        text.push_str(&format!("\n[[alias]]\n{whose}\nname = {name}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use tempfile::TempDir;

    fn addr(port: u16) -> Recipient {
        PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap().into()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn opened(folder: &Path) -> Aliases {
        Aliases::open(Some(folder.to_owned())).unwrap()
    }

    #[test]
    fn what_is_given_is_there_the_next_time_and_what_is_taken_away_is_not() {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("data").join("p2p-chat");
        let mut aliases = opened(&folder);
        assert!(!folder.exists());
        aliases.set(addr(1), Some(name("Boss"))).unwrap();
        aliases.set(addr(2), Some(name("\"quoted\\"))).unwrap();
        assert_eq!(opened(&folder).all(), aliases.all());
        aliases.set(addr(1), None).unwrap();
        assert_eq!(opened(&folder).all().len(), 1);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn nicknames_of_key_and_address_are_kept_apart() {
        let dir = TempDir::new().unwrap();
        let mut aliases = opened(dir.path());
        let key = |byte| PublicKey::new([byte; 32]);
        aliases.set(key(1).into(), Some(name("Bob"))).unwrap();
        aliases.set(addr(1), Some(name("Boss"))).unwrap();
        let ipv6: PeerAddr = "[::1]:1".parse().unwrap();
        aliases.set(ipv6.into(), Some(name("Six"))).unwrap();
        let read = opened(dir.path());
        assert_eq!(read.all(), aliases.all());
        let legacy = kept_as(addr(1));
        assert!(matches!(legacy, Recipient::Peer(PeerId::Legacy(_))));
        let named = |id: Recipient| read.all().get(&id).map(Name::as_str);
        assert_eq!(named(key(1).into()), Some("Bob"));
        assert_eq!((named(legacy), named(addr(1))), (Some("Boss"), None));
        assert_eq!(named(ipv6.into()), Some("Six"));
    }

    #[test]
    fn nickname_of_address_moves_to_its_only_key() {
        let dir = TempDir::new().unwrap();
        let mut aliases = opened(dir.path());
        for port in 1..=4 {
            aliases.set(addr(port), Some(name(&format!("N{port}")))).unwrap();
        }
        let key = |byte| PublicKey::new([byte; 32]);
        let at = |port| addr(port).addr().unwrap();
        let keys = [
            (key(1), vec![at(1)]),
            (key(2), vec![at(2), at(9)]),
            (key(3), vec![at(3)]),
            (key(4), vec![at(3)]),
        ];
        let keys = || keys.iter().map(|(key, addrs)| (*key, &**addrs));
        assert!(aliases.with_key(keys()).is_empty(), "in this version they are those of legacy peers");
        let path = dir.path().join(ALIASES_FILE);
        let earlier = fs::read_to_string(&path).unwrap().replace(&format!("version = {VERSION}\n"), "");
        fs::write(&path, earlier).unwrap();
        let mut aliases = opened(dir.path());
        // Two addresses of one key, or two keys at one address, are ambiguous; no key was at the
        // fourth.
        assert_eq!(aliases.with_key(keys()), [(kept_as(addr(1)), key(1))]);
        aliases.move_to(addr(1), key(1).into()).unwrap();
        assert_eq!(opened(dir.path()).all().get(&key(1).into()).map(Name::as_str), Some("N1"));
        assert_eq!(aliases.with_key(keys()), []);
        aliases.keep_in_this_version().unwrap();
        assert!(!is_earlier(dir.path()));
        // A nickname that the key already has stays.
        aliases.move_to(addr(2), key(1).into()).unwrap();
        assert_eq!(aliases.all().len(), 4);
        assert_eq!(aliases.all().get(&key(1).into()).map(Name::as_str), Some("N1"));
    }

    #[test]
    #[cfg(unix)]
    fn only_the_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("data");
        opened(&folder).set(addr(1), Some(name("Boss"))).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(ALIASES_FILE))), (0o700, 0o600));
    }

    #[test]
    fn two_programs_that_share_the_directory_do_not_undo_each_other() {
        let dir = TempDir::new().unwrap();
        let (mut one, mut other) = (opened(dir.path()), opened(dir.path()));
        one.set(addr(1), Some(name("Boss"))).unwrap();
        other.set(addr(2), Some(name("Chief"))).unwrap();
        assert_eq!(opened(dir.path()).all().len(), 2);
        assert!(matches!(one.set(addr(3), Some(name("chief"))), Err(DataError::Taken(..))));
    }

    #[test]
    fn what_cannot_be_written_leaves_everything_as_it_was() {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let mut aliases = opened(&file);
        let sentence = aliases.set(addr(1), Some(name("Boss"))).unwrap_err().to_string();
        assert!(sentence.starts_with("Cannot write ") && aliases.all().is_empty(), "{sentence}");
        assert!(matches!(Aliases::open(None).unwrap().set(addr(1), None), Err(DataError::NoFolder)));
    }

    #[test]
    fn each_mistake_is_found_at_its_line() {
        for (text, line, words) in [
            ("[[alias]]\naddress = \"127.0.0.1\"\nname = \"x\"", 2, "write IP:PORT"),
            ("[[alias]]\naddress = \"127.0.0.1:1\"\nname = \"a b\"", 3, "how about `a_b`?"),
            ("[[alias]]\naddress = \"127.0.0.1:1\"", 1, "missing field `name`"),
            ("[[alias]]\nkey = \"aeaq\"\nname = \"x\"", 2, "A key has 52"),
            ("[[alias]]\nname = \"x\"", 2, "either a `key` or an `address`"),
            ("[[aliases]]\n", 1, "unknown field `aliases`"),
        ] {
            let (at, what) = parse(text).unwrap_err();
            assert_eq!(text[..at].matches('\n').count() + 1, line, "{text:?}: {what}");
            assert!(what.contains(words), "{text:?}: {what}");
        }
    }
}
