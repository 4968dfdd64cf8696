//! Messages in the store: the writes of the core, and what it reads back.

use std::sync::Arc;

use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::delivery::DeliveryStatus;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Message;

/// The number of a message in the store. Later messages have larger numbers, even if the clock was
/// changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowId(pub i64);

/// How sure the identity of the other side was when a message arrived or was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assurance {
    /// It was unencrypted.
    Plain,
    /// A key was proven.
    Encrypted,
    /// A key was proven that the user had compared with its owner.
    Verified,
    /// It came unencrypted, in the name or from the address of a peer that is known by a key.
    Claimed,
}

/// A write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreOp {
    /// Adds an outgoing message for one recipient. A message to several recipients has one row for
    /// each, all with the same id. If the row exists already, the user sends the message again, and
    /// only its status and expiry change.
    Outgoing {
        /// The recipient.
        to: Recipient,
        /// The recipient's name at that time.
        name: Option<PeerName>,
        /// The message, with the time when it was typed.
        message: Message,
        /// Its status.
        status: DeliveryStatus,
        /// It is queued, and may have been sent.
        attempted: bool,
        /// Whether it is sent encrypted, as far as that is known.
        assurance: Assurance,
        /// When it expires, in milliseconds since 1970; 0 for never.
        expires: u64,
    },
    /// Changes the status of an outgoing message, if the store has the message.
    Status {
        /// The recipient.
        to: Recipient,
        /// The message.
        id: MessageId,
        /// Its status.
        status: DeliveryStatus,
        /// It is queued, and may have been sent.
        attempted: bool,
    },
    /// Gives an outgoing message to another recipient: a peer proved itself at an address, or the
    /// user trusts a new key in place of an old one.
    Move {
        /// The message.
        id: MessageId,
        /// The recipient until now.
        from: Recipient,
        /// The recipient from now on.
        to: Recipient,
    },
    /// Adds an unencrypted message that was shown.
    IncomingPlain {
        /// The sender.
        from: Recipient,
        /// The name that the sender claims.
        name: Option<PeerName>,
        /// [`Assurance::Plain`] or [`Assurance::Claimed`].
        assurance: Assurance,
        /// The source of a stranger; `None` if the sender is a contact.
        stranger: Option<SourcePrefix>,
        /// The text.
        body: Arc<str>,
    },
    /// Adds messages from a proven key, without duplicates, and without those for which a
    /// stranger's quota has no room.
    Incoming {
        /// The sender.
        from: PublicKey,
        /// The name that the sender claims.
        name: Option<PeerName>,
        /// [`Assurance::Encrypted`] or [`Assurance::Verified`].
        assurance: Assurance,
        /// The source of a stranger; `None` if the sender is a contact.
        stranger: Option<SourcePrefix>,
        /// The messages. Their times are claims of the sender.
        messages: Vec<Message>,
    },
    /// Marks messages as shown to the user.
    MarkShown(Vec<RowId>),
    /// Marks everything from this peer as read.
    MarkRead(Recipient),
    /// Remembers that a peer is online now.
    Seen {
        /// The peer.
        peer: PeerId,
        /// The name that it claims.
        name: Option<PeerName>,
        /// The user treats it as a contact.
        contact: bool,
        /// The addresses where it is dialed, the latest first.
        addrs: Vec<PeerAddr>,
    },
    /// Makes a peer a contact: its messages no longer count as a stranger's.
    Accept(PeerId),
    /// Removes messages for good: the file then contains nothing of them. Queued messages stay.
    Forget(Selection),
}

/// A peer that was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenPeer {
    /// The peer.
    pub id: PeerId,
    /// The last name that it claimed.
    pub name: Option<PeerName>,
    /// When it was seen last, in milliseconds since 1970.
    pub last_seen: u64,
    /// The addresses where it was dialed, the latest first.
    pub addrs: Vec<PeerAddr>,
}

/// The result of a [`StoreOp`] that is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreResult {
    /// The write is stored.
    Done,
    /// The result of [`StoreOp::Incoming`], for each message.
    Incoming(Vec<Stored>),
    /// The result of [`StoreOp::Forget`].
    Forgotten {
        /// How many messages were removed.
        removed: u64,
        /// How many of the selected messages are queued, and stay.
        queued: u64,
    },
}

