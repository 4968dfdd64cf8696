//! The outputs of the core: what the user is told, and what is to be done.

use std::net::IpAddr;
use std::sync::Arc;

use super::ids::{JobId, OpId};
use super::introductions::IntroductionPart;
use super::outbox::WriteId;
use super::peer_info::PeerInfo;
use super::peers::Row;
use super::presence::OfflineReason;
use super::time::Time;
use super::trust::{As, Meeting, PeerRequest, Pin, Policy, Unknown};
use crate::model::address::{Claimed, PeerAddr, Source, SourcePrefix};
use crate::model::delivery::{DeliveryStatus, RejectReason};
use crate::model::host::{HostAddr, LookupError};
use crate::model::key::PublicKey;
use crate::model::message::{Form, Outgoing, SendResult, Unreadable};
use crate::model::name::PeerName;
use crate::model::session::{ByeReason, Request};
use crate::model::stored::{RowId, StoreError, StoreOp};
use crate::model::untrusted::Text;

/// The peers that a message to all left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeftOut {
    /// How many unencrypted strangers there are.
    pub strangers: usize,
    /// The contacts that are offline.
    pub offline: LeftOutContacts,
    /// The contacts that do not accept messages from us.
    pub refusing: LeftOutContacts,
}

/// Contacts that a message to all left out for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeftOutContacts {
    /// The first of them.
    pub first: Vec<PeerInfo>,
    /// How many there are.
    pub count: usize,
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
    /// A blocked peer.
    Blocked,
    /// A stranger with a pinned key.
    Stranger,
    /// A listed address at which no peer has proven itself.
    Address,
    /// An address that is not listed, for which messages were queued.
    Queue,
}

/// A decision of the user about a peer that was carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// A key is trusted, and as which peer.
    Trusted(Pin, As),
    /// A key is blocked.
    Blocked(Pin),
    /// A peer is forgotten; what it was.
    Forgotten(PeerInfo, Forgotten),
    /// A key is no longer blocked.
    Unblocked(Pin),
    /// A legacy peer is blocked.
    BlockedLegacy(PeerInfo),
    /// A legacy peer is no longer blocked, and whether it is a contact.
    UnblockedLegacy(PeerInfo, bool),
    /// A source is blocked.
    BlockedSource(SourcePrefix),
    /// A source is no longer blocked.
    UnblockedSource(SourcePrefix),
    /// A contact was added or changed, and whether it is new.
    Added(PeerInfo, bool),
    /// A peer that a contact has introduced was added.
    AddedIntroduced {
        /// The new contact.
        who: PeerInfo,
        /// The introducer.
        by: Box<PeerInfo>,
    },
    /// A key is verified.
    Verified(Pin),
    /// A peer is muted.
    Muted(PeerInfo),
    /// A peer is no longer muted, and whether it was.
    Unmuted(PeerInfo, bool),
    /// The policy for strangers from now on.
    Policy(Policy),
}

/// News about an introduction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IntroductionNews {
    /// A contact introduces a peer to the user.
    Introduced {
        /// The contact.
        by: PeerInfo,
        /// The key of the peer.
        key: PublicKey,
        /// What the contact calls it.
        name: PeerName,
    },
    /// The user introduced two contacts to each other.
    Asked {
        /// The user had not introduced them to each other in the last 7 days.
        is_new: bool,
        /// Those that are asked now.
        asked: Vec<PeerInfo>,
        /// Those that are asked when they are online.
        later: Vec<PeerInfo>,
        /// Those that have accepted.
        accepted: Vec<PeerInfo>,
    },
    /// The user has sent this contact the maximum number of introductions for today.
    TooMany(PeerInfo),
    /// The user accepted an introduction, and the card is on its way.
    Accepted {
        /// The introducer.
        by: PeerInfo,
        /// The name of the introduced peer.
        name: PeerName,
        /// The introducer has no session, so the card is sent when it is online.
        later: bool,
        /// The peer becomes a contact when its card comes.
        waits: bool,
    },
    /// The user ignores the introduced peer with this name.
    Ignored(PeerName),
    /// A contact accepted, and its card was passed on to the other one.
    PassedOn {
        /// Whose card it is.
        from: PeerInfo,
        /// Who gets it.
        to: PeerInfo,
    },
    /// There is no such introduction.
    NotThere,
}

