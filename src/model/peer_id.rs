//! Who a peer is: a public key, or the address of a legacy program that has none.

use std::fmt;

use super::address::{PeerAddr, PlainAddr};
use super::key::PublicKey;

/// The identity of a peer. An address never identifies a peer that has a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerId {
    /// A p2p-chat peer that holds the secret half of this key.
    Key(PublicKey),
    /// A legacy program: any program that speaks from this address. Nothing more can be proven
    /// about it.
    Legacy(LegacyId),
}

/// The identity of a legacy program. Only [`crate::protocol::plain`] makes one from an address that
/// was seen on the network; the store and the profile read back saved ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LegacyId(PlainAddr);

impl LegacyId {
    /// The identity behind an address that was seen on the network. For [`crate::protocol::plain`]
    /// only; `tests/it/architecture.rs` checks that.
    pub fn seen_at(addr: PlainAddr) -> Self {
        Self(addr)
    }

    /// The identity that was saved as this address. For the store and the profile only;
    /// `tests/it/architecture.rs` checks that.
    pub fn saved_as(addr: PlainAddr) -> Self {
        Self(addr)
    }

    /// The address: the source IP of its messages, with the port that they claim.
    pub fn addr(self) -> PeerAddr {
        self.0.into()
    }
}

impl PeerId {
    /// The address of a legacy peer.
    pub fn legacy_addr(self) -> Option<PeerAddr> {
        match self {
            Self::Key(_) => None,
            Self::Legacy(legacy) => Some(legacy.addr()),
        }
    }

    /// The key, if the peer has one.
    pub fn key(self) -> Option<PublicKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Legacy(_) => None,
        }
    }
}

/// The recipient of a message or a command, or the owner of a row in the peer list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Recipient {
    /// This peer, at any address.
    Peer(PeerId),
    /// The first peer that proves itself at this address, where no peer has yet.
    Address(PeerAddr),
}

impl Recipient {
    /// The peer with this key.
    pub const fn key(key: PublicKey) -> Self {
        Self::Peer(PeerId::Key(key))
    }

    /// The key of the recipient, if it is a peer that has one.
    pub fn public_key(self) -> Option<PublicKey> {
        match self {
            Self::Peer(id) => id.key(),
            Self::Address(_) => None,
        }
    }

    /// The address that is part of the recipient's identity; `None` for a peer with a key.
    pub fn addr(self) -> Option<PeerAddr> {
        match self {
            Self::Peer(PeerId::Key(_)) => None,
            Self::Peer(PeerId::Legacy(legacy)) => Some(legacy.addr()),
            Self::Address(addr) => Some(addr),
        }
    }
}

impl From<PeerId> for Recipient {
    fn from(id: PeerId) -> Self {
        Self::Peer(id)
    }
}

impl From<PublicKey> for Recipient {
    fn from(key: PublicKey) -> Self {
        Self::key(key)
    }
}

impl From<PeerAddr> for Recipient {
    fn from(addr: PeerAddr) -> Self {
        Self::Address(addr)
    }
}

impl fmt::Display for Recipient {
    /// The address, or the first characters of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(PeerId::Key(key)) => write!(f, "key {}", key.short()),
            Self::Peer(PeerId::Legacy(legacy)) => legacy.addr().fmt(f),
            Self::Address(addr) => addr.fmt(f),
        }
    }
}