/// What the store did with a received message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// It added the message under this number.
    New(RowId),
    /// It has, or had, a message of this sender with the same id.
    Duplicate,
    /// It did not add the message: the user has not seen the messages that fill the sender's quota.
    NoRoom,
}

impl Stored {
    /// Returns the number of an added message.
    pub fn row(self) -> Option<RowId> {
        match self {
            Self::New(row) => Some(row),
            Self::Duplicate | Self::NoRoom => None,
        }
    }
}

/// Why the store cannot write or read. It displays as a clause for the user, like `the disk is
/// full`.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// There is no room on the disk.
    #[error("the disk is full")]
    Full,
    /// There is no room for the message in memory.
    #[error("the memory for messages is full (64 MiB queued, 80 MiB in all)")]
    NoRoom,
    /// Another process did not release the file in time.
    #[error("another process has locked the file")]
    Busy,
    /// The file is damaged.
    #[error("the file is damaged")]
    Damaged,
    /// Another version of the program wrote the file, in the format of this number.
    #[error("another version of p2p-chat wrote it (format {0})")]
    OtherFormat(i64),
    /// Anything else, in the words of the database or the operating system.
    #[error("{0}")]
    Other(String),
}

/// Selects messages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// From and to these peers; `None` for all.
    pub with: Option<Vec<Recipient>>,
    /// Not older than this, in milliseconds since 1970.
    pub since: Option<u64>,
    /// Older than this, in milliseconds since 1970.
    pub until: Option<u64>,
}

/// Which messages to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// The messages to choose from.
    pub which: Selection,
    /// Only messages that contain all these words, each as a word or as the beginning of one. No
    /// character has a special meaning.
    pub words: Option<String>,
    /// Only messages before this one.
    pub before: Option<RowId>,
    /// At most this many, the newest.
    pub limit: usize,
}

/// The direction of a message.
///
/// The store keeps no details of a status (docs/HISTORY.md), and reads it back as the nearest one:
/// `Queued(NoReceipt)` if the message was attempted, `Queued(InLine)` otherwise; `Failed(Blocked)`
/// for a key that the user blocked, forgot or replaced; `Failed(ReachedAnother(None))` without the
/// address; and `Failed(NotSent(Other))` for everything else that could not be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Direction {
    /// It was received.
    Incoming {
        /// It is not known to have been shown.
        unshown: bool,
        /// The user has not read it.
        new: bool,
    },
    /// It is the user's.
    Outgoing {
        /// Its status.
        status: DeliveryStatus,
        /// It is queued, and may have been sent.
        attempted: bool,
    },
}

impl Direction {
    /// Whether the message is the user's.
    pub fn is_outgoing(&self) -> bool {
        matches!(self, Self::Outgoing { .. })
    }
}

/// A stored message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredMessage {
    /// Its number.
    pub row: RowId,
    /// The sender, or the recipient.
    pub peer: Recipient,
    /// The peer's name at that time.
    pub name: Option<PeerName>,
    /// Its direction.
    pub direction: Direction,
    /// Its id; `None` if it came unencrypted.
    pub id: Option<MessageId>,
    /// Whether its sender wrote it to all peers; a claim if it was received.
    pub to_all: bool,
    /// When it was stored, by our clock, in milliseconds since 1970.
    pub time: u64,
    /// When it was typed, by its sender's clock, in milliseconds since 1970; a claim.
    pub sent: Option<u64>,
    /// How sure the identity of the peer is.
    pub assurance: Assurance,
    /// The text. It may come from the network, so it is shown through
    /// [`crate::model::untrusted`] only.
    pub body: Arc<str>,
}

/// A queued message of an earlier run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueuedMessage {
    /// The recipient.
    pub to: Recipient,
    /// The recipient's name when the message was entered.
    pub name: Option<PeerName>,
    /// The message. It is marked as sent before if it was attempted.
    pub message: Message,
    /// It may have been sent.
    pub attempted: bool,
    /// When it expires, in milliseconds since 1970.
    pub expires: u64,
}
