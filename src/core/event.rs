//! What the rules tell the user, and what they want done.

use std::sync::Arc;

use super::outbox::WriteId;
use super::peers::Row;
use super::presence::OfflineReason;
use super::time::Time;
use super::trust::{As, Offer, Pin, Policy, Unknown};
use crate::model::address::{Claimed, PeerAddr, Source};
use crate::model::delivery::{DeliveryStatus, RejectReason};
use crate::model::key::PublicKey;
use crate::model::message::{Form, Outgoing, SendResult, Unreadable};
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::{ByeReason, Request};
use crate::model::stored::{RowId, StoreError, StoreOp};
use crate::model::untrusted::Text;

/// A command of the user, for as long as the program runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpId(pub u64);

/// Something on its way to a peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobId(pub u64);

/// How sure it is that a peer is the one it is named as. Signs on the screen say which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verification {
    /// It has proven a key that the user has compared with its owner.
    Verified,
    /// It has proven the key that it is known by, which nobody has compared.
    Encrypted,
    /// Nobody has asked it yet what it can do.
    Unknown,
    /// Nothing is proven, and what is said can be read and changed on its way.
    Plain,
    /// Nothing is proven, and the peer that is known by a key and called this has the name or address that is claimed.
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
    /// What its header says, where that is not its address.
    pub claimed: Option<Claimed>,
    /// How sure it is that it is this peer.
    pub verification: Verification,
}

/// What a command does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandKind {
    /// Send a message.
    Send,
    /// Ask to be listed.
    Connect,
    /// Say goodbye.
    Disconnect,
}

/// What a peer was before the user forgot it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgotten {
    /// A contact.
    Contact,
    /// A blocked contact.
    Blocked,
    /// A stranger with a pinned key.
    Stranger,
}

/// What the user has said about keys, done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// A key is taken, as whom.
    Trusted(Pin, As),
    /// A key is blocked.
    Blocked(Pin),
    /// A peer is forgotten; what it was.
    Forgotten(PeerInfo, Forgotten),
    /// A key is no longer blocked.
    Unblocked(Pin),
    /// A peer is a contact now, or its entry was changed; whether it is new.
    Added(PeerInfo, bool),
    /// A key is the right one.
    Verified(Pin),
    /// What is done with unknown keys from now on.
    Policy(Policy),
}

/// Something that the user is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A message arrived.
    Message {
        /// From whom.
        from: PeerInfo,
        /// What it says.
        text: Text,
        /// It was longer than is read, or broke off; this is its beginning.
        cut: bool,
        /// It may have been shown before our start: its sender has sent it before, and we do not remember.
        again: bool,
        /// Its row in the store, if it is not marked as shown there yet.
        row: Option<RowId>,
    },
    /// An unencrypted message arrived in the name, or from the address, of a peer that has a key.
    Unproven {
        /// The peer it would be from; its verification says whose name or address was claimed.
        from: PeerInfo,
        /// Where it came from.
        source: Source,
        /// What it says.
        text: Text,
        /// It was longer than is read, or broke off; this is its beginning.
        cut: bool,
    },
    /// A peer has proven a key that was not known before. Messages to it are encrypted from now on.
    Pinned(PeerInfo, PublicKey),
    /// A key waits for the user's word; nothing goes to it until then, and nothing of it is shown.
    Offered(Offer),
    /// So many more keys wait for the user's word than are kept.
    MoreOffered(u64),
    /// A known key calls itself by the name of another, which it is not given.
    TakesName(PeerInfo, PeerName),
    /// A key answered, but the peer or its receipt was known by another key.
    Misled {
        /// The peer with the expected key; `None` if only a receipt promised it.
        who: Option<PeerInfo>,
        /// Where.
        addr: PeerAddr,
        /// The key that was expected.
        promised: PublicKey,
        /// The key that was proven.
        offered: PublicKey,
    },
    /// A peer does not accept messages from us.
    TurnedAway(PeerInfo, ByeReason),
    /// What the user said about a key was done.
    Decided(Decision),
    /// What the user said about a key was not done.
    Undecided(Unknown),
    /// The queue of a recipient is nearly full.
    NearlyFull {
        /// For whom.
        who: PeerInfo,
        /// How many wait.
        count: usize,
        /// How many may.
        most: usize,
    },
    /// All queues together are nearly full.
    AllNearlyFull,
    /// The program ends, and so many messages wait for a recipient until the next run.
    StayQueued(PeerInfo, usize),
    /// Something could not be stored. Told once a minute at most.
    NotStored(StoreError),
    /// The user wanted to change a message that does not wait any more.
    NotWaiting,
    /// Something came that is no message.
    Unreadable {
        /// From where.
        source: Source,
        /// Its beginning, and what is wrong with it.
        what: Unreadable,
    },
    /// Somebody claims our own address.
    Impostor {
        /// From where.
        source: Source,
        /// The address that was claimed.
        claimed: Claimed,
        /// What was said.
        text: Text,
    },
    /// A peer has proven itself at an address. Messages for the address are now for this peer.
    ProvenAt(PeerAddr, PeerInfo),
    /// A peer is there.
    Came(PeerInfo),
    /// A peer is gone.
    Went(PeerInfo, OfflineReason),
    /// The status of an outgoing message for one recipient changed.
    Delivery {
        /// The command that sent it.
        op: OpId,
        /// The recipient.
        who: PeerInfo,
        /// What is known of it now.
        status: DeliveryStatus,
        /// It is the first that is known; later ones may follow the end of the command.
        is_first: bool,
        /// How many parts of a long message were sent unencrypted, and how many there are.
        parts: (usize, usize),
        /// The number of recipients of the command.
        total: usize,
        /// The text.
        text: Arc<str>,
    },
    /// A `connect` or a goodbye to one peer is done.
    Done {
        /// Which command.
        op: OpId,
        /// What it does.
        kind: CommandKind,
        /// The peer.
        who: PeerInfo,
        /// What became of it.
        result: SendResult,
        /// The number of peers of the command.
        total: usize,
    },
    /// A `connect` or a goodbye was not sent to a peer.
    NotSent {
        /// Which command.
        op: OpId,
        /// The peer.
        who: PeerInfo,
        /// The reason.
        why: RejectReason,
    },
    /// A command to several is done with all of them.
    Sum {
        /// What it did.
        kind: CommandKind,
        /// How many it went to.
        total: usize,
        /// How many took it.
        done: usize,
        /// Those that did not, and why: the first few.
        failed: Vec<(PeerInfo, DeliveryStatus)>,
    },
    /// A message was exactly a command word of the legacy programs, and does what it does there.
    TakenAs(CommandKind),
    /// A command for everybody found nobody.
    Nobody(CommandKind),
    /// The peer list, verified.
    Listed {
        /// Its rows.
        rows: Vec<Row>,
        /// How many of them could not be asked within the time.
        unasked: usize,
    },
    /// All static peers were dialed once.
    Dialed {
        /// How many there are.
        total: usize,
        /// How many are there.
        connected: usize,
    },
    /// Messages were not taken, for there was no room for them; nothing was acknowledged.
    Refused {
        /// Where they came from, and how many; the source of most is first.
        sources: Vec<(Source, u64)>,
        /// How many came from elsewhere.
        others: u64,
    },
    /// Something plain was not taken, for the user wants nothing plain; told once a minute, with how many there were.
    PlainRefused(Source, u64),
    /// Something has to be saved of contacts: [`super::State::take_contact_changes`].
    ContactsChanged,
    /// A command is done.
    Settled(OpId),
}

