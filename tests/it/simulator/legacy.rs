//! The legacy programs as far as the rules can tell (docs/LEGACY.md): what they say, what they
//! answer, what ends them.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::Capability;
use p2p_chat::protocol::plain;

use super::random::Random;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    R3,
    SmartCookies,
    Xyz,
    Hashpa,
    CryptoKnights,
    /// Claims addresses that are not its own.
    Liar,
    /// Has the key of another in its receipts.
    Spoofer,
}

pub(super) const KINDS: [Kind; 6] =
    [Kind::R3, Kind::SmartCookies, Kind::Xyz, Kind::Hashpa, Kind::CryptoKnights, Kind::Liar];

/// Bytes that a legacy program reads of one connection.
const RECEIVED_AT_ONCE: usize = 1_024;

#[derive(Clone, Debug)]
pub(super) struct Legacy {
    pub(super) kind: Kind,
    /// The address in its headers.
    pub(super) claim: SocketAddrV4,
    pub(super) listed: BTreeSet<SocketAddrV4>,
    pub(super) said: usize,
    /// The key that its receipts promise.
    pub(super) promises: Option<PublicKey>,
}

/// Its reaction to a message.
#[derive(Default)]
pub(super) struct Reaction {
    pub(super) answer: String,
    pub(super) says: Option<(SocketAddrV4, String)>,
    /// The message that it shows.
    pub(super) shows: Option<String>,
    /// Why its listener dies, if it does.
    pub(super) dies: Option<&'static str>,
}

impl Legacy {
    pub(super) fn new(kind: Kind, claim: SocketAddrV4) -> Self {
        Self { kind, claim, listed: BTreeSet::new(), said: 0, promises: None }
    }

    pub(super) fn line(&self, text: &str) -> String {
        let (ip, port) = (self.claim.ip(), self.claim.port());
        match self.kind {
            Kind::R3 => format!("{ip} {port} R3 {text}"),
            Kind::SmartCookies if matches!(text, "CONNECT_REQUEST" | "DISCONNECTED") => {
                format!("{ip}:{port} {text}")
            }
            kind => format!("{ip}:{port} {kind:?} {text}"),
        }
    }

    /// Returns the sender and the text, as this program reads them.
    fn parse<'a>(&self, text: &'a str) -> Option<(SocketAddrV4, &'a str)> {
        if self.kind == Kind::R3 {
            let mut fields = text.splitn(4, ' ');
            let ip: Ipv4Addr = fields.next()?.parse().ok()?;
            let port = fields.next()?.parse().ok()?;
            fields.next()?;
            return Some((SocketAddrV4::new(ip, port), fields.next()?));
        }
        let (header, rest) = text.split_once(' ')?;
        let sender = header.parse().ok()?;
        Some((sender, rest.split_once(' ').map_or(rest, |(_, text)| text)))
    }

    pub(super) fn receive(&mut self, bytes: &[u8], own_port: u16) -> Reaction {
        let mut reaction = Reaction::default();
        let Ok(text) = str::from_utf8(&bytes[..bytes.len().min(RECEIVED_AT_ONCE)]) else {
            reaction.dies =
                Some("invalid UTF-8, or a message longer than 1,024 bytes cut within a character");
            return reaction;
        };
        if text.is_empty() {
            return reaction;
        }
        let Some((sender, text)) = self.parse(text) else {
            if self.kind == Kind::Xyz {
                reaction.dies = Some("a header that is not ip:port");
            }
            return reaction;
        };
        if self.kind == Kind::SmartCookies {
            reaction.answer = format!("[ACK] Message received from {own_port}");
        }
        if self.kind == Kind::Spoofer {
            reaction.answer = plain::receipt(own_port, self.promises.map(Capability::Key));
        }
        match (self.kind, text.to_ascii_lowercase().as_str()) {
            (Kind::Hashpa, _) if text == "PING" => {}
            (Kind::R3 | Kind::CryptoKnights | Kind::Xyz, "exit") => drop(self.listed.remove(&sender)),
            (Kind::R3 | Kind::CryptoKnights, "connect") => {
                self.listed.insert(sender);
                reaction.says = Some((sender, self.line("connect_ack")));
            }
            (Kind::R3 | Kind::CryptoKnights, "connect_ack") | (Kind::Xyz, "connect") => {
                self.listed.insert(sender);
            }
            _ => {
                self.listed.insert(sender);
                reaction.shows = Some(text.to_owned());
            }
        }
        reaction
    }

    /// Returns a message to `to`. `others` are addresses that a liar may claim.
    pub(super) fn says(&mut self, to: SocketAddrV4, others: &[SocketAddrV4], random: &mut Random) -> String {
        self.said += 1;
        let text = format!("legacy text {} of {:?} {}", self.said, self.kind, self.claim.port());
        match self.kind {
            Kind::R3 | Kind::CryptoKnights => match random.below(6) {
                0 | 1 => self.line("connect"),
                2 => String::new(),
                3 => self.line("exit"),
                _ => self.line(&text),
            },
            Kind::Xyz => match random.below(6) {
                0 => self.line("hello"),
                1 => self.line("connect"),
                2 => self.line("exit"),
                _ => self.line(&text),
            },
            Kind::Hashpa => match random.below(4) {
                0 => self.line("Hello, I am connecting!"),
                // Its header is the recipient's address.
                1 => format!("{to} Hashpa PING"),
                _ => self.line(&text),
            },
            Kind::SmartCookies => match random.below(5) {
                0 | 1 => self.line("CONNECT_REQUEST"),
                2 => self.line("DISCONNECTED"),
                _ => self.line(&text),
            },
            Kind::Spoofer => self.line("connect"),
            Kind::Liar => {
                let claim = match random.below(4) {
                    0 => to,
                    1 => SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, 1), self.claim.port()),
                    2 => SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 9),
                    _ => random.one(others).unwrap_or(to),
                };
                match random.below(7) {
                    0 | 1 => format!("{claim} Liar connect"),
                    2 => format!("{claim} Liar exit"),
                    3 => format!("{claim} DISCONNECTED"),
                    4 => format!("{claim} CONNECT_REQUEST"),
                    5 => format!("{} {} Liar connect", claim.ip(), claim.port()),
                    _ => format!("{claim} Liar {text}"),
                }
            }
        }
    }
}
