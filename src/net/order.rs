//! Several threads read at once, and yet what one source sent is delivered in the order in which places were taken for it.
//!
//! Every connection gets a [`Ticket`] when it is accepted. Whoever has read its message puts it into the place of its
//! ticket; whoever finds the first place filled delivers what is ready, for the others too ("flat combining"), so nobody
//! waits for somebody who was interrupted between reading and delivering. Whoever filled a place that was not the first
//! closes one of the connections delivered meanwhile, so that this work is shared as well.
//!
//! A connection whose message does not come within [`ORDER_WITHIN`] gives its place up and delays nobody any longer.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::address::SourcePrefix;
use crate::model::fair_share::FairShare;

/// How long a message waits for what was accepted before it from the same source. A sender writes within a millisecond of
/// connecting even on a busy machine, or is somebody whose order nobody can know; and this is felt by nobody.
pub(super) const ORDER_WITHIN: Duration = Duration::from_millis(25);

/// Messages of all sources that are read and not yet delivered, at most. Each holds a file
/// descriptor, of which a process has 1,024 by default, and at most 8 KiB.
pub(super) const MAX_READY: usize = 256;

/// A place in the order of one source. It has to be given up or filled.
#[derive(Debug)]
#[must_use]
pub(super) struct Ticket {
    source: SourcePrefix,
    number: u64,
}

/// The places of all sources. `M` is a message that was read, `F` one that was delivered and has to be finished.
#[derive(Debug)]
pub(super) struct Order<M, F> {
    state: Mutex<State<M, F>>,
}

#[derive(Debug)]
struct State<M, F> {
    sources: HashMap<SourcePrefix, Queue<M, F>>,
    /// One place for each message that is ready.
    ready: FairShare,
}

#[derive(Debug)]
struct Queue<M, F> {
    /// The number of the first place.
    first: u64,
    places: VecDeque<Place<M>>,
    /// Somebody is delivering.
    delivering: bool,
    finished: Vec<F>,
}

#[derive(Debug)]
enum Place<M> {
    Open,
    GivenUp,
    Ready(M),
}

/// What is to be done next by whoever asked.
#[derive(Debug)]
pub(super) enum Next<M, F> {
    /// Deliver this, and ask again with what became of it.
    Deliver(M),
    /// Finish these; somebody else delivers, or there is nothing to deliver.
    Finish(Vec<F>),
}

impl<M, F> Default for Order<M, F> {
    fn default() -> Self {
        Self { state: Mutex::new(State { sources: HashMap::new(), ready: FairShare::new(MAX_READY) }) }
    }
}

impl<M, F> Default for Queue<M, F> {
    fn default() -> Self {
        let places = VecDeque::new();
        Self { first: 0, places, delivering: false, finished: Vec::new() }
    }
}

impl<M, F> Order<M, F> {
    /// Locks the places. This is not parking_lot's mutex, which yields after a moment of spinning: on
    /// a busy machine that costs milliseconds in the middle of a burst. Nothing panics while it is
    /// locked.
    fn lock(&self) -> MutexGuard<'_, State<M, F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next place of a source.
    pub(super) fn ticket(&self, source: SourcePrefix) -> Ticket {
        let mut state = self.lock();
        let queue = state.sources.entry(source).or_default();
        let number = queue.first + queue.places.len() as u64;
        queue.places.push_back(Place::Open);
        Ticket { source, number }
    }

    /// Whether a place may be filled. The sources share the room fairly; but a place that the others
    /// of its source wait for may always be filled. A message without room is delivered at once,
    /// whatever is before it.
    pub(super) fn has_room(&self, ticket: &Ticket) -> bool {
        self.lock().has_room(ticket)
    }

    /// Gives a place up: nothing came, or too late, or it is refused.
    pub(super) fn give_up(&self, ticket: Ticket) -> Next<M, F> {
        self.settle(ticket, Place::GivenUp)
    }

    /// Fills a place.
    pub(super) fn fill(&self, ticket: Ticket, message: M) -> Next<M, F> {
        self.settle(ticket, Place::Ready(message))
    }

    fn settle(&self, Ticket { source, number }: Ticket, place: Place<M>) -> Next<M, F> {
        let mut state = self.lock();
        if matches!(place, Place::Ready(_)) {
            state.ready.take(source);
        }
        let queue = state.sources.entry(source).or_default();
        // Never more places than fit into memory, so the difference fits into a usize.
        if let Some(own) = queue.places.get_mut((number - queue.first) as usize) {
            *own = place;
        }
        if queue.delivering {
            return Next::Finish(queue.finished.pop().into_iter().collect());
        }
        self.next_of(state, source)
    }

    /// For whoever delivered: what is next, now that this was.
    pub(super) fn delivered(&self, source: SourcePrefix, finished: Option<F>) -> Next<M, F> {
        let mut state = self.lock();
        state.sources.entry(source).or_default().finished.extend(finished);
        self.next_of(state, source)
    }

