//! What is measured, and what it is measured with.

use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use p2p_chat::core::{CoreConfig, Event, Me, Output, PlainAnswer, PlainReceived, PlainResult, State, Time};
use p2p_chat::mailbox::{Mailbox, ROOM};
use p2p_chat::model::address::Source;
use p2p_chat::model::key::{KEY_BYTES, PublicKey};
use p2p_chat::model::message::{Decoded, SendResult};
use p2p_chat::protocol::plain::Decoder;
use parking_lot::Mutex;

/// A line of a usual length.
pub(crate) const LINE: &[u8] = b"127.0.0.1:5001 Bob see you at one, in front of the door";

/// When everything happens: long after the start, and always at the same time, for looks that become due are no part of this.
pub(crate) fn now() -> Time {
    Time::at(Duration::from_secs(1_000))
}

/// From bytes to what they say.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Decoded> {
    let mut decoder = Decoder::new();
    decoder.push(bytes);
    decoder.finish()
}

fn config() -> CoreConfig {
    let me = Me { bind: Ipv4Addr::UNSPECIFIED.into(), port: 5000, advertise: None };
    CoreConfig::new(me, "Alice".parse().expect("a name"), PublicKey::new([1; KEY_BYTES]))
}

/// What stands between a connection and the main thread, as node.rs has it: the rules under their lock, and the queue.
pub(crate) struct Inbox {
    chat: Mutex<State>,
    mailbox: Arc<Mailbox<Event>>,
}

impl Inbox {
    /// One to which the sender of the line is known.
    pub(crate) fn new() -> Self {
        let inbox = Self { chat: Mutex::new(State::new(config())), mailbox: Arc::default() };
        inbox.take(LINE);
        inbox.empty();
        inbox
    }

    /// Takes what one connection carried.
    pub(crate) fn take(&self, bytes: &[u8]) -> PlainAnswer {
        let decoded = decode(bytes);
        let source = Source::from(Ipv4Addr::LOCALHOST);
        let mut chat = self.chat.lock();
        let (answer, actions) = chat.plain_received(PlainReceived { source, decoded, cut: false }, now());
        for action in actions {
            if let Output::Tell(event) = action {
                let bytes = event.text_bytes();
                self.mailbox.put_from(event, bytes, Some(source.share()));
            }
        }
        answer
    }

    /// Takes everything out, as the main thread does.
    pub(crate) fn empty(&self) -> usize {
        self.mailbox.take(Some(Instant::now())).len()
    }

    /// The same where there is no room left.
    pub(crate) fn empty_if_full(&self) {
        if !self.mailbox.has_room(Ipv4Addr::LOCALHOST.into()) {
            assert_eq!(
                self.empty(),
                ROOM / 2,
                "every line became an event, and one source gets half of the room"
            );
        }
    }
}

/// Rules to which so many peers are known and proven to be there.
pub(crate) fn known_chat(peers: u32) -> State {
    let mut chat = State::new(config());
    let mut actions = Vec::new();
    for number in 0..peers {
        actions.extend(chat.plain_received(message_of(number), now()).1);
    }
    // Each is looked for once; whoever answers is left in peace for long.
    loop {
        actions.extend(chat.tick(now()));
        let transmits = |action| match action {
            Output::Plain(transmit) => Some(transmit),
            _ => None,
        };
        let looks: Vec<_> = actions.drain(..).filter_map(transmits).collect();
        if looks.is_empty() {
            break;
        }
        for look in looks {
            let sent = PlainResult {
                job: look.job,
                to: look.to,
                result: SendResult::HandedOver,
                parts: (1, 1),
                capability: None,
            };
            actions.extend(chat.plain_sent(sent, now()));
        }
    }
    let rows = chat.rows(now());
    assert_eq!(rows.len(), peers as usize, "all of them are known");
    chat
}

/// A text of the peer of this number. Peers that follow each other in number lie anywhere in the table.
pub(crate) fn message_of(number: u32) -> PlainReceived {
    let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + number);
    let line = format!("{ip}:5001 P{number} see you at one, in front of the door");
    PlainReceived { source: Source::from(ip), decoded: decode(line.as_bytes()), cut: false }
}

/// A text and what is special about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    name: &'static str,
    pub(crate) text: &'static str,
}

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Texts of about forty characters.
pub(crate) fn texts() -> [Named; 3] {
    [
        Named { name: "ascii", text: "see you at one, in front of the big door" },
        Named { name: "other letters", text: "bis später, um halb eins, grüß schön 你好 ру" },
        Named {
            name: "hostile",
            text: "\u{1b}[31m\u{1b}[2J\u{202e}evil\u{200b}\u{7}\n\r\u{1b}]0;title\u{7}\u{feff} and so on",
        },
    ]
}
