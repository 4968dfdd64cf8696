//! peers.toml: the peers to dial at the start.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::file::{
    ConfigError, MAX_FILE_BYTES, Mistake, PeerFile, open, parsed, read_open, toml_mistake, toml_place,
};
use super::{Settings, configuration_directory};
use crate::core::{MAX_HINTS, MAX_STATIC_PEERS, StaticPeer};
use crate::files;
use crate::interfaces;
use crate::model::host::Endpoint;
use crate::model::key::PublicKey;
use crate::model::message::Form;
use crate::model::name::{PeerName, quoted};
use crate::model::untrusted::harmless;
use crate::protocol::plain;

/// The name of the file that lists static peers.
const PEERS_FILE: &str = "peers.toml";

/// The static peers: those of the first file found, and those of the command line, each address
/// once.
///
/// `./peers.toml` can come with a directory of another person, so its entries are for this run,
/// unless the user names the file or the directory is the one of the configuration.
///
/// # Errors
/// Where a file was named and cannot be read, or a file holds a mistake.
pub fn static_peers(settings: &Settings) -> Result<Vec<StaticPeer>, ConfigError> {
    let mut peers = if settings.no_static { Vec::new() } else { from_files(settings.peers.as_deref())? };
    for at in &settings.peer {
        if peers.iter().all(|peer| peer.endpoints().all(|listed| listed != at)) {
            peers.push(StaticPeer::at(at.clone()));
        }
    }
    Ok(peers)
}

/// The list of static peers that is read, or would be if it were there; `None` if none is.
pub fn peers_file(settings: &Settings) -> Option<PathBuf> {
    if settings.no_static {
        return None;
    }
    settings.peers.clone().or_else(|| usual_peers_files().find(|path| path.exists()))
}

/// Where a list of static peers is looked for.
fn usual_peers_files() -> impl Iterator<Item = PathBuf> {
    let in_configuration = configuration_directory().map(|folder| folder.join(PEERS_FILE));
    [Some(PathBuf::from(PEERS_FILE)), in_configuration].into_iter().flatten()
}

fn from_files(named: Option<&Path>) -> Result<Vec<StaticPeer>, ConfigError> {
    if let Some(path) = named {
        return read(path);
    }
    for path in usual_peers_files() {
        match read(&path) {
            Err(ConfigError::Unreadable(_, error)) if error.kind() == io::ErrorKind::NotFound => {}
            result => {
                let for_run = is_for_run(&path);
                let mut peers = result?;
                peers.iter_mut().for_each(|peer| peer.for_run = for_run);
                return Ok(peers);
            }
        }
    }
    Ok(Vec::new())
}

/// Whether a file is `./peers.toml`, and not the one in the configuration directory under that
/// name.
fn is_for_run(path: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let configured = configuration_directory().and_then(|folder| real(&folder.join(PEERS_FILE)));
    path == Path::new(PEERS_FILE) && (configured.is_none() || configured != real(path))
}

/// The path of `./peers.toml`, for the user to read.
pub fn local_peers_file() -> String {
    let path = std::path::absolute(PEERS_FILE).unwrap_or_else(|_| PathBuf::from(PEERS_FILE));
    harmless(&path.display().to_string())
}

/// The peers that a file lists. The file has to belong to the user or to root.
fn read(path: &Path) -> Result<Vec<StaticPeer>, ConfigError> {
    let file = open(path)?;
    let metadata = file.metadata().map_err(|error| ConfigError::Unreadable(path.to_owned(), error))?;
    if let Some(owner) = files::other_owner(&metadata).filter(|owner| *owner != ROOT) {
        return Err(ConfigError::Foreign(path.to_owned(), owner));
    }
    peers_of(path, &read_open(path, file, MAX_FILE_BYTES)?)
}

/// Returns the peers that the text of a peers.toml lists. `path` is for errors only.
pub fn peers_of(path: &Path, text: &str) -> Result<Vec<StaticPeer>, ConfigError> {
    parsed(path, text, parse)
}

/// The user id of root, who can change every file anyway.
const ROOT: u32 = 0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerEntry {
    address: Spanned<String>,
    name: Option<Spanned<String>>,
    form: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    addresses: Option<Spanned<Vec<Spanned<String>>>>,
}

/// The peers that `text` lists; a mistake with its place and a sentence.
fn parse(text: &str) -> Result<Vec<StaticPeer>, Mistake> {
    let file: PeerFile<PeerEntry> = toml::from_str(text).map_err(|error| {
        let format = "A list of peers has [[peer]] entries, each with an `address` and optionally a `name`, a `form`, \
                      a `key` and more `addresses`.";
        let at = toml_place(&error);
        if error.message().contains("expected a sequence") {
            return (at, format!("{}. {format}", no_list(text, at)));
        }
        toml_mistake(&error, text, format)
    })?;
    if let Some(extra) = file.peer.get(MAX_STATIC_PEERS) {
        let what = format!("the file lists more than {MAX_STATIC_PEERS} peers; remove some.");
        return Err((extra.address.span().start, what));
    }
    let mut seen = Seen::default();
    file.peer.into_iter().map(|entry| peer(entry, &mut seen)).collect()
}

