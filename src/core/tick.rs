//! What follows from time passing.

use std::time::Duration;

use super::State;
use super::event::{Event, Output};
use super::peers::Due;
use super::time::Time;
use crate::model::peer_id::Recipient;

/// How often the store is told that the peers that are online are seen: after a crash, "last seen"
/// is this much too early at most, and a run of a day writes each peer 144 times.
pub(super) const SEEN_INTERVAL: Duration = Duration::from_secs(600);

/// How long an address is not probed while a key has to prove itself there.
const CHECK_WITHIN: Duration = Duration::from_secs(1);

impl State {
    /// When [`State::tick`] has something to do next, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Time> {
        let messages = self.outbox.next_wake();
        let announced = self.discovery.next_wake();
        let looks = [
            self.peers.next_wake(),
            self.probe_limiter.next_wake(),
            self.hosts.next_wake(),
            messages,
            announced,
        ];
        let deadline = self.operations.next_deadline();
        let unasked = looks.into_iter().flatten().filter(|_| !self.leaving);
        deadline
            .into_iter()
            .chain(self.goodbyes.next_wake())
            .chain(unasked)
            .chain(self.refusals.next_wake())
            .min()
    }

    /// Does what has become due.
    pub fn tick(&mut self, now: Time) -> Vec<Output> {
        if !self.leaving {
            // A peer that waits was due before those that become due now.
            self.serve_waiting(now);
            self.look_up_due(now);
        }
        loop {
            let due = if self.leaving { Vec::new() } else { self.peers.take_due(now) };
            if due.is_empty() {
                break;
            }
            due.into_iter().for_each(|peer_id| self.due(peer_id, now));
        }
        if !self.leaving {
            self.serve_due(now);
            self.tell_discovered(now);
            self.dial_discovered(now);
            self.refresh_seen(now);
        }
        self.leaves_on(now);
        if let Some((sources, others)) = self.refusals.due(now) {
            self.tell(Event::Refused { sources, others });
        }
        self.settle_watches(now);
        self.done()
    }

    /// Has the store remember that the peers that are online are seen now, if that is due. It needs
    /// no wake of its own: a peer that is online is probed more often.
    ///
    /// The store writer takes all of it in one transaction.
    pub(super) fn refresh_seen(&mut self, now: Time) {
        if now.since(self.seen_at) >= SEEN_INTERVAL {
            self.seen_at = now;
            self.peers.all_online().into_iter().for_each(|id| self.seen(id));
        }
    }

    /// Does what is due for a peer.
    pub(super) fn due(&mut self, peer_id: Recipient, now: Time) {
        let Some(Due { ack, announcement }) = self.peers.due(peer_id, now) else { return };
        if ack {
            self.acknowledge(peer_id, now);
        }
        if announcement {
            self.announce(peer_id, now);
        }
        if let Some((probe, prefix)) = self.peers.due_probe(peer_id, now) {
            if matches!(peer_id, Recipient::Address(addr) if self.jobs.is_checked(addr)) {
                // That shows more than a probe.
                self.peers.probe_later(peer_id, now.plus(CHECK_WITHIN));
            } else if !self.probe_limiter.has_room(prefix) {
                self.wait_for_room(peer_id);
            } else if let Err(at) = self.look_up_for_probe(peer_id, now) {
                self.peers.probe_later(peer_id, at);
            } else if let Err(at) = self.dial_for_probe(peer_id, now) {
                self.peers.probe_later(peer_id, at);
            } else {
                self.probe(peer_id, probe, None, now);
            }
        }
        self.peers.due_is_done(peer_id, now);
    }

    /// Lets a peer wait for its turn to be probed or acknowledged, unless it already waits.
    pub(super) fn wait_for_room(&mut self, peer_id: Recipient) {
        if self.peers.may_wait(peer_id) {
            self.peers.waits_for(peer_id, self.probe_limiter.next_turn());
        }
    }

    /// Probes or acknowledges the peers whose turn it is, as long as there is room.
    fn serve_waiting(&mut self, now: Time) {
        if !self.probe_limiter.is_to_serve(now) {
            return;
        }
        while let Some(peer_id) = self.probe_limiter.next_of(self.peers.waiting()) {
            self.peers.turn_came(peer_id);
            self.due(peer_id, now);
        }
    }
}
