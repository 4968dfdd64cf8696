//! What waits in the store: it is restored, expires, is cancelled, and outlives the program.

use super::*;

#[test]
fn queued_plain_message_is_sent_once_after_return() {
    let mut story = Story::storing();
    story.knows_plain(5001);
    let op = story.writes(5001, 1);
    story.stores_all(Ok(()));
    story.refused_message(5001);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [QUEUED]);
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
    // Bob comes back and sends a message.
    story.later(seconds(5));
    while !story.under_way.is_empty() {
        story.refused(5001);
    }
    story.later(Duration::from_millis(1_001));
    while !story.under_way.is_empty() {
        story.refused(5001);
    }
    story.later(Duration::from_millis(900));
    story.told();
    story.gets(5001, text("I am back"));
    story.later(seconds(1));
    assert!(story.dials(5001).contains(&Outgoing::Connect), "{:?}", story.dials(5001));
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.plain_in_flight(5001), 0, "the attempt is not stored yet");
    story.stores_all(Ok(()));
    assert_eq!(story.plain_in_flight(5001), 1);
    story.told();
    story.ends(5001, &SendResult::HandedOver);
    let told = story.told();
    let later = |event: &Event| matches!(event, Event::Delivery { op: of, is_first: false, status: DeliveryStatus::Sent, .. } if *of == op);
    assert!(told.iter().any(later), "{told:?}");
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))).last(), Some(&done(DeliveryStatus::Sent)));
    assert_eq!(story.state.waiting(story.now), []);
}

#[test]
fn too_long_queued_message_fails_once() {
    let mut story = Story::storing();
    let to = Target::These([5001, 5002, 5003].map(|port| at(port).into()).to_vec());
    let body = "long ".repeat(4_000).into();
    let long = Command::Send { to, message: Message { body, ..message(1) } };
    let op = story.does(long);
    story.stores_all(Ok(()));
    story.refused_message(5001);
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
    // The peer that answers later is a legacy peer, and the message is too long for it.
    story.does(Command::TryNow(Recipient::Address(at(5001)), message(1).id));
    story.later(seconds(1));
    story.told();
    story.ends(5001, &SendResult::HandedOver);
    let told = story.told();
    let is_refused = |event: &Event| matches!(event, Event::Delivery { op: of, status: DeliveryStatus::Failed(FailureReason::Rejected(_)), .. } if *of == op);
    assert!(told.iter().any(is_refused), "{told:?}");
    assert_eq!(
        stored_statuses(&story.stores_all(Ok(()))).last(),
        Some(&done(DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::TooLongForLegacy))))
    );
    // Both other messages are still reported.
    story.refused_message(5002);
    story.refused_message(5003);
    assert_eq!(story.outcomes().len(), 2);
}

#[test]
fn merged_addresses_keep_reports_about_other_recipients() {
    let mut story = Story::storing();
    let to = Target::These([5001, 5002, 5003].map(|port| at(port).into()).to_vec());
    story.does(Command::Send { to, message: message(1) });
    story.stores_all(Ok(()));
    story.refused_message(5001);
    story.refused_message(5002);
    assert_eq!(story.outcomes().len(), 2);
    // Bob is at both.
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    story.dials_in(BOBS, "Bob", 5002).unwrap();
    story.told();
    story.refused_message(5003);
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
}

#[test]
fn rejected_restored_message_loses_no_other() {
    let mut story = Story::storing();
    let own = PeerAddr::new(Ipv4Addr::LOCALHOST, 5000).unwrap();
    let restored = |addr, n| Restored {
        to: Recipient::Address(addr),
        message: message(n),
        cut_off: false,
        left: WEEK,
        name: None,
    };
    let messages = vec![restored(at(4001), 1), restored(own, 2), restored(at(6001), 3)];
    let (skipped, actions) = story.state.restore(messages, story.now);
    story.perform(actions);
    assert_eq!((skipped, story.state.waiting(story.now).len()), (0, 2));
}

#[test]
fn queued_status_is_reported_once_stored() {
    let mut story = Story::storing();
    story.knows_plain(5001);
    story.writes(5001, 1);
    story.stores_all(Ok(()));
    story.refused_message(5001);
    assert_eq!(story.outcomes(), []);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [QUEUED]);
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
    // The same holds for a message that waits behind it.
    story.writes(5001, 2);
    assert_eq!(story.outcomes(), []);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [QUEUED]);
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
    // A message that cannot be stored is queued until the program ends.
    story.writes(5001, 3);
    story.stores_all(Err(StoreError::Full));
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
    // A message that expires before it is stored is reported once.
    story.writes(5001, 4);
    story.now = story.now.plus(WEEK);
    let actions = story.state.tick(story.now);
    story.perform(actions);
    assert_eq!(story.outcomes(), [DeliveryStatus::Expired]);
    story.stores_all(Ok(()));
    assert_eq!(story.outcomes(), []);
}

