//! Peers that prove keys: how each is spoken to, and what becomes of texts to them.

use super::*;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::peer_id::PeerId;
use crate::model::session::{ByeReason, Introduction, Message, Met, Request, RequestEnd, SessionReport};

pub(super) fn key(n: u8) -> PublicKey {
    PublicKey::new([n; 32])
}

const OURS: u8 = 100;
pub(super) const BOBS: u8 = 1;
pub(super) const EVES: u8 = 66;

fn hello(name: &str, port: u16) -> Introduction {
    Introduction { name: PeerName::new(name), port, also: Vec::new() }
}

pub(super) fn met(n: u8, port: u16) -> Met {
    Met { key: key(n), hello: Some(hello("Bob", port)) }
}

pub(super) fn moment() -> Env {
    Env { date: 1_000, jitter: Jitter(0) }
}

pub(super) fn message(n: u8) -> Message {
    Message { id: MessageId::new([n; 16]), time: 0, again: false, body: format!("text {n}").into() }
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

    /// A text of a key comes, and is written down; the receipts for it.
    pub(super) fn takes(&mut self, n: u8, message: Message) -> Vec<MessageId> {
        let (intake, actions) = self.state.messages_received(key(n), vec![message], self.now);
        self.perform(actions);
        let Some(Staged { mut receipts, messages, .. }) = intake else { return Vec::new() };
        let rows = messages.iter().map(|_| Some(crate::model::stored::RowId(1))).collect();
        let (taken, actions) = self.state.messages_stored(key(n), messages, Ok(rows), self.now);
        self.perform(actions);
        receipts.extend(taken);
        receipts
    }

    /// The only plain message under way is answered with a receipt that promises this key.
    pub(super) fn promises(&mut self, n: u8) {
        let transmit = self.under_way.pop().expect("something plain is under way");
        assert!(self.under_way.is_empty());
        let PlainRequest { job, to, .. } = transmit;
        let sent =
            PlainResult { job, to, result: SendResult::Delivered, parts: (1, 1), capability: Some(key(n)) };
        let actions = self.state.plain_sent(sent, self.now);
        self.perform(actions);
    }

    /// The oldest talk under way ends so, at the first address.
    pub(super) fn talked(&mut self, met: Option<Met>, end: RequestEnd) -> SessionRequest {
        let talk = self.talks.remove(0);
        let ids: Vec<MessageId> = match &talk.say {
            Request::Messages(messages) => messages.iter().map(|message| message.id).collect(),
            _ => Vec::new(),
        };
        let receipts = if end == RequestEnd::Answered { ids.clone() } else { Vec::new() };
        let written = if met.is_some() { ids.len() } else { 0 };
        let talked = SessionReport { addr: talk.addrs[0], met, written, receipts, end };
        self.ends_as(talk.job, talked);
        talk
    }

    /// A request ends so.
    pub(super) fn ends_as(&mut self, job: JobId, talked: SessionReport) {
        let SessionReport { addr, met, written, receipts, end } = talked;
        if let Some(Met { key, hello }) = met {
            let up = SessionUp { key, hello, addr, source: addr.source() };
            let (_, outputs) = self.state.session_up(Some(job), up, moment(), self.now);
            self.perform(outputs);
            let outputs = self.state.receipts(key, &receipts, self.now);
            self.perform(outputs);
        }
        let ended = RequestEnded { addr: Some(addr), written: written - receipts.len(), end };
        let outputs = self.state.request_ended(job, ended, moment(), self.now);
        self.perform(outputs);
    }

    /// Bob is known by his key at this port, and nothing is under way.
    pub(super) fn knows_bob(&mut self, port: u16) {
        self.does(Command::Connect(these(port)));
        self.promises(BOBS);
        self.talked(Some(met(BOBS, port)), RequestEnd::Answered);
        assert!(self.talks.is_empty() && self.under_way.is_empty());
        self.told();
    }

    pub(super) fn dials_in(&mut self, n: u8, name: &str, port: u16) -> Result<(), ByeReason> {
        let up = SessionUp {
            key: key(n),
            hello: Some(hello(name, port)),
            addr: at(port),
            source: Source::from(HERE),
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
}

#[test]
fn stored_message_is_shown_without_its_row() {
    for (command, is_shown) in
        [(Command::Forget(PeerId::Key(key(BOBS))), true), (Command::Block(key(BOBS)), false)]
    {
        let mut story = Story::new();
        story.knows_bob(5001);
        let (staged, actions) = story.state.messages_received(key(BOBS), vec![message(1)], story.now);
        story.perform(actions);
        story.does(command);
        story.told();
        let rows = Ok(vec![Some(crate::model::stored::RowId(1))]);
        let messages = staged.expect("they are welcome").messages;
        let (receipts, actions) = story.state.messages_stored(key(BOBS), messages, rows, story.now);
        story.perform(actions);
        let told = story.told();
        assert_eq!(receipts, [message(1).id]);
        assert_eq!(told.iter().any(|event| matches!(event, Event::Message { .. })), is_shown, "{told:?}");
    }
}

#[test]
fn first_message_waits_for_answer_and_goes_encrypted() {
    let mut story = Story::new();
    let op = story.writes(5001, 1);
    assert_eq!(story.dials(5001), [Outgoing::Connect], "no text goes out before");
    story.promises(BOBS);
    assert_eq!(story.under_way, []);
    let greeting = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!((greeting.expect, greeting.say), (Some(key(BOBS)), Request::Open));
    let told = story.told();
    assert!(
        told.iter().any(|event| matches!(event, Event::Pinned(_, pinned) if *pinned == key(BOBS))),
        "{told:?}"
    );
    let turn = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!((turn.expect, turn.say), (Some(key(BOBS)), Request::Messages(vec![message(1)])));
    let told = story.told();
    let Some(Event::Delivery { op: of, who, status: DeliveryStatus::Delivered, .. }) = told.first() else {
        panic!("{told:?}")
    };
    assert_eq!((*of, who.verification.clone()), (op, Verification::Encrypted));
    assert!(told.contains(&Event::Settled(op)));
}

#[test]
fn kept_session_proves_nothing_at_another_address() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.writes(5002, 1);
    story.promises(BOBS);
    let greeting = story.talks.remove(0);
    assert_eq!((greeting.expect, &greeting.addrs[..]), (Some(key(BOBS)), &[at(5002)][..]));
    let kept = Some(Met { key: key(BOBS), hello: None });
    let talked = SessionReport {
        addr: at(5001),
        met: kept,
        written: 0,
        receipts: Vec::new(),
        end: RequestEnd::Answered,
    };
    story.ends_as(greeting.job, talked);
    assert_eq!((&story.under_way[..], &story.talks[..]), (&[][..], &[][..]), "the message waits");
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
}

#[test]
fn lost_receipt_does_not_take_promise_back() {
    let mut story = Story::new();
    // What is asked has a receipt with a key; the greeting breaks, and the next receipt is lost.
    story.does(Command::Connect(these(5001)));
    story.promises(BOBS);
    story.talked(None, RequestEnd::Broken);
    story.told();
    let op = story.writes(5001, 1);
    assert_eq!(story.under_way, [], "nothing in plain");
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let turn = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(turn.say, Request::Messages(vec![message(1)]));
    assert!(story.told().contains(&Event::Settled(op)));
}

#[test]
fn accepted_session_does_not_overtake_waiting_message() {
    let mut story = Story::new();
    story.writes(5001, 1);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
    // That port is only its claim, and the text is for who listens there.
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.writes(5001, 2);
    assert_eq!(story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Open);
    let turn = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(turn.say, Request::Messages(vec![message(1)]));
    let turn = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(turn.say, Request::Messages(vec![message(2)]), "what is stored later is sent later");
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.under_way, [], "nothing is left of the question");
}

