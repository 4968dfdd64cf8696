//! Time as the rules see it.

use std::time::Duration;

/// A moment of the monotonic clock, counted from the start of the program. The rules never read a clock; whoever calls
/// them says what time it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Time(pub Duration);

impl Time {
    /// The moment `later` from this one.
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// How long ago `earlier` was; zero if it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
