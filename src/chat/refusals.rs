//! What could not be taken from the network: counted, and told in one line now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Chat;
use super::event::{Action, Event};
use super::time::Time;
use crate::model::address::{Source, SourcePrefix};

/// How long refusals are counted before the user is told of them for the first time.
pub const REFUSALS_SUMMED: Duration = Duration::from_secs(1);

/// The same when the user was told lately: whoever floods for an hour shall not fill the screen with that.
pub const REFUSALS_REPEAT: Duration = Duration::from_secs(30);

/// Sources that are counted each for itself; a line cannot name more, and those beyond are counted together.
const MAX_COUNTED: usize = 3;

/// What was refused and not yet told.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Each with the first source of those that have one share together.
    of: BTreeMap<SourcePrefix, (Source, u64)>,
    others: u64,
    tell_at: Option<Time>,
    told_at: Option<Time>,
}

impl Refusals {
    /// When the user is to be told.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.tell_at
    }
}

impl Chat {
    /// A message of `source` was not taken, for there was no room for it. The user learns the sum from [`Chat::tick`].
    pub fn refused(&mut self, source: Source, now: Time) -> Vec<Action> {
        let Refusals { of, others, tell_at, told_at } = &mut self.refusals;
        if let Some((_, count)) = of.get_mut(&source.share()) {
            *count += 1;
        } else if of.len() < MAX_COUNTED {
            of.insert(source.share(), (source, 1));
        } else {
            *others += 1;
        }
        let soon = now.plus(REFUSALS_SUMMED);
        tell_at.get_or_insert(told_at.map_or(soon, |told| soon.max(told.plus(REFUSALS_REPEAT))));
        self.done()
    }

    /// Tells what was refused, if it is time.
    pub(super) fn tell_refusals(&mut self, now: Time) {
        if self.refusals.tell_at.is_some_and(|at| at <= now) {
            let Refusals { of, others, .. } = std::mem::take(&mut self.refusals);
            self.refusals.told_at = Some(now);
            let mut sources: Vec<(Source, u64)> = of.into_values().collect();
            sources.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            self.tell(Event::Refused { sources, others });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::chat::{CoreConfig, Me};
    use crate::model::key::PublicKey;

    fn source(last: u8) -> Source {
        Ipv4Addr::new(127, 0, 0, last).into()
    }

    fn chat() -> Chat {
        let me = Me { bind: Ipv4Addr::UNSPECIFIED.into(), port: 5000, advertise: None };
        Chat::new(CoreConfig::new(me, PublicKey::new([1; 32])))
    }

    fn at(millis: u64) -> Time {
        Time::at(Duration::from_millis(millis))
    }

    #[test]
    fn what_is_refused_is_told_in_one_line_a_second_later_and_then_twice_a_minute() {
        let mut chat = chat();
        for (millis, last) in [(0, 7), (10, 9), (20, 9), (30, 1), (40, 2), (50, 3)] {
            assert!(chat.refused(source(last), at(millis)).is_empty());
        }
        assert_eq!(chat.next_wake(), Some(at(1_000)));
        assert!(chat.tick(at(999)).is_empty());
        let sources = vec![(source(9), 2), (source(1), 1), (source(7), 1)];
        assert_eq!(chat.tick(at(1_000)), [Action::Tell(Event::Refused { sources, others: 2 })]);
        assert_eq!(chat.next_wake(), None);
        chat.refused(source(9), at(5_000));
        chat.refused(source(9), at(6_000));
        assert_eq!(chat.next_wake(), Some(at(31_000)));
        let sources = vec![(source(9), 2)];
        assert_eq!(chat.tick(at(31_000)), [Action::Tell(Event::Refused { sources, others: 0 })]);
        chat.refused(source(9), at(90_000));
        assert_eq!(chat.next_wake(), Some(at(91_000)));
    }
}