/// Something that the user is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A message arrived.
    Message {
        /// Its sender.
        from: PeerInfo,
        /// Its text.
        text: Text,
        /// It was too long, or broke off; this is its beginning.
        cut: bool,
        /// When its sender sent it, by the sender's clock, in milliseconds since 1970; a claim.
        /// `None` if it came unencrypted.
        sent: Option<u64>,
        /// An earlier run may have shown it: its sender has sent it before.
        again: bool,
        /// Its sender wrote it to all peers; a claim.
        to_all: bool,
        /// Its row in the store, if it is not marked as shown there yet.
        row: Option<RowId>,
    },
    /// A message from a muted peer arrived and is not shown.
    MutedMessage(PeerInfo),
    /// An unencrypted message arrived in the name, or from the address, of a peer that has a key.
    Unproven {
        /// The peer it would be from; its verification says whose name or address was claimed.
        from: PeerInfo,
        /// Where it came from.
        source: Source,
        /// Its text.
        text: Text,
        /// It was too long, or broke off; this is its beginning.
        cut: bool,
    },
    /// A peer has proven a key that was not known before. Messages to it are encrypted from now on.
    Pinned {
        /// The peer.
        who: PeerInfo,
        /// The key.
        key: PublicKey,
        /// It is online since then. No [`Event::Online`] follows.
        is_online: bool,
        /// It is a contact already: the user has named or configured its address.
        is_contact: bool,
    },
    /// A peer waits for the user's decision. Until then nothing is sent to it or shown of it.
    PeerRequest(Box<PeerRequest>),
    /// Strangers announce themselves on the local network and are not connected automatically. Sent
    /// once for each stranger.
    OnNetwork {
        /// The first of them.
        first: Vec<PeerInfo>,
        /// How many more there are.
        more: usize,
    },
    /// The policy refused a stranger. Told once of each.
    RefusedStranger(Meeting),
    /// So many more peers wanted to wait for the user's decision than there was room for.
    MoreRequests(usize),
    /// A known key calls itself by this name of a contact, and is not shown under it.
    TakesName(PeerInfo, PeerName),
    /// A key answered, but the peer or its receipt was known by another key.
    Misled {
        /// The peer with the expected key; `None` if only a receipt promised it.
        who: Option<PeerInfo>,
        /// Where it answered.
        addr: PeerAddr,
        /// The key that was expected.
        promised: PublicKey,
        /// The key that was proven.
        proven: PublicKey,
        /// The contact that has the proven key, if one has.
        by: Option<Box<PeerInfo>>,
    },
    /// The user connected to a stranger on the local network, and another key answered.
    WrongAnnouncement {
        /// The announced stranger.
        who: PeerInfo,
        /// The announced address.
        addr: PeerAddr,
        /// The contact that has the proven key, if one has.
        by: Option<Box<PeerInfo>>,
    },
    /// A peer does not accept messages from us.
    TurnedAway(PeerInfo, ByeReason, Option<PublicKey>),
    /// A peer that did not accept messages from us accepts them again.
    AcceptsAgain(PeerInfo),
    /// A decision of the user was carried out.
    Decided(Decision),
    /// A decision of the user was not carried out.
    Undecided(Unknown),
    /// The program ends, and so many messages wait for a recipient until the next run.
    StayQueued(PeerInfo, usize),
    /// Something could not be stored. Told once a minute at most.
    NotStored(StoreError),
    /// The clock of this machine may be wrong. Both times are in seconds since 1970.
    ClockDoubted {
        /// What it shows.
        clock: u64,
        /// The last recorded clock, from when it was believed right.
        noted: u64,
    },
    /// The user wanted to cancel a message that no longer waits.
    NotWaiting,
    /// Bytes arrived that are not a message.
    Unreadable {
        /// Where they came from.
        source: Source,
        /// Their beginning, and what is wrong with them.
        what: Unreadable,
    },
    /// An unencrypted message claims our own address.
    Impostor {
        /// Where it came from.
        source: Source,
        /// The claimed address.
        claimed: Claimed,
        /// Its text; `None` if the policy shows no text of strangers.
        text: Option<Text>,
    },
    /// A peer has proven itself at an address. Messages for the address are now for this peer.
    ProvenAt(PeerAddr, PeerInfo),
    /// A peer that was met calls itself something else now.
    Renamed(PeerInfo),
    /// A contact wants to compare safety numbers.
    AsksToVerify(PeerInfo),
    /// Something about an introduction.
    Introduction(Box<IntroductionNews>),
    /// A peer is online.
    Online(PeerInfo),
    /// A peer is offline, for this reason.
    Offline(PeerInfo, OfflineReason),
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
        /// The command.
        op: OpId,
        /// What it does.
        kind: CommandKind,
        /// The peer.
        who: PeerInfo,
        /// The result.
        result: SendResult,
        /// The number of peers of the command.
        total: usize,
    },
    /// A `connect` or a goodbye was not sent to a peer.
    NotSent {
        /// The command.
        op: OpId,
        /// The peer.
        who: PeerInfo,
        /// The reason.
        why: RejectReason,
    },
    /// A host name has no address.
    NotFound {
        /// The host name.
        host: HostAddr,
        /// The reason.
        why: LookupError,
        /// The command that connects to it; `None` for a static peer.
        op: Option<OpId>,
    },
    /// All recipients of a command have their results.
    Sum {
        /// What the command did.
        kind: CommandKind,
        /// The number of recipients.
        total: usize,
        /// How many of them it reached.
        done: usize,
        /// Those that it did not reach, and why; the first few.
        failed: Vec<(PeerInfo, DeliveryStatus)>,
        /// The peers that a message to all left out.
        left_out: LeftOut,
    },
    /// A message was exactly a command word of legacy programs, and does what it does there.
    TakenAs(CommandKind),
    /// A command to all peers found none.
    Nobody(CommandKind),
    /// The peer list, verified.
    Listed {
        /// Its rows.
        rows: Vec<Row>,
        /// How many of them could not be probed in time.
        unasked: usize,
    },
    /// All static peers were dialed once.
    Dialed {
        /// How many there are.
        total: usize,
        /// How many are online.
        connected: usize,
    },
    /// Messages were refused without a receipt, because there was no room for them.
    Refused {
        /// Their sources, and how many came from each; the source of most is first.
        sources: Vec<(Source, u64)>,
        /// How many came from other sources.
        others: u64,
    },
    /// So many unencrypted connections were refused because the user requires encryption, the last
    /// one from this source. Told once a minute at most.
    PlainRefused(Source, u64),
    /// Another program at this IP uses our key.
    IdentityInUse(IpAddr),
    /// Contacts have changed and have to be saved: [`super::State::take_contact_changes`].
    ContactsChanged,
    /// Introductions have changed and have to be saved: [`super::State::take_introductions`].
    IntroductionsChanged,
    /// This machine has other addresses than before.
    NetworkChanged,
    /// A command is done.
    Settled(OpId),
}

