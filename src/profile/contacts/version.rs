//! Versions of the file: notices when another program has changed it.

use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::MAX_CONTACTS_BYTES;
use crate::settings::file::{ConfigError, read_if_present};

/// How long a file has to be unchanged before it counts as completely written. An editor that
/// truncates the file and rewrites it pauses far less between its writes.
pub(super) const SETTLE: Duration = Duration::from_millis(200);

/// How long after a modification the file can change again with the same metadata: file times on
/// FAT have steps of two seconds.
const TIMES_MAY_REPEAT: Duration = Duration::from_secs(3);

/// The metadata of a file, to notice that it changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// The inode number and the time of the last metadata change. They change even if an editor or
    /// a copying program sets the modification time.
    #[cfg(unix)]
    inode: (u64, i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Self {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
            #[cfg(unix)]
            inode: (metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file was modified less than `span` before `now`, or less than `span` after it by
    /// another clock.
    fn is_within(&self, span: Duration, now: SystemTime) -> bool {
        let apart = |modified: SystemTime| match now.duration_since(modified) {
            Ok(ago) => ago,
            Err(ahead) => ahead.duration(),
        };
        self.modified.is_some_and(|modified| apart(modified) < span)
    }
}

/// The result of `stat` for the path of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stat {
    Missing,
    Present(Stamp),
    Failed(io::ErrorKind),
}

impl Stat {
    pub(super) fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) => Self::Present(Stamp::of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Missing,
            Err(error) => Self::Failed(error.kind()),
        }
    }

    /// Whether the last modification is long enough ago that no program is likely to be writing.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled_at(SystemTime::now())
    }

    pub(super) fn is_settled_at(&self, now: SystemTime) -> bool {
        !matches!(self, Self::Present(stamp) if stamp.is_within(SETTLE, now))
    }
}

/// A version of the file that was read or written.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) stat: Stat,
    /// `None` if the file could not be read.
    digest: Option<u64>,
    /// Whether a later version may have the same metadata.
    may_repeat: bool,
}

impl Version {
    /// Returns the version of a missing file.
    pub(super) fn missing() -> Self {
        Self::new(Stat::Missing, "")
    }

    fn new(stat: Stat, text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let may_repeat =
            matches!(&stat, Stat::Present(stamp) if stamp.is_within(TIMES_MAY_REPEAT, SystemTime::now()));
        Self { stat, digest: Some(hasher.finish()), may_repeat }
    }

    /// Returns the version of a file that cannot be read. Unless its content is the reason, it may
    /// become readable with the same metadata, for example when another program unlocks it.
    pub(super) fn unreadable(stat: Stat, error: &ConfigError) -> Self {
        Self { stat, digest: None, may_repeat: matches!(error, ConfigError::Unreadable(..)) }
    }

    /// Whether this version is a file with this metadata that cannot be read.
    pub(super) fn is_unreadable_at(&self, stat: &Stat) -> bool {
        self.digest.is_none() && self.stat == *stat
    }

    /// Returns the version of a file that was just written.
    pub(super) fn written(path: &Path, text: &str) -> Self {
        Self::new(Stat::of(path), text)
    }

    /// Whether a file with this metadata is certainly this version.
    pub(super) fn is(&self, stat: &Stat) -> bool {
        self.stat == *stat && !self.may_repeat
    }

    /// Whether both versions have the same content. A missing file counts as an empty one.
    pub(super) fn has_content_of(&self, other: &Self) -> bool {
        self.digest.is_some() && self.digest == other.digest
    }
}

/// Reads the file. A missing file counts as empty.
///
/// # Errors
/// If the file exists and cannot be read, is too large or is not UTF-8.
pub(super) fn read(path: &Path) -> Result<(Version, String), ConfigError> {
    // The metadata first: if the file changes in between, the next check finds other metadata.
    let stat = Stat::of(path);
    Ok(match read_if_present(path, MAX_CONTACTS_BYTES)? {
        Some(text) => (Version::new(stat, &text), text),
        None => (Version::missing(), String::new()),
    })
}
