use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::chat::{FIRST_WAIT, MAX_OPEN_TEXTS, Meeting, NO_OK_WAIT, OpId, Policy, Trusted, Verdict};
use crate::model::address::{PeerAddr, Source};
use crate::model::name::PeerName;
use crate::model::session::{Hold, Letter};

fn key(n: u8) -> PublicKey {
    PublicKey::new([n; 32])
}

fn id(n: u32) -> MessageId {
    MessageId::new(u128::from(n).to_be_bytes())
}

fn text(n: u32, bytes: usize) -> OutText {
    OutText {
        op: OpId(n.into()),
        letter: Letter { id: id(n), time: 0, body: "x".repeat(bytes).into(), again: false },
        expires: at(7 * 24 * 3_600_000),
        sent: false,
    }
}

/// Puts a text in that is written down.
fn put(all: &mut Outboxes, to: Writable<'_>, text: OutText) -> Result<(), NotPut> {
    let id = text.letter.id;
    all.put(to, text)?;
    all.stored(to.key(), id, at(0));
    Ok(())
}

fn at(ms: u64) -> Time {
    Time::at(Duration::from_millis(ms))
}

/// Keys 1 to `count` are pinned.
fn trusting(count: u8) -> Trusted {
    let mut trusted = Trusted::new(key(99), Policy::AcceptNew);
    for n in 1..=count {
        let ip = Ipv4Addr::new(192, 0, 2, n);
        let addr = PeerAddr::new(ip, 5000).expect("valid");
        let name = Some(PeerName::new(&format!("peer-{n}")));
        let met = Meeting { key: key(n), name, addr, dialled: true, source: Source::from(ip), date: 0 };
        assert_eq!(trusted.met(met, &|_| true), Verdict::Pinned);
    }
    trusted
}

#[test]
fn the_body_of_a_text_to_many_is_held_once() {
    let (trusted, mut all) = (trusting(2), Outboxes::default());
    for n in 1..=2 {
        put(&mut all, trusted.writable(key(n)).unwrap(), text(1, 1_000)).expect("fits");
    }
    assert_eq!(all.bytes(), 1_000 + 2 * ENTRY_BYTES);
    all.give_up(key(1), Lost::Left);
    assert_eq!(all.bytes(), 1_000 + ENTRY_BYTES);
    all.give_up(key(2), Lost::Left);
    assert_eq!((all.bytes(), all.of.len(), all.bodies.len()), (0, 0, 0));
}

#[test]
fn all_together_hold_no_more_than_their_bound() {
    let (trusted, mut all) = (trusting(90), Outboxes::default());
    let mut refused = 0;
    for n in 0..90 * 60u32 {
        let put = put(&mut all, trusted.writable(key((n % 90) as u8 + 1)).unwrap(), text(n, 65_000));
        assert!(all.bytes() <= MAX_ALL_BYTES);
        refused += usize::from(put == Err(NotPut::Full));
    }
    assert!(refused > 0 && all.bytes() > MAX_ALL_BYTES - 66_000);
}

#[test]
fn what_is_for_an_old_key_goes_to_the_one_that_is_trusted_in_its_place() {
    let (trusted, mut all) = (trusting(2), Outboxes::default());
    let (old, new) = (trusted.writable(key(1)).unwrap(), trusted.writable(key(2)).unwrap());
    put(&mut all, old, text(1, 5)).expect("fits");
    all.begin_turn(old, at(0));
    put(&mut all, old, text(2, 5)).expect("fits");
    put(&mut all, old, text(3, 5)).expect("fits");
    assert_eq!(all.follow(key(1), new), (vec![id(2), id(3)], vec![]));
    for n in [2, 3] {
        all.stored(key(2), id(n), at(0));
    }
    assert_eq!(
        all.begin_turn(new, at(0)).iter().map(|text| text.letter.id).collect::<Vec<_>>(),
        [id(2), id(3)]
    );
    let news = all.turn_ended(key(1), 1, &[], TurnEnd::Held(Hold::Unreachable), at(0), Jitter(0));
    assert_eq!(news, [OutText { sent: true, ..text(1, 5) }.news(TextState::Failed(Lost::Replaced))]);
    assert_eq!(all.due(at(9_000_000)), None, "the old key gets another turn");
}

#[test]
fn what_does_not_fit_when_two_become_one_is_told_of() {
    let (trusted, mut all) = (trusting(2), Outboxes::default());
    let (old, new) = (trusted.writable(key(1)).unwrap(), trusted.writable(key(2)).unwrap());
    for n in 0..MAX_OPEN_TEXTS as u32 {
        put(&mut all, new, text(n, 5)).expect("fits");
    }
    put(&mut all, old, text(0, 5)).expect("fits");
    let last = MAX_OPEN_TEXTS as u32;
    put(&mut all, old, text(last, 5)).expect("fits");
    let (moved, news) = all.follow(key(1), new);
    // The first was for both.
    assert_eq!(moved, [id(0)]);
    assert_eq!(news, [text(last, 5).news(TextState::Failed(Lost::TooMany))]);
    assert_eq!(all.open(key(2)).count(), MAX_OPEN_TEXTS);
}

