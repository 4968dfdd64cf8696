//! The vocabulary of trust: what is known of a key, how it comes, and what follows.

use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;

/// What is done with keys that are not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// They are pinned.
    #[default]
    AcceptNew,
    /// They wait for the user's word.
    Ask,
    /// They are refused.
    Strict,
}

/// What we think of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// It is not known.
    Unpinned,
    /// It came first under its name and address.
    Pinned,
    /// The user has compared it.
    Verified,
    /// The user wants nothing of it.
    Blocked,
}

/// What is known of a key, as it is written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    /// The key.
    pub key: PublicKey,
    /// What it called itself last; never the name of another pin, but where the user said so.
    pub name: Option<PeerName>,
    /// Where it was, the latest first, at most [`super::MAX_HINTS`].
    pub addrs: Vec<PeerAddr>,
    /// When it was pinned, in seconds since 1970.
    pub first_seen: u64,
    /// When the user said that it is the right one, in seconds since 1970.
    pub verified: Option<u64>,
    /// The user wants nothing of it.
    pub blocked: bool,
}

impl Pin {
    /// That of a key which nothing was known of before.
    pub(super) fn of(met: &Meeting) -> Self {
        Self {
            key: met.key,
            name: met.name.clone(),
            addrs: vec![met.addr],
            first_seen: met.date,
            verified: None,
            blocked: false,
        }
    }

    /// What we think of its key.
    pub fn trust(&self) -> Trust {
        match self {
            Self { blocked: true, .. } => Trust::Blocked,
            Self { verified: Some(_), .. } => Trust::Verified,
            _ => Trust::Pinned,
        }
    }
}

/// Somebody who has just proven a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meeting {
    /// The key.
    pub key: PublicKey,
    /// What it calls itself; unknown where the handshake ended because another key was expected.
    pub name: Option<PeerName>,
    /// Where it listens: what we dialled, or the source with the port of its hello.
    pub addr: PeerAddr,
    /// We have dialled that address, so it is proven; else the port is a claim.
    pub dialled: bool,
    /// Where the connection came from, or goes to.
    pub source: Source,
    /// The clock, in seconds since 1970.
    pub date: u64,
}

/// A key that waits for the user's word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Who came when, the first time.
    pub met: Meeting,
    /// Those whose name or address it came with; nobody where the policy asks for every new key.
    pub against: Vec<Pin>,
}

/// Why a key is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It is our own.
    Ourselves,
    /// The user wants nothing of it.
    Blocked,
    /// Nobody new is taken.
    Strict,
    /// The user has still to decide.
    Undecided,
    /// There are too many pins, or too many of one source.
    NoRoom,
}

/// What follows from a meeting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is known, and is who its pin says.
    Known {
        /// It calls itself by the name of another pin, which it is not given; told when it begins.
        takes_name_of: Option<PublicKey>,
    },
    /// It is pinned from now on.
    Pinned,
    /// The user has to be told that a key waits for their word. Nothing else of it is shown, and it is refused as undecided.
    Offered(Offer),
    /// Nothing of it is shown, and nothing goes to it.
    Refused(Refused),
}

/// What has to be written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// This pin, in the place of what there is of its key.
    Write(Pin),
    /// Nothing of this key any more.
    Forget(PublicKey),
}
