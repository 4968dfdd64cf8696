//! Directories and profiles on a disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use p2p_chat::store::{HISTORY_FILE, Sqlite};
use tempfile::TempDir;

use super::corpus::Corpus;
use crate::common::program::{Program, ours};

/// Messages of two years: 1,370 a day.
pub(super) const MANY: u64 = 1_000_000;

/// Returns a new directory on the disk that holds the build. The directory for temporary files is
/// in memory on many machines, where no write waits for a disk.
pub(super) fn dir() -> anyhow::Result<TempDir> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    ensure!(file_system(target)? != "tmpfs", "the build is in memory, where no write waits for a disk");
    Ok(TempDir::new_in(target)?)
}

/// Returns the name of the file system that has a directory.
fn file_system(dir: &Path) -> anyhow::Result<String> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let holds = mounted.filter(|(at, _)| dir.starts_with(at)).max_by_key(|(at, _)| at.len());
    Ok(holds.context("no file system")?.1.to_owned())
}

/// Returns a directory with a profile that has so many messages.
pub(super) fn profile(messages: u64) -> anyhow::Result<(TempDir, Corpus)> {
    let dir = dir()?;
    start_in(&dir)?.end()?;
    let mut corpus = Corpus::new();
    if messages > 0 {
        corpus.fill(&mut Sqlite::open(&history_in(&dir))?, messages)?;
    }
    Ok((dir, corpus))
}

pub(super) fn start_in(dir: &TempDir) -> anyhow::Result<Program> {
    Program::start(ours(dir.path()).arg("--no-static"))
}

/// Returns the path of the history of the profile in a directory.
pub(super) fn history_in(dir: &TempDir) -> PathBuf {
    dir.path().join("p2p-chat").join("profiles").join("bench").join(HISTORY_FILE)
}
