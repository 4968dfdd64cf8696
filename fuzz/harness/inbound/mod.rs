//! The target `inbound`: whole unencrypted connections, from their bytes to the printed lines.
//!
//! The input is a script of steps with [`END`] between them, a byte that no UTF-8 text has. The
//! first byte of a step says what happens: a connection comes in, time passes, an outgoing
//! connection ends, or the user enters a command.

mod checks;
mod reader;

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use p2p_chat::core::{
    Command, CoreConfig, Me, PlainAnswer, PlainReceived, PlainRequest, PlainResult, State, StaticPeer,
    Target, Time,
};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::{KEY_BYTES, PublicKey};
use p2p_chat::model::message::{Body, Decoded, Form, MessageId, Outgoing, SendError, SendResult};
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::session::Message;
use p2p_chat::protocol::plain::Decoder;
use p2p_chat::tui::{Attention, Labels, Osc};

use reader::Reader;

/// The byte between two steps.
const END: u8 = 0xff;

/// Steps of one input. Few steps keep the fuzzer quick.
const MAX_STEPS: usize = 12;

/// Connections in one step of a flood: more than the acknowledgements that may be under way.
const FLOOD: u16 = 66;

/// Ticks in one input, after which time stands still. A flood makes hundreds of probes due.
const MAX_TICKS: usize = 64;

/// Connections up to which the peer table is checked after every step. A later check is at the end.
const CHECKED_OFTEN: usize = 24;

/// The source addresses of connections.
const SOURCES: [Ipv4Addr; 8] = [
    Ipv4Addr::LOCALHOST,
    Ipv4Addr::new(10, 0, 0, 7),
    Ipv4Addr::new(10, 0, 0, 8),
    Ipv4Addr::new(127, 0, 1, 1),
    Ipv4Addr::new(192, 168, 1, 20),
    OURS,
    Ipv4Addr::new(169, 254, 3, 3),
    Ipv4Addr::new(0, 0, 0, 0),
];

/// The address of this machine on its network.
const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// The port that p2p-chat listens on.
const PORT: u16 = 5000;

/// Runs the script of an input. The first byte sets what the user has configured.
///
/// # Panics
/// If a printed line is harmful, a message gets a receipt without being shown, an address is dialed
/// that must not be, or the peer table is wrong.
pub fn inbound(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let mut world = World::new(*first);
    for step in rest.split(|byte| *byte == END).take(MAX_STEPS) {
        if let Some((kind, rest)) = step.split_first() {
            world.step(*kind, rest);
            if world.connections <= CHECKED_OFTEN {
                world.check();
            }
        }
    }
    world.check();
}

/// The core, its user and its network.
struct World {
    state: State,
    now: Time,
    reader: Reader,
    /// Outgoing connections, and whether each is one that the user did not ask for.
    under_way: Vec<(PlainRequest, bool)>,
    /// IPs that may be dialed: of static peers, named by the user, and of the connections so far.
    dialable: BTreeSet<Ipv4Addr>,
    /// IPs to which messages in R3's form may go.
    r3: BTreeSet<Ipv4Addr>,
    statics: Vec<PeerAddr>,
    /// When each address was last acknowledged.
    acked: HashMap<PeerAddr, Time>,
    leaving: bool,
    /// Whether steps may be floods. Few inputs have one, because a flood is slow.
    has_flood: bool,
    connections: usize,
    ticks: usize,
    /// Messages that the user sent.
    typed: u64,
}

