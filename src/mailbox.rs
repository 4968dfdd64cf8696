//! The event queue of the main thread, which takes the events of the other threads in batches.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::model::address::SourcePrefix;
use crate::model::fair_share::FairShare;

/// The maximum size of the queue in bytes. Beyond it, messages from the network are held back and
/// finally refused. With [`crate::runtime::MAX_WAITING_BYTES`] and
/// [`crate::net::sessions::MAX_HELD_BYTES`], 16 MiB may wait.
pub(crate) const ROOM: usize = 6 * 1024 * 1024;

/// The bytes that an item counts besides its text: more than an event has.
pub const ITEM_BYTES: usize = 512;

/// A queue with one reader. The sources of the network share its room fairly.
///
/// A sender asks for room before it adds an item from the network. An item that the user caused is
/// always accepted, because the user causes few of them.
#[derive(Debug)]
pub struct Mailbox<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    /// One place for each byte in the queue.
    room: FairShare,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let state = State { queue: VecDeque::new(), room: FairShare::new(ROOM) };
        Self { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// Locks the queue. This is not parking_lot's mutex, which yields after a moment of spinning:
    /// on a busy machine that costs milliseconds in the middle of a burst. No panic happens while
    /// it is locked.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item that the user caused.
    pub fn put(&self, item: T) {
        self.put_from(item, 0, None);
    }

    /// Adds an item with this many bytes of text that `source` caused, or the user if there is
    /// none. It is always accepted: the caller has checked [`Mailbox::has_room`] before.
    pub(crate) fn put_from(&self, item: T, bytes: usize, source: Option<SourcePrefix>) {
        let mut state = self.lock();
        state.queue.push_back(item);
        state.room.take_many(source, ITEM_BYTES + bytes);
        if state.queue.len() == 1 {
            self.filled.notify_one();
        }
    }

    /// Whether there is room for an item that `source` caused.
    pub(crate) fn has_room(&self, source: SourcePrefix) -> bool {
        self.lock().room.has_room(source)
    }

    /// Waits for room until `deadline`. Returns whether there is any.
    pub fn wait_for_room(&self, source: SourcePrefix, deadline: Instant) -> bool {
        let mut state = self.lock();
        while !state.room.has_room(source) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.emptied.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Takes all items. Waits for one until `deadline`, or without limit if there is none.
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
        state.room.clear();
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
    fn events_come_out_in_order() {
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
            mailbox.put_from(count, ITEM_BYTES, Some(source));
            count += 1;
        }
        count
    }

    /// Items of [`fill`] that there is room for.
    const PLACES: usize = ROOM / (2 * ITEM_BYTES);

    #[test]
    fn each_source_gets_half_of_the_remaining_room() {
        let mailbox = Mailbox::default();
        assert_eq!(fill(&mailbox, ANN), PLACES / 2);
        assert_eq!(fill(&mailbox, BEN), PLACES / 4);
        mailbox.put(1);
        assert!(!mailbox.has_room(ANN) && !mailbox.has_room(BEN));
        assert!(mailbox.has_room(Ipv4Addr::new(127, 0, 0, 10).into()));
        mailbox.take(None);
        assert_eq!(fill(&mailbox, BEN), PLACES / 2);
    }

    #[test]
    fn user_events_are_always_taken() {
        let mailbox = Mailbox::default();
        (0..2 * ROOM / ITEM_BYTES).for_each(|n| mailbox.put(n));
        assert!(!mailbox.has_room(ANN));
        assert_eq!(mailbox.take(None).len(), 2 * ROOM / ITEM_BYTES);
    }

    #[test]
    fn waiting_sender_proceeds_when_queue_is_emptied() {
        let mailbox = Arc::new(Mailbox::default());
        (0..ROOM / ITEM_BYTES).for_each(|n| mailbox.put(n));
        assert!(!mailbox.wait_for_room(ANN, Instant::now()));
        let other = Arc::clone(&mailbox);
        let waiter =
            thread::spawn(move || other.wait_for_room(ANN, Instant::now() + Duration::from_secs(10)));
        assert_eq!(mailbox.take(None).len(), ROOM / ITEM_BYTES);
        assert!(waiter.join().unwrap());
    }
}