#[test]
fn queued_messages_expire_and_are_reported() {
    let mut story = Story::storing();
    story.knows_bob(5001);
    story.knows_plain(5002);
    story.writes(5001, 1);
    story.writes(5002, 2);
    story.stores_all(Ok(()));
    story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
    story.refused_message(5002);
    story.stores_all(Ok(()));
    assert_eq!(story.state.waiting(story.now).len(), 2);
    story.told();
    story.now = story.now.plus(WEEK);
    let actions = story.state.tick(story.now);
    story.perform(actions);
    let told = story.told();
    let expired = |event: &&Event| {
        matches!(event, Event::Delivery { is_first: false, status: DeliveryStatus::Expired, .. })
    };
    assert_eq!(told.iter().filter(expired).count(), 2, "{told:?}");
    assert_eq!(
        stored_statuses(&story.stores_all(Ok(()))),
        [done(DeliveryStatus::Expired), done(DeliveryStatus::Expired)]
    );
    assert_eq!(story.state.waiting(story.now), []);
}

#[test]
fn restored_messages_are_resent_and_reported() {
    let mut story = Story::storing();
    story.knows_bob(5001);
    story.writes(5001, 1);
    story.stores_all(Ok(()));
    let pins = story.pins();
    let mut next = Story::storing_with(CoreConfig { pins, ..super::keys::alice() });
    let restored = |to, n, cut_off| Restored {
        to,
        message: Message { again: true, ..message(n) },
        cut_off,
        left: WEEK,
        name: None,
    };
    let (_, actions) = next.state.restore(
        vec![
            restored(Recipient::Peer(PeerId::Key(key(BOBS))), 1, false),
            restored(Recipient::Address(at(5002)), 2, false),
            restored(Recipient::Address(at(5003)), 3, true),
            restored(Recipient::Peer(PeerId::Key(key(66))), 4, false),
        ],
        next.now,
    );
    next.perform(actions);
    assert_eq!(next.messages_in_flight(), [Message { again: true, ..message(1) }]);
    assert_eq!((next.dials(5002), next.dials(5003)), (vec![Outgoing::Connect], vec![]));
    let told = next.told();
    assert!(
        matches!(told[..], [Event::Delivery { is_first: false, status: DeliveryStatus::Unknown, .. }]),
        "an unencrypted message that may have been sent is not resent: {told:?}"
    );
    // Nothing is sent to an unknown key.
    assert_eq!(stored_statuses(&next.stores_all(Ok(()))), [done(DeliveryStatus::Unknown)]);
    next.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert!(next.later_statuses().contains(&DeliveryStatus::Delivered));
}

#[test]
fn queued_plain_message_waits_for_the_disk() {
    let mut story = Story::storing();
    story.knows_plain(5001);
    story.writes_while_offline(5001, 1);
    story.told();
    story.later(seconds(1));
    story.ends(5001, &SendResult::HandedOver);
    story.stores_all(Err(StoreError::Full));
    assert_eq!(story.plain_in_flight(5001), 0, "it would be sent again after a restart");
    let waiting = story.state.waiting(story.now);
    assert_eq!(waiting.iter().map(|waiting| waiting.reason).collect::<Vec<_>>(), [PendingReason::NotStored]);
    // It is sent once as soon as there is room.
    story.later(seconds(4));
    story.ends(5001, &SendResult::HandedOver);
    story.stores_all(Ok(()));
    assert_eq!(story.plain_in_flight(5001), 1);
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.state.waiting(story.now), []);
}

#[test]
fn message_awaiting_protocol_can_be_cancelled() {
    let mut story = Story::storing();
    story.writes(5001, 1);
    story.stores_all(Ok(()));
    story.does(Command::Cancel(Recipient::Address(at(5001)), message(1).id));
    assert_eq!(story.outcomes(), [DeliveryStatus::Cancelled]);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [done(DeliveryStatus::Cancelled)]);
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!((story.plain_in_flight(5001), story.state.waiting(story.now)), (0, vec![]));
}

#[test]
fn leaving_reports_unstored_message_as_lost() {
    for written in [Ok(()), Err(StoreError::Full)] {
        let mut story = Story::storing();
        story.writes(5001, 1);
        story.refused_message(5001);
        story.stores_all(written.clone());
        assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
        story.does(Command::Leave);
        story.later(seconds(3));
        let told = story.told();
        let stays = told.iter().any(|event| matches!(event, Event::StayQueued(_, 1)));
        let is_lost = told.iter().any(|event| {
            matches!(
                event,
                Event::Delivery {
                    is_first: false,
                    status: DeliveryStatus::Failed(FailureReason::Ended { attempted: false }),
                    ..
                }
            )
        });
        assert_eq!((stays, is_lost), (written.is_ok(), written.is_err()), "{told:?}");
    }
}

#[test]
fn unstored_attempt_is_not_reported_as_staying() {
    for written in [[Err(StoreError::Full), Err(StoreError::Full)], [Err(StoreError::Full), Ok(())]] {
        let mut story = Story::storing();
        story.writes(5001, 1);
        story.ends(5001, &SendResult::HandedOver);
        story.stores_each(&written);
        assert_eq!(story.plain_in_flight(5001), 1, "it is sent as if there were no history");
        story.refused_message(5001);
        story.stores_all(Ok(()));
        assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
        story.does(Command::Leave);
        story.refused(5001);
        story.later(seconds(3));
        let told = story.told();
        assert!(!told.iter().any(|event| matches!(event, Event::StayQueued(..))), "{told:?}");
        let is_lost = |event: &Event| {
            matches!(
                event,
                Event::Delivery {
                    is_first: false,
                    status: DeliveryStatus::Failed(FailureReason::Ended { attempted: false }),
                    ..
                }
            )
        };
        assert!(told.iter().any(is_lost), "{told:?}");
    }
}
