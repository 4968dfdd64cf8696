//! Files of the user's: where they lie, how they are read, and the list of static peers among them.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::Deserialize;
use toml::Spanned;

use crate::chat::{MAX_STATIC_PEERS, StaticPeer};
use crate::cli::Cli;
use crate::escape::harmless;
use crate::message::Form;
use crate::net;
use crate::peer::{PeerName, quoted, shortened};

/// The name of the file that lists static peers.
const PEERS_FILE: &str = "peers.toml";

/// Our folder in the user's configuration and data directories.
pub(crate) const FOLDER: &str = "p2p-chat";

/// Bytes that a file may have: what a peers.toml of [`MAX_STATIC_PEERS`] entries with comments never reach.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Why a file cannot be read. Its display is a whole sentence for a user.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It has more bytes than any such file has.
    TooLarge(PathBuf, u64),
    /// It holds a mistake.
    Mistake {
        /// Which file.
        path: PathBuf,
        /// The line of the mistake, from 1.
        line: usize,
        /// What is wrong and what would be right.
        what: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "Cannot read {}: {error}.", path.display()),
            Self::TooLarge(path, max) => {
                write!(
                    f,
                    "{} has more than {max} bytes, so it is no such file as it should be.",
                    path.display()
                )
            }
            Self::Mistake { path, line, what } => write!(f, "{}, line {line}: {what}", path.display()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// The static peers: those of the first file found, and those of the command line, each address once.
///
/// # Errors
/// Where a file was named and cannot be read, or a file holds a mistake.
pub fn static_peers(cli: &Cli) -> Result<Vec<StaticPeer>, ConfigError> {
    let mut peers = if cli.no_static { Vec::new() } else { from_files(cli.peers.as_deref())? };
    for &addr in &cli.peer {
        if peers.iter().all(|peer| peer.addr != addr) {
            peers.push(StaticPeer { addr, name: None, form: Form::Standard, key: None });
        }
    }
    Ok(peers)
}

/// The list of static peers that is read, or would be if it were there; `None` if none is.
pub fn peers_file(cli: &Cli) -> Option<PathBuf> {
    if cli.no_static {
        return None;
    }
    cli.peers.clone().or_else(|| usual_peers_files().find(|path| path.exists()))
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
            result => return result,
        }
    }
    Ok(Vec::new())
}

/// Where the user's configuration of this program lies: `$XDG_CONFIG_HOME/p2p-chat` or `~/.config/p2p-chat` on Linux,
/// the platform's own place elsewhere.
pub fn configuration_directory() -> Option<PathBuf> {
    let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(strategy.config_dir().join(FOLDER))
}

/// The text of a file.
///
/// # Errors
/// Where it cannot be read, is larger than any such file, or is no UTF-8.
pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    read_text_within(path, MAX_FILE_BYTES)
}

/// The same of a file that has at most `max` bytes.
pub(crate) fn read_text_within(path: &Path, max: u64) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max {
        return Err(ConfigError::TooLarge(path.to_owned(), max));
    }
    text_of(path, bytes)
}

/// The text that the bytes of a file are.
pub(crate) fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String, ConfigError> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        mistake(path, error.as_bytes(), at, "this is not UTF-8; save the file in that encoding.")
    })
}

/// Columns of what the parser of TOML says that are shown: it repeats keys, whatever their length.
const MAX_TOML_COLUMNS: usize = 200;

/// What the parser of TOML says, as the beginning of a sentence.
pub(crate) fn toml_words(message: &str) -> String {
    shortened(&harmless(&message.replace('\n', ", ")), MAX_TOML_COLUMNS)
}

/// A mistake at a byte of a file.
pub fn mistake(path: &Path, bytes: &[u8], at: usize, what: &str) -> ConfigError {
    let line = bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    ConfigError::Mistake { path: path.to_owned(), line, what: harmless(what) }
}

fn read(path: &Path) -> Result<Vec<StaticPeer>, ConfigError> {
    peers_of(path, &read_text(path)?)
}

/// The peers that the text of a file lists.
pub(crate) fn peers_of(path: &Path, text: &str) -> Result<Vec<StaticPeer>, ConfigError> {
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
    address: Spanned<String>,
    name: Option<Spanned<String>>,
    form: Option<Spanned<String>>,
}

