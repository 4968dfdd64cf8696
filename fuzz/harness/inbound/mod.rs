//! All that comes in, from the bytes of each connection to the lines that are printed because of it.
//!
//! The input is a story: records between bytes that are in no UTF-8 text. The first byte of a record says what it is: a
//! connection that somebody makes, time that passes, what became of something we sent, or what the user wants.

mod checks;
mod reader;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use p2p_chat::core::{
    Command, CoreConfig, Me, PlainAnswer, Received, Sent, State, StaticPeer, Target, Time, Transmit,
};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::{KEY_BYTES, PublicKey};
use p2p_chat::model::message::{Body, Decoded, Form, MessageId, Outgoing, SendError, SendResult};
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::session::Message;
use p2p_chat::protocol::plain::Decoder;
use p2p_chat::ui::{Attention, Labels, Osc};
use reader::Reader;

/// What stands between two records.
const END: u8 = 0xff;

/// Records of one input: enough for a story, and few enough to be quick.
const MAX_RECORDS: usize = 12;

/// Connections that one record of a flood makes: more than may be acknowledged at a time.
const FLOOD: u16 = 66;

/// Times that something becomes due in one story; then time stands still. A flood has hundreds look for their peers.
const MAX_TICKS: usize = 64;

/// Connections after which the table is compared at the end of the story only.
const OFTEN_COMPARED: usize = 24;

/// Where connections come from.
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

/// An address of our machine on its network.
const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// The port that we listen at.
const PORT: u16 = 5000;

/// Plays the story of an input.
///
/// # Panics
/// Where something is printed that may not be, something is acknowledged and not shown, somebody is dialed who may not
/// be, or the table is not true any more.
pub fn inbound(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let mut world = World::new(*first);
    for record in rest.split(|byte| *byte == END).take(MAX_RECORDS) {
        if let Some((what, rest)) = record.split_first() {
            world.record(*what, rest);
            if world.connections <= OFTEN_COMPARED {
                world.check();
            }
        }
    }
    world.check();
}

/// A chat, its user and its network.
struct World {
    state: State,
    now: Time,
    reader: Reader,
    under_way: Vec<(Transmit, bool)>,
    /// IPs that may be dialed: those of static peers, those that the user asked for, and those that spoke.
    mine: BTreeSet<Ipv4Addr>,
    /// IPs that may be written to in R3's form.
    r3: BTreeSet<Ipv4Addr>,
    statics: Vec<PeerAddr>,
    acked: HashMap<PeerAddr, Time>,
    leaving: bool,
    /// There may be a flood in this story; most have none, for it takes long.
    has_flood: bool,
    connections: usize,
    ticks: usize,
    /// Messages that the user typed.
    typed: u64,
}