#[test]
fn unencrypted_message_stays_unencrypted_when_key_comes_later() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.ends(5001, &SendResult::HandedOver);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]));
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.ends(5001, &SendResult::Delivered);
    let who = story.told().into_iter().find_map(|event| match event {
        Event::Delivery { who, .. } => Some(who),
        _ => None,
    });
    assert_eq!(who.map(|who| who.verification), Some(Verification::Plain));
    let rows = story.state.rows(story.now);
    let proofs: Vec<_> = rows.into_iter().map(|row| row.verification).collect();
    assert_eq!(proofs, [Verification::Plain, Verification::Encrypted], "he only claims to be there");
}

#[test]
fn static_peer_known_elsewhere_stays_static() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    let peer = StaticPeer { addr: at(5002), name: None, form: Form::Standard, key: None, also: Vec::new() };
    let (_, actions) = story.state.start(vec![peer], Vec::new(), story.now);
    story.perform(actions);
    story.promises(BOBS);
    story.talked(Some(met(BOBS, 5002)), RequestEnd::Answered);
    let rows = story.state.rows(story.now);
    assert_eq!(
        rows.iter().map(|row| (row.addr, row.origin)).collect::<Vec<_>>(),
        [(Some(at(5002)), PeerOrigin::Static)]
    );
}

#[test]
fn static_peer_stays_when_another_key_answers() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(EVES, "Eve", 5003), Ok(()));
    story.talks.clear();
    story = story.with_static(&[5001]);
    story.promises(BOBS);
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.later(Duration::from_secs(30));
    story.talks.retain(|talk| talk.expect == Some(key(BOBS)));
    assert_eq!(story.talks.len(), 1, "one look at Bob: {:?}", story.talks);
    story.talked(None, RequestEnd::WrongKey(key(EVES)));
    let mut rows = story.state.rows(story.now);
    rows.sort_by_key(|row| row.addr);
    let rows: Vec<_> =
        rows.iter().map(|row| (row.addr, row.speech, row.origin == PeerOrigin::Static)).collect();
    let (bobs, eves) = (PeerProtocol::Session(key(BOBS)), PeerProtocol::Session(key(EVES)));
    assert_eq!(rows, [(Some(at(5001)), bobs, true), (Some(at(5003)), eves, false)]);
    // Bob is probed again.
    story.talks.clear();
    story.later(Duration::from_secs(20));
    assert!(story.talks.iter().any(|talk| talk.expect == Some(key(BOBS)) && talk.addrs[0] == at(5001)));
}

