//! Peers as the user reads of them.

use crate::model::address::{Claimed, PeerAddr};
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;

/// How sure it is that a peer is the one it is named as. The screen shows a sign for each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verification {
    /// It has proven a key that the user has compared with its owner.
    Verified,
    /// It has proven the key that it is known by, which the user has not compared.
    Encrypted,
    /// It has not been asked yet how to write to it.
    Unknown,
    /// Nothing is proven, and messages can be read and changed on their way.
    Plain,
    /// Nothing is proven, and the claimed name or address is that of a peer with a key, which is
    /// called this.
    Claims(PeerName),
}

/// A peer as it is named to the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerInfo {
    /// The peer, or an address at which no peer has proven itself yet.
    pub id: Recipient,
    /// What it calls itself, if it has.
    pub name: Option<PeerName>,
    /// The address it is dialed at first; `None` for a peer with a key and no known address.
    pub addr: Option<PeerAddr>,
    /// The address in its header, if that is another one.
    pub claimed: Option<Claimed>,
    /// How sure it is that it is this peer.
    pub verification: Verification,
}
