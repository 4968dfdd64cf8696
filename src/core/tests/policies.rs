//! Legacy strangers under each policy: which are heard, which wait, and which are refused.

use super::keys::{BOBS, alice, key};
use super::*;
use crate::model::session::MAX_REQUEST_BYTES;

const EVES: u16 = 5_009;

/// Our own port.
const OWN_PORT: u16 = 5_000;

fn with_policy(policy: Policy) -> Story {
    Story { holds_writes: true, ..Story::with(CoreConfig { policy, ..alice() }) }
}

impl Story {
    /// Eve, a legacy peer at port 5009, sends this.
    fn hears_eve(&mut self, body: Body) -> PlainAnswer {
        let claimed = Claimed { ip: HERE, port: EVES };
        let name = (body != Body::ConnectRequest).then(|| PeerName::new("Eve"));
        self.gets_plain(HERE, Plain { claimed, form: Form::STANDARD, name, body })
    }

    /// Makes Eve a contact, as `/add` and `/accept` do.
    fn adds_eve(&mut self) -> Vec<Event> {
        self.does(Command::SetContact { contact: record(eve(), Some("Eve")), date: 1_000 });
        self.told()
    }

    /// Asserts that nothing of Eve had an effect: no row, nothing stored, nothing on its way.
    fn knows_no_eve(&self) {
        assert_eq!((self.state.rows(self.now), &self.writes), (Vec::new(), &Vec::new()));
        assert_eq!((&self.under_way, &self.session_requests), (&Vec::new(), &Vec::new()));
    }
}

fn eve() -> PeerId {
    crate::protocol::plain::peer_at(at(EVES).plain().unwrap())
}

fn texts(told: &[Event]) -> Vec<&str> {
    told.iter()
        .filter_map(|event| if let Event::Message { text, .. } = event { Some(text.raw()) } else { None })
        .collect()
}

