//! The errors of reading and saving contacts.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::contact::Clash;
use crate::core::MAX_CONTACTS;
use crate::model::name::Name;
use crate::model::peer_id::{PeerId, Recipient};
use crate::settings::ConfigError;

/// Why the contacts cannot be read or saved. Displayed as a whole sentence.
#[derive(Debug)]
pub enum ContactsError {
    /// The file cannot be read, or contains a mistake.
    File(ConfigError),
    /// The file cannot be written.
    Unwritable(PathBuf, io::Error),
    /// The file would be larger than this number of bytes.
    TooLarge(PathBuf, u64),
    /// The file had contacts and is now missing or empty.
    Gone(PathBuf),
    /// Another program keeps changing the file.
    Busy(PathBuf),
    /// There are [`MAX_CONTACTS`] contacts already.
    TooMany,
    /// The alias is already the alias or name of this contact.
    Taken(Name, PeerId),
    /// The alias is the user's own name.
    OwnName(Name),
}

impl fmt::Display for ContactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Unwritable(path, error) => {
                write!(f, "Cannot write {}: {error}. The contacts are unchanged.", path.display())
            }
            Self::TooLarge(path, max) => write!(
                f,
                "{} would be larger than {max} bytes; shorten its comments. The contacts are unchanged.",
                path.display()
            ),
            Self::Gone(path) => write!(
                f,
                "{} is missing or empty, so the change was not saved; try again in a moment.",
                path.display()
            ),
            Self::Busy(path) => write!(
                f,
                "Another program is changing {}, so the change was not saved; try again in a moment.",
                path.display()
            ),
            Self::TooMany => {
                write!(f, "There are {MAX_CONTACTS} contacts already; remove one with /forget first.")
            }
            Self::Taken(alias, other) => {
                write!(f, "{} is called {alias} already; choose another alias.", Recipient::from(*other))
            }
            Self::OwnName(alias) => write!(f, "{alias} is your own name; choose another alias."),
        }
    }
}

impl std::error::Error for ContactsError {}

impl From<Clash> for ContactsError {
    fn from(Clash { alias, other, .. }: Clash) -> Self {
        match other {
            Some(other) => Self::Taken(alias, other),
            None => Self::OwnName(alias),
        }
    }
}
