//! Keys that the user decides about: key changes, blocked and forgotten keys, policies.

use super::keys::{BOBS, EVES, Met, alice, key, message, met, moment, report};
use super::*;
use crate::model::session::{ByeReason, Request, RequestEnd};
use crate::model::stored::{RowId, Stored};

#[test]
fn stored_message_is_shown_without_its_row() {
    for (command, is_shown) in
        [(Command::Forget(Recipient::key(key(BOBS))), true), (Command::Block(key(BOBS).into()), false)]
    {
        let mut story = Story::new();
        story.knows_bob(5001);
        let (staged, actions) = story.state.messages_received(key(BOBS), vec![message(1)], story.now);
        story.perform(actions);
        story.does(command);
        story.told();
        let rows = Ok(vec![Stored::New(RowId(1))]);
        let messages = staged.expect("they are welcome").messages;
        let (receipts, actions) = story.state.messages_stored(key(BOBS), messages, rows, story.now);
        story.perform(actions);
        let told = story.told();
        assert_eq!(receipts, [message(1).id]);
        assert_eq!(told.iter().any(|event| matches!(event, Event::Message { .. })), is_shown, "{told:?}");
    }
}

#[test]
fn rename_after_forget_pins_no_key() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Forget(key(BOBS).into()));
    story.told();
    // It was on its way in the session that `/forget` closes.
    let (key, source) = (key(BOBS), Source::from(HERE));
    let renamed = PeerName::new("Zoe");
    story.feeds(|state, now| state.peer_renamed(key, renamed, at(5001), source, moment(), now));
    assert!(story.state.trusted().pin_of(key.into()).is_none());
    assert_eq!((story.told(), story.state.rows(story.now).len()), (vec![], 0));
}

#[test]
fn key_change_waits_for_user_and_moves_messages() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.writes(5001, 1);
    story.request_ends(None, RequestEnd::WrongKey(key(EVES)));
    story.told();
    assert_eq!(story.dials_in(EVES, "Bob", 5001), Err(ByeReason::NotDecided));
    let told = story.told();
    let request = told
        .iter()
        .find_map(|event| if let Event::PeerRequest(request) = event { Some(request) } else { None });
    let request = request.unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!((request.met.id, request.against[0].key), (PeerId::Key(key(EVES)), key(BOBS)));
    assert_eq!(story.dials_in(EVES, "Bob", 5001), Err(ByeReason::NotDecided));
    assert_eq!(story.verification(5001), Some(Verification::Encrypted), "Bob's row is still Bob's");
    // The user takes it for Bob's new key: what waits goes to it.
    story.does(Command::Trust(key(EVES), As::NewKeyOf(key(BOBS))));
    let told = story.told();
    assert!(told.iter().any(|event| matches!(event, Event::Decided(Decision::Trusted(..)))), "{told:?}");
    let turn = story
        .session_requests
        .iter()
        .find(|request| matches!(request.say, Request::Messages(_)))
        .expect("a turn")
        .clone();
    assert_eq!((turn.expect, turn.say), (Some(key(EVES)), Request::Messages(vec![message(1)])));
    assert!(story.under_way.is_empty());
}

#[test]
fn connect_under_a_blocked_name_learns_of_sessions() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Block(key(BOBS).into()));
    story.told();
    // Another peer has the name.
    assert_eq!(story.gets(5002, Body::Connect), PlainAnswer::Capable);
    assert_eq!(story.gets(5002, text("am I Bob?")), PlainAnswer::Nothing);
    assert_eq!(story.gets(5001, Body::Connect), PlainAnswer::Nothing, "the blocked one");
    assert_eq!((story.told(), story.state(5002), story.dials(5002)), (vec![], None, vec![]));
}

#[test]
fn unencrypted_message_in_pinned_name_is_unproven() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.gets(5001, Body::Exit);
    assert_ne!(story.state(5001), Some(PresenceStatus::Offline));
    assert_eq!(story.told(), []);
    // From elsewhere, in his name.
    story.gets_from(LAN, Claimed { ip: LAN, port: 9 }, Form::STANDARD, text("pay Eve"));
    let told = story.told();
    let [Event::Unproven { from, source, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (&from.verification, *source),
        (&Verification::Claims(PeerName::new("Bob")), Source::from(LAN))
    );
    assert_eq!(story.state.rows(story.now).len(), 1, "nobody is listed because of it");
    story.gets_from(LAN, Claimed { ip: LAN, port: 9 }, Form::STANDARD, Body::Connect);
    assert_eq!((story.under_way.len(), story.session_requests.len()), (0, 0));
}

