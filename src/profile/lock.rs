//! One process for each profile: two with one key would take each other's messages, and neither would know.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::{IdentityError, Profile};
use crate::files;

/// Digits of the number of a process: as many as the largest of 64 bits has.
const MAX_DIGITS: u64 = 20;

/// A lock, held as long as this lives. The system releases it when the process ends, however that comes.
///
/// The file stays: one that was removed could be locked by somebody who had opened it before, and a new one of its name by somebody else.
#[derive(Debug)]
pub(super) struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// Takes the lock at once, or says who has it.
    pub(super) fn take(path: &Path, profile: &Profile) -> Result<Self, IdentityError> {
        let failed = |error| IdentityError::Io(path.to_owned(), error);
        let open = files::private().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open.map_err(failed)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(IdentityError::Running(profile.clone(), process_in(&mut file)));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Ok(()) => {}
        }
        // The number is a help in a sentence; the lock holds without it.
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self(file))
    }
}

/// The process that has the lock, if it has said so. Where a lock keeps others from reading too (Windows), it is not known.
fn process_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(MAX_DIGITS).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
