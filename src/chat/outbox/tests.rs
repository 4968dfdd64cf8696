use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::protocol::session::{MAX_TEXT_BYTES, MAX_TURN_RECORDS, Record};

const NOW: Jitter = Jitter(0);

/// Later than anything else here, in milliseconds.
const WEEK: u64 = 7 * 24 * 3_600_000;

/// Puts a text in that is written down.
fn put(outbox: &mut Outbox, text: OutText) -> Result<(), NotPut> {
    let id = text.letter.id;
    outbox.put(text)?;
    outbox.stored(id, at(0));
    Ok(())
}

fn id(n: u32) -> MessageId {
    MessageId::new(u128::from(n).to_be_bytes())
}

fn text(n: u32, bytes: usize) -> OutText {
    OutText {
        op: OpId(n.into()),
        letter: Letter { id: id(n), time: 0, body: "x".repeat(bytes).into(), again: false },
        expires: at(WEEK),
        sent: false,
    }
}

fn at(ms: u64) -> Time {
    Time::at(Duration::from_millis(ms))
}

fn of(count: u32) -> Outbox {
    let mut outbox = Outbox::default();
    for n in 1..=count {
        put(&mut outbox, text(n, 5)).expect("fits");
    }
    outbox
}

fn ids(turn: &[OutText]) -> Vec<MessageId> {
    turn.iter().map(|text| text.letter.id).collect()
}

fn states(news: &[TextNews]) -> Vec<(MessageId, TextState)> {
    news.iter().map(|news| (news.id, news.state)).collect()
}

#[test]
fn a_text_is_delivered_when_its_receipt_is_there_and_not_before() {
    let mut outbox = of(2);
    assert_eq!(ids(&outbox.begin_turn(at(0))), [id(1), id(2)]);
    let news = outbox.turn_ended(2, &[id(2)], TurnEnd::Answered, at(5), NOW);
    assert_eq!(states(&news), [(id(1), TextState::Queued(Hold::NoReceipt)), (id(2), TextState::Delivered)]);
    assert_eq!(ids(&outbox.open().cloned().collect::<Vec<_>>()), [id(1)]);
}

#[test]
fn what_broke_off_is_sent_again_with_its_id_and_says_so_only_where_it_was_written() {
    let mut outbox = of(2);
    outbox.begin_turn(at(0));
    outbox.turn_ended(1, &[], TurnEnd::Held(Hold::Unreachable), at(0), NOW);
    let again = outbox.begin_turn(at(1_000));
    assert_eq!(
        again.iter().map(|text| (text.letter.id, text.letter.again)).collect::<Vec<_>>(),
        [(id(1), true), (id(2), false)]
    );
}

#[test]
fn a_receipt_for_what_was_never_written_counts_for_nothing() {
    let mut outbox = of(2);
    outbox.begin_turn(at(0));
    let news = outbox.turn_ended(1, &[id(1), id(2), id(3)], TurnEnd::Answered, at(0), NOW);
    assert_eq!(states(&news), [(id(1), TextState::Delivered), (id(2), TextState::Queued(Hold::NoReceipt))]);
}

#[test]
fn what_is_typed_during_a_turn_is_the_next_turn() {
    let mut outbox = of(1);
    outbox.begin_turn(at(0));
    put(&mut outbox, text(2, 5)).expect("fits");
    assert!(outbox.begin_turn(at(0)).is_empty());
    assert_eq!(outbox.due(), None);
    outbox.turn_ended(1, &[id(1)], TurnEnd::Answered, at(3), NOW);
    assert_eq!(outbox.due(), Some(at(3)));
    assert_eq!(ids(&outbox.begin_turn(at(3))), [id(2)]);
}

#[test]
fn the_waits_grow_to_a_minute_and_are_shortened_by_up_to_a_quarter() {
    for (jitter, waits) in [
        (0, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]),
        (255, [750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000]),
    ] {
        let (mut outbox, mut now) = (of(1), 0);
        for wait in waits {
            assert_eq!(outbox.begin_turn(at(now)).len(), 1);
            outbox.turn_ended(0, &[], TurnEnd::Held(Hold::NoRoom), at(now), Jitter(jitter));
            assert_eq!(outbox.due(), Some(at(now + wait)));
            now += wait;
        }
    }
}