#[test]
fn configured_address_is_probed_again_after_session_elsewhere() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let peer = StaticPeer { addr: at(5002), name: None, form: Form::Standard, key: None, also: Vec::new() };
    let (_, actions) = story.state.start(vec![peer], Vec::new(), story.now);
    story.perform(actions);
    for wait in [1, 2] {
        story.promises(BOBS);
        let greeting = story.talks.remove(0);
        let talked = SessionReport {
            addr: at(5001),
            met: Some(Met { key: key(BOBS), hello: None }),
            written: 0,
            receipts: Vec::new(),
            end: RequestEnd::Answered,
        };
        story.ends_as(greeting.job, talked);
        assert_eq!(story.under_way, [], "not at once");
        story.later(Duration::from_secs(wait));
    }
    assert_eq!(story.dials(5002), [Outgoing::Connect]);
}

#[test]
fn claimed_port_gets_no_message_before_proof() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.writes(5002, 1);
    assert_eq!(story.dials_in(BOBS, "Bob", 5002), Ok(()));
    assert_eq!(story.talks.len(), 1, "Bob only claims to be there");
    assert_eq!((&story.talks[0].say, &story.talks[0].addrs[..]), (&Request::Open, &[at(5002)][..]));
    story.writes(5002, 2);
    story.promises(BOBS);
    assert_eq!(story.talked(Some(met(BOBS, 5002)), RequestEnd::Answered).say, Request::Open);
    assert_eq!(story.talked(Some(met(BOBS, 5002)), RequestEnd::Answered).say, Request::Open);
    for n in 1..=2 {
        let turn = story.talked(Some(met(BOBS, 5002)), RequestEnd::Answered);
        assert_eq!(turn.say, Request::Messages(vec![message(n)]));
    }
}

#[test]
fn promised_key_outweighs_legacy_form() {
    let mut story = Story::new();
    let claimed = Claimed { ip: HERE, port: 5001 };
    story.gets_from(HERE, claimed, Form::TwoField, Body::ConnectRequest);
    story.ends(5001, &SendResult::HandedOver);
    story.writes(5001, 1);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]), "as that form is written to");
    story.promises(BOBS);
    story.writes(5001, 2);
    assert_eq!(story.under_way, []);
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let turn = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(turn.say, Request::Messages(vec![message(2)]));
}

#[test]
fn peer_found_elsewhere_is_probed_there() {
    let mut story = Story::new();
    story.knows_bob(5001);
    assert_eq!(story.dials_in(BOBS, "Bob", 5002), Ok(()));
    for port in [5002, 5002] {
        story.later(PROBE_INTERVAL);
        let look = story.talks.remove(0);
        assert_eq!(look.say, Request::Ping);
        let talked = SessionReport {
            addr: at(port),
            met: Some(met(BOBS, port)),
            written: 0,
            receipts: Vec::new(),
            end: RequestEnd::Answered,
        };
        story.ends_as(look.job, talked);
    }
}

#[test]
fn promise_ends_with_another_key_not_with_silence() {
    let mut story = Story::new();
    story.does(Command::Connect(these(5001)));
    story.promises(BOBS);
    story.talked(None, RequestEnd::NoSession);
    story.writes(5001, 1);
    assert_eq!(story.under_way, [], "nothing in plain");
    let greeting = story.talked(None, RequestEnd::WrongKey(key(EVES)));
    assert_eq!((greeting.expect, greeting.say), (Some(key(BOBS)), Request::Open));
    story.writes(5001, 2);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
}

#[test]
fn receipt_without_key_makes_peer_legacy() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.ends(5001, &SendResult::HandedOver);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]));
    story.ends(5001, &SendResult::HandedOver);
    story.writes(5001, 2);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]));
    assert_eq!(story.verification(5001), Some(Verification::Plain));
    assert!(story.talks.is_empty());
}

#[test]
fn messages_wait_once_their_question_fails() {
    let mut story = Story::new();
    let op = story.writes(5001, 1);
    story.writes(5001, 2);
    assert_eq!(story.dials(5001), [Outgoing::Connect], "one question for both");
    story.refused(5001);
    let told = story.told();
    assert!(told.contains(&Event::Settled(op)), "{told:?}");
    let waits = |event: &&Event| {
        matches!(event, Event::Delivery { status: DeliveryStatus::Queued(PendingReason::Unreachable), .. })
    };
    assert_eq!(told.iter().filter(waits).count(), 2);
    assert_eq!(story.state.under_way().jobs, 0);
}

