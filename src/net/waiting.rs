//! The connections that somebody waits on, so that room can be made for newcomers.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::connection::Connection;
use crate::model::address::SourcePrefix;

/// Connections that may wait for their sender at once. Each holds a thread and a descriptor; an honest one is done
/// within milliseconds, so this many wait only when somebody holds them open, and then the longest silent goes.
pub const MAX_WAITING: usize = 256;

/// Of these, how many from one source: half, so that one address never displaces all others.
pub const MAX_WAITING_PER_SOURCE: usize = MAX_WAITING / 2;

/// The connections that wait for their sender, each in a thread that waits for it.
///
/// Where there are too many, the one that has been silent longest is closed: of the newcomer's own source if that has its
/// half, else of the source that has most. So whoever opens many displaces their own, and nobody who needs a moment to write.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    open: HashMap<u64, Open>,
    per_source: HashMap<SourcePrefix, usize>,
}

#[derive(Debug)]
struct Open {
    stream: Arc<TcpStream>,
    source: SourcePrefix,
    heard: Instant,
    evicted: Arc<AtomicBool>,
    /// What has taken the place, until the thread that waits there has seen it.
    next: Option<Connection>,
}

/// A place among the waiting; given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    id: u64,
    evicted: Arc<AtomicBool>,
}

/// What came of handing a connection over.
#[derive(Debug)]
pub(super) enum HandedOver {
    /// A thread that waits has it. Another, which none had seen yet, may have had to make room for it.
    Yes(Option<Connection>),
    /// There are places left, so it needs a thread of its own.
    No(Connection),
}

impl Waiting {
    /// Takes a connection in, and makes room for it where there are too many.
    pub(super) fn admit(&self, stream: &Arc<TcpStream>, source: SourcePrefix) -> Place<'_> {
        let evicted = Arc::new(AtomicBool::new(false));
        let mut state = self.state.lock();
        let displaced = state.displaced_by(source).and_then(|id| state.remove(id));
        state.last_id += 1;
        let id = state.last_id;
        let open = Open {
            stream: Arc::clone(stream),
            source,
            heard: Instant::now(),
            evicted: Arc::clone(&evicted),
            next: None,
        };
        state.open.insert(id, open);
        *state.per_source.entry(source).or_default() += 1;
        drop(state);
        displaced.iter().for_each(Open::close);
        Place { waiting: self, id, evicted }
    }

    /// Where there are too many, gives a connection the place of the one that it displaces, and the thread that waits there:
    /// whoever accepts need not wake another thread for it, so many silent connections cost as little as they can.
    pub(super) fn hand_over(&self, connection: Connection) -> HandedOver {
        let mut state = self.state.lock();
        let Some(id) = state.displaced_by(connection.source.share()) else {
            return HandedOver::No(connection);
        };
        let source = connection.source.share();
        state.forget(id);
        *state.per_source.entry(source).or_default() += 1;
        let Some(open) = state.open.get_mut(&id) else { return HandedOver::No(connection) };
        let stream = std::mem::replace(&mut open.stream, Arc::clone(&connection.stream));
        open.source = source;
        open.heard = Instant::now();
        let unseen = open.next.replace(connection);
        open.evicted.store(true, Ordering::Relaxed);
        drop(state);
        if unseen.is_none() {
            // It may be closed already; then its thread is about to find out.
            let _ = stream.shutdown(Shutdown::Both);
        }
        HandedOver::Yes(unseen)
    }

    /// Closes the connection that has been silent longest of the source that has most, to free its descriptor; says
    /// whether there was one.
    pub(super) fn evict_one(&self) -> bool {
        let mut state = self.state.lock();
        let displaced = state.longest_silent_of_most().and_then(|id| state.remove(id));
        drop(state);
        displaced.iter().for_each(Open::close);
        displaced.is_some()
    }

    /// Closes all of them.
    pub(super) fn evict_all(&self) {
        let all: Vec<Open> = {
            let mut state = self.state.lock();
            state.per_source.clear();
            state.open.drain().map(|(_, open)| open).collect()
        };
        all.iter().for_each(Open::close);
    }
}