#[test]
fn required_encryption_sends_and_accepts_nothing_unencrypted() {
    let mut story = Story::with(CoreConfig { require_encryption: true, ..alice() });
    story.writes(5001, 1);
    assert_eq!(story.under_way, []);
    assert_eq!((story.session_requests.len(), story.session_requests[0].expect), (1, None));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(story.outcomes(), [DeliveryStatus::Delivered]);
    assert_eq!(story.gets(5002, text("hi")), PlainAnswer::Nothing);
    assert!(matches!(story.told()[..], [Event::PlainRefused(_, 1)]));
    assert_eq!(
        story.gets(5002, Body::Connect),
        PlainAnswer::Capable,
        "who asks learns that there is another way"
    );
    assert_eq!(story.told(), []);
    story.does(Command::Connect(these(5003)));
    story.request_ends(None, RequestEnd::NoSession);
    assert_eq!(story.under_way, [], "not even `connect`");
    assert_eq!(story.state.rows(story.now).len(), 1);
}

#[test]
fn message_request_holds_one_short_message_until_accepted() {
    let mut story = Story::with(CoreConfig { policy: Policy::Ask, ..alice() });
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Err(ByeReason::NotDecided));
    story.told();
    let too_long = Message { body: "x".repeat(1_025).into(), ..message(1) };
    for messages in [vec![too_long], vec![message(2), message(3)], vec![message(4)]] {
        let (staged, actions) = story.state.messages_received(key(BOBS), messages, story.now);
        assert!(staged.is_none() && actions.is_empty(), "no receipt, and nothing is shown");
    }
    let held: Vec<_> =
        story.state.trusted().requests().0.iter().map(|request| request.held.clone()).collect();
    assert_eq!(held, [Some(HeldMessage::Encrypted(message(2)))]);
    // A decision that fails loses nothing.
    story.does(Command::Trust(key(BOBS), As::NewKeyOf(key(EVES))));
    assert!(matches!(&story.told()[..], [Event::Undecided(_), Event::Settled(_)]));
    story.does(Command::Trust(key(BOBS), As::Another));
    let shown = |event: &Event| matches!(event, Event::Message { row: Some(_), .. });
    assert_eq!(story.told().iter().filter(|event| shown(event)).count(), 1);
    // Its sender sends it again, and gets the receipt then.
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    let again = Message { again: true, ..message(2) };
    let (staged, _) = story.state.messages_received(key(BOBS), vec![again], story.now);
    let staged = staged.expect("welcome");
    assert_eq!((staged.receipts, staged.messages), (vec![message(2).id], Vec::new()));
}

#[test]
fn key_change_holds_no_message() {
    let mut story = Story::new();
    story.knows_bob(5001);
    assert_eq!(story.dials_in(EVES, "Bob", 5002), Err(ByeReason::NotDecided));
    story.state.messages_received(key(EVES), vec![message(2)], story.now);
    assert!(story.state.trusted().requests().0.iter().all(|request| request.held.is_none()));
}

#[test]
fn forgotten_verified_peer_is_a_stranger() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Verify { key: key(BOBS), date: 3_000 });
    assert_eq!(story.verification(5001), Some(Verification::Verified));
    story.does(Command::Forget(Recipient::key(key(BOBS))));
    assert_eq!(story.verification(5001), None);
    story.writes(5001, 1);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
}

