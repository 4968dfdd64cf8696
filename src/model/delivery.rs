//! The state of an outgoing message: the one word for it in the core, the store and the interface.

use crate::model::address::PeerAddr;
use crate::model::message::SendError;

/// What is known about an outgoing message for one recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeliveryStatus {
    /// It waits and will be sent, or sent again.
    Queued(PendingReason),
    /// A legacy peer has read it, as far as can be seen; it gives no receipt.
    Sent,
    /// Its receipt arrived.
    Delivered,
    /// It did not reach its recipient and will not be sent again.
    Failed(FailureReason),
    /// It waited for as long as the user allows.
    Expired,
    /// The user cancelled it.
    Cancelled,
    /// It was sent to a legacy peer, and there is no sign whether it was read.
    Unknown,
}

impl DeliveryStatus {
    /// Returns whether the status never changes again by itself.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Queued(_))
    }
}

/// Why a message waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PendingReason {
    /// Earlier messages are on their way.
    InLine,
    /// No connection could be made, or it broke.
    Unreachable,
    /// The program at the address does not answer the opening line of a session.
    NoSession,
    /// The peer runs a version that speaks another protocol.
    Incompatible,
    /// The encrypted exchange fails, perhaps because of someone in between.
    NotSecure,
    /// Another key answers at the peer's addresses.
    WrongKey,
    /// The peer has not accepted us yet.
    NotAcceptedYet,
    /// The peer has no room for more messages or sessions.
    NoRoom,
    /// It was sent, and no receipt has come.
    NoReceipt,
    /// A peer of another name, or with a key, is at the address that the message is for.
    AnotherPeer,
    /// The store failed, and an unencrypted message that is not stored could be sent twice.
    NotStored,
}

/// Why a message is not sent any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FailureReason {
    /// The peer does not accept messages from us.
    NotAccepted,
    /// The user blocked the peer.
    Blocked,
    /// The user forgot the peer's key.
    Forgotten,
    /// The user trusted another key in place of this one while the message was on its way.
    Replaced,
    /// The program ends, and nothing is kept for the next run. `attempted`: it may have arrived.
    Ended {
        /// The message may have reached its recipient.
        attempted: bool,
    },
    /// The queue it was moved to is full.
    QueueFull,
    /// Another peer than its recipient received it, at this address; `None` if it is not known any
    /// more.
    ReachedAnother(Option<PeerAddr>),
    /// It could not be sent, and trying again would not help.
    NotSent(SendError),
    /// It may not be sent in this form.
    Rejected(RejectReason),
}

/// Why a message or command is rejected before anything is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RejectReason {
    /// Legacy programs take this word for a command and show it to no one.
    CommandWord(&'static str),
    /// The queue of the recipient is full.
    QueueFull,
    /// All queues together are full.
    OutboxFull,
    /// The store in memory has no room for it.
    NoMemory,
    /// The recipient is this program.
    Ourselves,
    /// The recipient of a goodbye is offline.
    Offline,
    /// It is longer than a legacy peer can read.
    TooLongForLegacy,
    /// The user allows only encrypted messages, and the recipient is a legacy peer.
    OnlyEncrypted,
    /// The key waits for the user's decision, or is blocked.
    NotTrusted,
    /// The key is not known any more: the user has forgotten it, or it was a stranger's.
    Forgotten,
}
