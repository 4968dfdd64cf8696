//! Keys that are not accepted: none is online at its address, whichever program answers there.

use super::keys::{BOBS, EVES, Met, alice, key, met};
use super::*;
use crate::model::session::{ByeReason, Introduction, RequestEnd};

/// Alice has a contact named Bob, from whom she has disconnected.
fn bob_is_away() -> Story {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Disconnect(these(5001)));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.told();
    story
}

/// The row of an address.
fn row(story: &Story, port: u16) -> Row {
    let rows = story.state.rows(story.now);
    rows.iter().find(|row| row.id == at(port).into()).cloned().expect("a row of the address")
}

/// Lets the peer with this key answer everything at a port for two minutes. Returns how often it
/// was dialed.
fn answers(story: &mut Story, n: u8, port: u16) -> usize {
    let mut dialed = 0;
    for _ in 0..120 {
        for request in std::mem::take(&mut story.under_way) {
            dialed += 1;
            let has_receipt = request.message != Outgoing::Probe;
            let capability = has_receipt.then(|| Capability::Key(key(n)));
            let result = if has_receipt { SendResult::Delivered } else { SendResult::HandedOver };
            let sent = PlainResult { job: request.job, to: request.to, result, parts: (1, 1), capability };
            story.feeds(|state, now| state.plain_sent(sent, now));
        }
        while !story.session_requests.is_empty() {
            dialed += 1;
            story.request_ends(Some(met(n, port)), RequestEnd::Answered);
        }
        story.later(seconds(1));
    }
    dialed
}

/// Eve's key is at port 5002 and is not accepted, so no peer is reported online there.
fn is_not_online(story: &mut Story, online: usize) {
    let told = story.told();
    let is_there = |who: &PeerInfo| who.addr == Some(at(5002));
    let came = told.iter().any(|event| matches!(event, Event::Online(who) if is_there(who)));
    assert!(!came, "{told:?}");
    assert_eq!(story.state.online_count(), online);
    let row = row(story, 5002);
    assert_eq!((row.state, row.refused_key), (PresenceStatus::Offline, Some(key(EVES))));
}

#[test]
fn pending_key_is_not_online_at_its_address() {
    let mut story = bob_is_away();
    story.does(Command::Connect(these(5002)));
    answers(&mut story, EVES, 5002);
    assert_eq!(story.state.trusted().requests().0.len(), 1);
    is_not_online(&mut story, 0);
    // The row is the key's once the user accepts it.
    let number = row(&story, 5002).number;
    story.does(Command::Trust(key(EVES), As::Another));
    story.later(seconds(1));
    story.request_ends(Some(met(EVES, 5002)), RequestEnd::Answered);
    let rows = story.state.rows(story.now);
    let eve = rows.iter().find(|row| row.id == key(EVES).into()).expect("a row");
    assert_eq!((eve.number, rows.len()), (number, 2));
    assert_ne!(eve.state, PresenceStatus::Offline);
}

#[test]
fn pending_key_at_configured_address_is_dialed_rarely() {
    let mut story = bob_is_away().with_static(&[5002]);
    let dialed = answers(&mut story, EVES, 5002);
    // `connect` and a session for each attempt, after 1, 2, 4, ... seconds.
    assert!((8..=20).contains(&dialed), "{dialed}");
    is_not_online(&mut story, 0);
    story.does(Command::Trust(key(EVES), As::Another));
    story.later(seconds(1));
    story.request_ends(Some(met(EVES, 5002)), RequestEnd::Answered);
    assert_ne!(story.state(5002), Some(PresenceStatus::Offline));
}

#[test]
fn blocked_key_is_not_online_at_its_address() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(EVES, "Bob", 5009), Ok(()));
    story.does(Command::Block(key(EVES).into()));
    story.does(Command::Connect(these(5002)));
    answers(&mut story, EVES, 5002);
    is_not_online(&mut story, 0);
}

#[test]
fn stranger_under_policy_ask_is_not_online() {
    let mut story = Story::with(CoreConfig { policy: Policy::Ask, ..alice() });
    // It introduces itself unencrypted, and then in a session.
    for _ in 0..2 {
        story.gets(5002, Body::Connect);
        assert_eq!(answers(&mut story, EVES, 5002), 0, "it is not dialed");
        assert_eq!(story.dials_in(EVES, "Eve", 5002), Err(ByeReason::NotDecided));
    }
    let told = story.told();
    assert!(matches!(&told[..], [Event::PeerRequest(_)]), "{told:?}");
    assert_eq!((story.state.online_count(), story.state.rows(story.now)), (0, Vec::new()));
}

#[test]
fn legacy_peer_where_a_key_waited_is_online() {
    let mut story = bob_is_away();
    story.does(Command::Connect(these(5002)));
    answers(&mut story, EVES, 5002);
    is_not_online(&mut story, 0);
    story.gets_as("Zoe", 5002, text("hello"));
    assert_ne!(story.state(5002), Some(PresenceStatus::Offline));
}

#[test]
fn claim_of_a_pending_key_hides_no_peer() {
    let mut story = bob_is_away();
    // Eve claims the address from which a peer has just introduced itself.
    story.gets_as("Zoe", 5002, Body::Connect);
    assert_eq!(story.dials_in(EVES, "Bob", 5002), Err(ByeReason::NotDecided));
    assert_eq!(row(&story, 5002).refused_key, Some(key(EVES)));
    // It is acknowledged all the same, and proves another key.
    story.promises(7);
    let hello = Introduction { name: PeerName::new("Zoe"), port: 5002, also: Vec::new() };
    story.request_ends(Some(Met { key: key(7), hello: Some(hello) }), RequestEnd::Answered);
    let rows = story.state.rows(story.now);
    let zoe = rows.iter().find(|row| row.id == key(7).into()).expect("a row");
    assert!(zoe.state != PresenceStatus::Offline && zoe.refused_key.is_none(), "{zoe:?}");
}
