//! What two p2p-chat peers say to each other in encryption, and what becomes of it: the words that the rules and the sockets share.

use std::sync::Arc;

use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::{MessageId, SendError};
use crate::model::name::PeerName;

/// A text to a proven key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What its receipt names.
    pub id: MessageId,
    /// When it was typed, by its sender's clock, in milliseconds since 1970; a claim.
    pub time: u64,
    /// It may have been written before, so its receiver has to look whether it knows it.
    pub again: bool,
    /// What it says, of several lines perhaps; shared by all whom it goes to.
    pub body: Arc<str>,
}

/// Who somebody is beyond the key that it has proven; the content of its hello.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduction {
    /// What it calls itself.
    pub name: PeerName,
    /// Where it listens, at the IP of the connection; never 0.
    pub port: u16,
    /// Where else it says that it listens.
    pub also: Vec<PeerAddr>,
}

/// What there is to say to a peer in encryption, once both have said hello.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Nothing: see who is there, and be seen.
    Open,
    /// See whether it is there.
    Ping,
    /// These texts, at most a turn of them, in this order.
    Messages(Vec<Message>),
    /// We leave the chat, or its company.
    Bye,
}

/// Somebody has proven a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Met {
    /// The key.
    pub key: PublicKey,
    /// Its hello; none on a connection that was kept, where it was said before.
    pub hello: Option<Introduction>,
}

/// Why one ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByeReason {
    /// It leaves the chat. The only one that ends its presence.
    Leaves,
    /// The other is blocked, or its user takes nobody new.
    NotAccepted,
    /// Its user has still to decide whether the other is taken.
    NotDecided,
    /// It has no room; later it may.
    NoRoom,
    /// What the other said cannot be understood.
    NotUnderstood,
    /// Nothing was said for long.
    Idle,
    /// Another session of the same two programs takes its place.
    Replaced,
    /// Another program with the same key has an open session.
    InUse,
    /// A reason of a later version.
    Other(u8),
}

impl ByeReason {
    /// Its number in a record (docs/PROTOCOL.md).
    pub fn number(self) -> u8 {
        match self {
            Self::Leaves => 1,
            Self::NotAccepted => 2,
            Self::NotDecided => 3,
            Self::NoRoom => 4,
            Self::NotUnderstood => 5,
            Self::Idle => 6,
            Self::Replaced => 7,
            Self::InUse => 8,
            Self::Other(number) => number,
        }
    }

    /// The reason that has this number.
    pub fn of(number: u8) -> Self {
        match number {
            1 => Self::Leaves,
            2 => Self::NotAccepted,
            3 => Self::NotDecided,
            4 => Self::NoRoom,
            5 => Self::NotUnderstood,
            6 => Self::Idle,
            7 => Self::Replaced,
            8 => Self::InUse,
            other => Self::Other(other),
        }
    }
}

/// How an attempt to say something in encryption ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RequestEnd {
    /// Everything was answered as it should be.
    Answered,
    /// No connection was made to any of its addresses.
    Unreachable(SendError),
    /// Whoever listens there did not say ok: another program, or somebody in between.
    NoSession,
    /// Whoever listens there has proven this other key. Ours was not shown.
    WrongKey(PublicKey),
    /// It is ourselves.
    Ourselves,
    /// The handshake failed, or what came afterwards cannot be what the other has sent.
    NotSecure,
    /// The other side ended it.
    Bye(ByeReason),
    /// It broke, or the other side was silent for too long.
    Broken,
}

/// What became of something said in encryption.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionReport {
    /// The address that was reached, or the last that was tried.
    pub addr: PeerAddr,
    /// Who was met there, also where it ended badly after that.
    pub met: Option<Met>,
    /// How many of the texts may have reached it, counted from the first.
    pub written: usize,
    /// The texts that it has taken.
    pub receipts: Vec<MessageId>,
    /// How it ended.
    pub end: RequestEnd,
}
