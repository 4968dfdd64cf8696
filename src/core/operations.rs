//! The user's commands under way: what each of them waits for, and when it is done.
//!
//! In scope: counting recipients, deadlines, and which command a result belongs to. Out of scope:
//! peers, trust and messages. The caller says what happened and acts on what is returned.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::event::{CommandKind, Event, LeftOut};
use super::ids::{JobId, OpId};
use super::peer_info::PeerInfo;
use super::time::Time;
use crate::model::address::PeerAddr;
use crate::model::delivery::{DeliveryStatus, FailureReason};
use crate::model::host::HostAddr;
use crate::model::message::SendResult;
use crate::model::peer_id::Recipient;

/// Failures that a summary names at most: about a screenful. The others are only counted.
const MAX_FAILED_NAMED: usize = 20;

/// What a command waits for.
#[derive(Debug)]
enum Operation {
    /// Something for one or several recipients.
    Spread {
        kind: CommandKind,
        /// It goes to all peers, so it says nothing about how the user knows each of them.
        to_all: bool,
        /// The addresses that the user typed.
        typed: Vec<PeerAddr>,
        total: usize,
        /// Recipients without a result.
        pending: usize,
        done: usize,
        failed: Vec<(PeerInfo, DeliveryStatus)>,
        /// The peers that a message to all leaves out.
        left_out: LeftOut,
        /// The results, if the recipients are the addresses of one host name.
        of_host: Option<OfHost>,
    },
    /// A list of peers that are being probed. Only probes begun after the job `after` count: the
    /// result of an earlier one is too old.
    List { waiting: HashSet<Recipient>, after: u64, deadline: Time },
    /// The first dialing of the configured peers, and the resolving of their names.
    Start { waiting: HashSet<Recipient>, names: BTreeSet<HostAddr>, deadline: Time },
    /// Goodbyes, and attempts to reach peers that were not online. A peer that is reached within
    /// `patience` is told goodbye, too.
    Leave { pending: usize, attempts: HashSet<JobId>, patience: Time },
}

/// The results for the addresses of one host name. One peer often has several of them, and listens
/// at one only, so failures count only if no address is reached.
#[derive(Debug, Default)]
struct OfHost {
    reached: Vec<Recipient>,
    failed: Vec<(PeerInfo, SendResult)>,
}

/// A command that waited for peers and is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// A list, with the number of peers that could not be probed in time.
    List { unasked: usize },
    /// The first dialing of the configured peers.
    Start,
    /// All goodbyes are said.
    Leave,
}

/// A goodbye to a peer that was reached while we leave, and the time until which it is of use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LateGoodbye {
    pub(super) op: OpId,
    pub(super) deadline: Time,
}

/// What a probe of a peer showed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probed {
    /// The peer was dialed, and this machine had what that takes.
    pub(super) was_asked: bool,
    /// It refused, and is asked again before that is believed.
    pub(super) is_doubtful: bool,
    /// It is online, and the user is told so as soon as its name is known.
    pub(super) is_unannounced: bool,
}

/// The commands under way.
#[derive(Debug, Default)]
pub(super) struct Operations {
    under_way: BTreeMap<OpId, Operation>,
    last: u64,
}

impl Operations {
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Returns a number for a command that is not tracked here: a message of an earlier run.
    pub(super) fn next_id(&mut self) -> OpId {
        self.last += 1;
        OpId(self.last)
    }

    /// Begins a command for this many recipients. Each one needs [`Operations::finished`] or
    /// [`Operations::skipped`], and then the command [`Operations::settle`].
    pub(super) fn spread(&mut self, kind: CommandKind, to_all: bool, total: usize) -> OpId {
        let (typed, failed) = (Vec::new(), Vec::new());
        let (pending, done, left_out, of_host) = (total, 0, LeftOut::default(), None);
        self.begin(Operation::Spread { kind, to_all, typed, total, pending, done, failed, left_out, of_host })
    }

    /// Begins a `connect` to a host name. [`Operations::found`] has to follow.
    pub(super) fn connect_to_host(&mut self) -> OpId {
        let op = self.spread(CommandKind::Connect, false, 1);
        if let Some(Operation::Spread { of_host, .. }) = self.under_way.get_mut(&op) {
            *of_host = Some(OfHost::default());
        }
        op
    }

    /// The host name of a command has this many addresses.
    pub(super) fn found(&mut self, op: OpId, count: usize) {
        if let Some(Operation::Spread { total, pending, .. }) = self.under_way.get_mut(&op) {
            (*total, *pending) = (count, count);
        }
    }

    /// Whether the user is told of this result of a command now.
    pub(super) fn is_told(&mut self, op: OpId, who: &PeerInfo, result: &SendResult) -> bool {
        let Some(Operation::Spread { of_host: Some(host), .. }) = self.under_way.get_mut(&op) else {
            return true;
        };
        if !result.is_taken() {
            host.failed.push((who.clone(), result.clone()));
            return false;
        }
        let is_new = !host.reached.contains(&who.id);
        if is_new {
            host.reached.push(who.id);
        }
        is_new
    }

