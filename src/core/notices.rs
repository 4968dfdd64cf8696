//! Limits on what the user is told about keys: an attacker must not fill the screen.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::time::Time;
use crate::model::key::PublicKey;

/// How often the user is told of the same kind of thing at most.
const SPACING: Duration = Duration::from_secs(60);

/// Pairs of keys that are remembered as told at most. No user has as many contacts whose addresses
/// other peers took; beyond that some pairs are told a second time.
const MAX_MISLED: usize = 1_000;

/// What the user was told.
#[derive(Debug, Default)]
pub(super) struct NoticeLimits {
    /// Pairs of an expected key and the key proven instead.
    misled: HashSet<(PublicKey, PublicKey)>,
    /// The peers beyond the limit of requests, when last counted.
    more_requests: usize,
    more_told_at: Option<Time>,
    replaced_told_at: Option<Time>,
    /// Unencrypted connections refused since the user was told.
    refused_plain: u64,
    plain_told_at: Option<Time>,
    changes_told: bool,
    in_use_told: bool,
    /// The contacts that want to compare safety numbers and when the user was told, and those that
    /// the user compares them with.
    compared: BTreeMap<PublicKey, Time>,
}

impl NoticeLimits {
    /// Takes the number of peers that there was no room for. Returns it if the user is to be told.
    pub(super) fn more_requests(&mut self, count: usize, now: Time) -> Option<usize> {
        let has_grown = count > std::mem::replace(&mut self.more_requests, count);
        (has_grown && is_due(&mut self.more_told_at, now)).then_some(count)
    }

    /// A waiting key gave way to another one. Returns whether the user is to be told.
    pub(super) fn replaced(&mut self, now: Time) -> bool {
        is_due(&mut self.replaced_told_at, now)
    }

    /// Counts a refused unencrypted connection. Returns how many there were if the user is to be
    /// told.
    pub(super) fn refused_plain(&mut self, now: Time) -> Option<u64> {
        self.refused_plain += 1;
        is_due(&mut self.plain_told_at, now).then(|| std::mem::take(&mut self.refused_plain))
    }

    /// A key answered where another was expected. Returns whether the user is to be told, which
    /// they are once of each pair of keys.
    pub(super) fn misled(&mut self, expected: PublicKey, proven: PublicKey) -> bool {
        if self.misled.len() >= MAX_MISLED {
            self.misled.clear();
        }
        self.misled.insert((expected, proven))
    }

    /// Another program uses our key. Returns whether the user is to be told.
    pub(super) fn in_use(&mut self) -> bool {
        !std::mem::replace(&mut self.in_use_told, true)
    }

    /// Safety numbers are compared with a peer, which takes longer than a minute. Returns whether
    /// that is not known already.
    pub(super) fn compares(&mut self, key: PublicKey, now: Time) -> bool {
        // Each entry stays for a minute, and only contacts and the user make one.
        self.compared.retain(|_, at| now.since(*at) < SPACING);
        let is_new = !self.compared.contains_key(&key);
        if is_new {
            self.compared.insert(key, now);
        }
        is_new
    }

    /// There is something to save. Returns whether the user is to be told.
    pub(super) fn has_changes(&mut self) -> bool {
        !std::mem::replace(&mut self.changes_told, true)
    }

    /// All changes were taken.
    pub(super) fn changes_taken(&mut self) {
        self.changes_told = false;
    }
}

/// Returns whether the last time was long enough ago, and if so records this one.
fn is_due(told_at: &mut Option<Time>, now: Time) -> bool {
    let is_due = told_at.is_none_or(|at| now.since(at) >= SPACING);
    if is_due {
        *told_at = Some(now);
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::at(Duration::from_secs(seconds))
    }

    fn key(n: u8) -> PublicKey {
        PublicKey::new([n; 32])
    }

    #[test]
    fn refused_connections_are_summed_up_once_a_minute() {
        let mut notices = NoticeLimits::default();
        let told: Vec<_> =
            [0, 10, 59, 60, 61].into_iter().map(|at_| notices.refused_plain(at(at_))).collect();
        assert_eq!(told, [Some(1), None, None, Some(3), None]);
    }

    #[test]
    fn further_requests_are_told_when_they_grow() {
        let mut notices = NoticeLimits::default();
        assert_eq!(notices.more_requests(0, at(0)), None);
        assert_eq!(notices.more_requests(1, at(0)), Some(1));
        assert_eq!(notices.more_requests(2, at(30)), None);
        assert_eq!(notices.more_requests(2, at(100)), None);
        assert_eq!(notices.more_requests(3, at(100)), Some(3));
    }

    #[test]
    fn replaced_keys_are_told_once_a_minute() {
        let mut notices = NoticeLimits::default();
        let told = [0, 10, 59, 60, 61].map(|seconds| notices.replaced(at(seconds)));
        assert_eq!(told, [true, false, false, true, false]);
    }

    #[test]
    fn each_pair_of_keys_is_told_once() {
        let mut notices = NoticeLimits::default();
        assert!(notices.misled(key(1), key(2)) && notices.misled(key(1), key(3)));
        assert!(!notices.misled(key(1), key(2)));
        assert!(notices.has_changes() && !notices.has_changes());
        notices.changes_taken();
        assert!(notices.has_changes());
    }
}
