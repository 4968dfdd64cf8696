//! Time as the core sees it.

use std::num::NonZeroU64;
use std::time::Duration;

/// A moment of the monotonic clock, counted from the start of the program, which is the default.
/// The core never reads a clock: its callers pass the time.
///
/// It counts nanoseconds from one, so that an `Option` of it is no larger: a row of the peer table
/// holds several. It ends after 584 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Time(NonZeroU64);

impl Default for Time {
    fn default() -> Self {
        Self(NonZeroU64::MIN)
    }
}

impl Time {
    /// A moment after every other.
    pub const MAX: Self = Self(NonZeroU64::MAX);

    /// The moment `since_start` after the start of the program.
    pub fn at(since_start: Duration) -> Self {
        Self::default().plus(since_start)
    }

    /// How long after the start of the program this is.
    pub fn since_start(self) -> Duration {
        self.since(Self::default())
    }

    /// The moment that is `later` than this one.
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long `earlier` was before this moment; zero if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}
