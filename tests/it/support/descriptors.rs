//! Descriptors of the tests' own process, of which some scenarios need thousands.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What all tests together may have open: each runs in a thread of one process.
const WANTED: u64 = 16_384;

/// Lets this process hold thousands of descriptors, where it may. Peers started before keep the
/// usual limit.
pub(crate) fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < WANTED) {
        let current = Some(limit.maximum.map_or(WANTED, |maximum| maximum.min(WANTED)));
        setrlimit(Resource::Nofile, Rlimit { current, ..limit }).expect("up to the maximum it may be raised");
    }
}
