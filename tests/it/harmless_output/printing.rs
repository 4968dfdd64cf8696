//! From a connection to the lines of a screen, by the parts of the program that are pure; what
//! joins them in the program (src/runtime.rs, src/tui/app/handle_event.rs) is done here in the same
//! way.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use p2p_chat::core::{
    CoreConfig, Event, Me, Output, PeerInfo, PlainAnswer, PlainReceived, PlainResult, State, StaticPeer, Time,
};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::{KEY_BYTES, PublicKey};
use p2p_chat::model::message::{Decoded, SendError, SendResult};
use p2p_chat::model::name::PeerName;
use p2p_chat::model::stored::Query;
use p2p_chat::protocol::plain::Decoder;
use p2p_chat::store::{Sqlite, in_memory};
use p2p_chat::tui::{HistoryView, Labels, Line, PeerList, People, Renderer, Standing, lines, peer_list};
use parking_lot::Mutex;

use super::input::Connection;

/// Where we listen, at all addresses of this machine.
pub(super) const OWN_PORT: u16 = 5000;
const OWN_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);

/// Messages that are read again at most.
pub(super) const HISTORY: usize = 50;

/// The one source of connections that is not this machine.
pub(super) const OTHER_MACHINE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 8);

/// What is printed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A pipe, a file, the log.
    Pipe,
    /// A terminal that edits lines itself.
    Terminal,
    /// A terminal that we edit the line on: texts of several lines are shown as such.
    Edited,
}

/// What a printed line or block tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Told {
    Message(String),
    Unreadable,
    Impostor,
    Came,
    Went,
    Renamed,
}

impl Told {
    /// Whether the line shows text of a peer, and not a decision of the core.
    pub(super) fn is_said(&self) -> bool {
        matches!(self, Self::Message(_) | Self::Unreadable | Self::Impostor)
    }
}

/// What was printed because of one connection, in order.
pub(super) type Printed = Vec<(Told, Vec<Line>)>;

/// A reader: a chat, and the state that it needs to print.
pub(super) struct Reader {
    form: Form,
    state: State,
    now: Time,
    labels: Labels,
    kept: Arc<Mutex<Sqlite>>,
}

/// What a connection carries.
pub(super) fn decoded(connection: &Connection) -> Vec<Decoded> {
    decoder(connection).finish()
}

fn decoder(connection: &Connection) -> Decoder {
    let mut decoder = Decoder::new();
    decoder.push(&connection.bytes);
    if !connection.whole {
        decoder.mark_cut();
    }
    decoder
}

impl Reader {
    pub(super) fn new(form: Form) -> Self {
        let me = Me { bind: Ipv4Addr::UNSPECIFIED.into(), port: OWN_PORT, advertise: None };
        let key = PublicKey::new([1; KEY_BYTES]);
        let expire = Duration::from_secs(1);
        let mut state =
            State::new(CoreConfig { expire, ..CoreConfig::new(me, "Alice".parse().expect("a name"), key) });
        state.learn_own_ip(OWN_IP);
        let addr: PeerAddr = "127.0.0.1:5001".parse().expect("an address");
        let bob = StaticPeer { name: Some(PeerName::new("Bob")), ..StaticPeer::at(addr) };
        let (_, actions) = state.start(vec![bob], Vec::new(), Time::default());
        let mut reader = Self {
            form,
            state,
            now: Time::default(),
            labels: Labels::default(),
            kept: Arc::new(Mutex::new(in_memory().expect("a store"))),
        };
        // Whatever Bob was told, he is there.
        reader.printed(actions, true);
        reader
    }

    /// Takes a connection and what follows from it within two seconds, and prints what is told of
    /// it.
    pub(super) fn takes(&mut self, connection: &Connection, decoded: Vec<Decoded>) -> Printed {
        let cut = decoder(connection).is_cut();
        let texts = decoded.len();
        let received = PlainReceived { source: Source::from(connection.source), decoded, cut };
        let (answer, actions) = self.state.plain_received(received, self.now);
        let mut printed = self.printed(actions, connection.serves);
        let refused = printed.iter().any(|(told, _)| matches!(told, Told::Unreadable | Told::Impostor));
        assert!(
            !matches!(answer, PlainAnswer::Receipt | PlainAnswer::Capable) || (!refused && !cut && texts > 0),
            "a receipt for what was not taken"
        );
        for _ in 0..20 {
            self.now = self.now.plus(Duration::from_millis(100));
            let actions = self.state.tick(self.now);
            printed.extend(self.printed(actions, connection.serves));
        }
        printed
    }

