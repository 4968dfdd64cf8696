//! The state of one connection: its phase, and the messages in flight on it.

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

/// The progress of a connection, from dialing to closing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// The opening lines and the TLS handshake.
    Connecting,
    /// The keys are proven. The dialer has sent its hello and waits for the acceptor's; the
    /// acceptor waits for the dialer's.
    Greeting,
    /// The peer's hello has arrived, but another program with its key has an open session.
    Challenging(Box<Challenge>),
    /// Both sides have sent their hello.
    Open,
    /// One side has said goodbye, or another session has taken its place. Records that arrive until
    /// this time are still processed.
    Parting(Time),
}

/// A program asks for a session while another one with the same key has an open one.
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
    /// Whether the TCP connection is established.
    pub(super) is_connected: bool,
    /// When it was dialed or accepted.
    pub(super) begun: Time,
    /// When the last byte arrived.
    pub(super) heard: Time,
    /// When the last ping was sent.
    pub(super) pinged: Time,
    /// When the last check that it still leads to the peer began.
    pub(super) checked: Option<Time>,
    pub(super) records: Records,
    /// The port that the peer says it listens at; 0 before its hello.
    pub(super) port: u16,
    /// A number that identifies the run of the peer's program.
    pub(super) run: u64,
    /// Bytes of messages that the peer lets us have in flight.
    pub(super) window: usize,
    /// Bytes of messages that we let the peer have in flight.
    pub(super) granted: usize,
    /// Whether our hello was one to a stranger, without our other addresses.
    pub(super) lacks_addresses: bool,
    /// Our name and our other addresses as we last sent them on this connection.
    pub(super) told: Option<(PeerName, Vec<SocketAddr>)>,
    /// When we last said on this connection that the user wants to compare safety numbers.
    pub(super) asked_to_verify: Option<Time>,
    /// Bytes waiting to be sent.
    pub(super) unsent: usize,
    /// Our messages without a receipt, and the length of each.
    pub(super) in_flight: InFlight<usize>,
    /// Receipts that are not processed yet. Those of one read are processed together.
    pub(super) receipts: Vec<MessageId>,
    /// The peer's messages that are stored and wait for their receipts.
    pub(super) withheld: VecDeque<MessageId>,
    /// The peer's messages that the handler has and that have no receipt yet. The time is the
    /// earliest at which a stranger gets the receipt.
    pub(super) staged: InFlight<Time>,
    /// Messages that the handler has not been given yet, or had no room for.
    held: Vec<Message>,
    /// How many bytes of the window `held` takes up.
    held_bytes: usize,
    /// The peer's new name, until the handler is told.
    pub(super) new_name: Option<PeerName>,
    /// The earliest time at which the handler may be told of a new name.
    pub(super) name_due: Time,
    /// The reason in the peer's goodbye.
    pub(super) bye: Option<ByeReason>,
    /// Whether further records are ignored. Either the peer has broken the protocol, or another
    /// connection keeps the session, and the peer sends its messages, name and addresses again
    /// there.
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

    /// Returns whether the handshake or the exchange of hellos is unfinished.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Greeting | Phase::Challenging(..))
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Returns when the connection next needs attention: a timeout, a check, a ping or a new name.
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

    /// Returns whether a check has timed out: nothing has arrived since it began.
    pub(super) fn fails_check(&self, now: Time) -> bool {
        self.checked.is_some_and(|at| at >= self.heard && now.since(at) >= CHECKED_WITHIN + self.transit())
    }

    /// Returns how long our messages without a receipt take on the slowest line.
    pub(super) fn transit(&self) -> Duration {
        let bytes: usize = self.in_flight.messages.iter().map(|(.., length)| *length).sum();
        Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / SLOWEST_LINE
    }

    /// Returns when the next ping is due: after a silence, and again while the silence lasts.
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

    /// Returns whether a message fits the peer's window and our send buffer. A single message fits
    /// each, whatever its size.
    pub(super) fn has_room(&self, message: &Message) -> bool {
        let is_in_window =
            self.in_flight.is_empty() || self.in_flight.bytes + in_window(message) <= self.window;
        is_in_window && (self.unsent == 0 || self.unsent + message.body.len() <= SEND_BYTES)
    }

    /// Returns whether the peer keeps to the window that we granted. A single message may exceed
    /// it.
    pub(super) fn keeps_window(&self) -> bool {
        let count = self.held.len() + self.staged.len();
        count <= 1 || self.held_bytes + self.staged.bytes <= self.granted
    }

    /// Holds a message until the handler takes it.
    pub(super) fn hold(&mut self, message: Message) {
        self.held_bytes += in_window(&message);
        self.held.push(message);
    }

    /// Returns how many bytes of the window the held messages take up.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn take_held(&mut self) -> Vec<Message> {
        self.held_bytes = 0;
        mem::take(&mut self.held)
    }

    /// Returns the next whole record.
    ///
    /// # Errors
    /// If the bytes break the protocol. Nothing more is read after that.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, ()> {
        self.records.next_record().map_err(|_| ())
    }
}

/// Messages without a receipt in one direction, oldest first. `T` is further data about each.
#[derive(Debug)]
pub(super) struct InFlight<T> {
    /// Each with the bytes of the window that it takes up.
    messages: VecDeque<(MessageId, usize, T)>,
    /// The sum of these bytes.
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

    /// Removes messages, which are usually the oldest.
    pub(super) fn remove(&mut self, ids: &[MessageId]) {
        for id in ids {
            let at = self.messages.iter().position(|(other, ..)| other == id);
            self.bytes -= at.and_then(|at| self.messages.remove(at)).map_or(0, |(_, bytes, _)| bytes);
        }
    }

    /// Removes the newest `count` messages.
    pub(super) fn take_back(&mut self, count: usize) {
        let kept = self.messages.len().saturating_sub(count);
        self.bytes -= self.messages.drain(kept..).map(|(_, bytes, _)| bytes).sum::<usize>();
    }
}

/// Returns how many bytes of a window a message takes up.
pub(super) fn in_window(message: &Message) -> usize {
    message.body.len().max(MIN_WINDOW_BYTES)
}