#[test]
fn unanswered_question_keeps_message_waiting() {
    for result in [SendResult::Unanswered, SendResult::Broken, SendResult::NoReceipt] {
        let mut story = Story::new();
        story.writes(5001, 1);
        assert_eq!(story.dials(5001), [Outgoing::Connect]);
        story.ends(5001, &result);
        assert_eq!((&story.under_way[..], &story.talks[..]), (&[][..], &[][..]), "no text goes out");
        assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)], "{result:?}");
        // It is asked again by the next text, but not within a second.
        story.writes(5001, 2);
        assert_eq!(story.dials(5001), []);
        story.later(seconds(1));
        assert_eq!(story.dials(5001), [Outgoing::Connect]);
    }
}

#[test]
fn broken_promise_sends_nothing_unencrypted() {
    for end in [RequestEnd::NoSession, RequestEnd::NotSecure, RequestEnd::WrongKey(key(EVES))] {
        let mut story = Story::new();
        story.writes(5001, 1);
        story.promises(BOBS);
        story.talked(None, end.clone());
        assert_eq!((&story.under_way[..], &story.talks[..]), (&[][..], &[][..]), "{end:?}");
        let told = story.told();
        let misled = told.iter().any(|event| matches!(event, Event::Misled { .. }));
        assert_eq!(misled, matches!(end, RequestEnd::WrongKey(_)), "{told:?}");
        let status = match end {
            RequestEnd::NoSession => DeliveryStatus::Queued(PendingReason::NoSession),
            RequestEnd::NotSecure => DeliveryStatus::Queued(PendingReason::NotSecure),
            // That does not become better by waiting.
            _ => DeliveryStatus::Failed(FailureReason::NotSent(SendError::WrongKey)),
        };
        let done = |event: &Event| matches!(event, Event::Delivery { status: of, .. } if *of == status);
        assert!(told.iter().any(done), "{told:?}");
        assert_eq!(story.state.pins_for("Bob").len(), 0, "nobody is pinned by that");
    }
}

#[test]
fn known_key_is_expected_in_next_run() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let pins: Vec<Pin> = story
        .state
        .take_contact_changes()
        .into_iter()
        .map(|change| if let ContactChange::Key(pin) = change { pin } else { panic!("{change:?}") })
        .collect();
    assert_eq!(pins.len(), 1);
    let config = CoreConfig { pins, policy: Policy::Strict, ..alice() };
    let mut next = Story::with(config).with_static(&[5001]);
    assert_eq!((&next.under_way[..], next.talks.len()), (&[][..], 1));
    assert_eq!((next.talks[0].expect, &next.talks[0].say), (Some(key(BOBS)), &Request::Open));
    next.writes(5001, 1);
    assert_eq!(next.talks.len(), 2);
    assert!(next.under_way.is_empty(), "never in plain");
}

#[test]
fn message_without_receipt_is_sent_again_with_mark() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let op = story.writes(5001, 1);
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Broken);
    let told = story.told();
    let waits = |event: &Event| {
        matches!(event, Event::Delivery { status: DeliveryStatus::Queued(PendingReason::NoReceipt), .. })
    };
    assert!(told.iter().any(waits) && told.contains(&Event::Settled(op)), "{told:?}");
    story.later(seconds(1));
    let again = loop {
        let talk = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
        if let Request::Messages(messages) = talk.say {
            break messages;
        }
    };
    assert_eq!(again, [Message { again: true, ..message(1) }]);
    let told = story.told();
    let later = |event: &Event| matches!(event, Event::Delivery { op: of, is_first: false, status: DeliveryStatus::Delivered, .. } if *of == op);
    assert!(told.iter().any(later), "{told:?}");
    assert!(story.outcomes().is_empty());
}

#[test]
fn messages_entered_meanwhile_are_the_next_batch() {
    let mut story = Story::new();
    story.knows_bob(5001);
    for n in 1..=3 {
        story.writes(5001, n);
    }
    assert_eq!(story.talks.len(), 1);
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let next = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(next.say, Request::Messages(vec![message(2), message(3)]));
    assert_eq!(
        story.outcomes(),
        [DeliveryStatus::Delivered, DeliveryStatus::Delivered, DeliveryStatus::Delivered]
    );
}

#[test]
fn another_key_at_contact_address_changes_nothing() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.writes(5001, 1);
    let bob = story.state.pins_for("Bob").into_iter().cloned().collect::<Vec<_>>();
    story.talked(None, RequestEnd::WrongKey(key(EVES)));
    let told = story.told();
    assert!(told.iter().any(|event| matches!(
        event,
        Event::Delivery { status: DeliveryStatus::Queued(PendingReason::WrongKey), .. }
    )));
    assert_eq!(story.state.pins_for("Bob"), bob.iter().collect::<Vec<_>>());
    assert_eq!((story.verification(5001), story.state.offers().0.len()), (Some(Verification::Encrypted), 0));
    let start = key(EVES).to_string();
    assert!(story.state.pins_for(&start).is_empty(), "the other key is not pinned");
}

