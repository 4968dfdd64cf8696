//! Messages follow their recipients to other keys, addresses and names.

use super::*;

#[test]
fn new_key_gets_messages_old_key_missed() {
    for sent in [0, 1] {
        let mut story = Story::new();
        for n in 1..=3 {
            story.puts(key(1), n);
        }
        story.outbox.succeed(key(1), key(2), story.now);
        story.collect();
        story.serve(key(2));
        story.batch_ends(sent, &[], &BatchEnd::Held(PendingReason::Unreachable));
        let failed = (id(1), DeliveryStatus::Failed(FailureReason::Replaced));
        assert_eq!(story.told().contains(&failed), sent == 1);
        assert_eq!(story.outbox.count(key(1)), 0);
        assert_eq!(story.outbox.count(key(2)), 3 - sent);
    }
}

#[test]
fn unsent_message_follows_two_key_changes() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    story.outbox.succeed(key(1), key(2), story.now);
    story.outbox.succeed(key(2), key(3), story.now);
    story.batch_ends(0, &[], &BatchEnd::Held(PendingReason::Unreachable));
    assert_eq!([1, 2, 3].map(|n| story.outbox.count(key(n))), [0, 0, 1]);
}

#[test]
fn unsent_message_stays_with_key_trusted_again() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    story.outbox.succeed(key(1), key(2), story.now);
    story.outbox.succeed(key(2), key(1), story.now);
    story.batch_ends(0, &[], &BatchEnd::Held(PendingReason::Unreachable));
    assert_eq!([1, 2].map(|n| story.outbox.count(key(n))), [1, 0]);
    assert_eq!(story.told(), [(id(1), queued(PendingReason::Unreachable))]);
}

#[test]
fn message_addressed_twice_keeps_one_row() {
    let mut story = Story::new();
    story.puts(legacy(2), 1);
    story.puts(address(1), 1);
    story.answers(RouteAnswer::Failed(REFUSED));
    story.outbox.rebind(address(1), legacy(2), None, story.now);
    let outputs = story.outbox.take_outputs();
    let drops = StoreOp::Move { id: id(1), from: address(1), to: legacy(2) };
    assert!(outputs.contains(&OutboxOutput::Store(None, drops)), "{outputs:?}");
    let ends = |output: &OutboxOutput| matches!(output, OutboxOutput::Duplicate(_));
    assert!(!outputs.iter().any(ends), "its command ended with its first status: {outputs:?}");
    assert_eq!(story.outbox.count(legacy(2)), 1);
}

#[test]
fn message_addressed_twice_stays_in_flight() {
    let mut story = Story::new();
    story.puts(legacy(2), 9);
    story.puts(legacy(2), 1);
    story.outbox.put(address(1), message(1, 5), story.now).expect("fits");
    story.outbox.serve(address(1), Route::Plain(&|_| None), None, story.now);
    story.collect();
    let (write, _) = story.writes.remove(0);
    story.outbox.stored(write, &Ok(()), story.now);
    story.outbox.serve(address(1), Route::Plain(&|_| None), None, story.now);
    story.collect();
    assert_eq!(story.sent, [(legacy(2), id(9)), (address(1), id(1))]);
    story.outbox.rebind(address(1), legacy(2), None, story.now);
    story.outbox.plain_sent(legacy(2), id(1), SendResult::HandedOver, (1, 1), story.now);
    story.collect();
    assert_eq!(story.told(), [(id(1), DeliveryStatus::Sent)]);
    assert!(!story.outbox.has(legacy(2), id(1)), "it would be sent twice");
}
