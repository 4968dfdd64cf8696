//! What is written down of what is said, and read again: the words that the rules and the store share.

use std::sync::Arc;

use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::Message;

/// The number of a message in the store. Later ones are larger, whatever the clock says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowId(pub i64);

/// How sure it was, when a text came, that it was from whom it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assurance {
    /// It came, or went, in plain.
    Plain,
    /// A key was proven.
    Encrypted,
    /// A key was proven that the user had compared with its owner.
    Verified,
    /// It came in plain in the name or from the address of somebody who is known by a key.
    Claimed,
}

/// What is known of a text of ours to one recipient. The order gives the numbers of the store's
/// versions 1 and 2, which it still imports, so it never changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// It waits, and was not sent yet.
    Queued,
    /// It may be on its way. In plain, whether it has arrived is not known until this changes.
    Sent,
    /// Its receipt is there: the recipient has it, and, where both keep a history, has stored it.
    Delivered,
    /// A plain peer has read it, as far as can be seen.
    HandedOver,
    /// A plain peer has it perhaps: it gave no receipt, did not answer, or the connection broke.
    Uncertain,
    /// Somebody else got it than it was for.
    Astray,
    /// It was not sent, and is not any more.
    NotSent,
    /// The recipient does not take us.
    NotAccepted,
    /// The user has blocked, forgotten or replaced the key it was for.
    Withdrawn,
    /// It waited for too long.
    Expired,
    /// The user has taken it back.
    Cancelled,
}

/// All of them, each at its number.
const CONDITIONS: [Condition; 11] = [
    Condition::Queued,
    Condition::Sent,
    Condition::Delivered,
    Condition::HandedOver,
    Condition::Uncertain,
    Condition::Astray,
    Condition::NotSent,
    Condition::NotAccepted,
    Condition::Withdrawn,
    Condition::Expired,
    Condition::Cancelled,
];

impl Condition {
    /// Returns the condition that has this number in a file of version 1 or 2.
    pub fn of(number: u8) -> Option<Self> {
        CONDITIONS.get(usize::from(number)).copied()
    }

    /// Whether something may still be done about it without the user.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Sent)
    }
}

/// Something to be written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreOp {
    /// A text of ours to one recipient, with what is known of it. The same text to several is one of these for each, with one id.
    Said {
        /// To whom.
        to: Recipient,
        /// What they are called at the moment.
        name: Option<PeerName>,
        /// The text. Its time is when it was typed.
        message: Message,
        /// What is known of it.
        condition: Condition,
        /// Whether it goes out in encryption, as far as that is known.
        assurance: Assurance,
        /// When it expires, in milliseconds since 1970; 0 if it does not wait.
        expires: u64,
    },
    /// Something is known of a text of ours. Nothing happens where it is not there.
    Became {
        /// To whom it is.
        to: Recipient,
        /// Which text.
        id: MessageId,
        /// What is known of it now.
        condition: Condition,
    },
    /// A text of ours is for another party from now on: its recipient has shown a key, or the user trusts another key in the place of that one.
    Moved {
        /// Which text.
        id: MessageId,
        /// To whom it was.
        from: Recipient,
        /// To whom it is.
        to: Recipient,
    },
    /// A text came in plain, and was shown.
    Heard {
        /// From whom.
        from: Recipient,
        /// What they call themselves.
        name: Option<PeerName>,
        /// [`Assurance::Plain`] or [`Assurance::Claimed`].
        assurance: Assurance,
        /// What it says.
        body: Arc<str>,
    },
    /// Texts of a proven key came. Those of them that the store knows already are doubles.
    Taken {
        /// From whom.
        from: PublicKey,
        /// What they call themselves.
        name: Option<PeerName>,
        /// [`Assurance::Encrypted`] or [`Assurance::Verified`].
        assurance: Assurance,
        /// The texts; their times are claims of the sender.
        messages: Vec<Message>,
    },
    /// These messages have been shown to the user.
    Shown(Vec<RowId>),
    /// Everything that came from this party so far has been read.
    Read(Recipient),
    /// Forget messages for good: nothing of them stays in the file. Texts of ours that wait stay.
    Forget(Selection),
}

/// What became of a [`StoreOp`] that is durable now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreResult {
    /// It is written down.
    Done,
    /// Of [`StoreOp::Taken`]: for each text its number, or none where it is a double.
    Taken(Vec<Option<RowId>>),
    /// Of [`StoreOp::Forget`]: how many messages are gone, and how many of those chosen wait and stay.
    Forgotten(u64, u64),
}

/// Which messages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// From and to these; none for all.
    pub with: Option<Vec<Recipient>>,
    /// Not older than this, in milliseconds since 1970.
    pub since: Option<u64>,
    /// Older than this, in milliseconds since 1970.
    pub until: Option<u64>,
}

/// What to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Which messages.
    pub which: Selection,
    /// Which have all these words in them, each at least as the beginning of a word; whatever the text is, it is only words.
    pub words: Option<String>,
    /// Only messages before this one.
    pub before: Option<RowId>,
    /// At most so many, the last of them.
    pub limit: usize,
}

/// Which way a message went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// It came; the user has not read it perhaps.
    In {
        /// It was not shown, as far as is known.
        unshown: bool,
        /// It came since the user last had to do with its sender.
        new: bool,
    },
    /// It is ours.
    Out(Condition),
}

/// A message as it is written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredMessage {
    /// Its number.
    pub row: RowId,
    /// From or to whom.
    pub party: Recipient,
    /// What they were called then.
    pub name: Option<PeerName>,
    /// Which way it went.
    pub way: Direction,
    /// What it is known by, if it has an id.
    pub id: Option<MessageId>,
    /// When it was written down, by our clock, in milliseconds since 1970.
    pub time: u64,
    /// When it was typed, by its sender's clock, in milliseconds since 1970; a claim.
    pub sent: Option<u64>,
    /// How sure it is from whom it is.
    pub assurance: Assurance,
    /// What it says. From the network, so it is shown through [`crate::model::untrusted`] only.
    pub body: Arc<str>,
}

/// A text of ours that waits, as it is found when the program starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueuedMessage {
    /// To whom.
    pub to: Recipient,
    /// What they were called.
    pub name: Option<PeerName>,
    /// The text, marked as one that may have been sent before where that is so.
    pub message: Message,
    /// [`Condition::Queued`] or [`Condition::Sent`].
    pub condition: Condition,
    /// When it expires, in milliseconds since 1970.
    pub expires: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_has_a_number_of_its_own_and_no_other_number_stands_for_one() {
        for number in 0..=u8::MAX {
            let condition = Condition::of(number);
            assert_eq!(condition.is_some(), usize::from(number) < CONDITIONS.len());
            assert!(condition.is_none_or(|condition| condition as u8 == number));
        }
    }
}
