//! What is on its way to peers: each request has a number, under which its result comes back.

use std::collections::HashMap;

use super::ids::{JobId, OpId};
use super::presence::{Probe, ProbeResult};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::peer_id::Recipient;

/// What a request is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// An unencrypted message.
    Message(MessageId),
    /// `connect`, because the user wants it.
    Connect(OpId),
    /// A goodbye.
    Exit(OpId),
    /// An acknowledgement of `connect`.
    Ack,
    Probe(Probe),
    /// Messages wait until it is known how to write to the recipient.
    Ask,
    /// The peer has promised or claims a key, which it has to prove.
    Greet,
    /// The peer announces itself on the local network.
    Discovered,
    /// Messages to a key.
    Batch(PublicKey),
}

impl Purpose {
    /// Whether it asks what kind of peer is there, with a `connect` if it is sent unencrypted.
    pub(super) fn is_question(self) -> bool {
        matches!(self, Self::Probe(Probe::Connect) | Self::Connect(_) | Self::Ask)
    }

    /// Whether it says something that a program reads, and is no goodbye.
    pub(super) fn says_something(self) -> bool {
        self.is_question() || matches!(self, Self::Message(_) | Self::Ack)
    }

    /// What it shows of a peer whose program takes it; `None` for a goodbye.
    pub(super) fn evidence(self) -> Option<ProbeResult> {
        match self {
            Self::Exit(_) => None,
            // An acknowledgement that was taken shows that a program serves the address, as any
            // message does.
            Self::Message(_) | Self::Ack => Some(ProbeResult::TookMessage),
            Self::Connect(_) | Self::Probe(Probe::Connect) | Self::Ask => Some(ProbeResult::TookConnect),
            Self::Probe(Probe::Dial) | Self::Greet | Self::Discovered | Self::Batch(_) => {
                Some(ProbeResult::Dialed)
            }
        }
    }
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    /// The recipient. An address is replaced by the peer that proves itself there.
    pub(super) peer_id: Recipient,
    /// What is dialed first, if an address is known.
    pub(super) dialed: Option<PeerAddr>,
    pub(super) purpose: Purpose,
    /// The key that has to be proven.
    pub(super) expect: Option<PublicKey>,
    /// The receipt for a message of ours has promised sessions.
    pub(super) follows_receipt: bool,
    /// Where a session was opened for it, and who is there, or the key there if it is not accepted.
    pub(super) met: Option<(PeerAddr, Result<Recipient, PublicKey>)>,
}

/// The requests under way.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    under_way: HashMap<JobId, Job>,
    last: JobId,
}

impl Jobs {
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// The request that began last. What comes of it and of earlier ones is older than what happens
    /// now.
    pub(super) fn last(&self) -> JobId {
        self.last
    }

    /// Begins a request to a recipient. `expect` is the key that has to be proven.
    pub(super) fn begin(
        &mut self,
        peer_id: Recipient,
        dialed: Option<PeerAddr>,
        purpose: Purpose,
        expect: Option<PublicKey>,
    ) -> JobId {
        self.last = JobId(self.last.0 + 1);
        let job = Job { peer_id, dialed, purpose, expect, follows_receipt: false, met: None };
        self.under_way.insert(self.last, job);
        self.last
    }

    /// Records that a receipt has promised the session of a request.
    pub(super) fn follows_receipt(&mut self, id: JobId) {
        if let Some(job) = self.under_way.get_mut(&id) {
            job.follows_receipt = true;
        }
    }

    /// The request with this number, if it is under way.
    pub(super) fn get(&self, id: JobId) -> Option<&Job> {
        self.under_way.get(&id)
    }

    pub(super) fn end(&mut self, id: JobId) -> Option<Job> {
        self.under_way.remove(&id)
    }

    /// Puts back a request that goes on.
    pub(super) fn goes_on(&mut self, id: JobId, job: Job) {
        self.under_way.insert(id, job);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.under_way.iter().map(|(id, job)| (*id, job))
    }

    /// Whether a key that claims an address is being dialed there.
    pub(super) fn is_checked(&self, addr: PeerAddr) -> bool {
        self.iter().any(|(_, job)| job.dialed == Some(addr) && job.purpose == Purpose::Greet)
    }

    /// Whether a goodbye to a key is under way.
    pub(super) fn says_goodbye_to(&self, key: PublicKey) -> bool {
        self.iter().any(|(_, job)| job.expect == Some(key) && matches!(job.purpose, Purpose::Exit(_)))
    }

    /// Gives the requests to an address to the peer that proved itself there. An unencrypted
    /// message that is being sent belongs to the address if that peer has a key.
    pub(super) fn rebind(&mut self, from: Recipient, to: Recipient) {
        for job in self.under_way.values_mut().filter(|job| job.peer_id == from) {
            if to.public_key().is_none() || !matches!(job.purpose, Purpose::Message(_)) {
                job.peer_id = to;
            }
        }
    }
}
