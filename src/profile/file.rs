//! `profile.toml`: the name and the port of a profile, and the IP that its last run listened at.

use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::ProfileError;
use crate::files;
use crate::model::name::{MAX_NAME_BYTES, Name, folded};
use crate::settings::file::{ConfigError, Mistake, deserialized, parsed, read_if_present};

/// The name of the file, in the directory of the profile.
pub(super) const PROFILE_FILE: &str = "profile.toml";

/// Bytes of the file, at most. Names and ports take less than 4 KiB, the rest is for comments.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Former names in the file, at most: more than are still in use. The oldest go first.
const MAX_FORMER_NAMES: usize = 20;

const NAME: &str = "name";
const FORMER_NAMES: &str = "former_names";
const PORT: &str = "port";
const REPLACEMENT_PORT: &str = "replacement_port";
const BIND: &str = "bind";

/// The content of a `profile.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ProfileFile {
    /// The current name. `None` before the first start of a version that stores it.
    pub(super) name: Option<Name>,
    /// Earlier names, the oldest first.
    pub(super) former_names: Vec<String>,
    /// The port that the profile listens on unless the user says otherwise.
    pub(super) port: Option<u16>,
    /// The port of the last run, if `port` could not be used.
    pub(super) replacement_port: Option<u16>,
    /// The IP of the last run, if it did not listen at all IPs.
    pub(super) bind: Option<IpAddr>,
}

impl ProfileFile {
    /// Returns the port of the last run, which may still be running.
    pub(super) fn last_port(&self) -> Option<u16> {
        self.replacement_port.or(self.port)
    }
}

/// The port that a run listens on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ListeningPort {
    /// The port of the profile from now on.
    Own(u16),
    /// A free port, because the port of the profile could not be used.
    Replacement(u16),
}

#[derive(Deserialize)]
struct Raw {
    name: Option<Spanned<String>>,
    #[serde(default)]
    former_names: Vec<Spanned<String>>,
    port: Option<Spanned<i64>>,
    replacement_port: Option<Spanned<i64>>,
    bind: Option<Spanned<String>>,
}

/// Reads the file in this directory. A missing file is an empty one.
pub(super) fn read(folder: &Path) -> Result<ProfileFile, ConfigError> {
    let path = folder.join(PROFILE_FILE);
    let text = text_of(&path)?;
    parsed(&path, &text, parse)
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    Ok(read_if_present(path, MAX_FILE_BYTES)?.unwrap_or_default())
}

/// Returns the content of the file, or a mistake with its position.
fn parse(text: &str) -> Result<ProfileFile, Mistake> {
    let raw: Raw = deserialized(text, "A profile.toml has lines like `name = \"Alice\"`.")?;
    let name = raw
        .name
        .map(|name| name.get_ref().parse::<Name>().map_err(|error| (name.span().start, error.to_string())));
    if let Some(long) = raw.former_names.iter().find(|name| name.get_ref().len() > MAX_NAME_BYTES) {
        return Err((long.span().start, format!("a name has at most {MAX_NAME_BYTES} bytes.")));
    }
    let port = |port: Spanned<i64>| {
        u16::try_from(*port.get_ref())
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| (port.span().start, "a port is a number from 1 to 65535.".to_owned()))
    };
    let bind = raw.bind.map(|bind| {
        bind.get_ref().parse().map_err(|_| (bind.span().start, "the value of bind is an IP.".to_owned()))
    });
    Ok(ProfileFile {
        name: name.transpose()?,
        former_names: raw.former_names.into_iter().map(Spanned::into_inner).collect(),
        port: raw.port.map(port).transpose()?,
        replacement_port: raw.replacement_port.map(port).transpose()?,
        bind: bind.transpose()?,
    })
}

/// Stores the name of the profile in this directory. The old name becomes a former one.
///
/// # Errors
/// If the file cannot be read, contains a mistake or cannot be written. It is unchanged then.
pub(crate) fn save_name(folder: &Path, name: &Name) -> Result<(), ProfileError> {
    update(folder, |before, table| {
        let mut former = before.former_names.clone();
        former.extend(before.name.as_ref().map(Name::to_string));
        former.retain(|former| folded(former) != folded(name.as_str()));
        former.drain(..former.len().saturating_sub(MAX_FORMER_NAMES));
        table.insert(NAME.to_owned(), name.as_str().into());
        if former.is_empty() {
            table.remove(FORMER_NAMES);
        } else {
            table.insert(FORMER_NAMES.to_owned(), former.into());
        }
    })
}

/// Stores the port that the profile in this directory listens on, and the IP unless it listens at
/// all. A replacement does not change the port of the profile.
pub(crate) fn save_port(
    folder: &Path,
    port: ListeningPort,
    bind: Option<IpAddr>,
) -> Result<(), ProfileError> {
    update(folder, |_, table| {
        table.remove(REPLACEMENT_PORT);
        table.remove(BIND);
        if let Some(bind) = bind {
            table.insert(BIND.to_owned(), bind.to_string().into());
        }
        let (key, port) = match port {
            ListeningPort::Own(port) => (PORT, port),
            ListeningPort::Replacement(port) => (REPLACEMENT_PORT, port),
        };
        table.insert(key.to_owned(), Value::from(i64::from(port)));
    })
}

