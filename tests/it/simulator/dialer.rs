//! The dialer's contract (src/net/dialer.rs) without threads: a bounded number at once, for each
//! peer one message after the other, probes waiting for nobody, parts of a text one by one, the
//! fallback where the first address refuses.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use p2p_chat::core::{JobId, PlainRequest};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::message::{Outgoing, SendError, SendResult};
use p2p_chat::net::{MAX_DIALERS, MAX_ERRANDS};

/// An errand, the deadline of which is counted from the start of its process.
pub(super) type Errand = PlainRequest;

/// An errand under way.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) errand: Errand,
    /// The address dialed now.
    pub(super) to: PeerAddr,
    /// The part sent now.
    pub(super) part: usize,
    worst: SendResult,
    /// What became of it at the first address, if this is the second.
    first: Option<(SendResult, (usize, usize))>,
}

/// What follows from the fate of one connection.
pub(super) enum Next {
    /// Another connection.
    Dial,
    /// The errand is over: where it went in the end, its fate, and its parts.
    Over(PeerAddr, SendResult, (usize, usize)),
}

impl Running {
    fn of(errand: Errand) -> Self {
        let to = errand.to;
        Self { errand, to, part: 0, worst: SendResult::Delivered, first: None }
    }

    /// What `say` and `run` do with the fate of one connection.
    pub(super) fn exchanged(&mut self, result: SendResult) -> Next {
        let total = match &self.errand.message {
            Outgoing::Text(parts) => parts.len(),
            _ => 1,
        };
        let (result, parts) = match result {
            SendResult::Delivered | SendResult::HandedOver => {
                if result == SendResult::HandedOver {
                    self.worst = result;
                }
                self.part += 1;
                if self.part < total {
                    return Next::Dial;
                }
                (self.worst.clone(), (total, total))
            }
            bad => (bad, (self.part, total)),
        };
        match (self.first.take(), self.errand.fallback) {
            (None, Some(other)) if result == SendResult::Failed(SendError::Refused) && parts.0 == 0 => {
                self.first = Some((result, parts));
                self.to = other;
                self.part = 0;
                self.worst = SendResult::Delivered;
                Next::Dial
            }
            (Some((first, none)), _) if matches!(result, SendResult::Failed(_)) && parts.0 == 0 => {
                Next::Over(self.errand.to, first, none)
            }
            _ => Next::Over(self.to, result, parts),
        }
    }
}

pub(super) fn is_probe(message: &Outgoing) -> bool {
    matches!(message, Outgoing::Probe | Outgoing::Ping)
}

#[derive(Clone, Debug, Default)]
pub(super) struct Dialer {
    ready: VecDeque<Errand>,
    lanes: BTreeMap<PeerAddr, VecDeque<Errand>>,
    running: BTreeMap<JobId, Running>,
    pub(super) errands: usize,
    /// Threads that there may be.
    limit: usize,
}

impl Dialer {
    /// With fewer threads than the real one, if `limit` says so: then errands wait for them.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.min(MAX_DIALERS), ..Self::default() }
    }

    pub(super) fn push(&mut self, errand: Errand) {
        self.errands += 1;
        assert!(self.errands <= MAX_ERRANDS, "the real one takes no more");
        if is_probe(&errand.message) {
            self.ready.push_back(errand);
        } else if let Some(lane) = self.lanes.get_mut(&errand.to) {
            lane.push_back(errand);
        } else {
            self.lanes.insert(errand.to, VecDeque::new());
            self.ready.push_back(errand);
        }
    }

    /// The next errand that a thread takes up, if there is a thread.
    pub(super) fn begin(&mut self) -> Option<JobId> {
        if self.running.len() >= self.limit {
            return None;
        }
        let errand = self.ready.pop_front()?;
        let job = errand.job;
        self.running.insert(job, Running::of(errand));
        Some(job)
    }

    pub(super) fn running(&mut self, job: JobId) -> Option<&mut Running> {
        self.running.get_mut(&job)
    }

    /// An errand was reported, and its thread goes on with what waits for the same peer.
    pub(super) fn end(&mut self, job: JobId) {
        let Some(Running { errand, .. }) = self.running.remove(&job) else { return };
        self.errands -= 1;
        if is_probe(&errand.message) {
            return;
        }
        match self.lanes.get_mut(&errand.to).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_front(next),
            None => drop(self.lanes.remove(&errand.to)),
        }
    }
}

/// How long one connection may take to be made, and to be over, given when the errand has to end.
pub(super) fn limits(
    message: &Outgoing,
    now: Duration,
    deadline: Option<Duration>,
) -> Option<(Duration, Duration)> {
    use p2p_chat::net::{CONNECT_TIMEOUT, EOF_TIMEOUT, PROBE_TIMEOUT};

    let probe = is_probe(message);
    let whole = if probe { PROBE_TIMEOUT } else { CONNECT_TIMEOUT + EOF_TIMEOUT };
    let end = deadline.unwrap_or(now + whole).min(now + whole);
    let connect = (if probe { PROBE_TIMEOUT } else { CONNECT_TIMEOUT }).min(end.saturating_sub(now));
    (!connect.is_zero()).then_some((now + connect, end))
}
