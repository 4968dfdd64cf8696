//! `aliases.toml`, the aliases of all profiles in versions before contacts.toml. Each profile
//! imports it once.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::interfaces;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::name::Name;
use crate::model::peer_id::{LegacyId, PeerId, Recipient};
use crate::settings::file::{
    ConfigError, MAX_FILE_BYTES, Mistake, deserialized, parsed, read_if_present, read_text,
};

/// The file, in the data directory.
const ALIASES_FILE: &str = "aliases.toml";

/// The version of the file from which an alias of an address belongs to the legacy peer there.
/// Earlier files have no version, and the address can be that of a peer with a key.
const VERSION: u32 = 2;

/// Aliases in the file, at most: far more than a user types.
const MAX_ALIASES: usize = 1_000;

/// The user's aliases for peers.
///
/// An alias belongs to a key or to an address. The alias of an address is that of the legacy peer
/// there, and of the address itself until a peer has proven itself there. A peer with a key never
/// gets the alias of its address.
#[derive(Debug)]
pub(super) struct Aliases {
    all: BTreeMap<Recipient, Name>,
    /// The file is from an earlier version, which named peers with a key by their address.
    is_earlier: bool,
}

/// Returns the recipient that an alias is stored for: for an IPv4 address, the legacy peer there.
fn stored_as(id: Recipient) -> Recipient {
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
    alias: Vec<AliasEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasEntry {
    key: Option<Spanned<String>>,
    address: Option<Spanned<String>>,
    name: Spanned<String>,
}

impl Aliases {
    /// Reads the file in this directory, which need not exist.
    ///
    /// # Errors
    /// If the file exists and cannot be read, or contains a mistake.
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, ConfigError> {
        let all = folder.map_or_else(|| Ok(BTreeMap::new()), read)?;
        let is_earlier = !all.is_empty() && folder.is_some_and(is_earlier);
        Ok(Self { all, is_earlier })
    }

    /// Returns the aliases of all peers. In a file of an earlier version, the alias of a key's
    /// address belongs to the key. `keys` are all known keys with their addresses.
    pub(super) fn by_peer<'a>(
        mut self,
        keys: impl IntoIterator<Item = (PublicKey, &'a [PeerAddr])>,
    ) -> BTreeMap<Recipient, Name> {
        for (id, key) in self.with_key(keys) {
            if let Some(name) = self.all.remove(&id) {
                self.all.entry(key.into()).or_insert(name);
            }
        }
        self.all
    }

    /// Returns the addresses whose alias belongs to a key: the address is the key's only one, and
    /// no other known key has it. Only files of an earlier version have such aliases. `keys` are
    /// all known keys with their addresses.
    fn with_key<'a>(
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

fn read(folder: &Path) -> Result<BTreeMap<Recipient, Name>, ConfigError> {
    let path = folder.join(ALIASES_FILE);
    // `Identity::open` reports a data directory that is a file.
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    match read_if_present(&path, MAX_FILE_BYTES)? {
        None => Ok(BTreeMap::new()),
        Some(text) => aliases_of(&path, &text),
    }
}

/// Returns the aliases in the text of an aliases.toml. `path` is for errors only.
///
/// # Errors
/// The first mistake in the text, with its line.
pub fn aliases_of(path: &Path, text: &str) -> Result<BTreeMap<Recipient, Name>, ConfigError> {
    parsed(path, text, parse)
}

/// Returns the aliases in `text`, or the first mistake.
fn parse(text: &str) -> Result<BTreeMap<Recipient, Name>, Mistake> {
    let format = "A list of aliases has [[alias]] entries, each with a `name` and a `key` or an `address`.";
    let file: AliasFile = deserialized(text, format)?;
    let mut all = BTreeMap::new();
    for entry in file.alias {
        let (at, id) = whose(&entry)?;
        let name: Name =
            entry.name.get_ref().parse().map_err(|error| (entry.name.span().start, format!("{error}")))?;
        if all.len() >= MAX_ALIASES {
            return Err((
                at,
                format!("more than {MAX_ALIASES} aliases are listed; keep those that you need."),
            ));
        }
        if all.insert(id, name).is_some() {
            return Err((at, format!("{id} is listed twice; remove one entry.")));
        }
    }
    Ok(all)
}

/// Returns the recipient of an entry and its position in the text, or a mistake.
fn whose(entry: &AliasEntry) -> Result<(usize, Recipient), Mistake> {
    match (&entry.key, &entry.address) {
        (Some(key), None) => {
            let at = key.span().start;
            let key: PublicKey = key.get_ref().parse().map_err(|error| (at, format!("{error}")))?;
            Ok((at, Recipient::key(key)))
        }
        (None, Some(address)) => {
            let at = address.span().start;
            let addr = interfaces::parse_addr(address.get_ref()).map_err(|error| (at, format!("{error}")))?;
            Ok((at, stored_as(Recipient::Address(addr))))
        }
        _ => Err((entry.name.span().start, "an [[alias]] entry has either a `key` or an `address`.".into())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use tempfile::TempDir;

    fn at(port: u16) -> PeerAddr {
        PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap()
    }

    fn key(byte: u8) -> PublicKey {
        PublicKey::new([byte; 32])
    }

    /// Reads a file with this text, given the known keys with their addresses.
    fn read_back(text: &str, keys: &[(PublicKey, Vec<PeerAddr>)]) -> Vec<(Recipient, String)> {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join(ALIASES_FILE), text).unwrap();
        let aliases = Aliases::open(Some(dir.path())).unwrap();
        let keys = keys.iter().map(|(key, addrs)| (*key, &**addrs));
        aliases.by_peer(keys).into_iter().map(|(id, name)| (id, name.to_string())).collect()
    }

    #[test]
    fn aliases_of_keys_and_addresses_are_separate() {
        let text = format!(
            "version = 2\n[[alias]]\nkey = \"{}\"\nname = \"Bob\"\n\
             [[alias]]\naddress = \"127.0.0.1:1\"\nname = \"Boss\"\n\
             [[alias]]\naddress = \"[::1]:1\"\nname = \"Six\"\n",
            key(1)
        );
        let ipv6: PeerAddr = "[::1]:1".parse().unwrap();
        let legacy = stored_as(at(1).into());
        assert!(matches!(legacy, Recipient::Peer(PeerId::Legacy(_))));
        // In version 2, an alias of an address never belongs to a key.
        assert_eq!(
            read_back(&text, &[(key(1), vec![at(1)])]),
            [(key(1).into(), "Bob".to_owned()), (legacy, "Boss".into()), (ipv6.into(), "Six".into())]
        );
    }

    #[test]
    fn address_alias_moves_to_its_only_key() {
        let entry = |port| format!("[[alias]]\naddress = \"127.0.0.1:{port}\"\nname = \"N{port}\"\n");
        let text: String = (1..=4).map(entry).collect();
        let keys = [
            (key(1), vec![at(1)]),
            (key(2), vec![at(2), at(9)]),
            (key(3), vec![at(3)]),
            (key(4), vec![at(3)]),
        ];
        // Two addresses of one key, or two keys at one address, are ambiguous; no key was at the
        // fourth.
        let legacy = |port: u16| (stored_as(at(port).into()), format!("N{port}"));
        let expected = [(key(1).into(), "N1".to_owned()), legacy(2), legacy(3), legacy(4)];
        assert_eq!(read_back(&text, &keys), expected);
    }

    #[test]
    fn missing_file_has_no_aliases() {
        let dir = TempDir::new().unwrap();
        assert!(Aliases::open(Some(dir.path())).unwrap().by_peer([]).is_empty());
        assert!(Aliases::open(None).unwrap().by_peer([]).is_empty());
    }

    #[test]
    fn each_mistake_is_found_at_its_line() {
        for (text, line, words) in [
            ("[[alias]]\naddress = \"127.0.0.1\"\nname = \"x\"", 2, "write IP:PORT"),
            ("[[alias]]\naddress = \"127.0.0.1:1\"\nname = \"a b\"", 3, "Try a_b."),
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
