//! Goodbyes to peers with keys: behind the last messages, and never undone by what was under way.

use super::keys::{BOBS, key, message, met};
use super::*;
use crate::model::session::{ByeReason, Request, RequestEnd};

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
        let opening = story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
        assert_eq!((opening.say, &story.under_way[..]), (Request::Open, &[][..]));
        let says: Vec<&Request> = story.session_requests.iter().map(|request| &request.say).collect();
        assert_eq!(says, [&Request::Messages(vec![message(1)]), &Request::Bye]);
        story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
        assert_eq!(story.outcomes(), [DeliveryStatus::Delivered]);

        let mut story = begin();
        story.ends(5001, &SendResult::HandedOver);
        assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_), Outgoing::Exit]));
        assert!(story.session_requests.is_empty());
    }
}

#[test]
fn peer_dialing_while_we_leave_gets_messages_first() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.does(Command::Leave);
    story.promises(BOBS);
    // Bob has learned our key, too, and his session comes first.
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    let is_open = |request: &SessionRequest| request.say == Request::Open;
    assert!(story.session_requests.iter().all(is_open), "no goodbye yet: {:?}", story.session_requests);
    while story.session_requests.iter().any(is_open) {
        story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    }
    let says: Vec<&Request> = story.session_requests.iter().map(|request| &request.say).collect();
    assert_eq!(says, [&Request::Messages(vec![message(1)]), &Request::Bye]);
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
    assert_eq!(story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Bye);
    story.does(Command::List);
    assert_eq!(story.session_requests, []);
    assert_eq!(story.dials(5001), [Outgoing::Probe]);
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
}

#[test]
fn goodbye_is_repeated_encrypted_after_session_opens() {
    for leaves in [false, true] {
        let mut story = Story::new();
        story.gets(5001, Body::Connect);
        story.under_way.retain(|transmit| transmit.message == Outgoing::ConnectAck);
        story.promises(BOBS);
        // The user leaves before the session is known to be open.
        story.does(if leaves { Command::Leave } else { Command::Disconnect(these(5001)) });
        assert_eq!(story.dials(5001), [Outgoing::Exit]);
        assert_eq!(story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Open);
        story.ends(5001, &SendResult::Delivered);
        assert_eq!(story.session_requests.len(), 1, "leaves: {leaves}");
        assert_eq!(story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Bye);
        if !leaves {
            assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
        }
        assert_eq!((story.state.under_way().jobs, story.session_requests.len()), (0, 0));
    }
}

#[test]
fn disconnect_while_connecting_says_goodbye_once() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Connect(these(5001)));
    // The goodbye is queued behind the request for a session, so it arrives after the hello.
    story.does(Command::Disconnect(these(5001)));
    assert_eq!(story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Open);
    assert_eq!(story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Bye);
    assert_eq!(story.session_requests, []);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
}

#[test]
fn peer_met_while_leaving_gets_encrypted_goodbye() {
    let mut story = Story::new();
    story.gets(5001, text("hello"));
    story.does(Command::Leave);
    assert_eq!(story.dials(5001).last(), Some(&Outgoing::Exit));
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    assert_eq!(story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Bye);
    assert_eq!(story.session_requests, []);
}

#[test]
fn peer_met_before_goodbyes_are_said_gets_one() {
    let mut story = Story::storing();
    story.writes(5002, 1);
    // The goodbyes wait until the message is stored.
    let leave = story.does(Command::Leave);
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    story.stores_all(Ok(()));
    let to_bob = |request: &&SessionRequest| request.expect == Some(key(BOBS));
    assert_eq!(
        story.session_requests.iter().filter(to_bob).map(|request| &request.say).collect::<Vec<_>>(),
        [&Request::Bye]
    );
    story.ends(5002, &SendResult::Failed(SendError::Refused));
    while !story.session_requests.is_empty() {
        story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    }
    story.later(seconds(1));
    assert!(story.told().contains(&Event::Settled(leave)));
}

#[test]
fn late_session_does_not_undo_disconnect() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Disconnect(these(5001)));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    // It was being opened when Bob was told goodbye.
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Err(ByeReason::Leaves));
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    // A message does, and so does a session that can only have been opened afterwards.
    story.later(seconds(3));
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    assert_eq!(story.state(5001), Some(PresenceStatus::Connected));
    story.does(Command::Disconnect(these(5001)));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let taken = story.takes(BOBS, message(1));
    assert_eq!((taken.len(), story.state(5001)), (1, Some(PresenceStatus::Connected)));
}

#[test]
fn peer_reached_while_leaving_gets_messages_before_goodbye() {
    let mut story = Story::storing();
    story.knows_bob(5001);
    story.bob_leaves();
    story.writes(5001, 1);
    story.stores_all(Ok(()));
    for wait in [1_000, 1_500] {
        while !story.session_requests.is_empty() {
            story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
        }
        story.later(Duration::from_millis(wait));
    }
    // The next attempt is not due yet when Bob is reached.
    assert_eq!(story.session_requests, []);
    story.does(Command::Connect(these(5001)));
    story.does(Command::Leave);
    story.stores_all(Ok(()));
    assert_eq!(story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered).say, Request::Open);
    let says: Vec<&Request> = story.session_requests.iter().map(|request| &request.say).collect();
    assert_eq!(says, [&Request::Messages(vec![message(1)]), &Request::Bye]);
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
