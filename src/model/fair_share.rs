//! A limited total that is shared fairly between sources of the network.

use std::collections::HashMap;

use super::address::SourcePrefix;

/// Counts the places in use of a limited total, by the [`SourcePrefix`] that uses them.
///
/// A source may take another place while it uses fewer than are free. So one source alone gets half
/// of the places, and `n` sources that take places at the same time get `1 / (n + 1)` of them each.
/// A source that uses none gets a place whenever one is free. There is no fixed quota: a source
/// that is alone is not slowed down for others that might come.
///
/// Source: A. K. Choudhury and E. L. Hahne, "Dynamic queue length thresholds for shared-memory
/// packet switches", IEEE/ACM Transactions on Networking 6 (2), 1998, with a factor of 1.
///
/// Memory is bounded by the places in use: a source without a place has no entry.
#[derive(Clone, Debug)]
pub(crate) struct FairShare {
    limit: usize,
    used: usize,
    used_by: HashMap<SourcePrefix, usize>,
}

impl FairShare {
    /// Returns `limit` places, none of them in use.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: 0, used_by: HashMap::new() }
    }

    /// Whether `source` may take another place.
    pub(crate) fn has_room(&self, source: SourcePrefix) -> bool {
        self.used_by(source) < self.free()
    }

    /// Takes a place for `source`. Returns whether it had room for it.
    #[must_use]
    pub(crate) fn try_take(&mut self, source: SourcePrefix) -> bool {
        let has_room = self.has_room(source);
        if has_room {
            self.take(source);
        }
        has_room
    }

    /// Takes a place for `source` even if it has no room: for what may not be refused.
    pub(crate) fn take(&mut self, source: SourcePrefix) {
        self.take_many(Some(source), 1);
    }

    /// Takes `many` places for `source` even if it has no room, or for this program itself, which
    /// counts only against the total. A place may stand for a byte.
    pub(crate) fn take_many(&mut self, source: Option<SourcePrefix>, many: usize) {
        self.used += many;
        if let Some(source) = source.filter(|_| many > 0) {
            *self.used_by.entry(source).or_default() += many;
        }
    }

    /// Gives back a place of `source`.
    pub(crate) fn release(&mut self, source: SourcePrefix) {
        self.release_many(Some(source), 1);
    }

    /// Gives back `many` places of `source`, or of this program itself.
    pub(crate) fn release_many(&mut self, source: Option<SourcePrefix>, many: usize) {
        debug_assert!(many <= self.used, "{many} of {}", self.used);
        self.used -= many;
        let Some(source) = source.filter(|_| many > 0) else { return };
        let used = self.used_by.remove(&source).unwrap_or_default();
        debug_assert!(many <= used, "{many} of {used}");
        if used > many {
            self.used_by.insert(source, used - many);
        }
    }

    /// Gives back all places.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.used_by.clear();
    }

    /// Returns how many places are in use.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Returns how many places `source` uses.
    pub(crate) fn used_by(&self, source: SourcePrefix) -> usize {
        self.used_by.get(&source).copied().unwrap_or(0)
    }

    /// Returns how many places are free: none if more are in use than the limit allows.
    pub(crate) fn free(&self) -> usize {
        self.limit.saturating_sub(self.used)
    }

    /// Whether no place is in use.
    pub(crate) fn is_empty(&self) -> bool {
        self.used == 0
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source(last: u8) -> SourcePrefix {
        SourcePrefix::V4(Ipv4Addr::new(127, 0, 0, last))
    }

    /// Takes as many places for a source as it has room for, and returns how many those are.
    fn fill(share: &mut FairShare, source: SourcePrefix) -> usize {
        std::iter::from_fn(|| share.try_take(source).then_some(())).count()
    }

    #[test]
    fn each_source_gets_half_of_the_rest() {
        let mut share = FairShare::new(64);
        assert_eq!([1, 2, 3].map(|last| fill(&mut share, source(last))), [32, 16, 8]);
        assert_eq!((share.used(), share.free(), share.used_by(source(2))), (56, 8, 16));
        share.release(source(1));
        assert!(!share.has_room(source(1)) && share.has_room(source(4)));
    }

    #[test]
    fn sources_that_take_at_once_get_equal_shares() {
        for count in 1..=9 {
            let mut share = FairShare::new(90);
            let mut is_any_served = true;
            while is_any_served {
                is_any_served = false;
                (1..=count).for_each(|last| is_any_served |= share.try_take(source(last)));
            }
            let each = 90 / (usize::from(count) + 1);
            for last in 1..=count {
                let used = share.used_by(source(last));
                assert!(used.abs_diff(each) <= 1, "{used} of {each}, {count} sources");
            }
        }
    }

    #[test]
    fn own_places_are_never_refused_and_leave_less() {
        let mut share = FairShare::new(4);
        (0..3).for_each(|_| share.take_many(None, 1));
        assert!(share.try_take(source(1)) && !share.has_room(source(2)));
        (0..3).for_each(|_| share.take_many(None, 1));
        assert_eq!((share.used(), share.free()), (7, 0));
        share.clear();
        assert!(share.is_empty() && share.has_room(source(1)) && share.used_by(source(1)) == 0);
    }
}