#[test]
fn who_is_met_is_tried_at_once_but_two_full_ones_do_not_dial_each_other_without_end() {
    let mut outbox = of(1);
    for _ in 0..8 {
        outbox.not_before = at(0);
        outbox.begin_turn(at(0));
        outbox.turn_ended(0, &[], TurnEnd::Held(Hold::NoRoom), at(0), NOW);
    }
    outbox.met(at(200));
    assert_eq!(outbox.due(), Some(at(1_000)));
    outbox.met(at(5_000));
    assert_eq!(outbox.due(), Some(at(1_000)));
    outbox.begin_turn(at(5_000));
    outbox.turn_ended(0, &[], TurnEnd::Held(Hold::NoRoom), at(5_000), NOW);
    assert_eq!(outbox.due(), Some(at(6_000)), "the waits begin anew");
}

#[test]
fn where_nobody_speaks_encrypted_it_is_tried_rarely_until_the_peer_is_met() {
    let mut outbox = of(1);
    for n in 0..MAX_NO_OK {
        assert_ne!(outbox.due(), Some(at(0).plus(NO_OK_WAIT)), "{n}");
        outbox.not_before = at(0);
        outbox.begin_turn(at(0));
        outbox.turn_ended(0, &[], TurnEnd::Held(Hold::NoOk), at(0), NOW);
    }
    assert_eq!(outbox.due(), Some(at(0).plus(NO_OK_WAIT)));
    outbox.met(at(2_000));
    assert_eq!(outbox.due(), Some(at(2_000)));
}

#[test]
fn the_user_is_told_once_why_a_text_waits_and_again_when_the_reason_is_another() {
    let mut outbox = of(1);
    let mut told = Vec::new();
    for (n, hold) in [(0, Hold::Unreachable), (1, Hold::Unreachable), (2, Hold::NoOk)] {
        outbox.begin_turn(at(n * 60_000));
        told.extend(outbox.turn_ended(0, &[], TurnEnd::Held(hold), at(n * 60_000), NOW));
    }
    let expected = [Hold::Unreachable, Hold::NoOk].map(|hold| (id(1), TextState::Queued(hold)));
    assert_eq!(states(&told), expected);
}

#[test]
fn what_is_given_up_on_its_way_is_told_of_when_that_is_over() {
    for (receipts, last) in [(vec![id(1)], TextState::Delivered), (vec![], TextState::Failed(Lost::Blocked))]
    {
        let mut outbox = of(1);
        outbox.begin_turn(at(0));
        put(&mut outbox, text(2, 5)).expect("fits");
        assert_eq!(states(&outbox.give_up(Lost::Blocked)), [(id(2), TextState::Failed(Lost::Blocked))]);
        let news = outbox.turn_ended(1, &receipts, TurnEnd::Held(Hold::Unreachable), at(0), NOW);
        assert_eq!(states(&news), [(id(1), last)]);
        assert!(outbox.is_empty() && outbox.bytes() == 0);
    }
}

#[test]
fn a_turn_is_never_more_than_the_other_side_takes() {
    assert_eq!(
        (MAX_TURN_TEXTS, MAX_TURN_BYTES),
        (MAX_TURN_RECORDS, crate::protocol::session::MAX_TURN_BYTES)
    );
    let record = Record::Text { id: id(1), time: 0, again: true, body: "x".into() };
    assert!(record.encode().len() <= 1 + RECORD_BYTES);
    let mut outbox = Outbox::default();
    for n in 0..5 {
        put(&mut outbox, text(n, MAX_TEXT_BYTES)).expect("fits");
    }
    assert_eq!(outbox.begin_turn(at(0)).len(), 3);
    assert_eq!(Outbox::default().put(text(1, MAX_TURN_BYTES)), Err(NotPut::TooLong));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u32, usize),
    Begin,
    End { written: usize, receipts: Vec<u32>, end: u8, jitter: u8 },
    Met,
    GiveUp,
    Later(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u32..60, prop_oneof![4 => 1usize..99, 1 => Just(65_536)]).prop_map(|(n, bytes)| Step::Put(n, bytes)),
        5 => Just(Step::Begin),
        5 => (0usize..70, prop::collection::vec(0u32..60, 0..40), 0u8..9, any::<u8>())
            .prop_map(|(written, receipts, end, jitter)| Step::End { written, receipts, end, jitter }),
        1 => Just(Step::Met),
        1 => prop::bool::weighted(0.2).prop_map(|up| if up { Step::GiveUp } else { Step::Begin }),
        4 => prop_oneof![0u64..900, 0u64..90_000].prop_map(Step::Later),
    ]
}

