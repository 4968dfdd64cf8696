//! The invitation that `p2p-chat add` leaves in the directory of a profile for the process that
//! uses the profile.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::files;
use crate::model::invitation::{Invitation, InvitationError, MAX_INVITATION_BYTES};

const INVITATION_FILE: &str = "invitation";

/// Leaves an invitation for the process that uses the profile in this directory.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] while there is another one, and errors of the system.
pub fn leave_invitation(folder: &Path, invitation: &Invitation) -> io::Result<()> {
    files::write_first(&folder.join(INVITATION_FILE), format!("{invitation}\n").as_bytes())
}

/// Returns whether there is an invitation in this directory.
pub fn is_invitation_left(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(INVITATION_FILE)).is_ok()
}

/// Takes the invitation out of this directory. `None` if there is none, or if the file cannot be
/// read or removed.
pub fn take_invitation(folder: &Path) -> Option<Result<Invitation, InvitationError>> {
    let path = folder.join(INVITATION_FILE);
    let mut text = Vec::new();
    let bytes = u64::try_from(MAX_INVITATION_BYTES).unwrap_or(u64::MAX);
    File::open(&path).ok()?.take(bytes + 1).read_to_end(&mut text).ok()?;
    withdraw_invitation(folder).ok()?;
    Some(String::from_utf8_lossy(&text).parse())
}

/// Removes the invitation in this directory.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] if it has been taken, and errors of the system.
pub fn withdraw_invitation(folder: &Path) -> io::Result<()> {
    fs::remove_file(folder.join(INVITATION_FILE))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn left_invitation_is_taken_once() {
        let folder = TempDir::new().unwrap();
        let invitation: Invitation =
            "p2p-chat:aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq?n=Bob&a=192.0.2.7:5000"
                .parse()
                .unwrap();
        assert_eq!(take_invitation(folder.path()), None);
        leave_invitation(folder.path(), &invitation).unwrap();
        let again = leave_invitation(folder.path(), &invitation).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert!(is_invitation_left(folder.path()));
        assert_eq!(take_invitation(folder.path()), Some(Ok(invitation)));
        assert!(!is_invitation_left(folder.path()));
        assert_eq!(take_invitation(folder.path()), None);
    }

    #[test]
    fn file_with_other_content_is_removed() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(INVITATION_FILE), vec![0xff; 100_000]).unwrap();
        assert_eq!(take_invitation(folder.path()), Some(Err(InvitationError::Scheme)));
        assert!(!is_invitation_left(folder.path()));
    }
}
