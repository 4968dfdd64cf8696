//! The numbers of messages.

use super::*;
use crate::model::stored::{Entry, Way, Written};

fn number(written: &[Written]) -> i64 {
    match written {
        [Written::Taken(rows)] => rows[0].unwrap().0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn none_is_given_twice_while_the_file_is_open_whoever_forgets_the_newest() {
    let dir = dir();
    apply(&mut opened(&dir), &[taken(1, &[1, 2, 3])]);
    let mut store = opened(&dir);
    apply(&mut opened(&dir), &[forget(None, None, None)]);
    assert_eq!(number(&apply(&mut store, &[taken(1, &[4])])), 4, "there were three when it was opened");
    apply(&mut opened(&dir), &[forget(None, None, None)]);
    assert_eq!(number(&apply(&mut store, &[taken(1, &[5])])), 5);
    apply(&mut store, &[forget(None, None, None)]);
    assert_eq!(number(&apply(&mut store, &[taken(1, &[6])])), 6);
    // Another one has written in the meantime.
    apply(&mut opened(&dir), &[taken(2, &[7])]);
    assert_eq!(number(&apply(&mut store, &[taken(1, &[8])])), 8);
    // A double takes none.
    apply(&mut store, &[said(key(1), 1, "once"), said(key(1), 1, "once")]);
    assert_eq!(number(&apply(&mut store, &[taken(1, &[9])])), 10);
}

#[test]
fn a_message_that_gets_the_number_of_one_that_is_gone_is_new_and_can_be_found() {
    for (since, first) in [(None, 1), (Some(20), 3)] {
        let dir = dir();
        let mut store = opened(&dir);
        store.apply(&[taken(1, &[1]), taken(2, &[1])], 10).unwrap();
        store.apply(&[taken(1, &[2, 3, 4]), taken(2, &[2])], 20).unwrap();
        store.apply(&[Write::Read(key(1)), Write::Read(key(2))], 20).unwrap();
        while store.idle().unwrap() {}
        store.apply(&[forget(None, since, None)], 30).unwrap();
        drop(store);
        let mut store = opened(&dir);
        let written = store.apply(&[taken(1, &[5])], 40).unwrap();
        assert_eq!(number(&written), first);
        let written = store.apply(&[taken(2, &[6])], 40).unwrap();
        assert_eq!(number(&written), first + 1);
        let is_new = |entry: &Entry| matches!(entry.way, Way::In { new: true, .. });
        let new: Vec<_> = entries(&mut store).into_iter().filter(is_new).map(|entry| entry.body).collect();
        assert_eq!(new, ["text 5".into(), "text 6".into()]);
        for _ in 0..2 {
            assert_eq!(bodies(&mut store, &words("text 5")), ["text 5"]);
            assert_eq!(bodies(&mut store, &words("text 6")), ["text 6"]);
            assert_eq!(bodies(&mut store, &words("text 4")), [""; 0]);
            while store.idle().unwrap() {}
        }
        let whole = "INSERT INTO search (search, rank) VALUES ('integrity-check', 1)";
        store.conn.execute_batch(whole).unwrap();
        store.check().unwrap();
    }
}
