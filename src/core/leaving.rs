//! Leaving: the last attempts to deliver messages, and the goodbyes behind them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::ids::{JobId, OpId};
use super::jobs::{Job, Purpose};
use super::operations::LateGoodbye;
use super::presence::Probe;
use super::time::Time;
use super::{ANSWER_WITHIN, State, Target};
use crate::model::address::PeerAddr;
use crate::model::message::{Outgoing, PeerProtocol};
use crate::model::peer_id::Recipient;
use crate::model::session::Request;

/// How long leaving waits for attempts to reach a peer that was offline: one that is online accepts
/// within this time.
const ATTEMPTS_WITHIN: Duration = Duration::from_millis(500);

/// How long leaving waits until what was entered is stored; a disk that takes longer has stopped.
const STORED_WITHIN: Duration = Duration::from_millis(900);

/// A goodbye that waits until what was entered is stored.
#[derive(Debug)]
struct WaitingGoodbye {
    to: Recipient,
    op: OpId,
    deadline: Option<Time>,
}

/// Goodbyes that wait until what was entered is stored and on its way, so that they go behind it.
#[derive(Debug, Default)]
pub(super) struct Goodbyes {
    /// The program ends, and goodbyes wait until then at most.
    until: Option<Time>,
    /// The command to leave, whose goodbyes all wait.
    leave: Option<OpId>,
    /// Further goodbyes.
    waiting: Vec<WaitingGoodbye>,
}

impl Goodbyes {
    /// The program ends with the command `op`. Returns whether its goodbyes wait for the store.
    fn begin(&mut self, op: OpId, is_storing: bool, now: Time) -> bool {
        self.until = Some(now.plus(STORED_WITHIN));
        self.leave = is_storing.then_some(op);
        is_storing
    }

    /// Whether the program ends and has yet to say its first goodbye.
    fn are_to_come(&self) -> bool {
        self.leave.is_some()
    }

    /// Makes a goodbye wait if it has to go behind a message that is being stored. Returns whether
    /// it waits.
    fn postpone(&mut self, goodbye: WaitingGoodbye, is_storing: bool) -> bool {
        let waits = self.until.is_some() && is_storing;
        self.waiting.extend(waits.then_some(goodbye));
        waits
    }

    /// Returns when the goodbyes that wait for the store wait no longer.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let waits = self.leave.is_some() || !self.waiting.is_empty();
        self.until.filter(|_| waits)
    }

    /// Returns the command to leave and the further goodbyes that waited; `None` while they wait.
    fn take_due(&mut self, is_storing: bool, now: Time) -> Option<(Option<OpId>, Vec<WaitingGoodbye>)> {
        if self.until.is_some_and(|by| by <= now) {
            self.until = None;
        }
        let waits = self.until.is_some() && is_storing;
        (!waits).then(|| (self.leave.take(), std::mem::take(&mut self.waiting)))
    }
}

impl State {
    pub(super) fn leave(&mut self, now: Time) -> OpId {
        self.leaving = true;
        // Messages in the open conversation were shown as they arrived.
        self.open(Vec::new());
        // The next run knows when a contact was online last, however long it was.
        for id in self.targets(Target::All, false) {
            if self.peers.is_online(id) {
                self.seen(id);
            }
        }
        // What waits for a key gets one more chance; the goodbye goes behind it.
        self.last_attempts(now);
        let op = self.operations.leave(now);
        if !self.goodbyes.begin(op, self.outbox.is_storing(), now) {
            self.say_goodbyes(op, now);
        }
        op
    }

