//! How fast strangers get receipts. A sender without receipts stops when its window is full, and
//! one that begins another session instead is refused.

use std::collections::HashMap;
use std::time::Duration;

use super::{MIN_WINDOW_BYTES, STRANGER_WINDOW_BYTES};
use crate::core::Time;
use crate::model::key::PublicKey;

/// Receipts that a stranger gets at once: more messages than people write before an answer.
pub(crate) const STRANGER_BURST: u32 = 20;

/// How long a stranger waits for each further receipt: about as long as it takes to write a
/// message.
pub(crate) const STRANGER_INTERVAL: Duration = Duration::from_secs(1);

/// Keys that are remembered before those are dropped that may have a whole burst again.
const PRUNE_AT: usize = 1_000;

/// Messages that a stranger may be ahead of its receipts: a window of them.
const STRANGER_AHEAD: u32 = STRANGER_WINDOW_BYTES / MIN_WINDOW_BYTES as u32;

/// A token bucket for each stranger, also across its sessions.
#[derive(Debug, Default)]
pub(super) struct ReceiptLimiter {
    /// When each key may have a whole burst again.
    whole_at: HashMap<PublicKey, Time>,
}

impl ReceiptLimiter {
    /// Returns whether a stranger has sent more than it may without receipts. It has ended sessions
    /// to do so, because a session without receipts is at its window before.
    pub(super) fn is_exceeded(&self, key: PublicKey, now: Time) -> bool {
        self.used(key, now) > STRANGER_INTERVAL * (STRANGER_BURST + STRANGER_AHEAD)
    }

    /// Takes a receipt for a message that a stranger has sent. Returns when it may have that.
    pub(super) fn take(&mut self, key: PublicKey, now: Time) -> Time {
        let used = self.used(key, now) + STRANGER_INTERVAL;
        if self.whole_at.len() >= PRUNE_AT {
            self.whole_at.retain(|_, at| *at > now);
        }
        self.whole_at.insert(key, now.plus(used));
        now.plus(used.saturating_sub(STRANGER_INTERVAL * STRANGER_BURST))
    }

    /// Gives back receipts for messages that were not taken.
    pub(super) fn give_back(&mut self, key: PublicKey, count: u32, now: Time) {
        let used = self.used(key, now).saturating_sub(STRANGER_INTERVAL * count);
        self.whole_at.insert(key, now.plus(used));
    }

    fn used(&self, key: PublicKey, now: Time) -> Duration {
        self.whole_at.get(&key).map_or(Duration::ZERO, |at| at.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::at(Duration::from_millis(millis))
    }

    fn key(last: u8) -> PublicKey {
        PublicKey::new([last; 32])
    }

    /// Sends messages until there are too many, and returns when their receipts are due.
    fn fill(limiter: &mut ReceiptLimiter, last: u8, now: Time) -> Vec<Time> {
        let mut due = Vec::new();
        while !limiter.is_exceeded(key(last), now) {
            due.push(limiter.take(key(last), now));
        }
        due
    }

    #[test]
    fn burst_comes_first_and_one_each_second() {
        let mut limiter = ReceiptLimiter::default();
        let due = fill(&mut limiter, 1, at(0));
        assert_eq!(due[..20], [at(0); 20]);
        assert_eq!(due[20..], [at(1_000), at(2_000), at(3_000), at(4_000), at(5_000)]);
        assert!(limiter.is_exceeded(key(1), at(900)), "until one may be had");
        assert_eq!(fill(&mut limiter, 1, at(1_500)), [at(6_000)]);
        assert_eq!(fill(&mut limiter, 1, at(4_600)).len(), 3);
        assert_eq!(fill(&mut limiter, 2, at(4_600)).len(), 25, "each key has its own");
        assert_eq!(fill(&mut limiter, 1, at(60_000))[..20], [at(60_000); 20]);
    }

    #[test]
    fn messages_that_were_not_taken_cost_nothing() {
        let mut limiter = ReceiptLimiter::default();
        fill(&mut limiter, 1, at(0));
        limiter.give_back(key(1), 25, at(0));
        assert_eq!(fill(&mut limiter, 1, at(0)).len(), 25);
    }

    #[test]
    fn keys_with_a_whole_burst_are_dropped() {
        let mut limiter = ReceiptLimiter::default();
        for n in 0..5_000_u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            limiter.take(PublicKey::new(key), at(n * 10));
        }
        assert!(limiter.whole_at.len() <= PRUNE_AT, "{}", limiter.whole_at.len());
    }
}