#[test]
fn strict_refuses_a_legacy_stranger_and_tells_once() {
    let mut story = with_policy(Policy::Strict);
    for body in [text("hi"), text("hello?"), Body::ConnectRequest] {
        assert_eq!(story.hears_eve(body), PlainAnswer::Nothing);
    }
    let told = story.told();
    let [Event::RefusedStranger(met)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((met.id, met.addr, &met.name), (eve(), at(EVES), &Some(PeerName::new("Eve"))));
    story.knows_no_eve();
    for word in ["eve", "127.0.0.1:5009"] {
        assert_eq!(story.state.trusted().refused_for(word).len(), 1, "{word}");
    }
    // Once added, Eve is heard.
    assert!(matches!(&story.adds_eve()[..], [Event::Decided(Decision::Added(_, true)), Event::Settled(_)]));
    assert_eq!(story.hears_eve(text("now?")), PlainAnswer::Capable);
    assert_eq!(texts(&story.told()), ["now?"]);
    assert!(story.state.trusted().refused_for("eve").is_empty());
}

#[test]
fn connect_of_a_stranger_learns_of_sessions_only() {
    for policy in [Policy::Ask, Policy::Strict] {
        let mut story = with_policy(policy);
        for body in [Body::Connect, Body::ConnectAck, Body::Exit] {
            assert_eq!(story.hears_eve(body), PlainAnswer::Capable);
        }
        assert_eq!(story.told(), []);
        story.knows_no_eve();
    }
}

#[test]
fn other_messages_of_a_stranger_stay_hidden() {
    let mut story = Story::new();
    story.knows_bob(5_001);
    story.does(Command::SetPolicy(Policy::Strict));
    story.told();
    // A message in the name of a contact with a key would be shown as unproven.
    assert_eq!(story.gets(EVES, text("pay Eve")), PlainAnswer::Nothing);
    assert!(matches!(&story.told()[..], [Event::RefusedStranger(met)] if met.id == eve()));
    let what = Unreadable { fault: Fault::NoAddress, text: Text::new("read me") };
    for (source, is_told) in [(LAN, false), (HERE, true)] {
        let decoded = vec![Decoded::Unreadable(what.clone())];
        let received = PlainReceived { source: Source::from(source), decoded, cut: false };
        story.feeds(|state, now| state.plain_received(received, now).1);
        assert_eq!(!story.told().is_empty(), is_told, "a contact is at {HERE}");
    }
}

#[test]
fn ask_holds_one_short_legacy_message() {
    let mut story = with_policy(Policy::Ask);
    let too_long = "x".repeat(MAX_REQUEST_BYTES + 1);
    for body in [text(&too_long), text("may I come in?"), text("hello?")] {
        assert_eq!(story.hears_eve(body), PlainAnswer::Nothing);
    }
    let told = story.told();
    let [Event::PeerRequest(request)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((request.met.id, request.against.len()), (eve(), 0));
    story.knows_no_eve();
    for word in ["eve", "127.0.0.1:5009"] {
        assert_eq!(story.state.trusted().requests_for(word).len(), 1, "{word}");
    }
    let told = story.adds_eve();
    assert!(matches!(told[0], Event::Decided(Decision::Added(_, true))), "{told:?}");
    assert_eq!(texts(&told), ["may I come in?"]);
    let stored = |(_, op): &(_, StoreOp)| matches!(op, StoreOp::IncomingPlain { stranger: None, .. });
    assert_eq!(story.writes.iter().filter(|write| stored(write)).count(), 1, "{:?}", story.writes);
    assert!(story.state.book().is_contact(eve().into()) && story.state(EVES).is_some());
    assert_eq!(story.state.trusted().requests(), (&[][..], 0));
    assert_eq!(story.hears_eve(text("thanks")), PlainAnswer::Capable);
    assert_eq!(texts(&story.told()), ["thanks"]);
}

#[test]
fn connect_request_is_an_empty_message_request() {
    let mut story = with_policy(Policy::Ask);
    assert_eq!(story.hears_eve(Body::ConnectRequest), PlainAnswer::Nothing);
    assert!(matches!(&story.told()[..], [Event::PeerRequest(request)] if request.met.name.is_none()));
    assert_eq!(texts(&story.adds_eve()), Vec::<&str>::new());
    assert_eq!(story.hears_eve(Body::ConnectRequest), PlainAnswer::Connected);
}

#[test]
fn blocked_message_request_is_dropped_with_its_name() {
    let mut story = with_policy(Policy::Ask);
    story.hears_eve(text("may I come in?"));
    story.told();
    story.does(Command::Block(Recipient::from(eve()).into()));
    let told = story.told();
    let named = Some(PeerName::new("Eve"));
    assert!(
        matches!(&told[..], [Event::Decided(Decision::BlockedLegacy(who)), _] if who.name == named),
        "{told:?}"
    );
    assert_eq!(story.state.trusted().requests().0, []);
    assert_eq!(story.hears_eve(text("hello?")), PlainAnswer::Nothing);
    assert_eq!(story.told(), []);
}

#[test]
fn writing_to_a_waiting_legacy_peer_accepts_it() {
    let mut story = Story::with(CoreConfig { policy: Policy::Ask, ..alice() });
    story.hears_eve(text("may I come in?"));
    story.says(these(EVES), "come in");
    // While the answer waits, the peer is heard.
    assert_eq!(texts(&story.told()), Vec::<&str>::new());
    story.ends(EVES, &SendResult::HandedOver);
    story.ends(EVES, &SendResult::HandedOver);
    assert_eq!(texts(&story.told()), ["may I come in?"]);
    assert!(story.state.book().is_contact(eve().into()));
    assert_eq!(story.state.trusted().requests().0, []);
}

#[test]
fn legacy_peer_that_the_user_dials_is_heard() {
    for policy in [Policy::Ask, Policy::Strict] {
        let mut story = Story::with(CoreConfig { policy, ..alice() });
        story.does(Command::Connect(these(EVES)));
        // Its answer comes before the result of the `connect`.
        story.hears_eve(Body::ConnectAck);
        story.ends(EVES, &SendResult::HandedOver);
        story.hears_eve(text("you called?"));
        assert_eq!(texts(&story.told()), ["you called?"]);
    }
}

#[test]
fn change_of_policy_keeps_listed_and_waiting_peers() {
    let mut story = Story::new();
    story.hears_eve(text("one"));
    story.does(Command::SetPolicy(Policy::Strict));
    assert_eq!(story.hears_eve(text("two")), PlainAnswer::Capable);
    assert_eq!(texts(&story.told()), ["one", "two"]);

    let mut story = Story::with(CoreConfig { policy: Policy::Ask, ..alice() });
    story.hears_eve(text("one"));
    story.does(Command::SetPolicy(Policy::AcceptNew));
    assert_eq!(story.hears_eve(text("two")), PlainAnswer::Nothing, "only the user ends its wait");
    assert_eq!(texts(&story.told()), Vec::<&str>::new());
}

#[test]
fn legacy_and_key_requests_share_their_room() {
    let mut story = Story::with(CoreConfig { policy: Policy::Ask, ..alice() });
    for port in 1..=2 * MAX_MESSAGE_REQUESTS_OF_ONE as u16 {
        let claimed = Claimed { ip: LAN, port };
        let name = Some(PeerName::new(&format!("peer-{port}")));
        story.gets_plain(LAN, Plain { claimed, form: Form::STANDARD, name, body: text("hi") });
    }
    let waiting = story.state.trusted().requests();
    assert_eq!(waiting.0.len(), MAX_MESSAGE_REQUESTS_OF_ONE);
    assert_eq!(waiting.1, MAX_MESSAGE_REQUESTS_OF_ONE);
    let is_more = |event: &Event| matches!(event, Event::MoreRequests(1));
    assert_eq!(story.told().into_iter().filter(is_more).count(), 1);
    assert!(story.dials_in(7, "Zoe", EVES).is_err());
    assert!(story.state.trusted().is_requested(PeerId::Key(key(7))), "of another source");
}

#[test]
fn impostor_message_is_shown_under_accept_new_only() {
    for policy in [Policy::AcceptNew, Policy::Ask, Policy::Strict] {
        let mut story = with_policy(policy);
        assert_eq!(story.gets(OWN_PORT, text("I am you")), PlainAnswer::Nothing);
        let told = story.told();
        let [Event::Impostor { text, .. }] = &told[..] else { panic!("{policy:?}: {told:?}") };
        assert_eq!(text.is_some(), policy == Policy::AcceptNew, "{policy:?}");
    }
}

#[test]
fn impostor_under_a_blocked_name_is_not_told() {
    for policy in [Policy::AcceptNew, Policy::Ask, Policy::Strict] {
        let mut story = Story::new();
        story.knows_bob(5_001);
        story.does(Command::Block(key(BOBS).into()));
        story.does(Command::SetPolicy(policy));
        story.told();
        assert_eq!(story.gets(OWN_PORT, text("I am you")), PlainAnswer::Nothing);
        assert_eq!(story.told(), [], "{policy:?}");
    }
}

#[test]
fn message_under_a_blocked_name_is_not_told() {
    for policy in [Policy::Ask, Policy::Strict] {
        let mut story = Story::new();
        story.knows_bob(5_001);
        story.does(Command::Block(key(BOBS).into()));
        story.does(Command::SetPolicy(policy));
        story.told();
        for port in [5_001, 5_002] {
            assert_eq!(story.gets(port, text("it is me, Bob")), PlainAnswer::Nothing);
        }
        assert_eq!(story.told(), [], "{policy:?}");
        assert_eq!(story.state.trusted().requests(), (&[][..], 0), "{policy:?}");
    }
}
