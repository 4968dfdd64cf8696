//! Which peers are online, what the user is told of that, and how many peers are probed.

use super::keys::{BOBS, key, message};
use super::*;
use crate::core::peers::OFFLINE_TOLD_AFTER;
use crate::model::session::{ByeReason, Request, RequestEnd};

#[test]
fn repeated_connects_are_acknowledged_every_two_seconds() {
    let mut story = Story::new();
    for _ in 0..100 {
        story.gets(5001, Body::Connect);
    }
    let acks = |story: &Story| story.dials(5001).iter().filter(|m| **m == Outgoing::ConnectAck).count();
    assert_eq!(acks(&story), 1);
    story.ends(5001, &SendResult::Delivered);
    story.later(seconds(2));
    assert_eq!(acks(&story), 1);
    story.ends(5001, &SendResult::Delivered);
    story.later(seconds(10));
    assert_eq!(acks(&story), 0);
}

#[test]
fn peer_greeting_like_hashpa_is_probed_with_ping() {
    let mut story = Story::new();
    story.gets(5001, Body::Greeting(Text::new("Hello, I am connecting!")));
    story.later(seconds(0));
    assert_eq!(story.dials(5001), [Outgoing::Ping]);
}

#[test]
fn coming_and_going_are_told_once_each() {
    let mut story = Story::new().with_static(&[5001]);
    story.ends(5001, &SendResult::Delivered);
    // Its name is on its way.
    assert!(!story.told().iter().any(|event| matches!(event, Event::Online(_))));
    story.gets(5001, Body::ConnectAck);
    story.gets(5001, Body::ConnectAck);
    assert_eq!(story.told(), [Event::Online(bob(5001)), dialed(1, 1), Event::Settled(OpId(1))]);
    for _ in 0..3 {
        story.later(seconds(16));
        story.refused(5001);
        story.later(seconds(1));
        story.refused(5001);
    }
    assert_eq!(story.told(), [Event::Offline(bob(5001), OfflineReason::Refused)]);
    story.gets(5001, text("back"));
    let back = Event::Message {
        from: bob(5001),
        text: Text::new("back"),
        cut: false,
        sent: None,
        again: false,
        to_all: false,
        row: None,
    };
    assert_eq!(story.told(), [Event::Online(bob(5001)), back]);
}

/// Bob's session breaks, and his port refuses two probes.
fn bob_goes_offline(story: &mut Story) {
    story.session_breaks(BOBS);
    assert_eq!(story.state(5001), Some(PresenceStatus::Unreachable), "the list changes at once");
    for _ in 0..2 {
        story.later(REFUSAL_REPEAT);
        story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
    }
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
}

#[test]
fn agreed_session_end_keeps_the_peer_online() {
    let closed = || {
        let mut story = Story::new();
        story.knows_bob(5001);
        story.feeds(|state, now| state.session_down(key(BOBS), Some(ByeReason::Idle), now));
        story
    };
    let mut story = closed();
    story.later(seconds(599));
    assert_eq!(
        (story.state(5001), story.told(), &story.session_requests[..]),
        (Some(PresenceStatus::Connected), Vec::new(), &[][..])
    );
    story.later(seconds(1));
    assert_eq!(
        story.session_requests.iter().map(|request| &request.say).collect::<Vec<_>>(),
        [&Request::Ping],
        "after 10 min"
    );
    // A message does not wait for that.
    let mut story = closed();
    story.does(Command::Send { to: Target::These(vec![key(BOBS).into()]), message: message(1) });
    assert_eq!(story.session_requests.remove(0).say, Request::Messages(vec![message(1)]));
}

#[test]
fn peer_without_room_is_looked_for() {
    for bye in [ByeReason::NoRoom, ByeReason::Replaced] {
        let mut story = Story::new();
        story.knows_bob(5001);
        story.feeds(|state, now| state.session_down(key(BOBS), Some(bye), now));
        // Its program was about to end.
        for _ in 0..20 {
            while !story.session_requests.is_empty() {
                story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
            }
            story.later(seconds(1));
        }
        assert!(matches!(story.told()[..], [Event::Offline(_, OfflineReason::Refused)]));
    }
}

#[test]
fn offline_peer_is_announced_after_three_seconds() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.later(seconds(0));
    let lost = story.now;
    bob_goes_offline(&mut story);
    while story.told.is_empty() {
        assert!(story.now.since(lost) <= seconds(10));
        story.later(Duration::from_millis(100));
    }
    assert!(matches!(story.told()[..], [Event::Offline(_, OfflineReason::Refused)]));
    assert!(story.now.since(lost) >= OFFLINE_TOLD_AFTER);
    story.later(seconds(60));
    assert_eq!(story.told(), []);
}

#[test]
fn peer_back_within_three_seconds_is_not_announced() {
    let mut story = Story::new();
    story.knows_bob(5001);
    for _ in 0..2 {
        bob_goes_offline(&mut story);
        assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
        story.session_requests.clear();
        assert_eq!(story.state(5001), Some(PresenceStatus::Connected));
        story.later(seconds(60));
        assert_eq!(story.told(), []);
    }
}

#[test]
fn goodbye_of_an_unannounced_offline_peer_is_announced() {
    let mut story = Story::new();
    story.knows_bob(5001);
    bob_goes_offline(&mut story);
    story.feeds(|state, now| state.session_down(key(BOBS), Some(ByeReason::Leaves), now));
    assert!(matches!(story.told()[..], [Event::Offline(_, OfflineReason::SaidGoodbye)]));
    story.later(seconds(60));
    assert_eq!(story.told(), []);
}

#[test]
fn nameless_peer_is_announced_without_name() {
    let mut story = Story::new().with_static(&[5001]);
    story.ends(5001, &SendResult::HandedOver);
    story.told();
    story.later(seconds(1));
    let who = PeerInfo { name: None, ..bob(5001) };
    assert_eq!(story.told(), [Event::Online(who), dialed(1, 1), Event::Settled(OpId(1))]);
}

#[test]
fn first_dialing_ends_with_every_peer_decided() {
    let mut story = Story::new().with_static(&[5001, 5002]);
    story.refused(5002);
    story.ends(5001, &SendResult::Delivered);
    assert_eq!(story.told(), []);
    story.gets(5001, Body::ConnectAck);
    assert_eq!(story.told(), [Event::Online(bob(5001)), dialed(2, 1), Event::Settled(OpId(1))]);
}

#[test]
fn peer_that_pings_is_probed_with_ping() {
    let mut story = Story::new();
    story.gets(5001, text("hi"));
    story.ends(5001, &SendResult::HandedOver);
    story.gets(5000, Body::Ping);
    story.later(seconds(0));
    assert_eq!(story.dials(5001), [Outgoing::Ping]);
}
