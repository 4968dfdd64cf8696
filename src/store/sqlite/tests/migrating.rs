//! Files of earlier versions.

use super::*;
use crate::model::stored::{Assurance, Way};

/// A file as the first version has left it: messages in all states.
const VERSION_1: &str = include_str!("version_1.sql");

fn of_version_1(dir: &TempDir) {
    raw(&file(dir.path())).execute_batch(VERSION_1).unwrap();
}

/// Everything in the tables of the first version.
fn dump(conn: &Connection) -> Vec<String> {
    let mut lines = Vec::new();
    for (table, columns) in [
        ("peer", "peer, key, addr, name"),
        ("message", "message, peer, outgoing, state, again, id, name, time, sent, expires, assurance, body"),
        ("known", "known, peer, id"),
    ] {
        let quoted: Vec<_> = columns.split(", ").map(|column| format!("quote({column})")).collect();
        let sql = format!("SELECT {} FROM {table} WHERE 1 ORDER BY 1", quoted.join(" || ',' || "));
        let mut statement = conn.prepare(&sql).unwrap();
        let found = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        lines.extend(found.map(|line| format!("{table} {}", line.unwrap())));
    }
    lines
}

fn schema_of(conn: &Connection) -> Vec<(String, Option<String>)> {
    let mut statement = conn.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
    let spaced = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.map(spaced))));
    rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_file_of_the_first_version_is_brought_up_to_date_and_keeps_all_it_has() {
    let dir = dir();
    of_version_1(&dir);
    let before = dump(&raw(&file(dir.path())));
    assert_eq!(before.len(), 4 + 15 + 1);
    let mut store = opened(&dir);
    assert_eq!(dump(&store.conn), before);
    assert_eq!(schema::version(&store.conn).unwrap(), schema::VERSION);
    let found = entries(&mut store);
    let conditions = found.iter().filter_map(|entry| match entry.way {
        Way::Out(condition) => Some(condition),
        Way::In { .. } => None,
    });
    let conditions: Vec<_> = conditions.collect();
    assert_eq!(conditions, (0..=10).map_while(Condition::of).collect::<Vec<_>>());
    let came: Vec<_> = found
        .iter()
        .filter(|entry| matches!(entry.way, Way::In { .. }))
        .map(|entry| (entry.way, entry.assurance))
        .collect();
    // What was there before the marks were is not new.
    let way = |unshown| Way::In { unshown, new: false };
    let expected = [
        (way(false), Assurance::Plain),
        (way(false), Assurance::Encrypted),
        (way(true), Assurance::Verified),
        (way(true), Assurance::Claimed),
    ];
    assert_eq!(came, expected);
    let open: Vec<_> = store.open().unwrap().iter().map(|open| (open.condition, open.letter.again)).collect();
    assert_eq!(open, [(Condition::Queued, false), (Condition::Sent, true)]);
    for _ in 0..2 {
        assert_eq!(bodies(&mut store, &words("zaun")).len(), 3);
        while store.idle().unwrap() {}
    }
    // It works from there: ids that are gone are known, and numbers go on.
    let written = apply(&mut store, &[taken(2, &[1, 2])]);
    assert!(
        matches!(&written[..], [Written::Taken(rows)] if rows[0].is_none() && rows[1].is_some_and(|row| row.0 == 16)),
        "{written:?}"
    );
    store.check().unwrap();
}

#[test]
fn a_file_that_was_brought_up_to_date_looks_like_a_new_one() {
    let (old, new) = (dir(), dir());
    of_version_1(&old);
    assert_eq!(schema_of(&opened(&old).conn), schema_of(&opened(&new).conn));
}

#[test]
fn a_reader_has_a_file_of_the_first_version_brought_up_to_date() {
    let dir = dir();
    of_version_1(&dir);
    let mut reader = Sqlite::reader(&file(dir.path())).unwrap();
    assert_eq!(entries(&mut reader).len(), 15);
}

#[test]
fn a_step_that_fails_in_the_middle_leaves_the_earlier_version_whole() {
    let dir = dir();
    of_version_1(&dir);
    let mut conn = raw(&file(dir.path()));
    let (before, looks) = (dump(&conn), schema_of(&conn));
    let [first, second] = schema::STEPS else { panic!("there is another step to be tried here") };
    let broken = format!("{second} UPDATE peer SET name = 'half'; SELECT no_such_function();");
    for _ in 0..2 {
        assert!(schema::bring_up(&mut conn, &[*first, broken.as_str()]).is_err());
        assert_eq!(schema::version(&conn).unwrap(), 1);
        assert!(dump(&conn) == before && schema_of(&conn) == looks);
    }
    // A step after it that fails undoes only itself.
    assert!(
        schema::bring_up(&mut conn, &[*first, *second, "CREATE TABLE half (x); CREATE TABLE half (x);"])
            .is_err()
    );
    assert_eq!(schema::version(&conn).unwrap(), 2);
    drop(conn);
    assert_eq!(entries(&mut opened(&dir)).len(), 15);
}

#[test]
fn a_program_that_is_ended_while_it_makes_the_file_has_made_nothing_wrong() {
    for begun in ["", "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"] {
        let dir = dir();
        let path = file(dir.path());
        fs::write(&path, "").unwrap();
        raw(&path).execute_batch(begun).unwrap();
        let (mut store, told) = open_or_set_aside(&path).unwrap();
        assert_eq!(told, None);
        apply(&mut store, &[taken(1, &[1])]);
    }
}
