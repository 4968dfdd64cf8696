//! Looks and acknowledgements that the user did not ask for: how many there may be at once, and who is next.

use std::collections::{HashMap, VecDeque};

use super::Chat;
use super::time::Time;
use crate::model::address::SourcePrefix;
use crate::model::peer_id::Recipient;

/// Looks and acknowledgements under way at a time that the user did not ask for. Sixty-four that are never answered, each
/// for a second, still ask a full table anew within three minutes; and whoever invents peers, however many, has so many
/// dialled at once and no more.
pub(super) const MAX_CHECKS_UNDER_WAY: usize = 64;

/// Entries of the queue beyond two for each row before those are looked for that are not in force any more: that takes as
/// long as the queue is, and so has to be rare.
const MAX_STALE: usize = 64;

/// A place in the queue, which a row keeps until its turn. It is never given again, so an entry whose row has gone, or has
/// come again meanwhile, is known for what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u64);

/// Looks and acknowledgements under way, counted by the IP they go to: each may have as many as are free, so that whoever
/// invents peers does not keep others from being looked for (see the mailbox for the rule). What finds no room waits for
/// its turn, and costs nothing meanwhile: the IPs take turns, and of each IP's rows the one that has waited longest is next.
#[derive(Debug, Default)]
pub(super) struct Checks {
    all: usize,
    of: HashMap<SourcePrefix, usize>,
    /// The rows that wait at each IP, and the IPs that have any.
    queues: HashMap<SourcePrefix, VecDeque<(Place, Recipient)>>,
    turns: VecDeque<SourcePrefix>,
    waiting: usize,
    last_place: u64,
    /// When to see whose turn it is: room has become free. Somebody waits only while something is under way or this is set.
    serve_at: Option<Time>,
}

impl Checks {
    /// Whether one that the user did not ask for may be made to `share`.
    pub(super) fn has_room(&self, share: SourcePrefix) -> bool {
        self.of.get(&share).copied().unwrap_or(0) < MAX_CHECKS_UNDER_WAY.saturating_sub(self.all)
    }

    /// How many there are.
    pub(super) fn under_way(&self) -> usize {
        self.all
    }

    /// Whether none is under way.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.all == 0 && self.of.is_empty()
    }

    /// Entries in the queue, those included that are not in force any more.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        assert_eq!(self.waiting, self.queues.values().map(VecDeque::len).sum());
        assert_eq!(self.turns.len(), self.queues.len());
        self.waiting
    }

    pub(super) fn begin(&mut self, share: SourcePrefix) {
        self.all += 1;
        *self.of.entry(share).or_default() += 1;
    }

    /// One is over; whoever is next may begin at `next_at`.
    pub(super) fn end(&mut self, share: SourcePrefix, next_at: Time) {
        self.all -= 1;
        if let Some(count) = self.of.get_mut(&share) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&share);
            }
        }
        if self.waiting > 0 && self.all < MAX_CHECKS_UNDER_WAY {
            self.serve_at = Some(self.serve_at.map_or(next_at, |at| at.min(next_at)));
        }
    }

    /// When somebody's turn may have come.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.serve_at
    }

    /// Lets a row wait, for which there is no room.
    fn wait(&mut self, peer_id: Recipient, prefix: SourcePrefix) -> Place {
        self.last_place += 1;
        let place = Place(self.last_place);
        let queue = self.queues.entry(prefix).or_default();
        if queue.is_empty() {
            self.turns.push_back(prefix);
        }
        queue.push_back((place, peer_id));
        self.waiting += 1;
        place
    }

    /// Whose turn it is, if there is room. At most so many IPs have none as there are places under way, so few are passed over.
    fn next(&mut self) -> Option<(Place, Recipient)> {
        if self.all >= MAX_CHECKS_UNDER_WAY {
            return None;
        }
        let at = self.turns.iter().position(|share| self.has_room(*share))?;
        self.turns.rotate_left(at);
        let share = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&share)?;
        let next = queue.pop_front();
        self.waiting -= usize::from(next.is_some());
        if queue.is_empty() {
            self.queues.remove(&share);
        } else {
            self.turns.push_back(share);
        }
        next
    }

    /// Forgets the entries that are not in force.
    fn retain(&mut self, is_in_force: impl Fn(Place, Recipient) -> bool) {
        self.queues.retain(|_, queue| {
            queue.retain(|&(place, peer_id)| is_in_force(place, peer_id));
            !queue.is_empty()
        });
        self.turns.retain(|share| self.queues.contains_key(share));
        self.waiting = self.queues.values().map(VecDeque::len).sum();
    }
}

impl Chat {
    /// Lets a row wait for its turn to be looked at or acknowledged, unless it does already.
    pub(super) fn wait_for_room(&mut self, peer_id: Recipient) {
        let waits_anew = self.table.peer(peer_id).filter(|peer| peer.place.is_none());
        let Some(prefix) = waits_anew.map(super::table::Peer::prefix) else { return };
        let table = &self.table;
        if self.checks.waiting >= 2 * table.len() + MAX_STALE {
            self.checks
                .retain(|place, peer_id| table.peer(peer_id).is_some_and(|peer| peer.place == Some(place)));
        }
        let place = self.checks.wait(peer_id, prefix);
        self.table.update(peer_id, |peer| peer.place = Some(place));
    }

    /// Does what is due for those whose turn it is, as far as there is room.
    pub(super) fn serve_waiting(&mut self, now: Time) {
        if self.checks.serve_at.is_none_or(|at| at > now) {
            return;
        }
        self.checks.serve_at = None;
        while let Some((place, peer_id)) = self.checks.next() {
            if self.table.peer(peer_id).is_some_and(|peer| peer.place == Some(place)) {
                self.table.update(peer_id, |peer| peer.place = None);
                self.due(peer_id, now);
            }
        }
    }
}
