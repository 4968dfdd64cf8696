//! How many connections may be kept.

use std::sync::OnceLock;

/// Connections that are kept each way at most: as many peers as somebody talks with in half a minute.
#[cfg(unix)]
const MAX_KEPT: usize = 1024;

/// Elsewhere nothing waits for many of them at once, and each has to be looked at again and again.
#[cfg(not(unix))]
const MAX_KEPT: usize = 64;

/// Where the system allows few descriptors, no more than so many parts of them are kept, each way; the rest is for what is said now.
const PARTS: usize = 4;

/// Descriptors that we need at most: those kept both ways, those that are dialed, accepted and waited for, and some for files. A
/// system may allow thousands of times as many, which nothing here could use.
#[cfg(unix)]
const ENOUGH: u64 = 8 * MAX_KEPT as u64;

/// How many connections may be kept each way. Asks the system for as many descriptors as it allows, once.
pub(super) fn most_kept() -> usize {
    static DESCRIPTORS: OnceLock<usize> = OnceLock::new();
    MAX_KEPT.min(DESCRIPTORS.get_or_init(descriptors) / PARTS).max(1)
}

/// How many descriptors this process may have from now on.
#[cfg(unix)]
fn descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let current = limit.current.unwrap_or(ENOUGH);
    if current >= wanted {
        return usize::try_from(current).unwrap_or(usize::MAX);
    }
    let raised = Rlimit { current: Some(wanted), ..limit };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(error) => {
            log::info!("no more than {current} descriptors: {error}");
            current
        }
    };
    usize::try_from(allowed).unwrap_or(usize::MAX)
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
fn descriptors() -> usize {
    usize::MAX
}