#[test]
fn forgotten_peer_that_returns_gets_one_line() {
    for end in [RequestEnd::Answered, RequestEnd::Bye(ByeReason::Leaves)] {
        let mut story = Story::new();
        story.knows_bob(5001);
        story.does(Command::Connect(Target::All));
        story.does(Command::Forget(Recipient::key(key(BOBS))));
        story.told();
        // His session was open, so there is no hello.
        story.request_ends(Some(Met { key: key(BOBS), hello: None }), end);
        story.dials_in(BOBS, "Bob", 5001).expect("welcome");
        story.later(seconds(5));
        let mut told = story.told();
        told.retain(|event| matches!(event, Event::Pinned { .. } | Event::Online(_)));
        let [Event::Pinned { is_online: true, who, .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!(who.name, Some(PeerName::new("Bob")));
    }
}

#[test]
fn message_for_a_forgotten_key_has_a_status() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let bob = Recipient::key(key(BOBS));
    story.does(Command::Forget(bob));
    story.told();
    let name = Some(PeerName::new("Bob"));
    for command in [
        Command::Send { to: Target::These(vec![bob]), message: message(1) },
        Command::SendAgain { to: bob, message: message(2), name: name.clone() },
    ] {
        story.does(command);
        let told = story.told();
        let rejected = DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::Forgotten));
        let is_told = |event: &Event| matches!(event, Event::Delivery { who, status, is_first: true, .. } if who.id == bob && *status == rejected);
        assert!(told.iter().any(is_told), "{told:?}");
        assert!(matches!(told.last(), Some(Event::Settled(_))), "{told:?}");
        assert_eq!(story.state.queued(bob), 0);
    }
    assert_eq!(story.dials(5001), []);
    assert!(story.session_requests.is_empty(), "nothing is dialed");
    // It is a stranger when it comes again.
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.told();
    story.does(Command::Send { to: Target::These(vec![bob]), message: message(3) });
    assert_eq!(story.state.queued(bob), 1);
}

#[test]
fn message_under_way_to_a_forgotten_key_fails() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let op = story.writes(5001, 1);
    story.told();
    story.does(Command::Forget(Recipient::key(key(BOBS))));
    story.told();
    story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
    let told = story.told();
    let forgotten = DeliveryStatus::Failed(FailureReason::Forgotten);
    let is_told = |event: &Event| matches!(event, Event::Delivery { op: of, status, .. } if *of == op && *status == forgotten);
    assert!(told.iter().any(is_told), "{told:?}");
    assert!(told.contains(&Event::Settled(op)), "{told:?}");
}

/// The events that a filter takes.
fn count(told: &[Event], is_it: impl Fn(&Event) -> bool) -> usize {
    told.iter().filter(|event| is_it(event)).count()
}

#[test]
fn refusing_peer_is_not_counted_until_it_accepts() {
    let mut story = Story::new();
    story.knows_bob(5001);
    assert_eq!(story.state.online_count(), 1);
    story.writes(5001, 1);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Bye(ByeReason::NotAccepted));
    let told = story.told();
    let refused = DeliveryStatus::Failed(FailureReason::NotAccepted);
    let is_failure = |event: &Event| matches!(event, Event::Delivery { status, .. } if *status == refused);
    assert_eq!(count(&told, is_failure), 1, "{told:?}");
    assert_eq!(count(&told, |event| matches!(event, Event::TurnedAway(..))), 0, "said once: {told:?}");
    assert_eq!(story.state.online_count(), 0);
    story.does(Command::Send { to: Target::All, message: message(2) });
    let told = story.told();
    assert_eq!(count(&told, |event| matches!(event, Event::Nobody(CommandKind::Send))), 1, "{told:?}");
    // Bob dials Alice, who asks him at once whether he accepts her again.
    story.dials_in(BOBS, "Bob", 5001).expect("welcome");
    let asked =
        story.session_requests.iter().position(|request| request.say == Request::Ping).expect("asked");
    let asked = story.session_requests.remove(asked);
    let end = |end| report(at(5001), Some(met(BOBS, 5001)), end);
    story.ends_as(asked.job, end(RequestEnd::Bye(ByeReason::NotAccepted)));
    assert_eq!((story.state.online_count(), story.told()), (0, Vec::new()), "nothing is new");
    story.dials_in(BOBS, "Bob", 5001).expect("welcome");
    let asked = story.session_requests.pop().expect("asked");
    story.ends_as(asked.job, end(RequestEnd::Answered));
    let told = story.told();
    assert_eq!(count(&told, |event| matches!(event, Event::AcceptsAgain(_))), 1, "{told:?}");
    assert_eq!(count(&told, |event| matches!(event, Event::Online(_))), 0, "{told:?}");
    assert_eq!(story.state.online_count(), 1);
}

#[test]
fn undecided_peer_is_not_counted_until_it_accepts() {
    let mut story = Story::new();
    story.does(Command::Connect(these(5001)));
    story.promises(BOBS);
    let proven = Met { key: key(BOBS), hello: None };
    story.request_ends(Some(proven), RequestEnd::Bye(ByeReason::NotDecided));
    assert_eq!((story.state(5001), story.state.online_count()), (Some(PresenceStatus::Connected), 0));
    story.dials_in(BOBS, "Bob", 5001).expect("welcome");
    while !story.session_requests.is_empty() {
        story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    }
    assert_eq!(story.state.online_count(), 1);
}

