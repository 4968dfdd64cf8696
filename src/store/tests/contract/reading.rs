//! What is asked for, and found.

use super::*;
use proptest::prelude::*;

#[test]
fn last_messages_are_read_oldest_first() {
    let dir = dir();
    let store = &mut opened(&dir);
    for number in 1..=9u32 {
        let from = (number % 3) as u8;
        store.apply(&[incoming(from, &[number])], u64::from(number)).unwrap();
    }
    let read = |store: &mut Sqlite, query: Query| {
        let texts = bodies(store, &query);
        texts.iter().map(|text| text[5..].parse().unwrap()).collect::<Vec<u32>>()
    };
    assert_eq!(read(store, all()), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(read(store, Query { limit: 2, ..all() }), [8, 9]);
    assert_eq!(read(store, Query { limit: 0, ..all() }), [0_u32; 0]);
    assert_eq!(read(store, with(&[key(1)])), [1, 4, 7]);
    assert_eq!(read(store, Query { limit: 3, ..with(&[key(2), key(1), key(8), key(1)]) }), [5, 7, 8]);
    assert_eq!(read(store, with(&[])), [0_u32; 0]);
    let which = Selection { with: None, since: Some(3), until: Some(7) };
    assert_eq!(read(store, Query { which, ..all() }), [3, 4, 5, 6]);
    let fifth = entries(store)[4].row;
    assert_eq!(read(store, Query { before: Some(fifth), limit: 2, ..all() }), [3, 4]);
    assert_eq!(read(store, Query { before: Some(fifth), ..with(&[key(1)]) }), [1, 4]);
}

#[test]
fn order_is_that_of_storing() {
    let dir = dir();
    let store = &mut opened(&dir);
    for (number, clock) in [(1, CLOCK), (2, 5), (3, CLOCK + 1), (4, u64::MAX)] {
        store.apply(&[incoming(1, &[number])], clock).unwrap();
    }
    assert_eq!(bodies(store, &all()), ["text 1", "text 2", "text 3", "text 4"]);
}

#[test]
fn every_peer_is_listed_under_its_last_name() {
    let dir = dir();
    let store = &mut opened(&dir);
    apply(store, &[incoming_plain(addr(1), "x"), incoming(1, &[1]), outgoing(key(2), 2, "x")]);
    let called = |from, called, body: &str| StoreOp::IncomingPlain {
        from,
        name: called,
        assurance: Assurance::Plain,
        stranger: None,
        body: body.into(),
    };
    apply(store, &[called(addr(1), name("Other"), "y"), called(addr(1), None, "z")]);
    let peers = store.peers().unwrap();
    assert_eq!(peers, [(addr(1), name("Other")), (key(2), None), (key(1), name("Bob"))]);
    assert_eq!(entries(store)[0].name, name("Plain"), "a message keeps the name of its time");
}

#[test]
fn search_matches_word_beginnings_without_case_or_marks() {
    for mut tried in both() {
        let store = &mut tried.store;
        let (fence, co_op) =
            (incoming_plain(addr(1), "Über den Zaun"), incoming_plain(addr(2), "co-op und Zäune, 42!"));
        for _ in 0..3 {
            apply(store, &[fence.clone(), co_op.clone(), incoming_plain(addr(1), "12")]);
        }
        let mut count = |text: &str| store.messages(&words(text)).unwrap().len();
        assert_eq!(
            (count("zau"), count("ZAUN"), count("zäun"), count("aun")),
            (6, 6, 6, 0),
            "{}",
            tried.name
        );
        assert_eq!((count("uber zaun"), count("zaun UBER"), count("uber und")), (3, 3, 0));
        assert_eq!((count("co-op"), count("co op"), count("op-co"), count("co-o")), (3, 3, 0, 3));
        assert_eq!((count("42!"), count("!"), count("zaun !"), count("")), (3, 0, 6, 9));
        // To FTS5 these would be more than words.
        assert_eq!(
            (count("zaun OR und"), count("NOT zaun"), count("peer:12"), count("body:zaun")),
            (0, 0, 0, 0)
        );
        assert_eq!(
            (count("\""), count("zau*"), count("NEAR(zaun)"), count("^uber"), count("{zaun")),
            (0, 6, 0, 0, 6)
        );
        let query = Query { words: Some("zau".into()), limit: 3, ..with(&[addr(1)]) };
        assert_eq!(bodies(store, &query), ["Über den Zaun"; 3]);
        let before = Some(entries(store)[1].row);
        assert_eq!(bodies(store, &Query { before, ..words("zau") }), ["Über den Zaun"]);
        assert_eq!(bodies(store, &Query { words: Some("12".into()), ..with(&[addr(2)]) }), [""; 0]);
        let most = Query { limit: 4, ..words("zau") };
        assert_eq!(bodies(store, &most).last().map(String::as_str), Some("co-op und Zäune, 42!"));
        assert_eq!(bodies(store, &most).len(), 4);
    }
}

#[test]
fn search_of_ten_thousand_characters_works() {
    for mut tried in both() {
        apply(&mut tried.store, &[incoming_plain(addr(1), "a a a")]);
        for text in [
            "a".repeat(10_000),
            "a ".repeat(5_000),
            "a-".repeat(5_000),
            "\"".repeat(10_000),
            "(".repeat(10_000),
        ] {
            let found = bodies(&mut tried.store, &words(&text)).len();
            assert_eq!(found, usize::from(text.starts_with("a a")), "{}: {}", tried.name, &text[..5]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The index of a file and the scan in memory find the same, and take no words for syntax.
    #[test]
    fn no_search_is_a_mistake(text in "([ab\"*:^(){}+\\-\0]| |NEAR\\(|OR|AND|NOT|folded|[今天]|\\PC){0,12}") {
        let mut found = Vec::new();
        for mut tried in both() {
            let store = &mut tried.store;
            apply(store, &["a b", "b a", "NEAR or folded", "and not", "今天"].map(|body| incoming_plain(addr(1), body)));
            apply(store, &[incoming_plain(addr(2), &text)]);
            apply(store, &["x"; 8].map(|body| incoming_plain(addr(1), body)));
            found.push(bodies(store, &words(&text)));
        }
        prop_assert_eq!(&found[0], &found[1]);
        let plain: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        for body in &found[0] {
            for word in plain.iter().filter(|word| word.is_ascii()) {
                prop_assert!(body.to_lowercase().contains(&word.to_lowercase()), "{body:?} for {word:?}");
            }
        }
    }
}

#[test]
fn scripts_without_spaces_and_symbols_are_found() {
    for mut tried in both() {
        let store = &mut tried.store;
        let said = [
            "今天天气很好，我们去公园吧",
            "Straße",
            "C++ and C",
            "می\u{200c}خواهم",
            "👨\u{200d}👩\u{200d}👧 👍🏽",
            "สวัสดี",
        ];
        apply(store, &said.map(|body| incoming_plain(addr(1), body)));
        // Older than what a search of a file reads itself.
        apply(store, &["x"; 8].map(|body| incoming_plain(addr(1), body)));
        for (words_, expected) in [
            ("天气", Some(0)),
            ("天气 公园", Some(0)),
            ("气天", None),
            ("strasse", Some(1)),
            ("STRASS", Some(1)),
            ("c++", Some(2)),
            ("+c", None),
            ("میخوا", Some(3)),
            ("👩", Some(4)),
            ("👍", Some(4)),
            ("👧👍", Some(4)),
            ("👩👍", None),
            ("วัส", Some(5)),
        ] {
            let expected: Vec<&str> = expected.map(|at: usize| said[at]).into_iter().collect();
            assert_eq!(bodies(store, &words(words_)), expected, "{}: {words_}", tried.name);
        }
        assert_eq!(bodies(store, &words("c")), ["C++ and C"]);
    }
}

#[test]
fn limited_search_finds_the_last_matches() {
    for mut tried in both() {
        let store = &mut tried.store;
        for number in 1..=24u32 {
            let word = if number % 5 == 0 { "coffee" } else { "tea" };
            apply(
                store,
                &[incoming_plain(addr(1 + u16::from(number % 2 == 0)), &format!("{word} {number}"))],
            );
        }
        for query in [words("te"), words("coffee"), Query { words: Some("tea".into()), ..with(&[addr(2)]) }] {
            let every = bodies(store, &query);
            assert!(every.len() >= 4, "{every:?}");
            for limit in 0..=every.len() {
                let last = bodies(store, &Query { limit, ..query.clone() });
                assert_eq!(last, every[every.len() - limit..], "{} {query:?} {limit}", tried.name);
            }
        }
    }
}

#[test]
fn times_are_found_although_the_clock_was_set() {
    let dir = dir();
    let store = &mut opened(&dir);
    for round in 0..72u64 {
        let set = match round {
            20..25 => 1_000,
            60..63 => 90_000,
            _ => 50_000,
        };
        store
            .apply(&[incoming_plain(addr(1), "x"), incoming_plain(addr(2), "y")], set + round * 100)
            .unwrap();
    }
    let every = entries(store);
    let times = [None, Some(0), Some(3_150), Some(50_500), Some(56_000), Some(96_050), Some(100_000)];
    for (since, until) in times.iter().flat_map(|since| times.map(|until| (*since, until))) {
        let fits =
            |time: u64| since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until);
        let expected: Vec<_> = every.iter().filter(|entry| fits(entry.time)).map(|entry| entry.row).collect();
        let which = Selection { with: None, since, until };
        // Page by page, from the newest to the oldest.
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let query = Query { which: which.clone(), words: None, before, limit: 10 };
            let page = rows(&store.messages(&query).unwrap());
            before = page.first().copied();
            found.splice(0..0, page.iter().copied());
            if page.len() < 10 {
                break;
            }
        }
        assert_eq!(found, expected, "{since:?} {until:?}");
    }
}

/// How SQLite runs a statement.
fn plan(store: &Sqlite, sql: &str) -> String {
    let mut explained = store.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = explained.query_map([], |row| row.get(3)).unwrap();
    steps.collect::<rusqlite::Result<Vec<String>>>().unwrap().join("\n")
}

#[test]
fn times_are_found_without_reading_every_message() {
    let dir = dir();
    let store = &mut opened(&dir);
    for time in 1..=9u32 {
        store.apply(&[incoming(1, &[time])], time.into()).unwrap();
    }
    let times = [(Some(3), None), (None, Some(3)), (Some(3), Some(7))];
    for which in times.map(|(since, until)| Selection { with: None, since, until }) {
        let filter = queries::selected(&store.conn, &which).unwrap();
        let forgets = plan(store, &format!("DELETE FROM message AS m WHERE 1 {filter}"));
        assert!(forgets.contains("INDEX message_time (time>? AND time<?)"), "{forgets}");
        let filter = queries::within(&store.conn, &which).unwrap();
        let reads = plan(store, &format!("SELECT * FROM message m WHERE 1 {filter} ORDER BY m.message DESC"));
        assert_eq!(reads, "SEARCH m USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)");
    }
    let ends = plan(store, &queries::ENDS.replace('?', "1"));
    assert!(ends.contains("USING COVERING INDEX message_time (time>? AND time<?)"), "{ends}");
}