#[test]
fn key_change_waits_for_user_and_moves_messages() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.writes(5001, 1);
    story.talked(None, RequestEnd::WrongKey(key(EVES)));
    story.told();
    assert_eq!(story.dials_in(EVES, "Bob", 5001), Err(ByeReason::NotDecided));
    let told = story.told();
    let offer =
        told.iter().find_map(|event| if let Event::Offered(offer) = event { Some(offer) } else { None });
    let offer = offer.unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!((offer.met.key, offer.against[0].key), (key(EVES), key(BOBS)));
    assert_eq!(story.dials_in(EVES, "Bob", 5001), Err(ByeReason::NotDecided));
    assert_eq!(story.verification(5001), Some(Verification::Encrypted), "Bob's row is still Bob's");
    // The user takes it for Bob's new key: what waits goes to it.
    story.does(Command::Trust(key(EVES), As::NewKeyOf(key(BOBS))));
    let told = story.told();
    assert!(told.iter().any(|event| matches!(event, Event::Decided(Decision::Trusted(..)))), "{told:?}");
    let turn =
        story.talks.iter().find(|talk| matches!(talk.say, Request::Messages(_))).expect("a turn").clone();
    assert_eq!((turn.expect, turn.say), (Some(key(EVES)), Request::Messages(vec![message(1)])));
    assert!(story.under_way.is_empty());
}

#[test]
fn blocked_key_change_is_refused_and_contact_kept() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.writes(5001, 1);
    story.talked(None, RequestEnd::WrongKey(key(EVES)));
    assert_eq!(story.dials_in(EVES, "Bob", 5001), Err(ByeReason::NotDecided));
    story.does(Command::Block(key(EVES)));
    assert_eq!(story.dials_in(EVES, "Bob", 5001), Err(ByeReason::NotAccepted));
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
}

#[test]
fn unencrypted_message_in_pinned_name_is_unproven() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.gets(5001, Body::Exit);
    assert_ne!(story.state(5001), Some(PresenceStatus::Offline));
    assert_eq!(story.told(), []);
    // From elsewhere, in his name.
    story.gets_from(LAN, Claimed { ip: LAN, port: 9 }, Form::Standard, text("pay Eve"));
    let told = story.told();
    let [Event::Unproven { from, source, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (&from.verification, *source),
        (&Verification::Claims(PeerName::new("Bob")), Source::from(LAN))
    );
    assert_eq!(story.state.rows(story.now).len(), 1, "nobody is listed because of it");
    story.gets_from(LAN, Claimed { ip: LAN, port: 9 }, Form::Standard, Body::Connect);
    assert_eq!((story.under_way.len(), story.talks.len()), (0, 0));
}

#[test]
fn accepted_peer_is_listed_and_duplicates_shown_once() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    assert_eq!(story.state(5001), Some(PresenceStatus::Connected));
    story.told();
    for (expected, again) in [(1, false), (0, true)] {
        let taken = story.takes(BOBS, Message { again, ..message(7) });
        assert_eq!(taken, [message(7).id], "a double is receipted, too");
        let shown = story.told().into_iter().filter(|event| matches!(event, Event::Message { .. })).count();
        assert_eq!(shown, expected);
    }
    assert_eq!(story.takes(EVES, message(8)), [], "nothing is taken of who was not met");
}

#[test]
fn known_key_at_new_address_keeps_its_row() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let number = story.state.rows(story.now)[0].number;
    // His program ends, and comes back at another port.
    let actions = story.state.session_down(key(BOBS), Some(ByeReason::Leaves), story.now);
    story.perform(actions);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    assert_eq!(story.dials_in(BOBS, "Bob", 5002), Ok(()));
    let rows = story.state.rows(story.now);
    assert_eq!(rows.iter().map(|row| (row.number, row.addr)).collect::<Vec<_>>(), [(number, Some(at(5002)))]);
    let told = story.told();
    assert!(
        told.iter().any(|event| matches!(event, Event::Came(who) if who.addr == Some(at(5002)))),
        "{told:?}"
    );
}

#[test]
fn lost_session_is_probed_and_goodbye_is_final() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let actions = story.state.session_down(key(BOBS), None, story.now);
    story.perform(actions);
    assert_eq!(story.state(5001), Some(PresenceStatus::Unreachable));
    assert_eq!(story.told(), []);
    story.later(Duration::from_millis(10));
    let ping = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(ping.say, Request::Ping);
    assert_eq!((story.state(5001), story.told()), (Some(PresenceStatus::Connected), vec![]));
    let actions = story.state.session_down(key(BOBS), Some(ByeReason::Leaves), story.now);
    story.perform(actions);
    assert!(matches!(story.told()[..], [Event::Went(_, OfflineReason::SaidGoodbye)]));
}

