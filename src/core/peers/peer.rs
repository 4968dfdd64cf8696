//! One row of the table.

use std::time::Duration;

use super::acknowledge::Acks;
use super::announce::PendingNews;
use super::program::Program;
use super::{GONE_SHOWN, PeerOrigin};
use crate::core::ids::JobId;
use crate::core::peer_info::{PeerInfo, Verification};
use crate::core::presence::{Presence, PresenceStatus, Probe};
use crate::core::probe_limiter::Turn;
use crate::core::time::Time;
use crate::model::address::{Claimed, PeerAddr, Source, SourcePrefix};
use crate::model::key::PublicKey;
use crate::model::message::PeerProtocol;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::ByeReason;

/// One row of the table.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) number: u32,
    /// The peer, or an address at which no peer has proven itself yet.
    pub(super) id: Recipient,
    /// The address it is dialed at first.
    pub(super) addr: PeerAddr,
    /// The prefix whose rows it is counted among: that of its first address, so that a machine
    /// makes no room for more rows by moving its own.
    pub(super) counted: SourcePrefix,
    /// The user wrote to it, named, verified or accepted it.
    pub(super) contact: bool,
    /// When its key was first proven in this run.
    pub(super) added: Option<Time>,
    /// What its header says, where that is not its address.
    pub(super) claimed: Option<Claimed>,
    /// An IP other than that of `addr` that it was seen to speak from, proven by its answering at
    /// `addr` after it had claimed it.
    pub(super) speaks_from: Option<Source>,
    pub(super) name: Option<PeerName>,
    pub(super) origin: PeerOrigin,
    /// Where else it says that it listens; dialed only with its key expected.
    pub(super) also: Box<[PeerAddr]>,
    /// It did not prove its key when `addr` was dialed last.
    pub(super) is_elsewhere: bool,
    /// The user has compared its key.
    pub(super) verified: bool,
    /// The key that proved itself at this address when it was dialed last, if we do not accept that
    /// key: it waits for the user's decision, is blocked, or is refused by the policy. The key gets
    /// no row, and the address counts as offline.
    pub(super) refused_key: Option<PublicKey>,
    /// Whether it proved its key when `addr` was dialed last; `None` if `addr` was not dialed yet.
    pub(super) is_dialable: Option<bool>,
    /// Why it did not accept us when it was met last, if the user was told.
    pub(super) turned_away: Option<ByeReason>,
    /// The user is still to be told that the key is new.
    pub(super) is_key_untold: bool,
    pub(super) program: Program,
    pub(super) presence: Presence,
    pub(super) last_heard: Option<Time>,
    /// How long before the start of this run it was seen last, if it was.
    pub(super) last_seen: Option<Duration>,
    pub(super) announcement: PendingNews,
    pub(super) acks: Acks,
    /// It waits for its turn to be probed or acknowledged.
    pub(super) turn: Option<Turn>,
    /// The last job begun when one side said goodbye to the other. The results of that job and of
    /// those before it do not bring the peer back online.
    pub(super) left_after: Option<JobId>,
    /// Messages that wait for it.
    pub(super) messages_waiting: usize,
    /// Where its summary is.
    pub(super) slot: usize,
}

impl Peer {
    /// Returns the peer as it is named to the user.
    pub(super) fn info(&self) -> PeerInfo {
        PeerInfo {
            id: self.id,
            name: self.name.clone(),
            addr: Some(self.addr),
            claimed: self.claimed,
            verification: self.verification(),
        }
    }

    /// Dials it at another address from now on. It waits for a probe under the new prefix.
    pub(super) fn moves_to(&mut self, addr: PeerAddr) {
        if self.addr != addr {
            self.is_dialable = None;
        }
        self.addr = addr;
        self.is_elsewhere = false;
        self.turn = None;
    }

    /// Whether it is online as far as we know, or was a moment ago.
    pub(super) fn is_online(&self) -> bool {
        self.status() != PresenceStatus::Offline
    }

    /// Whether it is online and does not refuse our messages. They may wait for it to accept us.
    pub(super) fn is_available(&self) -> bool {
        self.is_online() && self.turned_away != Some(ByeReason::NotAccepted)
    }

    /// Whether it is online for the user: a peer that has not accepted us is not.
    pub(super) fn is_available_to_user(&self) -> bool {
        self.is_available() && self.turned_away != Some(ByeReason::NotDecided)
    }

    /// What the user is shown of its presence.
    pub(super) fn status(&self) -> PresenceStatus {
        if self.refused_key.is_some() { PresenceStatus::Offline } else { self.presence.status() }
    }

    /// Whether the user treats it as a contact, as far as its row shows.
    pub(super) fn is_contact(&self) -> bool {
        self.contact || self.origin == PeerOrigin::Static
    }

    /// It is a contact from now on. Returns whether it was none before.
    pub(super) fn becomes_contact(&mut self) -> bool {
        let is_new = !self.is_contact();
        self.contact = true;
        self.presence.contact();
        is_new
    }

    /// How sure it is that the peer is the one it is named as.
    pub(super) fn verification(&self) -> Verification {
        match self.protocol() {
            PeerProtocol::Session(_) if self.verified => Verification::Verified,
            PeerProtocol::Session(_) => Verification::Encrypted,
            PeerProtocol::Unknown => Verification::Unknown,
            PeerProtocol::Plain => Verification::Plain,
        }
    }

    /// How messages are sent to it, as far as its own answers show.
    pub(super) fn protocol(&self) -> PeerProtocol {
        match self.id {
            Recipient::Peer(PeerId::Key(key)) => PeerProtocol::Session(key),
            Recipient::Peer(PeerId::Legacy(_)) if self.program.is_plain() => PeerProtocol::Plain,
            Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => PeerProtocol::Unknown,
        }
    }

    /// When the row is removed because the peer has been offline for long enough.
    pub(super) fn removal(&self) -> Option<Time> {
        let (since, _) = self.presence.offline()?;
        let stays = self.is_contact() || self.messages_waiting > 0;
        (!stays).then(|| since.plus(GONE_SHOWN))
    }

    /// When and how to probe it next; `None` while an acknowledgement is under way, which shows as
    /// much as a probe.
    pub(super) fn next_probe(&self, interval: Duration) -> Option<(Time, Probe)> {
        if self.acks.is_under_way { None } else { self.presence.next_probe(interval) }
    }

    /// When something is due for it next.
    pub(super) fn wake(&self, interval: Duration) -> Option<Time> {
        // A row that waits for its turn is not due before that.
        let dialed = match self.turn {
            Some(_) => None,
            None => earlier(self.next_probe(interval).map(|(at, _)| at), self.acks.due),
        };
        earlier(dialed, earlier(self.removal(), self.announcement.wake()))
    }
}

/// Returns the earlier of two moments, or the one that is set.
pub(super) fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
