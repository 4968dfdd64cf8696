//! Searching two years of history.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use p2p_chat::model::stored::{Query, Selection};
use p2p_chat::store::{Sqlite, Store};
use rusqlite::{Connection, params};

use super::RUNS;
use super::corpus::Corpus;
use super::years::Years;
use crate::common::figures::{milliseconds, percentile};
use crate::common::table::{Compared, Target};

/// Messages that are shown of those that are found, as in the program.
const SHOWN: usize = 50;

/// Times that each of the words of one kind is looked for in each run.
const TIMES: usize = 3;

/// What the target allows, in milliseconds.
const MOST: f64 = 50.0;

/// What is looked for: a name, words, and with whom.
struct Kind {
    name: &'static str,
    words: Vec<String>,
    with: Option<u64>,
}

/// Words of each kind.
fn kinds(corpus: &Corpus) -> Vec<Kind> {
    let words = |ranks: &[usize]| ranks.iter().map(|rank| corpus.word(*rank).to_owned()).collect::<Vec<_>>();
    let two = |ranks: &[(usize, usize)]| {
        ranks
            .iter()
            .map(|(one, two)| format!("{} {}", corpus.word(*one), corpus.word(*two)))
            .collect::<Vec<_>>()
    };
    let chinese =
        |ranks: &[usize]| ranks.iter().map(|rank| corpus.chinese(*rank).to_owned()).collect::<Vec<_>>();
    let kind = |name, words, with| Kind { name, words, with };
    let rare = [30_011, 34_003, 38_007, 42_001, 46_009];
    let middle = [301, 503, 707, 1_009, 1_511];
    let frequent = [1, 2, 3, 4, 5];
    vec![
        kind("a rare word", words(&rare), None),
        kind("a word of middle frequency", words(&middle), None),
        kind("a very frequent word", words(&frequent), None),
        kind(
            "two words, a frequent and a middle one",
            two(&[(1, 301), (2, 503), (3, 707), (4, 1_009), (5, 1_511)]),
            None,
        ),
        kind("two very frequent words", two(&[(1, 2), (3, 4), (5, 1), (2, 3), (4, 5)]), None),
        kind("two words that never meet", two(&[(30_011, 34_003), (38_007, 42_001), (46_009, 30_011)]), None),
        kind("a middle word, with who has half of all", words(&middle), Some(0)),
        kind("a middle word, with who has a thousandth", words(&middle), Some(77)),
        kind("a very frequent word, with who has a thousandth", words(&frequent), Some(77)),
        kind("a rare Chinese word", chinese(&[30_011, 34_003, 38_007, 42_001, 46_009]), None),
        kind("a Chinese word of middle frequency", chinese(&[1_009, 3_001, 5_003, 9_001, 15_013]), None),
        kind("a very frequent Chinese word", chinese(&[21, 22, 23, 24, 25]), None),
        kind("one Chinese character", chinese(&[1, 2, 3, 4, 5]), None),
        kind("a Chinese word, with who has a thousandth", chinese(&[301, 503, 707, 1_009, 1_511]), Some(77)),
        kind("the first letter of many words", ["b", "m", "t", "z"].map(str::to_owned).to_vec(), None),
    ]
}

/// Measures within this process, and as the program that is started.
pub(super) fn measure(years: &Years) -> anyhow::Result<Vec<Compared>> {
    let path = years.file();
    let (mut ours, bare) = (Sqlite::reader(&path)?, Connection::open(&path)?);
    let mut rows = Vec::new();
    for kind in kinds(&years.corpus) {
        let name = kind.name;
        let mut middle = Compared::new(format!("search for {name}, p50"), "all texts looked at", "ms")
            .with(Target::AtMost(MOST));
        let mut worst = Compared::new(format!("search for {name}, longest"), "all texts looked at", "ms")
            .with(Target::AtMost(MOST));
        let mut process = Compared::new(format!("history --grep of {name}, p50"), "history --last", "ms")
            .with(Target::AtMost(MOST));
        for run in 0..RUNS {
            let mut times = Vec::new();
            for word in kind.words.iter().cycle().take(kind.words.len() * TIMES) {
                times.push(search(&mut ours, word, kind.with)?);
            }
            let bare = looked_at(&bare, &kind.words[run % kind.words.len()])?;
            middle.add(percentile(&times, 50), milliseconds(bare));
            worst.add(percentile(&times, 100), milliseconds(bare));
            if kind.with.is_none() {
                let run = |args: &[&str]| years.history(args);
                let times: Vec<_> =
                    kind.words.iter().map(|word| run(&["--grep", word])).collect::<Result<_, _>>()?;
                let plain: Vec<_> = kind.words.iter().map(|_| run(&[])).collect::<Result<_, _>>()?;
                process.add(percentile(&times, 50), percentile(&plain, 50));
            }
        }
        rows.extend([middle, worst]);
        if kind.with.is_none() {
            rows.push(process);
        }
    }
    rows.push(opened(&path)?);
    Ok(rows)
}

fn search(store: &mut Sqlite, words: &str, with: Option<u64>) -> anyhow::Result<Duration> {
    let with = with.map(|party| vec![Corpus::party(party)]);
    let which = Selection { with, ..Selection::default() };
    let query = Query { which, words: Some(words.to_owned()), before: None, limit: SHOWN };
    let begun = Instant::now();
    let found = store.messages(&query)?;
    let taken = begun.elapsed();
    let has_all = |body: &str| words.split(' ').all(|word| body.contains(word));
    ensure!(found.iter().all(|entry| has_all(&entry.body)), "found what does not have {words:?}");
    Ok(taken)
}

/// What there is without an index: every text is looked at.
fn looked_at(conn: &Connection, words: &str) -> anyhow::Result<Duration> {
    let word = words.split(' ').next().context("no word")?;
    let begun = Instant::now();
    let count: i64 = conn.query_row(
        "SELECT count(*) FROM message WHERE body LIKE ?",
        params![format!("%{word}%")],
        |row| row.get(0),
    )?;
    ensure!(count > 0, "nobody ever said {word:?}");
    Ok(begun.elapsed())
}

/// How long it takes until the file can be read.
fn opened(path: &Path) -> anyhow::Result<Compared> {
    let mut row =
        Compared::new("opened to read and closed, p50", "bare SQLite, opened and one row read", "ms");
    for _ in 0..RUNS {
        let mut times: [Vec<Duration>; 2] = Default::default();
        for _ in 0..21 {
            let begun = Instant::now();
            drop(Sqlite::reader(path)?);
            times[0].push(begun.elapsed());
            let begun = Instant::now();
            let conn = Connection::open(path)?;
            conn.query_row("SELECT message FROM message LIMIT 1", [], |row| row.get::<_, i64>(0))?;
            drop(conn);
            times[1].push(begun.elapsed());
        }
        row.add(percentile(&times[0], 50), percentile(&times[1], 50));
    }
    Ok(row)
}
