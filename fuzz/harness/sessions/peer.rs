//! The peers of the pool in the target `sessions`: what they send, and what they read.

use std::collections::VecDeque;
use std::net::SocketAddr;

use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::name::PeerName;
use p2p_chat::model::session::ByeReason;
use p2p_chat::net::sessions::{MIN_WINDOW_BYTES, SEND_BYTES, WINDOW_BYTES};
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};
use p2p_chat::protocol::session::{Hello, Record, Records};

use super::user::Granted;
use super::{LENGTHS, World};

/// The windows that peers grant.
const WINDOWS: [u32; 4] = [0, 16 * 1024, WINDOW_BYTES, u32::MAX];

/// A connection, as its peer has it.
#[derive(Debug)]
pub(super) struct Link {
    /// The key that is expected there, if it was dialed.
    pub(super) dialed: Option<Option<PublicKey>>,
    /// The key that the peer has proven.
    pub(super) key: Option<PublicKey>,
    /// Our side sends nothing more.
    pub(super) finishes: bool,
    /// Bytes that our side wants to send and that have not gone to the system.
    pub(super) unsent: usize,
    /// What our side has sent.
    records: Records,
    has_hello: bool,
    has_bye: bool,
    /// The window that the hello of the peer grants, once it has said one.
    window: Option<usize>,
    /// Our messages without a receipt, each with the bytes that it counts.
    in_flight: VecDeque<(MessageId, usize)>,
}

impl Link {
    pub(super) fn new(dialed: Option<Option<PublicKey>>) -> Self {
        Self {
            dialed,
            key: None,
            finishes: false,
            unsent: 0,
            records: Records::new(),
            has_hello: false,
            has_bye: false,
            window: None,
            in_flight: VecDeque::new(),
        }
    }

    /// Our side sends these bytes.
    pub(super) fn sends(&mut self, bytes: &[u8], granted: &mut Granted) {
        assert!(self.key.is_some() && !self.finishes, "bytes are sent before a key is proven, or at the end");
        self.records.push(bytes);
        while let Some(record) = self.records.next_record().expect("our own records can be read") {
            let length = record.encode().len();
            self.reads(record, granted);
            self.unsent += length;
        }
        assert!(self.records.is_empty(), "a record is not sent as a whole");
    }

    fn reads(&mut self, record: Record, granted: &mut Granted) {
        assert!(!self.has_bye, "{record:?} follows a bye");
        match record {
            Record::Hello(hello) => {
                assert!(!std::mem::replace(&mut self.has_hello, true), "a second hello");
                granted.window = hello.window.try_into().expect("a small number");
            }
            Record::Text { id, body, .. } => {
                // Before its hello, a peer that has not decided about us gets one short message.
                let is_first = self.window.is_none() && self.in_flight.is_empty() && body.len() <= 1_024;
                assert!(self.has_hello && (self.window.is_some() || is_first), "a message before the hello");
                assert!(self.unsent == 0 || self.unsent + body.len() <= SEND_BYTES, "{} wait", self.unsent);
                self.in_flight.push_back((id, body.len().max(MIN_WINDOW_BYTES)));
                let bytes: usize = self.in_flight.iter().map(|(_, bytes)| bytes).sum();
                let window = self.window.unwrap_or(0).min(WINDOW_BYTES as usize);
                assert!(
                    self.in_flight.len() == 1 || bytes <= window,
                    "{bytes} bytes in a window of {window}"
                );
            }
            Record::Receipt(ids) | Record::NotStored(ids, _) => {
                granted.taken.retain(|id, _| !ids.contains(id));
            }
            Record::Bye(_) => self.has_bye = true,
            Record::InUse(_) => {}
            record => assert!(self.has_hello, "{record:?} before the hello"),
        }
    }
}

impl World {
    /// A peer says hello.
    pub(super) fn says_hello(&mut self, which: u8, detail: u8) {
        let Some(id) = self.link(which).filter(|id| self.links[id].key.is_some()) else { return };
        let hello = Hello {
            dialed: if detail == 0xff { b"P2P-CHAT/0\n".to_vec() } else { DIAL_LINE.to_vec() },
            answered: OK_LINE.to_vec(),
            run: u64::from(detail & 3),
            window: WINDOWS[usize::from(detail >> 2 & 3)],
            probe: detail >> 4 == 15,
            ..Hello::new(PeerName::new("Bob"), 5000)
        };
        let window = Some(usize::try_from(hello.window).expect("64 bits"));
        let link = self.links.get_mut(&id).expect("it is there");
        // A second one is a fault.
        link.window = link.window.or(window);
        self.receives(which, &Record::Hello(hello).encode());
    }

    /// A peer says something that is a record.
    pub(super) fn says(&mut self, which: u8, detail: u8) {
        let Some(id) = self.link(which).filter(|id| self.links[id].key.is_some()) else { return };
        let detail_of = detail >> 4;
        let record = match detail & 15 {
            0..=3 => {
                let message = self.new_id();
                let body = "x".repeat(LENGTHS[usize::from(detail & 3)]).into();
                self.user.said.entry(id).or_default().push_back(message);
                Record::Text {
                    id: message,
                    time: 0,
                    again: detail_of & 1 != 0,
                    to_all: detail_of & 2 != 0,
                    body,
                }
            }
            4 | 5 => Record::Receipt(self.answered(which, detail_of)),
            6 => Record::NotStored(self.answered(which, detail_of), u32::from(detail_of)),
            7 => Record::Ping(detail_of.into()),
            8 | 9 => Record::Pong(detail_of.into()),
            10 => Record::Bye(ByeReason::of(detail_of)),
            11 => Record::Addresses(vec![SocketAddr::from(([10, 0, 2, detail_of.max(1)], 5000))]),
            12 => Record::InUse([10, 0, 2, 2].into()),
            13 => Record::Name(PeerName::new(&format!("Bob{detail_of}"))),
            14 => {
                return self.receives(which, &Record::Ping(1).encode().repeat(200 * usize::from(detail_of)));
            }
            _ => return self.receives(which, &[99, 0, 0, 0].repeat(2 * usize::from(detail_of))),
        };
        self.receives(which, &record.encode());
    }

    /// The messages that a peer has read last or first, and one that it was not sent.
    fn answered(&mut self, which: u8, detail: u8) -> Vec<MessageId> {
        let unknown = MessageId::new([0xff; 16]);
        let Some(link) = self.link(which).and_then(|id| self.links.get_mut(&id)) else {
            return vec![unknown];
        };
        let count = link.in_flight.len().min((detail >> 1).into());
        let ids: Vec<MessageId> = match detail & 1 {
            0 => link.in_flight.drain(..count).map(|(id, _)| id).collect(),
            _ => {
                link.in_flight.split_off(link.in_flight.len() - count).into_iter().map(|(id, _)| id).collect()
            }
        };
        if ids.is_empty() { vec![unknown] } else { ids }
    }
}