    fn say_goodbyes(&mut self, op: OpId, now: Time) {
        let mut targets: HashSet<Recipient> = self.targets(Target::All, false).into_iter().collect();
        let mut attempts = HashSet::new();
        let mut asked = HashMap::new();
        for (id, Job { peer_id, purpose, .. }) in self.jobs.iter() {
            match purpose {
                // Goodbyes wait behind messages, so the status of each message is known before.
                Purpose::Message(_) | Purpose::Batch(_) => {
                    targets.insert(*peer_id);
                }
                Purpose::Connect(_)
                | Purpose::Probe(Probe::Connect)
                | Purpose::Ack
                | Purpose::Greet
                | Purpose::Discovered => {
                    attempts.insert(id);
                }
                Purpose::Ask => {
                    asked.insert(id, *peer_id);
                }
                Purpose::Probe(Probe::Dial) | Purpose::Exit(_) => {}
            }
        }
        // If messages wait for the answer to a question, the goodbye waits for them. The question
        // may be for a peer with a key.
        targets.retain(|peer_id| {
            let at = self.peers.addr(*peer_id);
            !asked.values().any(|asked| asked == peer_id || asked.addr().is_some() && asked.addr() == at)
        });
        attempts.retain(|id| {
            self.jobs.get(*id).is_some_and(|job| {
                // A peer that gets to know our key meanwhile believes no unencrypted goodbye.
                let is_introduced = job.expect.is_some()
                    && !matches!(self.book().protocol_of(job.peer_id), PeerProtocol::Session(_));
                let is_attempt = is_introduced || !targets.contains(&job.peer_id);
                is_attempt && !asked.values().any(|asked| *asked == job.peer_id)
            })
        });
        // A message that was entered is worth more time than an attempt to reach a peer.
        let patience = now.plus(if asked.is_empty() { ATTEMPTS_WITHIN } else { ANSWER_WITHIN });
        attempts.extend(asked.into_keys());
        self.operations.leave_with(op, targets.len(), attempts, patience);
        let mut targets: Vec<Recipient> = targets.into_iter().collect();
        targets.sort_by_key(|peer_id| self.peers.goodbye_order(*peer_id));
        for peer_id in targets {
            self.say_goodbye(peer_id, op, Some(now.plus(ANSWER_WITHIN)));
        }
        self.settle_watches(now);
    }

    /// The program ends: tries queued messages once more, unless they can wait for the next run.
    fn last_attempts(&mut self, now: Time) {
        if !self.durable {
            self.outbox.hurry_all(now);
        }
        self.serve_due(now);
        self.outbox.leave();
        for to in self.outbox.recipients() {
            self.serve(to, now);
        }
    }

    /// An attempt to reach a peer is over. A peer that is reached while we leave is told goodbye.
    pub(super) fn attempted(&mut self, job: JobId, peer_id: Recipient, taken: bool) {
        let goodbye = self.operations.attempted(job, taken);
        self.say_late_goodbye(peer_id, goodbye);
    }

    /// A peer has got to know our key. If we leave, it believes no unencrypted goodbye any more.
    /// `addr` is where it says that it listens.
    pub(super) fn leaves_again(&mut self, peer_id: Recipient, addr: PeerAddr) {
        // It is told goodbye with the others if none was said yet. Behind a queued message, also
        // one to its address, the goodbye waits for the message.
        let mut queues = [peer_id, Recipient::Address(addr)].into_iter();
        if !self.goodbyes.are_to_come() && !queues.any(|to| self.outbox.is_asking(to)) {
            let goodbye = self.operations.introduced();
            self.say_late_goodbye(peer_id, goodbye);
        }
    }

    fn say_late_goodbye(&mut self, peer_id: Recipient, goodbye: Option<LateGoodbye>) {
        if let Some(LateGoodbye { op, deadline }) = goodbye {
            self.say_goodbye(peer_id, op, Some(deadline));
        }
    }

    /// Says goodbye to a peer in the way that messages are sent to it: unencrypted if it was never
    /// asked.
    pub(super) fn say_goodbye(&mut self, peer_id: Recipient, op: OpId, deadline: Option<Time>) {
        let goodbye = WaitingGoodbye { to: peer_id, op, deadline };
        if self.goodbyes.postpone(goodbye, self.outbox.is_storing()) {
            return;
        }
        let purpose = Purpose::Exit(op);
        let has_session = matches!(self.book().protocol_of(peer_id), PeerProtocol::Session(_));
        if has_session || self.trust.is_only_encrypted(peer_id) {
            self.request(peer_id, purpose, Request::Bye, deadline);
        } else {
            self.send_plain(peer_id, purpose, Outgoing::Exit, deadline);
        }
    }

    /// Says the goodbyes if what was entered is stored, or that takes too long.
    pub(super) fn leaves_on(&mut self, now: Time) {
        let Some((leave, waiting)) = self.goodbyes.take_due(self.outbox.is_storing(), now) else { return };
        if let Some(op) = leave {
            self.serve_due(now);
            self.say_goodbyes(op, now);
        }
        for WaitingGoodbye { to, op, deadline } in waiting {
            self.say_goodbye(to, op, deadline);
        }
    }
}
