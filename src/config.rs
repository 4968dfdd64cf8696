//! Files of the user's: where they lie and how they are read; what a list of static peers says is `config/peers.rs`'s.

pub mod peers;

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::cli::Cli;
use crate::core::StaticPeer;
use crate::model::name::shortened;
use crate::model::untrusted::harmless;
use peers::read;

/// The name of the file that lists static peers.
const PEERS_FILE: &str = "peers.toml";

/// Our folder in the user's configuration and data directories.
pub(crate) const FOLDER: &str = "p2p-chat";

/// Bytes that a file may have: what a peers.toml of [`MAX_STATIC_PEERS`](crate::core::MAX_STATIC_PEERS) entries with comments never reach.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Why a file cannot be read. Its display is a whole sentence for a user.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It belongs to another user, who has this id.
    Foreign(PathBuf, u32),
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
            Self::Foreign(path, owner) => write!(
                f,
                "{} belongs to another user (uid {owner}) and is not read; name your own file with --peers, or start \
                 with --no-static.",
                path.display()
            ),
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
/// `./peers.toml` can come with a directory of another person, so its entries are for this run, unless
/// the user names the file or the directory is the one of the configuration.
///
/// # Errors
/// Where a file was named and cannot be read, or a file holds a mistake.
pub fn static_peers(cli: &Cli) -> Result<Vec<StaticPeer>, ConfigError> {
    let mut peers = if cli.no_static { Vec::new() } else { from_files(cli.peers.as_deref())? };
    for at in &cli.peer {
        if peers.iter().all(|peer| peer.endpoints().all(|listed| listed != at)) {
            peers.push(StaticPeer::at(at.clone()));
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

/// Whether a file is `./peers.toml`, and not the one in the configuration directory under that name.
fn is_for_run(path: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let configured = configuration_directory().and_then(|folder| real(&folder.join(PEERS_FILE)));
    path == Path::new(PEERS_FILE) && (configured.is_none() || configured != real(path))
}

/// The path of `./peers.toml`, for the user to read.
pub(crate) fn local_peers_file() -> String {
    let path = std::path::absolute(PEERS_FILE).unwrap_or_else(|_| PathBuf::from(PEERS_FILE));
    harmless(&path.display().to_string())
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
    read_open(path, open(path)?, max)
}

fn open(path: &Path) -> Result<fs::File, ConfigError> {
    fs::File::open(path).map_err(|error| ConfigError::Unreadable(path.to_owned(), error))
}

/// The text of an open file that has at most `max` bytes.
fn read_open(path: &Path, file: fs::File, max: u64) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable(path.to_owned(), error);
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max {
        return Err(ConfigError::TooLarge(path.to_owned(), max));
    }
    text_of(path, bytes)
}

/// Returns the bytes of a file as text.
///
/// # Errors
/// A mistake with its line where the bytes are not UTF-8.
pub fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String, ConfigError> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        mistake(path, error.as_bytes(), at, "this is not UTF-8; save the file in that encoding.")
    })
}

/// Columns of what the parser of TOML says that are shown: it repeats keys, whatever their length.
const MAX_TOML_COLUMNS: usize = 200;

/// A mistake in the text of a file: its byte offset, and a sentence.
pub(crate) type Mistake = (usize, String);

/// Returns the mistake that the parser of TOML found. `format` is a sentence about what such a file
/// has.
pub(crate) fn toml_mistake(error: &toml::de::Error, text: &str, format: &str) -> Mistake {
    (toml_place(error), format!("{}. {format}", toml_sentence(error, text)))
}

/// What the parser of TOML found in `text`, as a sentence without its full stop.
pub(crate) fn toml_sentence(error: &toml::de::Error, text: &str) -> String {
    let message = error.message();
    if message == "duplicate key"
        && let Some(key) = error.span().and_then(|span| text.get(span))
    {
        return format!("`{}` stands there twice; leave one out", toml_words(key.trim_matches(['[', ']'])));
    }
    let types = message.strip_prefix("invalid type: ").and_then(|types| types.split_once(", expected "));
    if let Some((found, expected)) = types {
        let expected = match expected {
            "a string" => "a text in quotation marks",
            "a boolean" => "true or false",
            "a sequence" => "a list in square brackets",
            "i64" | "u16" | "u32" | "u64" => "a number",
            _ => return toml_words(message),
        };
        // The parser says the type before the value, as in: integer `5`.
        let found = match found.split_once(' ') {
            Some(("integer" | "float" | "boolean", value)) => value.to_owned(),
            Some(("floating", value)) => value.trim_start_matches("point ").to_owned(),
            Some(("string", value)) => format!("the text {value}"),
            None if found == "sequence" => "a list".to_owned(),
            None if found == "map" => "a table".to_owned(),
            _ => found.to_owned(),
        };
        return format!("{expected} has to stand here instead of {}", toml_words(&found));
    }
    toml_words(message)
}

/// The byte offset of what the parser of TOML found.
pub(crate) fn toml_place(error: &toml::de::Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// Returns what `parse` makes of the text of a file, or its mistake with the line.
pub(crate) fn parsed<'t, T>(
    path: &Path,
    text: &'t str,
    parse: impl FnOnce(&'t str) -> Result<T, Mistake>,
) -> Result<T, ConfigError> {
    parse(text).map_err(|(at, what)| mistake(path, text.as_bytes(), at, &what))
}

/// What the parser of TOML says, as the beginning of a sentence.
pub(crate) fn toml_words(message: &str) -> String {
    shortened(&harmless(&message.replace('\n', ", ")), MAX_TOML_COLUMNS)
}

/// A mistake at a byte of a file.
pub fn mistake(path: &Path, bytes: &[u8], at: usize, what: &str) -> ConfigError {
    let line = bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    ConfigError::Mistake { path: path.to_owned(), line, what: harmless(what) }
}