    /// A host name is resolved, or not; `ids` are the static peers that are dialed for it now.
    pub(super) fn resolved(&mut self, host: &HostAddr, ids: &[Recipient]) {
        for operation in self.under_way.values_mut() {
            if let Operation::Start { waiting, names, .. } = operation
                && names.remove(host)
            {
                waiting.extend(ids);
            }
        }
    }

    /// Records the peers that a message to all leaves out.
    pub(super) fn leaves_out(&mut self, op: OpId, peers: LeftOut) {
        if let Some(Operation::Spread { left_out, .. }) = self.under_way.get_mut(&op) {
            *left_out = peers;
        }
    }

    /// Records the addresses that the user typed for a command.
    pub(super) fn dials(&mut self, op: OpId, addrs: Vec<PeerAddr>) {
        if let Some(Operation::Spread { typed, .. }) = self.under_way.get_mut(&op) {
            *typed = addrs;
        }
    }

    /// Whether the user typed this address for a command.
    pub(super) fn was_typed(&self, op: OpId, addr: PeerAddr) -> bool {
        matches!(self.under_way.get(&op), Some(Operation::Spread { typed, .. }) if typed.contains(&addr))
    }

    /// Whether a command goes to recipients that the user named.
    pub(super) fn is_direct(&self, op: OpId) -> bool {
        matches!(self.under_way.get(&op), Some(Operation::Spread { to_all: false, .. }))
    }

    /// Begins a list that waits for probes begun after the job `after`.
    pub(super) fn list(&mut self, waiting: HashSet<Recipient>, after: u64, deadline: Time) -> OpId {
        self.begin(Operation::List { waiting, after, deadline })
    }

    /// Begins the first dialing of the configured peers, some of which have these names.
    pub(super) fn start(
        &mut self,
        waiting: HashSet<Recipient>,
        names: BTreeSet<HostAddr>,
        deadline: Time,
    ) -> OpId {
        self.begin(Operation::Start { waiting, names, deadline })
    }

    /// Begins to leave. [`Operations::leave_with`] has to follow.
    pub(super) fn leave(&mut self, now: Time) -> OpId {
        self.begin(Operation::Leave { pending: 1, attempts: HashSet::new(), patience: now })
    }

    /// Waits for this many goodbyes, and until `patience` for these attempts to reach others.
    pub(super) fn leave_with(&mut self, op: OpId, pending: usize, attempts: HashSet<JobId>, patience: Time) {
        self.under_way.insert(op, Operation::Leave { pending, attempts, patience });
    }

    fn begin(&mut self, operation: Operation) -> OpId {
        let op = self.next_id();
        self.under_way.insert(op, operation);
        op
    }

    /// Records the result for one recipient. Returns what the command does and its number of
    /// recipients, if each of them is told of.
    pub(super) fn finished(
        &mut self,
        op: OpId,
        who: &PeerInfo,
        status: &DeliveryStatus,
    ) -> Option<(CommandKind, usize)> {
        // The user has read why before anything was sent.
        let is_rejected = matches!(status, DeliveryStatus::Failed(FailureReason::Rejected(_)));
        match self.under_way.get_mut(&op)? {
            Operation::Spread { kind, total, pending, done, failed, .. } => {
                *pending -= 1;
                if matches!(status, DeliveryStatus::Delivered | DeliveryStatus::Sent) {
                    *done += 1;
                } else if failed.len() < MAX_FAILED_NAMED && !is_rejected {
                    failed.push((who.clone(), status.clone()));
                }
                Some((*kind, *total))
            }
            Operation::Leave { pending, .. } => {
                *pending -= 1;
                None
            }
            Operation::List { .. } | Operation::Start { .. } => None,
        }
    }

    /// Records that one recipient gets no result of its own.
    pub(super) fn skipped(&mut self, op: OpId) {
        if let Some(Operation::Spread { pending, .. }) = self.under_way.get_mut(&op) {
            *pending -= 1;
        }
    }

    /// Ends a command to recipients if all of them have their results. Returns what the user is
    /// told.
    pub(super) fn settle(&mut self, op: OpId) -> Vec<Event> {
        if !matches!(self.under_way.get(&op), Some(Operation::Spread { pending: 0, .. })) {
            return Vec::new();
        }
        let Some(Operation::Spread { kind, mut total, mut done, mut failed, left_out, of_host, .. }) =
            self.under_way.remove(&op)
        else {
            return Vec::new();
        };
        let mut told = Vec::new();
        if let Some(OfHost { reached, failed: not_reached }) = of_host {
            if reached.is_empty() {
                let kind = CommandKind::Connect;
                let failed = |(who, result)| Event::Done { op, kind, who, result, total };
                told.extend(not_reached.into_iter().map(failed));
            } else {
                (total, done) = (reached.len(), reached.len());
                failed.clear();
            }
        }
        let is_summed = total > 1 || left_out != LeftOut::default();
        let sum = is_summed.then_some(Event::Sum { kind, total, done, failed, left_out });
        told.extend(sum.into_iter().chain([Event::Settled(op)]));
        told
    }

