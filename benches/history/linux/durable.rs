//! Messages written down durably, through the store and by SQLite alone.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use p2p_chat::ledger::{Write, Written};
use p2p_chat::store::{Sqlite, Store};
use p2p_chat::talk::Letter;
use rusqlite::{Connection, TransactionBehavior, params};

use super::corpus::{Corpus, id, taken};
use super::{Findings, RUNS, disk};
use crate::common::figures::{milliseconds, percentile};
use crate::common::table::{Compared, Target};

/// How messages come.
struct Stream {
    name: &'static str,
    /// Messages of one commit.
    group: u64,
    /// Commits of a slice.
    commits: u64,
    /// There is time between the slices, in which the index of words is brought up to date.
    rests: bool,
}

const STREAMS: [Stream; 3] = [
    Stream { name: "one at a time", group: 1, commits: 50, rests: true },
    Stream { name: "64 in one commit", group: 64, commits: 10, rests: true },
    Stream { name: "64 in one commit, without end", group: 64, commits: 10, rests: false },
];

/// Slices of a run, in which both take turns: how long a disk takes changes from second to second.
const SLICES: usize = 12;

/// Who writes.
const SENDERS: u64 = 8;

/// Commits before anything counts, so that the log has been taken over: until then it grows, which takes longer.
const WARM_UP: u64 = 1_000;

/// Something that keeps messages; once it returns they are durable.
trait Keeps {
    fn keep(&mut self, letters: &[(u64, Letter)], clock: u64) -> anyhow::Result<()>;

    /// Does what was put off.
    fn rest(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Measures all by turns.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let mut rows = Vec::new();
    let mut corpus = Corpus::new();
    let dir = disk::dir()?;
    for Stream { name, group, commits, rests } in STREAMS {
        let new = |figure: &str, unit| Compared::new(format!("{figure}, {name}"), "bare SQLite", unit);
        let mut rate = new("durable messages", "1/s").with(Target::RatioAtLeast(0.8));
        let mut middle = new("one commit, p50", "ms");
        let mut slow = new("one commit, p99", "ms");
        for run in 0..RUNS {
            let path = |who: &str| dir.path().join(format!("{who}-{group}-{rests}-{run}.db"));
            let mut both: [Box<dyn Keeps>; 2] =
                [Box::new(Ours(Sqlite::open(&path("ours"))?)), Box::new(Bare::open(&path("bare"))?)];
            let mut times: [Vec<Duration>; 2] = Default::default();
            let mut next = 0;
            for slice in 0..=SLICES {
                let count = if slice == 0 { WARM_UP } else { commits };
                let letters: Vec<Vec<(u64, Letter)>> = (0..count)
                    .map(|_| (0..group).map(|_| letter(&mut corpus, &mut next)).collect())
                    .collect();
                for (keeps, times) in both.iter_mut().zip(&mut times) {
                    for group in &letters {
                        let begun = Instant::now();
                        keeps.keep(group, next)?;
                        if slice > 0 {
                            times.push(begun.elapsed());
                        }
                    }
                    if rests {
                        keeps.rest()?;
                    }
                }
            }
            let per_second = |times: &[Duration]| {
                (group * times.len() as u64) as f64 / times.iter().sum::<Duration>().as_secs_f64()
            };
            rate.add(per_second(&times[0]), per_second(&times[1]));
            middle.add(percentile(&times[0], 50), percentile(&times[1], 50));
            slow.add(percentile(&times[0], 99), percentile(&times[1], 99));
        }
        rows.extend([rate, middle, slow]);
    }
    rows.push(put_off(&dir.path().join("put-off.db"), &mut corpus)?);
    let notes = vec![format!("The file system is {}.", disk::file_system(dir.path())?)];
    Ok(Findings { rows, notes, ..Findings::default() })
}

fn letter(corpus: &mut Corpus, next: &mut u64) -> (u64, Letter) {
    *next += 1;
    (*next % SENDERS, Letter { id: id(*next), time: *next, again: false, body: corpus.text() })
}

/// The store as the scribe has it.
struct Ours(Sqlite);

impl Keeps for Ours {
    fn keep(&mut self, letters: &[(u64, Letter)], clock: u64) -> anyhow::Result<()> {
        let writes: Vec<Write> = letters.iter().map(|(from, letter)| taken(*from, letter.clone())).collect();
        let written = self.0.apply(&writes, clock)?;
        let is_new = |written: &Written| matches!(written, Written::Taken(rows) if rows[..] != [None]);
        ensure!(written.iter().all(is_new), "something was a double");
        Ok(())
    }

    fn rest(&mut self) -> anyhow::Result<()> {
        while self.0.idle()? {}
        Ok(())
    }
}

/// SQLite with the same settings, and the plainest table that can hold such a message and notice a double. Whom a number stands for, the
/// words, the times and the states have no index.
struct Bare(Connection);

impl Bare {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let conn = Connection::open(path)?;
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE message (message INTEGER PRIMARY KEY, peer INTEGER, state INTEGER, id BLOB, name TEXT, time INTEGER, sent INTEGER, body TEXT);
             CREATE UNIQUE INDEX message_id ON message (peer, id);",
        )?;
        Ok(Self(conn))
    }
}

impl Keeps for Bare {
    fn keep(&mut self, letters: &[(u64, Letter)], clock: u64) -> anyhow::Result<()> {
        let tx = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = tx.prepare_cached(
                "INSERT INTO message (peer, state, id, name, time, sent, body) VALUES (?, 0, ?, 'Peer', ?, ?, ?)",
            )?;
            for (from, letter) in letters {
                let Letter { id, time, body, .. } = letter;
                insert.execute(params![
                    from.cast_signed(),
                    id.as_bytes(),
                    clock.cast_signed(),
                    time.cast_signed(),
                    Arc::clone(body)
                ])?;
            }
        }
        Ok(tx.commit()?)
    }
}

/// What is put off by each message, until nothing else is to be done: the index of words.
fn put_off(path: &Path, corpus: &mut Corpus) -> anyhow::Result<Compared> {
    const MESSAGES: u64 = 4_096;
    let mut row =
        Compared::new("put into the index of words, a message", "written down, 64 in one commit", "ms");
    let mut ours = Ours(Sqlite::open(path)?);
    let mut next = 0;
    for _ in 0..RUNS {
        let letters: Vec<_> = (0..MESSAGES).map(|_| letter(corpus, &mut next)).collect();
        let begun = Instant::now();
        for group in letters.chunks(64) {
            ours.keep(group, next)?;
        }
        let written = begun.elapsed();
        let begun = Instant::now();
        ours.rest()?;
        row.add(milliseconds(begun.elapsed()) / MESSAGES as f64, milliseconds(written) / MESSAGES as f64);
    }
    Ok(row)
}
