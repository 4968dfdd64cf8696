//! The numbers of messages.

use super::*;

fn number(written: &[StoreResult]) -> i64 {
    match written {
        [StoreResult::Incoming(rows)] => rows[0].row().unwrap().0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_number_is_given_twice() {
    let dir = dir();
    apply(&mut opened(&dir), &[incoming(1, &[1, 2, 3])]);
    let mut store = opened(&dir);
    apply(&mut opened(&dir), &[forget(None, None, None)]);
    assert_eq!(number(&apply(&mut store, &[incoming(1, &[4])])), 4);
    apply(&mut opened(&dir), &[forget(None, None, None)]);
    drop(store);
    // Not by a later run either.
    let mut store = opened(&dir);
    assert_eq!(number(&apply(&mut store, &[incoming(1, &[5])])), 5);
    // Another process has written in the meantime.
    apply(&mut opened(&dir), &[incoming(2, &[6])]);
    assert_eq!(number(&apply(&mut store, &[incoming(1, &[7])])), 7);
}

#[test]
fn message_after_forgotten_ones_is_new() {
    for since in [None, Some(20)] {
        let dir = dir();
        let mut store = opened(&dir);
        store.apply(&[incoming(1, &[1]), incoming(2, &[1])], 10).unwrap();
        store.apply(&[incoming(1, &[2, 3, 4]), incoming(2, &[2])], 20).unwrap();
        store.apply(&[StoreOp::MarkRead(key(1)), StoreOp::MarkRead(key(2))], 20).unwrap();
        store.apply(&[forget(None, since, None)], 30).unwrap();
        drop(store);
        let mut store = opened(&dir);
        assert_eq!(number(&store.apply(&[incoming(1, &[5])], 40).unwrap()), 7);
        let is_new = |entry: &StoredMessage| {
            matches!(entry.direction, crate::model::stored::Direction::Incoming { new: true, .. })
        };
        let new: Vec<_> = entries(&mut store).into_iter().filter(is_new).map(|entry| entry.body).collect();
        assert_eq!(new, ["text 5".into()]);
        assert_eq!(bodies(&mut store, &words("text 5")), ["text 5"]);
        assert_eq!(bodies(&mut store, &words("text 4")), [""; 0]);
    }
}
