//! Seeded randomness, and the hash of what happened.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014). Every seed is a good one.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).expect("64 bits")).expect("below `end`")
    }

    /// Returns a number from `low` to `high`, both included.
    pub(super) fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Returns true in `count` of a thousand cases.
    pub(super) fn in_thousand(&mut self, count: usize) -> bool {
        self.below(1_000) < count
    }

    /// Returns some milliseconds, both ends included, and a fraction, so that hardly any two events
    /// happen at once.
    pub(super) fn ms(&mut self, low: usize, high: usize) -> Duration {
        let ms = u64::try_from(self.within(low, high)).expect("64 bits");
        Duration::from_millis(ms) + Duration::from_nanos(self.next() % 1_000_000)
    }

    /// Returns one of these, if there is any.
    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.below(of.len())])
    }
}

/// Whether all events are printed.
static SHOWN: OnceLock<bool> = OnceLock::new();

/// The hash of all events in order (FNV-1a): the same for the same seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Trace(u64);

impl Trace {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    #[expect(clippy::print_stderr, reason = "the trace is for a person")]
    pub(super) fn note(&mut self, what: fmt::Arguments<'_>) {
        if *SHOWN.get_or_init(|| std::env::var_os("P2P_CHAT_TRACE").is_some()) {
            eprintln!("{what}");
        }
        // Writing to a hash cannot fail.
        let _ = fmt::write(self, what);
    }
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
