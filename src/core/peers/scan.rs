//! What is due for which row, and which rows wait for their turn: scans over the summaries of all
//! rows.

use std::time::Duration;

use super::eviction::EvictionOrder;
use super::peer::{Peer, earlier};
use super::{PROBE_SPACING, Peers};
use crate::core::presence::{PROBE_INTERVAL, Probe};
use crate::core::probe_limiter::Turn;
use crate::core::time::Time;
use crate::model::address::SourcePrefix;
use crate::model::peer_id::Recipient;

/// The part of a row that scans look at, copied after each change of the row. Summaries lie side
/// by side, so a scan of ten thousand takes some ten microseconds. Reading the rows themselves
/// takes half a millisecond, which a user would feel during a flood of invented peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Summary {
    /// The prefix that the row is counted among.
    pub(super) counted: SourcePrefix,
    /// The prefix that the peer is dialed under.
    dialed: SourcePrefix,
    /// `None` for a row that is never evicted.
    pub(super) eviction: Option<EvictionOrder>,
    turn: Option<Turn>,
    /// `None` also while what is due is being done.
    pub(super) wake: Option<Time>,
}

impl Summary {
    pub(super) fn of(peer: &Peer, interval: Duration) -> Self {
        Self {
            counted: peer.counted,
            dialed: peer.addr.share(),
            eviction: EvictionOrder::of(peer),
            turn: peer.turn,
            wake: peer.wake(interval),
        }
    }
}

/// A peer that waits for its turn to be probed or acknowledged.
#[derive(Clone, Copy, Debug)]
pub(in crate::core) struct WaitingPeer<'a> {
    pub(in crate::core) id: &'a Recipient,
    pub(in crate::core) turn: Turn,
    /// The prefix that it is dialed under.
    pub(in crate::core) prefix: SourcePrefix,
}

/// What is due for a peer, besides a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::core) struct Due {
    /// The acknowledgement that had to wait.
    pub(in crate::core) ack: bool,
    /// Its announcement: its name has not come in time, or it is still offline.
    pub(in crate::core) announcement: bool,
}

impl Peers {
    /// How long an online peer may be silent before it is probed, given how many peers there are.
    pub(super) fn interval(&self) -> Duration {
        let all = PROBE_SPACING.saturating_mul(u32::try_from(self.len()).unwrap_or(u32::MAX));
        PROBE_INTERVAL.max(all)
    }

    /// Returns a moment before which no row is due; the first row may be due later.
    ///
    /// A row is due after the interval that was in force at its last change, which is the longer
    /// one if rows were removed since.
    pub(in crate::core) fn next_wake(&self) -> Option<Time> {
        self.wake
    }

    /// Returns the rows that have something due at `now`, the most overdue first. They are due
    /// again only after their next update.
    pub(in crate::core) fn take_due(&mut self, now: Time) -> Vec<Recipient> {
        if self.wake.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.wake = None;
        let mut due = Vec::new();
        for (summary, id) in self.summaries.iter_mut().zip(&self.ids) {
            if summary.wake.is_some_and(|at| at <= now) {
                due.push((summary.wake.take(), *id));
            } else {
                self.wake = earlier(self.wake, summary.wake);
            }
        }
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Returns what is due for a peer, besides a probe. `None` for a peer that is not in the table,
    /// or no longer: it has been listed as offline for long enough.
    pub(in crate::core) fn due(&mut self, id: Recipient, now: Time) -> Option<Due> {
        let peer = self.peer(id)?;
        if peer.removal().is_some_and(|at| at <= now) {
            self.remove(id);
            return None;
        }
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        Some(Due { ack: is_due(peer.acks.due), announcement: is_due(peer.announcement.wake()) })
    }

    /// Returns the probe that is due for a peer, and the prefix that the peer is dialed under.
    pub(in crate::core) fn due_probe(&self, id: Recipient, now: Time) -> Option<(Probe, SourcePrefix)> {
        let peer = self.peer(id)?;
        let (_, probe) = peer.next_probe(self.interval()).filter(|(at, _)| *at <= now)?;
        Some((probe, peer.addr.share()))
    }

    /// Everything due for a peer is done, or waits for its turn. Nothing else stays due.
    pub(in crate::core) fn due_is_done(&mut self, id: Recipient, now: Time) {
        self.update(id, |peer| {
            let waits = peer.turn.is_some();
            peer.acks.due = peer.acks.due.filter(|at| waits || *at > now);
            peer.announcement.is_done(now);
        });
    }

    /// Returns the peers that wait for their turn to be probed or acknowledged, in any order.
    pub(in crate::core) fn waiting(&self) -> impl Iterator<Item = WaitingPeer<'_>> {
        let summaries = self.summaries.iter().zip(&self.ids);
        summaries
            .filter_map(|(summary, id)| Some(WaitingPeer { id, turn: summary.turn?, prefix: summary.dialed }))
    }

    /// Whether a peer is in the table and does not wait for its turn.
    pub(in crate::core) fn may_wait(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(|peer| peer.turn.is_none())
    }

    /// A peer has to wait for its turn to be probed or acknowledged.
    pub(in crate::core) fn waits_for(&mut self, id: Recipient, turn: Turn) {
        self.update(id, |peer| peer.turn = Some(turn));
    }

    /// It is the turn of a peer that waited.
    pub(in crate::core) fn turn_came(&mut self, id: Recipient) {
        self.update(id, |peer| peer.turn = None);
    }
}
