//! The types of trust: pins, meetings, key changes and verdicts.

use crate::model::address::{PeerAddr, Source, SourcePrefix};
use crate::model::key::PublicKey;
use crate::model::message::Plain;
use crate::model::name::PeerName;
use crate::model::peer_id::PeerId;
use crate::model::session::Message;

/// What happens to strangers that are not known yet: unknown keys and unlisted legacy peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// They are let in. A key is pinned.
    #[default]
    AcceptNew,
    /// They wait for the user's decision.
    Ask,
    /// They are refused.
    Strict,
}

/// The state of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// The key is unknown, or waits for the user's decision.
    Unpinned,
    /// The key is pinned.
    Pinned,
    /// The user has compared the key with its owner's.
    Verified,
    /// The user has blocked the key.
    Blocked,
}

/// A pinned key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    /// What identifies the peer.
    pub key: PublicKey,
    /// The name the peer last gave itself. `Trusted::met` never sets it to a name of
    /// another contact.
    pub name: Option<PeerName>,
    /// The peer is a contact: the user wrote to it, verified, named, accepted or configured it. All
    /// other pins are strangers.
    pub contact: bool,
    /// Hints: addresses where the key proved itself when we dialed, and addresses that the user
    /// gave. The latest proven one is first; at most [`super::MAX_HINTS`].
    pub addrs: Vec<PeerAddr>,
    /// The addresses among these that the user gave: `/connect`, `/add`, peers.toml. Saved with the
    /// contact; the others are only observed.
    pub given: Vec<PeerAddr>,
    /// When the key was pinned, in seconds since 1970.
    pub first_seen: u64,
    /// When the user verified the key, in seconds since 1970.
    pub verified: Option<u64>,
    /// Nothing is sent to the key and nothing from it is shown.
    pub blocked: bool,
}

impl Pin {
    /// A stranger's pin. The address is a hint only if we dialed it.
    pub(super) fn of(key: PublicKey, met: &Meeting) -> Self {
        Self {
            key,
            name: met.name.clone(),
            contact: false,
            addrs: if met.dialed { vec![met.addr] } else { Vec::new() },
            given: Vec::new(),
            first_seen: met.date,
            verified: None,
            blocked: false,
        }
    }

    /// The state of its key.
    pub fn trust(&self) -> Trust {
        match self {
            Self { blocked: true, .. } => Trust::Blocked,
            Self { verified: Some(_), .. } => Trust::Verified,
            _ => Trust::Pinned,
        }
    }
}

/// A session in which the peer has just proven its key, or an unencrypted message of a legacy peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meeting {
    /// The peer.
    pub id: PeerId,
    /// The name that it gives itself; `None` if a session ended before the hello.
    pub name: Option<PeerName>,
    /// The address we dialed, or the source with the port that the peer claims.
    pub addr: PeerAddr,
    /// We dialed `addr`, so the key is proven there. Otherwise the port is a claim.
    pub dialed: bool,
    /// Where the connection came from, or goes to.
    pub source: Source,
    /// The clock, in seconds since 1970; 0 for a legacy peer.
    pub date: u64,
}

/// A peer that waits for the user's decision: a key change, or a message request, which is a
/// stranger under [`Policy::Ask`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerRequest {
    /// The first meeting with the peer.
    pub met: Meeting,
    /// The contacts whose name or alias the key claims. Empty for a message request.
    pub against: Vec<Pin>,
    /// The first message of a message request, which is shown once the user accepts the peer.
    pub held: Option<HeldMessage>,
    /// The contacts whose name the key claims are online with their own keys.
    pub is_old_key_online: bool,
}

impl PeerRequest {
    /// Sets whether the contacts are online.
    pub(in crate::core) fn with_presence(self, is_online: impl Fn(PublicKey) -> bool) -> Self {
        let is_old_key_online = !self.against.is_empty() && self.against.iter().all(|pin| is_online(pin.key));
        Self { is_old_key_online, ..self }
    }

    /// Returns the message that is held, and where its sender was met.
    pub(in crate::core) fn into_held(self) -> Option<(Source, HeldMessage)> {
        Some((self.met.source, self.held?))
    }
}

/// A message that is held until the user accepts its sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeldMessage {
    /// A message of a key. Its sender gets the receipt once it is accepted.
    Encrypted(Message),
    /// A message of a legacy peer.
    Plain {
        /// The message.
        message: Plain,
        /// It was too long, or broke off; this is its beginning.
        cut: bool,
    },
}

/// Why a peer is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It is our own key.
    Ourselves,
    /// The user has blocked it.
    Blocked,
    /// The policy refuses strangers.
    Strict,
    /// The user has not decided about it yet, or it was met at a contact's address without a name.
    Undecided,
    /// There is no room: the limit of strangers is reached and all of them are connected, or the
    /// limit of those that wait for the user.
    NoRoom,
}

/// What a meeting means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The key is pinned already.
    Known {
        /// The contact whose name the peer now gives itself. The peer's pin keeps its old name.
        /// Returned once, not at each meeting.
        takes_name_of: Option<PublicKey>,
    },
    /// The key is pinned as a stranger from now on.
    Pinned,
    /// The peer waits for the user, and the caller tells them. It is refused until then.
    Requested(PeerRequest),
    /// The same, in place of another key that waited. A source can cause any number of these, so
    /// the caller tells the user only now and then.
    Replaced(PeerRequest),
    /// The peer is refused; nothing from it is shown, and nothing goes to it.
    Refused(Refused),
}

/// What has to be saved of contacts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ContactChange {
    /// This is what is known of a contact with a key, or of a stranger, which is not saved.
    Key(Pin),
    /// The user treats a legacy peer as a contact, under this name, and has not blocked it.
    Legacy(PeerId, Option<PeerName>),
    /// The user has blocked a legacy peer.
    BlockedLegacy {
        /// The peer.
        id: PeerId,
        /// Its name.
        name: Option<PeerName>,
        /// Whether it is a contact, and no stranger.
        contact: bool,
    },
    /// The user has blocked a source, or unblocked it.
    Source {
        /// The source.
        source: SourcePrefix,
        /// Whether it is blocked now.
        blocked: bool,
    },
    /// The user has muted a contact, or unmuted it.
    Muted(PeerId, bool),
    /// The user has forgotten the peer.
    Forgotten(PeerId),
}

/// A contact as the user has it: added by a command, or changed in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContactRecord {
    /// The peer.
    pub id: PeerId,
    /// The name to show until the peer says another.
    pub name: Option<PeerName>,
    /// When the user verified the key, in seconds since 1970.
    pub verified: Option<u64>,
    /// Nothing is sent to the peer and nothing from it is shown.
    pub blocked: bool,
    /// It is a stranger while it is blocked, and no contact.
    pub stranger: bool,
    /// The addresses that the user gave.
    pub addrs: Vec<PeerAddr>,
}
