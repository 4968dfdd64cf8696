//! Messages written down durably, through the store and by SQLite alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use p2p_chat::model::session::Message;
use p2p_chat::model::stored::{StoreOp, StoreResult, Stored};
use p2p_chat::store::{Sqlite, Store};
use rusqlite::{Connection, TransactionBehavior, params};

use super::corpus::{Corpus, id, taken};
use super::{Findings, RUNS, disk};
use crate::common::figures::percentile;
use crate::common::table::{Compared, Target};

/// How messages come.
struct Stream {
    name: &'static str,
    /// Messages of one commit.
    group: u64,
    /// Commits of a slice.
    commits: u64,
}

const STREAMS: [Stream; 2] = [
    Stream { name: "one at a time", group: 1, commits: 50 },
    Stream { name: "64 in one commit", group: 64, commits: 10 },
];

/// Slices of a run, in which both take turns: how long a disk takes changes from second to second.
const SLICES: usize = 12;

/// Who writes.
const SENDERS: u64 = 8;

/// Commits before anything counts, so that the log has been taken over: until then it grows, which takes longer.
const WARM_UP: u64 = 1_000;

/// Commits whose pages in the log are counted.
const COUNTED: u64 = 50;

/// Something that keeps messages; once it returns they are durable.
trait Keeps {
    fn keep(&mut self, messages: &[(u64, Message)], clock: u64) -> anyhow::Result<()>;
}

/// Measures all by turns.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let mut rows = Vec::new();
    let mut corpus = Corpus::new();
    let dir = disk::dir()?;
    for Stream { name, group, commits } in STREAMS {
        let new = |figure: &str, baseline, unit| Compared::new(format!("{figure}, {name}"), baseline, unit);
        let mut compared = ["bare SQLite", "the same tables by hand"].map(|baseline| {
            ["durable messages", "one commit, p50", "one commit, p99"]
                .map(|figure| new(figure, baseline, if figure == "durable messages" { "1/s" } else { "ms" }))
        });
        compared[0][0] = new("durable messages", "bare SQLite", "1/s").with(Target::RatioAtLeast(0.8));
        let mut pages = new("pages of the log for one commit", "bare SQLite", "number");
        let mut pages_by_hand = new("pages of the log for one commit", "the same tables by hand", "number");
        for run in 0..RUNS {
            let path = |who: &str| dir.path().join(format!("{who}-{group}-{run}.db"));
            let mut all: [(PathBuf, Box<dyn Keeps>); 3] = [
                (path("ours"), Box::new(Ours(Sqlite::open(&path("ours"))?))),
                (path("bare"), Box::new(Bare::open(&path("bare"))?)),
                (path("by-hand"), Box::new(ByHand::open(&path("by-hand"))?)),
            ];
            let mut times: [Vec<Duration>; 3] = Default::default();
            let mut next = 0;
            for slice in 0..=SLICES {
                let count = if slice == 0 { WARM_UP } else { commits };
                let messages: Vec<Vec<(u64, Message)>> = (0..count)
                    .map(|_| (0..group).map(|_| message(&mut corpus, &mut next)).collect())
                    .collect();
                for ((_, keeps), times) in all.iter_mut().zip(&mut times) {
                    for group in &messages {
                        let begun = Instant::now();
                        keeps.keep(group, next)?;
                        if slice > 0 {
                            times.push(begun.elapsed());
                        }
                    }
                }
            }
            let per_second = |times: &[Duration]| {
                (group * times.len() as u64) as f64 / times.iter().sum::<Duration>().as_secs_f64()
            };
            for (baseline, [rate, middle, slow]) in times[1..].iter().zip(&mut compared) {
                rate.add(per_second(&times[0]), per_second(baseline));
                middle.add(percentile(&times[0], 50), percentile(baseline, 50));
                slow.add(percentile(&times[0], 99), percentile(baseline, 99));
            }
            {
                let messages: Vec<Vec<(u64, Message)>> = (0..COUNTED)
                    .map(|_| (0..group).map(|_| message(&mut corpus, &mut next)).collect())
                    .collect();
                let mut counted = [0.0; 3];
                for ((path, keeps), counted) in all.iter_mut().zip(&mut counted) {
                    *counted = log_pages(path, &mut **keeps, &messages, next)?;
                }
                pages.add(counted[0], counted[1]);
                pages_by_hand.add(counted[0], counted[2]);
            }
        }
        rows.extend(compared.into_iter().flatten());
        rows.extend([pages, pages_by_hand]);
    }
    let notes = vec![format!("The file system is {}.", disk::file_system(dir.path())?)];
    Ok(Findings { rows, notes, ..Findings::default() })
}

