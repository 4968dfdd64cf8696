//! Messages of a time, over several spans and with a clock that was set.

use super::*;
use crate::model::stored::{Query, Selection};

/// Messages that come in one turn, all of one time.
const TURN: i64 = 50;

/// A file with some thousand messages, none of them in the index of words. While the first third came the clock was set back for a while,
/// and while the last did, forward.
fn filled(dir: &TempDir) -> Sqlite {
    let mut store = opened(dir);
    store.bounds.unindexed = usize::MAX;
    for turn in 0..72u64 {
        let set = match turn {
            20..25 => 1_000,
            60..63 => 90_000,
            _ => 50_000,
        };
        let messages: Vec<_> = (0..TURN).map(|_| heard(addr(1 + (turn % 3) as u16), "text")).collect();
        store.apply(&messages, set + turn * 100).unwrap();
    }
    store
}

/// Whether what is found between two times is what is there of that time, by whatever way it is found.
fn each_time_is_found(store: &mut Sqlite) {
    let all = entries(store);
    let times = [0, 1_000, 3_150, 10_000, 50_000, 51_500, 53_000, 56_000, 60_000, 96_050, 100_000];
    let ends = || times.map(Some).into_iter().chain([None]);
    for (since, until) in ends().flat_map(|since| ends().map(move |until| (since, until))) {
        let fits =
            |time: u64| since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until);
        let expected: Vec<_> = all.iter().filter(|entry| fits(entry.time)).map(|entry| entry.row).collect();
        let which = Selection { with: None, since, until };
        let found =
            store.entries(&Query { which, ..Query { limit: usize::MAX, ..Query::default() } }).unwrap();
        // Thousands of numbers would say no more.
        assert!(rows(&found) == expected, "{since:?} {until:?}");
    }
}

/// Whether the spans say of what is in the index when it is from, and nothing of what is not there.
fn spans_are_exact(store: &Sqlite) {
    let read = |sql: &str| -> Vec<(i64, i64, i64)> {
        let mut statement = store.conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let indexed_to = search::indexed_to(&store.conn).unwrap();
    let expected = format!(
        "SELECT message / 1024, min(time), max(time) FROM message WHERE message <= {indexed_to} GROUP BY 1 ORDER BY 1"
    );
    assert_eq!(read("SELECT span, oldest, newest FROM span ORDER BY 1"), read(&expected));
}

#[test]
fn a_time_is_found_also_where_the_clock_was_set_whatever_is_in_the_index_and_whatever_was_forgotten() {
    let dir = dir();
    let mut store = filled(&dir);
    each_time_is_found(&mut store);
    for most in [1_500, 1, 600, usize::MAX] {
        store.index(most).unwrap();
        spans_are_exact(&store);
        each_time_is_found(&mut store);
    }
    // Some in each span, and all of the time at which it was set back.
    for gone in [forget(Some(vec![addr(2)]), None, None), forget(None, None, Some(10_000))] {
        apply(&mut store, &[gone]);
        spans_are_exact(&store);
        each_time_is_found(&mut store);
    }
    // So many that the index is made anew.
    apply(&mut store, &[forget(None, Some(51_500), None)]);
    each_time_is_found(&mut store);
    assert_eq!(entries(&mut store).len(), 500);
    while store.idle().unwrap() {}
    spans_are_exact(&store);
    each_time_is_found(&mut store);
    apply(&mut store, &[forget(None, None, None)]);
    spans_are_exact(&store);
}

#[test]
fn what_came_before_a_time_is_found_without_looking_at_what_came_later() {
    let dir = dir();
    let mut store = filled(&dir);
    while store.idle().unwrap() {}
    let ends = |since, until| spans::ends(&store.conn, since, until).unwrap();
    assert_eq!(ends(0, i64::MAX), Some((0, 4 * 1_024 - 1)));
    assert_eq!(ends(57_000, 60_000), Some((2_048, 4_095)));
    assert_eq!(ends(10_000, 50_500), Some((0, 2_047)));
    assert_eq!(ends(200_000, i64::MAX), None);
    // What is not in the index is looked at by itself.
    store.apply(&[heard(addr(1), "late")], 200_000).unwrap();
    assert_eq!(spans::ends(&store.conn, 200_000, i64::MAX).unwrap(), Some((3_601, 3_601)));
}
