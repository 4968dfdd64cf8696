//! Which peer gets a message for an address.

use super::keys::{BOBS, EVES, Met, key, message, met};
use super::*;
use crate::model::session::RequestEnd;

#[test]
fn known_key_binds_address_without_hello() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.promises(BOBS);
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.request_ends(Some(Met { key: key(BOBS), hello: None }), RequestEnd::Broken);
    let ids: Vec<Recipient> = story.state.rows(story.now).iter().map(|row| row.id).collect();
    assert_eq!(ids, [Recipient::key(key(BOBS))], "the address has no row of its own");
    assert_eq!(story.state.waiting(story.now).first().map(|text| text.to), Some(ids[0]));
    assert!(story.session_requests.iter().all(|request| request.expect == Some(key(BOBS))));
}

#[test]
fn session_met_at_an_address_takes_it_over() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.does(Command::SetMuted(at(5001).into(), true));
    story.promises(BOBS);
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    // Bob was met there a moment ago, so no other session is opened.
    story.request_ends(None, RequestEnd::Answered);
    let bob = Recipient::key(key(BOBS));
    assert_eq!(story.state.waiting(story.now).first().map(|text| text.to), Some(bob));
    assert_eq!(story.state.conversations().muted(), &[bob].into());
}

#[test]
fn peer_dialing_in_during_probe_is_probed_later() {
    let mut story = Story::new();
    story.gets(5001, Body::Connect);
    story.later(seconds(1));
    assert!(!story.dials(5001).is_empty(), "nothing is on its way to the address");
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.ends(5001, &SendResult::Failed(SendError::NoRoute));
    story.session_requests.clear();
    story.session_breaks(BOBS);
    story.later(PROBE_INTERVAL * 2);
    assert!(story.session_requests.iter().any(|request| request.expect == Some(key(BOBS))));
}

#[test]
fn key_at_legacy_address_leaves_legacy_peer_alone() {
    let mut story = Story::new().with_static(&[5001]);
    story.ends(5001, &SendResult::HandedOver);
    let legacy = legacy(at(5001));
    assert!(story.state.book().knows(legacy));
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.told();
    let of_legacy = |story: &Story| {
        let rows = story.state.rows(story.now);
        rows.into_iter().find(|row| row.id == legacy).map(|row| (row.state, row.why, row.origin))
    };
    let replaced = Some((PresenceStatus::Offline, Some(OfflineReason::Replaced), PeerOrigin::SentTo));
    assert_eq!(of_legacy(&story), replaced);
    story.later(LONGEST_BACKOFF * 2);
    assert_eq!(story.dials(5001), [], "it is looked for");
    // An empty connection shows only that a program serves the address.
    story.does(Command::List);
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(of_legacy(&story), replaced);
}

#[test]
fn acknowledgements_are_spaced_whichever_peer_proves_a_key() {
    fn connects(story: &mut Story) {
        let claimed = Claimed { ip: HERE, port: 5001 };
        let nameless = Plain { claimed, form: Form::STANDARD, name: None, body: Body::Connect };
        story.gets_plain(HERE, nameless);
    }
    let mut story = Story::new();
    connects(&mut story);
    story.promises(BOBS);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert!(!story.state.book().knows(at(5001).into()));
    connects(&mut story);
    assert!(story.state.book().knows(at(5001).into()));
    assert!(!story.dials(5001).contains(&Outgoing::ConnectAck));
    story.later(seconds(3));
    assert!(story.dials(5001).contains(&Outgoing::ConnectAck));
}

#[test]
fn replaced_legacy_peer_loses_its_form() {
    let mut story = Story::new();
    story.gets_from(HERE, Claimed { ip: HERE, port: 5001 }, Form::new("r3"), text("hello"));
    story.ends(5001, &SendResult::HandedOver);
    story.told();
    story.dials_in(EVES, "Eve", 5001).expect("welcome");
    story.request_ends(Some(Met { key: key(EVES), hello: None }), RequestEnd::Answered);
    let to = Target::These(vec![legacy(at(5001))]);
    story.does(Command::Send { to, message: message(1) });
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
    assert_eq!(story.under_way.last().map(|transmit| transmit.form), Some(Form::STANDARD));
}

#[test]
fn legacy_peer_that_is_back_loses_the_promise() {
    let mut story = Story::new().with_static(&[5001]);
    story.ends(5001, &SendResult::HandedOver);
    let to = Target::These(vec![legacy(at(5001))]);
    story.does(Command::Connect(to.clone()));
    story.promises(EVES);
    story.request_ends(None, RequestEnd::NoSession);
    story.told();
    story.does(Command::Send { to, message: message(1) });
    assert_eq!(story.dials(5001), [Outgoing::Text(["text 1".to_owned()].into())]);
}

#[test]
fn restored_messages_for_legacy_peer_ask_once() {
    let mut story = Story::new();
    let restored = |n: u8| Restored {
        to: legacy(at(5001)),
        message: message(n),
        cut_off: false,
        left: seconds(600),
        name: None,
    };
    story.feeds(|state, now| state.restore(vec![restored(1), restored(2)], now).1);
    story.gets(5001, Body::Connect);
    story.ends(5001, &SendResult::HandedOver);
    for n in 1..=2 {
        assert_eq!(story.dials(5001), [Outgoing::Text([format!("text {n}")].into())]);
        story.ends(5001, &SendResult::HandedOver);
    }
    let ids: Vec<Recipient> = story.state.rows(story.now).iter().map(|row| row.id).collect();
    assert_eq!(ids, [legacy(at(5001))]);
}
