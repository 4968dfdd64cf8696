//! Time as the rules see it.

use std::num::NonZeroU64;
use std::time::Duration;

/// A moment of the monotonic clock, counted from the start of the program; the default is the start itself. The rules
/// never read a clock; whoever calls them says what time it is.
///
/// It ends after 584 years, and is kept in nanoseconds and one more, so that an `Option` of it is no larger: a row of the
/// table holds ten, and ten thousand rows should fit the caches of a processor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Time(NonZeroU64);

impl Default for Time {
    fn default() -> Self {
        Self(NonZeroU64::MIN)
    }
}

impl Time {
    /// The moment `since_start` after the start of the program.
    pub fn at(since_start: Duration) -> Self {
        Self::default().plus(since_start)
    }

    /// How long after the start of the program this is.
    pub fn since_start(self) -> Duration {
        self.since(Self::default())
    }

    /// The moment `later` from this one.
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero if it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}
