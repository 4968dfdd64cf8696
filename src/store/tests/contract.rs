//! What a store promises. In memory it is the same database, which the simulator tests as well;
//! only searches differ there.

mod reading;

use super::*;
use crate::store::status::Columns;
use crate::store::status::tests::all as all_statuses;

#[test]
fn message_is_read_as_it_was_written() {
    let dir = dir();
    let store = &mut opened(&dir);
    apply(
        store,
        &[
            StoreOp::Outgoing {
                to: key(1),
                name: name("Alice"),
                message: Message { to_all: true, ..message(1, "to you\nand\0more \u{202e}") },
                status: ATTEMPTED.0,
                attempted: true,
                assurance: Assurance::Verified,
                expires: CLOCK + 7,
            },
            StoreOp::IncomingPlain {
                from: addr(2),
                name: None,
                assurance: Assurance::Claimed,
                stranger: None,
                body: "".into(),
            },
        ],
    );
    let [ours, theirs] = &entries(store)[..] else { panic!("not two") };
    let expected = StoredMessage {
        row: ours.row,
        peer: key(1),
        name: name("Alice"),
        direction: Direction::Outgoing { status: ATTEMPTED.0, attempted: true },
        id: Some(id(1)),
        to_all: true,
        time: CLOCK,
        sent: Some(CLOCK - 5),
        assurance: Assurance::Verified,
        body: "to you\nand\0more \u{202e}".into(),
    };
    assert_eq!(*ours, expected);
    let expected = StoredMessage {
        row: theirs.row,
        peer: addr(2),
        name: None,
        direction: Direction::Incoming { unshown: false, new: true },
        id: None,
        to_all: false,
        time: CLOCK,
        sent: None,
        assurance: Assurance::Claimed,
        body: "".into(),
    };
    assert_eq!(*theirs, expected);
    assert!(ours.row < theirs.row);
}

#[test]
fn message_to_several_has_a_row_for_each() {
    let dir = dir();
    let store = &mut opened(&dir);
    apply(store, &[outgoing(key(1), 1, "all"), outgoing(key(2), 1, "all"), outgoing(addr(1), 1, "all")]);
    apply(store, &[changed(key(2), 1, done(DeliveryStatus::Delivered))]);
    let open: Vec<_> = store.queued().unwrap().iter().map(|open| open.to).collect();
    assert_eq!(open, [key(1), addr(1)]);
}

