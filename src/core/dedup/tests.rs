use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::core::outbox::MAX_BATCH_MESSAGES;

fn key(n: u32) -> PublicKey {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    PublicKey::new(bytes)
}

fn id(n: u32) -> MessageId {
    MessageId::new(u128::from(n).to_be_bytes())
}

impl DedupCache {
    fn takes(&mut self, key: PublicKey, id: MessageId, again: bool) -> Duplicate {
        let duplicate = self.check(key, id, again);
        self.record(key, id, again);
        duplicate
    }
}

#[test]
fn resent_message_is_doubtful_until_a_fresh_one() {
    let mut cache = DedupCache::default();
    assert_eq!(cache.takes(key(1), id(1), true), Duplicate::Maybe);
    assert_eq!(cache.takes(key(1), id(2), true), Duplicate::Maybe);
    assert_eq!(cache.takes(key(1), id(2), false), Duplicate::Yes);
    assert_eq!(cache.takes(key(1), id(3), true), Duplicate::Maybe);
    assert_eq!(cache.takes(key(1), id(4), false), Duplicate::No);
    assert_eq!(cache.takes(key(1), id(5), true), Duplicate::No);
    assert_eq!(cache.takes(key(2), id(6), true), Duplicate::Maybe);
}

#[test]
fn only_last_ids_of_a_key_are_remembered() {
    let mut cache = DedupCache::default();
    for n in 0..=MAX_DEDUP_IDS as u32 {
        cache.record(key(1), id(n), false);
    }
    assert_eq!(cache.check(key(1), id(0), true), Duplicate::No);
    assert_eq!(cache.check(key(1), id(1), true), Duplicate::Yes);
    const { assert!(MAX_DEDUP_IDS >= 2 * MAX_BATCH_MESSAGES, "what may still come again is forgotten") };
}

#[test]
fn longest_silent_key_is_forgotten_first() {
    let mut cache = DedupCache::default();
    for n in 0..MAX_DEDUP_KEYS as u32 {
        cache.record(key(n), id(n), false);
    }
    cache.record(key(0), id(0), true);
    cache.record(key(MAX_DEDUP_KEYS as u32), id(0), false);
    assert_eq!(cache.check(key(0), id(0), true), Duplicate::Yes);
    assert_eq!(cache.check(key(1), id(1), true), Duplicate::Maybe, "forgotten, so it is not certain");
    assert_eq!(cache.keys.len(), MAX_DEDUP_KEYS);
}

proptest! {
    // Each case has up to 1,500 steps.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A sender with a bounded number of open texts, which resends each as often as it likes, in an
    /// order of its own.
    #[test]
    fn repeated_open_message_is_shown_once(
        steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..1_500),
    ) {
        let mut cache = DedupCache::default();
        let mut open = VecDeque::new();
        let mut shown = HashSet::new();
        let mut last = 0;
        for (fresh, which) in steps {
            if fresh || open.is_empty() {
                last += 1;
                open.push_back(last);
                if open.len() > MAX_BATCH_MESSAGES {
                    open.pop_front();
                }
            }
            let n = if fresh { last } else { open[which.index(open.len())] };
            if cache.takes(key(1), id(n), !fresh) != Duplicate::Yes {
                prop_assert!(shown.insert(n), "{n} is shown twice");
            }
            prop_assert!(shown.contains(&n), "{n} is a double, but was never shown");
        }
    }
}