impl Event {
    /// Returns the event for the log, with `shown` in place of the text that people wrote. `None`
    /// if the event has no such text.
    pub fn with_text(&self, shown: &str) -> Option<Self> {
        let mut event = self.clone();
        match &mut event {
            Self::Message { text, .. }
            | Self::Unproven { text, .. }
            | Self::Impostor { text: Some(text), .. } => *text = Text::new(shown),
            Self::Unreadable { what, .. } => what.text = Text::new(shown),
            Self::Delivery { text, .. } => *text = shown.into(),
            _ => return None,
        }
        Some(event)
    }

    /// Returns the length in bytes of a text from a peer.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Message { text, .. }
            | Self::Unproven { text, .. }
            | Self::Impostor { text: Some(text), .. } => text.raw().len(),
            _ => 0,
        }
    }

    /// Calls `take` for each peer that the user may read of because of this event.
    pub fn each_who(&self, mut take: impl FnMut(&PeerInfo)) {
        match self {
            Self::Message { from: who, .. }
            | Self::MutedMessage(who)
            | Self::Pinned { who, .. }
            | Self::TakesName(who, _)
            | Self::TurnedAway(who, ..)
            | Self::AcceptsAgain(who)
            | Self::Delivery { who, .. }
            | Self::StayQueued(who, _)
            | Self::ProvenAt(_, who)
            | Self::Renamed(who)
            | Self::AsksToVerify(who)
            | Self::Online(who)
            | Self::Offline(who, _)
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
            Self::OnNetwork { first, .. } => first.iter().for_each(take),
            Self::Sum { left_out, .. } => {
                left_out.offline.first.iter().chain(&left_out.refusing.first).for_each(take);
            }
            Self::Unreadable { .. }
            | Self::Unproven { .. }
            | Self::PeerRequest(_)
            | Self::RefusedStranger(_)
            | Self::MoreRequests(_)
            | Self::Misled { .. }
            | Self::WrongAnnouncement { .. }
            | Self::Introduction(_)
            | Self::Decided(_)
            | Self::Undecided(_)
            | Self::Impostor { .. }
            | Self::PlainRefused(..)
            | Self::IdentityInUse(_)
            | Self::NotFound { .. }
            | Self::ContactsChanged
            | Self::IntroductionsChanged
            | Self::NetworkChanged
            | Self::NotStored(_)
            | Self::ClockDoubted { .. }
            | Self::NotWaiting
            | Self::Refused { .. }
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
    /// The result is reported under this number.
    pub job: JobId,
    /// The address to dial.
    pub to: PeerAddr,
    /// The address to dial if no program listens there.
    pub fallback: Option<PeerAddr>,
    /// The form to write it in.
    pub form: Form,
    /// What to send.
    pub message: Outgoing,
    /// It is not begun after this time, and is over by then.
    pub deadline: Option<Time>,
}

/// Something to do in a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRequest {
    /// The result is reported under this number.
    pub job: JobId,
    /// The addresses to dial, in this order, if no session is open.
    pub addrs: Vec<PeerAddr>,
    /// The key that has to be proven; `None` for any key.
    pub expect: Option<PublicKey>,
    /// What to do in the session.
    pub say: Request,
    /// It is not begun after this time, and is over by then.
    pub deadline: Option<Time>,
}

/// What the core wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send something unencrypted.
    Plain(PlainRequest),
    /// Do something in a session.
    Session(SessionRequest),
    /// Send part of an introduction in the session with a key.
    Introduce(PublicKey, IntroductionPart),
    /// Have the system resolve a host name. [`State::resolved`](super::State::resolved) takes the
    /// result.
    Resolve(HostAddr),
    /// Tell the user.
    Tell(Event),
    /// Store something. The result is reported under the number, if there is one.
    Store(Option<WriteId>, StoreOp),
    /// Store a message that was held until the user accepted its sender, who was met at this
    /// source. [`State::messages_stored`](super::State::messages_stored) takes the result.
    Accepted(Source, StoreOp),
}

/// The answer on the connection of an unencrypted message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlainAnswer {
    /// Nothing: the connection was empty, or its messages were not accepted.
    Nothing,
    /// The receipt.
    Receipt,
    /// The receipt that says that we accept sessions: the sender may accept them, too.
    Capable,
    /// `CONNECTED`: the sender is listed.
    Connected,
}
