//! The rows of the table as the user sees them.

use std::time::Duration;

use super::PeerOrigin;
use super::peer::Peer;
use crate::core::peer_info::Verification;
use crate::core::presence::{OfflineReason, PresenceStatus};
use crate::core::time::Time;
use crate::model::address::{Claimed, PeerAddr};
use crate::model::key::PublicKey;
use crate::model::message::PeerProtocol;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::ByeReason;

/// A row as the user sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The number that it is chosen by: given once, never given to another.
    pub number: u32,
    /// The peer, or an address at which no peer has proven itself yet.
    pub id: Recipient,
    /// Whether the user treats it as a contact: wrote to it, named, verified, accepted or
    /// configured it.
    pub contact: bool,
    /// What it calls itself, if it has said so or peers.toml does.
    pub name: Option<PeerName>,
    /// The address it is dialed at first; `None` for a peer with a key and no known address.
    pub addr: Option<PeerAddr>,
    /// What its header says, where that is not its address.
    pub claimed: Option<Claimed>,
    /// How messages are sent to it.
    pub protocol: PeerProtocol,
    /// How sure it is that the peer is the one it is named as.
    pub verification: Verification,
    /// Whether it is online.
    pub state: PresenceStatus,
    /// Why it is offline, if it is.
    pub why: Option<OfflineReason>,
    /// How it came to be known.
    pub origin: PeerOrigin,
    /// How long ago something came from it, in this run or an earlier one, if anything did.
    pub last_heard: Option<Duration>,
    /// Why it does not accept messages from us, if it says so.
    pub refuses: Option<ByeReason>,
    /// The key that proved itself at this address, if we do not accept it: it waits for the user's
    /// decision, is blocked, or is refused by the policy.
    pub refused_key: Option<PublicKey>,
    /// It has a session that it dialed, and cannot be dialed itself.
    pub is_one_way: bool,
}

/// Whether a peer counts as online. One that refuses us or has not accepted us yet does not.
pub(super) fn counts_as_online(state: PresenceStatus, refuses: Option<ByeReason>) -> bool {
    matches!(state, PresenceStatus::Connected | PresenceStatus::Online)
        && !matches!(refuses, Some(ByeReason::NotAccepted | ByeReason::NotDecided))
}

impl Row {
    /// Whether the peer counts as online. One that refuses us or has not accepted us yet does not.
    pub fn counts_as_online(&self) -> bool {
        counts_as_online(self.state, self.refuses)
    }

    pub(super) fn of(peer: &Peer, now: Time) -> Self {
        Self {
            number: peer.number,
            id: peer.id,
            contact: peer.is_contact(),
            name: peer.name.clone(),
            addr: Some(peer.addr),
            claimed: peer.claimed,
            protocol: peer.protocol(),
            verification: peer.verification(),
            state: peer.status(),
            why: peer.presence.offline().map(|(_, why)| why),
            origin: peer.origin,
            last_heard: match (peer.last_heard, peer.last_seen) {
                (Some(at), _) => Some(now.since(at)),
                (None, earlier) => earlier.map(|ago| ago.saturating_add(now.since_start())),
            },
            refuses: peer.turned_away,
            refused_key: peer.refused_key,
            is_one_way: peer.is_dialable == Some(false) && peer.presence.has_session(),
        }
    }
}
