use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::chat::MAX_TURN_TEXTS;

fn key(n: u32) -> PublicKey {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    PublicKey::new(bytes)
}

fn id(n: u32) -> MessageId {
    MessageId::new(u128::from(n).to_be_bytes())
}

impl Seen {
    fn takes(&mut self, key: PublicKey, id: MessageId, again: bool) -> Novelty {
        let novelty = self.look(key, id, again);
        self.note(key, id, again);
        novelty
    }
}

#[test]
fn a_text_that_comes_again_is_a_double_but_only_of_the_same_key() {
    let mut seen = Seen::default();
    assert_eq!(seen.takes(key(1), id(1), false), Novelty::New);
    assert_eq!(seen.takes(key(1), id(1), true), Novelty::Double);
    assert_eq!(seen.takes(key(1), id(1), false), Novelty::Double);
    assert_eq!(seen.takes(key(2), id(1), false), Novelty::New);
}

#[test]
fn a_text_that_found_no_room_is_no_double_when_it_comes_again() {
    let mut seen = Seen::default();
    seen.note(key(1), id(1), false);
    assert_eq!(seen.look(key(1), id(2), false), Novelty::New);
    assert_eq!(seen.takes(key(1), id(2), true), Novelty::New);
}

#[test]
fn a_resent_text_is_perhaps_known_from_before_our_start_until_a_fresh_one_came() {
    let mut seen = Seen::default();
    assert_eq!(seen.takes(key(1), id(1), true), Novelty::PerhapsAgain);
    assert_eq!(seen.takes(key(1), id(2), true), Novelty::PerhapsAgain);
    assert_eq!(seen.takes(key(1), id(2), false), Novelty::Double);
    assert_eq!(seen.takes(key(1), id(3), true), Novelty::PerhapsAgain);
    assert_eq!(seen.takes(key(1), id(4), false), Novelty::New);
    assert_eq!(seen.takes(key(1), id(5), true), Novelty::New);
    assert_eq!(seen.takes(key(2), id(6), true), Novelty::PerhapsAgain);
}

#[test]
fn the_last_ids_of_a_key_are_remembered_and_those_before_forgotten() {
    let mut seen = Seen::default();
    for n in 0..=MAX_SEEN_IDS as u32 {
        seen.note(key(1), id(n), false);
    }
    assert_eq!(seen.look(key(1), id(0), true), Novelty::New);
    assert_eq!(seen.look(key(1), id(1), true), Novelty::Double);
    const { assert!(MAX_SEEN_IDS >= 2 * MAX_TURN_TEXTS, "what may still come again is forgotten") };
}

#[test]
fn the_key_that_was_silent_longest_is_forgotten_first() {
    let mut seen = Seen::default();
    for n in 0..MAX_SEEN_KEYS as u32 {
        seen.note(key(n), id(n), false);
    }
    seen.note(key(0), id(0), true);
    seen.note(key(MAX_SEEN_KEYS as u32), id(0), false);
    assert_eq!(seen.look(key(0), id(0), true), Novelty::Double);
    assert_eq!(seen.look(key(1), id(1), true), Novelty::PerhapsAgain, "forgotten, so it is not certain");
    assert_eq!(seen.keys.len(), MAX_SEEN_KEYS);
}

proptest! {
    /// A sender with a bounded number of open texts, which resends each as often as it likes, in an order of its own.
    #[test]
    fn a_text_is_shown_once_however_often_a_sender_repeats_what_it_has_open(
        steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..1_500),
    ) {
        let mut seen = Seen::default();
        let mut open = VecDeque::new();
        let mut shown = HashSet::new();
        let mut last = 0;
        for (fresh, which) in steps {
            if fresh || open.is_empty() {
                last += 1;
                open.push_back(last);
                if open.len() > MAX_TURN_TEXTS {
                    open.pop_front();
                }
            }
            let n = if fresh { last } else { open[which.index(open.len())] };
            if seen.takes(key(1), id(n), !fresh) != Novelty::Double {
                prop_assert!(shown.insert(n), "{n} is shown twice");
            }
            prop_assert!(shown.contains(&n), "{n} is a double, but was never shown");
        }
    }

    #[test]
    fn it_never_holds_more_than_its_bounds(steps in prop::collection::vec((0u32..5, any::<u16>(), any::<bool>()), 0..1_500)) {
        let mut seen = Seen::default();
        for (who, n, again) in steps {
            seen.note(key(who), id(n.into()), again);
            prop_assert!(seen.keys.values().all(|texts| texts.ids.len() <= MAX_SEEN_IDS));
            prop_assert_eq!(seen.order.len(), seen.keys.len());
            prop_assert!(seen.order.iter().all(|(turn, key)| seen.keys[key].turn == *turn));
        }
    }
}
