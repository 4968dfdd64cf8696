//! Unencrypted messages, independent of their bytes, and the results of sending.

use std::fmt;
use std::sync::Arc;

use crate::model::address::{Claimed, PeerAddr};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::session::ByeReason;
use crate::model::untrusted::Text;

/// Bytes of one message to a legacy peer, header included: legacy programs call `recv(1024)` once
/// and lose the rest.
pub const MAX_SENT_BYTES: usize = 1024;

/// Parts that a long message may be split into. Sixteen are about 15 KB, ten screens of text; more
/// than that is a file.
pub const MAX_PARTS: usize = 16;

/// Replaces each newline of a message: an unencrypted message is one line.
pub const LINE_MARK: &str = " ⏎ ";

/// Bytes that are read from one connection. A terminal in line mode, which all legacy programs
/// read, passes at most 4,096 bytes a line; twice that leaves room for a script.
pub const MAX_RECEIVED_BYTES: usize = 8 * 1024;

/// Bytes of a [`MessageId`]: enough that random ids never collide.
pub const ID_BYTES: usize = 16;

/// Identifies a message between two p2p-chat peers: in its receipt, and when it is sent again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; ID_BYTES]);

impl MessageId {
    /// Makes an id of bytes, which the sender takes from a good random source.
    pub const fn new(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, as they are sent.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What a receipt says about sessions with its sender. Anyone between the two can change or remove
/// it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capability {
    /// It accepts sessions, in which it proves this key.
    Key(PublicKey),
    /// It accepts sessions, and does not say with which key.
    AnyKey,
}

impl Capability {
    /// Returns the key that has to be proven, if it is known.
    pub fn key(self) -> Option<PublicKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::AnyKey => None,
        }
    }
}

/// How messages are sent to a peer. Only an exchange that we began settles it, never what others
/// send unencrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PeerProtocol {
    /// It has not been asked yet.
    #[default]
    Unknown,
    /// Unencrypted: it has read a message of ours and promised no session.
    Plain,
    /// Only in sessions with this key.
    Session(PublicKey),
}

/// The form of a peer's unencrypted messages, and of those sent to it. `protocol::plain` has a
/// dialect for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Form(&'static str);

impl Form {
    /// `ip:port team text`: most programs.
    pub const STANDARD: Self = Self::new("standard");

    /// Makes a form of the name that the user knows it by.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// The content of an unencrypted message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A message for the user.
    Text(Text),
    /// A message that also asks to be listed: Hashpa's `Hello, I am connecting!`.
    Greeting(Text),
    /// `connect`: list me, and say so with `connect_ack`.
    Connect,
    /// `connect_ack`: you are listed.
    ConnectAck,
    /// `CONNECT_REQUEST`: list me, and say `CONNECTED` on this connection.
    ConnectRequest,
    /// `exit` and its aliases: a goodbye.
    Exit,
    /// `PING`: a probe. That the connection is accepted is the answer.
    Ping,
}

/// An unencrypted message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plain {
    /// The address in its header, which is only a claim.
    pub claimed: Claimed,
    /// Its form.
    pub form: Form,
    /// Its team field; the two-field form has none.
    pub name: Option<PeerName>,
    /// Its content.
    pub body: Body,
}

/// The target of log lines that contain what people write. The log leaves these lines out without
/// `--log-messages`.
pub const LOG_TARGET: &str = "messages";

/// A part of what a connection carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// A message.
    Message(Plain),
    /// Bytes that are not a message.
    Unreadable(Unreadable),
}

/// Bytes that are not a message, to be shown to the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable {
    /// What is wrong.
    pub fault: Fault,
    /// Their beginning.
    pub text: Text,
}

/// Why a message cannot be understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It does not begin with an address.
    NoAddress,
    /// It ends after the address or the name.
    NoText,
}

/// Something to send unencrypted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outgoing {
    /// The parts of one message, in order; each goes on a connection of its own. Shared, because a
    /// message may go to ten thousand peers.
    Text(Arc<[String]>),
    /// Ask to be listed.
    Connect,
    /// Confirm that the peer is listed.
    ConnectAck,
    /// Say goodbye.
    Exit,
    /// An empty connection: if the other side closes it, a program serves the address.
    Probe,
    /// `PING`, which Hashpa ignores in silence; it complains about an empty connection.
    Ping,
}

/// The result of sending something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendResult {
    /// The peer acknowledged it.
    Delivered,
    /// The peer closed the connection cleanly, as a program does that has read the message.
    HandedOver,
    /// The same, but the peer has given receipts before: its queue may be full, or the message was
    /// lost on the way.
    NoReceipt,
    /// The bytes were written, but the peer neither closed nor answered in time.
    Unanswered,
    /// The connection broke after the bytes were written, so the peer may have them.
    Broken,
    /// It was sent, whole or in part, to this address, where another peer listens.
    Astray(PeerAddr),
    /// Nothing was sent.
    Failed(SendError),
}

/// Why nothing could be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendError {
    /// No program listens at the port.
    Refused,
    /// Nothing answered within the time for connecting.
    TimedOut,
    /// There is no route to the address.
    NoRoute,
    /// This machine had no descriptors, memory or ports left. It says nothing about the peer.
    NoResources,
    /// The program was ending. It says nothing about the peer.
    Cancelled,
    /// The program at the address opens no session.
    NoSession,
    /// The peer at the address has another key.
    WrongKey,
    /// The peer runs a version that speaks another protocol.
    Incompatible,
    /// The encrypted exchange failed, perhaps because of someone in between.
    NotSecure,
    /// The peer did not answer the question how to write to it, and a message does not go out
    /// unencrypted without an answer.
    NotAnswered,
    /// The peer does not accept us, or not yet, and says so.
    TurnedAway(ByeReason),
    /// This key answered, which waits for the user's decision, is blocked, or is refused by the
    /// policy.
    NotTrusted(Box<PublicKey>),
    /// Anything else, in the words of the operating system.
    Other(String),
}
