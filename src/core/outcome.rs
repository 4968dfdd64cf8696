//! What the end of a request for a session shows: who is there, whether it accepts us, and what
//! became of the request.

use super::ids::JobId;
use super::jobs::{Job, Purpose};
use super::outbox::BatchEnd;
use crate::model::address::PeerAddr;
use crate::model::delivery::{FailureReason, PendingReason};
use crate::model::key::PublicKey;
use crate::model::message::{SendError, SendResult};
use crate::model::peer_id::Recipient;
use crate::model::session::{ByeReason, RequestEnd};

/// What the end of a request shows.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) job: JobId,
    /// Whom the request was for.
    pub(super) asked_for: Recipient,
    /// Whom the end shows something of: the peer that proved itself at the address that was asked
    /// for, or else the one that was asked for.
    pub(super) peer_id: Recipient,
    pub(super) purpose: Purpose,
    /// The key that had to be proven.
    pub(super) expect: Option<PublicKey>,
    /// The receipt for a message of ours had promised the session.
    pub(super) follows_receipt: bool,
    /// A session was opened for it.
    has_opened: bool,
    /// Who has proven a key, or the key if it is not accepted.
    pub(super) proven: Option<Result<Recipient, PublicKey>>,
    /// Where the key was proven, or the address that was tried last.
    pub(super) at: Option<PeerAddr>,
    /// That is what was asked for, and not another address, to which a connection was kept.
    is_here: bool,
    pub(super) end: RequestEnd,
}

impl Outcome {
    pub(super) fn of(id: JobId, job: Job, at: Option<PeerAddr>, end: RequestEnd) -> Self {
        let Job { peer_id: asked_for, dialed, purpose, expect, follows_receipt, met } = job;
        // A session that was open before is not reported again, and its peer is welcome.
        let was_open = expect.filter(|_| end == RequestEnd::Answered).map(|key| Ok(Recipient::key(key)));
        let proven = met.map(|(_, who)| who).or(was_open);
        let at = met.map(|(addr, _)| addr).or(at);
        let is_here = at == dialed || asked_for.public_key().is_some();
        let peer_id = match proven {
            Some(Ok(id)) if is_here => id,
            _ => asked_for,
        };
        let has_opened = met.is_some();
        Self {
            job: id,
            asked_for,
            peer_id,
            purpose,
            expect,
            follows_receipt,
            has_opened,
            proven,
            at,
            is_here,
            end,
        }
    }

    /// Whether a key was proven where it was asked for.
    pub(super) fn was_met(&self) -> bool {
        self.proven.is_some() && self.is_here
    }

    /// Whether a key answered where a legacy peer was asked.
    pub(super) fn is_another(&self) -> bool {
        self.peer_id != self.asked_for && matches!(self.asked_for, Recipient::Peer(_))
    }

    pub(super) fn is_discovered(&self) -> bool {
        self.purpose == Purpose::Discovered
    }

    /// Whether it was only to show whether the peer can be dialed. The answer does not say whether
    /// the peer accepts us.
    pub(super) fn is_check(&self) -> bool {
        self.is_discovered() || self.purpose == Purpose::Greet && self.asked_for.public_key().is_some()
    }

    /// Whether the peer accepts us. One that dialed us may still refuse us after our hello, unless
    /// it takes messages.
    pub(super) fn is_accepted(&self) -> bool {
        let takes_messages = matches!(self.purpose, Purpose::Batch(_) | Purpose::Probe(_));
        self.end == RequestEnd::Answered && (takes_messages || self.has_opened && !self.is_check())
    }

    /// Why the peer does not accept us, if it does not.
    pub(super) fn refusal(&self) -> Option<ByeReason> {
        match self.end {
            RequestEnd::Bye(reason @ (ByeReason::NotAccepted | ByeReason::NotDecided)) => Some(reason),
            _ => None,
        }
    }

    /// What it shows of the peer: only one that has proven its key is online, whatever program
    /// serves the address.
    pub(super) fn seen(&self) -> SendResult {
        match &self.end {
            _ if !self.is_here => SendResult::Unanswered,
            RequestEnd::Answered | RequestEnd::Bye(_) | RequestEnd::NotStored(_) => SendResult::Delivered,
            RequestEnd::Unreachable(failure) => SendResult::Failed(failure.clone()),
            RequestEnd::Broken if self.was_met() => SendResult::Delivered,
            _ => SendResult::Unanswered,
        }
    }

