//! Writes to the store: what waits for them, and what follows when they fail.

use super::*;

#[test]
fn message_without_room_in_store_is_refused() {
    let refused = DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::NoMemory));
    for to in [key(1), legacy(1), address(1)] {
        let mut story = Story::new();
        story.has_slow_store = true;
        story.puts(to, 1);
        let (write, _) = story.writes.remove(0);
        assert!(story.outbox.stored(write, &Err(StoreError::NoRoom), story.now));
        story.serve_due();
        assert_eq!(story.statuses, [(id(1), refused.clone())]);
        assert_eq!((story.outbox.count(to), story.outbox.bytes), (0, 0));
        assert_eq!((story.sent.len(), story.batches.len(), story.writes.len()), (0, 0, 0));
    }
}

#[test]
fn queued_message_is_not_refused_later() {
    let mut story = Story::new();
    story.puts(legacy(1), 1);
    story.plain_ends(REFUSED, 0);
    assert_eq!(story.statuses, [(id(1), queued(PendingReason::Unreachable))]);
    story.has_slow_store = true;
    story.outbox.met(legacy(1), story.now);
    story.later(1_000);
    for (write, _) in std::mem::take(&mut story.writes) {
        assert!(!story.outbox.stored(write, &Err(StoreError::NoRoom), story.now));
    }
    assert_eq!(story.outbox.count(legacy(1)), 1);
}

#[test]
fn message_entered_again_waits_for_its_own_write() {
    let mut story = Story::new();
    story.has_slow_store = true;
    story.puts(key(1), 1);
    let (first, _) = story.writes.remove(0);
    story.outbox.cancel(key(1), id(1));
    story.puts(key(1), 1);
    story.outbox.stored(first, &Ok(()), story.now);
    story.serve_due();
    assert_eq!(story.batch(), []);
    story.store_turns(true);
    assert_eq!(story.batch(), [(id(1), false)]);
}

#[test]
fn message_that_was_never_stored_is_sent_anyway() {
    let mut story = Story::new();
    story.has_slow_store = true;
    story.puts(legacy(5001), 1);
    story.store_turns(false);
    assert_eq!(story.sent, [(legacy(5001), id(1))]);
    story.puts(key(1), 2);
    story.store_turns(false);
    assert_eq!(story.batch(), [(id(2), false)]);
}

#[test]
fn late_write_of_a_cancelled_entry_changes_nothing() {
    let (peer, its_address) = (legacy(5001), address(5001));
    let mut story = Story::new();
    story.has_slow_store = true;
    // One message waits until it is known which peer is at the address.
    story.puts(its_address, 1);
    // The store is asked to note that another is about to be sent to the peer; it is given up
    // first.
    story.puts(peer, 2);
    story.outbox.give_up(peer, FailureReason::Blocked);
    // The user enters it again, for the address, where the peer answers.
    story.puts(its_address, 2);
    story.asked.clear();
    story.outbox.answered(its_address, RouteAnswer::Plain, story.now);
    story.outbox.rebind(its_address, peer, None, story.now);
    story.serve(peer);
    // The store answers all of it: only the first message goes out.
    story.store_turns(true);
    story.store_turns(true);
    assert_eq!(story.sent, [(peer, id(1))]);
    story.plain_ends(SendResult::Delivered, 1);
    story.store_turns(true);
    assert_eq!(story.sent, [(peer, id(2))]);
}

#[test]
fn leaving_keeps_what_is_stored() {
    for durable in [false, true] {
        let mut story = Story { outbox: Outbox::new(WEEK, durable), ..Story::new() };
        story.puts(key(1), 1);
        story.puts(key(1), 2);
        story.outbox.abandon();
        let outputs = story.outbox.take_outputs();
        assert_eq!(outputs.contains(&OutboxOutput::StaysQueued(key(1), 2)), durable);
        assert_eq!(story.outbox.count(key(1)), if durable { 2 } else { 0 });
    }
}
