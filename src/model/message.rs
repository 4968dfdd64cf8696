//! Unencrypted messages, independent of their bytes, and the results of sending.

use std::fmt;
use std::sync::Arc;

use crate::model::address::{Claimed, PeerAddr};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::session::ByeReason;
use crate::model::untrusted::Text;

/// The maximum size of one message to a legacy peer, in bytes, with its header. Legacy programs
/// call `recv(1024)` once and lose the rest.
pub const MAX_SENT_BYTES: usize = 1024;

/// The maximum number of parts of a long message. Sixteen parts are about 15 KB, or ten screens of
/// text. A longer text is better sent as a file.
pub const MAX_PARTS: usize = 16;

/// Replaces each newline of a message, because an unencrypted message is one line.
pub const LINE_MARK: &str = " ⏎ ";

/// The maximum number of bytes that are read from one connection. Legacy programs read a terminal
/// in line mode, which passes at most 4,096 bytes a line. Twice that leaves room for a script.
pub const MAX_RECEIVED_BYTES: usize = 8 * 1024;

/// The length of a [`MessageId`] in bytes: enough that random ids never collide.
pub const ID_BYTES: usize = 16;

/// The id of a message between two p2p-chat peers. The receipt has it, and so does a message that
/// is sent again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; ID_BYTES]);

impl MessageId {
    /// Creates an id from bytes, which come from a cryptographic random source.
    pub const fn new(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes as they are sent.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What a receipt says about sessions with its sender. Anyone on the path can change or remove it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capability {
    /// The sender accepts sessions, and proves this key in them.
    Key(PublicKey),
    /// The sender accepts sessions, and does not say with which key.
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

/// How messages are sent to a peer. Only an exchange that we began decides this, never an
/// unencrypted message from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PeerProtocol {
    /// The peer has not been asked yet.
    #[default]
    Unknown,
    /// Unencrypted: the peer has read a message of ours and promised no session.
    Plain,
    /// Only in sessions with this key.
    Session(PublicKey),
}

/// The form of the unencrypted messages to and from a peer. `protocol::plain` has a dialect for
/// each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Form(&'static str);

impl Form {
    /// `ip:port team text`: most programs.
    pub const STANDARD: Self = Self::new("standard");

    /// Creates a form with the name that peers.toml uses for it.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Returns the name that peers.toml uses for the form.
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
    /// A message whose sender also asks to be listed: Hashpa's `Hello, I am connecting!`.
    Greeting(Text),
    /// `connect`: asks the receiver to list the sender and to answer with `connect_ack`.
    Connect,
    /// `connect_ack`: confirms that the receiver is listed.
    ConnectAck,
    /// `CONNECT_REQUEST`: asks the receiver to list the sender and to answer `CONNECTED` on this
    /// connection.
    ConnectRequest,
    /// `exit` and its aliases: a goodbye.
    Exit,
    /// `PING`: a probe. Accepting the connection answers it.
    Ping,
}

/// An unencrypted message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plain {
    /// The address in its header, which is only a claim.
    pub claimed: Claimed,
    /// The form in which it was written.
    pub form: Form,
    /// The sender's name. The two-field form has none.
    pub name: Option<PeerName>,
    /// The text or the command.
    pub body: Body,
}

/// The target of log lines that contain the text of messages. Without `--log-messages`, the log
/// leaves these lines out.
pub const LOG_TARGET: &str = "messages";

/// A message from a connection, or bytes that are not a message.
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
    /// Why they are not a message.
    pub fault: Fault,
    /// The beginning of the bytes.
    pub text: Text,
}

/// Why bytes are not a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// They do not begin with an address.
    NoAddress,
    /// They end after the address or the name.
    NoText,
}

/// An unencrypted message or command to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outgoing {
    /// The parts of one message, in order. Each goes on its own connection. They are shared,
    /// because a message may go to ten thousand peers.
    Text(Arc<[String]>),
    /// Asks the peer to list us.
    Connect,
    /// Confirms that the peer is listed.
    ConnectAck,
    /// Says goodbye.
    Exit,
    /// An empty connection: if the other side closes it, a program serves the address.
    Probe,
    /// `PING`, which Hashpa ignores. It reports an empty connection as an error.
    Ping,
}

/// The result of sending something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendResult {
    /// The peer acknowledged it.
    Delivered,
    /// The peer closed the connection cleanly, so it has probably read the message.
    HandedOver,
    /// The peer closed the connection cleanly but has given receipts before: its queue may be full,
    /// or the message was lost on the way.
    NoReceipt,
    /// The bytes were written, but the peer neither closed nor answered in time.
    Unanswered,
    /// The connection broke after the bytes were written, so the peer may have them.
    Broken,
    /// All or part of it was sent to this address, where another peer listens.
    Astray(PeerAddr),
    /// Nothing was sent.
    Failed(SendError),
}

impl SendResult {
    /// Whether the peer took it, as far as is known.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Delivered | Self::HandedOver)
    }

    /// Whether the peer was dialed at all: the request was not cancelled, and this machine had what
    /// it takes.
    pub fn was_dialed(&self) -> bool {
        !matches!(self, Self::Failed(SendError::NoResources | SendError::Cancelled))
    }
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
    /// This machine had no descriptors, memory or ports left. This says nothing about the peer.
    NoResources,
    /// The program was ending. This says nothing about the peer.
    Cancelled,
    /// The program at the address opens no session.
    NoSession,
    /// The peer at the address has another key.
    WrongKey,
    /// The peer runs a version that speaks another protocol.
    Incompatible,
    /// The encrypted exchange failed, perhaps because of an attacker on the path.
    NotSecure,
    /// The peer did not answer `connect`. Without an answer, no message goes out unencrypted.
    NotAnswered,
    /// The peer says that it does not accept us, or not yet.
    TurnedAway(ByeReason),
    /// The key that answered waits for the user's decision, is blocked, or is refused by the
    /// policy.
    NotTrusted(Box<PublicKey>),
    /// Anything else, in the words of the operating system.
    Other(String),
}
