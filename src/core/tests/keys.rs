//! Peers that prove keys: their rows, and messages to and from them.

mod addresses;

use super::*;
use crate::core::peers::KIND_WITHIN;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::session::{ByeReason, Introduction, Message, Request, RequestEnd};
use crate::model::stored::{RowId, Stored};

pub(super) fn key(n: u8) -> PublicKey {
    PublicKey::new([n; 32])
}

const OURS: u8 = 100;
pub(super) const BOBS: u8 = 1;
pub(super) const EVES: u8 = 66;

pub(super) fn hello(name: &str, port: u16) -> Introduction {
    Introduction { name: PeerName::new(name), port, also: Vec::new() }
}

/// A peer that has proven a key.
#[derive(Clone, Debug)]
pub(super) struct Met {
    pub(super) key: PublicKey,
    /// Its hello, if it has said one.
    pub(super) hello: Option<Introduction>,
}

/// What becomes of a request: the session for it, the receipts in it, and the end.
#[derive(Clone, Debug)]
pub(super) struct SessionReport {
    /// The address that was reached, or the last that was tried.
    pub(super) addr: PeerAddr,
    pub(super) met: Option<Met>,
    /// How many of the messages may have reached the peer, counted from the first.
    pub(super) written: usize,
    pub(super) receipts: Vec<MessageId>,
    pub(super) end: RequestEnd,
}

pub(super) fn met(n: u8, port: u16) -> Met {
    Met { key: key(n), hello: Some(hello("Bob", port)) }
}

/// A request that sent no messages ends like this.
pub(super) fn report(addr: PeerAddr, met: Option<Met>, end: RequestEnd) -> SessionReport {
    SessionReport { addr, met, written: 0, receipts: Vec::new(), end }
}

pub(super) fn moment() -> Env {
    Env { date: 1_000, jitter: Jitter(0) }
}

pub(super) fn message(n: u8) -> Message {
    Message {
        id: MessageId::new([n; 16]),
        time: 0,
        again: false,
        to_all: false,
        body: format!("text {n}").into(),
    }
}

/// Alice at port 5000 of all addresses, who knows no key yet.
pub(super) fn alice() -> CoreConfig {
    let me = Me { bind: Ipv4Addr::UNSPECIFIED.into(), port: 5000, advertise: None };
    CoreConfig::new(me, "Alice".parse().unwrap(), key(OURS))
}

impl Story {
    pub(super) fn writes(&mut self, port: u16, n: u8) -> OpId {
        self.does(Command::Send { to: these(port), message: message(n) })
    }

    /// A message of a key arrives and is stored. Returns the receipts for it.
    pub(super) fn takes(&mut self, n: u8, message: Message) -> Vec<MessageId> {
        let (staged, actions) = self.state.messages_received(key(n), vec![message], self.now);
        self.perform(actions);
        let Some(Staged { mut receipts, messages, .. }) = staged else { return Vec::new() };
        let rows = messages.iter().map(|_| Stored::New(RowId(1))).collect();
        let (taken, actions) = self.state.messages_stored(key(n), messages, Ok(rows), self.now);
        self.perform(actions);
        receipts.extend(taken);
        receipts
    }

    /// The only plain message under way is answered with a receipt that promises this key.
    pub(super) fn promises(&mut self, n: u8) {
        self.gets_receipt(Capability::Key(key(n)));
    }

    /// The only plain message under way is answered with this receipt.
    pub(super) fn gets_receipt(&mut self, capability: Capability) {
        let transmit = self.under_way.pop().expect("something plain is under way");
        assert!(self.under_way.is_empty());
        let PlainRequest { job, to, .. } = transmit;
        let capability = Some(capability);
        let sent = PlainResult { job, to, result: SendResult::Delivered, parts: (1, 1), capability };
        self.feeds(|state, now| state.plain_sent(sent, now));
    }

    /// The oldest request under way ends so, at the first address.
    pub(super) fn request_ends(&mut self, met: Option<Met>, end: RequestEnd) -> SessionRequest {
        let request = self.session_requests.remove(0);
        let ids: Vec<MessageId> = match &request.say {
            Request::Messages(messages) => messages.iter().map(|message| message.id).collect(),
            _ => Vec::new(),
        };
        let receipts = if end == RequestEnd::Answered { ids.clone() } else { Vec::new() };
        let written = if met.is_some() { ids.len() } else { 0 };
        let ended = SessionReport { addr: request.addrs[0], met, written, receipts, end };
        self.ends_as(request.job, ended);
        request
    }

