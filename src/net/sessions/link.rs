//! One connection: how far it has come, and what is in flight on it.

use std::collections::VecDeque;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::dialing::DialId;
use super::{
    CHECKED_WITHIN, MIN_WINDOW_BYTES, NAME_SPACING, OPEN_WITHIN, OPENING_SILENCE, PING_INTERVAL, SEND_BYTES,
    SILENCE, SLOWEST_LINE,
};
use crate::core::Time;
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::session::{ByeReason, Message};
use crate::protocol::session::{Hello, Record, Records};

/// How far a connection has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// The opening lines and the TLS handshake.
    Connecting,
    /// The keys are proven. The dialer has sent its hello and waits for the other; the acceptor
    /// waits for the dialer's.
    Greeting,
    /// The peer's hello is here, but another program with its key has an open session.
    Challenging(Box<Challenge>),
    /// Both sides have said hello.
    Open,
    /// One side has said goodbye, or another session has taken its place. Records that arrive until
    /// this time are still taken.
    Parting(Time),
}

/// A program wants a session, and another one with its key has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Challenge {
    /// The hello of the newer program.
    pub(super) hello: Hello,
    /// The ping that the older one has to answer, and until when. An answer to an earlier ping may
    /// have been on its way when that program ended.
    pub(super) ping: u64,
    pub(super) until: Time,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) phase: Phase,
    /// The address that was dialed; `None` if it was accepted.
    pub(super) dialed: Option<PeerAddr>,
    /// The dial that it belongs to until it is open.
    pub(super) dial: Option<DialId>,
    pub(super) source: Source,
    pub(super) local: IpAddr,
    /// The key that the peer has proven.
    pub(super) key: Option<PublicKey>,
    /// The TCP connection is made.
    pub(super) is_connected: bool,
    /// When it was dialed or accepted.
    pub(super) begun: Time,
    /// When a byte came last.
    pub(super) heard: Time,
    /// When it was pinged last.
    pub(super) pinged: Time,
    /// When it had to show that it still leads to the peer.
    pub(super) checked: Option<Time>,
    pub(super) records: Records,
    /// The port that the peer says it listens at; 0 before its hello.
    pub(super) port: u16,
    /// The run of the peer's program.
    pub(super) run: u64,
    /// Bytes of messages that the peer lets us have in flight.
    pub(super) window: usize,
    /// Bytes of messages that we let the peer have in flight.
    pub(super) granted: usize,
    /// Our hello was one to a stranger, without our further addresses.
    pub(super) lacks_addresses: bool,
    /// Our name and our further addresses as we have last sent them on this connection.
    pub(super) told: Option<(PeerName, Vec<SocketAddr>)>,
    /// When we last said on this connection that the user wants to compare safety numbers.
    pub(super) asked_to_verify: Option<Time>,
    /// Bytes that wait to be sent.
    pub(super) unsent: usize,
    /// Our messages without a receipt, and the length of each.
    pub(super) in_flight: InFlight<usize>,
    /// Receipts that came and are not dealt with yet: those of one read are dealt with together.
    pub(super) receipts: Vec<MessageId>,
    /// The peer's messages that are stored and wait for their receipts.
    pub(super) withheld: VecDeque<MessageId>,
    /// The peer's messages without a receipt: those given to the handler, their bytes, and when a
    /// stranger may have the receipt.
    pub(super) staged: InFlight<Time>,
    /// Messages that the handler was not given yet, or had no room for.
    held: Vec<Message>,
    /// The bytes that they count in the window.
    held_bytes: usize,
    /// What the peer calls itself now, if the handler was not told yet.
    pub(super) new_name: Option<PeerName>,
    /// When the handler may be told of a new name.
    pub(super) name_due: Time,
    /// Why the peer ends it.
    pub(super) bye: Option<ByeReason>,
    /// Nothing more is taken: the peer has not kept to the protocol, or the session of another
    /// connection stays, in which it sends its messages, its name and its addresses again.
    pub(super) is_ignored: bool,
}

impl Link {
    pub(super) fn new(
        dialed: Option<PeerAddr>,
        dial: Option<DialId>,
        source: Source,
        local: IpAddr,
        now: Time,
    ) -> Self {
        Self {
            phase: Phase::Connecting,
            dialed,
            dial,
            source,
            local,
            key: None,
            is_connected: dialed.is_none(),
            begun: now,
            heard: now,
            pinged: now,
            checked: None,
            records: Records::new(),
            port: 0,
            run: 0,
            window: 0,
            granted: 0,
            lacks_addresses: false,
            told: None,
            asked_to_verify: None,
            withheld: VecDeque::new(),
            unsent: 0,
            in_flight: InFlight::default(),
            receipts: Vec::new(),
            staged: InFlight::default(),
            held: Vec::new(),
            held_bytes: 0,
            new_name: None,
            name_due: now,
            bye: None,
            is_ignored: false,
        }
    }

