//! Two years of history: made, indexed, searched, started with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use p2p_chat::store::{HISTORY_FILE, Sqlite};
use rusqlite::Connection;
use tempfile::TempDir;

use super::corpus::Corpus;
use super::ours::{Ours, command};
use super::{Findings, SOON, disk, search, start};

/// Messages of two years: 1,370 a day.
pub(super) const MESSAGES: u64 = 1_000_000;

/// A profile with two years of history.
pub(super) struct Years {
    pub(super) corpus: Corpus,
    pub(super) dir: TempDir,
}

/// Makes it once, and measures with it.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let begun = Instant::now();
    let (years, mut notes) = Years::new()?;
    eprintln!("two years made in {:.0} s", begun.elapsed().as_secs_f64());
    let mut rows = search::measure(&years)?;
    rows.extend(start::measure(&years)?);
    notes.insert(0, format!("The file system is {}.", disk::file_system(years.dir.path())?));
    Ok(Findings { rows, notes, ..Findings::default() })
}

impl Years {
    fn new() -> anyhow::Result<(Self, Vec<String>)> {
        let years = Self { corpus: Corpus::new(), dir: disk::dir()? };
        profile_in(&years.dir)?;
        let path = years.file();
        let mut store = Sqlite::open(&path)?;
        let mut corpus = Corpus::new();
        let begun = Instant::now();
        corpus.fill(&mut store, MESSAGES)?;
        let filled = begun.elapsed();
        drop(store);
        let conn = Connection::open(&path)?;
        let sum = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, f64>(0));
        let megabytes = |bytes: f64| bytes / 1024.0 / 1024.0;
        let texts = sum("SELECT sum(length(CAST(body AS BLOB))) * 1.0 FROM message")?;
        let index = sum("SELECT sum(length(block)) * 1.0 FROM search_data")?;
        let file = fs::metadata(&path)?.len() as f64;
        let notes = vec![
            format!(
                "{MESSAGES} messages, {:.1} MB of text, are a file of {:.1} MB, {:.2} times the text; {:.1} MB of it are the index of words.",
                megabytes(texts),
                megabytes(file),
                file / texts,
                megabytes(index)
            ),
            format!("They were written and indexed, 512 in one commit, in {:.1} s.", filled.as_secs_f64()),
        ];
        Ok((years, notes))
    }

    /// The file of the messages.
    pub(super) fn file(&self) -> PathBuf {
        file_in(self.dir.path())
    }

    /// Has `p2p-chat history` print the last 50 of what these arguments choose, and tells how long that took.
    pub(super) fn history(&self, args: &[&str]) -> anyhow::Result<Duration> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_p2p-chat"));
        command.current_dir(self.dir.path()).env_clear();
        for folder in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env(folder, self.dir.path());
        }
        command.args(["history", "--name", "Bench", "--last", "50"]).args(args);
        command.stdin(Stdio::null());
        let begun = Instant::now();
        let output = command.output()?;
        let taken = begun.elapsed();
        ensure!(output.status.success(), "it ended as {}", output.status);
        Ok(taken)
    }
}

/// Makes the profile by starting the program once.
pub(super) fn profile_in(dir: &TempDir) -> anyhow::Result<()> {
    let mut first = command(dir);
    first.arg("--no-static");
    let mut program = Ours::start_other(first)?;
    program.line("0")?;
    program.wait_for_end(SOON)?;
    fs::metadata(file_in(dir.path())).context("no history")?;
    Ok(())
}

pub(super) fn file_in(dir: &Path) -> PathBuf {
    dir.join("p2p-chat").join("profiles").join("bench").join(HISTORY_FILE)
}
