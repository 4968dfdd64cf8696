//! Queued messages: for an address that another peer has now, for a key that is not known yet, and
//! for recipients that no longer take them.

use super::keys::{BOBS, key, message, met};
use super::storing::{QUEUED, WEEK, done, stored_statuses};
use super::*;
use crate::model::session::{Message, RequestEnd};

impl Story {
    fn connects_under_way(&self, port: u16) -> usize {
        self.dials(port).iter().filter(|outgoing| matches!(outgoing, Outgoing::Connect)).count()
    }

    /// A message that waited when an earlier run ended. Its recipient was called Bob then.
    fn restores(&mut self, to: Recipient, n: u8) {
        self.restores_for(to, n, WEEK);
    }

    /// The same, which expires after this time.
    fn restores_for(&mut self, to: Recipient, n: u8, left: Duration) {
        let restored = Restored {
            to,
            message: Message { again: true, ..message(n) },
            cut_off: false,
            left,
            name: Some(PeerName::new("Bob")),
        };
        self.feeds(|state, now| state.restore(vec![restored], now).1);
    }
}

fn is_held_for_another(event: &Event) -> bool {
    matches!(
        event,
        Event::Delivery { is_first: false, status: DeliveryStatus::Queued(PendingReason::AnotherPeer), .. }
    )
}

#[test]
fn message_rejected_for_its_form_does_not_wait() {
    let mut story = Story::storing();
    let ping = Message { body: "PING".into(), ..message(1) };
    story.does(Command::Send { to: these(5001), message: ping });
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [QUEUED]);
    story.ends(5001, &SendResult::HandedOver);
    let rejected = DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::CommandWord("PING")));
    assert_eq!(story.outcomes(), std::slice::from_ref(&rejected));
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [done(rejected)]);
    assert_eq!(story.state.waiting(story.now), []);
}

#[test]
fn peer_at_anothers_address_is_not_probed_repeatedly() {
    let mut story = Story::storing();
    story.knows_plain(5001);
    story.writes_while_offline(5001, 1);
    story.gets_as("Eve", 5001, text("hello"));
    story.later(seconds(1));
    assert_eq!(story.connects_under_way(5001), 1);
    story.ends(5001, &SendResult::HandedOver);
    let told = story.told();
    assert!(told.iter().any(is_held_for_another), "{told:?}");
    for _ in 0..3 {
        // Other programs answer `connect` so, and people write messages.
        story.gets_as("Eve", 5001, Body::ConnectAck);
        story.gets_as("Eve", 5001, text("who is Bob?"));
        story.later(seconds(2));
        assert_eq!((story.connects_under_way(5001), story.plain_in_flight(5001)), (0, 0));
    }
    // Bob is back.
    story.gets(5001, text("it is me"));
    story.later(seconds(1));
    assert_eq!(story.connects_under_way(5001), 1);
    story.ends(5001, &SendResult::HandedOver);
    story.stores_all(Ok(()));
    assert_eq!(story.plain_in_flight(5001), 1);
}

#[test]
fn earlier_message_is_not_sent_to_ourselves() {
    let mut story = Story::storing();
    story.restores(Recipient::Address(at(5000)), 1);
    assert_eq!((story.dials(5000), story.state.rows(story.now).len()), (vec![], 0));
    let rejected = DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::Ourselves));
    assert_eq!(story.later_statuses(), std::slice::from_ref(&rejected), "the user is told that it failed");
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [done(rejected)]);
}

#[test]
fn message_for_an_unremembered_key_waits_for_it() {
    let mut story = Story::storing();
    // The program was killed before Bob's key was stored.
    story.restores(Recipient::Peer(PeerId::Key(key(BOBS))), 1);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), []);
    story.dials_in(2, "Carol", 5002).expect("it is welcome");
    assert_eq!(story.messages_in_flight(), []);
    story.dials_in(BOBS, "Bob", 5001).expect("it is welcome");
    assert_eq!(story.messages_in_flight(), [Message { again: true, ..message(1) }]);
    story.told();
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [done(DeliveryStatus::Delivered)]);
    assert!(story.later_statuses().contains(&DeliveryStatus::Delivered));
}

#[test]
fn message_for_a_vanished_key_expires() {
    let mut story = Story::storing();
    story.restores_for(Recipient::Peer(PeerId::Key(key(BOBS))), 1, Duration::ZERO);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [done(DeliveryStatus::Expired)]);
}

#[test]
fn earlier_message_for_a_blocked_key_is_cancelled() {
    let mut story = Story::storing();
    story.knows_bob(5001);
    story.does(Command::Block(key(BOBS).into()));
    story.stores_all(Ok(()));
    story.restores(Recipient::Peer(PeerId::Key(key(BOBS))), 1);
    assert_eq!(
        stored_statuses(&story.stores_all(Ok(()))),
        [done(DeliveryStatus::Failed(FailureReason::Blocked))]
    );
}

#[test]
fn confirming_one_message_sends_only_that_one() {
    let mut story = Story::storing();
    story.knows_plain(5001);
    story.writes_while_offline(5001, 1);
    story.writes_while_offline(5001, 2);
    story.gets_as("Eve", 5001, text("hello"));
    story.later(seconds(2));
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.plain_in_flight(5001), 0);
    story.does(Command::TryNow(legacy(at(5001)), message(2).id));
    story.later(seconds(2));
    story.ends(5001, &SendResult::HandedOver);
    story.stores_all(Ok(()));
    let parts = ["text 2".to_owned()].into();
    assert_eq!(story.dials(5001), [Outgoing::Text(parts)]);
    let waiting = story.state.waiting(story.now);
    let waiting: Vec<_> =
        waiting.iter().filter(|entry| !entry.in_flight).map(|entry| entry.message.id).collect();
    assert_eq!(waiting, [message(1).id]);
}

#[test]
fn resent_message_waits_for_its_old_name() {
    let mut story = Story::storing();
    story.knows_plain(5001);
    story.gets_as("Eve", 5001, text("hello"));
    let name = Some(PeerName::new("Bob"));
    let to = legacy(at(5001));
    story.does(Command::SendAgain { to, message: message(1), name });
    story.stores_all(Ok(()));
    assert_eq!(story.plain_in_flight(5001), 0);
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::AnotherPeer)]);
    story.does(Command::TryNow(to, message(1).id));
    story.later(seconds(2));
    story.ends(5001, &SendResult::HandedOver);
    story.stores_all(Ok(()));
    assert_eq!(story.plain_in_flight(5001), 1);
}

#[test]
fn held_message_is_reported_once_stored() {
    let mut story = Story::storing();
    story.gets_as("Eve", 5001, Body::Connect);
    story.writes(5001, 1);
    // Before the message is stored, Bob's key answers at the address.
    story.under_way.retain(|transmit| transmit.message == Outgoing::Connect);
    story.under_way.truncate(1);
    story.promises(BOBS);
    while !story.session_requests.is_empty() {
        story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    }
    story.stores_all(Ok(()));
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::AnotherPeer)]);
}
