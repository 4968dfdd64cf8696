//! Files that are damaged.

use super::*;
use crate::store::recovery::SUSPECT;

/// Bytes of a page of the file.
const PAGE: usize = 4_096;

/// The pages that these tables are in, counted from 1.
fn pages_of(path: &Path, tables: &str) -> Vec<usize> {
    let conn = raw(path);
    let mut statement = conn.prepare(&format!("SELECT pageno FROM dbstat WHERE name IN ({tables})")).unwrap();
    let pages = statement.query_map([], |row| row.get::<_, u32>(0)).unwrap();
    pages.map(|page| page.unwrap() as usize).collect()
}

/// A file with messages in all states, and the texts that wait in it.
fn filled(dir: &TempDir) -> Vec<QueuedMessage> {
    let mut store = opened(dir);
    for number in 0..300u32 {
        let to = key((number % 7) as u8);
        apply(&mut store, &[incoming(1, &[number]), outgoing(to, number, &format!("ours {number}"))]);
        if number % 10 != 0 {
            apply(&mut store, &[changed(to, number, done(DeliveryStatus::Delivered))]);
        }
    }
    store.queued().unwrap()
}

#[test]
fn no_database_is_set_aside_and_named() {
    let dir = dir();
    let path = file(dir.path());
    for round in 1..=3 {
        fs::write(&path, "no database".repeat(1_000)).unwrap();
        let (mut store, told) = open_or_set_aside(&path).unwrap();
        let told = told.unwrap();
        apply(&mut store, &[incoming(1, &[1])]);
        drop(store);
        let aside: Vec<_> = names(&dir).into_iter().filter(|name| name.contains("damaged")).collect();
        assert_eq!(aside.len(), round, "none was replaced: {aside:?}");
        assert!(aside.iter().any(|name| told.contains(&format!("{name} and"))), "{told}");
        assert!(
            aside.iter().all(|name| fs::read(dir.path().join(name)).unwrap().starts_with(b"no database"))
        );
        assert_eq!(names(&dir).len(), round + 1, "nothing else is left");
        let (mut store, told) = open_or_set_aside(&path).unwrap();
        assert_eq!((entries(&mut store).len(), told), (1, None));
    }
}

#[test]
fn database_of_another_program_is_set_aside() {
    let dir = dir();
    let path = file(dir.path());
    raw(&path).execute_batch("CREATE TABLE bookmarks (url)").unwrap();
    let (_, told) = open_or_set_aside(&path).unwrap();
    assert!(told.is_some());
}

/// Every page in turn is overwritten: what waits is found, all of it, unless the page has messages
/// or peers in it.
#[test]
fn any_damaged_page_keeps_readable_queued_messages() {
    let dir = dir();
    let path = file(dir.path());
    let open = filled(&dir);
    let vital = pages_of(&path, "'message', 'peer', 'sqlite_schema'");
    let whole = fs::read(&path).unwrap();
    let (mut found_damaged, mut saved) = (0, 0);
    for page in 1..=whole.len() / PAGE {
        let dir = TempDir::new().unwrap();
        let path = file(dir.path());
        let mut bytes = whole.clone();
        bytes[(page - 1) * PAGE..page * PAGE].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        // As after a run that has met the damage.
        fs::write(beside(&path, SUSPECT), "").unwrap();
        let (mut store, told) = open_or_set_aside(&path).unwrap();
        assert!(!exists(&dir, "history.db.suspect"));
        found_damaged += usize::from(told.is_some());
        let kept = store.queued().unwrap();
        let mut expected = open.iter();
        assert!(
            kept.iter().all(|kept| expected.any(|open| open == kept)),
            "in order, and nothing else: page {page}"
        );
        let is_vital = vital.contains(&page);
        if !is_vital {
            assert_eq!(kept.len(), open.len(), "page {page}");
        }
        saved += usize::from(is_vital && !kept.is_empty());
        apply(&mut store, &[incoming(1, &[1_000])]);
    }
    assert!(found_damaged * 10 > whole.len() / PAGE * 9, "{found_damaged}");
    assert!(saved > 0, "where some messages are lost, others are not");
}

#[test]
fn queued_messages_of_an_earlier_version_are_kept() {
    let dir = dir();
    let path = file(dir.path());
    let mut conn = raw(&path);
    schema::migrate(&mut conn, &schema::STEPS[..1]).unwrap();
    conn.execute_batch("INSERT INTO peer (key) VALUES (zeroblob(32))").unwrap();
    for number in 0..300 {
        conn.execute(
            "INSERT INTO message (conversation, peer, outgoing, status, shown, id, time, sent, assurance, body) \
             VALUES (1, 1, 1, 0, 1, randomblob(16), 1, 1, 1, ?1)",
            [format!("ours {number} {}", "x".repeat(100))],
        )
        .unwrap();
    }
    drop(conn);
    // The step to the next version reads all messages.
    let page = pages_of(&path, "'message'").into_iter().max().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[(page - 1) * PAGE..page * PAGE].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let (mut store, told) = open_or_set_aside(&path).unwrap();
    assert!(told.unwrap().ends_with(" queued messages were carried over."));
    let kept = store.queued().unwrap();
    assert!(kept.len() > 200 && kept.iter().all(|kept| !kept.message.to_all), "{}", kept.len());
}

#[test]
fn damage_while_running_is_checked_at_next_start() {
    let dir = dir();
    let path = file(dir.path());
    filled(&dir);
    // The words are not read at the start.
    let mut bytes = fs::read(&path).unwrap();
    for page in pages_of(&path, "'search_data'") {
        bytes[(page - 1) * PAGE..page * PAGE].fill(0xa5);
    }
    fs::write(&path, bytes).unwrap();
    let (mut store, told) = open_or_set_aside(&path).unwrap();
    assert_eq!(told, None);
    assert_eq!(store.messages(&words("text")), Err(StoreError::Damaged));
    assert!(exists(&dir, "history.db.suspect"));
    drop(store);
    let (mut store, told) = open_or_set_aside(&path).unwrap();
    assert!(told.is_some() && !exists(&dir, "history.db.suspect"));
    assert_eq!(store.queued().unwrap().len(), 30);
}

#[test]
fn suspect_file_without_damage_stays() {
    let dir = dir();
    let path = file(dir.path());
    filled(&dir);
    fs::write(beside(&path, SUSPECT), "").unwrap();
    let (mut store, told) = open_or_set_aside(&path).unwrap();
    assert_eq!((entries(&mut store).len(), told), (600, None));
    assert!(!exists(&dir, "history.db.suspect"));
}

#[test]
fn unknown_numbers_are_damage() {
    for change in ["status = 7", "assurance = 4", "body = CAST(x'ff' AS TEXT)"] {
        let dir = dir();
        let path = file(dir.path());
        apply(&mut opened(&dir), &[outgoing(key(1), 1, "x")]);
        raw(&path).execute_batch(&format!("UPDATE message SET {change}")).unwrap();
        assert_eq!(opened(&dir).messages(&all()), Err(StoreError::Damaged), "{change}");
    }
}
