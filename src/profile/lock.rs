//! The lock of a profile: two processes with one key would take each other's messages.

use std::fs::{File, TryLockError};
use std::io::{self, Seek, Write};
use std::path::Path;

use crate::files;

/// A lock that is held as long as this lives. The system releases it when the process ends, even by
/// a crash.
///
/// The file is never removed: otherwise one process could hold the lock of the removed file and
/// another that of a new file with the same name.
#[derive(Debug)]
pub(super) struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// Takes the lock. Returns `None` if another process holds it.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let mut file = files::private().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
        // The process id is only information for the user.
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Some(Self(file)))
    }
}
