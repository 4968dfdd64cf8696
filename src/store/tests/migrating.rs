//! Steps from one version to the next.

use super::*;

/// Makes a file of version 3 with a message of Bob.
fn version_3(path: &Path) {
    let mut conn = raw(path);
    conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").unwrap();
    schema::migrate(&mut conn, &schema::STEPS[..1]).unwrap();
    conn.execute_batch(
        "INSERT INTO peer (key, name) VALUES (zeroblob(32), 'Bob'); \
         INSERT INTO message (conversation, peer, outgoing, shown, id, time, assurance, body, folded) \
           VALUES (1, 1, 0, 1, zeroblob(16), 1, 1, 'Hi there', 'hi there'); \
         INSERT INTO search (rowid, conversation, folded) VALUES (1, 1, 'hi there');",
    )
    .unwrap();
}

#[test]
fn messages_of_version_3_stay() {
    let dir = dir();
    version_3(&file(dir.path()));
    let mut store = opened(&dir);
    assert_eq!(schema::version(&store.conn).unwrap(), schema::VERSION);
    assert_eq!(bodies(&mut store, &words("there")), ["Hi there"]);
    apply(&mut store, &[incoming(1, &[1]), forget(Some(vec![key(0)]), None, None)]);
    assert_eq!(bodies(&mut store, &all()), ["text 1"]);
    store.check().unwrap();
}

#[test]
fn failed_step_leaves_the_earlier_version() {
    let dir = dir();
    let path = file(dir.path());
    version_3(&path);
    let mut conn = raw(&path);
    let first = schema::STEPS[0];
    let broken = "UPDATE peer SET name = 'half'; SELECT no_such_function();";
    for _ in 0..2 {
        assert!(schema::migrate(&mut conn, &[first, broken]).is_err());
        assert_eq!(schema::version(&conn).unwrap(), schema::FIRST);
    }
    // A step after it that fails undoes only itself.
    let (whole, broken) = ("CREATE TABLE extra (x)", "CREATE TABLE half (x); CREATE TABLE half (x);");
    assert!(schema::migrate(&mut conn, &[first, whole, broken]).is_err());
    assert_eq!(schema::version(&conn).unwrap(), schema::FIRST + 1);
    conn.execute_batch("INSERT INTO extra VALUES (1)").unwrap();
    assert!(conn.prepare("SELECT * FROM half").is_err());
    let name: String = conn.query_row("SELECT name FROM peer", [], |row| row.get(0)).unwrap();
    assert_eq!(name, "Bob");
    // All taken, nothing is left to do.
    schema::migrate(&mut conn, &[first, whole]).unwrap();
    assert_eq!(schema::version(&conn).unwrap(), schema::FIRST + 1);
}

#[test]
fn killed_while_making_the_file_does_no_harm() {
    for begun in ["", "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"] {
        let dir = dir();
        let path = file(dir.path());
        fs::write(&path, "").unwrap();
        raw(&path).execute_batch(begun).unwrap();
        let (mut store, told) = open_or_set_aside(&path).unwrap();
        assert_eq!(told, None);
        apply(&mut store, &[incoming(1, &[1])]);
    }
}
