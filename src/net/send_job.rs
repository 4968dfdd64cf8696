//! The jobs of the dialer, and its reports about them.

use std::time::Instant;

use crate::model::address::PeerAddr;
use crate::model::message::{Capability, Form, Outgoing, SendError, SendResult};
use crate::model::name::Name;

/// A request to the dialer to send an unencrypted message.
#[derive(Clone, Debug)]
pub struct SendJob {
    /// The id that its report repeats.
    pub id: u64,
    /// Our name in the message's header.
    pub name: Name,
    /// The address to dial.
    pub to: PeerAddr,
    /// The address to dial if the first one refuses.
    pub fallback: Option<PeerAddr>,
    /// The form of the message on the wire.
    pub form: Form,
    /// The message.
    pub message: Outgoing,
    /// The time by which the job has to end.
    pub deadline: Option<Instant>,
}

/// The result of a [`SendJob`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The id of the job.
    pub id: u64,
    /// The address dialed last.
    pub to: PeerAddr,
    /// The result; of a message in parts, the worst of theirs.
    pub result: SendResult,
    /// The number of parts that were sent, and of all parts.
    pub parts: (usize, usize),
    /// What the receipt says about sessions.
    pub capability: Option<Capability>,
}

impl SendJob {
    /// Returns the address in whose queue the job waits for its turn; `None` if it does not wait.
    pub(super) fn queue(&self) -> Option<PeerAddr> {
        match self.message {
            Outgoing::Probe | Outgoing::Ping => None,
            _ => Some(self.to),
        }
    }

    /// Returns the report that nothing was sent.
    pub(super) fn failed(&self, failure: SendError) -> Report {
        self.report(SendResult::Failed(failure))
    }

    /// Returns the report that the message may have been sent or not.
    pub(super) fn broken(&self) -> Report {
        self.report(SendResult::Broken)
    }

    fn report(&self, result: SendResult) -> Report {
        Report { id: self.id, to: self.to, result, parts: (0, 1), capability: None }
    }
}