impl Event {
    /// Shows `take` everybody that the user may read of because of this.
    pub fn each_who(&self, mut take: impl FnMut(&PeerInfo)) {
        match self {
            Self::Message { from: who, .. }
            | Self::Pinned(who, _)
            | Self::TakesName(who, _)
            | Self::TurnedAway(who, _)
            | Self::Delivery { who, .. }
            | Self::NearlyFull { who, .. }
            | Self::StayQueued(who, _)
            | Self::ProvenAt(_, who)
            | Self::Came(who)
            | Self::Went(who, _)
            | Self::Done { who, .. }
            | Self::NotSent { who, .. } => take(who),
            Self::Listed { rows, .. } => {
                for row in rows {
                    take(&PeerInfo {
                        id: row.id,
                        name: row.name.clone(),
                        addr: row.addr,
                        claimed: None,
                        verification: row.verification.clone(),
                    });
                }
            }
            Self::Unreadable { .. }
            | Self::Unproven { .. }
            | Self::Offered(_)
            | Self::MoreOffered(_)
            | Self::Misled { .. }
            | Self::Decided(_)
            | Self::Undecided(_)
            | Self::Impostor { .. }
            | Self::PlainRefused(..)
            | Self::ContactsChanged
            | Self::NotStored(_)
            | Self::NotWaiting
            | Self::AllNearlyFull
            | Self::Refused { .. }
            | Self::Sum { .. }
            | Self::TakenAs(_)
            | Self::Nobody(_)
            | Self::Dialed { .. }
            | Self::Settled(_) => {}
        }
    }
}

/// Something to send unencrypted, on a connection of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlainRequest {
    /// Its outcome is reported under this.
    pub job: JobId,
    /// Where it goes.
    pub to: PeerAddr,
    /// Where it goes if nobody listens there.
    pub fallback: Option<PeerAddr>,
    /// The form to write it in.
    pub form: Form,
    /// What to say.
    pub message: Outgoing,
    /// When it is to be over whatever happens; later than that it is not begun.
    pub deadline: Option<Time>,
}

/// Something to do in a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRequest {
    /// Its outcome is reported under this.
    pub job: JobId,
    /// Where to dial, in this order, if no session is open.
    pub addrs: Vec<PeerAddr>,
    /// The key that has to be proven; none on first contact.
    pub expect: Option<PublicKey>,
    /// What to say.
    pub say: Request,
    /// When it is to be over whatever happens; later than that it is not begun.
    pub deadline: Option<Time>,
}

/// What the rules want done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Dial and say something.
    Plain(PlainRequest),
    /// Dial, or use a connection that is kept, and say something in encryption.
    Session(SessionRequest),
    /// Tell the user.
    Tell(Event),
    /// Write something down; what came of it is reported under this, if it is given.
    Store(Option<WriteId>, StoreOp),
}

/// What to answer on the connection that something came on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlainAnswer {
    /// Nothing: there was nothing, or it was not taken.
    Nothing,
    /// The receipt: it was taken.
    Receipt,
    /// The same, with our key: who sent it may be able to speak in encryption.
    Capable,
    /// `CONNECTED`: the sender is listed.
    Connected,
}
