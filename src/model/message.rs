//! What peers say to each other, whatever the bytes are.

use std::fmt;
use std::sync::Arc;

use crate::model::address::{Claimed, PeerAddr};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::session::ByeReason;
use crate::model::untrusted::Text;

/// Bytes of one message to a plain peer, header included: legacy peers call `recv(1024)` once and lose the rest (wire.md).
pub const MAX_SENT_BYTES: usize = 1024;

/// Messages that one long text may be split into. Sixteen are about 15 KB, ten screens of text; more than that is a file.
pub const MAX_PARTS: usize = 16;

/// What stands in a message where a line of its text ended: a message to a plain peer is one line (wire.md).
pub const LINE_MARK: &str = " ⏎ ";

/// Bytes that we read of one connection. A terminal in line mode, which all legacy programs read, passes at most 4,096
/// bytes a line; twice that leaves room for a script.
pub const MAX_RECEIVED_BYTES: usize = 8 * 1024;

/// Bytes of a [`MessageId`]: random ones of this number never meet.
pub const ID_BYTES: usize = 16;

/// What a text between two p2p-chat peers is known by: its receipt names it, and a text that was sent again has the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; ID_BYTES]);

impl MessageId {
    /// The id of these bytes, which its sender takes from a good random source.
    pub const fn new(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes, as they are sent.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// How we speak to a peer. Only an exchange of our own settles it, never what others send in plain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PeerProtocol {
    /// Nobody has asked it yet.
    #[default]
    Unknown,
    /// In plain: it has read a message of ours and named no key.
    Plain,
    /// In encryption only, with who holds this key.
    Session(PublicKey),
}

/// How a peer writes its messages, and so how it has to be written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub enum Form {
    /// `ip:port team text`: what most programs speak.
    #[default]
    Standard,
    /// `ip port name text`: what R3 speaks, and deadly to others.
    R3,
    /// `ip:port WORD` for its commands, the standard form for its texts: SmartCookies.
    TwoField,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Something for a person to read.
    Text(Text),
    /// A text that also asks to be listed: Hashpa's `Hello, I am connecting!`.
    Greeting(Text),
    /// `connect`: list me, and say so with `connect_ack`.
    Connect,
    /// `connect_ack`: you are listed.
    ConnectAck,
    /// `CONNECT_REQUEST`: list me, and say `CONNECTED` on this connection.
    ConnectRequest,
    /// `exit` and its kin: forget me.
    Exit,
    /// `PING`: are you there? The listener's accepting is the answer.
    Ping,
}

/// One message of the plain network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plain {
    /// The address in its header: a claim, nothing more.
    pub claimed: Claimed,
    /// The form it is written in.
    pub form: Form,
    /// Its team field, which the two-field form lacks.
    pub name: Option<PeerName>,
    /// What it says.
    pub body: Body,
}

/// One piece of what a connection carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// A message.
    Message(Plain),
    /// Bytes that are no message.
    Unreadable(Unreadable),
}

/// Bytes that are no message, kept to be shown.
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

/// What we have to say to a plain peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outgoing {
    /// The parts of one text, in order; each is a message of its own. Shared, for a text may go to ten thousand.
    Text(Arc<[String]>),
    /// Ask to be listed.
    Connect,
    /// Confirm that the peer is listed.
    ConnectAck,
    /// Say goodbye.
    Exit,
    /// An empty connection: its being closed by the other side shows that somebody serves it.
    Probe,
    /// A message that Hashpa ignores in silence, where it would complain of an empty connection.
    Ping,
}

/// What became of something sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendResult {
    /// The peer acknowledged it.
    Delivered,
    /// The peer closed the connection cleanly after it, as one does that has read it.
    HandedOver,
    /// The same, but of a peer that has given receipts before: a full queue, or somebody in between, may have swallowed it.
    NoReceipt,
    /// The connection was made and the bytes written, but the peer neither closed nor answered in time.
    Unanswered,
    /// The connection broke after the bytes were written, so the peer may have them or not.
    Broken,
    /// It was sent, whole or in part, to this address, where somebody else listens than the peer it was for.
    Astray(PeerAddr),
    /// Nothing was sent.
    Failed(SendError),
}

/// Why nothing could be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendError {
    /// The machine answers that nobody listens at that port.
    Refused,
    /// Nothing answered within the time for connecting.
    TimedOut,
    /// There is no way to that address.
    NoRoute,
    /// This machine had no descriptors, memory or ports left: says nothing about the peer.
    NoResources,
    /// We were told to stop before its turn came: says nothing about the peer.
    Cancelled,
    /// Whoever listens there does not speak encrypted.
    NoSession,
    /// Whoever listens there has another key.
    WrongKey,
    /// The encrypted exchange failed: somebody in between may disturb it.
    NotSecure,
    /// It did not answer when it was asked how it is spoken to, and a text does not go out in plain for want of an answer.
    NotAnswered,
    /// The peer does not take us, or not yet, and says so.
    TurnedAway(ByeReason),
    /// Its key waits for the user's decision, or is blocked.
    NotTrusted,
    /// Anything else, in the words of the operating system.
    Other(String),
}
