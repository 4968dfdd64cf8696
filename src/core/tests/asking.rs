//! Messages to an address where no peer has proven itself: `connect` first, and what its receipt
//! says.

use super::keys::{BOBS, EVES, key, message, met};
use super::*;
use crate::model::session::{Request, RequestEnd};

#[test]
fn first_message_waits_for_answer_and_goes_encrypted() {
    let mut story = Story::new();
    let op = story.writes(5001, 1);
    assert_eq!(story.dials(5001), [Outgoing::Connect], "no message goes out before");
    story.promises(BOBS);
    assert_eq!(story.under_way, []);
    let opening = story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!((opening.expect, opening.say), (Some(key(BOBS)), Request::Open));
    let told = story.told();
    assert!(
        told.iter().any(|event| matches!(event, Event::Pinned { key: pinned, .. } if *pinned == key(BOBS))),
        "{told:?}"
    );
    let batch = story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!((batch.expect, batch.say), (Some(key(BOBS)), Request::Messages(vec![message(1)])));
    let told = story.told();
    let Some(Event::Delivery { op: of, who, status: DeliveryStatus::Delivered, .. }) = told.first() else {
        panic!("{told:?}")
    };
    assert_eq!((*of, who.verification.clone()), (op, Verification::Encrypted));
    assert!(told.contains(&Event::Settled(op)));
}

#[test]
fn message_for_address_goes_to_its_open_session() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let to = Recipient::Address(at(5001));
    let restored = Restored { to, message: message(1), cut_off: false, left: seconds(600), name: None };
    story.feeds(|state, now| state.restore(vec![restored], now).1);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
    story.promises(BOBS);
    // No session is reported for the request, because one was open before.
    assert_eq!(story.request_ends(None, RequestEnd::Answered).say, Request::Open);
    story.takes_messages();
    assert_eq!(story.later_statuses(), [DeliveryStatus::Delivered]);
    assert_eq!(story.state.waiting(story.now), []);
}

#[test]
fn late_receipt_does_not_put_off_the_message() {
    let mut story = Story::new();
    story.writes(5001, 1);
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    // The session proves that Bob is there before the receipt for our `connect` comes, and the
    // message is being stored for him.
    story.holds_writes = true;
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.promises(BOBS);
    story.stores_all(Ok(()));
    assert_eq!(story.outcomes(), [], "he is online");
    story.takes_messages();
    assert_eq!(story.outcomes(), [DeliveryStatus::Delivered]);
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
    assert_eq!(proofs, [Verification::Plain, Verification::Encrypted], "it only claims to be there");
}

#[test]
fn promised_key_outweighs_legacy_form() {
    let mut story = Story::new();
    let claimed = Claimed { ip: HERE, port: 5001 };
    story.gets_from(HERE, claimed, Form::new("two-field"), Body::ConnectRequest);
    story.ends(5001, &SendResult::HandedOver);
    story.writes(5001, 1);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]), "in that form");
    story.promises(BOBS);
    story.writes(5001, 2);
    assert_eq!(story.under_way, []);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let batch = story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(batch.say, Request::Messages(vec![message(2)]));
}

#[test]
fn broken_session_is_tried_again_without_messages() {
    let mut story = Story::new().with_static(&[5001]);
    story.promises(BOBS);
    // On a busy machine, the handshake breaks. What the peer sends shows that it is online.
    story.request_ends(None, RequestEnd::Broken);
    story.gets(5001, Body::ConnectAck);
    story.later(PROBE_INTERVAL);
    assert_eq!(story.under_way, [], "it is not asked unencrypted");
    assert_eq!(story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered).expect, Some(key(BOBS)));
}

#[test]
fn silent_session_is_asked_about_once_more() {
    let mut story = Story::new().with_static(&[5001]);
    story.promises(BOBS);
    // A busy program closes connections that it has not read.
    story.request_ends(None, RequestEnd::NoSession);
    story.gets(5001, Body::ConnectAck);
    story.ends(5001, &SendResult::HandedOver);
    story.later(PROBE_INTERVAL);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
    story.promises(BOBS);
    assert_eq!(story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered).expect, Some(key(BOBS)));
}

#[test]
fn peer_whose_acknowledgement_is_unanswered_is_asked() {
    let mut story = Story::new();
    story.gets(5001, Body::Connect);
    assert!(story.dials(5001).contains(&Outgoing::ConnectAck));
    story.ends(5001, &SendResult::Unanswered);
    story.gets(5001, Body::ConnectAck);
    story.later(PROBE_INTERVAL);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
}

#[test]
fn promise_ends_with_another_key_not_with_silence() {
    let mut story = Story::new();
    story.does(Command::Connect(these(5001)));
    story.promises(BOBS);
    story.request_ends(None, RequestEnd::NoSession);
    story.writes(5001, 1);
    assert_eq!(story.under_way, [], "nothing is sent unencrypted");
    let opening = story.request_ends(None, RequestEnd::WrongKey(key(EVES)));
    assert_eq!((opening.expect, opening.say), (Some(key(BOBS)), Request::Open));
    story.writes(5001, 2);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
}

#[test]
fn unanswered_connect_keeps_message_waiting() {
    let refused = SendResult::Failed(SendError::Refused);
    for result in [SendResult::Unanswered, SendResult::Broken, SendResult::NoReceipt, refused] {
        let mut story = Story::new();
        story.writes(5001, 1);
        assert_eq!(story.dials(5001), [Outgoing::Connect]);
        story.ends(5001, &result);
        assert_eq!(
            (&story.under_way[..], &story.session_requests[..]),
            (&[][..], &[][..]),
            "no message goes out"
        );
        assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)], "{result:?}");
        // The next message tries again, but not within a second.
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
        story.request_ends(None, end.clone());
        assert_eq!((&story.under_way[..], &story.session_requests[..]), (&[][..], &[][..]), "{end:?}");
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
        assert_eq!(story.state.trusted().pins_for("Bob").len(), 0, "no key is pinned by that");
    }
}

#[test]
fn late_receipt_after_goodbye_opens_no_session() {
    let mut story = Story::new();
    // A peer asks to be listed, and leaves while we acknowledge that.
    story.gets(5001, Body::Connect);
    assert!(story.dials(5001).contains(&Outgoing::ConnectAck));
    story.under_way.retain(|transmit| transmit.message == Outgoing::ConnectAck);
    story.gets(5001, Body::Exit);
    story.promises(BOBS);
    assert_eq!((story.session_requests.len(), story.state(5001)), (0, Some(PresenceStatus::Offline)));
    // A message finds out whether the promise is true.
    story.writes(5001, 1);
    assert_eq!((story.under_way.len(), story.session_requests.len()), (0, 1));
    assert_eq!(
        (story.session_requests[0].expect, &story.session_requests[0].say),
        (Some(key(BOBS)), &Request::Open)
    );
}

#[test]
fn claimed_port_of_legacy_peer_gives_nothing() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.ends(5001, &SendResult::HandedOver);
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.verification(5001), Some(Verification::Plain));
    assert_eq!(story.dials_in(EVES, "Carol", 5001), Ok(()));
    let hers = story.state.trusted().pins_for("Carol")[0].clone();
    assert_eq!(hers.addrs, [], "a claim is no hint");
    assert_eq!(story.verification(5001), Some(Verification::Plain));
    story.writes(5001, 2);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]));
}