fn end(n: u8) -> TurnEnd {
    match n {
        0..=3 => TurnEnd::Answered,
        4 | 5 => TurnEnd::Held(Hold::Unreachable),
        6 => TurnEnd::Held(Hold::NoOk),
        7 => TurnEnd::Held(Hold::NoRoom),
        _ => TurnEnd::Refused(Lost::NotAccepted),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_text_goes_out_in_order_until_it_has_exactly_one_end(steps in prop::collection::vec(step(), 0..120)) {
        let mut outbox = Outbox::default();
        let mut known = Vec::<MessageId>::new();
        let mut ended = BTreeMap::<MessageId, TextState>::new();
        let mut written = BTreeSet::new();
        let (mut turn, mut failed_at, mut now) = (Vec::<OutText>::new(), None::<Time>, at(0));
        for step in steps {
            let mut news = Vec::new();
            match step {
                Step::Put(n, bytes) => {
                    let is_known = known.contains(&id(n));
                    if !is_known && put(&mut outbox, text(n, bytes)).is_ok() {
                        known.push(id(n));
                    } else if is_known && !ended.contains_key(&id(n)) {
                        prop_assert_eq!(put(&mut outbox, text(n, bytes)), Err(NotPut::Doubled));
                    }
                }
                Step::Begin => {
                    let due = outbox.due().is_some_and(|at| at <= now);
                    let begun = outbox.begin_turn(now);
                    prop_assert_eq!(due, !begun.is_empty());
                    if due {
                        prop_assert!(turn.is_empty(), "two turns at once");
                        prop_assert!(failed_at.is_none_or(|end| now.since(end) >= FIRST_WAIT * 3 / 4), "no wait");
                        let open = known.iter().filter(|id| !ended.contains_key(id)).take(begun.len());
                        prop_assert!(open.copied().eq(ids(&begun)), "not the oldest in their order: {begun:?}");
                        for text in &begun {
                            prop_assert_eq!(text.letter.again, written.contains(&text.letter.id), "the mark is not true");
                        }
                        prop_assert!(begun.len() <= MAX_TURN_TEXTS);
                        prop_assert!(begun.iter().map(OutText::bytes).sum::<usize>() <= MAX_TURN_BYTES);
                        turn = begun;
                    }
                }
                Step::End { written: count, receipts, end: n, jitter } if !turn.is_empty() => {
                    written.extend(ids(&turn).into_iter().take(count));
                    let receipts: Vec<_> = receipts.into_iter().map(id).collect();
                    let whole = ids(&turn).iter().all(|id| receipts.contains(id) && written.contains(id));
                    news = outbox.turn_ended(count, &receipts, end(n), now, Jitter(jitter));
                    for text in std::mem::take(&mut turn) {
                        let receipted = receipts.contains(&text.letter.id) && written.contains(&text.letter.id);
                        let told = news.iter().any(|news| (news.id, news.state) == (text.letter.id, TextState::Delivered));
                        prop_assert_eq!(receipted, told, "delivered is what has a receipt, and nothing else");
                    }
                    failed_at = (end(n) != TurnEnd::Answered || !whole).then_some(now);
                }
                Step::End { .. } => {}
                Step::Met => outbox.met(now),
                Step::GiveUp => {
                    news = outbox.give_up(Lost::Blocked);
                    let open: Vec<_> = outbox.open().map(|text| text.letter.id).collect();
                    prop_assert_eq!(open, ids(&turn), "kept what is not on its way");
                }
                Step::Later(ms) => now = now.plus(Duration::from_millis(ms)),
            }
            for news in news {
                prop_assert!(!ended.contains_key(&news.id), "{:?} after its end", news);
                if matches!(news.state, TextState::Delivered | TextState::Failed(_)) {
                    ended.insert(news.id, news.state);
                }
            }
            let open: Vec<_> = outbox.open().map(|text| text.letter.id).collect();
            prop_assert!(known.iter().filter(|id| !ended.contains_key(id)).eq(&open), "a text is lost, or kept after its end");
            prop_assert_eq!(outbox.bytes(), outbox.open().map(OutText::bytes).sum::<usize>());
            prop_assert!(open.len() <= MAX_OPEN_TEXTS && outbox.bytes() <= MAX_OPEN_BYTES);
        }
        // Whatever was before: a peer that takes everything gets everything, each text once more at most.
        if !turn.is_empty() {
            outbox.turn_ended(0, &[], TurnEnd::Held(Hold::Unreachable), now, Jitter(0));
        }
        for _ in 0..MAX_OPEN_TEXTS {
            now = now.plus(NO_OK_WAIT);
            let turn = ids(&outbox.begin_turn(now));
            outbox.turn_ended(turn.len(), &turn, TurnEnd::Answered, now, Jitter(0));
        }
        prop_assert!(outbox.is_empty());
    }
}
