//! The exit statuses: what a script can tell apart.

use crate::profile::ProfileError;
use crate::runtime::StartError;
use crate::settings::Misused;

/// The program could not start or continue, for a reason without a status of its own. Or it could
/// not carry out a line of a script, or a search found nothing.
pub const FAILURE: u8 = 1;
/// An argument, a variable or a file is invalid. clap uses the same status.
pub const USAGE: u8 = 2;
/// Another program listens on the port.
pub const PORT_IN_USE: u8 = 3;
/// Listening is not permitted there, or the machine does not have the address.
pub const CANNOT_LISTEN: u8 = 4;
/// Standard output is closed.
pub const OUTPUT_GONE: u8 = 5;

/// Another process uses the profile.
pub const PROFILE_IN_USE: u8 = 6;

/// Every status and what it means, for the manual page.
pub const MEANINGS: [(&str, &str); 9] = [
    ("0", "Success, including Exit, Ctrl-D and the end of the input."),
    (
        "1",
        "The program could not start or continue for another reason, or could not carry out a line of its \
         piped input; the reason is on standard error. Or history --grep found no message.",
    ),
    ("2", "An argument, an environment variable or a file is invalid, or history --grep failed."),
    ("3", "The port is in use."),
    ("4", "Listening is not permitted there, or the machine does not have the address."),
    ("5", "Standard output is closed."),
    ("6", "Another process uses the profile."),
    ("101", "A bug in p2p-chat, which is reported on standard error."),
    ("128+N", "Signal N ended p2p-chat: 130 for Ctrl-C, 129 for a closed window, 143 for kill."),
];

/// Standard output is closed.
#[derive(thiserror::Error, Debug)]
#[error("Standard output is closed")]
pub struct OutputGone;

/// A search in the history failed. Status 1 means that it found nothing, as with grep.
#[derive(thiserror::Error, Debug)]
#[error("{0:#}")]
pub struct SearchFailed(pub anyhow::Error);

/// The status for an error that ended the program.
pub fn status_of(error: &anyhow::Error) -> u8 {
    if error.is::<Misused>() {
        return USAGE;
    }
    if let Some(SearchFailed(why)) = error.downcast_ref() {
        let status = status_of(why);
        return if status == FAILURE { USAGE } else { status };
    }
    if error.is::<OutputGone>() {
        return OUTPUT_GONE;
    }
    match error.downcast_ref::<ProfileError>() {
        Some(ProfileError::Running { .. }) => return PROFILE_IN_USE,
        Some(
            ProfileError::NoPermissions(_)
            | ProfileError::Open(..)
            | ProfileError::Foreign(..)
            | ProfileError::Damaged(..)
            | ProfileError::Io(..)
            | ProfileError::NoFolder
            | ProfileError::File(_)
            | ProfileError::Unwritable(..)
            | ProfileError::Taken(_)
            | ProfileError::NoKey(..),
        ) => return USAGE,
        Some(ProfileError::NoRandom) | None => {}
    }
    match error.downcast_ref::<StartError>() {
        Some(StartError::PortInUse(_)) => PORT_IN_USE,
        Some(StartError::NotPermitted(_) | StartError::NotOurs(_)) => CANNOT_LISTEN,
        Some(StartError::Other(..) | StartError::NoKey | StartError::NoHistory(_)) | None => FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use anyhow::{Context, Error};

    use super::*;

    #[test]
    fn each_error_has_its_status() {
        let addr = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 80);
        for (error, status) in [
            (Error::from(Misused::new("x")), USAGE),
            (Error::from(StartError::PortInUse(addr)), PORT_IN_USE),
            (Error::from(StartError::NotPermitted(addr)), CANNOT_LISTEN),
            (Error::from(StartError::NotOurs(addr.ip())), CANNOT_LISTEN),
            (Error::from(OutputGone), OUTPUT_GONE),
            (Err::<(), _>(std::io::Error::other("x")).context(OutputGone).unwrap_err(), OUTPUT_GONE),
            (Error::from(ProfileError::Running { name: "x".into(), port: None }), PROFILE_IN_USE),
            (Error::from(ProfileError::Damaged("key".into(), "x".into())), USAGE),
            (Error::from(ProfileError::NoFolder), USAGE),
            (Error::from(ProfileError::NoRandom), FAILURE),
            (Error::msg("x"), FAILURE),
            (SearchFailed(Error::msg("x")).into(), USAGE),
            (
                SearchFailed(ProfileError::Running { name: "x".into(), port: None }.into()).into(),
                PROFILE_IN_USE,
            ),
        ] {
            assert_eq!(status_of(&error), status, "{error}");
            let word = status.to_string();
            assert!(MEANINGS.iter().any(|(code, _)| *code == word));
        }
    }
}