#[test]
fn address_without_the_key_is_not_online() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.later(PROBE_INTERVAL);
    for _ in 0..12 {
        while !story.talks.is_empty() {
            story.talked(None, RequestEnd::NoSession);
        }
        story.later(seconds(1));
    }
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    assert!(story.under_way.is_empty(), "and it is never asked in plain");
}

#[test]
fn goodbye_follows_last_messages_and_losses_are_told() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let op = story.writes(5001, 1);
    story.talked(None, RequestEnd::Unreachable(SendError::Refused));
    story.told();
    story.does(Command::Leave);
    let says: Vec<&Request> = story.talks.iter().map(|talk| &talk.say).collect();
    assert!(says.contains(&&Request::Bye), "{says:?}");
    while !story.talks.is_empty() {
        story.talked(None, RequestEnd::Unreachable(SendError::Refused));
    }
    story.later(seconds(3));
    let told = story.told();
    let lost = |event: &Event| matches!(event, Event::Delivery { op: of, is_first: false, status: DeliveryStatus::Failed(FailureReason::Ended { attempted: false }), .. } if *of == op);
    assert!(told.iter().any(lost), "{told:?}");
}

#[test]
fn leaving_sends_first_message_before_goodbye() {
    for was_there in [false, true] {
        let begin = || {
            let mut story = Story::new();
            if was_there {
                story.gets(5001, Body::ConnectAck);
            }
            story.writes(5001, 1);
            story.does(Command::Leave);
            assert_eq!(story.dials(5001), [Outgoing::Connect], "no goodbye before the text");
            story
        };
        let mut story = begin();
        story.promises(BOBS);
        let greeting = story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
        assert_eq!((greeting.say, &story.under_way[..]), (Request::Open, &[][..]));
        let says: Vec<&Request> = story.talks.iter().map(|talk| &talk.say).collect();
        assert_eq!(says, [&Request::Messages(vec![message(1)]), &Request::Bye]);
        story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
        assert_eq!(story.outcomes(), [DeliveryStatus::Delivered]);

        let mut story = begin();
        story.ends(5001, &SendResult::HandedOver);
        assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_), Outgoing::Exit]));
        assert!(story.talks.is_empty());
    }
}

#[test]
fn required_encryption_sends_and_accepts_nothing_unencrypted() {
    let mut story = Story::with(CoreConfig { require_encryption: true, ..alice() });
    story.writes(5001, 1);
    assert_eq!(story.under_way, []);
    assert_eq!((story.talks.len(), story.talks[0].expect), (1, None));
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(story.outcomes(), [DeliveryStatus::Delivered]);
    assert_eq!(story.gets(5002, text("hi")), PlainAnswer::Nothing);
    assert!(matches!(story.told()[..], [Event::PlainRefused(_, 1)]));
    assert_eq!(
        story.gets(5002, Body::Connect),
        PlainAnswer::Capable,
        "who asks learns that there is another way"
    );
    assert_eq!(story.told(), []);
    assert_eq!(story.state.rows(story.now).len(), 1);
}

#[test]
fn policy_ask_offers_every_new_key() {
    let mut story = Story::with(CoreConfig { policy: Policy::Ask, ..alice() });
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Err(ByeReason::NotDecided));
    assert!(matches!(&story.told()[..], [Event::Offered(offer)] if offer.against.is_empty()));
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Err(ByeReason::NotDecided));
    assert_eq!(story.told(), [], "it is told once");
    story.does(Command::Trust(key(BOBS), As::Another));
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    assert_eq!(story.verification(5001), Some(Verification::Encrypted));
}

#[test]
fn forgotten_verified_peer_is_a_stranger() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Verify { key: key(BOBS), date: 3_000 });
    assert_eq!(story.verification(5001), Some(Verification::Verified));
    story.does(Command::Forget(PeerId::Key(key(BOBS))));
    assert_eq!(story.verification(5001), None);
    story.writes(5001, 1);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
}

#[test]
fn leaving_while_asking_sends_encrypted_then_goodbye() {
    let mut story = Story::new();
    let op = story.writes(5001, 1);
    let leave = story.does(Command::Leave);
    story.promises(BOBS);
    assert_eq!(story.under_way, [], "nothing more in plain");
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let says: Vec<Request> = story.talks.iter().map(|talk| talk.say.clone()).collect();
    assert_eq!(
        says,
        [Request::Messages(vec![message(1)]), Request::Bye],
        "in this order, for they are one lane"
    );
    assert!(!story.told().contains(&Event::Settled(leave)));
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let told = story.told();
    let delivered = |event: &Event| matches!(event, Event::Delivery { op: of, status: DeliveryStatus::Delivered, .. } if *of == op);
    assert!(told.iter().any(delivered) && told.contains(&Event::Settled(leave)), "{told:?}");
}

