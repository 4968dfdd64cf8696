//! The dialer's contract (src/net/dialer.rs) without threads: a bounded number at once, one message
//! after the other for each peer, probes at any time, parts one by one, and the fallback where the
//! first address refuses.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use p2p_chat::core::{JobId, PlainRequest};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::message::{Outgoing, SendError, SendResult};
use p2p_chat::net::{MAX_DIALERS, MAX_SEND_JOBS};

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) request: PlainRequest,
    /// The address dialed now.
    pub(super) to: PeerAddr,
    /// The part sent now.
    pub(super) part: usize,
    worst: SendResult,
    /// The result at the first address, if this is the second.
    first: Option<(SendResult, (usize, usize))>,
}

/// What follows the result of one connection.
pub(super) enum Next {
    /// Another connection.
    Dial,
    /// The request is over: its last address, its result, and its parts.
    Over(PeerAddr, SendResult, (usize, usize)),
}

impl Running {
    fn of(request: PlainRequest) -> Self {
        let to = request.to;
        Self { request, to, part: 0, worst: SendResult::Delivered, first: None }
    }

    /// Does what `say` and `run` do with the result of one connection.
    pub(super) fn exchanged(&mut self, result: SendResult) -> Next {
        let total = match &self.request.message {
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
        match (self.first.take(), self.request.fallback) {
            (None, Some(other)) if result == SendResult::Failed(SendError::Refused) && parts.0 == 0 => {
                self.first = Some((result, parts));
                self.to = other;
                self.part = 0;
                self.worst = SendResult::Delivered;
                Next::Dial
            }
            (Some((first, none)), _) if matches!(result, SendResult::Failed(_)) && parts.0 == 0 => {
                Next::Over(self.request.to, first, none)
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
    ready: VecDeque<PlainRequest>,
    queues: BTreeMap<PeerAddr, VecDeque<PlainRequest>>,
    running: BTreeMap<JobId, Running>,
    pub(super) jobs: usize,
    /// Threads at most.
    limit: usize,
}

impl Dialer {
    /// With fewer threads than the real one if `limit` says so, so that jobs wait for them.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.min(MAX_DIALERS), ..Self::default() }
    }

    pub(super) fn push(&mut self, request: PlainRequest) {
        self.jobs += 1;
        assert!(self.jobs <= MAX_SEND_JOBS, "the real one takes no more");
        if is_probe(&request.message) {
            self.ready.push_back(request);
        } else if let Some(queue) = self.queues.get_mut(&request.to) {
            queue.push_back(request);
        } else {
            self.queues.insert(request.to, VecDeque::new());
            self.ready.push_back(request);
        }
    }

    /// Starts the next request, if a thread is free.
    pub(super) fn begin(&mut self) -> Option<JobId> {
        if self.running.len() >= self.limit {
            return None;
        }
        let request = self.ready.pop_front()?;
        let job = request.job;
        self.running.insert(job, Running::of(request));
        Some(job)
    }

    pub(super) fn running(&mut self, job: JobId) -> Option<&mut Running> {
        self.running.get_mut(&job)
    }

    /// Ends a request. Its thread goes on with the next one for the same peer.
    pub(super) fn end(&mut self, job: JobId) {
        let Some(Running { request, .. }) = self.running.remove(&job) else { return };
        self.jobs -= 1;
        if is_probe(&request.message) {
            return;
        }
        match self.queues.get_mut(&request.to).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_front(next),
            None => drop(self.queues.remove(&request.to)),
        }
    }
}

/// Returns when one connection has to be made, and to be over.
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
