//! The jobs of the dialer.

use std::time::Instant;

use crate::core::{JobId, PlainResult};
use crate::model::address::PeerAddr;
use crate::model::message::{Form, Outgoing, SendError, SendResult};
use crate::model::name::Name;

/// A request to the dialer to send an unencrypted message.
#[derive(Clone, Debug)]
pub struct SendJob {
    /// The number that its result repeats.
    pub id: JobId,
    /// Our name in the message's header.
    pub name: Name,
    /// The address to dial.
    pub to: PeerAddr,
    /// The address to dial if the first one refuses.
    pub fallback: Option<PeerAddr>,
    /// The form of the message on the wire.
    pub form: Form,
    pub message: Outgoing,
    /// The time by which the job has to end.
    pub deadline: Option<Instant>,
}

impl SendJob {
    /// Returns the address in whose queue the job waits for its turn; `None` if it does not wait.
    pub(super) fn queue(&self) -> Option<PeerAddr> {
        match self.message {
            Outgoing::Probe | Outgoing::Ping => None,
            _ => Some(self.to),
        }
    }

    /// Returns the result that nothing was sent.
    pub(super) fn failed(&self, failure: SendError) -> PlainResult {
        self.ended(SendResult::Failed(failure))
    }

    /// Returns a [`PlainResult`] with this result and no sent part.
    pub(super) fn ended(&self, result: SendResult) -> PlainResult {
        PlainResult { job: self.id, to: self.to, result, parts: (0, 1), capability: None }
    }
}
