//! A store in a file and one in memory give the same answers for any writes in any order.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Write(StoreOp),
    /// The messages at these places have been shown.
    Shown(Vec<usize>),
    /// The program was ended and started again.
    Again,
}

fn a_peer() -> impl Strategy<Value = Recipient> {
    prop_oneof![(0..3u8).prop_map(key), (1..3u16).prop_map(addr)]
}

fn a_name() -> impl Strategy<Value = Option<PeerName>> {
    proptest::option::of("[AB]").prop_map(|text| text.map(|text| PeerName::new(&text)))
}

fn an_assurance() -> impl Strategy<Value = Assurance> {
    (0..4usize)
        .prop_map(|at| [Assurance::Plain, Assurance::Encrypted, Assurance::Verified, Assurance::Claimed][at])
}

fn a_message() -> impl Strategy<Value = Message> {
    (0..6u32, any::<[bool; 2]>(), "[abc]( [abc]){0,2}").prop_map(|(number, [again, to_all], body)| Message {
        again,
        to_all,
        ..message(number, &body)
    })
}

fn a_status() -> impl Strategy<Value = StoredStatus> {
    proptest::sample::select(crate::store::status::tests::all())
}

fn a_write() -> impl Strategy<Value = StoreOp> {
    let peers = proptest::option::of(proptest::collection::vec(a_peer(), 0..3));
    let time = || proptest::option::of(0..50u64);
    prop_oneof![
        (a_peer(), a_name(), a_message(), a_status(), an_assurance(), 0..9u64).prop_map(
            |(to, name, message, (status, attempted), assurance, expires)| StoreOp::Outgoing {
                to,
                name,
                message,
                status,
                attempted,
                assurance,
                expires
            }
        ),
        (a_peer(), 0..6u32, a_status()).prop_map(|(to, number, status)| changed(to, number, status)),
        (0..6u32, a_peer(), a_peer()).prop_map(|(number, from, to)| StoreOp::Move {
            id: id(number),
            from,
            to
        }),
        (a_peer(), a_name(), an_assurance(), "[abc]").prop_map(|(from, name, assurance, body)| {
            StoreOp::IncomingPlain { from, name, assurance, stranger: None, body: body.into() }
        }),
        (0..3u8, a_name(), an_assurance(), proptest::collection::vec(a_message(), 0..4)).prop_map(
            |(from, name, assurance, messages)| StoreOp::Incoming {
                from: peer_key(from),
                name,
                assurance,
                stranger: None,
                messages
            }
        ),
        a_peer().prop_map(StoreOp::MarkRead),
        (peers, time(), time()).prop_map(|(with, since, until)| forget(with, since, until)),
    ]
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => a_write().prop_map(Step::Write),
        2 => proptest::collection::vec(0..8usize, 0..3).prop_map(Step::Shown),
        1 => Just(Step::Again),
    ]
}

/// Everything that a store answers, but for the numbers of the messages, which need not be the
/// same.
type Answers = (Vec<Vec<StoredMessage>>, Vec<(Recipient, Option<PeerName>)>, Vec<QueuedMessage>);

fn answers(store: &mut dyn Store) -> Answers {
    let queries = [
        all(),
        with(&[key(1), addr(1)]),
        Query { which: Selection { since: Some(10), until: Some(30), ..Selection::default() }, ..all() },
        Query { limit: 2, ..words("a") },
        Query { words: Some("b c".into()), ..with(&[key(0), addr(1)]) },
    ];
    let mut read: Vec<_> = queries.iter().map(|query| store.messages(query).unwrap()).collect();
    read.push(store.unshown(3).unwrap());
    read.iter_mut().flatten().for_each(|entry| entry.row = RowId(0));
    (read, store.peers().unwrap(), store.queued().unwrap())
}

/// What became of it, but for the numbers of the messages.
fn without_numbers(written: Vec<StoreResult>) -> Vec<StoreResult> {
    let same = |written| match written {
        StoreResult::Incoming(each) => {
            let same = |stored| if let Stored::New(_) = stored { Stored::New(RowId(0)) } else { stored };
            StoreResult::Incoming(each.into_iter().map(same).collect())
        }
        other => other,
    };
    written.into_iter().map(same).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_twins_answer_alike(turns in proptest::collection::vec(proptest::collection::vec(a_step(), 1..4), 1..20)) {
        let dir = TempDir::new().unwrap();
        let (mut sqlite, mut memory) = (Sqlite::open(&file(dir.path())).unwrap(), in_memory().unwrap());
        for (clock, turn) in turns.into_iter().enumerate() {
            let (mut to_sqlite, mut to_memory) = (Vec::new(), Vec::new());
            for step in turn {
                match step {
                    Step::Write(write) => {
                        to_sqlite.push(write.clone());
                        to_memory.push(write);
                    }
                    Step::Shown(places) => {
                        let shown = |store: &mut dyn Store| {
                            let entries = entries(store);
                            StoreOp::MarkShown(places.iter().filter_map(|at| Some(entries.get(*at)?.row)).collect())
                        };
                        to_sqlite.push(shown(&mut sqlite));
                        to_memory.push(shown(&mut memory));
                    }
                    Step::Again => {
                        drop(sqlite);
                        sqlite = Sqlite::open(&file(dir.path())).unwrap();
                    }
                }
            }
            let written = sqlite.apply(&to_sqlite, clock as u64).unwrap();
            prop_assert_eq!(without_numbers(written), without_numbers(memory.apply(&to_memory, clock as u64).unwrap()));
            prop_assert_eq!(answers(&mut sqlite), answers(&mut memory));
        }
    }
}
