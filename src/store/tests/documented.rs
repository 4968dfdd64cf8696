//! docs/HISTORY.md is right.

use super::*;
use crate::store::status::Columns;
use crate::store::status::tests::all as all_statuses;

const HISTORY: &str = include_str!("../../../docs/HISTORY.md");

#[test]
fn every_number_is_documented() {
    for (assurance, number) in rows::ASSURANCES {
        assert!(HISTORY.contains(&format!("\n| {number} | {assurance:?} | ")), "{number} {assurance:?}");
    }
    for stored in all_statuses() {
        let Columns { status, reason, attempted } = Columns::of(&stored.0, stored.1);
        let reason = reason.map_or(String::new(), |reason| reason.to_string());
        let row = format!("\n| {status} | {reason} | {} | ", u8::from(attempted));
        let row = row.replace("|  |", "| |");
        assert!(HISTORY.contains(&row), "{stored:?}: {row}");
    }
    assert!(HISTORY.contains(&format!("| `application_id` | {:#x} |", schema::APPLICATION)));
    assert!(HISTORY.contains(&format!("| `user_version` | {} |", schema::VERSION)));
}

#[test]
fn every_column_is_documented() {
    let dir = dir();
    let store = opened(&dir);
    for table in ["message", "peer", "source", "address", "known", "meta"] {
        let (_, rest) = HISTORY.split_once(&format!("\n`{table}`, ")).unwrap();
        let described = rest.lines().skip(4).map_while(|line| line.strip_prefix("| `")?.split('`').next());
        let mut statement = store.conn.prepare("SELECT name FROM pragma_table_info(?)").unwrap();
        let columns = statement.query_map([table], |row| row.get::<_, String>(0)).unwrap();
        let columns: Vec<_> = columns.map(Result::unwrap).collect();
        assert_eq!(described.collect::<Vec<_>>(), columns, "{table}");
    }
}

#[test]
fn documented_queries_work() {
    let dir = dir();
    let mut store = opened(&dir);
    apply(&mut store, &[outgoing(key(1), 1, "gardens and fences"), incoming_plain(addr(1), "fences")]);
    let conn = raw(&file(dir.path()));
    let answers: Vec<usize> = HISTORY
        .split("```sql\n")
        .skip(1)
        .map(|rest| {
            let mut statement = conn.prepare(rest.split("```").next().unwrap()).unwrap();
            statement.query_map([], |_| Ok(())).unwrap().map(Result::unwrap).count()
        })
        .collect();
    assert_eq!(answers, [2, 1, 1]);
}
