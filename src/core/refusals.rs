//! Messages that found no room: counted, and told to the user in one line now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use super::time::Time;
use crate::model::address::{Source, SourcePrefix};

/// How long refused messages are counted before the user is told of them for the first time.
const REFUSALS_SUMMED: Duration = Duration::from_secs(1);

/// How long they are counted if the user was told recently, so that a flood does not fill the
/// screen.
const REFUSALS_REPEAT: Duration = Duration::from_secs(30);

/// Source prefixes that are counted each for itself. A line cannot name more, so those beyond are
/// counted together.
const MAX_COUNTED: usize = 3;

/// Refused messages that the user has not been told of.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// The first source of each prefix, and the number of its messages.
    of: BTreeMap<SourcePrefix, (Source, u64)>,
    others: u64,
    tell_at: Option<Time>,
    told_at: Option<Time>,
}

impl Refusals {
    /// When [`Refusals::due`] has something to tell.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.tell_at
    }

    /// Counts a refused message.
    pub(super) fn count(&mut self, source: Source, now: Time) {
        let has_room = self.of.len() < MAX_COUNTED;
        match self.of.get_mut(&source.share()) {
            Some((_, count)) => *count += 1,
            None if has_room => drop(self.of.insert(source.share(), (source, 1))),
            None => self.others += 1,
        }
        let soon = now.plus(REFUSALS_SUMMED);
        let told_at = self.told_at;
        self.tell_at.get_or_insert_with(|| told_at.map_or(soon, |told| soon.max(told.plus(REFUSALS_REPEAT))));
    }

    /// Returns what the user is to be told now, and starts to count anew: the sources, those with
    /// the most messages first, and the number of messages of all others.
    pub(super) fn due(&mut self, now: Time) -> Option<(Vec<(Source, u64)>, u64)> {
        self.tell_at.filter(|at| *at <= now)?;
        let Self { of, others, .. } = std::mem::take(self);
        self.told_at = Some(now);
        let mut sources: Vec<(Source, u64)> = of.into_values().collect();
        sources.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Some((sources, others))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source(last: u8) -> Source {
        Ipv4Addr::new(127, 0, 0, last).into()
    }

    fn at(millis: u64) -> Time {
        Time::at(Duration::from_millis(millis))
    }

    #[test]
    fn refusals_are_summed_up_at_intervals() {
        let mut refusals = Refusals::default();
        for (millis, last) in [(0, 7), (10, 9), (20, 9), (30, 1), (40, 2), (50, 3)] {
            refusals.count(source(last), at(millis));
        }
        assert_eq!(refusals.next_wake(), Some(at(1_000)));
        assert_eq!(refusals.due(at(999)), None);
        let sources = vec![(source(9), 2), (source(1), 1), (source(7), 1)];
        assert_eq!(refusals.due(at(1_000)), Some((sources, 2)));
        assert_eq!((refusals.next_wake(), refusals.due(at(2_000))), (None, None));
        refusals.count(source(9), at(5_000));
        refusals.count(source(9), at(6_000));
        assert_eq!(refusals.next_wake(), Some(at(31_000)));
        let sources = vec![(source(9), 2)];
        assert_eq!(refusals.due(at(31_000)), Some((sources, 0)));
        refusals.count(source(9), at(90_000));
        assert_eq!(refusals.next_wake(), Some(at(91_000)));
    }
}
