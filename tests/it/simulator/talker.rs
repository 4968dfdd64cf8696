//! The lanes of encrypted errands (src/net/errand.rs): for each key one after the other; and the connections that are kept.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use p2p_chat::core::{JobId, SessionRequest};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::session::{Met, Request, RequestEnd};

use super::peer::Pid;

/// What waits for each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Lane {
    Addr(PeerAddr),
    Key(PublicKey),
}

/// The encrypted errands of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Talker {
    lanes: BTreeMap<Lane, VecDeque<SessionRequest>>,
    ready: VecDeque<SessionRequest>,
    /// Queued and under way.
    pub(super) errands: usize,
    pub(super) kept: BTreeMap<PublicKey, Kept>,
}

/// A connection that was dialed and is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) target: Pid,
    pub(super) addr: PeerAddr,
    /// Unlike that of any other, so that what was planned for an earlier one does not happen to this.
    pub(super) stamp: u64,
    /// It is broken, and this side has not noticed.
    pub(super) broken: bool,
}

/// An encrypted errand under way.
#[derive(Debug)]
pub(super) struct Talking {
    pub(super) from: Pid,
    pub(super) talk: SessionRequest,
    /// What is waited for now; what comes for an earlier phase comes too late.
    pub(super) phase: u64,
    /// Addresses that were dialed.
    pub(super) dialed: usize,
    pub(super) open_by: Duration,
    pub(super) end: Option<Duration>,
    /// The most telling of what was found so far, in vain.
    pub(super) worst: Option<(PeerAddr, Option<Met>, RequestEnd)>,
    /// Who is talked to, once both have said hello.
    pub(super) with: Option<With>,
    pub(super) written: usize,
    pub(super) receipts: Vec<MessageId>,
    /// A second attempt, on a new connection.
    pub(super) is_second: bool,
}

#[derive(Clone, Debug)]
pub(super) struct With {
    pub(super) target: Pid,
    pub(super) addr: PeerAddr,
    pub(super) met: Met,
}

fn lane(talk: &SessionRequest) -> Lane {
    talk.expect.map_or(Lane::Addr(talk.addrs[0]), Lane::Key)
}

impl Talker {
    pub(super) fn push(&mut self, talk: SessionRequest) {
        self.errands += 1;
        match self.lanes.get_mut(&lane(&talk)) {
            Some(waiting) => waiting.push_back(talk),
            None => {
                self.lanes.insert(lane(&talk), VecDeque::new());
                self.ready.push_back(talk);
            }
        }
    }

    pub(super) fn begin(&mut self) -> Option<SessionRequest> {
        self.ready.pop_front()
    }

    /// One was reported; what waits for the same key goes on.
    pub(super) fn end(&mut self, talk: &SessionRequest) {
        self.errands -= 1;
        match self.lanes.get_mut(&lane(talk)).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_front(next),
            None => drop(self.lanes.remove(&lane(talk))),
        }
    }
}

/// What is said, for counting.
pub(super) fn say_of(say: &Request) -> &'static str {
    match say {
        Request::Open => "greeting",
        Request::Ping => "ping",
        Request::Messages(_) => "turn",
        Request::Bye => "bye",
    }
}

/// How it ended, for counting.
pub(super) fn end_of(end: &RequestEnd) -> &'static str {
    match end {
        RequestEnd::Answered => "answered",
        RequestEnd::Unreachable(_) => "unreachable",
        RequestEnd::NoSession => "no ok",
        RequestEnd::WrongKey(_) => "wrong key",
        RequestEnd::Ourselves => "ourselves",
        RequestEnd::Incompatible => "incompatible",
        RequestEnd::NotSecure => "not secure",
        RequestEnd::Bye(_) => "turned away",
        RequestEnd::Broken => "broken",
    }
}

/// How much an end tells, if the addresses of one peer end differently (src/net/talk/opening.rs).
pub(super) fn weight(end: &RequestEnd) -> u8 {
    match end {
        RequestEnd::WrongKey(_) => 5,
        RequestEnd::NoSession => 4,
        RequestEnd::NotSecure | RequestEnd::Incompatible => 3,
        RequestEnd::Ourselves => 2,
        RequestEnd::Broken => 1,
        RequestEnd::Unreachable(_) | RequestEnd::Answered | RequestEnd::Bye(_) => 0,
    }
}

/// A job's number beside its process: what the rules know it by.
pub(super) fn job_of(talking: &Talking) -> JobId {
    talking.talk.job
}