impl World {
    fn new(config: u8) -> Self {
        let bind = if config & 1 == 0 { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let advertise = (config & 2 != 0).then(|| Ipv4Addr::new(10, 0, 0, 9));
        let me = Me { bind: bind.into(), port: PORT, advertise };
        let name = "Alice".parse().expect("a name");
        let mut state = State::new(CoreConfig::new(me, name, PublicKey::new([1; KEY_BYTES])));
        state.learn_own_ip(OURS);
        let statics: &[_] =
            if config & 4 == 0 { &[] } else { &["127.0.0.1:5001", "10.0.0.7:5001", "10.9.9.9:5001"] };
        let statics: Vec<PeerAddr> = statics.iter().map(|addr| addr.parse().expect("an address")).collect();
        let form = if config & 8 == 0 { Form::STANDARD } else { Form::new("r3") };
        let dialable: BTreeSet<Ipv4Addr> = statics.iter().filter_map(|addr| addr.v4()).collect();
        let alias = |addr: &PeerAddr| (Recipient::Address(*addr), "Boss".parse().expect("a name"));
        let aliases = statics.first().filter(|_| config & 16 != 0).map(alias).into_iter().collect();
        let mut world = Self {
            state,
            now: Time::default(),
            reader: Reader {
                labels: Labels::new(aliases),
                attention: Attention::new(config & 32 == 0, Some(Osc::SevenSevenSeven), true),
                messages: 0,
            },
            under_way: Vec::new(),
            r3: if form == Form::new("r3") { dialable.clone() } else { BTreeSet::new() },
            dialable,
            statics: statics.clone(),
            acked: HashMap::new(),
            leaving: false,
            has_flood: config == 0xff,
            connections: 0,
            ticks: 0,
            typed: 0,
        };
        let peers = statics.into_iter().map(|addr| StaticPeer { form, ..StaticPeer::at(addr) }).collect();
        let (_, outputs) = world.state.start(peers, Vec::new(), world.now);
        world.perform(outputs, true);
        world
    }

    fn step(&mut self, kind: u8, rest: &[u8]) {
        let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
        match kind {
            0..=0x1f => self.connection(kind, rest),
            0x20..=0x2f => {
                let scale = [1, 100, 1_000, 3_000][usize::from(kind & 3)];
                self.pass_time(Duration::from_millis(u64::from(byte(0)) * scale));
            }
            0x30..=0x5f => self.end_transmit(usize::from(byte(0)), send_result(kind & 0xf), kind & 0x10 != 0),
            0x68..=0x6f if self.has_flood && self.connections < usize::from(FLOOD) => {
                self.flood(kind & 7, byte(0), byte(1))
            }
            0x60..=0x6f => {}
            0x70..=0x7f => self.user(kind & 0xf, byte(0), &String::from_utf8_lossy(rest)),
            // All outgoing connections end.
            _ => {
                for _ in 0..self.under_way.len() {
                    self.end_transmit(0, send_result(kind & 0xf), kind & 0x10 != 0);
                }
            }
        }
    }

    /// Takes a connection whose bytes come in two pieces.
    fn connection(&mut self, kind: u8, bytes: &[u8]) {
        let source = SOURCES[usize::from(kind & 7)];
        let mut decoder = Decoder::new();
        let (one, other) = bytes.split_at(bytes.len() / 2);
        decoder.push(one);
        decoder.push(other);
        if kind & 0x10 != 0 {
            decoder.mark_cut();
        }
        let cut = decoder.is_cut();
        self.received(PlainReceived { source: Source::from(source), decoded: decoder.finish(), cut });
    }

    /// Hands a connection to the core and checks the answer.
    fn received(&mut self, received: PlainReceived) {
        let IpAddr::V4(source) = received.source.ip() else { unreachable!("all SOURCES are IPv4") };
        self.connections += 1;
        self.dialable.insert(source);
        let (mut texts, mut unreadable) = (0, false);
        for piece in &received.decoded {
            match piece {
                Decoded::Message(message) => {
                    texts += usize::from(matches!(message.body, Body::Text(_) | Body::Greeting(_)));
                    if source.is_loopback() && message.claimed.ip.is_loopback() {
                        self.dialable.insert(message.claimed.ip);
                    }
                    if message.form == Form::new("r3") {
                        let also = [message.claimed.ip].into_iter().filter(Ipv4Addr::is_loopback);
                        self.r3.extend(also.chain([source]));
                    }
                }
                Decoded::Unreadable(_) => unreadable = true,
            }
        }
        let (cut, is_empty) = (received.cut, received.decoded.is_empty());
        self.reader.messages = 0;
        let (answer, outputs) = self.state.plain_received(received, self.now);
        self.perform(outputs, false);
        if matches!(answer, PlainAnswer::Receipt | PlainAnswer::Capable) {
            assert_eq!(self.reader.messages, texts, "a receipt for a message that was not shown");
            assert!(!cut && !unreadable && !is_empty, "a receipt for a connection that was not accepted");
        }
    }

    /// Takes connections of [`FLOOD`] invented peers from one source.
    fn flood(&mut self, source: u8, port: u8, body: u8) {
        let source = SOURCES[usize::from(source)];
        let body = ["connect", "hello", "Hello, I am connecting!", "exit"][usize::from(body & 3)];
        for n in 0..FLOOD {
            let port = u16::from(port) * FLOOD + n + 1;
            let mut decoder = Decoder::new();
            decoder.push(format!("{source}:{port} Flood{n} {body}").as_bytes());
            self.received(PlainReceived {
                source: Source::from(source),
                decoded: decoder.finish(),
                cut: false,
            });
        }
    }

    /// Advances the time, with a tick whenever one is due.
    fn pass_time(&mut self, by: Duration) {
        let end = self.now.plus(by);
        while let Some(due) = self.state.next_wake().filter(|due| *due <= end) {
            self.ticks += 1;
            if self.ticks > MAX_TICKS {
                return;
            }
            self.now = self.now.max(due);
            let outputs = self.state.tick(self.now);
            self.perform(outputs, false);
            assert!(self.state.next_wake().is_none_or(|due| due > self.now), "a tick left work that is due");
        }
        self.now = end;
    }

    /// Ends one of the outgoing connections with this result, at its fallback address if wanted.
    fn end_transmit(&mut self, which: usize, result: SendResult, fallback: bool) {
        if self.under_way.is_empty() {
            return;
        }
        let (transmit, _) = self.under_way.remove(which % self.under_way.len());
        let is_accepted = matches!(result, SendResult::Delivered | SendResult::HandedOver);
        let to = transmit.fallback.filter(|_| fallback && is_accepted).unwrap_or(transmit.to);
        let parts = if let Outgoing::Text(parts) = &transmit.message { parts.len() } else { 1 };
        let sent = PlainResult {
            job: transmit.job,
            to,
            result,
            parts: (usize::from(is_accepted) * parts, parts),
            capability: None,
        };
        let outputs = self.state.plain_sent(sent, self.now);
        self.perform(outputs, false);
    }

    /// Enters a command of the user.
    fn user(&mut self, kind: u8, whom: u8, text: &str) {
        let rows = self.state.rows(self.now);
        let row = rows.get(usize::from(whom >> 1) % rows.len().max(1)).map(|row| row.id);
        let to = match row {
            Some(id) if whom & 1 == 0 => Target::These(vec![id]),
            None if whom & 1 == 0 => {
                let unknown = PeerAddr::new(Ipv4Addr::new(172, 16, 0, whom.max(1)), 5001);
                Target::These(unknown.into_iter().map(Recipient::from).collect())
            }
            _ => Target::All,
        };
        if let Target::These(ids) = &to {
            self.dialable.extend(ids.iter().filter_map(|id| id.addr()?.v4()));
        }
        let command = match kind {
            0 => Command::List,
            1..=4 => Command::Connect(to),
            5..=7 => Command::Disconnect(to),
            15 => {
                self.leaving = true;
                Command::Leave
            }
            _ => {
                self.typed += 1;
                let id = MessageId::new(u128::from(self.typed).to_be_bytes());
                let message = Message { id, time: 0, again: false, to_all: false, body: text.into() };
                Command::Send { to, message }
            }
        };
        let (_, outputs) = self.state.command(command, self.now);
        self.perform(outputs, true);
    }
}

/// Returns a result of an outgoing connection.
fn send_result(n: u8) -> SendResult {
    match n {
        0..=2 => SendResult::Delivered,
        3..=5 => SendResult::HandedOver,
        6 => SendResult::Unanswered,
        7 => SendResult::Broken,
        8..=10 => SendResult::Failed(SendError::Refused),
        11 => SendResult::Failed(SendError::NoResources),
        12 => SendResult::Failed(SendError::NoRoute),
        13 => SendResult::Failed(SendError::Cancelled),
        14 => SendResult::Failed(SendError::Other("Network is down (os error 100)".into())),
        _ => SendResult::Failed(SendError::TimedOut),
    }
}
