//! Who we are: a key for each profile, in a directory that only the user can read, for one process at a time.
//!
//! `<data>/profiles/<profile>/` holds `key` (`profile/keyfile.rs`), `lock` and what is remembered of others. A key is made at the first
//! run and never written over. Whatever is wrong with what is there is told and left as it is: somebody who loses a key loses
//! who they are to others.

mod directory;
mod keyfile;
mod lock;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

use crate::cli::{Cli, Misused};
use crate::files;
use crate::model::key::{KEY_BYTES, PublicKey};
pub use directory::Profile;
use keyfile::Pair;
use lock::Lock;

/// The directory of the profiles in the data directory.
const PROFILES: &str = "profiles";

/// The file of the key.
const KEY_FILE: &str = "key";

/// The file whose lock says that a process is this profile.
const LOCK_FILE: &str = "lock";

/// Who we are, as long as this lives: no other process is the same profile meanwhile.
#[derive(Debug)]
pub struct Identity {
    pair: Pair,
    kept: Kept,
    _lock: Option<Lock>,
}

/// Where a key is kept.
#[derive(Debug)]
pub enum Kept {
    /// In this directory of the profile.
    In(PathBuf),
    /// Nowhere, for this reason, a whole sentence: it is another one the next time.
    Nowhere(String),
}

/// Why there is no key to start with. Its display is a whole sentence for a user.
#[derive(Debug)]
pub enum IdentityError {
    /// Others have rights to this file or directory, which should have these permissions.
    Open(PathBuf, u32),
    /// The file of the key is not as it was written; why, as a whole sentence.
    Damaged(PathBuf, String),
    /// A file or directory cannot be read or made.
    Io(PathBuf, io::Error),
    /// Another process is this profile, with this number if it has said so.
    Running(Profile, Option<u32>),
    /// There is no directory to keep a key in.
    NoFolder,
    /// The system gives no random bytes.
    NoRandom,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(path, mode) => write!(
                f,
                "Others on this machine have rights to {}, so what should be secret there may not be; `chmod {mode:o} {}` ends that.",
                path.display(),
                quoted_for_shell(path)
            ),
            Self::Damaged(path, why) => write!(
                f,
                "{} is no key that can be used: {why} Put back a copy of it, or move it away to get a new key; \
                 others will then take you for somebody else.",
                path.display()
            ),
            Self::Io(path, error) => write!(f, "Cannot use {}: {error}.", path.display()),
            Self::Running(profile, process) => {
                let process = process.map_or_else(String::new, |process| format!(" (process {process})"));
                write!(
                    f,
                    "{profile} is running already{process}. Start with --profile NAME to be somebody else."
                )
            }
            Self::NoFolder => f.write_str("There is no home directory to keep a key in; add --data-dir DIR."),
            Self::NoRandom => f.write_str("The system gives no random bytes, so no key can be made."),
        }
    }
}

impl std::error::Error for IdentityError {}

/// A path as a shell takes it as one word.
fn quoted_for_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

impl Identity {
    /// Becomes this profile, whose key is made if there is none. Where nothing can be kept, because there is no home, or none that can
    /// be written to and the user named no directory, it is a key for this run.
    ///
    /// # Errors
    /// Where another process is this profile, or its key cannot be read, should not be used, or cannot be kept where the user said.
    pub fn open(cli: &Cli, profile: &Profile) -> Result<Self, IdentityError> {
        let Some(data) = crate::data::folder(cli) else {
            return Self::for_this_run(IdentityError::NoFolder.to_string());
        };
        let folder = folder_of(&data, profile);
        match files::make_folder(&folder) {
            Err(error) if cli.data_dir.is_none() => {
                return Self::for_this_run(format!("Cannot make {}: {error}.", folder.display()));
            }
            made => made.map_err(|error| IdentityError::Io(folder.clone(), error))?,
        }
        check(&folder, 0o700)?;
        let lock = Lock::take(&folder.join(LOCK_FILE), profile)?;
        let pair = read_or_make(&folder.join(KEY_FILE))?;
        Ok(Self { pair, kept: Kept::In(folder), _lock: Some(lock) })
    }

