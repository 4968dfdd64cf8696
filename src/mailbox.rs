//! The queue that the main thread lives from: whatever happens anywhere is put in here, and taken out in batches.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::model::address::SourcePrefix;

/// What is taken in from the network while this much waits to be shown is held back, and refused in the end. Sixteen
/// thousand messages are many screens; at the longest a message may be they are 128 MB. One source gets half of it.
pub const ROOM: usize = 16_384;

/// A queue with one reader. What comes from the network asks for room first; what the user caused is always taken, for
/// it is bounded by what they did.
///
/// A source of the network may have as much in the queue as is free. So one that floods gets half of the room, two get a third each, and there
/// is always room for somebody else, however many flood ("dynamic queue length thresholds", Choudhury and Hahne 1998).
#[derive(Debug)]
pub struct Mailbox<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    /// How much of it each source has caused; no more entries than the queue has items.
    of_source: HashMap<SourcePrefix, usize>,
}

impl<T> State<T> {
    fn has_room(&self, source: SourcePrefix) -> bool {
        self.of_source.get(&source).copied().unwrap_or(0) < ROOM.saturating_sub(self.queue.len())
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let state = State { queue: VecDeque::new(), of_source: HashMap::new() };
        Self { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// Not parking_lot's, which gives its turn away after a moment of spinning: on a busy machine that costs milliseconds, in the middle of
    /// a burst. What is under this lock cannot panic half-way.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in.
    pub fn put(&self, item: T) {
        self.put_from(item, None);
    }

    /// Puts something in, on account of the source that caused it.
    pub fn put_from(&self, item: T, source: Option<SourcePrefix>) {
        let mut state = self.lock();
        state.queue.push_back(item);
        if let Some(source) = source {
            *state.of_source.entry(source).or_default() += 1;
        }
        if state.queue.len() == 1 {
            self.filled.notify_one();
        }
    }

    /// Whether there is room for something from a source of the network.
    pub fn has_room(&self, source: SourcePrefix) -> bool {
        self.lock().has_room(source)
    }

    /// Waits until there is room, or until `deadline`; says whether there is.
    pub fn wait_for_room(&self, source: SourcePrefix, deadline: Instant) -> bool {
        let mut state = self.lock();
        while !state.has_room(source) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.emptied.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Takes everything out; waits for something until `deadline`, or for ever.
    pub fn take(&self, deadline: Option<Instant>) -> VecDeque<T> {
        let mut state = self.lock();
        while state.queue.is_empty() {
            match deadline {
                None => state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    state = self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        state.of_source.clear();
        self.emptied.notify_all();
        std::mem::take(&mut state.queue)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn everything_comes_out_in_the_order_it_was_put_in() {
        let mailbox = Mailbox::default();
        (0..3).for_each(|n| mailbox.put(n));
        assert_eq!(mailbox.take(None), [0, 1, 2]);
        assert!(mailbox.take(Some(Instant::now())).is_empty());
    }

    const ANN: SourcePrefix = SourcePrefix::V4(Ipv4Addr::new(127, 0, 0, 1));
    const BEN: SourcePrefix = SourcePrefix::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// Puts in as much of `source` as there is room for, and says how much that was.
    fn fill(mailbox: &Mailbox<usize>, source: SourcePrefix) -> usize {
        let mut count = 0;
        while mailbox.has_room(source) {
            mailbox.put_from(count, Some(source));
            count += 1;
        }
        count
    }

    #[test]
    fn one_source_gets_half_of_the_room_and_the_next_half_of_the_rest() {
        let mailbox = Mailbox::default();
        assert_eq!(fill(&mailbox, ANN), ROOM / 2);
        assert_eq!(fill(&mailbox, BEN), ROOM / 4);
        mailbox.put(1);
        assert!(!mailbox.has_room(ANN) && !mailbox.has_room(BEN));
        assert!(mailbox.has_room(Ipv4Addr::new(127, 0, 0, 10).into()));
        mailbox.take(None);
        assert_eq!(fill(&mailbox, BEN), ROOM / 2);
    }

    #[test]
    fn what_the_user_caused_is_always_taken_and_leaves_no_room_for_others() {
        let mailbox = Mailbox::default();
        (0..2 * ROOM).for_each(|n| mailbox.put(n));
        assert!(!mailbox.has_room(ANN));
        assert_eq!(mailbox.take(None).len(), 2 * ROOM);
    }

    #[test]
    fn whoever_waits_for_room_gets_it_when_the_queue_is_emptied() {
        let mailbox = Arc::new(Mailbox::default());
        (0..ROOM).for_each(|n| mailbox.put(n));
        assert!(!mailbox.wait_for_room(ANN, Instant::now()));
        let other = Arc::clone(&mailbox);
        let waiter =
            thread::spawn(move || other.wait_for_room(ANN, Instant::now() + Duration::from_secs(10)));
        assert_eq!(mailbox.take(None).len(), ROOM);
        assert!(waiter.join().unwrap());
    }
}
