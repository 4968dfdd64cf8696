//! Search in two years of history.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use p2p_chat::model::stored::{Query, Selection};
use p2p_chat::store::Sqlite;
use rusqlite::{Connection, params};

use super::corpus::Corpus;
use super::disk::{MANY, history_in, profile};
use crate::RUNS;
use crate::common::figures::{milliseconds, percentile};
use crate::common::table::Compared;

/// Messages that are shown, as in the program.
const SHOWN: usize = 50;

/// Searches for each word in one run.
const TIMES: usize = 3;

/// Returns rare words, and pairs of a frequent word and one of middle frequency, by their ranks in
/// the corpus; of each the percentile that is compared.
fn kinds(corpus: &Corpus) -> [(&'static str, Vec<String>, usize); 2] {
    let rare = [30_011, 34_003, 38_007, 42_001, 46_009].map(|rank| corpus.word(rank).to_owned());
    let two = [(1, 301), (2, 503), (3, 707), (4, 1_009), (5, 1_511)];
    let two = two.map(|(one, two)| format!("{} {}", corpus.word(one), corpus.word(two)));
    [("a rare word, p50", rare.to_vec(), 50), ("a frequent and a middle word, longest", two.to_vec(), 100)]
}

pub(crate) fn measure() -> anyhow::Result<Vec<Compared>> {
    let (dir, corpus) = profile(MANY)?;
    let path = history_in(&dir);
    let (mut ours, bare) = (Sqlite::reader(&path)?, Connection::open(&path)?);
    let mut rows = Vec::new();
    for (name, words, percent) in kinds(&corpus) {
        let mut row = Compared::new(format!("search for {name}"), "every message read", "ms");
        for run in 0..RUNS {
            let mut times = Vec::new();
            for word in words.iter().cycle().take(words.len() * TIMES) {
                times.push(search(&mut ours, word)?);
            }
            let bare = milliseconds(read_every(&bare, &words[run % words.len()])?);
            row.add(percentile(&times, percent), bare);
        }
        rows.push(row);
    }
    Ok(rows)
}

fn search(store: &mut Sqlite, words: &str) -> anyhow::Result<Duration> {
    let which = Selection::default();
    let query = Query { which, words: Some(words.to_owned()), before: None, limit: SHOWN };
    let begun = Instant::now();
    let found = store.messages(&query)?;
    let taken = begun.elapsed();
    let has_all = |body: &str| words.split(' ').all(|word| body.contains(word));
    ensure!(found.iter().all(|entry| has_all(&entry.body)), "a result without {words:?}");
    Ok(taken)
}

/// Searches without an index.
fn read_every(conn: &Connection, words: &str) -> anyhow::Result<Duration> {
    let word = words.split(' ').next().context("no word")?;
    let begun = Instant::now();
    let count: i64 = conn.query_row(
        "SELECT count(*) FROM message WHERE body LIKE ?",
        params![format!("%{word}%")],
        |row| row.get(0),
    )?;
    ensure!(count > 0, "no message has {word:?}");
    Ok(begun.elapsed())
}
