//! What follows from time passing.

use super::event::{Event, Output};
use super::presence::Probe;
use super::refusals::RefusalSummary;
use super::time::Time;
use super::{Purpose, State};
use crate::model::message::Outgoing;
use crate::model::peer_id::Recipient;
use crate::model::session::Say;

impl State {
    /// When [`State::tick`] has something to do next, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Time> {
        let messages = self.outbox.next_wake();
        let looks = [self.peers.next_wake(), self.probe_limiter.next_wake(), messages].into_iter().flatten();
        let leaves = self.leaves_by();
        let deadline = self.operations.next_deadline();
        let unasked = looks.filter(|_| !self.leaving);
        deadline.into_iter().chain(leaves).chain(unasked).chain(self.refusals.next_wake()).min()
    }

    /// Does what has become due.
    pub fn tick(&mut self, now: Time) -> Vec<Output> {
        if !self.leaving {
            // A peer that waits was due before those that become due now.
            self.serve_waiting(now);
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
        }
        self.leaves_on(now);
        if let Some(RefusalSummary { sources, others }) = self.refusals.due(now) {
            self.tell(Event::Refused { sources, others });
        }
        self.settle_watches(now);
        self.done()
    }

    /// Does what is due for a peer.
    pub(super) fn due(&mut self, peer_id: Recipient, now: Time) {
        if self.peers.is_outlived(peer_id, now) {
            self.peers.remove(peer_id);
            return;
        }
        let interval = self.peers.interval();
        let Some(peer) = self.peers.peer(peer_id) else { return };
        let ack = peer.ack_due.is_some_and(|at| at <= now);
        let tell = peer.tell_at.is_some_and(|at| at <= now);
        if ack {
            self.acknowledge(peer_id, now);
        }
        if tell {
            self.announce(peer_id, now);
        }
        let probe = self.peers.peer(peer_id).and_then(|peer| peer.next_probe(interval));
        if let Some((_, probe)) = probe.filter(|(at, _)| *at <= now) {
            if self.peers.peer(peer_id).is_some_and(|peer| self.probe_limiter.has_room(peer.prefix())) {
                self.probe(peer_id, probe, None);
            } else {
                self.wait_for_room(peer_id);
            }
        }
        // Nothing stays due that is past and does not wait for its turn.
        self.peers.update(peer_id, |peer| {
            let waits = peer.turn.is_some();
            peer.ack_due = peer.ack_due.filter(|at| waits || *at > now);
            peer.tell_at = peer.tell_at.filter(|at| *at > now);
        });
    }

    /// Probes a peer now.
    pub(super) fn probe(&mut self, peer_id: Recipient, probe: Probe, deadline: Option<Time>) {
        let Some((wants_ping, parted, prefix)) = self.peers.update(peer_id, |peer| {
            peer.presence.probe_begins();
            (peer.wants_ping, peer.presence.has_left(), peer.prefix())
        }) else {
            return;
        };
        self.probe_limiter.begin(prefix);
        if parted && probe == Probe::Dial && !wants_ping {
            // A hello would undo the goodbye; that somebody listens there is all that is asked.
            self.transmit(peer_id, Purpose::Probe(probe), Outgoing::Probe, deadline);
            return;
        }
        if self.is_only_encrypted(peer_id) {
            let say = if probe == Probe::Connect { Say::Greet } else { Say::Ping };
            self.talk(peer_id, Purpose::Probe(probe), say, deadline);
            return;
        }
        let message = match probe {
            Probe::Connect => Outgoing::Connect,
            Probe::Dial if wants_ping => Outgoing::Ping,
            Probe::Dial => Outgoing::Probe,
        };
        self.transmit(peer_id, Purpose::Probe(probe), message, deadline);
    }
}