#[test]
fn leaving_while_asking_legacy_peer_sends_then_goodbye() {
    let mut story = Story::new();
    story.writes(5001, 1);
    let leave = story.does(Command::Leave);
    story.ends(5001, &SendResult::HandedOver);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_), Outgoing::Exit]), "{:?}", story.dials(5001));
    story.ends(5001, &SendResult::HandedOver);
    assert!(story.told().contains(&Event::Settled(leave)));
}

#[test]
fn leaving_waits_no_longer_than_for_an_answer() {
    let mut story = Story::new();
    let op = story.writes(5001, 1);
    let leave = story.does(Command::Leave);
    story.later(ANSWER_WITHIN);
    let told = story.told();
    let failed = |event: &Event| matches!(event, Event::Delivery { op: of, status: DeliveryStatus::Failed(FailureReason::Ended { attempted: false }), .. } if *of == op);
    assert!(told.iter().any(failed) && told.contains(&Event::Settled(leave)), "{told:?}");
}

#[test]
fn probe_after_goodbye_sends_no_hello() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Disconnect(these(5001)));
    assert_eq!(story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Bye);
    story.does(Command::List);
    assert_eq!(story.talks, []);
    assert_eq!(story.dials(5001), [Outgoing::Probe]);
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
}

#[test]
fn late_receipt_after_goodbye_opens_no_session() {
    let mut story = Story::new();
    // Somebody asks to be listed, and leaves while we acknowledge that.
    story.gets(5001, Body::Connect);
    assert!(story.dials(5001).contains(&Outgoing::ConnectAck));
    story.under_way.retain(|transmit| transmit.message == Outgoing::ConnectAck);
    story.gets(5001, Body::Exit);
    story.promises(BOBS);
    assert_eq!((story.talks.len(), story.state(5001)), (0, Some(PresenceStatus::Offline)));
    // A text finds out whether the promise is true.
    story.writes(5001, 1);
    assert_eq!((story.under_way.len(), story.talks.len()), (0, 1));
    assert_eq!((story.talks[0].expect, &story.talks[0].say), (Some(key(BOBS)), &Request::Open));
}

#[test]
fn message_to_offline_peer_is_tried_at_once() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.writes(5001, 1);
    for _ in 0..4 {
        while !story.talks.is_empty() {
            story.talked(None, RequestEnd::Unreachable(SendError::Refused));
        }
        story.later(seconds(20));
    }
    while !story.talks.is_empty() {
        story.talked(None, RequestEnd::Unreachable(SendError::Refused));
    }
    // The next try is a while away, but the user types now.
    story.later(seconds(2));
    story.outcomes();
    story.writes(5001, 2);
    let turn =
        story.talks.iter().find(|talk| matches!(talk.say, Request::Messages(_))).expect("a turn").clone();
    assert_eq!(turn.say, Request::Messages(vec![message(1)]), "the second one is stored first");
    story.talks.clear();
    let talked = SessionReport {
        addr: at(5001),
        met: None,
        written: 0,
        receipts: Vec::new(),
        end: RequestEnd::Unreachable(SendError::Refused),
    };
    story.ends_as(turn.job, talked);
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
    let op = story.writes(5001, 3);
    let told = story.told();
    assert!(told.contains(&Event::Settled(op)), "a script goes on: {told:?}");
    assert!(told.iter().any(|event| matches!(
        event,
        Event::Delivery { status: DeliveryStatus::Queued(PendingReason::Unreachable), .. }
    )));
}

#[test]
fn goodbye_is_repeated_encrypted_after_introduction() {
    for leaves in [false, true] {
        let mut story = Story::new();
        story.gets(5001, Body::Connect);
        story.under_way.retain(|transmit| transmit.message == Outgoing::ConnectAck);
        story.promises(BOBS);
        // We introduce ourselves, and before that is known to be done the user goes.
        story.does(if leaves { Command::Leave } else { Command::Disconnect(these(5001)) });
        assert_eq!(story.dials(5001), [Outgoing::Exit]);
        assert_eq!(story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Open);
        story.ends(5001, &SendResult::Delivered);
        assert_eq!(story.talks.len(), 1, "leaves: {leaves}");
        assert_eq!(story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Bye);
        if !leaves {
            assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
        }
        assert_eq!((story.state.under_way().jobs, story.talks.len()), (0, 0));
    }
}

#[test]
fn disconnect_during_introduction_says_goodbye_once() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Connect(these(5001)));
    // The goodbye is queued behind the introduction, so it arrives after it.
    story.does(Command::Disconnect(these(5001)));
    assert_eq!(story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Open);
    assert_eq!(story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Bye);
    assert_eq!(story.talks, []);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
}

#[test]
fn peer_met_while_leaving_gets_encrypted_goodbye() {
    let mut story = Story::new();
    story.gets(5001, text("hello"));
    story.does(Command::Leave);
    assert_eq!(story.dials(5001).last(), Some(&Outgoing::Exit));
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    assert_eq!(story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Bye);
    assert_eq!(story.talks, []);
}

