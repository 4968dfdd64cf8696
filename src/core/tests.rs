//! The rules as stories: what comes in, what is to be done.

mod addresses;
mod asking;
mod bindings;
mod broken;
mod commands;
mod contacts;
mod conversations;
mod disconnecting;
mod discovered;
mod for_run;
mod goodbyes;
mod holding;
mod hosts;
mod introductions;
mod keys;
mod looks;
mod online;
mod pending;
mod policies;
mod storing;
mod strangers;
mod trusting;
mod who;

use std::net::Ipv4Addr;
use std::time::Duration;

use super::hosts::{LOOKUP_WITHIN, MAX_HOST_ADDRS};
use super::presence::{PROBE_INTERVAL, REFUSAL_REPEAT};
use super::trust::{HeldMessage, MAX_MESSAGE_REQUESTS_OF_ONE};
use super::*;
use crate::model::address::{Claimed, Source};
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use crate::model::message::{
    Body, Capability, Decoded, Fault, MessageId, Outgoing, PeerProtocol, Plain, SendError, SendResult,
    Unreadable,
};
use crate::model::peer_id::PeerId;
use crate::model::session::Message;
use crate::model::stored::{RowId, StoreOp, Stored};
use crate::model::untrusted::Text;

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const LAN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);

/// Alice at port 5000 of all addresses, a clock that only the story moves, and what she wants done.
struct Story {
    state: State,
    now: Time,
    /// The number of the last message that the user typed.
    typed: u32,
    /// Whether the story writes to the disk by hand; else every write is done at once.
    holds_writes: bool,
    under_way: Vec<PlainRequest>,
    session_requests: Vec<SessionRequest>,
    /// The names to resolve.
    names: Vec<HostAddr>,
    told: Vec<Event>,
    /// What is to be written, if the story moves the disk.
    writes: Vec<(Option<WriteId>, StoreOp)>,
}

impl Story {
    fn new() -> Self {
        Self::with(keys::alice())
    }

    fn with(config: CoreConfig) -> Self {
        Self {
            state: State::new(config),
            now: Time::default(),
            typed: 0,
            holds_writes: false,
            under_way: Vec::new(),
            session_requests: Vec::new(),
            names: Vec::new(),
            told: Vec::new(),
            writes: Vec::new(),
        }
    }

    fn perform(&mut self, actions: Vec<Output>) {
        for action in actions {
            match action {
                Output::Plain(transmit) => self.under_way.push(transmit),
                Output::Session(request) => self.session_requests.push(request),
                Output::Resolve(name) => self.names.push(name),
                // For the prompt, which shows nothing.
                Output::Tell(Event::ProvenAt(..) | Event::ContactsChanged | Event::IntroductionsChanged) => {}
                Output::Tell(event) => self.told.push(event),
                Output::Store(id, write) if self.holds_writes => self.writes.push((id, write)),
                Output::Store(Some(id), _) => {
                    self.feeds(|state, now| state.stored(id, Ok(()), now));
                }
                Output::Accepted(_, StoreOp::Incoming { from, messages, .. }) => {
                    let stored = Ok(vec![Stored::New(RowId(1)); messages.len()]);
                    self.feeds(|state, now| state.messages_stored(from, messages, stored, now).1);
                }
                Output::Store(None, _) | Output::Accepted(..) | Output::Introduce(..) => {}
            }
        }
    }

    /// Takes a step of the core, and does what it wants done.
    fn feeds(&mut self, step: impl FnOnce(&mut State, Time) -> Vec<Output>) {
        let outputs = step(&mut self.state, self.now);
        self.perform(outputs);
    }

    fn with_static(mut self, ports: &[u16]) -> Self {
        let peers = ports.iter().map(|port| StaticPeer::at(at(*port)));
        self.feeds(|state, now| state.start(peers.collect(), Vec::new(), now).1);
        self
    }