/// Bob refuses the oldest request under way before he says hello.
fn bob_refuses(story: &mut Story) {
    let proven = Met { key: key(BOBS), hello: None };
    story.request_ends(Some(proven), RequestEnd::Bye(ByeReason::NotAccepted));
}

#[test]
fn refusal_after_a_goodbye_is_listed() {
    // The message is on its way when Bob blocks Alice: his program ends the session, and refuses
    // the next one.
    let mut story = Story::new();
    story.knows_bob(5001);
    story.writes(5001, 1);
    story.bob_leaves();
    story.told();
    bob_refuses(&mut story);
    assert_eq!((story.state(5001), story.state.online_count()), (Some(PresenceStatus::Connected), 0));
    let told = story.told();
    assert_eq!(count(&told, |event| matches!(event, Event::Online(_))), 0, "{told:?}");
}

#[test]
fn refusal_keeps_a_disconnected_peer_offline() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.writes(5001, 1);
    story.does(Command::Disconnect(these(5001)));
    bob_refuses(&mut story);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
}

#[test]
fn contact_at_the_address_of_another_is_named() {
    for is_contact in [false, true] {
        let mut story = Story::new();
        story.knows_bob(5001);
        story.dials_in(EVES, "Eve", 5002).expect("welcome");
        if is_contact {
            story.does(Command::Send { to: Target::These(vec![key(EVES).into()]), message: message(7) });
        }
        story.told();
        story.session_requests.clear();
        story.writes(5001, 1);
        story.request_ends(None, RequestEnd::WrongKey(key(EVES)));
        let told = story.told();
        let by = told.iter().find_map(|event| match event {
            Event::Misled { by, .. } => Some(by.as_ref().map(|who| who.id)),
            _ => None,
        });
        assert_eq!(by, Some(is_contact.then_some(key(EVES).into())), "{told:?}");
    }
}

#[test]
fn stranger_gone_from_its_address_is_not_told() {
    let mut story = Story::new();
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    while !story.session_requests.is_empty() {
        story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    }
    story.session_breaks(BOBS);
    story.told();
    story.later(seconds(12));
    assert_ne!(story.session_requests.len(), 0, "it is probed");
    while !story.session_requests.is_empty() {
        story.request_ends(None, RequestEnd::WrongKey(key(EVES)));
    }
    assert!(!story.told().iter().any(|event| matches!(event, Event::Misled { .. })));
    // The user wants something of it.
    story.says(Target::These(vec![key(BOBS).into()]), "hi");
    story.request_ends(None, RequestEnd::WrongKey(key(EVES)));
    assert!(story.told().iter().any(|event| matches!(event, Event::Misled { .. })));
}

#[test]
fn refused_key_is_told_once_until_added() {
    let mut story = Story::with(CoreConfig { policy: Policy::Strict, ..alice() });
    let refused = |told: &[Event]| count(told, |event| matches!(event, Event::RefusedStranger(_)));
    for told in [1, 0] {
        assert_eq!(story.dials_in(EVES, "Eve", 5002), Err(ByeReason::NotAccepted));
        assert_eq!(refused(&story.told()), told);
    }
    assert_eq!(story.state.trusted().refused_for("eve").len(), 1);
    let contact = record(PeerId::Key(key(EVES)), None);
    story.does(Command::SetContact { contact, date: 1_000 });
    assert!(story.state.trusted().refused_for("eve").is_empty());
    // It is dialed where it was met, because it does not dial us again by itself.
    story.later(seconds(1));
    let dials: Vec<_> =
        story.session_requests.iter().map(|request| (request.expect, &*request.addrs)).collect();
    assert_eq!(dials, [(Some(key(EVES)), &[at(5002)][..])]);
    assert_eq!(story.dials_in(EVES, "Eve", 5002), Ok(()));
    // A block covers the name, also of another key.
    story.does(Command::Block(key(EVES).into()));
    story.told();
    assert_eq!(story.dials_in(BOBS, "Eve", 5003), Err(ByeReason::NotAccepted));
    assert_eq!(refused(&story.told()), 0);
}