    /// The result for the user. `is_unknown` says whether nothing is known of a key.
    pub(super) fn result(&self, is_unknown: impl FnOnce(PublicKey) -> bool) -> SendResult {
        match self.proven {
            // A key that refused us before its hello does not wait for the user.
            Some(Err(key)) if self.refusal().is_none() || !is_unknown(key) => {
                SendResult::Failed(SendError::NotTrusted(Box::new(key)))
            }
            Some(Ok(_)) if !self.is_here => SendResult::Unanswered,
            _ => result_of(&self.end),
        }
    }

    /// What it means for the messages that it was to send.
    pub(super) fn batch_end(&self) -> BatchEnd {
        BatchEnd::Held(match &self.end {
            RequestEnd::Answered => return BatchEnd::Answered,
            RequestEnd::Bye(ByeReason::NotAccepted) => return BatchEnd::Refused(FailureReason::NotAccepted),
            RequestEnd::NoSession => PendingReason::NoSession,
            RequestEnd::WrongKey(_) => PendingReason::WrongKey,
            RequestEnd::Bye(ByeReason::NotDecided) => PendingReason::NotAcceptedYet,
            RequestEnd::Bye(ByeReason::NoRoom) | RequestEnd::NotStored(_) => PendingReason::NoRoom,
            RequestEnd::Incompatible => PendingReason::Incompatible,
            RequestEnd::NotSecure => PendingReason::NotSecure,
            RequestEnd::Unreachable(_) | RequestEnd::Ourselves | RequestEnd::Bye(_) | RequestEnd::Broken => {
                PendingReason::Unreachable
            }
        })
    }
}

/// The result of a request that ended like this, for the user.
fn result_of(end: &RequestEnd) -> SendResult {
    SendResult::Failed(match end {
        RequestEnd::Answered => return SendResult::Delivered,
        RequestEnd::Broken => return SendResult::Unanswered,
        RequestEnd::Unreachable(failure) => failure.clone(),
        RequestEnd::NoSession => SendError::NoSession,
        RequestEnd::WrongKey(_) => SendError::WrongKey,
        // The peer is not at our own address.
        RequestEnd::Ourselves => SendError::NoRoute,
        RequestEnd::Incompatible => SendError::Incompatible,
        RequestEnd::NotSecure => SendError::NotSecure,
        RequestEnd::Bye(reason) => SendError::TurnedAway(*reason),
        RequestEnd::NotStored(_) => SendError::TurnedAway(ByeReason::NoRoom),
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const BOB: PublicKey = PublicKey::new([1; 32]);
    const EVE: PublicKey = PublicKey::new([2; 32]);

    fn at(port: u16) -> PeerAddr {
        PeerAddr::new(Ipv4Addr::LOCALHOST, port).unwrap()
    }

    /// A request to an address, with Bob's key expected there.
    fn to_address(purpose: Purpose) -> Job {
        Job {
            peer_id: Recipient::Address(at(1)),
            dialed: Some(at(1)),
            purpose,
            expect: Some(BOB),
            follows_receipt: true,
            met: None,
        }
    }

    fn ends(job: Job, end: RequestEnd) -> Outcome {
        Outcome::of(JobId(1), job, Some(at(1)), end)
    }

    #[test]
    fn proven_peer_takes_the_place_of_its_address() {
        let met = Some((at(1), Ok(Recipient::key(BOB))));
        let outcome = ends(Job { met, ..to_address(Purpose::Ask) }, RequestEnd::Broken);
        assert_eq!(outcome.peer_id, Recipient::key(BOB));
        assert!(outcome.was_met() && !outcome.is_another());
        assert_eq!(outcome.seen(), SendResult::Delivered, "it is online");
        assert_eq!(outcome.result(|_| true), SendResult::Unanswered, "whatever became of the request");
    }

    #[test]
    fn unwelcome_key_is_named_unless_it_refused_us() {
        let job = Job { met: Some((at(1), Err(EVE))), ..to_address(Purpose::Ask) };
        let not_trusted = SendResult::Failed(SendError::NotTrusted(Box::new(EVE)));
        let refused = ends(job, RequestEnd::Bye(ByeReason::NotAccepted));
        assert_eq!(refused.result(|_| false), not_trusted);
        assert_eq!(
            refused.result(|_| true),
            SendResult::Failed(SendError::TurnedAway(ByeReason::NotAccepted))
        );
        assert_eq!(ends(job, RequestEnd::Broken).result(|_| true), not_trusted);
    }
}
