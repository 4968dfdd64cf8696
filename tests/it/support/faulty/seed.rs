//! Chance that can be had again: a small generator, and the seed that a failing scenario prints.

use std::io::Write;
use std::thread;

/// Set to the seed that a failure printed, this replays it.
const REPLAY: &str = "P2P_CHAT_SEED";

/// A generator of numbers that look random (SplitMix64, which is in the public domain).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The generator of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator of a seed and something that it is asked about, so that the answer does not
    /// depend on what was asked before.
    pub(crate) fn about(seed: u64, what: &[u8]) -> Self {
        what.iter().fold(Self(seed), |rng, byte| Self(Self(rng.0 ^ u64::from(*byte)).next()))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        let count = u64::try_from(of.len()).expect("few");
        of[usize::try_from(self.below(count)).expect("an index")]
    }
}

/// The seed of a scenario, printed if the scenario fails while this lives.
#[derive(Debug)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// The seeds from `first` on, `count` of them; only the one that is to be replayed, if one is.
    pub(crate) fn all(first: u64, count: u64) -> Vec<Seed> {
        match number(REPLAY) {
            Some(seed) => vec![Seed(seed)],
            None => (first..first + count).map(Seed).collect(),
        }
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            let seed = self.0;
            let _ = writeln!(std::io::stderr(), "This was seed {seed}; {REPLAY}={seed} replays it.");
        }
    }
}

/// The number that an environment variable holds, if it is set.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is no number: {value}")))
}

#[test]
fn equal_seeds_repeat_and_others_differ() {
    let numbers = |mut rng: Rng| [(); 8].map(|()| rng.below(1_000));
    assert_eq!(numbers(Rng::new(7)), numbers(Rng::new(7)));
    assert_ne!(numbers(Rng::new(7)), numbers(Rng::new(8)));
    assert_eq!(numbers(Rng::about(7, b"m1")), numbers(Rng::about(7, b"m1")));
    assert_ne!(numbers(Rng::about(7, b"m1")), numbers(Rng::about(7, b"m2")));
}
