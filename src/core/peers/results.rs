//! What the results of jobs show of a peer: that it answered, refused, promised sessions.

use super::Peers;
use super::announce::PresenceNews;
use super::program::Promise;
use crate::core::ids::JobId;
use crate::core::jobs::Purpose;
use crate::core::peer_info::PeerInfo;
use crate::core::presence::{OfflineReason, ProbeResult, REFUSAL_REPEAT};
use crate::core::time::Time;
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::message::{Capability, SendError, SendResult};
use crate::model::peer_id::Recipient;
use crate::model::session::ByeReason;

/// How a peer is probed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::core) struct ProbeStart {
    /// With `PING`, which its program wants.
    pub(in crate::core) wants_ping: bool,
    /// One side has left the other, and the peer's program may still be running.
    pub(in crate::core) has_left: bool,
    /// The prefix that it is dialed under.
    pub(in crate::core) prefix: SourcePrefix,
}

impl Peers {
    /// A probe of a peer begins.
    pub(in crate::core) fn probe_begins(&mut self, id: Recipient) -> Option<ProbeStart> {
        self.update(id, |peer| {
            peer.presence.probe_begins();
            ProbeStart {
                wants_ping: peer.program.wants_ping,
                has_left: peer.presence.has_left(),
                prefix: peer.addr.share(),
            }
        })
    }

    /// A peer is not probed before this time.
    pub(in crate::core) fn probe_later(&mut self, id: Recipient, at: Time) {
        self.update(id, |peer| peer.presence.probe_later(at));
    }

    /// A job for a peer is over, with this result. The result of something that was sent to it
    /// anyway delays no probe. If the peer was not probed after all, the next probe comes later.
    pub(in crate::core) fn job_ended(
        &mut self,
        id: Recipient,
        purpose: Purpose,
        seen: &SendResult,
        now: Time,
    ) {
        self.update(id, |peer| match purpose {
            Purpose::Probe(_) => {
                peer.presence.probe_ended(now);
                if !seen.was_dialed() {
                    peer.presence.probe_later(now.plus(REFUSAL_REPEAT));
                }
            }
            Purpose::Ack => {
                peer.acks.is_under_way = false;
                peer.presence.unasked();
            }
            Purpose::Message(_)
            | Purpose::Connect(_)
            | Purpose::Ask
            | Purpose::Greet
            | Purpose::Discovered
            | Purpose::Batch(_) => peer.presence.unasked(),
            Purpose::Exit(_) => {}
        });
    }

    /// Takes the result of something that was sent to a peer; `evidence` is what it shows if the
    /// peer took it. `is_claimed` says that a peer with a key claims this address, which is
    /// announced instead.
    pub(in crate::core) fn observed(
        &mut self,
        id: Recipient,
        result: &SendResult,
        evidence: ProbeResult,
        is_claimed: bool,
        now: Time,
    ) -> Option<PresenceNews> {
        self.update(id, |peer| {
            let why_offline = match result {
                SendResult::Delivered | SendResult::HandedOver | SendResult::NoReceipt => {
                    peer.program.gives_receipts |= *result == SendResult::Delivered;
                    peer.presence.answered(evidence, now);
                    if peer.is_online() {
                        peer.last_heard = Some(now);
                    }
                    None
                }
                SendResult::Failed(SendError::Refused) => {
                    peer.presence.refused(now).then_some(OfflineReason::Refused)
                }
                SendResult::Failed(SendError::NoResources | SendError::Cancelled) => None,
                SendResult::Unanswered
                | SendResult::Broken
                | SendResult::Astray(_)
                | SendResult::Failed(_) => peer.presence.unanswered(now).then_some(OfflineReason::NoAnswer),
            };
            let news = match why_offline {
                Some(why) => peer.goes_offline(why, now),
                None if is_claimed => None,
                None => peer.announce(false, now),
            };
            if *result == SendResult::Failed(SendError::Refused) && !peer.is_online() {
                // Another program may listen there next, and what this one took may harm that one.
                peer.program.forget();
            }
            news
        })?
    }