#[test]
fn late_greeting_does_not_undo_disconnect() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Disconnect(these(5001)));
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    // A text does, and so does a greeting that can only have been said afterwards.
    story.later(seconds(3));
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    assert_eq!(story.state(5001), Some(PresenceStatus::Connected));
    story.does(Command::Disconnect(these(5001)));
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let taken = story.takes(BOBS, message(1));
    assert_eq!((taken.len(), story.state(5001)), (1, Some(PresenceStatus::Connected)));
}

#[test]
fn claimed_port_of_legacy_peer_gives_nothing() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.ends(5001, &SendResult::HandedOver);
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.verification(5001), Some(Verification::Plain));
    assert_eq!(story.dials_in(EVES, "Carol", 5001), Ok(()));
    let hers = story.state.pins_for("Carol")[0].clone();
    assert_eq!(hers.addrs, [], "a claim is no hint");
    assert_eq!(story.verification(5001), Some(Verification::Plain));
    story.writes(5001, 2);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]));
}

#[test]
fn messages_for_old_key_reach_the_new_one() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let op = story.writes(5001, 1);
    story.talked(None, RequestEnd::WrongKey(key(EVES)));
    assert_eq!(story.dials_in(EVES, "Bob", 5001), Err(ByeReason::NotDecided));
    story.does(Command::Trust(key(EVES), As::NewKeyOf(key(BOBS))));
    story.told();
    while !story.talks.is_empty() {
        story.talked(Some(met(EVES, 5001)), RequestEnd::Answered);
    }
    let told = story.told();
    let later = |event: &Event| matches!(event, Event::Delivery { op: of, is_first: false, status: DeliveryStatus::Delivered, .. } if *of == op);
    assert!(told.iter().any(later), "{told:?}");
}

#[test]
fn unsent_message_in_flight_follows_new_key() {
    for written in [0, 1] {
        let mut story = Story::new();
        story.knows_bob(5001);
        let op = story.writes(5001, 1);
        assert_eq!(story.dials_in(EVES, "Bob", 5002), Err(ByeReason::NotDecided));
        story.does(Command::Trust(key(EVES), As::NewKeyOf(key(BOBS))));
        story.told();
        let at_turn = story.talks.iter().position(|talk| talk.expect == Some(key(BOBS))).expect("a turn");
        let turn = story.talks.remove(at_turn);
        let talked = SessionReport {
            addr: turn.addrs[0],
            met: (written > 0).then(|| met(BOBS, 5001)),
            written,
            receipts: Vec::new(),
            end: RequestEnd::Broken,
        };
        story.ends_as(turn.job, talked);
        let to_heir = story.talks.iter().any(|talk| {
            talk.expect == Some(key(EVES))
                && matches!(&talk.say, Request::Messages(messages) if messages.len() == 1)
        });
        let told = story.told();
        let is_told = told.iter().any(|event| {
            matches!(event, Event::Delivery { op: of, status: DeliveryStatus::Failed(FailureReason::Replaced), .. } if *of == op)
        });
        assert_eq!((to_heir, is_told), (written == 0, written > 0), "{told:?} {:?}", story.talks);
    }
}

#[test]
fn messages_for_legacy_peer_never_go_to_key() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.ends(5001, &SendResult::HandedOver);
    for n in 2..=4 {
        story.writes(5001, n);
    }
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]), "one at a time: {:?}", story.dials(5001));
    story.ends(5001, &SendResult::HandedOver);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]));
    // Its program was replaced by one of ours.
    story.promises(BOBS);
    assert_eq!(story.under_way, [], "what is left does not go out in plain");
    story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    // The message for the old program is not for the key: the user is asked.
    assert_eq!(story.talks, []);
    let waits = |status: &&DeliveryStatus| **status == DeliveryStatus::Queued(PendingReason::AnotherPeer);
    assert_eq!(story.outcomes().iter().filter(waits).count(), 2);
}

#[test]
fn leaving_sends_all_unencrypted_messages_before_goodbye() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.ends(5001, &SendResult::HandedOver);
    story.writes(5001, 2);
    story.writes(5001, 3);
    let leave = story.does(Command::Leave);
    let says = story.dials(5001);
    assert!(
        matches!(says[..], [Outgoing::Text(_), Outgoing::Text(_), Outgoing::Text(_), Outgoing::Exit]),
        "{says:?}"
    );
    story.ends(5001, &SendResult::HandedOver);
    assert!(story.told().contains(&Event::Settled(leave)));
}

#[test]
fn peer_that_dials_back_is_announced_once() {
    let mut story = Story::new().with_static(&[5001]);
    story.promises(BOBS);
    // Bob's unencrypted answer arrives, and then his session; our own session takes long.
    story.gets(5001, Body::ConnectAck);
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.later(Duration::from_secs(1));
    while !story.talks.is_empty() {
        story.talked(Some(met(BOBS, 5001)), RequestEnd::Answered);
    }
    let came = story.told().into_iter().filter(|event| matches!(event, Event::Came(_))).count();
    assert_eq!(came, 1);
}