#[test]
fn duplicate_is_known_even_after_forgetting() {
    let dir = dir();
    let store = &mut opened(&dir);
    let known = |written: Vec<StoreResult>| match &written[..] {
        [StoreResult::Incoming(rows)] => rows.iter().map(|it| *it == Stored::Duplicate).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(known(apply(store, &[incoming(1, &[1, 2, 1])])), [false, false, true]);
    assert_eq!(known(apply(store, &[incoming(1, &[2, 3])])), [true, false]);
    // Ids are their sender's: another may use the same, and so may we.
    assert_eq!(known(apply(store, &[incoming(2, &[1])])), [false]);
    apply(store, &[outgoing(key(1), 1, "ours")]);
    apply(store, &[forget(Some(vec![key(1)]), None, None)]);
    assert_eq!(known(apply(store, &[incoming(1, &[1, 2, 3, 4])])), [true, true, true, false]);
}

#[test]
fn resent_message_reuses_its_row() {
    let dir = dir();
    let store = &mut opened(&dir);
    apply(store, &[outgoing(key(1), 1, "once"), changed(key(1), 1, done(DeliveryStatus::Expired))]);
    assert_eq!(store.queued().unwrap(), []);
    apply(store, &[outgoing(key(1), 1, "once")]);
    let open = store.queued().unwrap();
    assert_eq!((open.len(), open[0].attempted), (1, false));
    assert_eq!(entries(store).len(), 1);
    // A receipt has come in the meantime.
    apply(store, &[changed(key(1), 1, done(DeliveryStatus::Delivered)), outgoing(key(1), 1, "once")]);
    assert_eq!(store.queued().unwrap(), []);
}

#[test]
fn attempted_message_to_a_key_stays_marked() {
    let dir = dir();
    let store = &mut opened(&dir);
    apply(store, &[outgoing(key(1), 1, "a"), outgoing(key(1), 2, "b"), outgoing(key(1), 3, "c")]);
    apply(store, &[changed(key(1), 2, ATTEMPTED), changed(key(1), 3, ATTEMPTED)]);
    apply(store, &[changed(key(1), 3, QUEUED)]);
    let open: Vec<_> =
        store.queued().unwrap().iter().map(|open| (open.attempted, open.message.again)).collect();
    let expected = [(false, false), (true, true), (true, true)];
    assert_eq!(open, expected);
}

#[test]
fn status_changes_follow_the_rules() {
    let dir = dir();
    let store = &mut opened(&dir);
    let mut number = 0;
    for from in all_statuses() {
        for to in all_statuses() {
            number += 1;
            apply(
                store,
                &[
                    outgoing(key(1), number, "x"),
                    changed(key(1), number, from.clone()),
                    changed(key(1), number, to.clone()),
                ],
            );
            let columns = |(status, attempted): &StoredStatus| Columns::of(status, *attempted);
            let expected = match columns(&from).may_become(columns(&to)) {
                // It may have been on its way already.
                true if (&from, &to) == (&ATTEMPTED, &QUEUED) => ATTEMPTED,
                true => to.clone(),
                false => from.clone(),
            };
            let found = entries(store).pop().unwrap().direction;
            assert_eq!(found, direction(expected), "{from:?} to {to:?}");
        }
    }
    // An unencrypted message is queued again only if it was not sent.
    apply(store, &[outgoing(addr(1), 1, "x"), changed(addr(1), 1, ATTEMPTED)]);
    apply(store, &[changed(addr(1), 1, QUEUED)]);
    assert_eq!(entries(store).pop().unwrap().direction, direction(QUEUED));
    // What is not there does not become anything.
    let before = entries(store);
    apply(store, &[changed(key(2), 1, ATTEMPTED), changed(key(1), 9_999, ATTEMPTED)]);
    assert_eq!(entries(store), before);
}

#[test]
fn only_a_new_send_reopens_a_final_message() {
    let dir = dir();
    let store = &mut opened(&dir);
    let is_final = |(status, _): &StoredStatus| status.is_final();
    for (number, from) in (1..).zip(all_statuses().into_iter().filter(is_final)) {
        let resent = match outgoing(addr(1), number, "x") {
            StoreOp::Outgoing { to, name, message, status, assurance, expires, .. } => {
                StoreOp::Outgoing { to, name, message, status, attempted: true, assurance, expires }
            }
            other => other,
        };
        apply(store, &[outgoing(addr(1), number, "x"), changed(addr(1), number, from.clone())]);
        apply(store, &[changed(addr(1), number, QUEUED)]);
        assert_eq!(entries(store).pop().unwrap().direction, direction(from.clone()));
        apply(store, &[resent]);
        let is_reopened = Columns::of(&from.0, from.1).may_be_resent();
        let expected = if is_reopened { ATTEMPTED } else { from };
        assert_eq!(entries(store).pop().unwrap().direction, direction(expected));
    }
}

#[test]
fn moved_message_is_never_there_twice() {
    let dir = dir();
    let store = &mut opened(&dir);
    apply(
        store,
        &[outgoing(addr(1), 1, "first"), outgoing(addr(1), 2, "second"), outgoing(key(1), 2, "second")],
    );
    let moved = |number| StoreOp::Move { id: id(number), from: addr(1), to: key(1) };
    apply(store, &[moved(1), moved(2), moved(3)]);
    let found: Vec<_> = entries(store).iter().map(|entry| (entry.peer, entry.id, entry.assurance)).collect();
    let expected = [(key(1), Some(id(1)), Assurance::Encrypted), (key(1), Some(id(2)), Assurance::Encrypted)];
    assert_eq!(found, expected);
    apply(
        store,
        &[
            changed(key(1), 1, done(DeliveryStatus::Delivered)),
            changed(addr(1), 2, done(DeliveryStatus::Failed(FailureReason::ReachedAnother(None)))),
        ],
    );
    assert_eq!(store.queued().unwrap().len(), 1);
    assert_eq!(store.peers().unwrap(), [(key(1), None)]);
    let itself = StoreOp::Move { id: id(2), from: key(1), to: key(1) };
    apply(store, &[itself]);
    assert_eq!(entries(store).len(), 2);
}

#[test]
fn moved_message_names_only_a_nameless_peer() {
    let dir = dir();
    let store = &mut opened(&dir);
    let text = |to, called: Option<PeerName>, number| match outgoing(to, number, "x") {
        StoreOp::Outgoing { to, message, status, attempted, assurance, expires, .. } => {
            StoreOp::Outgoing { to, name: called, message, status, attempted, assurance, expires }
        }
        other => other,
    };
    let old = || name("Old");
    apply(store, &[text(addr(1), old(), 1), text(addr(1), old(), 2), text(addr(1), old(), 3)]);
    apply(store, &[text(key(1), name("New"), 4), text(key(2), None, 3)]);
    let moved = |number, to| StoreOp::Move { id: id(number), from: addr(1), to };
    apply(store, &[moved(1, key(1)), moved(2, key(3)), moved(3, key(2))]);
    let peers = [(key(2), None), (key(1), name("New")), (key(3), old())];
    assert_eq!(store.peers().unwrap(), peers);
}

#[test]
fn shown_and_read_marks_are_stored() {
    let dir = dir();
    let store = &mut opened(&dir);
    apply(store, &[incoming(1, &[1, 2, 3]), incoming_plain(addr(1), "plain"), outgoing(key(1), 9, "ours")]);
    let unshown = store.unshown(10).unwrap();
    assert_eq!(unshown.len(), 3);
    assert_eq!(rows(&store.unshown(2).unwrap()), rows(&unshown)[1..], "the last of them");
    apply(
        store,
        &[StoreOp::MarkShown(rows(&unshown)[..2].to_vec()), StoreOp::MarkShown(vec![RowId(77), RowId(5)])],
    );
    assert_eq!(rows(&store.unshown(10).unwrap()), rows(&unshown)[2..]);
    assert_eq!(store.queued().unwrap().len(), 1, "only what came is shown");
    apply(store, &[StoreOp::MarkRead(key(1)), StoreOp::MarkRead(key(8)), incoming(1, &[4])]);
    let new = |entry: &StoredMessage| matches!(entry.direction, Direction::Incoming { new: true, .. });
    let new: Vec<_> =
        entries(store).iter().filter(|entry| new(entry)).map(|entry| entry.body.to_string()).collect();
    assert_eq!(new, ["plain", "text 4"]);
}

#[test]
fn forgetting_leaves_queued_messages() {
    let dir = dir();
    let store = &mut opened(&dir);
    for (clock, from) in [(10, 1), (20, 2), (30, 1)] {
        store.apply(&[incoming(from, &[clock]), outgoing(key(from), clock, "waits")], clock.into()).unwrap();
    }
    apply(store, &[changed(key(2), 20, done(DeliveryStatus::Delivered))]);
    let gone = |store: &mut Sqlite, write| match apply(store, &[write])[..] {
        [StoreResult::Forgotten { removed, queued }] => (removed, queued),
        ref other => panic!("{other:?}"),
    };
    assert_eq!(gone(store, forget(None, Some(20), Some(20))), (0, 0));
    assert_eq!(gone(store, forget(Some(vec![]), None, None)), (0, 0));
    assert_eq!(gone(store, forget(Some(vec![key(9)]), None, None)), (0, 0));
    assert_eq!(gone(store, forget(Some(vec![key(1)]), Some(20), None)), (1, 1));
    assert_eq!(gone(store, forget(None, None, Some(21))), (3, 1));
    assert_eq!(entries(store).len(), 2);
    assert_eq!(store.peers().unwrap().len(), 1, "who has no messages is not listed");
    assert_eq!(gone(store, forget(None, None, None)), (0, 2));
    assert_eq!(store.queued().unwrap().len(), 2);
    // The numbers of those that are gone are not given again.
    apply(store, &[changed(key(1), 30, done(DeliveryStatus::Delivered))]);
    let last = entries(store).last().unwrap().row;
    assert_eq!(gone(store, forget(None, None, None)), (1, 1));
    apply(store, &[incoming_plain(addr(1), "new")]);
    assert!(entries(store).last().unwrap().row > last);
}
