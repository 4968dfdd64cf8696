//! Spaces the acknowledgements to a peer: however often it asks, it is not dialed more often.

use std::time::Duration;

use super::Peers;
use crate::core::time::Time;
use crate::model::key::PublicKey;
use crate::model::peer_id::Recipient;

/// The time between two acknowledgements to one peer. A later one is not dropped but waits.
const ACK_SPACING: Duration = Duration::from_secs(2);

/// When an acknowledgement is due at the earliest while another is still under way.
const ACK_LATER: Duration = Duration::from_millis(200);

/// The acknowledgements to one peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Acks {
    /// When the last one was sent.
    pub(super) sent_at: Option<Time>,
    /// When one that has to wait is due.
    pub(super) due: Option<Time>,
    pub(super) is_under_way: bool,
}

/// What happens to an acknowledgement that a peer asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::core) enum AckDecision {
    /// It is sent now.
    Send,
    /// It is due, and waits for its turn.
    NoRoom,
    /// It is due later.
    Later,
}

impl Acks {
    fn decide(&mut self, last: Option<Time>, has_room: bool, now: Time) -> AckDecision {
        let spaced = last.map_or(now, |last| last.plus(ACK_SPACING));
        let due = if self.is_under_way { spaced.max(now.plus(ACK_LATER)) } else { spaced };
        if due <= now && has_room {
            *self = Self { sent_at: Some(now), due: None, is_under_way: true };
            return AckDecision::Send;
        }
        self.due = Some(due);
        if due <= now { AckDecision::NoRoom } else { AckDecision::Later }
    }
}

impl Peers {
    /// A peer asks to be acknowledged. `keys` are those that proved themselves at its address: they
    /// share its spacing.
    pub(in crate::core) fn acknowledge(
        &mut self,
        id: Recipient,
        keys: impl Iterator<Item = PublicKey>,
        has_room: bool,
        now: Time,
    ) -> Option<AckDecision> {
        let of_keys = keys.filter_map(|key| self.peer(Recipient::key(key))?.acks.sent_at);
        let last = of_keys.chain(self.peer(id)?.acks.sent_at).max();
        self.update(id, |peer| peer.acks.decide(last, has_room, now))
    }
}