/// What would be right where something at `at` is no list.
fn no_list(text: &str, at: usize) -> &'static str {
    let before = text.get(..at).and_then(|text| text.lines().last()).unwrap_or_default();
    if before.contains("addresses") {
        return "write `addresses` as a list, like [\"192.168.1.21:5000\"]";
    }
    "write [[peer]], with two brackets"
}

/// What entries before said.
#[derive(Default)]
struct Seen {
    addrs: HashSet<Endpoint>,
    keys: HashSet<PublicKey>,
}

impl Seen {
    /// The address or host name that is written there.
    fn addr(&mut self, text: &Spanned<String>) -> Result<Endpoint, Mistake> {
        let at = text.span().start;
        let addr = interfaces::parse_endpoint(text.get_ref()).map_err(|error| (at, format!("{error}")))?;
        if self.addrs.insert(addr.clone()) {
            return Ok(addr);
        }
        Err((at, format!("{addr} is listed twice; remove one of them.")))
    }

    /// The key that is written there.
    fn key(&mut self, text: &Spanned<String>) -> Result<PublicKey, Mistake> {
        let at = text.span().start;
        let key: PublicKey = text.get_ref().parse().map_err(|error| (at, format!("{error}")))?;
        if self.keys.insert(key) {
            return Ok(key);
        }
        let what = "this key is listed twice; write all `addresses` of a peer into one entry.";
        Err((at, what.into()))
    }
}

fn peer(entry: PeerEntry, seen: &mut Seen) -> Result<StaticPeer, Mistake> {
    let addr = seen.addr(&entry.address)?;
    let name = entry.name.map(peer_name).transpose()?;
    let key = entry.key.as_ref().map(|key| seen.key(key)).transpose()?;
    let form_at = entry.form.as_ref().map_or(0, |form| form.span().start);
    let form = entry.form.map(form).transpose()?.unwrap_or_default();
    if key.is_some() && form != Form::STANDARD {
        let what =
            "a peer with a `key` gets only encrypted messages, which have no `form`; remove one of the two.";
        return Err((form_at, what.into()));
    }
    let also = match entry.addresses {
        None => Vec::new(),
        Some(addrs) if key.is_none() => {
            let what = "`addresses` need a `key` that shows that it is the same peer; add the key, or write one entry per address.";
            return Err((addrs.span().start, what.into()));
        }
        Some(addrs) => further(addrs.get_ref(), seen)?,
    };
    Ok(StaticPeer { addr, name, form, key, also, for_run: false })
}

fn further(texts: &[Spanned<String>], seen: &mut Seen) -> Result<Vec<Endpoint>, Mistake> {
    if let Some(extra) = texts.get(MAX_HINTS) {
        let what = format!("the entry lists more than {MAX_HINTS} addresses; remove some.");
        return Err((extra.span().start, what));
    }
    texts.iter().map(|text| seen.addr(text)).collect()
}

fn peer_name(name: Spanned<String>) -> Result<PeerName, Mistake> {
    let at = name.span().start;
    match name.get_ref().parse::<crate::model::name::Name>() {
        Ok(name) => Ok(PeerName::new(name.as_str())),
        Err(error) => Err((at, error.to_string())),
    }
}

