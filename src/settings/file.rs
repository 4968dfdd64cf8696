//! Reads the TOML files that the user writes by hand, and tells mistakes with their lines.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::model::name::shortened;
use crate::model::untrusted::harmless;

/// Bytes that a file may have: what a peers.toml of
/// [`MAX_STATIC_PEERS`](crate::core::MAX_STATIC_PEERS) entries with comments never reach.
pub(crate) const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Why a file cannot be read. Displayed as a whole sentence.
#[derive(thiserror::Error, Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("Cannot read {}: {1}.", .0.display())]
    Unreadable(PathBuf, io::Error),
    /// The file belongs to another user, who has this id.
    #[error(
        "{} belongs to another user (uid {1}), so p2p-chat does not read it; name your own file \
         with --peers, or start with --no-static.",
        .0.display()
    )]
    Foreign(PathBuf, u32),
    /// The file has more than this number of bytes.
    #[error("{} has more than {1} bytes, so it is probably the wrong file.", .0.display())]
    TooLarge(PathBuf, u64),
    /// The file contains a mistake.
    #[error("{}, line {line}: {what}", path.display())]
    Mistake {
        /// The file.
        path: PathBuf,
        /// The line of the mistake, from 1.
        line: usize,
        /// What is wrong and what would be right.
        what: String,
    },
}

/// Reads the text of a file of at most `max` bytes. `None` if there is no such file.
///
/// # Errors
/// If the file exists and cannot be read, is larger, or is not UTF-8.
pub(crate) fn read_if_present(path: &Path, max: u64) -> Result<Option<String>, ConfigError> {
    match open(path).and_then(|file| read_open(path, file, max)) {
        Err(ConfigError::Unreadable(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some),
    }
}

/// Reads the text of a file that must exist, of at most [`MAX_FILE_BYTES`].
///
/// # Errors
/// If the file cannot be read, is larger, or is not UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String, ConfigError> {
    read_open(path, open(path)?, MAX_FILE_BYTES)
}

/// Deserializes the text of a file. `format` is a sentence about what such a file contains.
pub(crate) fn deserialized<T: DeserializeOwned>(text: &str, format: &str) -> Result<T, Mistake> {
    toml::from_str(text).map_err(|error| toml_mistake(&error, text, format))
}

/// A file of `[[peer]]` entries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeerFile<T> {
    #[serde(default = "Vec::new")]
    pub(crate) peer: Vec<T>,
}

pub(super) fn open(path: &Path) -> Result<fs::File, ConfigError> {
    fs::File::open(path).map_err(|error| ConfigError::Unreadable(path.to_owned(), error))
}

/// The text of an open file that has at most `max` bytes.
pub(super) fn read_open(path: &Path, file: fs::File, max: u64) -> Result<String, ConfigError> {
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
        mistake(path, error.as_bytes(), at, "this is not UTF-8; save the file as UTF-8.")
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
        return format!("`{}` is set twice; remove one of them", toml_words(key.trim_matches(['[', ']'])));
    }
    let types = message.strip_prefix("invalid type: ").and_then(|types| types.split_once(", expected "));
    if let Some((found, expected)) = types {
        let expected = match expected {
            "a string" => "text in quotation marks",
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
        return format!("expected {expected} instead of {}", toml_words(&found));
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