    /// Performs actions, everything that is dialed having the same fate, and prints events.
    fn printed(&mut self, actions: Vec<Output>, serves: bool) -> Printed {
        let mut printed = Vec::new();
        for action in actions {
            match action {
                Output::Session(_) | Output::Resolve(_) | Output::Accepted(..) | Output::Introduce(..) => {
                    panic!("nobody here has a key or a host name: {action:?}")
                }
                Output::Plain(transmit) => {
                    let result =
                        if serves { SendResult::Delivered } else { SendResult::Failed(SendError::Refused) };
                    let sent = PlainResult {
                        job: transmit.job,
                        to: transmit.to,
                        result,
                        parts: (1, 1),
                        capability: None,
                    };
                    let actions = self.state.plain_sent(sent, self.now);
                    printed.extend(self.printed(actions, serves));
                }
                Output::Store(id, write) => {
                    self.kept.lock().apply(&[write], 0).expect("there is memory");
                    let follow_up = id.map(|id| self.state.stored(id, Ok(()), self.now));
                    printed.extend(follow_up.into_iter().flat_map(|actions| self.printed(actions, serves)));
                }
                Output::Tell(event) => printed.extend(self.tell(&event)),
            }
        }
        printed
    }

    /// `App::event`, for what can come of a received connection.
    fn tell(&mut self, event: &Event) -> Printed {
        let mut printed = Vec::new();
        let who = match event {
            Event::Message { from: who, .. } | Event::Online(who) | Event::Offline(who, _) => Some(who),
            _ => None,
        };
        if let Some(who) = who {
            printed.extend(self.meet(who));
        }
        let told = match event {
            Event::Message { text, .. } => Told::Message(text.raw().to_owned()),
            Event::Unreadable { .. } => Told::Unreadable,
            Event::Impostor { .. } => Told::Impostor,
            Event::Online(_) => Told::Came,
            Event::Offline(..) => Told::Went,
            // The first dialing, and the end of a command.
            _ => return printed,
        };
        let lines = lines(event, &self.renderer());
        printed.push((told, lines));
        printed
    }

    fn meet(&mut self, who: &PeerInfo) -> Printed {
        let state = &self.state;
        let standing = |id| if state.book().knows(id) { Standing::Stranger } else { Standing::Forgotten };
        let renamed = self.labels.meet(who, standing);
        let renamed = renamed.iter().filter(|_| self.form != Form::Pipe);
        renamed.map(|renamed| (Told::Renamed, vec![self.renderer().renamed(renamed, who.addr)])).collect()
    }

    fn renderer(&self) -> Renderer<'_> {
        Renderer {
            labels: &self.labels,
            full: self.form == Form::Pipe,
            rows: self.form == Form::Edited,
            durable: true,
            is_new: false,
            late: "",
            stamp: "",
            date: |seconds| seconds.to_string(),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.state.rows(self.now).len()
    }

    /// The peer list.
    pub(super) fn list(&self) -> Vec<Line> {
        let (unlisted, blocked) =
            (self.state.book().unlisted_contacts(), self.state.trusted().blocked_pins());
        let rows = &self.state.rows(self.now);
        let is_muted = &|_| true;
        let (requests, _) = self.state.trusted().requests();
        let list = PeerList {
            rows,
            unasked: 0,
            unlisted: &unlisted,
            blocked: &blocked,
            blocked_legacy: &[],
            requests,
            is_muted,
            columns: 79,
        };
        peer_list(&list, &self.labels)
    }

    /// What was said, read again.
    pub(super) fn history(&self) -> Vec<Line> {
        let entries =
            self.kept.lock().messages(&Query { limit: HISTORY, ..Query::default() }).expect("readable");
        let people = People::new(self.kept.lock().peers().expect("readable"));
        let moment = |_| (Arc::from(""), Arc::from("today"));
        HistoryView { people: &people, moment: &moment, late: &|_, _| None, today: "today", in_doubt: false }
            .lines(entries)
    }
}

/// A painted line without the colours that we write ourselves, each of which has to end within the
/// line. Any other control sequence stays.
pub(super) fn without_own_colours(painted: &str) -> String {
    let mut plain = String::new();
    let mut rest = painted;
    let mut coloured = false;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let Some((parameters, behind)) = after.split_once('m') else {
            plain.push_str("\x1b[");
            rest = after;
            continue;
        };
        let reset = parameters == "0";
        let colour = parameters == "1"
            || matches!(parameters.strip_prefix("38;5;"), Some(n) if n.parse::<u8>().is_ok())
            || matches!(parameters.strip_prefix('3'), Some(n) if n.len() == 1 && n.parse::<u8>().is_ok());
        if !(reset || colour) {
            plain.push_str("\x1b[");
            rest = after;
            continue;
        }
        assert_eq!(coloured, reset, "a colour begins or ends twice in {painted:?}");
        coloured = colour;
        rest = behind;
    }
    assert!(!coloured, "a colour goes on behind {painted:?}");
    plain.push_str(rest);
    plain
}
