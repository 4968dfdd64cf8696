//! peers.toml: the peers to dial at the start.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, MAX_FILE_BYTES, Mistake, open, parsed, read_open, toml_mistake, toml_place};
use crate::core::{MAX_HINTS, MAX_STATIC_PEERS, StaticPeer};
use crate::files;
use crate::model::host::Endpoint;
use crate::model::key::PublicKey;
use crate::model::message::Form;
use crate::model::name::{PeerName, quoted};
use crate::net;

/// The peers that a file lists. The file has to belong to the user or to root.
pub(super) fn read(path: &Path) -> Result<Vec<StaticPeer>, ConfigError> {
    let file = open(path)?;
    let metadata = file.metadata().map_err(|error| ConfigError::Unreadable(path.to_owned(), error))?;
    if let Some(owner) = files::other_owner(&metadata).filter(|owner| *owner != ROOT) {
        return Err(ConfigError::Foreign(path.to_owned(), owner));
    }
    peers_of(path, &read_open(path, file, MAX_FILE_BYTES)?)
}

/// Returns the peers that the text of a peers.toml lists. `path` is for errors only.
///
/// # Errors
/// The first mistake, with its line.
pub fn peers_of(path: &Path, text: &str) -> Result<Vec<StaticPeer>, ConfigError> {
    parsed(path, text, parse)
}

/// The user id of root, who can change every file anyway.
const ROOT: u32 = 0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    peer: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    address: Spanned<String>,
    name: Option<Spanned<String>>,
    form: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    addresses: Option<Spanned<Vec<Spanned<String>>>>,
}

/// The peers that `text` lists; a mistake with its place and a sentence.
fn parse(text: &str) -> Result<Vec<StaticPeer>, Mistake> {
    let file: File = toml::from_str(text).map_err(|error| {
        let format = "A list of peers has [[peer]] entries, each with an `address` and, if you like, a `name`, a `form`, \
                      a `key` and further `addresses`.";
        let at = toml_place(&error);
        if error.message().contains("expected a sequence") {
            return (at, format!("{}. {format}", no_list(text, at)));
        }
        toml_mistake(&error, text, format)
    })?;
    if let Some(extra) = file.peer.get(MAX_STATIC_PEERS) {
        let what = format!("more than {MAX_STATIC_PEERS} peers are listed; keep those that you need.");
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
        let addr = net::parse_endpoint(text.get_ref()).map_err(|error| (at, format!("{error}")))?;
        if self.addrs.insert(addr.clone()) {
            return Ok(addr);
        }
        Err((at, format!("{addr} is listed twice; leave one of them out.")))
    }

    /// The key that is written there.
    fn key(&mut self, text: &Spanned<String>) -> Result<PublicKey, Mistake> {
        let at = text.span().start;
        let key: PublicKey = text.get_ref().parse().map_err(|error| (at, format!("{error}")))?;
        if self.keys.insert(key) {
            return Ok(key);
        }
        let what = "this key is listed twice; write all `addresses` of one person into one entry.";
        Err((at, what.into()))
    }
}

fn peer(entry: Entry, seen: &mut Seen) -> Result<StaticPeer, Mistake> {
    let addr = seen.addr(&entry.address)?;
    let name = entry.name.map(peer_name).transpose()?;
    let key = entry.key.as_ref().map(|key| seen.key(key)).transpose()?;
    let form_at = entry.form.as_ref().map_or(0, |form| form.span().start);
    let form = entry.form.map(form).transpose()?.unwrap_or_default();
    if key.is_some() && form != Form::Standard {
        let what =
            "who has a `key` is written to in encryption only, which has no form; leave one of the two out.";
        return Err((form_at, what.into()));
    }
    let also = match entry.addresses {
        None => Vec::new(),
        Some(addrs) if key.is_none() => {
            let what = "only a `key` tells that it is the same person at several `addresses`; add it, or make these entries of their own.";
            return Err((addrs.span().start, what.into()));
        }
        Some(addrs) => further(addrs.get_ref(), seen)?,
    };
    Ok(StaticPeer { addr, name, form, key, also, for_run: false })
}

fn further(texts: &[Spanned<String>], seen: &mut Seen) -> Result<Vec<Endpoint>, Mistake> {
    if let Some(extra) = texts.get(MAX_HINTS) {
        let what = format!("more than {MAX_HINTS} further addresses are listed; keep those that are in use.");
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
    match form.get_ref().as_str() {
        "standard" => Ok(Form::Standard),
        "r3" => Ok(Form::R3),
        other => {
            let what = format!("`{}` is no form; write \"standard\" or \"r3\".", quoted(other));
            Err((form.span().start, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> (usize, String) {
        let (at, what) = parse(text).unwrap_err();
        (text[..at].matches('\n').count() + 1, what)
    }

    fn endpoint(text: &str) -> Endpoint {
        net::parse_endpoint(text).unwrap()
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
            form: Form::R3,
            ..StaticPeer::at(endpoint("127.0.0.1:5001"))
        };
        assert_eq!(parse(text).unwrap(), [plain, rita]);
        assert_eq!(parse("# nobody\n").unwrap(), []);
    }

    /// The key of 32 bytes of 1.
    const KEY: &str = "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq";

    #[test]
    fn a_key_is_taken_as_people_copy_it_and_addresses_with_it() {
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
    fn a_mistake_is_told_in_a_few_lines_whatever_the_file_holds() {
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
            (with("key = \"aeaq\"").as_str(), 3, "A key has 52 characters, and this has 4."),
            (&with(&format!("key = \"1{}\"", &KEY[1..])), 3, "Character 1 of the key cannot be in one"),
            (&with("key = 7"), 3, "a text in quotation marks has to stand here instead of `7`"),
            (&with("addresses = []"), 3, "only a `key` tells"),
            (&format!("{bob}addresses = \"127.0.0.1:2\""), 4, "write `addresses` as a list"),
            (&format!("{bob}addresses = [\n\"127.0.0.1:0\"]"), 5, "from 1 to 65535"),
            (&format!("{bob}addresses = [\n\"127.0.0.1:1\"]"), 5, "127.0.0.1:1 is listed twice"),
            (&format!("{bob}addresses = [{}]", nine.join(",\n")), 12, "more than 8 further addresses"),
            (&format!("{bob}form = \"r3\""), 4, "in encryption only"),
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
            ("[[peer]]\naddress = \"127.0.0.1:1\"\nname = \"a b\"", 3, "how about `a_b`?"),
            ("[[peer]]\naddress = 5000", 2, "a text in quotation marks has to stand here instead of `5000`"),
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
