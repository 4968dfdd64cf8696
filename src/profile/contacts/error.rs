//! The errors of reading and saving contacts.

use std::io;
use std::path::PathBuf;

use super::contact::Clash;
use crate::core::MAX_CONTACTS;
use crate::model::name::Name;
use crate::model::peer_id::{PeerId, Recipient};
use crate::settings::ConfigError;

/// Why the contacts cannot be read or saved. Displayed as a whole sentence.
#[derive(thiserror::Error, Debug)]
pub(crate) enum ContactsError {
    /// The file cannot be read, or contains a mistake.
    #[error("{0}")]
    File(ConfigError),
    /// The file cannot be written.
    #[error("Cannot write {}: {1}.", .0.display())]
    Unwritable(PathBuf, io::Error),
    /// The file would be larger than this number of bytes.
    #[error("{} would be larger than {1} bytes; shorten its comments.", .0.display())]
    TooLarge(PathBuf, u64),
    /// The file had contacts and is now missing or empty.
    #[error("{} is missing or empty.", .0.display())]
    Gone(PathBuf),
    /// Another program keeps changing the file.
    #[error("Another program is changing {}.", .0.display())]
    Busy(PathBuf),
    /// There are [`MAX_CONTACTS`] contacts already.
    #[error("There are {MAX_CONTACTS} contacts already; remove one with /forget first.")]
    TooMany,
    /// The alias is already the alias or name of this contact.
    #[error("{} is called {0} already; choose another alias.", Recipient::from(*.1))]
    Taken(Name, PeerId),
    /// The alias is the user's own name.
    #[error("{0} is your own name; choose another alias.")]
    OwnName(Name),
}

impl From<Clash> for ContactsError {
    fn from(Clash { alias, other, .. }: Clash) -> Self {
        match other {
            Some(other) => Self::Taken(alias, other),
            None => Self::OwnName(alias),
        }
    }
}
