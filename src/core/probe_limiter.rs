//! Limits the probes and acknowledgements that the user did not ask for, and decides which peer is
//! next when there is room.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Duration;

use super::State;
use super::event::JobId;
use super::peers::{MAX_PEERS, WaitingPeer};
use super::presence::REFUSAL_REPEAT;
use super::time::Time;
use super::trust::MAX_CONTACTS;
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::fair_share::FairShare;
use crate::model::peer_id::Recipient;

/// Probes and acknowledgements under way at a time that the user did not ask for, the dialing of
/// contacts included. Thirty-two that are never answered, for a second each, still probe a full
/// table within six minutes; and a source that invents peers, however many, has no more than these
/// dialed at a time.
pub(super) const MAX_CHECKS_UNDER_WAY: usize = 32;

/// How far two dials to one address of strangers are apart that the user did not ask for.
/// Strangers, however many keys they make, then cannot have us dial a target more often; and one
/// that does not answer is offline with the second dial, as after
/// [`GONE_AFTER`](super::GONE_AFTER).
pub(super) const STRANGER_DIAL_SPACING: Duration = Duration::from_secs(10);

/// Addresses of strangers that are dialed within [`STRANGER_DIAL_SPACING`], at most: as many as the
/// table has rows for strangers.
const MAX_STRANGER_DIALS: usize = MAX_PEERS - MAX_CONTACTS;

/// A place in the order in which peers began to wait; the lowest has waited longest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Turn(NonZeroU64);

#[cfg(test)]
impl Turn {
    pub(super) fn new(turn: u64) -> Self {
        Self(NonZeroU64::new(turn).expect("turns are counted from 1"))
    }
}

/// The probes and acknowledgements under way, shared fairly between the prefixes that they go to.
///
/// A peer for which there is no room waits for its turn and causes no work meanwhile. The next one
/// is of the prefix with the fewest under way, and among its peers the one that has waited longest.
#[derive(Debug)]
pub(super) struct ProbeLimiter {
    under_way: FairShare,
    /// The prefix that each job under way is counted under. The job may dial another address, or
    /// the peer may move meanwhile.
    jobs: HashMap<JobId, SourcePrefix>,
    /// The last turn that was given to a peer that waits.
    last_turn: Turn,
    /// No peer waits if this is unset. If it is set, a scan tells.
    may_wait: bool,
    /// When to see whose turn it is: room has become free. While a peer waits, something is under
    /// way or this is set.
    serve_at: Option<Time>,
    /// When each address of strangers was dialed last, if that is less than
    /// [`STRANGER_DIAL_SPACING`] ago.
    stranger_dials: HashMap<PeerAddr, Time>,
}

impl Default for ProbeLimiter {
    fn default() -> Self {
        Self {
            under_way: FairShare::new(MAX_CHECKS_UNDER_WAY),
            jobs: HashMap::new(),
            last_turn: Turn(NonZeroU64::MIN),
            may_wait: false,
            serve_at: None,
            stranger_dials: HashMap::new(),
        }
    }
}

impl ProbeLimiter {
    /// Whether there is room for one that the user did not ask for.
    pub(super) fn has_room(&self, prefix: SourcePrefix) -> bool {
        self.under_way.has_room(prefix)
    }

    /// Returns how many are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.used()
    }

    /// Whether none is under way.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Counts a job that begins. One that the user asked for begins without room, too.
    pub(super) fn begin(&mut self, job: JobId, prefix: SourcePrefix) {
        self.jobs.insert(job, prefix);
        self.under_way.take(prefix);
    }

    /// Counts the job `next` in place of `job`, if that is counted.
    pub(super) fn goes_on(&mut self, job: JobId, next: JobId) {
        if let Some(prefix) = self.jobs.remove(&job) {
            self.jobs.insert(next, prefix);
        }
    }

    /// A job is over. If it is counted, a peer that waits may be served now, or after
    /// [`REFUSAL_REPEAT`] if this machine had nothing to dial with: the next job would fare no
    /// better at once.
    pub(super) fn end(&mut self, job: JobId, had_none: bool, now: Time) {
        let Some(prefix) = self.jobs.remove(&job) else { return };
        self.under_way.release(prefix);
        let next_at = if had_none { now.plus(REFUSAL_REPEAT) } else { now };
        if self.may_wait && self.under_way.free() > 0 {
            self.serve_at = Some(self.serve_at.map_or(next_at, |at| at.min(next_at)));
        }
    }

    /// Counts a dial to these addresses of a stranger that the user did not ask for.
    ///
    /// # Errors
    /// When to try again, if one of them was dialed just now or too many others were.
    pub(super) fn dial_stranger(&mut self, addrs: &[PeerAddr], now: Time) -> Result<(), Time> {
        let free_at = |dialed: &Time| dialed.plus(STRANGER_DIAL_SPACING);
        self.stranger_dials.retain(|_, dialed| free_at(dialed) > now);
        let last = addrs.iter().filter_map(|addr| self.stranger_dials.get(addr)).max();
        if let Some(dialed) = last {
            return Err(free_at(dialed));
        }
        if self.stranger_dials.len() + addrs.len() > MAX_STRANGER_DIALS {
            return Err(now.plus(STRANGER_DIAL_SPACING));
        }
        self.stranger_dials.extend(addrs.iter().map(|addr| (*addr, now)));
        Ok(())
    }

    /// Returns when a peer that waits may be served.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.serve_at
    }

    fn next_turn(&mut self) -> Turn {
        self.may_wait = true;
        self.last_turn = Turn(self.last_turn.0.saturating_add(1));
        self.last_turn
    }

    /// Returns the peer whose turn it is of those that wait, if there is room for it.
    fn next_of<'a>(&mut self, waiting: impl Iterator<Item = WaitingPeer<'a>>) -> Option<Recipient> {
        if self.under_way.free() == 0 {
            return None;
        }
        let mut next: Option<((usize, Turn), WaitingPeer<'_>)> = None;
        for peer in waiting {
            // No prefix has fewer than none. This spares most peers the look-up of their prefix.
            if next.is_some_and(|((fewest, first), _)| fewest == 0 && first < peer.turn) {
                continue;
            }
            let order = (self.under_way.used_by(peer.prefix), peer.turn);
            if next.is_none_or(|(first, _)| order < first) {
                next = Some((order, peer));
            }
        }
        self.may_wait = next.is_some();
        // If the prefix with the fewest has no room, no prefix has.
        next.map(|(_, peer)| peer).filter(|peer| self.has_room(peer.prefix)).map(|peer| *peer.id)
    }
}

impl State {
    /// Lets a peer wait for its turn to be probed or acknowledged, unless it does already.
    pub(super) fn wait_for_room(&mut self, peer_id: Recipient) {
        if self.peers.may_wait(peer_id) {
            self.peers.waits_for(peer_id, self.probe_limiter.next_turn());
        }
    }

    /// Does what is due for the peers whose turn it is, as far as there is room.
    pub(super) fn serve_waiting(&mut self, now: Time) {
        if self.probe_limiter.serve_at.is_none_or(|at| at > now) {
            return;
        }
        self.probe_limiter.serve_at = None;
        while let Some(peer_id) = self.probe_limiter.next_of(self.peers.waiting()) {
            self.peers.turn_came(peer_id);
            self.due(peer_id, now);
        }
    }
}