    fn next_of(&self, mut state: MutexGuard<'_, State<M, F>>, source: SourcePrefix) -> Next<M, F> {
        let queue = state.sources.entry(source).or_default();
        loop {
            match queue.places.front_mut() {
                Some(Place::GivenUp) => {}
                Some(place @ Place::Ready(_)) => {
                    // Taken out, and popped with the next turn of this loop or the next call.
                    let Place::Ready(message) = std::mem::replace(place, Place::GivenUp) else { continue };
                    queue.delivering = true;
                    state.ready.release(source);
                    return Next::Deliver(message);
                }
                Some(Place::Open) | None => {
                    queue.delivering = false;
                    let finished = std::mem::take(&mut queue.finished);
                    if queue.places.is_empty() {
                        state.sources.remove(&source);
                    }
                    return Next::Finish(finished);
                }
            }
            queue.places.pop_front();
            queue.first += 1;
        }
    }
}

impl<M, F> State<M, F> {
    fn has_room(&self, ticket: &Ticket) -> bool {
        let Some(queue) = self.sources.get(&ticket.source) else { return true };
        self.ready.has_room(ticket.source) || queue.is_next(ticket.number)
    }
}

impl<M, F> Queue<M, F> {
    /// Whether filling this place is what delivers it and those behind it.
    fn is_next(&self, number: u64) -> bool {
        let before = self.places.iter().take((number - self.first) as usize);
        !self.delivering && before.into_iter().all(|place| !matches!(place, Place::Open))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ANN: SourcePrefix = SourcePrefix::V4(Ipv4Addr::new(127, 0, 0, 1));
    const BEN: SourcePrefix = SourcePrefix::V4(Ipv4Addr::new(127, 0, 0, 2));

    type Words = Order<&'static str, &'static str>;

    /// Delivers whatever is next, and says what that was and what is to be finished.
    fn all(
        order: &Words,
        source: SourcePrefix,
        mut next: Next<&'static str, &'static str>,
    ) -> Vec<&'static str> {
        let mut delivered = Vec::new();
        loop {
            match next {
                Next::Deliver(message) => {
                    delivered.push(message);
                    next = order.delivered(source, Some(message));
                }
                Next::Finish(finished) => {
                    assert_eq!(finished, delivered);
                    return delivered;
                }
            }
        }
    }

    #[test]
    fn what_is_read_later_is_delivered_in_its_place_and_other_sources_do_not_wait() {
        let order = Words::default();
        let (first, second, third) = (order.ticket(ANN), order.ticket(ANN), order.ticket(ANN));
        let other = order.ticket(BEN);
        let next = order.fill(third, "third");
        assert!(all(&order, ANN, next).is_empty());
        let next = order.fill(second, "second");
        assert!(all(&order, ANN, next).is_empty());
        let next = order.fill(other, "other");
        assert_eq!(all(&order, BEN, next), ["other"]);
        let next = order.fill(first, "first");
        assert_eq!(all(&order, ANN, next), ["first", "second", "third"]);
        assert!(order.lock().sources.is_empty());
        assert!(order.lock().ready.is_empty());
    }

    #[test]
    fn a_place_that_is_given_up_delays_nobody() {
        let order = Words::default();
        let (first, second) = (order.ticket(ANN), order.ticket(ANN));
        let next = order.fill(second, "second");
        assert!(all(&order, ANN, next).is_empty());
        let next = order.give_up(first);
        assert_eq!(all(&order, ANN, next), ["second"]);
        assert!(order.lock().sources.is_empty());
    }

    #[test]
    fn one_delivers_and_the_others_finish() {
        let order = Words::default();
        let (first, second, third) = (order.ticket(ANN), order.ticket(ANN), order.ticket(ANN));
        let Next::Deliver("first") = order.fill(first, "first") else { panic!("not delivered") };
        // Somebody delivers already, and has nothing to be finished yet.
        assert!(matches!(order.fill(second, "second"), Next::Finish(none) if none.is_empty()));
        let Next::Deliver("second") = order.delivered(ANN, Some("first")) else { panic!("not delivered") };
        assert!(matches!(order.fill(third, "third"), Next::Finish(one) if one == ["first"]));
        let Next::Deliver("third") = order.delivered(ANN, None) else { panic!("not delivered") };
        assert!(matches!(order.delivered(ANN, None), Next::Finish(none) if none.is_empty()));
    }

    #[test]
    fn one_source_takes_half_of_the_room() {
        let order = Words::default();
        let first = order.ticket(ANN);
        let mut filled = 0;
        let mut last = order.ticket(ANN);
        while order.has_room(&last) {
            assert!(matches!(order.fill(last, "more"), Next::Finish(_)));
            filled += 1;
            last = order.ticket(ANN);
        }
        assert_eq!(filled, MAX_READY / 2);
        let other = order.ticket(BEN);
        assert!(order.has_room(&other));
        assert!(order.has_room(&first), "the others wait for it");
        let next = order.give_up(first);
        assert_eq!(all(&order, ANN, next).len(), filled);
        assert!(order.has_room(&last));
        assert!(all(&order, ANN, order.give_up(last)).is_empty());
        assert!(matches!(order.give_up(other), Next::Finish(_)));
        assert!(order.lock().sources.is_empty());
    }
}