    /// Whether its keys are not proven and both hellos are not exchanged yet.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Greeting | Phase::Challenging(..))
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// When something about it is due.
    pub(super) fn due(&self) -> Time {
        match &self.phase {
            Phase::Connecting | Phase::Greeting => {
                self.heard.plus(OPENING_SILENCE).min(self.begun.plus(OPEN_WITHIN))
            }
            Phase::Challenging(challenge) => challenge.until,
            Phase::Parting(until) => *until,
            Phase::Open => {
                let check = self.checked.filter(|at| *at >= self.heard);
                let check = check.map(|at| at.plus(CHECKED_WITHIN + self.transit()));
                let name = self.new_name.as_ref().map(|_| self.name_due);
                let silence = self.heard.plus(SILENCE);
                check.into_iter().chain(name).fold(silence.min(self.next_ping()), Time::min)
            }
        }
    }

    /// Returns whether nothing has come since it was checked, and the time for that is over.
    pub(super) fn fails_check(&self, now: Time) -> bool {
        self.checked.is_some_and(|at| at >= self.heard && now.since(at) >= CHECKED_WITHIN + self.transit())
    }

    /// Returns how long our messages without a receipt take over the slowest line.
    pub(super) fn transit(&self) -> Duration {
        let bytes: usize = self.in_flight.messages.iter().map(|(.., length)| *length).sum();
        Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / SLOWEST_LINE
    }

    /// When it is pinged next: after a silence, and again while that lasts.
    pub(super) fn next_ping(&self) -> Time {
        self.heard.max(self.pinged).plus(PING_INTERVAL)
    }

    /// Returns the address of the peer: where it was dialed, or where it comes from.
    pub(super) fn addr(&self) -> Option<PeerAddr> {
        self.dialed.or_else(|| self.source.at(self.port))
    }

    /// Returns the new name of the peer if the handler may be told of it now.
    pub(super) fn take_name(&mut self, now: Time) -> Option<PeerName> {
        let name = self.new_name.take_if(|_| self.name_due <= now)?;
        self.name_due = now.plus(NAME_SPACING);
        Some(name)
    }

    /// Returns whether a message fits the peer's window, and may wait to be sent. One may be in
    /// flight whatever its size, and one may wait.
    pub(super) fn has_room(&self, message: &Message) -> bool {
        let is_in_window =
            self.in_flight.is_empty() || self.in_flight.bytes + in_window(message) <= self.window;
        is_in_window && (self.unsent == 0 || self.unsent + message.body.len() <= SEND_BYTES)
    }

    /// Returns whether the peer keeps to the window that we granted: beyond it, one message is in
    /// flight at most.
    pub(super) fn keeps_window(&self) -> bool {
        let count = self.held.len() + self.staged.len();
        count <= 1 || self.held_bytes + self.staged.bytes <= self.granted
    }

    /// Holds a message until the handler takes it.
    pub(super) fn hold(&mut self, message: Message) {
        self.held_bytes += in_window(&message);
        self.held.push(message);
    }

    /// Returns the bytes of the messages that are held.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Takes the messages that are held.
    pub(super) fn take_held(&mut self) -> Vec<Message> {
        self.held_bytes = 0;
        mem::take(&mut self.held)
    }

    /// Returns the next whole record.
    ///
    /// # Errors
    /// If the bytes are not what the protocol allows; nothing more is read then.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, ()> {
        self.records.next_record().map_err(|_| ())
    }
}

/// Messages without a receipt in one direction, oldest first. `T` is what else is known of each.
#[derive(Debug)]
pub(super) struct InFlight<T> {
    /// Each with the bytes that it counts in the window.
    messages: VecDeque<(MessageId, usize, T)>,
    /// The bytes of all together.
    bytes: usize,
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self { messages: VecDeque::new(), bytes: 0 }
    }
}

impl<T> InFlight<T> {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn get(&self, id: MessageId) -> Option<&T> {
        self.messages.iter().find(|(other, ..)| *other == id).map(|(.., more)| more)
    }

    pub(super) fn push(&mut self, id: MessageId, bytes: usize, more: T) {
        self.messages.push_back((id, bytes, more));
        self.bytes += bytes;
    }

    /// Removes messages. Mostly they are the oldest.
    pub(super) fn remove(&mut self, ids: &[MessageId]) {
        for id in ids {
            let at = self.messages.iter().position(|(other, ..)| other == id);
            self.bytes -= at.and_then(|at| self.messages.remove(at)).map_or(0, |(_, bytes, _)| bytes);
        }
    }

    /// Removes the newest, as many as this.
    pub(super) fn take_back(&mut self, count: usize) {
        let kept = self.messages.len().saturating_sub(count);
        self.bytes -= self.messages.drain(kept..).map(|(_, bytes, _)| bytes).sum::<usize>();
    }
}

/// The bytes that a message counts in a window.
pub(super) fn in_window(message: &Message) -> usize {
    message.body.len().max(MIN_WINDOW_BYTES)
}
