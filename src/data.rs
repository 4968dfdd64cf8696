//! The data directory: what the program keeps for the user from one run to the next. Here the nicknames; the keys are [`crate::identity`]'s.

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
use crate::model::name::Name;
use crate::net;

/// The file of the nicknames.
const ALIASES_FILE: &str = "aliases.toml";

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
    /// Somebody else is called so already.
    Taken(Name, PeerAddr),
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
            Self::Taken(name, addr) => write!(f, "{addr} is called {name} already; choose another nickname."),
        }
    }
}

impl std::error::Error for DataError {}

/// The user's nicknames for peers, by address.
#[derive(Debug)]
pub struct Aliases {
    folder: Option<PathBuf>,
    all: BTreeMap<PeerAddr, Name>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasFile {
    #[serde(default)]
    alias: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    address: Spanned<String>,
    name: Spanned<String>,
}

impl Aliases {
    /// Those that are kept in this directory, which need not exist.
    ///
    /// # Errors
    /// Where the file is there and cannot be read, or holds a mistake.
    pub fn open(folder: Option<PathBuf>) -> Result<Self, DataError> {
        let all = folder.as_deref().map_or_else(|| Ok(BTreeMap::new()), read)?;
        Ok(Self { folder, all })
    }

    /// All of them.
    pub fn all(&self) -> &BTreeMap<PeerAddr, Name> {
        &self.all
    }

    /// Gives a peer a nickname, or takes it away, and keeps that. The file is read again before, so that two programs that
    /// share it do not undo each other, and replaced as a whole, so that it is never half written.
    ///
    /// # Errors
    /// Where there is nowhere to keep it, the file cannot be read or written, there are too many, or somebody else is
    /// called so. Nothing is changed then.
    pub fn set(&mut self, addr: PeerAddr, name: Option<Name>) -> Result<(), DataError> {
        let folder = self.folder.as_deref().ok_or(DataError::NoFolder)?;
        let mut all = read(folder)?;
        match name {
            None => drop(all.remove(&addr)),
            Some(name) => {
                let wanted = name.as_str().to_lowercase();
                let taken = all
                    .iter()
                    .find(|(other, name)| **other != addr && name.as_str().to_lowercase() == wanted);
                if let Some((other, name)) = taken {
                    return Err(DataError::Taken(name.clone(), *other));
                }
                if !all.contains_key(&addr) && all.len() >= MAX_ALIASES {
                    return Err(DataError::TooMany);
                }
                all.insert(addr, name);
            }
        }
        write(folder, &all)?;
        self.all = all;
        Ok(())
    }
}

fn read(folder: &Path) -> Result<BTreeMap<PeerAddr, Name>, DataError> {
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

/// The nicknames that the text of a file lists.
pub(crate) fn aliases_of(path: &Path, text: &str) -> Result<BTreeMap<PeerAddr, Name>, ConfigError> {
    parse(text).map_err(|(at, what)| mistake(path, text.as_bytes(), at, &what))
}

/// The nicknames that `text` lists; a mistake with its place and a sentence.
fn parse(text: &str) -> Result<BTreeMap<PeerAddr, Name>, (usize, String)> {
    let file: AliasFile = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = toml_words(error.message());
        (
            at,
            format!(
                "{message}. A list of nicknames has [[alias]] entries, each with an `address` and a `name`."
            ),
        )
    })?;
    let mut all = BTreeMap::new();
    for entry in file.alias {
        let at = entry.address.span().start;
        let addr = net::parse_addr(entry.address.get_ref()).map_err(|error| (at, format!("{error}")))?;
        let name: Name =
            entry.name.get_ref().parse().map_err(|error| (entry.name.span().start, format!("{error}")))?;
        if all.len() >= MAX_ALIASES {
            return Err((
                at,
                format!("more than {MAX_ALIASES} nicknames are listed; keep those that you need."),
            ));
        }
        if all.insert(addr, name).is_some() {
            return Err((at, format!("{addr} is listed twice; leave one of the entries out.")));
        }
    }
    Ok(all)
}

fn write(folder: &Path, all: &BTreeMap<PeerAddr, Name>) -> Result<(), DataError> {
    let path = folder.join(ALIASES_FILE);
    let written = files::make_folder(folder).and_then(|()| files::replace(&path, text_of(all).as_bytes()));
    written.map_err(|error| DataError::Unwritable(path, error))
}

/// The file that lists these nicknames.
pub(crate) fn text_of(all: &BTreeMap<PeerAddr, Name>) -> String {
    let mut text =
        "# Nicknames, as /alias gives them. p2p-chat writes this file anew when one changes.\n".to_owned();
    for (addr, name) in all {
        let name = toml::Value::from(name.as_str());
        text.push_str(&format!("\n[[alias]]\naddress = \"{addr}\"\nname = {name}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use tempfile::TempDir;

    fn addr(port: u16) -> PeerAddr {
        PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap()
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
            ("[[aliases]]\n", 1, "unknown field `aliases`"),
        ] {
            let (at, what) = parse(text).unwrap_err();
            assert_eq!(text[..at].matches('\n').count() + 1, line, "{text:?}: {what}");
            assert!(what.contains(words), "{text:?}: {what}");
        }
    }
}
