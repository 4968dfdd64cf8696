//! What the dialer is asked to do, and what it reports.

use std::time::Instant;

use crate::model::address::PeerAddr;
use crate::model::message::{Capability, Form, Outgoing, SendError, SendResult};
use crate::model::name::Name;

/// An unencrypted message to be sent.
#[derive(Clone, Debug)]
pub struct Errand {
    /// It is reported under this.
    pub id: u64,
    /// What we are called.
    pub name: Name,
    /// Where to dial.
    pub to: PeerAddr,
    /// Where to dial if nothing listens there.
    pub fallback: Option<PeerAddr>,
    /// The form to write it in.
    pub form: Form,
    /// What to send.
    pub message: Outgoing,
    /// When it has to be over.
    pub deadline: Option<Instant>,
}

/// What became of an [`Errand`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Which one.
    pub id: u64,
    /// The address dialed in the end.
    pub to: PeerAddr,
    /// What became of it.
    pub result: SendResult,
    /// How many parts were sent, and how many there are.
    pub parts: (usize, usize),
    /// What the receipt says about sessions.
    pub capability: Option<Capability>,
}

impl Errand {
    /// The address whose other messages it has to wait for; `None` if it waits for none.
    pub(super) fn queue(&self) -> Option<PeerAddr> {
        match self.message {
            Outgoing::Probe | Outgoing::Ping => None,
            _ => Some(self.to),
        }
    }

    /// The report that nothing was sent.
    pub(super) fn failed(&self, failure: SendError) -> Report {
        self.ended(SendResult::Failed(failure))
    }

    /// The report that all of it may have been sent, or nothing.
    pub(super) fn broken(&self) -> Report {
        self.ended(SendResult::Broken)
    }

    fn ended(&self, result: SendResult) -> Report {
        Report { id: self.id, to: self.to, result, parts: (0, 1), capability: None }
    }
}
