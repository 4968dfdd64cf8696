//! What the dialer is asked to do, and what it tells of it.

use std::time::Instant;

use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::{Form, Outgoing, SendError, SendResult};
use crate::model::name::Name;
use crate::model::session::{ByeReason, Request, RequestEnd, SessionReport};
use crate::protocol::session::Hello;

/// Something to be said to somebody.
#[derive(Clone, Debug)]
pub struct Errand {
    /// It is reported under this.
    pub id: u64,
    /// What we are called.
    pub name: Name,
    /// What to say, to whom, and how.
    pub how: How,
    /// When to be done whatever happens.
    pub deadline: Option<Instant>,
}

/// How something is said.
#[derive(Clone, Debug)]
pub enum How {
    /// In plain, on a connection for each message.
    Plain {
        /// To whom.
        to: PeerAddr,
        /// Whom to dial if nobody listens there.
        fallback: Option<PeerAddr>,
        /// The form to write it in.
        form: Form,
        /// What to say.
        message: Outgoing,
    },
    /// In encryption, on a connection that is kept for a while.
    Talk {
        /// Where to dial, in this order; at least one.
        addrs: Vec<PeerAddr>,
        /// The key that has to be proven; none on first contact.
        expect: Option<PublicKey>,
        /// Our hello; the lines in it are filled in.
        hello: Hello,
        /// What to say.
        say: Request,
    },
}

/// What the dialer has to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// A plain errand is done.
    Sent {
        /// Which one.
        id: u64,
        /// The address dialed in the end.
        to: PeerAddr,
        /// Its fate.
        result: SendResult,
        /// How many parts were sent, and how many there are.
        parts: (usize, usize),
        /// The key that the receipt named.
        capability: Option<PublicKey>,
    },
    /// An encrypted errand is done.
    SessionReport {
        /// Which one.
        id: u64,
        /// What became of it.
        talked: SessionReport,
    },
    /// A connection that we have dialed and kept has ended, while nothing was said on it.
    Ended {
        /// Whom it led to.
        key: PublicKey,
        /// What the other side gave for a reason; [`ByeReason::Idle`] where either side ended it in good order without one. `None` where it
        /// broke.
        bye: Option<ByeReason>,
    },
}

/// What is said one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Lane {
    /// All that goes to an address.
    Addr(PeerAddr),
    /// All that goes to a key.
    Key(PublicKey),
}

impl Errand {
    /// The lane it has to wait in; none where it waits for nobody, or where it says nobody to dial.
    pub(super) fn lane(&self) -> Option<Lane> {
        match &self.how {
            How::Plain { message: Outgoing::Probe | Outgoing::Ping, .. } => None,
            How::Plain { to, .. } => Some(Lane::Addr(*to)),
            How::Talk { expect: Some(key), .. } => Some(Lane::Key(*key)),
            How::Talk { addrs, .. } => addrs.first().map(|addr| Lane::Addr(*addr)),
        }
    }

    /// Where it goes first.
    pub(super) fn first_addr(&self) -> Option<PeerAddr> {
        match &self.how {
            How::Plain { to, .. } => Some(*to),
            How::Talk { addrs, .. } => addrs.first().copied(),
        }
    }

    /// The report that nothing of it was said. `None` where it says nobody to dial, which [`Dialer::push`](super::Dialer::push) does not
    /// take.
    pub(super) fn failed(&self, failure: SendError) -> Option<Report> {
        Some(self.ended(
            SendResult::Failed(failure.clone()),
            0,
            RequestEnd::Unreachable(failure),
            self.first_addr()?,
        ))
    }

    /// The report that all of it may have been said, or nothing.
    pub(super) fn broken(&self) -> Option<Report> {
        let written = match &self.how {
            How::Talk { say: Request::Messages(messages), .. } => messages.len(),
            _ => 0,
        };
        Some(self.ended(SendResult::Broken, written, RequestEnd::Broken, self.first_addr()?))
    }

    fn ended(&self, result: SendResult, written: usize, end: RequestEnd, addr: PeerAddr) -> Report {
        let id = self.id;
        match &self.how {
            How::Plain { to, .. } => Report::Sent { id, to: *to, result, parts: (0, 1), capability: None },
            How::Talk { .. } => Report::SessionReport {
                id,
                talked: SessionReport { addr, met: None, written, receipts: Vec::new(), end },
            },
        }
    }
}
