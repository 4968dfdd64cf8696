//! The user's profiles. A profile is an identity in a directory that only the user can read. One
//! process at a time can use it.
//!
//! `<data>/profiles/<profile>/` contains `key` (`keyfile`), `profile.toml` (`file`),
//! `contacts.toml` (`contacts`), `typed_lines`, `lock` and the database of `store`. The key is
//! created with the profile and never overwritten. A damaged file is reported and left as it is:
//! without their key, users are strangers to their contacts.

mod address_book;
mod configured;
pub(crate) mod contacts;
mod file;
mod introductions;
mod keyfile;
mod left_invitation;
mod lock;
mod select;
mod typed_lines;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::files;
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::Name;
use crate::settings::ConfigError;
pub(crate) use crate::settings::Profile;
use crate::settings::Settings;
pub(crate) use address_book::{AddressBook, saved_for};
pub(crate) use configured::{configure, undecided};
pub(crate) use file::{ListeningPort, save_name, save_port};
pub(crate) use introductions::{read_introductions, save_introductions};
use keyfile::{Pair, Seed};
pub use left_invitation::{is_invitation_left, leave_invitation, take_invitation, withdraw_invitation};
use lock::Lock;
pub use select::{Named, Profiles, rename};
pub(crate) use select::{StoredProfile, new_profile};
pub(crate) use typed_lines::{TypedLines, TypedRange};

/// The directory of the profiles in the data directory.
const PROFILES: &str = "profiles";

const KEY_FILE: &str = "key";

/// The file that a process locks while it uses the profile.
const LOCK_FILE: &str = "lock";

/// The user's key. While it lives, no other process can use the same profile.
#[derive(Debug)]
pub struct Identity {
    pair: Pair,
    /// The directory of the profile, which has the key. Or the reason why the key is only in
    /// memory, so that the next run has another one; a whole sentence.
    folder: Result<PathBuf, String>,
    is_new: bool,
    _lock: Option<Lock>,
}

/// Why a profile cannot be used. Displayed as a whole sentence.
#[derive(thiserror::Error, Debug)]
pub enum ProfileError {
    /// Other users can access this file or directory. It should have these permissions.
    #[error(
        "Other users of this machine have access to {}, so its secrets may be known; `chmod {1:o} {}` fixes that.",
        .0.display(),
        quoted_for_shell(.0)
    )]
    Open(PathBuf, u32),
    /// Other users can access this file or directory, and its file system has no permissions.
    #[error(
        "Other users of this machine may read {}, and its file system cannot prevent that. Choose a \
         --data-dir on another file system, or add --insecure-permissions if you trust all of them.",
        .0.display()
    )]
    NoPermissions(PathBuf),
    /// This file or directory belongs to another user, who has this id.
    #[error(
        "{} belongs to another user (uid {1}), who can read and replace what is in it; run p2p-chat as \
         that user, or choose another --data-dir.",
        .0.display()
    )]
    Foreign(PathBuf, u32),
    /// The key file is damaged. Holds the reason, as a whole sentence.
    #[error(
        "{} is not a valid key: {1} Restore a copy of it, or move it away to get a new key; you are then a \
         stranger to your contacts.",
        .0.display()
    )]
    Damaged(PathBuf, String),
    /// A file or directory cannot be read or created.
    #[error("Cannot use {}: {1}.", .0.display())]
    Io(PathBuf, io::Error),
    /// Another process uses the profile.
    #[error(
        "{name} is already running{}. Use --name NAME to start another profile.",
        port.map_or_else(String::new, |port| format!(" (port {port})"))
    )]
    Running {
        /// The name of the profile.
        name: String,
        /// The port that the process listens on, if known.
        port: Option<u16>,
    },
    /// A profile.toml cannot be read or contains a mistake.
    #[error("{0}")]
    File(ConfigError),
    /// A profile.toml cannot be written.
    #[error("Cannot write {}: {1}.", .0.display())]
    Unwritable(PathBuf, io::Error),
    /// Another profile has this name.
    #[error("Another profile is called {0} already; choose another name.")]
    Taken(Name),
    /// The profile has no key in this directory.
    #[error("There is no key in {}; restore a copy, or start p2p-chat with --profile {0} to get a new one.", .1.display())]
    NoKey(Profile, PathBuf),
    /// There is no directory to store a key in.
    #[error("There is no home directory to store a key in; add --data-dir DIR.")]
    NoFolder,
    /// The system provides no random bytes.
    #[error("The system provides no random bytes, so no key can be created.")]
    NoRandom,
}