    /// Whether a peer refused, and is probed again before that is believed.
    pub(in crate::core) fn is_doubtful(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(|peer| peer.presence.is_doubtful())
    }

    /// Whether one side has left the other since a job began.
    pub(in crate::core) fn has_left_since(&self, id: Recipient, job: JobId) -> bool {
        self.peer(id).and_then(|peer| peer.left_after).is_some_and(|left| job <= left)
    }

    /// Whether a peer has acknowledged something of ours.
    pub(in crate::core) fn gives_receipts(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(|peer| peer.program.gives_receipts)
    }

    /// A peer was found at `to`, the address that it claims: it listens there, and speaks from
    /// elsewhere on this machine.
    pub(in crate::core) fn found_at(&mut self, id: Recipient, to: PeerAddr) {
        self.update(id, |peer| {
            peer.speaks_from = Some(peer.addr.source());
            peer.moves_to(to);
            peer.claimed = peer.claimed.filter(|claimed| claimed.ip != to.ip());
        });
    }

    /// A legacy peer has read an unencrypted message of ours and promised no session.
    pub(in crate::core) fn took_plain(&mut self, id: Recipient) {
        self.update(id, |peer| {
            peer.program.took_plain = true;
            peer.name = peer.program.introduced_as.take().or(peer.name.take());
        });
    }

    /// What the receipt of a peer promised, if it is neither kept nor shown to be false.
    pub(in crate::core) fn promised(&self, id: Recipient) -> Option<Capability> {
        self.peer(id)?.program.promise.get()
    }

    /// The receipt of a peer promised sessions.
    pub(in crate::core) fn promises(&mut self, id: Recipient, promise: Capability) {
        self.update(id, |peer| peer.program.promise = Promise::Made(promise));
    }

    /// What the receipt of a peer promised, unless the peer did not answer the opening line since.
    pub(in crate::core) fn untried_promise(&self, id: Recipient) -> Option<Capability> {
        self.peer(id)?.program.promise.untried()
    }

    /// Returns whether a probe of a peer that begins asks it whether it has sessions.
    pub(in crate::core) fn take_question(&mut self, id: Recipient) -> bool {
        self.update(id, |peer| peer.program.promise.take_question()) == Some(true)
    }

    /// The next probe of a peer asks it whether it has sessions.
    pub(in crate::core) fn wants_promise(&mut self, id: Recipient) {
        self.update(id, |peer| peer.program.promise.wanted());
    }

    /// A peer did not answer the opening line. If it promised sessions, it is asked once more.
    pub(in crate::core) fn left_promise_open(&mut self, id: Recipient) {
        self.update(id, |peer| peer.program.promise.left_open());
    }

    /// What a peer promised was shown to be false.
    pub(in crate::core) fn broke_promise(&mut self, id: Recipient) {
        self.update(id, |peer| peer.program.promise.broken());
    }

    /// A peer does not accept us, for this reason. Returns whether that is news to the user.
    pub(in crate::core) fn turned_away(&mut self, id: Recipient, reason: ByeReason) -> bool {
        // It may not have proven yet that it is the peer at its address, of which the user was
        // told.
        let at_addr = self.peer(id).map(|peer| Recipient::Address(peer.addr)).filter(|at| *at != id);
        let told = at_addr.and_then(|at| self.peer(at)?.turned_away);
        let is_known = self.update(id, |peer| peer.turned_away.replace(reason) == Some(reason));
        is_known != Some(true) && told != Some(reason)
    }

    /// A peer accepts us. Returns it if it refused us before.
    pub(in crate::core) fn accepted_us(&mut self, id: Recipient) -> Option<PeerInfo> {
        self.update(id, |peer| {
            let refused = peer.turned_away.take() == Some(ByeReason::NotAccepted);
            refused.then(|| {
                peer.announcement.tell();
                peer.info()
            })
        })?
    }
}
