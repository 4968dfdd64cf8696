//! Whether what was forgotten is gone from the bytes.

use super::*;
use crate::model::stored::Written;

/// The middle of a word that nothing else has, for the index leaves out the beginning that a word shares with the one before it.
const SECRET: &str = "quixotry";

/// Where in the file and beside it the word is, whatever its case.
fn places(dir: &TempDir) -> Vec<String> {
    let is_in = |name: &String| {
        let bytes = fs::read(dir.path().join(name)).unwrap().to_ascii_lowercase();
        bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
    };
    names(dir).into_iter().filter(is_in).collect()
}

/// Messages with the word from one whose name has it too, among others that stay; all in the index.
fn filled(store: &mut Sqlite) {
    for number in 0..200u16 {
        let secret = Write::Heard {
            from: addr(1),
            name: name("xquixotry"),
            assurance: crate::model::stored::Assurance::Plain,
            body: format!("Some xxquixotryxx{number} of mine, {}", "long ".repeat(usize::from(number) * 8))
                .into(),
        };
        apply(store, &[secret, heard(addr(2), &format!("xxother{number} words"))]);
    }
    while store.idle().unwrap() {}
}

fn forget_the_secret(store: &mut Sqlite) {
    let written = apply(store, &[forget(Some(vec![addr(1)]), None, None)]);
    assert_eq!(written, [Written::Forgotten(200, 0)]);
}

#[test]
fn what_was_forgotten_is_in_no_byte_of_the_file_and_its_log() {
    let dir = dir();
    let mut store = opened(&dir);
    filled(&mut store);
    assert!(!places(&dir).is_empty());
    forget_the_secret(&mut store);
    assert_eq!(places(&dir), [""; 0]);
    assert_eq!(bodies(&mut store, &words("xxother7")).len(), 11, "the others are found");
    assert_eq!(bodies(&mut store, &words("xxquixotryxx7")), [""; 0]);
    store.check().unwrap();
    while store.idle().unwrap() {}
    let free = |name| store.conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert!(free("freelist_count") * 4 <= free("page_count"), "the room is given back");
    assert_eq!(places(&dir), [""; 0]);
    store.check().unwrap();
}

#[test]
fn what_was_forgotten_before_it_was_in_the_index_is_gone_as_well() {
    let dir = dir();
    let mut store = opened(&dir);
    apply(&mut store, &[heard(addr(1), "xxquixotryxx"), heard(addr(2), "other")]);
    apply(&mut store, &[forget(Some(vec![addr(1)]), None, None)]);
    assert_eq!(places(&dir), [""; 0]);
    while store.idle().unwrap() {}
    assert_eq!(bodies(&mut store, &words("other")), ["other"]);
}

#[test]
fn forgetting_everything_makes_the_file_small_again_and_the_index_empty() {
    let dir = dir();
    let mut store = opened(&dir);
    filled(&mut store);
    apply(&mut store, &[said(key(1), 1, "xxother stays"), forget(None, None, None)]);
    while store.idle().unwrap() {}
    assert_eq!(places(&dir), [""; 0]);
    assert!(fs::metadata(file(dir.path())).unwrap().len() < 150_000);
    assert_eq!(bodies(&mut store, &words("xxother")), ["xxother stays"]);
    let indexed: i64 = store
        .conn
        .query_row("SELECT count(*) FROM search WHERE search MATCH 'xxother*'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(indexed, 1);
    store.check().unwrap();
}

#[test]
fn who_reads_meanwhile_is_not_disturbed_and_afterwards_it_is_gone_too() {
    let dir = dir();
    let mut store = opened(&dir);
    filled(&mut store);
    let mut reader = Sqlite::reader(&file(dir.path())).unwrap();
    reader.conn.execute_batch("BEGIN").unwrap();
    let count = |reader: &Sqlite| -> i64 {
        reader.conn.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&reader), 400);
    forget_the_secret(&mut store);
    assert_eq!(count(&reader), 400, "as of the moment at which it began to read");
    assert!(!places(&dir).is_empty());
    // Work is left for as long as it reads.
    for _ in 0..3 {
        store.idle().unwrap();
    }
    assert!(store.idle().unwrap());
    reader.conn.execute_batch("COMMIT").unwrap();
    assert_eq!(entries(&mut reader).len(), 200);
    while store.idle().unwrap() {}
    assert_eq!(places(&dir), [""; 0]);
}

#[test]
fn only_the_key_stays_of_somebody_whose_messages_are_known_by_their_ids() {
    let dir = dir();
    let mut store = opened(&dir);
    apply(&mut store, &[taken(1, &[1]), said(key(2), 1, "x"), became(key(2), 1, Condition::Delivered)]);
    apply(&mut store, &[forget(None, None, None)]);
    let mut statement = store.conn.prepare("SELECT key, name FROM peer").unwrap();
    let peers = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let peers: Vec<(Vec<u8>, Option<String>)> = peers.collect::<rusqlite::Result<_>>().unwrap();
    assert_eq!(peers, [(vec![1; 32], None)]);
}