    /// Ends the commands that wait for no peer any more, or that have waited long enough.
    pub(super) fn end_watches(&mut self, now: Time) -> Vec<(OpId, Ended)> {
        let ended = |operation: &Operation| match operation {
            Operation::List { waiting, deadline, .. } => {
                let is_over = waiting.is_empty() || *deadline <= now;
                is_over.then_some(Ended::List { unasked: waiting.len() })
            }
            Operation::Start { waiting, names, deadline } => {
                let is_over = waiting.is_empty() && names.is_empty() || *deadline <= now;
                is_over.then_some(Ended::Start)
            }
            Operation::Leave { pending, attempts, patience } => {
                (*pending == 0 && (attempts.is_empty() || *patience <= now)).then_some(Ended::Leave)
            }
            Operation::Spread { .. } => None,
        };
        let ended: Vec<(OpId, Ended)> =
            self.under_way.iter().filter_map(|(op, operation)| Some((*op, ended(operation)?))).collect();
        for (op, _) in &ended {
            self.under_way.remove(op);
        }
        ended
    }

    /// When [`Operations::end_watches`] has something to do at the latest.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let deadline = |operation: &Operation| match operation {
            Operation::List { deadline, .. } | Operation::Start { deadline, .. } => Some(*deadline),
            Operation::Leave { pending, patience, .. } => (*pending == 0).then_some(*patience),
            Operation::Spread { .. } => None,
        };
        self.under_way.values().filter_map(deadline).min()
    }

    /// Waits for the peer that proved itself at an address instead of the address.
    pub(super) fn rename(&mut self, from: Recipient, to: Recipient) {
        for operation in self.under_way.values_mut() {
            if let Operation::List { waiting, .. } | Operation::Start { waiting, .. } = operation
                && waiting.remove(&from)
            {
                waiting.insert(to);
            }
        }
    }

    /// The probe `job` of a peer is over.
    pub(super) fn probed(&mut self, id: Recipient, job: JobId, probed: Probed) {
        for operation in self.under_way.values_mut() {
            match operation {
                Operation::List { waiting, after, .. }
                    if !probed.is_doubtful && probed.was_asked && job.0 > *after =>
                {
                    waiting.remove(&id);
                }
                Operation::Start { waiting, .. } if !probed.is_unannounced => {
                    waiting.remove(&id);
                }
                _ => {}
            }
        }
    }

    /// The user was told that a peer is online: the first dialing need not wait for it.
    pub(super) fn announced(&mut self, id: Recipient) {
        for operation in self.under_way.values_mut() {
            if let Operation::Start { waiting, .. } = operation {
                waiting.remove(&id);
            }
        }
    }

    /// Something arrived from a peer: no list need wait for it.
    pub(super) fn heard_from(&mut self, id: Recipient) {
        for operation in self.under_way.values_mut() {
            if let Operation::List { waiting, .. } = operation {
                waiting.remove(&id);
            }
        }
    }

    /// Whether a list waits for a peer.
    pub(super) fn lists(&self, id: Recipient) -> bool {
        let waits = |operation: &Operation| matches!(operation, Operation::List { waiting, .. } if waiting.contains(&id));
        self.under_way.values().any(waits)
    }

    /// The attempt `job` to reach a peer goes on as the job `next`.
    pub(super) fn goes_on(&mut self, job: JobId, next: JobId) {
        for operation in self.under_way.values_mut() {
            if let Operation::Leave { attempts, .. } = operation
                && attempts.remove(&job)
            {
                attempts.insert(next);
            }
        }
    }

    /// The attempt `job` to reach a peer is over. Returns the goodbye to say if it was reached
    /// while we leave.
    pub(super) fn attempted(&mut self, job: JobId, is_reached: bool) -> Option<LateGoodbye> {
        for (op, operation) in &mut self.under_way {
            if let Operation::Leave { pending, attempts, patience } = operation
                && attempts.remove(&job)
                && is_reached
            {
                *pending += 1;
                return Some(LateGoodbye { op: *op, deadline: *patience });
            }
        }
        None
    }

    /// A peer got to know our key just now. Returns the goodbye to say if we leave.
    pub(super) fn introduced(&mut self) -> Option<LateGoodbye> {
        self.under_way.iter_mut().find_map(|(op, operation)| match operation {
            Operation::Leave { pending, patience, .. } => {
                *pending += 1;
                Some(LateGoodbye { op: *op, deadline: *patience })
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
