//! Messages, requests and their results in sessions between two p2p-chat peers.

use std::sync::Arc;

use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::{MessageId, SendError};
use crate::model::name::PeerName;

/// Bytes of the first message to a peer that has not accepted us yet, at most. The peer holds one
/// such message of each key: enough to say who one is, and too little to fill a memory.
pub const MAX_REQUEST_BYTES: usize = 1_024;

/// A message between two keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its receipt names this.
    pub id: MessageId,
    /// When it was entered, by its sender's clock, in milliseconds since 1970; a claim.
    pub time: u64,
    /// It may have been sent before, so its receiver checks for a duplicate.
    pub again: bool,
    /// Its sender wrote it to all peers; a claim.
    pub to_all: bool,
    /// Its text, which may have several lines. All recipients share it.
    pub body: Arc<str>,
}

/// What a peer says about itself in its hello, beside the key that it has proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduction {
    /// What it calls itself.
    pub name: PeerName,
    /// The port where it listens, at the IP of the connection; never 0.
    pub port: u16,
    /// Where else it says that it listens.
    pub also: Vec<PeerAddr>,
}

/// Something to do in a session, once both sides have said hello.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Nothing more: see which peer is there, and be seen.
    Open,
    /// See whether the peer is online.
    Ping,
    /// Send these messages, at most a batch, in this order.
    Messages(Vec<Message>),
    /// Say goodbye.
    Bye,
}

/// Why a peer ends a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByeReason {
    /// It leaves the chat. Only this reason makes it offline.
    Leaves,
    /// The other side is blocked, or its user accepts no new keys.
    NotAccepted,
    /// Its user has not yet decided about the other side.
    NotDecided,
    /// It has no room at the moment.
    NoRoom,
    /// It does not understand what the other side sent.
    NotUnderstood,
    /// Nothing was sent for long.
    Idle,
    /// Another session of the same two programs takes its place.
    Replaced,
    /// Another program with the same key has an open session.
    InUse,
    /// A reason of a later version.
    Other(u8),
}

impl ByeReason {
    /// Returns its number in a record (docs/PROTOCOL.md).
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

    /// Returns the reason with this number.
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

/// How a [`Request`] ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RequestEnd {
    /// The peer answered as it should.
    Answered,
    /// No connection was made to any of its addresses.
    Unreachable(SendError),
    /// The program at the address did not answer the opening line of a session.
    NoSession,
    /// The peer at the address has proven this other key. Our key was not shown.
    WrongKey(PublicKey),
    /// We reached ourselves.
    Ourselves,
    /// The peer runs a version that speaks another protocol.
    Incompatible,
    /// The handshake failed, or what came after it cannot be what the peer sent.
    NotSecure,
    /// The peer ended the session.
    Bye(ByeReason),
    /// The peer could not store a message. It may be sent again after this many seconds.
    NotStored(u32),
    /// The session broke, or the peer was silent for too long.
    Broken,
}
