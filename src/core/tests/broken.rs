//! What a peer can try to break the rules.

use super::keys::{BOBS, EVES, met};
use super::*;
use crate::model::session::RequestEnd;

#[test]
fn stranger_silences_no_legacy_contact_of_its_name() {
    let mut story = Story::new();
    story.gets(5001, text("hi"));
    story.dials_in(EVES, "Bob", 5002).expect("welcome");
    story.told();
    story.gets(5001, text("it is me"));
    let told = story.told();
    assert!(matches!(&told[..], [Event::Message { from, .. }] if from.id == legacy(at(5001))), "{told:?}");
}

#[test]
fn message_stored_during_key_proof_leaves_nothing_behind() {
    let mut story = Story::storing();
    story.gets_from(HERE, Claimed { ip: HERE, port: 5001 }, Form::new("r3"), Body::Connect);
    story.writes(5001, 1);
    let (id, _) = story.writes.pop().expect("it is written down");
    story.under_way.clear();
    // Bob proves himself there before the write is done.
    story.does(Command::Connect(Target::These(vec![at(5001).into()])));
    story.promises(BOBS);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.feeds(|state, now| state.stored(id.expect("a number"), Ok(()), now));
    let address = Recipient::Address(at(5001));
    assert!(story.under_way.is_empty(), "{:?}", story.under_way);
    assert_eq!(story.state.outbox.count(address), 0, "later messages wait forever");
}

#[test]
fn legacy_program_at_former_key_address_gets_connect() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.bob_leaves();
    story.does(Command::Connect(these(5001)));
    story.request_ends(None, RequestEnd::NoSession);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.outcomes(), [DeliveryStatus::Sent]);
    assert!(story.state.book().knows(legacy(at(5001))));
}

#[test]
fn leaving_connects_to_no_legacy_program() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.bob_leaves();
    story.does(Command::Connect(these(5001)));
    story.does(Command::Leave);
    story.request_ends(None, RequestEnd::NoSession);
    assert_eq!(story.under_way, [], "it would list us while we are gone");
}

#[test]
fn false_promise_behind_connect_is_not_retried_forever() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.bob_leaves();
    story.does(Command::Connect(these(5001)));
    story.request_ends(None, RequestEnd::NoSession);
    story.promises(EVES);
    story.request_ends(None, RequestEnd::NoSession);
    assert!(story.under_way.is_empty() && story.session_requests.is_empty());
    let is_done = |event: &Event| matches!(event, Event::Done { .. });
    assert_eq!(story.told().into_iter().filter(is_done).count(), 1);
}

fn name_of_legacy(story: &Story) -> Option<String> {
    let rows = story.state.rows(story.now);
    rows.into_iter()
        .find(|row| row.id == legacy(at(5001)))
        .and_then(|row| row.name)
        .map(|name| name.to_string())
}

#[test]
fn introduced_key_leaves_legacy_peer_its_name() {
    let mut story = Story::new();
    story.gets(5001, text("hi"));
    story.gets_as("Eve", 5001, Body::Connect);
    assert_eq!(name_of_legacy(&story).as_deref(), Some("Bob"));
    story.promises(EVES);
    story.request_ends(Some(met(EVES, 5001)), RequestEnd::Answered);
    assert_eq!(name_of_legacy(&story).as_deref(), Some("Bob"));
}

#[test]
fn message_during_another_legacy_introduction_is_held() {
    let mut story = Story::new();
    story.gets(5001, text("hi"));
    story.does(Command::Connect(Target::These(vec![legacy(at(5001))])));
    story.ends(5001, &SendResult::HandedOver);
    story.gets_as("Carl", 5001, Body::Connect);
    story.told();
    let to = Target::These(vec![legacy(at(5001))]);
    story.does(Command::Send { to, message: super::keys::message(1) });
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(
        story.outcomes(),
        [DeliveryStatus::Queued(crate::model::delivery::PendingReason::AnotherPeer)]
    );
    assert_eq!(name_of_legacy(&story).as_deref(), Some("Carl"));
    assert!(story.under_way.is_empty());
}

#[test]
fn legacy_peer_returns_after_a_key_there() {
    let mut story = Story::new();
    story.gets(5001, text("hi"));
    story.gets_as("Eve", 5001, Body::Connect);
    story.promises(EVES);
    story.request_ends(Some(met(EVES, 5001)), RequestEnd::Answered);
    let bye = Some(crate::model::session::ByeReason::Leaves);
    let parted = story.state.session_down(super::keys::key(EVES), bye, story.now);
    story.perform(parted);
    story.does(Command::Connect(these(5001)));
    story.request_ends(None, RequestEnd::NoSession);
    story.ends(5001, &SendResult::HandedOver);
    let rows = story.state.rows(story.now);
    let state = rows.into_iter().find(|row| row.id == legacy(at(5001))).map(|row| row.state);
    assert!(state.is_some_and(|state| state != PresenceStatus::Offline), "{state:?}");
}

#[test]
fn traffic_under_way_gives_blocked_keys_no_row() {
    let mut story = Story::new();
    // A plain `connect` is on its way to the address when its peer proves its key there.
    story.does(Command::Connect(these(5001)));
    story.dials_in(BOBS, "Bob", 5001).expect("welcome");
    story.does(Command::Connect(Target::These(vec![super::keys::key(BOBS).into()])));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.does(Command::Block(super::keys::key(BOBS).into()));
    story.promises(BOBS);
    while !story.session_requests.is_empty() {
        story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Bye(crate::model::session::ByeReason::Leaves));
    }
    assert!(!story.state.book().knows(super::keys::key(BOBS).into()));
}

#[test]
fn claim_of_our_address_keeps_probe_counts_balanced() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.gets(5001, Body::Connect);
    story.dials_in(BOBS, "Bob", 5000).expect("welcome");
    for _ in 0..3 {
        story.later(PROBE_INTERVAL * 2);
        while !story.session_requests.is_empty() {
            story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
        }
        story.ends(5001, &SendResult::Failed(SendError::Refused));
        story.ends(5000, &SendResult::Failed(SendError::Refused));
    }
    assert!(story.state.probe_limiter.is_empty());
}