/// The peers that `text` lists; a mistake with its place and a sentence.
fn parse(text: &str) -> Result<Vec<StaticPeer>, (usize, String)> {
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = match error.message() {
            message if message.contains("expected a sequence") => "write [[peer]], with two brackets".to_owned(),
            message => toml_words(message),
        };
        let format = "A list of peers has [[peer]] entries, each with an `address` and, if you like, a `name` and a `form`.";
        (at, format!("{message}. {format}"))
    })?;
    if let Some(extra) = file.peer.get(MAX_STATIC_PEERS) {
        let what = format!("more than {MAX_STATIC_PEERS} peers are listed; keep those that you need.");
        return Err((extra.address.span().start, what));
    }
    let mut seen = HashSet::new();
    let mut peers = Vec::new();
    for entry in file.peer {
        let at = entry.address.span().start;
        let addr = net::parse_addr(entry.address.get_ref()).map_err(|error| (at, format!("{error}")))?;
        if !seen.insert(addr) {
            return Err((at, format!("{addr} is listed twice; leave one of the entries out.")));
        }
        let name = entry.name.map(peer_name).transpose()?;
        let form = entry.form.map(form).transpose()?.unwrap_or_default();
        peers.push(StaticPeer { addr, name, form, key: None });
    }
    Ok(peers)
}

fn peer_name(name: Spanned<String>) -> Result<PeerName, (usize, String)> {
    let at = name.span().start;
    match name.get_ref().parse::<crate::peer::Name>() {
        Ok(name) => Ok(PeerName::new(name.as_str())),
        Err(error) => Err((at, error.to_string())),
    }
}

fn form(form: Spanned<String>) -> Result<Form, (usize, String)> {
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

    #[test]
    fn a_list_of_peers_is_read() {
        let text = "[[peer]]\naddress = \"127.0.0.1:5000\"\n[[peer]]\naddress = \"127.0.0.1:5001\"\n\
                    name = \"Rita\"\nform = \"r3\"\n";
        let plain = StaticPeer {
            addr: "127.0.0.1:5000".parse().unwrap(),
            name: None,
            form: Form::Standard,
            key: None,
        };
        let rita = StaticPeer {
            addr: "127.0.0.1:5001".parse().unwrap(),
            name: Some(PeerName::new("Rita")),
            form: Form::R3,
            key: None,
        };
        assert_eq!(parse(text).unwrap(), [plain, rita]);
        assert_eq!(parse("# nobody\n").unwrap(), []);
    }

    #[test]
    fn a_mistake_is_told_in_a_few_lines_whatever_the_file_holds() {
        let long = "x".repeat(100_000);
        for text in [
            format!("[[peer]]\naddress = \"{long}\""),
            format!("[[peer]]\n{long} = 1"),
            format!("[[peer]]\naddress = \"127.0.0.1:1\"\nform = \"{long}\""),
            format!("[[peer]]\naddress = \"127.0.0.1:1\"\nname = \"{long}\""),
        ] {
            let (_, what) = mistake(&text);
            assert!(what.len() < 500 && what.ends_with(['.', '?']), "{what}");
        }
    }

    #[test]
    fn each_mistake_is_found_at_its_line() {
        for (text, line, words) in [
            ("[[peer]]\naddress = \"127.0.0.1\"", 2, "write IP:PORT"),
            ("[[peer]]\naddress = \"127.0.0.1:0\"", 2, "from 1 to 65535"),
            ("[[peer]]\n\naddress = \"localhost:5000\"", 3, "IPv4 address"),
            ("[[peer]]\nadress = \"127.0.0.1:5000\"", 2, "unknown field `adress`"),
            ("\n[[peer]]\nname = \"Bob\"", 2, "missing field `address`"),
            ("[[peers]]\n", 1, "unknown field `peers`"),
            ("[peer]\naddress = \"127.0.0.1:1\"", 1, "write [[peer]], with two brackets"),
            ("[[peer]]\naddress = \"127.0.0.1:1\"\nform = \"R3\"", 3, "\"standard\" or \"r3\""),
            ("[[peer]]\naddress = \"127.0.0.1:1\"\nname = \"a b\"", 3, "how about `a_b`?"),
            ("[[peer]]\naddress = 5000", 2, "expected a string"),
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
