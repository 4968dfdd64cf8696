//! Where the files are while they are measured.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// A new directory on the disk that holds the build: the directory for temporary files is in memory on many machines, where nothing has to
/// wait for a disk.
pub(super) fn dir() -> anyhow::Result<TempDir> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let system = file_system(target)?;
    ensure!(system != "tmpfs", "the build is in memory, so nothing can be measured about a disk");
    Ok(TempDir::new_in(target)?)
}

/// The name of the file system that has this directory.
pub(super) fn file_system(dir: &Path) -> anyhow::Result<String> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let holds = mounted.filter(|(at, _)| dir.starts_with(at)).max_by_key(|(at, _)| at.len());
    Ok(holds.context("no file system")?.1.to_owned())
}