    /// A request ends so.
    pub(super) fn ends_as(&mut self, job: JobId, ended: SessionReport) {
        let SessionReport { addr, met, written, receipts, end } = ended;
        if let Some(Met { key, hello }) = met {
            let up = SessionUp { key, hello, addr, source: addr.source(), dialed: true };
            self.feeds(|state, now| state.session_up(Some(job), up, moment(), now).1);
            self.feeds(|state, now| state.receipts(key, &receipts, now));
        }
        let ended = RequestEnded { addr: Some(addr), written: written - receipts.len(), end };
        self.feeds(|state, now| state.request_ended(job, ended, moment(), now));
    }

    /// The oldest request under way is to send messages, which all get receipts.
    pub(super) fn takes_messages(&mut self) {
        let SessionRequest { job, say, expect, addrs, .. } = self.session_requests.remove(0);
        let (Request::Messages(messages), Some(key)) = (say, expect) else { panic!("no messages") };
        let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        self.feeds(|state, now| state.receipts(key, &ids, now));
        self.ends_as(job, report(addrs[0], None, RequestEnd::Answered));
    }

    /// Bob is known by his key at this port, and nothing is under way.
    pub(super) fn knows_bob(&mut self, port: u16) {
        self.does(Command::Connect(these(port)));
        self.promises(BOBS);
        self.request_ends(Some(met(BOBS, port)), RequestEnd::Answered);
        assert!(self.session_requests.is_empty() && self.under_way.is_empty());
        self.told();
    }

    /// A ping of a key comes.
    pub(super) fn sign_of_life(&mut self, n: u8) {
        self.feeds(|state, now| state.session_alive(key(n), now));
    }

    /// The session with a key breaks.
    pub(super) fn session_breaks(&mut self, n: u8) {
        self.feeds(|state, now| state.session_down(key(n), None, now));
    }

    /// Bob says goodbye in a session.
    pub(super) fn bob_leaves(&mut self) {
        self.feeds(|state, now| state.session_down(key(BOBS), Some(ByeReason::Leaves), now));
    }

    pub(super) fn dials_in(&mut self, n: u8, name: &str, port: u16) -> Result<(), ByeReason> {
        let up = SessionUp {
            key: key(n),
            hello: Some(hello(name, port)),
            addr: at(port),
            source: Source::from(HERE),
            dialed: false,
        };
        let (welcome, actions) = self.state.session_up(None, up, moment(), self.now);
        self.perform(actions);
        welcome
    }

    pub(super) fn verification(&self, port: u16) -> Option<Verification> {
        self.state
            .rows(self.now)
            .iter()
            .find(|row| row.addr.is_some_and(|addr| addr.port() == port))
            .map(|row| row.verification.clone())
    }

    /// The first status of each message, and the results of `connect` and goodbyes.
    pub(super) fn outcomes(&mut self) -> Vec<DeliveryStatus> {
        let status = |event| match event {
            Event::Delivery { is_first: true, status, .. } => Some(status),
            Event::Done { result: SendResult::Delivered, .. } => Some(DeliveryStatus::Delivered),
            Event::Done { result: SendResult::HandedOver, .. } => Some(DeliveryStatus::Sent),
            _ => None,
        };
        self.told().into_iter().filter_map(status).collect()
    }

    /// The later statuses of messages, which follow the end of their commands.
    pub(super) fn later_statuses(&mut self) -> Vec<DeliveryStatus> {
        let status = |event| match event {
            Event::Delivery { is_first: false, status, .. } => Some(status),
            _ => None,
        };
        self.told().into_iter().filter_map(status).collect()
    }
}

#[test]
fn accepted_peer_is_listed_and_duplicates_shown_once() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    assert_eq!(story.state(5001), Some(PresenceStatus::Connected));
    story.told();
    for (expected, again) in [(1, false), (0, true)] {
        let taken = story.takes(BOBS, Message { again, ..message(7) });
        assert_eq!(taken, [message(7).id], "a duplicate gets a receipt, too");
        let shown = story.told().into_iter().filter(|event| matches!(event, Event::Message { .. })).count();
        assert_eq!(shown, expected);
    }
    assert_eq!(story.takes(EVES, message(8)), [], "no message of a key without a session is stored");
}

#[test]
fn new_name_is_shown_and_told_once() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.told();
    let name = PeerName::new("Zoe");
    for expected in [1, 0] {
        let (key, source) = (key(BOBS), Source::from(HERE));
        story.feeds(|state, now| state.peer_renamed(key, name.clone(), at(5001), source, moment(), now));
        let is_it = |event: &Event| matches!(event, Event::Renamed(who) if who.id == key.into() && who.name.as_ref() == Some(&name));
        let told = story.told();
        assert_eq!((told.iter().filter(|event| is_it(event)).count(), told.len()), (expected, expected));
        assert_eq!(story.state.rows(story.now)[0].name.as_ref(), Some(&name));
    }
}