    /// Lets time pass, doing what becomes due.
    fn later(&mut self, by: Duration) {
        let end = self.now.plus(by);
        while let Some(due) = self.state.next_wake().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let actions = self.state.tick(self.now);
            self.perform(actions);
        }
        self.now = end;
    }

    fn gets_from(&mut self, source: Ipv4Addr, claimed: Claimed, form: Form, body: Body) -> PlainAnswer {
        self.gets_plain(source, Plain { claimed, form, name: Some(PeerName::new("Bob")), body })
    }

    fn gets_plain(&mut self, source: Ipv4Addr, message: Plain) -> PlainAnswer {
        let decoded = vec![Decoded::Message(message)];
        let received = PlainReceived { source: Source::from(source), decoded, cut: false };
        let (answer, actions) = self.state.plain_received(received, self.now);
        self.perform(actions);
        answer
    }

    fn gets(&mut self, port: u16, body: Body) -> PlainAnswer {
        self.gets_as("Bob", port, body)
    }

    /// A program of this machine sends this, under a name.
    fn gets_as(&mut self, name: &str, port: u16, body: Body) -> PlainAnswer {
        let (claimed, name) = (Claimed { ip: HERE, port }, Some(PeerName::new(name)));
        self.gets_plain(HERE, Plain { claimed, form: Form::STANDARD, name, body })
    }

    /// What was sent unencrypted was taken at this address, or was not.
    fn ends_at(&mut self, job: JobId, to: PeerAddr, result: SendResult, parts: (usize, usize)) {
        let sent = PlainResult { job, to, result, parts, capability: None };
        self.feeds(|state, now| state.plain_sent(sent, now));
    }

    /// What is under way to a port, in order.
    fn dials(&self, port: u16) -> Vec<Outgoing> {
        self.under_way
            .iter()
            .filter(|transmit| transmit.to.port() == port)
            .map(|t| t.message.clone())
            .collect()
    }

    /// Everything that is sent unencrypted to this port ends like this.
    fn ends(&mut self, port: u16, result: &SendResult) {
        self.ends_after(port, result, (1, 1));
    }

    /// The same, with so many parts sent of so many.
    fn ends_after(&mut self, port: u16, result: &SendResult, parts: (usize, usize)) {
        let (of_port, rest) = self.under_way.drain(..).partition(|t| t.to.port() == port);
        self.under_way = rest;
        for PlainRequest { job, to, .. } in of_port {
            self.ends_at(job, to, result.clone(), parts);
        }
    }

    fn refused(&mut self, port: u16) {
        self.ends(port, &SendResult::Failed(SendError::Refused));
    }

    fn does(&mut self, command: Command) -> OpId {
        let (op, actions) = self.state.command(command, self.now);
        self.perform(actions);
        op
    }

    fn says(&mut self, to: Target, text: &str) -> OpId {
        self.typed += 1;
        let mut id = [0xff; 16];
        id[..4].copy_from_slice(&self.typed.to_be_bytes());
        let message =
            Message { id: MessageId::new(id), time: 0, again: false, to_all: false, body: text.into() };
        self.does(Command::Send { to, message })
    }

    fn state(&self, port: u16) -> Option<PresenceStatus> {
        self.state
            .rows(self.now)
            .iter()
            .find(|row| row.addr.is_some_and(|addr| addr.port() == port))
            .map(|row| row.state)
    }

    fn told(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.told)
    }
}

fn at(port: u16) -> PeerAddr {
    PeerAddr::new(HERE, port).unwrap()
}

/// The legacy peer at an address.
fn legacy(addr: PeerAddr) -> Recipient {
    crate::protocol::plain::peer_at(addr.plain().unwrap()).into()
}

fn these(port: u16) -> Target {
    Target::These(vec![at(port).into()])
}

fn text(text: &str) -> Body {
    Body::Text(Text::new(text))
}

fn bob(port: u16) -> PeerInfo {
    PeerInfo {
        id: legacy(at(port)),
        name: Some(PeerName::new("Bob")),
        addr: Some(at(port)),
        claimed: None,
        verification: Verification::Plain,
    }
}

/// The entry of a contact with this name.
fn record(id: PeerId, name: Option<&str>) -> ContactRecord {
    let (name, addrs) = (name.map(PeerName::new), Vec::new());
    ContactRecord { id, name, verified: None, blocked: false, stranger: false, addrs }
}

/// The pin of the contact Bob, who was met at this port.
fn pin(n: u8, port: u16) -> Pin {
    let (key, name, addrs, given) = (keys::key(n), Some(PeerName::new("Bob")), vec![at(port)], Vec::new());
    Pin { key, name, contact: true, addrs, given, first_seen: 0, verified: None, blocked: false }
}

fn dialed(total: usize, connected: usize) -> Event {
    Event::Dialed { total, connected }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