/// Quotes a path for a shell, if needed.
fn quoted_for_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

impl Identity {
    /// Opens a profile and locks it. Creates the directory and the key if they are missing. Without
    /// `--data-dir`, if there is no home directory or it cannot be written to, the key is for this
    /// run only.
    ///
    /// # Errors
    /// If another process uses the profile, or if its key cannot be read, is accessible to other
    /// users, or cannot be stored in `--data-dir`.
    pub fn open(settings: &Settings, profile: &Profile) -> Result<Self, ProfileError> {
        let Some(data) = settings.data_directory() else {
            return Self::for_this_run(ProfileError::NoFolder.to_string());
        };
        let folder = folder_of(&data, profile);
        match files::make_folder(&folder) {
            Err(error) if settings.data_dir.is_none() => {
                return Self::for_this_run(format!("Cannot create {}: {error}.", folder.display()));
            }
            made => made.map_err(|error| ProfileError::Io(folder.clone(), error))?,
        }
        let trusting = settings.insecure_permissions;
        check(&folder, 0o700, trusting)?;
        let lock = Lock::take(&folder.join(LOCK_FILE))
            .map_err(|error| ProfileError::Io(folder.join(LOCK_FILE), error))?
            .ok_or_else(|| running(&folder, profile))?;
        let (pair, is_new) = read_or_make(&folder.join(KEY_FILE), trusting)?;
        Ok(Self { pair, folder: Ok(folder), is_new, _lock: Some(lock) })
    }

    fn for_this_run(why: String) -> Result<Self, ProfileError> {
        Ok(Self { pair: new_pair()?, folder: Err(why), is_new: true, _lock: None })
    }

    /// Whether the key was created for this run.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns the key that peers know us by.
    pub fn key(&self) -> PublicKey {
        self.pair.public
    }

    /// Returns the private key (RFC 8032, section 5.1.5). Never show or log it: it is the identity.
    pub fn seed(&self) -> &Zeroizing<[u8; KEY_BYTES]> {
        &self.pair.seed
    }

    /// Returns the directory of the profile, if the key is stored.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref().ok()
    }

    /// Why the key is not stored, as a whole sentence; `None` if it is.
    pub fn why_not_stored(&self) -> Option<&str> {
        self.folder.as_ref().err().map(String::as_str)
    }
}

/// Returns the error for a profile that another process uses.
fn running(folder: &Path, profile: &Profile) -> ProfileError {
    // If the file cannot be read, the error has no port.
    let file = file::read(folder).unwrap_or_default();
    let name = file.name.as_ref().map_or_else(|| profile.to_string(), ToString::to_string);
    ProfileError::Running { name, port: file.last_port() }
}

/// Creates a profile called `name` and returns its key.
///
/// # Errors
/// If there is no data directory, or the profile cannot be created in it.
pub fn create(settings: &Settings, profile: &Profile, name: &Name) -> Result<PublicKey, ProfileError> {
    let folder = folder_of(&settings.data_directory().ok_or(ProfileError::NoFolder)?, profile);
    files::make_folder(&folder).map_err(|error| ProfileError::Io(folder.clone(), error))?;
    check(&folder, 0o700, settings.insecure_permissions)?;
    let (pair, _) = read_or_make(&folder.join(KEY_FILE), settings.insecure_permissions)?;
    save_name(&folder, name)?;
    Ok(pair.public)
}

/// Returns the key of a profile, which another process may be using.
///
/// # Errors
/// If it has no key, or its key cannot be read or is accessible to other users.
pub fn key_of(settings: &Settings, profile: &Profile) -> Result<PublicKey, ProfileError> {
    let folder = folder_of(&settings.data_directory().ok_or(ProfileError::NoFolder)?, profile);
    check(&folder, 0o700, settings.insecure_permissions)?;
    let pair = read(&folder.join(KEY_FILE), settings.insecure_permissions)?;
    pair.map(|pair| pair.public).ok_or_else(|| ProfileError::NoKey(profile.clone(), folder))
}

