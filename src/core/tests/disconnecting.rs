//! A contact that the user has disconnected from is not dialed until one side writes.

use super::keys::{BOBS, key, message};
use super::*;
use crate::core::presence::PROBE_INTERVAL;
use crate::model::session::{ByeReason, RequestEnd};

/// Whether anything was dialed in the next hour.
fn is_dialed(story: &mut Story) -> bool {
    story.later(seconds(3_600));
    let is_dialed = !story.session_requests.is_empty() || !story.under_way.is_empty();
    story.session_requests.clear();
    story.under_way.clear();
    is_dialed
}

/// Bob is a contact, and the user has disconnected from him.
fn disconnected() -> Story {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Disconnect(Target::These(vec![key(BOBS).into()])));
    story.request_ends(None, RequestEnd::Answered);
    story.told();
    story
}

#[test]
fn disconnected_contact_is_not_redialed() {
    let mut story = disconnected();
    assert!(!is_dialed(&mut story));
    // A probe that the user asked for changes nothing.
    story.does(Command::List);
    story.refused(5001);
    assert!(!is_dialed(&mut story));
}

#[test]
fn writing_to_a_disconnected_contact_resumes_dialing() {
    let mut story = disconnected();
    story.does(Command::Send { to: Target::These(vec![key(BOBS).into()]), message: message(7) });
    story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
    let id = MessageId::new([7; 16]);
    story.does(Command::Cancel(key(BOBS).into(), id));
    assert!(is_dialed(&mut story), "no message waits, but he is dialed again");
}

#[test]
fn message_of_a_disconnected_contact_resumes_dialing() {
    let mut story = disconnected();
    story.later(seconds(10));
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.takes(BOBS, message(8));
    assert_ne!(story.state(5001), Some(PresenceStatus::Offline));
    story.session_breaks(BOBS);
    assert!(is_dialed(&mut story));
}

#[test]
fn peer_whose_message_crossed_our_goodbye_is_probed() {
    let mut story = disconnected();
    story.feeds(|state, now| state.session_down(key(BOBS), Some(ByeReason::Idle), now));
    story.takes(BOBS, message(8));
    assert_eq!(story.state(5001), Some(PresenceStatus::Connected));
    story.later(PROBE_INTERVAL);
    for _ in 0..2 {
        story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
        story.later(REFUSAL_REPEAT);
    }
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
}

#[test]
fn offline_contact_is_not_redialed_after_disconnect() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.bob_leaves();
    assert!(is_dialed(&mut story), "an offline contact is dialed");
    story.told();
    story.does(Command::Disconnect(Target::These(vec![key(BOBS).into()])));
    let why = RejectReason::Offline;
    assert!(story.told().iter().any(|event| matches!(event, Event::NotSent { why: is, .. } if *is == why)));
    assert!(!is_dialed(&mut story));
}
