//! What both stores promise alike.

mod reading;

use super::*;
use crate::model::stored::Direction;

#[test]
fn a_message_is_read_as_it_was_written() {
    for mut tried in both() {
        let store = &mut *tried.store;
        apply(
            store,
            &[
                StoreOp::Said {
                    to: key(1),
                    name: name("Alice"),
                    message: message(1, "to you\nand\0more \u{202e}"),
                    condition: Condition::Sent,
                    assurance: Assurance::Verified,
                    expires: CLOCK + 7,
                },
                StoreOp::Heard { from: addr(2), name: None, assurance: Assurance::Claimed, body: "".into() },
            ],
        );
        let [ours, theirs] = &entries(store)[..] else { panic!("{}", tried.name) };
        let expected = StoredMessage {
            row: ours.row,
            party: key(1),
            name: name("Alice"),
            way: Direction::Out(Condition::Sent),
            id: Some(id(1)),
            time: CLOCK,
            sent: Some(CLOCK - 5),
            assurance: Assurance::Verified,
            body: "to you\nand\0more \u{202e}".into(),
        };
        assert_eq!(*ours, expected, "{}", tried.name);
        let expected = StoredMessage {
            row: theirs.row,
            party: addr(2),
            name: None,
            way: Direction::In { unshown: false, new: true },
            id: None,
            time: CLOCK,
            sent: None,
            assurance: Assurance::Claimed,
            body: "".into(),
        };
        assert_eq!(*theirs, expected, "{}", tried.name);
        assert!(ours.row < theirs.row);
    }
}

#[test]
fn the_same_text_to_several_is_a_row_for_each() {
    for mut tried in both() {
        let store = &mut *tried.store;
        apply(store, &[said(key(1), 1, "all"), said(key(2), 1, "all"), said(addr(1), 1, "all")]);
        apply(store, &[became(key(2), 1, Condition::Delivered)]);
        let open: Vec<_> = store.open().unwrap().iter().map(|open| open.to).collect();
        assert_eq!(open, [key(1), addr(1)], "{}", tried.name);
    }
}