/// Returns the port of a profile: the one that its process listens on, else the one in the
/// settings, else that of its last run. `None` if it is unknown.
pub fn port_of(settings: &Settings, profile: &Profile) -> Option<u16> {
    let folder = folder(settings, profile)?;
    let file = file::read(&folder).unwrap_or_default();
    if lock::is_held(&folder.join(LOCK_FILE)) {
        return file.last_port();
    }
    match settings.port {
        Some(0) => None,
        Some(port) => Some(port),
        None => file.port,
    }
}

/// Returns the IP of a profile: the one that its process listens at, else the one in the settings.
/// `None` means all IPs.
pub fn bind_of(settings: &Settings, profile: &Profile) -> Option<IpAddr> {
    let used = folder(settings, profile).filter(|folder| lock::is_held(&folder.join(LOCK_FILE)));
    used.map_or(settings.bind, |folder| file::read(&folder).unwrap_or_default().bind)
}

/// Returns the id of the process that uses the profile in this directory, if it is known.
pub fn process_of(folder: &Path) -> Option<u32> {
    lock::holder(&folder.join(LOCK_FILE))
}

/// Returns the directory of a profile, which need not exist. `None` if there is no home directory.
pub fn folder(settings: &Settings, profile: &Profile) -> Option<PathBuf> {
    Some(folder_of(&settings.data_directory()?, profile))
}

fn folder_of(data: &Path, profile: &Profile) -> PathBuf {
    data.join(PROFILES).join(profile.directory())
}

/// Refuses a file or directory that another user owns or can access. Links are followed, as in
/// later use.
///
/// As ssh does with a private key, it repairs nothing: the key may have been copied already, and
/// only the user can judge that. `--insecure-permissions` accepts access by other users.
fn check(path: &Path, mode: u32, trusting: bool) -> Result<(), ProfileError> {
    let metadata = fs::metadata(path).map_err(|error| ProfileError::Io(path.to_owned(), error))?;
    if let Some(owner) = files::other_owner(&metadata) {
        return Err(ProfileError::Foreign(path.to_owned(), owner));
    }
    if files::is_open_to_others(&metadata) && !trusting {
        let folder = if metadata.is_dir() { Some(path) } else { path.parent() };
        return Err(match folder {
            Some(folder) if !files::keeps_permissions(folder) => ProfileError::NoPermissions(path.to_owned()),
            _ => ProfileError::Open(path.to_owned(), mode),
        });
    }
    Ok(())
}

/// Returns the key in this file and `false`, or creates one and returns it and `true`.
fn read_or_make(path: &Path, trusting: bool) -> Result<(Pair, bool), ProfileError> {
    let failed = |error| ProfileError::Io(path.to_owned(), error);
    if let Some(pair) = read(path, trusting)? {
        return Ok((pair, false));
    }
    let pair = new_pair()?;
    match files::write_first(path, &keyfile::text_of(&pair)) {
        // Another process created it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path, trusting)?
            .map(|pair| (pair, false))
            .ok_or_else(|| failed(io::ErrorKind::NotFound.into())),
        written => written.map(|()| (pair, true)).map_err(failed),
    }
}

fn read(path: &Path, trusting: bool) -> Result<Option<Pair>, ProfileError> {
    // Not `exists`: a dangling link is an error, not a missing key.
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    check(path, 0o600, trusting)?;
    let bytes = keyfile::read(path).map_err(|error| ProfileError::Io(path.to_owned(), error))?;
    keyfile::parse(&bytes).map(Some).map_err(|why| ProfileError::Damaged(path.to_owned(), why))
}

fn new_pair() -> Result<Pair, ProfileError> {
    let mut seed = Seed::default();
    rand::fill(&mut *seed).map_err(|_| ProfileError::NoRandom)?;
    Pair::from_seed(seed).ok_or(ProfileError::NoRandom)
}

#[cfg(test)]
mod tests;
