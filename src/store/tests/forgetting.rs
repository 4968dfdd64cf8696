//! Whether what was forgotten is gone from the bytes.

use super::*;

/// The middle of a word that nothing else has, for the index leaves out the beginning that a word
/// shares with the one before it.
const SECRET: &str = "quixotry";

/// Where in the file and beside it the word is, whatever its case.
fn places(dir: &TempDir) -> Vec<String> {
    let is_in = |name: &String| {
        let bytes = fs::read(dir.path().join(name)).unwrap().to_ascii_lowercase();
        bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
    };
    names(dir).into_iter().filter(is_in).collect()
}

/// Messages with the word from one whose name has it too, among others that stay.
fn filled(store: &mut Sqlite) {
    for number in 0..200u16 {
        let secret = StoreOp::IncomingPlain {
            from: addr(1),
            name: name("xquixotry"),
            assurance: Assurance::Plain,
            stranger: None,
            body: format!("Some xxquixotryxx{number} of mine, {}", "long ".repeat(usize::from(number) * 8))
                .into(),
        };
        apply(store, &[secret, incoming_plain(addr(2), &format!("xxother{number} words"))]);
    }
}

fn forget_the_secret(store: &mut Sqlite) {
    let written = apply(store, &[forget(Some(vec![addr(1)]), None, None)]);
    assert_eq!(written, [StoreResult::Forgotten { removed: 200, queued: 0 }]);
}

#[test]
fn forgotten_messages_are_in_no_byte() {
    let dir = dir();
    let mut store = opened(&dir);
    filled(&mut store);
    assert!(!places(&dir).is_empty());
    forget_the_secret(&mut store);
    assert_eq!(places(&dir), [""; 0]);
    assert_eq!(bodies(&mut store, &words("xxother7")).len(), 11, "the others are found");
    assert_eq!(bodies(&mut store, &words("xxquixotryxx7")), [""; 0]);
    store.check().unwrap();
    while store.tidy().unwrap() {}
    let free = |name| store.conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert!(free("freelist_count") * 4 <= free("page_count"), "the room is given back");
    assert_eq!(places(&dir), [""; 0]);
    store.check().unwrap();
}

#[test]
fn many_forgotten_messages_leave_a_whole_index() {
    let dir = dir();
    let mut store = opened(&dir);
    let secrets: Vec<_> =
        (0..1_000).map(|number| incoming_plain(addr(1), &format!("xxquixotryxx {number}"))).collect();
    apply(&mut store, &secrets);
    apply(&mut store, &[incoming_plain(addr(2), "xxother stays")]);
    apply(&mut store, &[forget(Some(vec![addr(1)]), None, None)]);
    assert_eq!(places(&dir), [""; 0]);
    assert_eq!(bodies(&mut store, &words("xxother")), ["xxother stays"]);
    let whole = "INSERT INTO search (search, rank) VALUES ('integrity-check', 1)";
    store.conn.execute_batch(whole).unwrap();
    store.check().unwrap();
}

#[test]
fn forgetting_everything_shrinks_the_file() {
    let dir = dir();
    let mut store = opened(&dir);
    filled(&mut store);
    apply(&mut store, &[outgoing(key(1), 1, "xxother stays"), forget(None, None, None)]);
    while store.tidy().unwrap() {}
    assert_eq!(places(&dir), [""; 0]);
    let bytes = fs::metadata(file(dir.path())).unwrap().len();
    assert!(bytes < 150_000, "{bytes}");
    assert_eq!(bodies(&mut store, &words("xxother")), ["xxother stays"]);
    let indexed: i64 = store
        .conn
        .query_row("SELECT count(*) FROM search WHERE search MATCH 'xxother*'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(indexed, 1);
    store.check().unwrap();
}

#[test]
fn reader_delays_only_the_last_bytes() {
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
        store.tidy().unwrap();
    }
    assert!(store.tidy().unwrap());
    reader.conn.execute_batch("COMMIT").unwrap();
    assert_eq!(entries(&mut reader).len(), 200);
    while store.tidy().unwrap() {}
    assert_eq!(places(&dir), [""; 0]);
}

#[test]
fn peer_known_by_ids_loses_its_name() {
    let dir = dir();
    let mut store = opened(&dir);
    apply(
        &mut store,
        &[incoming(1, &[1]), outgoing(key(2), 1, "x"), changed(key(2), 1, done(DeliveryStatus::Delivered))],
    );
    apply(&mut store, &[forget(None, None, None)]);
    let mut statement = store.conn.prepare("SELECT key, name FROM peer").unwrap();
    let peers = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let peers: Vec<(Vec<u8>, Option<String>)> = peers.collect::<rusqlite::Result<_>>().unwrap();
    assert_eq!(peers, [(vec![1; 32], None)]);
}