#[derive(Clone, Debug)]
enum Step {
    Put { key: u8, id: u32, bytes: usize },
    Serve { ends: u8 },
    Block(u8),
    Met(u8),
    Later(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 1u8..5;
    prop_oneof![
        6 => (key(), 0u32..30, 1usize..9).prop_map(|(key, id, bytes)| Step::Put { key, id, bytes }),
        6 => (0u8..4).prop_map(|ends| Step::Serve { ends }),
        1 => prop::option::weighted(0.3, key()).prop_map(|key| key.map_or(Step::Later(1), Step::Block)),
        1 => key().prop_map(Step::Met),
        4 => (0u64..40_000).prop_map(Step::Later),
    ]
}

proptest! {
    #[test]
    fn a_blocked_key_gets_no_turn_and_everybody_else_gets_theirs(steps in prop::collection::vec(step(), 0..100)) {
        let (mut trusted, mut all, mut now) = (trusting(4), Outboxes::default(), at(0));
        let mut under_way: Vec<(PublicKey, Vec<MessageId>, u8)> = Vec::new();
        let mut blocked = BTreeSet::new();
        for step in steps {
            match step {
                Step::Put { key: n, id: m, bytes } => match trusted.writable(key(n)) {
                    Some(to) => drop(put(&mut all, to, text(m, bytes + m as usize))),
                    None => prop_assert!(blocked.contains(&key(n))),
                },
                Step::Serve { ends } => {
                    while let Some(due) = all.due(now) {
                        let to = trusted.writable(due);
                        prop_assert!(to.is_some() && !blocked.contains(&due), "a blocked key gets a turn");
                        let turn = all.begin_turn(to.unwrap(), now);
                        prop_assert!(!turn.is_empty() && under_way.iter().all(|(key, ..)| *key != due));
                        under_way.push((due, turn.iter().map(|text| text.letter.id).collect(), ends));
                    }
                    under_way.retain(|(key, ids, ends)| {
                        let end = match ends {
                            0 => TurnEnd::Answered,
                            1 => TurnEnd::Held(Hold::WrongKey),
                            2 => TurnEnd::Refused(Lost::NotAccepted),
                            _ => return true,
                        };
                        let receipts = if *ends == 0 { &ids[..] } else { &[] };
                        all.turn_ended(*key, ids.len(), receipts, end, now, Jitter(0));
                        false
                    });
                    under_way.iter_mut().for_each(|(.., ends)| *ends -= 1);
                }
                Step::Block(n) => {
                    trusted.block(key(n)).expect("pinned");
                    blocked.insert(key(n));
                    all.give_up(key(n), Lost::Blocked);
                }
                Step::Met(n) => all.met(key(n), now),
                Step::Later(ms) => now = now.plus(Duration::from_millis(ms)),
            }
            let sum: usize = all.bodies.iter().map(|(_, (count, body))| body + count * ENTRY_BYTES).sum();
            prop_assert_eq!(all.bytes(), sum);
            let mut open = HashMap::<MessageId, usize>::new();
            all.of.values().flat_map(Outbox::open).for_each(|text| *open.entry(text.letter.id).or_default() += 1);
            prop_assert_eq!(open, all.bodies.iter().map(|(id, (count, _))| (*id, *count)).collect::<HashMap<_, _>>());
            let due: BTreeSet<_> = all.of.iter().filter_map(|(key, outbox)| Some((outbox.due()?, *key))).collect();
            prop_assert_eq!(&all.schedule, &due);
            prop_assert!(all.of.values().all(|outbox| !outbox.is_empty()), "an empty outbox is kept");
        }
        for (key, ids, _) in under_way {
            all.turn_ended(key, ids.len(), &[], TurnEnd::Held(Hold::NoRoom), now, Jitter(0));
        }
        now = now.plus(NO_OK_WAIT.max(FIRST_WAIT));
        // Of four keys each has at most 30 texts; more turns than that are turns for nothing.
        for _ in 0..4 * 30 {
            let Some(due) = all.due(now) else { break };
            let ids: Vec<_> = all.begin_turn(trusted.writable(due).unwrap(), now).iter().map(|text| text.letter.id).collect();
            all.turn_ended(due, ids.len(), &ids, TurnEnd::Answered, now, Jitter(0));
        }
        prop_assert_eq!((all.bytes(), all.of.len(), all.schedule.len()), (0, 0, 0), "somebody is forgotten");
    }
}