/// Reads the file, changes it, and replaces it if it differs. Unknown keys stay, comments do not.
fn update(folder: &Path, change: impl FnOnce(&ProfileFile, &mut Table)) -> Result<(), ProfileError> {
    let path = folder.join(PROFILE_FILE);
    let text = text_of(&path).map_err(ProfileError::File)?;
    let before = read(folder).map_err(ProfileError::File)?;
    // `read` has parsed the same text, so this does not fail.
    let mut table = text.parse::<Table>().unwrap_or_default();
    let unchanged = table.clone();
    change(&before, &mut table);
    if table == unchanged {
        return Ok(());
    }
    let text = format!("# The name and the port of this profile. p2p-chat replaces this file.\n{table}");
    files::replace(&path, text.as_bytes()).map_err(|error| ProfileError::Unwritable(path, error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use tempfile::TempDir;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn names_and_port_are_read_back() {
        let dir = TempDir::new().unwrap();
        assert_eq!(read(dir.path()).unwrap(), ProfileFile::default());
        save_name(dir.path(), &name("Alice")).unwrap();
        save_port(dir.path(), ListeningPort::Own(5000), Some("192.0.2.7".parse().unwrap())).unwrap();
        save_name(dir.path(), &name("\"Zo\u{eb}\\")).unwrap();
        let expected = ProfileFile {
            name: Some(name("\"Zo\u{eb}\\")),
            former_names: vec!["Alice".into()],
            port: Some(5000),
            replacement_port: None,
            bind: Some("192.0.2.7".parse().unwrap()),
        };
        assert_eq!(read(dir.path()).unwrap(), expected);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn current_name_is_never_a_former_one() {
        let dir = TempDir::new().unwrap();
        for text in ["Alice", "Zoe", "ALICE", "Alice"] {
            save_name(dir.path(), &name(text)).unwrap();
        }
        assert_eq!(read(dir.path()).unwrap().former_names, ["Zoe"]);
    }

    #[test]
    fn replacement_port_leaves_the_own_one() {
        let dir = TempDir::new().unwrap();
        let ports = || {
            let file = read(dir.path()).unwrap();
            (file.port, file.last_port())
        };
        for (port, expected) in [
            (ListeningPort::Own(5000), (Some(5000), Some(5000))),
            (ListeningPort::Replacement(5001), (Some(5000), Some(5001))),
            (ListeningPort::Replacement(5002), (Some(5000), Some(5002))),
            (ListeningPort::Own(6000), (Some(6000), Some(6000))),
        ] {
            save_port(dir.path(), port, None).unwrap();
            assert_eq!(ports(), expected, "{port:?}");
        }
    }

    #[test]
    fn oldest_former_names_are_dropped() {
        let dir = TempDir::new().unwrap();
        for number in 0..MAX_FORMER_NAMES + 3 {
            save_name(dir.path(), &name(&format!("N{number}"))).unwrap();
        }
        let former = read(dir.path()).unwrap().former_names;
        assert_eq!((former.len(), &*former[0]), (MAX_FORMER_NAMES, "N2"));
    }

    #[test]
    fn unknown_keys_survive_a_change() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(PROFILE_FILE);
        fs::write(&path, "name = \"Alice\"\ncolour = \"blue\"\n[later]\nx = [1, 2]\n").unwrap();
        save_name(dir.path(), &name("Zoe")).unwrap();
        let table: Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        assert_eq!(table["colour"].as_str(), Some("blue"));
        assert_eq!(table["later"]["x"].as_array().map(Vec::len), Some(2));
        assert_eq!(table["name"].as_str(), Some("Zoe"));
    }

    #[test]
    fn unchanged_file_is_not_written() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(PROFILE_FILE);
        let text = "# mine\nname = \"Alice\"\nport = 5000\n";
        fs::write(&path, text).unwrap();
        save_name(dir.path(), &name("Alice")).unwrap();
        save_port(dir.path(), ListeningPort::Own(5000), None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn mistakes_are_reported_with_their_line() {
        for (text, line, words) in [
            ("name = ", 1, "A profile.toml has lines like"),
            ("\nname = 5", 2, "expected text in quotation marks instead of `5`. A profile"),
            ("name = \"a b\"", 1, "Try a_b."),
            ("\n\nport = 0", 3, "a number from 1 to 65535"),
            ("port = 65536", 1, "a number from 1 to 65535"),
            ("\nbind = \"all\"", 2, "the value of bind is an IP"),
            ("port = 1\nreplacement_port = -1", 2, "a number from 1 to 65535"),
            ("former_names = \"Zoe\"", 1, "expected a list in square brackets instead of the text \"Zoe\""),
            (&format!("former_names = [\"{}\"]", "x".repeat(129)), 1, "at most 128 bytes"),
        ] {
            let (at, what) = parse(text).unwrap_err();
            assert_eq!(text[..at].matches('\n').count() + 1, line, "{text:?}: {what}");
            assert!(what.contains(words), "{text:?}: {what}");
        }
    }

    #[test]
    fn file_with_a_mistake_is_unchanged() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(PROFILE_FILE);
        fs::write(&path, "name = ").unwrap();
        assert!(matches!(save_port(dir.path(), ListeningPort::Own(5000), None), Err(ProfileError::File(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "name = ");
    }
}