#[test]
fn connect_before_session_announces_peer_once() {
    let mut story = Story::new();
    story.gets(5001, Body::Connect);
    story.promises(BOBS);
    story.later(seconds(1));
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.later(KIND_WITHIN);
    let told = story.told();
    let online: Vec<&Event> =
        told.iter().filter(|event| matches!(event, Event::Online(_) | Event::Pinned { .. })).collect();
    assert!(matches!(online[..], [Event::Pinned { is_online: true, .. }]), "{online:?}");
}

#[test]
fn lost_session_is_probed_and_goodbye_is_final() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.feeds(|state, now| state.session_down(key(BOBS), None, now));
    assert_eq!(story.state(5001), Some(PresenceStatus::Unreachable));
    assert_eq!(story.told(), []);
    story.later(Duration::from_millis(10));
    let ping = story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(ping.say, Request::Ping);
    assert_eq!((story.state(5001), story.told()), (Some(PresenceStatus::Connected), vec![]));
    story.bob_leaves();
    assert!(matches!(story.told()[..], [Event::Offline(_, OfflineReason::SaidGoodbye)]));
}

#[test]
fn refusing_peer_is_tried_ever_more_rarely() {
    let mut story = Story::with(alice());
    story.knows_bob(5001);
    story.session_breaks(BOBS);
    story.writes(5001, 1);
    let mut attempts = 0;
    for _ in 0..120 {
        while !story.session_requests.is_empty() {
            let refused = RequestEnd::Bye(ByeReason::NotDecided);
            let request = story.request_ends(Some(Met { key: key(BOBS), hello: None }), refused);
            attempts += usize::from(matches!(request.say, Request::Messages(_)));
        }
        story.later(Duration::from_millis(250));
    }
    assert!((3..=6).contains(&attempts), "{attempts} attempts within half a minute");
}

/// Whether the user reads that a peer has not accepted us.
fn is_refusal(event: &Event) -> bool {
    let waits = DeliveryStatus::Queued(PendingReason::NotAcceptedYet);
    match event {
        Event::TurnedAway(_, reason, _) => *reason == ByeReason::NotDecided,
        Event::Delivery { is_first, status, .. } => *is_first && *status == waits,
        _ => false,
    }
}

#[test]
fn refusal_by_a_dialing_peer_is_told_once() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.promises(BOBS);
    story.request_ends(None, RequestEnd::Bye(ByeReason::NotDecided));
    assert_eq!(story.told().iter().filter(|event| is_refusal(event)).count(), 1);
    // He writes to the address from which he has heard, and is introduced before he has proven his.
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.request_ends(None, RequestEnd::Bye(ByeReason::NotDecided));
    assert_eq!(story.told().iter().filter(|event| is_refusal(event)).count(), 0);
}

#[test]
fn refusal_of_a_first_message_is_told_once() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.promises(BOBS);
    while !story.session_requests.is_empty() {
        let proven = Met { key: key(BOBS), hello: None };
        story.request_ends(Some(proven), RequestEnd::Bye(ByeReason::NotAccepted));
    }
    let told = story.told();
    let refused = DeliveryStatus::Failed(FailureReason::NotAccepted);
    let is_failure = |event: &&Event| matches!(event, Event::Delivery { status, .. } if *status == refused);
    assert_eq!(told.iter().filter(is_failure).count(), 1, "{told:?}");
    assert!(!told.iter().any(|event| matches!(event, Event::TurnedAway(..))), "{told:?}");
}

#[test]
fn answered_check_of_an_address_is_no_acceptance() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.promises(BOBS);
    let proves = || Some(Met { key: key(BOBS), hello: None });
    story.request_ends(proves(), RequestEnd::Bye(ByeReason::NotDecided));
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    // The check of his address is answered first.
    let check =
        story.session_requests.iter().position(|request| request.say == Request::Open).expect("a check");
    story.session_requests.swap(0, check);
    story.request_ends(proves(), RequestEnd::Answered);
    let refused = story.request_ends(proves(), RequestEnd::Bye(ByeReason::NotDecided));
    assert!(matches!(refused.say, Request::Messages(_)), "{refused:?}");
    assert_eq!(story.told().iter().filter(|event| is_refusal(event)).count(), 1);
}
