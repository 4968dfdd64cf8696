//! The threads that hold a message for which there is no room, so that nobody who sends too much takes all of them.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::model::address::SourcePrefix;

/// Messages that wait for room at once at most, each with its thread: a quarter of all threads.
pub(super) const MAX_HELD: usize = 64;

/// The messages that wait for room, counted by source. Each source may have as many as are free, so one that floods gets half of
/// them, two get a third each, and there is always room for somebody else ("dynamic queue length thresholds", Choudhury and Hahne
/// 1998).
#[derive(Debug, Default)]
pub(super) struct Held {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    all: usize,
    of: HashMap<SourcePrefix, usize>,
}

/// A message that is held; given back when dropped.
#[derive(Debug)]
pub(super) struct Hold<'a> {
    held: &'a Held,
    source: SourcePrefix,
}

impl Held {
    /// Whether nobody has messages waiting.
    pub(super) fn is_empty(&self) -> bool {
        self.state.lock().all == 0
    }

    /// Holds one more, unless its source has its share already.
    pub(super) fn hold(&self, source: SourcePrefix) -> Option<Hold<'_>> {
        let mut state = self.state.lock();
        let of_source = state.of.get(&source).copied().unwrap_or(0);
        if of_source >= MAX_HELD.saturating_sub(state.all) {
            return None;
        }
        state.all += 1;
        *state.of.entry(source).or_default() += 1;
        Some(Hold { held: self, source })
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut state = self.held.state.lock();
        state.all -= 1;
        if let Some(count) = state.of.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                state.of.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn one_source_gets_half_and_there_is_always_room_for_another() {
        let held = Held::default();
        let ip = |last| SourcePrefix::V4(Ipv4Addr::new(127, 0, 0, last));
        let all = |source| std::iter::from_fn(|| held.hold(source)).collect::<Vec<_>>();
        let (first, second) = (all(ip(1)), all(ip(2)));
        assert_eq!((first.len(), second.len()), (MAX_HELD / 2, MAX_HELD / 4));
        assert!(held.hold(ip(3)).is_some());
        assert!(!held.is_empty());
        drop((first, second));
        assert!(held.is_empty() && held.state.lock().of.is_empty());
    }
}