impl World {
    fn new(kind: u8) -> Self {
        let bind = if kind & 1 == 0 { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let advertise = (kind & 2 != 0).then(|| Ipv4Addr::new(10, 0, 0, 9));
        let me = Me { bind: bind.into(), port: PORT, advertise };
        let name = "Alice".parse().expect("a name");
        let mut state = State::new(CoreConfig::new(me, name, PublicKey::new([1; KEY_BYTES])));
        state.learn_own_ip(OURS);
        let statics: Vec<PeerAddr> = if kind & 4 == 0 {
            Vec::new()
        } else {
            ["127.0.0.1:5001", "10.0.0.7:5001", "10.9.9.9:5001"]
                .map(str::parse)
                .into_iter()
                .flatten()
                .collect()
        };
        let form = if kind & 8 == 0 { Form::Standard } else { Form::R3 };
        let mine: BTreeSet<Ipv4Addr> = statics.iter().filter_map(|addr| addr.v4()).collect();
        let nicknames: BTreeMap<_, _> = statics
            .first()
            .and_then(|addr| Some((Recipient::Address(*addr), "Boss".parse().ok()?)))
            .into_iter()
            .collect();
        let mut world = Self {
            state,
            now: Time::default(),
            reader: Reader {
                labels: Labels::new(if kind & 16 == 0 { BTreeMap::new() } else { nicknames }),
                attention: Attention::new(kind & 32 == 0, Some(Osc::SevenSevenSeven), true),
                messages: 0,
            },
            under_way: Vec::new(),
            r3: if form == Form::R3 { mine.clone() } else { BTreeSet::new() },
            mine,
            statics: statics.clone(),
            acked: HashMap::new(),
            leaving: false,
            has_flood: kind == 0xff,
            connections: 0,
            ticks: 0,
            typed: 0,
        };
        let peers = statics
            .into_iter()
            .map(|addr| StaticPeer { addr, name: None, form, key: None, also: Vec::new() })
            .collect();
        let (_, actions) = world.state.start(peers, world.now);
        world.perform(actions, true);
        world
    }

    fn record(&mut self, what: u8, rest: &[u8]) {
        let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
        match what {
            0..=0x1f => self.connection(what, rest),
            0x20..=0x2f => {
                let scale = [1, 100, 1_000, 3_000][usize::from(what & 3)];
                self.later(Duration::from_millis(u64::from(byte(0)) * scale));
            }
            0x30..=0x5f => self.ends(usize::from(byte(0)), result(what & 0xf), what & 0x10 != 0),
            0x68..=0x6f if self.has_flood && self.connections < usize::from(FLOOD) => {
                self.flood(what & 7, byte(0), byte(1))
            }
            0x60..=0x6f => {}
            0x70..=0x7f => self.user(what & 0xf, byte(0), &String::from_utf8_lossy(rest)),
            // Everything under way ends so.
            _ => {
                for _ in 0..self.under_way.len() {
                    self.ends(0, result(what & 0xf), what & 0x10 != 0);
                }
            }
        }
    }

    fn connection(&mut self, what: u8, bytes: &[u8]) {
        let source = SOURCES[usize::from(what & 7)];
        let mut decoder = Decoder::new();
        let (one, other) = bytes.split_at(bytes.len() / 2);
        decoder.push(one);
        decoder.push(other);
        if what & 0x10 != 0 {
            decoder.mark_cut();
        }
        let cut = decoder.is_cut();
        self.received(Received { source: Source::from(source), decoded: decoder.finish(), cut });
    }

    fn received(&mut self, received: Received) {
        let IpAddr::V4(source) = received.source.ip() else { unreachable!("only IPv4 speaks plain") };
        self.connections += 1;
        self.mine.insert(source);
        let (mut texts, mut unreadable) = (0, false);
        for piece in &received.decoded {
            match piece {
                Decoded::Message(message) => {
                    texts += usize::from(matches!(message.body, Body::Text(_) | Body::Greeting(_)));
                    if source.is_loopback() && message.claimed.ip.is_loopback() {
                        self.mine.insert(message.claimed.ip);
                    }
                    if message.form == Form::R3 {
                        let also = [message.claimed.ip].into_iter().filter(Ipv4Addr::is_loopback);
                        self.r3.extend(also.chain([source]));
                    }
                }
                Decoded::Unreadable(_) => unreadable = true,
            }
        }
        let (cut, is_empty) = (received.cut, received.decoded.is_empty());
        self.reader.messages = 0;
        let (answer, actions) = self.state.received(received, self.now);
        self.perform(actions, false);
        if matches!(answer, PlainAnswer::Receipt | PlainAnswer::Capable) {
            assert_eq!(self.reader.messages, texts, "acknowledged and not shown");
            assert!(!cut && !unreadable && !is_empty, "what was not taken is acknowledged");
        }
    }

    /// Invented peers of one source, each of which asks to be listed.
    fn flood(&mut self, source: u8, port: u8, body: u8) {
        let source = SOURCES[usize::from(source)];
        let body = ["connect", "hello", "Hello, I am connecting!", "exit"][usize::from(body & 3)];
        for n in 0..FLOOD {
            let port = u16::from(port) * FLOOD + n + 1;
            let mut decoder = Decoder::new();
            decoder.push(format!("{source}:{port} Flood{n} {body}").as_bytes());
            self.received(Received { source: Source::from(source), decoded: decoder.finish(), cut: false });
        }
    }

    /// Lets time pass, doing what becomes due.
    fn later(&mut self, by: Duration) {
        let end = self.now.plus(by);
        while let Some(due) = self.state.next_wake().filter(|due| *due <= end) {
            self.ticks += 1;
            if self.ticks > MAX_TICKS {
                return;
            }
            self.now = self.now.max(due);
            let actions = self.state.tick(self.now);
            self.perform(actions, false);
            assert!(self.state.next_wake().is_none_or(|due| due > self.now), "something due was left");
        }
        self.now = end;
    }

    fn ends(&mut self, which: usize, result: SendResult, fallback: bool) {
        if self.under_way.is_empty() {
            return;
        }
        let (transmit, _) = self.under_way.remove(which % self.under_way.len());
        let taken = matches!(result, SendResult::Delivered | SendResult::HandedOver);
        let to = transmit.fallback.filter(|_| fallback && taken).unwrap_or(transmit.to);
        let parts = if let Outgoing::Text(parts) = &transmit.message { parts.len() } else { 1 };
        let sent = Sent {
            job: transmit.job,
            to,
            result,
            parts: (usize::from(taken) * parts, parts),
            capability: None,
        };
        let actions = self.state.sent(sent, self.now);
        self.perform(actions, false);
    }

    fn user(&mut self, what: u8, whom: u8, text: &str) {
        let rows = self.state.rows(self.now);
        let row = rows.get(usize::from(whom >> 1) % rows.len().max(1)).map(|row| row.id);
        let to = match row {
            Some(id) if whom & 1 == 0 => Target::These(vec![id]),
            None if whom & 1 == 0 => {
                let elsewhere = PeerAddr::new(Ipv4Addr::new(172, 16, 0, whom.max(1)), 5001);
                Target::These(elsewhere.into_iter().map(Recipient::from).collect())
            }
            _ => Target::All,
        };
        if let Target::These(ids) = &to {
            self.mine.extend(ids.iter().filter_map(|id| id.addr()?.v4()));
        }
        let command = match what {
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
                let message = Message { id, time: 0, again: false, body: text.into() };
                Command::Send { to, message }
            }
        };
        let (_, actions) = self.state.command(command, self.now);
        self.perform(actions, true);
    }
}

/// What may become of something sent.
fn result(n: u8) -> SendResult {
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
