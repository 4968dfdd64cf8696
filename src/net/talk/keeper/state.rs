//! What is kept, and which of it is due or has to go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::Kept;
use crate::model::address::{Source, SourcePrefix};
use crate::model::key::PublicKey;
use crate::net::talk::bell::Waited;

pub(super) struct State<T> {
    pub(super) kept: HashMap<u64, Entry<T>>,
    /// The last one kept of each key.
    pub(super) of_key: HashMap<PublicKey, u64>,
    pub(super) last_id: u64,
    /// Those that are attended to.
    pub(super) busy: usize,
    /// Until when the thread that waits will, whatever is put here; `None` for ever.
    pub(super) waits_until: Option<Instant>,
    pub(super) watched: bool,
    pub(super) stopping: bool,
}

pub(super) struct Entry<T> {
    pub(super) talk: T,
    pub(super) until: Instant,
    pub(super) rests_until: Instant,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self {
            kept: HashMap::new(),
            of_key: HashMap::new(),
            last_id: 0,
            busy: 0,
            waits_until: None,
            watched: false,
            stopping: false,
        }
    }
}

impl<T: Kept> State<T> {
    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        let Entry { talk, .. } = self.kept.remove(&id)?;
        let key = talk.key();
        if self.of_key.get(&key) == Some(&id) {
            self.of_key.remove(&key);
        }
        Some(talk)
    }

    /// The one that makes room for another, where there are so many.
    pub(super) fn displaced(&mut self, most: usize) -> Option<T> {
        if self.kept.len() + self.busy < most {
            return None;
        }
        let mut of_source: HashMap<Option<SourcePrefix>, usize> = HashMap::new();
        for entry in self.kept.values() {
            *of_source.entry(entry.talk.source().map(Source::share)).or_default() += 1;
        }
        let most = of_source.values().copied().max()?;
        let candidates =
            self.kept.iter().filter(|(_, entry)| of_source[&entry.talk.source().map(Source::share)] == most);
        let (&id, _) = candidates.min_by_key(|(_, entry)| entry.until)?;
        self.remove(id)
    }

    /// Takes out what is due, which is busy from now on; notes whose connections are to be waited for, and says until when.
    pub(super) fn look(&mut self, now: Instant, waited: &mut Waited) -> (Vec<T>, Option<Instant>) {
        let due: Vec<u64> =
            self.kept.iter().filter(|(_, entry)| entry.until <= now).map(|(id, _)| *id).collect();
        let due: Vec<T> = due.into_iter().filter_map(|id| self.remove(id)).collect();
        self.busy += due.len();
        let mut until = None;
        for (id, entry) in &self.kept {
            let wakes = if entry.rests_until > now {
                entry.rests_until
            } else {
                waited.push((*id, Arc::clone(entry.talk.stream())));
                entry.until
            };
            until = Some(until.map_or(wakes, |until: Instant| until.min(wakes)));
        }
        (due, until)
    }
}
