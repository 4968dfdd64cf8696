//! The exit statuses: what a script can tell apart.

use std::fmt;

use crate::cli::Misused;
use crate::profile::ProfileError;
use crate::runtime::StartError;

/// Something kept the program from starting or from going on that has no status of its own.
pub const FAILURE: u8 = 1;
/// An argument, a variable or a file will not do; clap has the same for usage errors.
pub const USAGE: u8 = 2;
/// Somebody listens at the port already.
pub const PORT_IN_USE: u8 = 3;
/// Listening there is not permitted, or the address is none of this machine's.
pub const CANNOT_LISTEN: u8 = 4;
/// Nobody takes what is printed.
pub const OUTPUT_GONE: u8 = 5;

/// Another process is the same profile.
pub const PROFILE_IN_USE: u8 = 6;

/// Every status and what it means, for the manual page.
pub const MEANINGS: [(&str, &str); 9] = [
    ("0", "All is well: after Exit, Ctrl-D or the end of input."),
    (
        "1",
        "Something else kept the program from starting or from going on; a sentence on standard error says what.",
    ),
    ("2", "An argument, a variable of the environment or a file will not do."),
    ("3", "The port is in use."),
    ("4", "Listening there is not permitted, or the address is none of this machine's."),
    ("5", "Standard output is gone."),
    ("6", "Another process is the same profile."),
    ("101", "A fault of the program's own, which is reported on standard error."),
    ("128+N", "Signal N ended it: 130 for Ctrl-C, 129 for a closed window, 143 for kill."),
];

/// Standard output is gone.
#[derive(Debug)]
pub struct OutputGone;

impl fmt::Display for OutputGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Standard output is gone")
    }
}

impl std::error::Error for OutputGone {}

/// The status for an error that ended the program.
pub fn status_of(error: &anyhow::Error) -> u8 {
    if error.is::<Misused>() {
        return USAGE;
    }
    if error.is::<OutputGone>() {
        return OUTPUT_GONE;
    }
    match error.downcast_ref::<ProfileError>() {
        Some(ProfileError::Running { .. }) => return PROFILE_IN_USE,
        Some(
            ProfileError::Open(..)
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
        ] {
            assert_eq!(status_of(&error), status, "{error}");
            let word = status.to_string();
            assert!(MEANINGS.iter().any(|(code, _)| *code == word));
        }
    }
}
