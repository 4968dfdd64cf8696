//! The lock of a profile: two processes with one key would take each other's messages.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::files;

/// How long to wait before trying a held lock again. A check by another process holds it for some
/// microseconds on an idle machine.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// The maximum length of a process id and its line end, in bytes.
const MAX_ID_BYTES: u64 = 16;

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
        if !lock(&file)? {
            // `is_held` may hold the lock for a moment. A call that waits for the lock would have
            // no time limit if another process uses the profile.
            thread::sleep(RETRY_DELAY);
            if !lock(&file)? {
                return Ok(None);
            }
        }
        // The process id is only information for the user.
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Some(Self(file)))
    }
}

fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
        Ok(()) => Ok(true),
    }
}

/// Returns whether a process holds the lock; `false` if the file does not exist.
pub(super) fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Returns the id of the last process that took the lock, if it can be read.
pub(super) fn holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_ID_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
