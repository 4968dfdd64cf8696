//! Bounds the threads that each hold one message until there is room for it.

use parking_lot::Mutex;

use crate::model::address::SourcePrefix;
use crate::model::fair_share::FairShare;

/// Messages that wait for room at a time at most, each with its thread: a quarter of all threads.
pub(super) const MAX_HELD: usize = 64;

/// The messages that wait for room: at most [`MAX_HELD`], shared fairly between their sources.
#[derive(Debug)]
pub(super) struct Held {
    places: Mutex<FairShare>,
}

impl Default for Held {
    fn default() -> Self {
        Self { places: Mutex::new(FairShare::new(MAX_HELD)) }
    }
}

/// The place of a message that waits, given back on drop.
#[derive(Debug)]
pub(super) struct Hold<'a> {
    held: &'a Held,
    source: SourcePrefix,
}

impl Held {
    /// Whether no message waits.
    pub(super) fn is_empty(&self) -> bool {
        self.places.lock().is_empty()
    }

    /// Takes a place for a message, unless its source has its fair share already.
    pub(super) fn hold(&self, source: SourcePrefix) -> Option<Hold<'_>> {
        self.places.lock().try_take(source).then(|| Hold { held: self, source })
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.held.places.lock().release(self.source);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn one_source_gets_half_and_others_have_room() {
        let held = Held::default();
        let ip = |last| SourcePrefix::V4(Ipv4Addr::new(127, 0, 0, last));
        let all = |source| std::iter::from_fn(|| held.hold(source)).collect::<Vec<_>>();
        let (first, second) = (all(ip(1)), all(ip(2)));
        assert_eq!((first.len(), second.len()), (MAX_HELD / 2, MAX_HELD / 4));
        assert!(held.hold(ip(3)).is_some());
        assert!(!held.is_empty());
        drop((first, second));
        assert!(held.is_empty());
    }
}
