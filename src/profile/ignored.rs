//! The keys whose introductions the user ignores, in a file of the profile.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::core::MAX_IGNORED;
use crate::files;
use crate::model::key::{KEY_CHARS, PublicKey};

/// The file, in the directory of the profile.
const IGNORED_FILE: &str = "ignored_introductions";

/// The first line of the file.
const TITLE: &str = "p2p-chat ignored introductions 1";

/// The maximum number of bytes read from the file.
const MAX_FILE_BYTES: usize = (MAX_IGNORED + 1) * (KEY_CHARS + 1);

/// Returns the ignored keys, oldest first. Returns none without a readable file, and skips lines
/// that are not keys.
pub(crate) fn ignored(folder: &Path) -> Vec<PublicKey> {
    let mut text = Vec::new();
    let bytes = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    let read = File::open(folder.join(IGNORED_FILE)).and_then(|file| file.take(bytes).read_to_end(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    String::from_utf8_lossy(&text).lines().filter_map(|line| line.parse().ok()).take(MAX_IGNORED).collect()
}

/// Saves the ignored keys.
///
/// # Errors
/// Those of the system.
pub(crate) fn save_ignored(folder: &Path, keys: &[PublicKey]) -> io::Result<()> {
    let keys: String = keys.iter().map(|key| format!("{key}\n")).collect();
    files::replace(&folder.join(IGNORED_FILE), format!("{TITLE}\n{keys}").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::model::key::KEY_BYTES;

    #[test]
    fn ignored_keys_are_read_as_they_were_saved() {
        let folder = TempDir::new().unwrap();
        assert_eq!(ignored(folder.path()), []);
        let keys = [1, 2].map(|byte| PublicKey::new([byte; KEY_BYTES]));
        save_ignored(folder.path(), &keys).unwrap();
        assert_eq!(ignored(folder.path()), keys);
        let path = folder.path().join(IGNORED_FILE);
        fs::write(&path, format!("# a remark\n{}\n", keys[0])).unwrap();
        assert_eq!(ignored(folder.path()), keys[..1]);
    }
}
