//! A clock that may be wrong.

use super::*;
use crate::store::clock::{AGREES_WITHIN, DOUBTFUL_AFTER, NOTED_EVERY};

const YEAR: u64 = 365 * 24 * 3_600_000;

/// Returns a store whose recorded clock is [`CLOCK`].
fn noted(dir: &TempDir) -> Sqlite {
    let mut store = opened(dir);
    apply(&mut store, &[incoming(1, &[1])]);
    assert_eq!(store.note_clock(CLOCK), Ok(None));
    store
}

/// A message of a contact or a stranger, typed at this time by its clock.
fn typed_at(time: u64, number: u32, again: bool, stranger: bool) -> StoreOp {
    let message = Message { time, again, ..message(number, "typed") };
    let stranger =
        stranger.then(|| crate::model::address::Source::from(std::net::Ipv4Addr::LOCALHOST).share());
    let (from, assurance) = (peer_key(1), Assurance::Encrypted);
    StoreOp::Incoming { from, name: None, assurance, stranger, messages: vec![message] }
}

fn expiry(store: &mut Sqlite) -> i64 {
    store.conn.query_row("SELECT expires FROM message WHERE status = 0", [], |row| row.get(0)).unwrap()
}

#[test]
fn clock_far_from_the_noted_one_is_doubtful() {
    let dir = dir();
    let mut store = noted(&dir);
    for near in [CLOCK + DOUBTFUL_AFTER, CLOCK - DOUBTFUL_AFTER] {
        assert_eq!(store.doubt(near), Ok(None));
    }
    for far in [CLOCK + DOUBTFUL_AFTER + 1, CLOCK - DOUBTFUL_AFTER - 1, 0, u64::MAX] {
        assert_eq!(store.note_clock(far), Ok(Some(CLOCK)), "{far}");
    }
    assert_eq!(in_memory().unwrap().note_clock(CLOCK + YEAR), Ok(None));
}

#[test]
fn right_clock_is_noted_once_an_hour() {
    let dir = dir();
    let mut store = noted(&dir);
    for (clock, expected) in [(CLOCK + NOTED_EVERY - 1, CLOCK), (CLOCK + NOTED_EVERY, CLOCK + NOTED_EVERY)] {
        assert_eq!(store.note_clock(clock), Ok(None));
        assert_eq!(opened(&dir).doubt(u64::MAX), Ok(Some(expected)));
    }
}

#[test]
fn messages_under_a_doubtful_clock_are_no_sign() {
    let dir = dir();
    noted(&dir);
    for number in 2..=5 {
        let mut store = opened(&dir);
        store.apply(&[typed_at(CLOCK, number, false, false)], CLOCK + YEAR).unwrap();
        assert_eq!(store.note_clock(CLOCK + YEAR), Ok(Some(CLOCK)));
    }
    assert_eq!(opened(&dir).note_clock(CLOCK + 1), Ok(None));
}

#[test]
fn last_message_counts_without_a_note() {
    let dir = dir();
    let mut store = opened(&dir);
    assert_eq!(store.note_clock(CLOCK), Ok(None));
    apply(&mut store, &[incoming(1, &[1])]);
    store.conn.execute("DELETE FROM meta", []).unwrap();
    drop(store);
    let later = CLOCK + YEAR;
    // The doubt remains, although messages are stored under the doubtful clock.
    for number in [2, 3] {
        let mut store = opened(&dir);
        assert_eq!(store.note_clock(later), Ok(Some(CLOCK)));
        store.apply(&[incoming(1, &[number])], later).unwrap();
    }
}

#[test]
fn only_contacts_message_of_now_ends_doubt() {
    let dir = dir();
    let mut store = noted(&dir);
    let (now, far) = (CLOCK + YEAR, CLOCK + YEAR - AGREES_WITHIN - 1);
    for (number, time, again, stranger) in
        [(2, CLOCK, false, false), (3, far, false, false), (4, now, true, false), (5, now, false, true)]
    {
        store.apply(&[typed_at(time, number, again, stranger)], now).unwrap();
        assert_eq!(store.note_clock(now), Ok(Some(CLOCK)), "{number}");
    }
    store.apply(&[typed_at(far + 1, 6, false, false)], now).unwrap();
    assert_eq!(store.note_clock(now), Ok(None));
    assert_eq!(opened(&dir).note_clock(now), Ok(None));
}

#[test]
fn another_process_ends_the_doubt() {
    let dir = dir();
    let mut store = noted(&dir);
    let now = CLOCK + YEAR;
    assert_eq!(store.note_clock(now), Ok(Some(CLOCK)));
    opened(&dir).trust_clock(now).unwrap();
    assert_eq!(store.note_clock(now), Ok(None));
}

#[test]
fn message_queued_under_doubt_waits_from_then() {
    let dir = dir();
    let mut store = noted(&dir);
    let wrong = CLOCK - 20 * YEAR;
    let StoreOp::Outgoing { to, name, message, status, attempted, assurance, .. } =
        outgoing(key(2), 9, "late")
    else {
        unreachable!("it is outgoing")
    };
    let expires = wrong + 5_000;
    store
        .apply(&[StoreOp::Outgoing { to, name, message, status, attempted, assurance, expires }], wrong)
        .unwrap();
    drop(store);
    let mut store = opened(&dir);
    assert_eq!(store.note_clock(CLOCK + 7), Ok(None));
    assert_eq!(expiry(&mut store), i64::try_from(CLOCK + 7 + 5_000).unwrap());
}

#[test]
fn queued_messages_do_not_follow_a_doubtful_clock() {
    let dir = dir();
    let mut store = noted(&dir);
    store.apply_at(&[outgoing(key(2), 9, "waits")], CLOCK, Duration::ZERO).unwrap();
    let before = expiry(&mut store);
    store.apply_at(&[incoming(1, &[2])], CLOCK + YEAR, Duration::from_millis(1)).unwrap();
    assert_eq!(expiry(&mut store), before);
    // When the clock is confirmed, they do.
    store.trust_clock(CLOCK + YEAR).unwrap();
    store.apply_at(&[incoming(1, &[3])], CLOCK + YEAR, Duration::from_millis(1)).unwrap();
    assert_eq!(expiry(&mut store), before + i64::try_from(YEAR).unwrap() - 1);
}
