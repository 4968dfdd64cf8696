//! Whether docs/HISTORY.md says what is so.

use super::*;
use crate::model::stored::Assurance;

const HISTORY: &str = include_str!("../../../../docs/HISTORY.md");

#[test]
fn each_number_has_the_meaning_that_is_written_down() {
    let conditions = (0..=u8::MAX)
        .map_while(Condition::of)
        .map(|condition| (condition.number(), format!("{condition:?}")));
    let assurances = [Assurance::Plain, Assurance::Encrypted, Assurance::Verified, Assurance::Claimed]
        .map(|assurance| (rows::number(assurance), format!("{assurance:?}")));
    for (number, name) in conditions.chain(assurances) {
        assert!(HISTORY.contains(&format!("\n| {number} | {name} | ")), "{number} {name}");
    }
    assert!(HISTORY.contains(&format!("| `application_id` | {:#x} |", schema::APPLICATION)));
    assert!(HISTORY.contains(&format!("| `user_version` | {} |", schema::VERSION)));
}

#[test]
fn each_column_of_each_table_is_written_down() {
    let dir = dir();
    let store = opened(&dir);
    for table in ["message", "peer", "known", "span"] {
        let (_, rest) = HISTORY.split_once(&format!("\n`{table}`, ")).unwrap();
        let described = rest.lines().skip(4).map_while(|line| line.strip_prefix("| `")?.split('`').next());
        let mut statement = store.conn.prepare("SELECT name FROM pragma_table_info(?)").unwrap();
        let columns = statement.query_map([table], |row| row.get::<_, String>(0)).unwrap();
        let columns: Vec<_> = columns.map(Result::unwrap).collect();
        assert_eq!(described.collect::<Vec<_>>(), columns, "{table}");
    }
}

#[test]
fn what_it_says_to_ask_the_file_can_be_asked() {
    let dir = dir();
    let mut store = opened(&dir);
    apply(&mut store, &[said(key(1), 1, "gardens and fences"), heard(addr(1), "fences")]);
    while store.idle().unwrap() {}
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
