//! What holds after any sequence of steps.

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u32),
    StoreTurns(Result<(), StoreError>),
    BatchEnds { sent: usize, receipts: Vec<u32>, end: u8 },
    PlainEnds(u8),
    Answers(bool),
    Rebind(u8),
    Succeed(bool),
    GiveUp(u8),
    Cancel(u8, u32),
    Met(u8),
    Later(u64),
}

fn recipient(n: u8) -> Recipient {
    match n {
        0 => key(1),
        1 => key(2),
        2 => legacy(5001),
        3 => address(5001),
        _ => address(5002),
    }
}

fn store_result() -> impl Strategy<Value = Result<(), StoreError>> {
    prop_oneof![
        18 => Just(Ok(())),
        1 => Just(Err(StoreError::Full)),
        1 => Just(Err(StoreError::NoRoom)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let to = || 0u8..5;
    prop_oneof![
        6 => (to(), 0u32..60).prop_map(|(to, n)| Step::Put(to, n)),
        6 => store_result().prop_map(Step::StoreTurns),
        5 => (0usize..70, prop::collection::vec(0u32..60, 0..40), 0u8..6)
            .prop_map(|(sent, receipts, end)| Step::BatchEnds { sent, receipts, end }),
        4 => (0u8..5).prop_map(Step::PlainEnds),
        3 => any::<bool>().prop_map(Step::Answers),
        1 => to().prop_map(Step::Rebind),
        1 => (any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(is_back, it)| if it { Step::Succeed(is_back) } else { Step::Later(1) }),
        1 => (to(), prop::bool::weighted(0.2)).prop_map(|(n, it)| if it { Step::GiveUp(n) } else { Step::Met(n) }),
        1 => (to(), 0u32..60).prop_map(|(to, n)| Step::Cancel(to, n)),
        4 => prop_oneof![0u64..900, 0u64..90_000].prop_map(Step::Later),
    ]
}

/// What every story has to hold after each step.
fn check(
    story: &mut Story,
    ended: &mut BTreeMap<(u64, MessageId), DeliveryStatus>,
    open: &mut BTreeMap<u64, MessageId>,
) {
    for output in story.outbox.outputs.clone() {
        match output {
            OutboxOutput::Status(change) => {
                let is_after = ended.contains_key(&(change.op.0, change.id));
                assert!(!is_after, "{change:?} after its end");
                if change.status.is_final() {
                    ended.insert((change.op.0, change.id), change.status);
                    open.remove(&change.op.0);
                }
            }
            OutboxOutput::Duplicate(op) => drop(open.remove(&op.0)),
            _ => {}
        }
    }
    story.collect();
    let entries = || story.outbox.queues.values().flat_map(|queue| &queue.entries);
    let queued: BTreeSet<u64> = entries().map(|entry| entry.op.0).collect();
    assert!(queued.is_subset(&open.keys().copied().collect()), "a message is kept after its end");
    // Two queues became one, and both had the message.
    let is_elsewhere = |id: MessageId| entries().any(|entry| entry.id() == id);
    open.retain(|op, id| queued.contains(op) || !is_elsewhere(*id));
    assert_eq!(queued, open.keys().copied().collect(), "a message is lost");
    let bytes: usize = story.outbox.queues.values().map(|queue| queue.entries.len() * ENTRY_BYTES).sum();
    assert!(story.outbox.bytes >= bytes);
    for (to, queue) in &story.outbox.queues {
        assert_eq!(queue.bytes, queue.entries.iter().map(OutboxEntry::bytes).sum::<usize>());
        let in_flight = queue.entries.iter().filter(|entry| !entry.is_waiting()).count();
        assert!(to.public_key().is_some() || in_flight <= 1, "two at once to {to:?}");
        assert!(!queue.entries.is_empty() || queue.asking, "an empty queue is kept");
    }
}

proptest! {
    #[test]
    fn every_message_has_exactly_one_end(steps in prop::collection::vec(step(), 0..120)) {
        let mut story = Story::new();
        story.has_slow_store = true;
        let (mut ended, mut open, mut op) = (BTreeMap::new(), BTreeMap::new(), 0);
        for step in steps {
            match step {
                Step::Put(n, m) => {
                    op += 1;
                    let new = NewMessage { op: OpId(op), ..message(m, 5) };
                    if story.outbox.put(recipient(n), new, story.now).is_ok() {
                        open.insert(op, id(m));
                    }
                    check(&mut story, &mut ended, &mut open);
                    story.outbox.serve(recipient(n), Story::route(recipient(n)), None, story.now);
                }
                Step::StoreTurns(result) => {
                    for (write, _) in std::mem::take(&mut story.writes) {
                        story.outbox.stored(write, &result, story.now);
                        check(&mut story, &mut ended, &mut open);
                    }
                }
                Step::BatchEnds { sent, receipts, end } if !story.batches.is_empty() => {
                    let receipts: Vec<_> = receipts.into_iter().map(id).collect();
                    let end = match end {
                        0..=2 => BatchEnd::Answered,
                        3 => BatchEnd::Held(PendingReason::Unreachable),
                        4 => BatchEnd::Held(PendingReason::NoSession),
                        _ => BatchEnd::Refused(FailureReason::NotAccepted),
                    };
                    story.ends_batch(sent, &receipts, &end);
                }
                Step::PlainEnds(n) if !story.sent.is_empty() => {
                    let (to, id) = story.sent.remove(0);
                    let (result, parts) = match n {
                        0 => (REFUSED, 0),
                        1 => (SendResult::HandedOver, 1),
                        2 => (SendResult::Broken, 1),
                        3 => (SendResult::Failed(SendError::NotTrusted(Box::new(PublicKey::new([9; 32])))), 0),
                        _ => (SendResult::Delivered, 1),
                    };
                    story.outbox.plain_sent(to, id, result, (parts, 1), story.now);
                }
                Step::Answers(is_plain) if !story.asked.is_empty() => {
                    let to = story.asked.remove(0);
                    let answer = if is_plain { RouteAnswer::Plain } else { RouteAnswer::Failed(SendResult::Broken) };
                    story.outbox.answered(to, answer, story.now);
                    if is_plain && matches!(to, Recipient::Address(_)) {
                        let peer = legacy(to.addr().map_or(0, |addr| addr.port()));
                        story.asked.iter_mut().filter(|asked| **asked == to).for_each(|asked| *asked = peer);
                        story.outbox.rebind(to, peer, None, story.now);
                    }
                }
                Step::Rebind(n) if n > 2 => {
                    story.outbox.rebind(recipient(n), key(1), None, story.now);
                    story.asked.retain(|asked| *asked != recipient(n));
                }
                Step::Succeed(false) => story.outbox.succeed(key(1), key(2), story.now),
                Step::Succeed(true) => story.outbox.succeed(key(2), key(1), story.now),
                Step::GiveUp(n) => story.outbox.give_up(recipient(n), FailureReason::Blocked),
                Step::Cancel(n, m) => drop(story.outbox.cancel(recipient(n), id(m))),
                Step::Met(n) => story.outbox.met(recipient(n), story.now),
                Step::Later(ms) => {
                    story.now = story.now.plus(Duration::from_millis(ms));
                    story.outbox.expire(story.now);
                }
                _ => {}
            }
            check(&mut story, &mut ended, &mut open);
            for to in story.outbox.due(story.now) {
                story.outbox.serve(to, Story::route(to), None, story.now);
            }
            check(&mut story, &mut ended, &mut open);
        }
        // Whatever was before: once everything works, every message ends.
        for _ in 0..400 {
            for (write, _) in std::mem::take(&mut story.writes) {
                story.outbox.stored(write, &Ok(()), story.now);
            }
            for to in std::mem::take(&mut story.asked) {
                story.outbox.rebind(to, key(2), None, story.now);
                check(&mut story, &mut ended, &mut open);
                story.outbox.answered(to, RouteAnswer::Plain, story.now);
            }
            for (to, id) in std::mem::take(&mut story.sent) {
                story.outbox.plain_sent(to, id, SendResult::Delivered, (1, 1), story.now);
            }
            while let Some((_, messages)) = story.batches.first() {
                let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
                story.ends_batch(ids.len(), &ids, &BatchEnd::Answered);
            }
            check(&mut story, &mut ended, &mut open);
            story.now = story.now.plus(LONG_WAIT);
            for to in story.outbox.due(story.now) {
                story.outbox.serve(to, Story::route(to), None, story.now);
            }
            check(&mut story, &mut ended, &mut open);
        }
        prop_assert_eq!(story.outbox.recipients(), vec![], "messages are stuck");
        prop_assert_eq!(story.outbox.bytes, 0);
    }
}