fn message(corpus: &mut Corpus, next: &mut u64) -> (u64, Message) {
    *next += 1;
    (*next % SENDERS, Message { id: id(*next), time: *next, again: false, body: corpus.text() })
}

/// The store as the program has it.
struct Ours(Sqlite);

impl Keeps for Ours {
    fn keep(&mut self, messages: &[(u64, Message)], clock: u64) -> anyhow::Result<()> {
        let writes: Vec<StoreOp> =
            messages.iter().map(|(from, message)| taken(*from, message.clone())).collect();
        let written = self.0.apply(&writes, clock)?;
        let is_new = |written: &StoreResult| matches!(written, StoreResult::Incoming(rows) if rows[..] != [Stored::Duplicate]);
        ensure!(written.iter().all(is_new), "something was a double");
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
    fn keep(&mut self, messages: &[(u64, Message)], clock: u64) -> anyhow::Result<()> {
        insert_each(
            &mut self.0,
            "INSERT INTO message (peer, state, id, name, time, sent, body) VALUES (?, 0, ?, 'Peer', ?, ?, ?)",
            messages,
            clock,
        )
    }
}

/// SQLite with the same settings and the tables, indexes and triggers of the store, and one statement for each message: no sender is
/// looked up, nothing is asked before, and the text stands in no full-text index.
struct ByHand(Connection);

impl ByHand {
    fn open(path: &Path) -> anyhow::Result<Self> {
        drop(Sqlite::open(path)?);
        let conn = Connection::open(path)?;
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;",
        )?;
        for sender in 0..SENDERS {
            let key = [sender as u8; 32];
            conn.execute(
                "INSERT INTO peer (peer, key, name) VALUES (?, ?, 'Peer')",
                params![sender.cast_signed(), key],
            )?;
        }
        Ok(Self(conn))
    }
}

impl Keeps for ByHand {
    fn keep(&mut self, messages: &[(u64, Message)], clock: u64) -> anyhow::Result<()> {
        insert_each(
            &mut self.0,
            "INSERT INTO message (conversation, peer, outgoing, shown, id, name, time, sent, assurance, body) VALUES (?1, ?1, 0, 0, ?2, 'Peer', ?3, ?4, 1, ?5)",
            messages,
            clock,
        )
    }
}

/// Has `insert` put in each of these, in one transaction.
fn insert_each(
    conn: &mut Connection,
    insert: &str,
    messages: &[(u64, Message)],
    clock: u64,
) -> anyhow::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = tx.prepare_cached(insert)?;
        for (from, message) in messages {
            let Message { id, time, body, .. } = message;
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

/// How many pages one commit writes to the log, on average.
fn log_pages(
    path: &Path,
    keeps: &mut dyn Keeps,
    messages: &[Vec<(u64, Message)>],
    clock: u64,
) -> anyhow::Result<f64> {
    let conn = Connection::open(path)?;
    let frames = |mode: &str| {
        conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, i64>(1))
    };
    let mut pages = 0;
    for group in messages {
        frames("TRUNCATE")?;
        keeps.keep(group, clock)?;
        pages += frames("PASSIVE")?;
    }
    Ok(pages as f64 / messages.len() as f64)
}