impl Open {
    fn close(&self) {
        self.evicted.store(true, Ordering::Relaxed);
        // It may be closed already; then its thread is about to find out.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl State {
    /// Which place a newcomer of this source would take, if there is none left for it.
    fn displaced_by(&self, source: SourcePrefix) -> Option<u64> {
        if self.per_source.get(&source).copied().unwrap_or(0) >= MAX_WAITING_PER_SOURCE {
            self.longest_silent(|open| open.source == source)
        } else if self.open.len() >= MAX_WAITING {
            self.longest_silent_of_most()
        } else {
            None
        }
    }

    fn longest_silent_of_most(&self) -> Option<u64> {
        match self.per_source.values().copied().max()? {
            1 => self.longest_silent(|_| true),
            most => self.longest_silent(|open| self.per_source.get(&open.source).copied() == Some(most)),
        }
    }

    fn longest_silent(&self, is_candidate: impl Fn(&Open) -> bool) -> Option<u64> {
        let candidates = self.open.iter().filter(|(_, open)| is_candidate(open));
        candidates.min_by_key(|(_, open)| open.heard).map(|(id, _)| *id)
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        self.forget(id);
        self.open.remove(&id)
    }

    /// Counts a place no longer for the source that has it.
    fn forget(&mut self, id: u64) {
        let Some(source) = self.open.get(&id).map(|open| open.source) else { return };
        if let Some(count) = self.per_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
    }
}

impl Place<'_> {
    /// Something came on this connection.
    pub(super) fn heard(&self) {
        if let Some(open) =
            self.waiting.state.lock().open.get_mut(&self.id).filter(|open| open.next.is_none())
        {
            open.heard = Instant::now();
        }
    }

    /// Whether it had to make room for another.
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.load(Ordering::Relaxed)
    }

    /// What has taken this place meanwhile; if nothing has, the place is given back.
    pub(super) fn next(self) -> Option<(Connection, Self)> {
        let next = {
            let mut state = self.waiting.state.lock();
            let next = state.open.get_mut(&self.id).and_then(|open| open.next.take());
            if next.is_some() {
                self.evicted.store(false, Ordering::Relaxed);
            } else {
                state.remove(self.id);
            }
            next
        };
        next.map(|connection| (connection, self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // What waits there is closed without the lock.
        let _open = self.waiting.state.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn ip(last: u8) -> SourcePrefix {
        SourcePrefix::V4(Ipv4Addr::new(127, 0, 0, last))
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

    fn connection(last: u8) -> Connection {
        let source = Ipv4Addr::new(127, 0, 0, last).into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Connection::new(stream, source, None).unwrap()
    }

    #[test]
    fn where_all_places_are_taken_a_newcomer_gets_one_together_with_its_thread() {
        let waiting = Waiting::default();
        let first = connection(1);
        let HandedOver::No(first) = waiting.hand_over(first) else { panic!("there are places left") };
        let mut places: Vec<_> =
            (0..MAX_WAITING_PER_SOURCE).map(|_| waiting.admit(&first.stream, ip(1))).collect();
        assert!(matches!(waiting.hand_over(connection(2)), HandedOver::No(_)), "of another source");
        let newcomer = connection(1);
        let addr = newcomer.stream.local_addr().unwrap();
        assert!(matches!(waiting.hand_over(newcomer), HandedOver::Yes(None)));
        let place = places.remove(0);
        assert!(place.is_evicted());
        let (next, place) = place.next().expect("the newcomer");
        assert_eq!(next.stream.local_addr().unwrap(), addr);
        assert!(!place.is_evicted() && place.next().is_none());
        assert_eq!(waiting.state.lock().per_source[&ip(1)], MAX_WAITING_PER_SOURCE - 1);
    }

    #[test]
    fn a_newcomer_that_no_thread_has_seen_yet_may_have_to_make_room_in_its_turn() {
        let waiting = Waiting::default();
        let first = connection(1);
        let places: Vec<_> =
            (0..MAX_WAITING_PER_SOURCE).map(|_| waiting.admit(&first.stream, ip(1))).collect();
        for _ in &places {
            assert!(matches!(waiting.hand_over(connection(1)), HandedOver::Yes(None)));
        }
        assert!(matches!(waiting.hand_over(connection(1)), HandedOver::Yes(Some(_))));
        drop(places);
        assert!(waiting.state.lock().open.is_empty() && waiting.state.lock().per_source.is_empty());
    }
}
