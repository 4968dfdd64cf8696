//! Announces peers: the user is told once that a peer is online, and once that it is offline.

use std::time::Duration;

use super::Peers;
use super::peer::{Peer, earlier};
use crate::core::peer_info::PeerInfo;
use crate::core::presence::{OfflineReason, REFUSAL_REPEAT};
use crate::core::time::Time;
use crate::model::message::PeerProtocol;
use crate::model::peer_id::Recipient;
use crate::model::session::ByeReason;

/// How long an online peer may stay unannounced because its name has not come yet.
pub(in crate::core) const NAME_WITHIN: Duration = Duration::from_millis(300);

/// How long an online peer may stay unannounced because it is not known yet whether it has a key. A
/// p2p-chat peer first sends an unencrypted `connect`, and its session follows within this time
/// also on a busy machine.
pub(in crate::core) const KIND_WITHIN: Duration = Duration::from_secs(2);

/// How long a peer has to be offline before the user is told, unless it said goodbye. A program
/// that is started again, or a session that breaks and is opened again, takes less.
pub(in crate::core) const OFFLINE_TOLD_AFTER: Duration = Duration::from_secs(3);

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
pub(super) struct PendingNews {
    is_told: bool,
    /// When the user is told at the latest that it is online; until then its name or key may come.
    pub(super) due: Option<Time>,
    /// When the user is told that it is offline, and why, unless it is online again by then.
    offline: Option<(Time, OfflineReason)>,
}

impl PendingNews {
    /// The user reads something of the peer, so they know that it is online.
    pub(super) fn tell(&mut self) {
        *self = Self { is_told: true, due: None, offline: None };
    }

    /// When the user is to be told something.
    pub(super) fn wake(&self) -> Option<Time> {
        earlier(self.due, self.offline.map(|(at, _)| at))
    }

    /// What was due is done.
    pub(super) fn is_done(&mut self, now: Time) {
        self.due = self.due.filter(|at| *at > now);
        self.offline = self.offline.filter(|(at, _)| *at > now);
    }
}

impl Peer {
    /// Announces the peer if that is due: it is certainly online, and its name is known or overdue.
    /// A message of the peer follows at once if `with_message` is set, so nothing is waited for.
    pub(super) fn announce(&mut self, with_message: bool, now: Time) -> Option<PresenceNews> {
        let is_certain = self.presence.is_proven() || self.program.shook_hands;
        if self.announcement.is_told || !self.is_available_to_user() || !is_certain {
            return None;
        }
        // A peer is not called unencrypted while it is still being asked what it can do.
        let is_unknown = self.protocol() == PeerProtocol::Unknown;
        let within = if is_unknown { KIND_WITHIN } else { NAME_WITHIN };
        let due = earlier(self.announcement.due, Some(now.plus(within)));
        self.announcement.due = due;
        let is_overdue = with_message || due.is_some_and(|due| due <= now);
        if (self.name.is_none() || is_unknown) && !is_overdue {
            return None;
        }
        self.announcement.tell();
        Some(PresenceNews::Online(self.info()))
    }

    /// The peer is offline from now on. Returns what the user is told at once, if they knew that it
    /// was online and did not want it to end.
    pub(super) fn goes_offline(&mut self, why: OfflineReason, now: Time) -> Option<PresenceNews> {
        self.acks.due = None;
        let was_told = self.announcement.is_told;
        // If a peer only ever claimed to be online, its absence is no news, but its goodbye is.
        let is_news = match why {
            OfflineReason::SaidGoodbye => true,
            OfflineReason::Disconnected => false,
            // It has not been online for the user since it refused us.
            _ if self.turned_away == Some(ByeReason::NotAccepted) => false,
            _ => self.presence.is_proven() || self.program.shook_hands,
        };
        if was_told && is_news && why == OfflineReason::Refused {
            // It was offline when it refused for the first time.
            let at = now.plus(OFFLINE_TOLD_AFTER.saturating_sub(REFUSAL_REPEAT));
            self.announcement.offline = Some((at, why));
            return None;
        }
        self.announcement = PendingNews::default();
        (was_told && is_news).then(|| PresenceNews::Offline(self.info(), why))
    }

    /// Returns that the peer is offline if the user is to be told now.
    fn tell_offline(&mut self, now: Time) -> Option<PresenceNews> {
        let (_, why) = self.announcement.offline.take_if(|(at, _)| *at <= now)?;
        if self.is_online() {
            return None;
        }
        self.announcement = PendingNews::default();
        Some(PresenceNews::Offline(self.info(), why))
    }
}

impl Peers {
    /// Announces that a peer is online, or offline, if that is due. `is_claimed` says that a peer
    /// with a key claims this address, which was announced instead.
    pub(in crate::core) fn announce(
        &mut self,
        id: Recipient,
        is_claimed: bool,
        now: Time,
    ) -> Option<PresenceNews> {
        self.update(id, |peer| {
            let offline = peer.tell_offline(now);
            offline.or_else(|| if is_claimed { None } else { peer.announce(false, now) })
        })?
    }

    /// The user was not told after all that a peer is online.
    pub(in crate::core) fn was_not_announced(&mut self, id: Recipient) {
        self.update(id, |peer| peer.announcement = PendingNews::default());
    }

    /// The user is told that the key of a peer is new when it is online for them.
    pub(in crate::core) fn key_is_untold(&mut self, id: Recipient) {
        self.update(id, |peer| peer.is_key_untold = true);
    }

    /// Whether the user is still to be told that the key of a peer is new.
    pub(in crate::core) fn is_key_untold(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(|peer| peer.is_key_untold)
    }

    /// The user is told now that a peer is online. Returns whether they are to be told that its key
    /// is new.
    pub(in crate::core) fn take_untold_key(&mut self, id: Recipient) -> bool {
        self.update(id, |peer| std::mem::take(&mut peer.is_key_untold)) == Some(true)
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
        let is_unannounced = |peer: &Peer| peer.is_available_to_user() && !peer.announcement.is_told;
        self.peer(id).is_some_and(is_unannounced)
    }
}
