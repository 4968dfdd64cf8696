//! Limits the probes and acknowledgements that the user did not request, and decides which peer is
//! next when there is room.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Duration;

use super::ids::JobId;
use super::peers::{MAX_PEERS, WaitingPeer};
use super::presence::REFUSAL_REPEAT;
use super::time::Time;
use super::trust::MAX_CONTACTS;
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::fair_share::FairShare;
use crate::model::peer_id::Recipient;

/// The maximum number of probes and acknowledgements in progress that the user did not request.
/// Dials to contacts count too. If each takes a second without an answer, 32 at a time still probe
/// a full table within six minutes. A source that invents any number of peers causes no more dials
/// at a time than this.
pub(super) const MAX_CHECKS_UNDER_WAY: usize = 32;

/// The minimum time between two dials to one address of strangers that the user did not request. It
/// holds for any number of keys, so strangers cannot make us dial a target more often. A stranger
/// that does not answer is offline after the second dial, as after
/// [`GONE_AFTER`](super::GONE_AFTER).
pub(super) const STRANGER_DIAL_SPACING: Duration = Duration::from_secs(10);

/// The maximum number of strangers' addresses that are dialed within [`STRANGER_DIAL_SPACING`]: one
/// for each row that the table has for strangers.
const MAX_STRANGER_DIALS: usize = MAX_PEERS - MAX_CONTACTS;

/// A place in the order in which peers began to wait. The lowest has waited longest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Turn(NonZeroU64);

#[cfg(test)]
impl Turn {
    pub(super) fn new(turn: u64) -> Self {
        Self(NonZeroU64::new(turn).expect("turns are counted from 1"))
    }
}

/// The probes and acknowledgements in progress, shared fairly between the prefixes that they go to.
///
/// A peer for which there is no room waits for its turn and causes no work meanwhile. The next peer
/// is from the prefix with the fewest in progress, and is the one there that has waited longest.
#[derive(Debug)]
pub(super) struct ProbeLimiter {
    under_way: FairShare,
    /// The prefix under which each job is counted, even if the job dials another address or the
    /// peer moves meanwhile.
    jobs: HashMap<JobId, SourcePrefix>,
    /// The last turn that a waiting peer was given.
    last_turn: Turn,
    /// Whether a peer may be waiting. If it is set, only a scan of the peers shows whether one is.
    may_wait: bool,
    /// When to serve the next waiting peer, because room has become free. While a peer waits, this
    /// is set or a job is in progress.
    serve_at: Option<Time>,
    /// When each address of strangers was last dialed, if that was less than
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
    /// Returns whether there is room for a job that the user did not request.
    pub(super) fn has_room(&self, prefix: SourcePrefix) -> bool {
        self.under_way.has_room(prefix)
    }

    /// Returns how many jobs are in progress.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.used()
    }

    /// Returns whether no job is in progress.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Counts a job that begins. A job that the user requested begins even without room.
    pub(super) fn begin(&mut self, job: JobId, prefix: SourcePrefix) {
        self.jobs.insert(job, prefix);
        self.under_way.take(prefix);
    }

    /// Counts `next` instead of `job`, if `job` is counted.
    pub(super) fn goes_on(&mut self, job: JobId, next: JobId) {
        if let Some(prefix) = self.jobs.remove(&job) {
            self.jobs.insert(next, prefix);
        }
    }

    /// Frees the room of a job that has ended, if it is counted. A waiting peer may be served now,
    /// or after [`REFUSAL_REPEAT`] if this machine had no resources to dial, because the next job
    /// would fail at once too.
    pub(super) fn end(&mut self, job: JobId, had_none: bool, now: Time) {
        let Some(prefix) = self.jobs.remove(&job) else { return };
        self.under_way.release(prefix);
        let next_at = if had_none { now.plus(REFUSAL_REPEAT) } else { now };
        if self.may_wait && self.under_way.free() > 0 {
            self.serve_at = Some(self.serve_at.map_or(next_at, |at| at.min(next_at)));
        }
    }

    /// Counts a dial to a stranger at these addresses that the user did not request.
    ///
    /// # Errors
    /// When to try again, if one of them was dialed recently, or too many others were.
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

    /// Returns when a waiting peer may be served.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.serve_at
    }

    pub(super) fn next_turn(&mut self) -> Turn {
        self.may_wait = true;
        self.last_turn = Turn(self.last_turn.0.saturating_add(1));
        self.last_turn
    }

    /// Returns whether the waiting peers are to be served now, which they are once for each place
    /// that became free.
    pub(super) fn is_to_serve(&mut self, now: Time) -> bool {
        self.serve_at.take_if(|at| *at <= now).is_some()
    }

    /// Returns the waiting peer whose turn it is, if there is room for it.
    pub(super) fn next_of<'a>(
        &mut self,
        waiting: impl Iterator<Item = WaitingPeer<'a>>,
    ) -> Option<Recipient> {
        if self.under_way.free() == 0 {
            return None;
        }
        let mut next: Option<((usize, Turn), WaitingPeer<'_>)> = None;
        for peer in waiting {
            // No prefix has fewer than none, so most peers need no lookup of their prefix.
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