#[test]
fn a_double_is_known_as_one_in_the_same_turn_later_and_after_it_was_forgotten() {
    for mut tried in both() {
        let store = &mut *tried.store;
        let known = |written: Vec<StoreResult>| match &written[..] {
            [StoreResult::Taken(rows)] => rows.iter().map(Option::is_none).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(known(apply(store, &[taken(1, &[1, 2, 1])])), [false, false, true], "{}", tried.name);
        assert_eq!(known(apply(store, &[taken(1, &[2, 3])])), [true, false]);
        // Ids are their sender's: another may use the same, and so may we.
        assert_eq!(known(apply(store, &[taken(2, &[1])])), [false]);
        apply(store, &[said(key(1), 1, "ours")]);
        apply(store, &[forget(Some(vec![key(1)]), None, None)]);
        assert_eq!(known(apply(store, &[taken(1, &[1, 2, 3, 4])])), [true, true, true, false]);
    }
}

#[test]
fn what_is_said_again_changes_the_text_that_is_there() {
    for mut tried in both() {
        let store = &mut *tried.store;
        apply(store, &[said(key(1), 1, "once"), became(key(1), 1, Condition::Expired)]);
        assert_eq!(store.open().unwrap(), []);
        apply(store, &[said(key(1), 1, "once")]);
        let open = store.open().unwrap();
        assert_eq!((open.len(), open[0].condition), (1, Condition::Queued), "{}", tried.name);
        assert_eq!(entries(store).len(), 1);
        // A receipt has come in the meantime.
        apply(store, &[became(key(1), 1, Condition::Delivered), said(key(1), 1, "once")]);
        assert_eq!(store.open().unwrap(), []);
    }
}

#[test]
fn a_text_that_may_have_been_sent_says_so_from_then_on() {
    for mut tried in both() {
        let store = &mut *tried.store;
        apply(store, &[said(key(1), 1, "a"), said(key(1), 2, "b"), said(key(1), 3, "c")]);
        apply(store, &[became(key(1), 2, Condition::Sent), became(key(1), 3, Condition::Sent)]);
        apply(store, &[became(key(1), 3, Condition::Queued)]);
        let open: Vec<_> =
            store.open().unwrap().iter().map(|open| (open.condition, open.message.again)).collect();
        let expected = [(Condition::Queued, false), (Condition::Sent, true), (Condition::Sent, true)];
        assert_eq!(open, expected, "{}", tried.name);
    }
}

#[test]
fn what_becomes_of_a_text_follows_the_rules_of_the_conditions() {
    let conditions: Vec<_> = (0..=u8::MAX).map_while(Condition::of).collect();
    for mut tried in both() {
        let store = &mut *tried.store;
        let mut number = 0;
        for &from in &conditions {
            for &to in &conditions {
                number += 1;
                apply(
                    store,
                    &[said(key(1), number, "x"), became(key(1), number, from), became(key(1), number, to)],
                );
                let expected = match crate::store::status::may_become(from, to) {
                    // It may have been on its way already.
                    true if (from, to) == (Condition::Sent, Condition::Queued) => Condition::Sent,
                    true => to,
                    false => from,
                };
                let found = entries(store).last().unwrap().way;
                assert_eq!(found, Direction::Out(expected), "{}: {from:?} to {to:?}", tried.name);
            }
        }
        // An unencrypted message is queued again only if it was not sent.
        apply(store, &[said(addr(1), 1, "x"), became(addr(1), 1, Condition::Sent)]);
        apply(store, &[became(addr(1), 1, Condition::Queued)]);
        assert_eq!(entries(store).last().unwrap().way, Direction::Out(Condition::Queued), "{}", tried.name);
        // What is not there does not become anything.
        let before = entries(store);
        apply(store, &[became(key(2), 1, Condition::Sent), became(key(1), 9_999, Condition::Sent)]);
        assert_eq!(entries(store), before);
    }
}

#[test]
fn a_text_is_moved_to_who_it_is_for_and_is_never_there_twice() {
    for mut tried in both() {
        let store = &mut *tried.store;
        apply(store, &[said(addr(1), 1, "first"), said(addr(1), 2, "second"), said(key(1), 2, "second")]);
        let moved = |number| StoreOp::Moved { id: id(number), from: addr(1), to: key(1) };
        apply(store, &[moved(1), moved(2), moved(3)]);
        let found: Vec<_> =
            entries(store).iter().map(|entry| (entry.party, entry.id, entry.assurance)).collect();
        let expected =
            [(key(1), Some(id(1)), Assurance::Encrypted), (key(1), Some(id(2)), Assurance::Encrypted)];
        assert_eq!(found, expected, "{}", tried.name);
        apply(store, &[became(key(1), 1, Condition::Delivered), became(addr(1), 2, Condition::Astray)]);
        assert_eq!(store.open().unwrap().len(), 1);
        assert_eq!(store.parties().unwrap(), [(key(1), None)]);
        let itself = StoreOp::Moved { id: id(2), from: key(1), to: key(1) };
        apply(store, &[itself]);
        assert_eq!(entries(store).len(), 2);
    }
}

#[test]
fn a_text_that_is_moved_gives_its_name_only_to_somebody_without_one() {
    for mut tried in both() {
        let store = &mut *tried.store;
        let text = |to, called: Option<PeerName>, number| match said(to, number, "x") {
            StoreOp::Said { to, message, condition, assurance, expires, .. } => {
                StoreOp::Said { to, name: called, message, condition, assurance, expires }
            }
            other => other,
        };
        let old = || name("Old");
        apply(store, &[text(addr(1), old(), 1), text(addr(1), old(), 2), text(addr(1), old(), 3)]);
        apply(store, &[text(key(1), name("New"), 4), text(key(2), None, 3)]);
        let moved = |number, to| StoreOp::Moved { id: id(number), from: addr(1), to };
        apply(store, &[moved(1, key(1)), moved(2, key(3)), moved(3, key(2))]);
        let parties = [(key(2), None), (key(1), name("New")), (key(3), old())];
        assert_eq!(store.parties().unwrap(), parties, "{}", tried.name);
    }
}

#[test]
fn what_was_shown_and_read_is_remembered() {
    for mut tried in both() {
        let store = &mut *tried.store;
        apply(store, &[taken(1, &[1, 2, 3]), heard(addr(1), "plain"), said(key(1), 9, "ours")]);
        let unshown = store.unshown(10).unwrap();
        assert_eq!(unshown.len(), 3, "{}", tried.name);
        assert_eq!(rows(&store.unshown(2).unwrap()), rows(&unshown)[1..], "the last of them");
        apply(
            store,
            &[StoreOp::Shown(rows(&unshown)[..2].to_vec()), StoreOp::Shown(vec![RowId(77), RowId(5)])],
        );
        assert_eq!(rows(&store.unshown(10).unwrap()), rows(&unshown)[2..]);
        assert_eq!(store.open().unwrap().len(), 1, "only what came is shown");
        apply(store, &[StoreOp::Read(key(1)), StoreOp::Read(key(8)), taken(1, &[4])]);
        let new = |entry: &StoredMessage| matches!(entry.way, Direction::In { new: true, .. });
        let new: Vec<_> =
            entries(store).iter().filter(|entry| new(entry)).map(|entry| entry.body.to_string()).collect();
        assert_eq!(new, ["plain", "text 4"], "{}", tried.name);
    }
}

#[test]
fn forgetting_takes_what_was_chosen_and_leaves_what_waits() {
    for mut tried in both() {
        let store = &mut *tried.store;
        for (clock, from) in [(10, 1), (20, 2), (30, 1)] {
            store.apply(&[taken(from, &[clock]), said(key(from), clock, "waits")], clock.into()).unwrap();
        }
        apply(store, &[became(key(2), 20, Condition::Delivered)]);
        let gone = |store: &mut dyn Store, write| match apply(store, &[write])[..] {
            [StoreResult::Forgotten(gone, stay)] => (gone, stay),
            ref other => panic!("{other:?}"),
        };
        assert_eq!(gone(store, forget(None, Some(20), Some(20))), (0, 0), "{}", tried.name);
        assert_eq!(gone(store, forget(Some(vec![]), None, None)), (0, 0));
        assert_eq!(gone(store, forget(Some(vec![key(9)]), None, None)), (0, 0));
        assert_eq!(gone(store, forget(Some(vec![key(1)]), Some(20), None)), (1, 1));
        assert_eq!(gone(store, forget(None, None, Some(21))), (3, 1));
        assert_eq!(entries(store).len(), 2);
        assert_eq!(store.parties().unwrap().len(), 1, "who has no messages is not listed");
        assert_eq!(gone(store, forget(None, None, None)), (0, 2));
        assert_eq!(store.open().unwrap().len(), 2);
        // The numbers of those that are gone are not given again.
        apply(store, &[became(key(1), 30, Condition::Delivered)]);
        let last = entries(store).last().unwrap().row;
        assert_eq!(gone(store, forget(None, None, None)), (1, 1));
        apply(store, &[heard(addr(1), "new")]);
        assert!(entries(store).last().unwrap().row > last);
    }
}
