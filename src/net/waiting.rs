//! The connections that somebody waits on, so that room can be made for newcomers.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

/// Connections that may wait for their sender at once. Each holds a thread and a descriptor; an honest one is done
/// within milliseconds, so this many wait only when somebody holds them open, and then the longest silent goes.
pub const MAX_WAITING: usize = 256;

/// Of these, how many from one source: half, so that one address never displaces all others.
pub const MAX_WAITING_PER_SOURCE: usize = MAX_WAITING / 2;

/// The connections that wait for their sender.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    open: HashMap<u64, Open>,
    per_source: HashMap<Ipv4Addr, usize>,
}

#[derive(Debug)]
struct Open {
    stream: Arc<TcpStream>,
    source: Ipv4Addr,
    heard: Instant,
    evicted: Arc<AtomicBool>,
}

/// A place among the waiting; given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    id: u64,
    evicted: Arc<AtomicBool>,
}

impl Waiting {
    /// Takes a connection in, and closes the one that has been silent longest where there are too many: of its own source
    /// if that has its half, else of the source that has most. So whoever opens many displaces their own, and nobody who
    /// needs a moment to write.
    pub(super) fn admit(&self, stream: &Arc<TcpStream>, source: Ipv4Addr) -> Place<'_> {
        let mut state = self.state.lock();
        let of_source = state.per_source.get(&source).copied().unwrap_or(0);
        if of_source >= MAX_WAITING_PER_SOURCE {
            state.evict(|open, _| open.source == source);
        } else if state.open.len() >= MAX_WAITING {
            state.evict_of_most();
        }
        state.last_id += 1;
        let id = state.last_id;
        let evicted = Arc::new(AtomicBool::new(false));
        let open =
            Open { stream: Arc::clone(stream), source, heard: Instant::now(), evicted: Arc::clone(&evicted) };
        state.open.insert(id, open);
        *state.per_source.entry(source).or_default() += 1;
        Place { waiting: self, id, evicted }
    }

    /// Closes the connection that has been silent longest of the source that has most, to free its descriptor.
    pub(super) fn evict_one(&self) {
        self.state.lock().evict_of_most();
    }

    /// Closes all of them.
    pub(super) fn evict_all(&self) {
        let mut state = self.state.lock();
        while !state.open.is_empty() {
            state.evict(|_, _| true);
        }
    }
}

impl State {
    fn evict_of_most(&mut self) {
        let most = self.per_source.values().copied().max();
        self.evict(|open, per_source| per_source.get(&open.source).copied() == most);
    }

    fn evict(&mut self, is_candidate: impl Fn(&Open, &HashMap<Ipv4Addr, usize>) -> bool) {
        let candidates = self.open.iter().filter(|(_, open)| is_candidate(open, &self.per_source));
        let Some(id) = candidates.min_by_key(|(_, open)| open.heard).map(|(id, _)| *id) else {
            return;
        };
        if let Some(open) = self.remove(id) {
            open.evicted.store(true, Ordering::Relaxed);
            // It may be closed already; then its thread is about to find out.
            let _ = open.stream.shutdown(Shutdown::Both);
        }
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(count) = self.per_source.get_mut(&open.source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&open.source);
            }
        }
        Some(open)
    }
}

impl Place<'_> {
    /// Something came on this connection.
    pub(super) fn heard(&self) {
        if let Some(open) = self.waiting.state.lock().open.get_mut(&self.id) {
            open.heard = Instant::now();
        }
    }

    /// Whether it had to make room for another.
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.load(Ordering::Relaxed)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.state.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 0, last)
    }

    #[test]
    fn the_longest_silent_makes_room_of_the_own_source_first_and_then_of_the_one_that_has_most() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let waiting = Waiting::default();
        let other = waiting.admit(&stream, ip(9));
        let mut places: Vec<_> = (0..MAX_WAITING_PER_SOURCE).map(|_| waiting.admit(&stream, ip(1))).collect();
        places[0].heard();
        places.push(waiting.admit(&stream, ip(1)));
        let evicted: Vec<usize> = (0..places.len()).filter(|i| places[*i].is_evicted()).collect();
        assert_eq!(evicted, [1]);
        places.extend((0..MAX_WAITING_PER_SOURCE - 1).map(|_| waiting.admit(&stream, ip(2))));
        places.push(waiting.admit(&stream, ip(3)));
        let evicted: Vec<usize> = (0..places.len()).filter(|i| places[*i].is_evicted()).collect();
        assert_eq!(evicted, [1, 2]);
        // However many come from two that have many, whoever has few keeps their place.
        places.extend((0..2 * MAX_WAITING).map(|n| waiting.admit(&stream, ip(1 + u8::from(n % 2 == 0)))));
        assert!(!other.is_evicted());
        waiting.evict_all();
        assert!(other.is_evicted());
        drop(places);
        assert!(waiting.state.lock().open.is_empty() && waiting.state.lock().per_source.is_empty());
    }
}
