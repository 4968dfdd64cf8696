//! Steps from one version to the next.

use super::*;

#[test]
fn failed_step_leaves_the_earlier_version() {
    let dir = dir();
    apply(&mut opened(&dir), &[incoming(1, &[1])]);
    let mut conn = raw(&file(dir.path()));
    let [first] = schema::STEPS else { panic!("try the real steps here") };
    let broken = "UPDATE peer SET name = 'half'; SELECT no_such_function();";
    for _ in 0..2 {
        assert!(schema::migrate(&mut conn, &[*first, broken]).is_err());
        assert_eq!(schema::version(&conn).unwrap(), schema::FIRST);
    }
    // A step after it that fails undoes only itself.
    let (whole, broken) = ("CREATE TABLE extra (x)", "CREATE TABLE half (x); CREATE TABLE half (x);");
    assert!(schema::migrate(&mut conn, &[*first, whole, broken]).is_err());
    assert_eq!(schema::version(&conn).unwrap(), schema::FIRST + 1);
    conn.execute_batch("INSERT INTO extra VALUES (1)").unwrap();
    assert!(conn.prepare("SELECT * FROM half").is_err());
    let name: String = conn.query_row("SELECT name FROM peer", [], |row| row.get(0)).unwrap();
    assert_eq!(name, "Bob");
    // All taken, nothing is left to do.
    schema::migrate(&mut conn, &[*first, whole]).unwrap();
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
