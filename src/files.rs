//! Files that only the user can read: how they are made, and replaced in one step.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Makes a directory, and those above it, for the user alone. One that is there stays as it is.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes or replaces a file atomically: a reader finds the old or the new content and never a
/// part of it, even after a crash.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path);
    // A part of the content is of no use. The first error is returned.
    write(&new, bytes).and_then(|()| fs::rename(&new, path)).inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Writes a file where none is, whole from the first moment on.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where there is one, which stays as it is; and those of the
/// system.
pub(crate) fn write_first(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_first_by(|from, to| fs::hard_link(from, to), path, bytes)
}

/// Does the same, with `link` as the function that gives a file a second name.
fn write_first_by(
    link: impl Fn(&Path, &Path) -> io::Result<()>,
    path: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    let new = beside(path);
    let written = write(&new, bytes).and_then(|()| match link(&new, path) {
        // Not every file system has links. Without them, the lock of the profile keeps other
        // processes away.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            if path.symlink_metadata().is_ok() {
                Err(error)
            } else {
                fs::rename(&new, path)
            }
        }
        linked => linked,
    });
    // Its other name is the one that counts.
    drop(fs::remove_file(&new));
    written
}

/// Returns whether files in this directory can be closed to other users. FAT and some network file
/// systems give all files the same permissions. If that cannot be tried, returns `true`.
pub(crate) fn keeps_permissions(folder: &Path) -> bool {
    let probe = beside(&folder.join("permissions"));
    drop(fs::remove_file(&probe));
    let made = private().write(true).create_new(true).open(&probe);
    let is_open = made.and_then(|file| file.metadata()).is_ok_and(|metadata| is_open_to_others(&metadata));
    drop(fs::remove_file(&probe));
    !is_open
}

/// Returns whether this process can write to a file or a directory. Opens nothing, because closing
/// a file ends the locks that SQLite has on it.
#[cfg(unix)]
pub(crate) fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
pub(crate) fn is_writable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.permissions().readonly())
}

/// Gives the user write permission for their own file.
#[cfg(unix)]
pub(crate) fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let is_closed = metadata.permissions().mode() & 0o600 != 0o600;
    if metadata.is_file() && is_closed && other_owner(&metadata).is_none() {
        drop(fs::set_permissions(path, fs::Permissions::from_mode(0o600)));
    }
}

#[cfg(not(unix))]
pub(crate) fn make_writable(_: &Path) {}

/// Returns the path where new content is written: in the same directory, so that it can replace the
/// file atomically, under a name that no other process uses.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    PathBuf::from(name)
}

/// Writes a file and flushes it to the disk.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A file left by a crashed process with the same id may have other permissions.
    drop(fs::remove_file(path));
    let mut file = private().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Returns options that create a file which only the user can read.
pub(crate) fn private() -> OpenOptions {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Returns whether a regular file or a directory gives rights to users other than its owner.
/// `false` on systems without such modes.
#[cfg(unix)]
pub(crate) fn is_open_to_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;

    (metadata.is_file() || metadata.is_dir()) && metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_open_to_others(_: &Metadata) -> bool {
    false
}

/// Takes all rights to a file of the user from other users. Returns whether it had to and could.
#[cfg(unix)]
pub(crate) fn close_to_others(file: &File, metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;

    metadata.is_file()
        && is_open_to_others(metadata)
        && other_owner(metadata).is_none()
        && file.set_permissions(fs::Permissions::from_mode(0o600)).is_ok()
}

#[cfg(not(unix))]
pub(crate) fn close_to_others(_: &File, _: &Metadata) -> bool {
    false
}

/// Returns whether an open file is the one at this path.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let id = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(open), Ok(there)) if id(&open) == id(&there))
}

#[cfg(not(unix))]
pub(crate) fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// The owner of a file, as a user id, if it is another user than the one who runs the program.
/// `None` on systems without such owners.
#[cfg(unix)]
pub(crate) fn other_owner(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let owner = metadata.uid();
    (owner != rustix::process::geteuid().as_raw()).then_some(owner)
}

#[cfg(not(unix))]
pub(crate) fn other_owner(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn replacing_a_file_leaves_nothing_else() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("file");
        for text in ["one", "another"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        // A directory is not replaced, and what was written for that goes.
        let folder = dir.path().join("folder");
        make_folder(&folder).unwrap();
        assert!(replace(&folder, b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn first_file_never_overwrites_another() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("file");
        write_first(&path, b"one").unwrap();
        assert_eq!(write_first(&path, b"another").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn first_file_needs_no_links() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("file");
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::Unsupported] {
            let no_links = |_: &Path, _: &Path| Err(io::Error::from(kind));
            write_first_by(no_links, &path, b"one").unwrap();
            assert!(write_first_by(no_links, &path, b"another").is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), "one");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    #[cfg(unix)]
    fn usual_file_system_keeps_permissions() {
        let dir = TempDir::new().unwrap();
        assert!(keeps_permissions(dir.path()) && keeps_permissions(&dir.path().join("none")));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    #[cfg(unix)]
    fn only_the_user_can_read_what_is_made() {
        use std::os::unix::fs::PermissionsExt;

        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("deep").join("down");
        make_folder(&folder).unwrap();
        write_first(&folder.join("file"), b"x").unwrap();
        for (path, expected) in
            [(folder.parent().unwrap(), 0o700), (&folder, 0o700), (&folder.join("file"), 0o600)]
        {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, expected, "{}", path.display());
        }
    }
}
