//! Announces peers: the user is told once that a peer is online, and once that it is offline.

use std::time::Duration;

use super::Peers;
use super::peer::Peer;
use crate::core::event::PeerInfo;
use crate::core::presence::OfflineReason;
use crate::core::time::Time;
use crate::model::message::PeerProtocol;
use crate::model::peer_id::Recipient;

/// How long an online peer may stay unannounced because its name has not come yet.
pub(in crate::core) const NAME_WITHIN: Duration = Duration::from_millis(300);

/// What the user is told of a peer's presence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::core) enum PresenceNews {
    /// The peer is online.
    Online(PeerInfo),
    /// The peer is offline, for this reason.
    Offline(PeerInfo, OfflineReason),
}

/// Whether the user knows that a peer is online.
#[derive(Clone, Debug, Default)]
pub(super) struct Announcement {
    is_told: bool,
    /// When the user is told at the latest that it is online; until then its name may come.
    due: Option<Time>,
}

impl Announcement {
    /// When the peer has to be announced.
    pub(super) fn due(&self) -> Option<Time> {
        self.due
    }

    pub(super) fn is_due(&self, now: Time) -> bool {
        self.due.is_some_and(|at| at <= now)
    }

    /// Nothing is due that is past.
    pub(super) fn drop_due(&mut self, now: Time) {
        self.due = self.due.filter(|at| *at > now);
    }

    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    /// The user reads something of the peer, so they know that it is online.
    pub(super) fn tell(&mut self) {
        self.is_told = true;
        self.due = None;
    }

    /// The peer is offline. Returns whether the user knew that it was online.
    fn take(&mut self) -> bool {
        std::mem::take(self).is_told
    }

    /// Sets a time for the announcement, unless it has one. Returns whether that has passed.
    fn is_overdue(&mut self, now: Time) -> bool {
        *self.due.get_or_insert(now.plus(NAME_WITHIN)) <= now
    }
}

impl Peer {
    /// Announces the peer if that is due: it is certainly online, and its name is known or overdue.
    /// A message of the peer follows at once if `with_message` is set, so nothing is waited for.
    pub(super) fn announce(&mut self, with_message: bool, now: Time) -> Option<PresenceNews> {
        let is_certain = self.presence.is_proven() || self.program.shook_hands();
        if self.announcement.is_told() || !self.is_online() || !is_certain {
            return None;
        }
        let is_overdue = with_message || self.announcement.is_overdue(now);
        // A peer is not called unencrypted while it is still being asked what it can do.
        if (self.name.is_none() || self.protocol() == PeerProtocol::Unknown) && !is_overdue {
            return None;
        }
        self.announcement.tell();
        Some(PresenceNews::Online(self.info()))
    }

    /// The peer is offline from now on. Returns what the user is told, if they knew that it was
    /// online and did not want it to end.
    pub(super) fn goes_offline(&mut self, why: OfflineReason) -> Option<PresenceNews> {
        self.acks.cancel();
        let was_told = self.announcement.take();
        // If a peer only ever claimed to be online, its absence is no news, but its goodbye is.
        let is_news = match why {
            OfflineReason::SaidGoodbye => true,
            OfflineReason::Disconnected => false,
            _ => self.presence.is_proven() || self.program.shook_hands(),
        };
        (was_told && is_news).then(|| PresenceNews::Offline(self.info(), why))
    }
}

impl Peers {
    /// Announces a peer if that is due. `is_claimed` says that a peer with a key claims this
    /// address, which was announced instead.
    pub(in crate::core) fn announce(
        &mut self,
        id: Recipient,
        is_claimed: bool,
        now: Time,
    ) -> Option<PresenceNews> {
        if is_claimed {
            return None;
        }
        self.update(id, |peer| peer.announce(false, now))?
    }

    /// The user reads a message of a peer, and so knows that it is online.
    pub(in crate::core) fn message_shown(&mut self, id: Recipient) -> Option<PeerInfo> {
        self.update(id, |peer| {
            peer.announcement.tell();
            peer.info()
        })
    }

    /// Whether a peer is online and the user is still to be told so.
    pub(in crate::core) fn is_unannounced(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(|peer| peer.is_online() && !peer.announcement.is_told())
    }
}