fn form(form: Spanned<String>) -> Result<Form, Mistake> {
    let name = form.get_ref().as_str();
    plain::configurable_forms().find(|form| form.name() == name).ok_or_else(|| {
        let names: Vec<String> =
            plain::configurable_forms().map(|form| format!("{:?}", form.name())).collect();
        let what = format!("`{}` is not a form; write {}.", quoted(name), names.join(" or "));
        (form.span().start, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> (usize, String) {
        let (at, what) = parse(text).unwrap_err();
        (text[..at].matches('\n').count() + 1, what)
    }

    fn endpoint(text: &str) -> Endpoint {
        interfaces::parse_endpoint(text).unwrap()
    }

    #[test]
    fn host_name_stands_for_an_address() {
        let text = "[[peer]]\naddress = \"bobs-laptop:5000\"\n[[peer]]\naddress = \"bobs-laptop:5001\"\n";
        let peers = ["bobs-laptop:5000", "bobs-laptop:5001"].map(|at| StaticPeer::at(endpoint(at)));
        assert_eq!(parse(text).unwrap(), peers);
    }

    #[test]
    fn a_list_of_peers_is_read() {
        let text = "[[peer]]\naddress = \"127.0.0.1:5000\"\n[[peer]]\naddress = \"127.0.0.1:5001\"\n\
                    name = \"Rita\"\nform = \"r3\"\n";
        let plain = StaticPeer::at(endpoint("127.0.0.1:5000"));
        let rita = StaticPeer {
            name: Some(PeerName::new("Rita")),
            form: Form::new("r3"),
            ..StaticPeer::at(endpoint("127.0.0.1:5001"))
        };
        assert_eq!(parse(text).unwrap(), [plain, rita]);
        assert_eq!(parse("# nobody\n").unwrap(), []);
    }

    /// The key of 32 bytes of 1.
    const KEY: &str = "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq";

    #[test]
    fn key_is_read_as_people_copy_it() {
        let grouped = "AEAQ CAIB-AEAQ CAIB-AEAQ CAIB-AEAQ CAIB-AEAQ CAIB-AEAQ CAIB-AEAQ";
        for key in [KEY, grouped] {
            let text = format!(
                "[[peer]]\naddress = \"127.0.0.1:5000\"\nkey = \"{key}\"\n\
                 addresses = [\"127.0.0.2:5000\", \"bob.local:6000\"]\n"
            );
            let bob = StaticPeer {
                key: Some(PublicKey::new([1; 32])),
                also: vec![endpoint("127.0.0.2:5000"), endpoint("bob.local:6000")],
                ..StaticPeer::at(endpoint("127.0.0.1:5000"))
            };
            assert_eq!(parse(&text).unwrap(), [bob]);
        }
    }

    #[test]
    fn mistake_in_any_file_takes_few_lines() {
        let long = "x".repeat(100_000);
        for text in [
            format!("[[peer]]\naddress = \"{long}\""),
            format!("[[peer]]\n{long} = 1"),
            format!("[[peer]]\naddress = \"127.0.0.1:1\"\nform = \"{long}\""),
            format!("[[peer]]\naddress = \"127.0.0.1:1\"\nname = \"{long}\""),
            format!("[[peer]]\naddress = \"127.0.0.1:1\"\nkey = \"{long}\""),
            format!("[[peer]]\naddress = \"127.0.0.1:1\"\nkey = \"{KEY}\"\naddresses = [\"{long}\"]"),
        ] {
            let (_, what) = mistake(&text);
            assert!(what.len() < 500 && what.ends_with(['.', '?']), "{what}");
        }
    }

    #[test]
    fn each_mistake_is_found_at_its_line() {
        let with = |more: &str| format!("[[peer]]\naddress = \"127.0.0.1:1\"\n{more}");
        let bob = with(&format!("key = \"{KEY}\"\n"));
        let nine: Vec<String> = (2..=10).map(|port| format!("\"127.0.0.1:{port}\"")).collect();
        for (text, line, words) in [
            (with("key = \"aeaq\"").as_str(), 3, "A key has 52 characters; this one has 4."),
            (&with(&format!("key = \"1{}\"", &KEY[1..])), 3, "Character 1 of the key is invalid"),
            (&with("key = 7"), 3, "expected text in quotation marks instead of `7`"),
            (&with("addresses = []"), 3, "`addresses` need a `key`"),
            (&format!("{bob}addresses = \"127.0.0.1:2\""), 4, "write `addresses` as a list"),
            (&format!("{bob}addresses = [\n\"127.0.0.1:0\"]"), 5, "from 1 to 65535"),
            (&format!("{bob}addresses = [\n\"127.0.0.1:1\"]"), 5, "127.0.0.1:1 is listed twice"),
            (&format!("{bob}addresses = [{}]", nine.join(",\n")), 12, "more than 8 addresses"),
            (&format!("{bob}form = \"r3\""), 4, "only encrypted messages"),
            (&format!("{bob}{}", bob.replace(":1\"", ":2\"")), 6, "this key is listed twice"),
            ("[[peer]]\naddress = \"127.0.0.1\"", 2, "write IP:PORT"),
            ("[[peer]]\naddress = \"127.0.0.1:0\"", 2, "from 1 to 65535"),
            ("[[peer]]\n\naddress = \"bob_laptop:5000\"", 3, "letters a to z"),
            ("[[peer]]\n\naddress = \"10.1:5000\"", 3, "IPv4 address"),
            ("[[peer]]\naddress = \"bob:1\"\n[[peer]]\naddress = \"BOB:1\"", 4, "bob:1 is listed twice"),
            ("[[peer]]\nadress = \"127.0.0.1:5000\"", 2, "unknown field `adress`"),
            ("\n[[peer]]\nname = \"Bob\"", 2, "missing field `address`"),
            ("[[peers]]\n", 1, "unknown field `peers`"),
            ("[peer]\naddress = \"127.0.0.1:1\"", 1, "write [[peer]], with two brackets"),
            ("[[peer]]\naddress = \"127.0.0.1:1\"\nform = \"R3\"", 3, "\"standard\" or \"r3\""),
            ("[[peer]]\naddress = \"127.0.0.1:1\"\nname = \"a b\"", 3, "Try a_b."),
            ("[[peer]]\naddress = 5000", 2, "expected text in quotation marks instead of `5000`"),
            ("[[peer]]\naddress = \"127.0.0.1:1\"\n[[peer]]\naddress = \"127.0.0.1:1\"", 4, "listed twice"),
            ("[[peer]\n", 1, "expected"),
            ("[[peer]]\naddress = \"127.0.0.1:1", 2, "expected"),
        ] {
            let (found, what) = mistake(text);
            assert_eq!(found, line, "{text:?}: {what}");
            assert!(what.contains(words), "{text:?}: {what}");
            assert!(what.ends_with(['.', '?']), "{what}");
        }
    }
}
