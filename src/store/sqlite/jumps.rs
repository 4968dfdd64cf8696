//! Notices when the clock of the system was set, so that this expires no text that waits.

use std::time::Duration;

/// Milliseconds by which two clocks may differ: a clock that is kept right is pushed by less, and the 7 days of a text bear it.
const TOLERANCE: i64 = 60_000;

/// Compares the clock that people read with one that only counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Jumps {
    /// What both were at, last.
    last: Option<(u64, Duration)>,
}

impl Jumps {
    /// Takes what both clocks are at, and gives the milliseconds by which the first was set since the last time, 0 if it was not.
    pub(super) fn by(&mut self, clock: u64, elapsed: Duration) -> i64 {
        let Some((clock_then, elapsed_then)) = self.last.replace((clock, elapsed)) else { return 0 };
        let passed = i64::try_from(elapsed.saturating_sub(elapsed_then).as_millis()).unwrap_or(i64::MAX);
        let jump = clock.cast_signed().saturating_sub(clock_then.cast_signed()).saturating_sub(passed);
        if jump.saturating_abs() > TOLERANCE { jump } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_was_set_has_jumped_and_once_for_each_time() {
        let second = Duration::from_secs;
        let mut jumps = Jumps::default();
        assert_eq!(jumps.by(1_000_000_000, second(5)), 0, "there is nothing to compare with");
        assert_eq!(jumps.by(1_000_090_000, second(95)), 0, "it went on");
        assert_eq!(jumps.by(1_000_090_000 + 61_000, second(95)), 61_000, "forward");
        assert_eq!(jumps.by(1_000_090_000 + 62_000, second(96)), 0);
        assert_eq!(jumps.by(90_000, second(97)), 90_000 - 1_000_090_000 - 62_000 - 1_000, "back");
        assert_eq!(jumps.by(90_000 + 60_000, second(97)), 0, "that little may be");
    }

    #[test]
    fn no_clock_is_too_wrong() {
        for (one, two) in [(0, u64::MAX), (u64::MAX, 0), (i64::MAX as u64, 1 << 63), (1 << 63, 0)] {
            let mut jumps = Jumps::default();
            jumps.by(one, Duration::MAX);
            jumps.by(two, Duration::ZERO);
            jumps.by(one, Duration::MAX);
        }
    }
}
