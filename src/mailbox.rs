//! The queue that the main thread lives from: whatever happens anywhere is put in here, and taken out in batches.

use std::collections::VecDeque;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// What is taken in from the network while this much waits to be shown is held back, and refused in the end. Eight
/// thousand messages are many screens; at the longest a message may be they are 64 MB.
pub const ROOM: usize = 8_192;

/// A queue with one reader. What comes from the network asks for room first; what the user caused is always taken, for
/// it is bounded by what they did.
#[derive(Debug)]
pub struct Mailbox<T> {
    queue: Mutex<VecDeque<T>>,
    filled: Condvar,
    emptied: Condvar,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { queue: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// Puts something in.
    pub fn put(&self, item: T) {
        let mut queue = self.queue.lock();
        queue.push_back(item);
        if queue.len() == 1 {
            self.filled.notify_one();
        }
    }

    /// Whether there is room for something from the network.
    pub fn has_room(&self) -> bool {
        self.queue.lock().len() < ROOM
    }

    /// Waits until there is room, or until `deadline`; says whether there is.
    pub fn wait_for_room(&self, deadline: Instant) -> bool {
        let mut queue = self.queue.lock();
        while queue.len() >= ROOM {
            if self.emptied.wait_until(&mut queue, deadline).timed_out() {
                return queue.len() < ROOM;
            }
        }
        true
    }

    /// Takes everything out; waits for something until `deadline`, or for ever.
    pub fn take(&self, deadline: Option<Instant>) -> VecDeque<T> {
        let mut queue = self.queue.lock();
        while queue.is_empty() {
            match deadline {
                None => self.filled.wait(&mut queue),
                Some(deadline) => {
                    if self.filled.wait_until(&mut queue, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        if queue.len() >= ROOM {
            self.emptied.notify_all();
        }
        std::mem::take(&mut *queue)
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn whoever_waits_for_room_gets_it_when_the_queue_is_emptied() {
        let mailbox = Arc::new(Mailbox::default());
        (0..ROOM).for_each(|n| mailbox.put(n));
        assert!(!mailbox.has_room());
        assert!(!mailbox.wait_for_room(Instant::now()));
        let other = Arc::clone(&mailbox);
        let waiter = thread::spawn(move || other.wait_for_room(Instant::now() + Duration::from_secs(10)));
        assert_eq!(mailbox.take(None).len(), ROOM);
        assert!(waiter.join().unwrap());
    }
}
