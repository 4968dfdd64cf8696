//! How fast strangers get receipts. A sender without receipts stops when its window is full.

use std::collections::HashMap;
use std::time::Duration;

use crate::core::Time;
use crate::model::key::PublicKey;

/// Receipts that a stranger gets at once: more messages than people write before an answer.
pub const STRANGER_BURST: u32 = 20;

/// How long a stranger waits for each further receipt: about as long as it takes to write a message.
pub const STRANGER_INTERVAL: Duration = Duration::from_secs(1);

/// Keys that are remembered before those are dropped that may have a whole burst again.
const PRUNE_AT: usize = 1_000;

/// A token bucket for each stranger, also across its sessions.
#[derive(Debug, Default)]
pub(super) struct ReceiptLimiter {
    /// When each key may have a whole burst again.
    whole_at: HashMap<PublicKey, Time>,
}

impl ReceiptLimiter {
    /// Takes a receipt for a stranger.
    ///
    /// # Errors
    /// When it may have the next, if not now.
    pub(super) fn take(&mut self, key: PublicKey, now: Time) -> Result<(), Time> {
        let whole_at = self.whole_at.get(&key).copied().unwrap_or(now).max(now);
        let (used, limit) = (whole_at.since(now), STRANGER_INTERVAL * (STRANGER_BURST - 1));
        if used > limit {
            return Err(now.plus(used.saturating_sub(limit)));
        }
        if self.whole_at.len() >= PRUNE_AT {
            self.whole_at.retain(|_, at| *at > now);
        }
        self.whole_at.insert(key, whole_at.plus(STRANGER_INTERVAL));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::at(Duration::from_millis(millis))
    }

    /// Takes receipts until there is none, and returns how many there were.
    fn take_all(limiter: &mut ReceiptLimiter, last: u8, now: Time) -> usize {
        std::iter::repeat_with(|| limiter.take(PublicKey::new([last; 32]), now))
            .take_while(Result::is_ok)
            .count()
    }

    #[test]
    fn burst_comes_first_and_one_each_second() {
        let mut limiter = ReceiptLimiter::default();
        assert_eq!(take_all(&mut limiter, 1, at(0)), 20);
        assert_eq!(limiter.take(PublicKey::new([1; 32]), at(400)), Err(at(1_000)));
        assert_eq!(take_all(&mut limiter, 1, at(1_000)), 1);
        assert_eq!(take_all(&mut limiter, 1, at(4_500)), 3);
        assert_eq!(take_all(&mut limiter, 2, at(4_500)), 20, "each key has its own");
        assert_eq!(take_all(&mut limiter, 1, at(60_000)), 20);
    }

    #[test]
    fn keys_with_a_whole_burst_are_dropped() {
        let mut limiter = ReceiptLimiter::default();
        for n in 0..5_000_u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            limiter.take(PublicKey::new(key), at(n * 10)).unwrap();
        }
        assert!(limiter.whole_at.len() <= PRUNE_AT, "{}", limiter.whole_at.len());
    }
}