    fn for_this_run(why: String) -> Result<Self, IdentityError> {
        Ok(Self { pair: new_pair()?, kept: Kept::Nowhere(why), _lock: None })
    }

    /// The key that others know us by.
    pub fn key(&self) -> PublicKey {
        self.pair.public
    }

    /// The secret that makes the key (RFC 8032, section 5.1.5), for whoever proves it to others. Whoever has it is us.
    pub fn seed(&self) -> &[u8; KEY_BYTES] {
        &self.pair.seed
    }

    /// Where the key is kept.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }
}

/// The profile that a command is about which does not chat: the one named, or that of the name.
///
/// # Errors
/// Where neither is given.
pub fn profile_of(cli: &Cli) -> Result<Profile, Misused> {
    let named = || cli.name.as_ref().map(Profile::from);
    let profile = cli.profile.clone().or_else(named);
    profile.ok_or_else(|| Misused::new("Whose? Add --name NAME or --profile NAME, or set P2P_CHAT_NAME."))
}

/// The key that others know this profile by, whether or not a process is it now. It is made if there is none.
///
/// # Errors
/// Where there is no directory for it, or it cannot be read, should not be used, or cannot be made.
pub fn key_of(cli: &Cli, profile: &Profile) -> Result<PublicKey, IdentityError> {
    let folder = folder_of(&crate::data::folder(cli).ok_or(IdentityError::NoFolder)?, profile);
    files::make_folder(&folder).map_err(|error| IdentityError::Io(folder.clone(), error))?;
    check(&folder, 0o700)?;
    Ok(read_or_make(&folder.join(KEY_FILE))?.public)
}

/// Where this profile keeps what it keeps, whether or not that is there; none where there is no home.
pub fn folder(cli: &Cli, profile: &Profile) -> Option<PathBuf> {
    Some(folder_of(&crate::data::folder(cli)?, profile))
}

fn folder_of(data: &Path, profile: &Profile) -> PathBuf {
    data.join(PROFILES).join(profile.folder())
}

/// Refuses what others have any right to. What is looked at is what will be used: links are followed.
#[cfg(unix)]
fn check(path: &Path, mode: u32) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = fs::metadata(path).map_err(|error| IdentityError::Io(path.to_owned(), error))?;
    let is_open = metadata.permissions().mode() & 0o077 != 0;
    if is_open { Err(IdentityError::Open(path.to_owned(), mode)) } else { Ok(()) }
}

/// Elsewhere a user's own directories are closed to other users as they are.
#[cfg(not(unix))]
fn check(_: &Path, _: u32) -> Result<(), IdentityError> {
    Ok(())
}

/// The key in this file, or a new one that is in it from then on.
fn read_or_make(path: &Path) -> Result<Pair, IdentityError> {
    let failed = |error| IdentityError::Io(path.to_owned(), error);
    if let Some(pair) = read(path)? {
        return Ok(pair);
    }
    let pair = new_pair()?;
    match files::write_first(path, keyfile::text_of(&pair).as_bytes()) {
        // `p2p-chat id` was quicker, or the first run was while it looked.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
        }
        written => written.map(|()| pair).map_err(failed),
    }
}

fn read(path: &Path) -> Result<Option<Pair>, IdentityError> {
    // Of a link that leads nowhere too, so that it is told rather than followed.
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    check(path, 0o600)?;
    let bytes = keyfile::read(path).map_err(|error| IdentityError::Io(path.to_owned(), error))?;
    keyfile::parse(&bytes).map(Some).map_err(|why| IdentityError::Damaged(path.to_owned(), why))
}

fn new_pair() -> Result<Pair, IdentityError> {
    let mut seed = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut seed).map_err(|_| IdentityError::NoRandom)?;
    Pair::from_seed(seed).ok_or(IdentityError::NoRandom)
}

#[cfg(test)]
mod tests;
