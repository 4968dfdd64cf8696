//! A calendar that jumps, for one process: Debian's libfaketime, which lets a program see another
//! time of day. The clock that cannot be set is left alone.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::Builder;

/// What one process sees, until it is set to something else.
pub(crate) struct Calendar {
    library: PathBuf,
    dir: TempDir,
}

impl Calendar {
    /// The true time; nothing where libfaketime is not installed, which it says.
    #[allow(clippy::print_stderr, reason = "a reader of the results has to know that this one was not run")]
    pub(crate) fn new() -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").ok().into_iter().flatten().filter_map(Result::ok);
        let library = folders
            .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
            .find(|path| path.exists());
        let Some(library) = library else {
            eprintln!("skipped: libfaketime is not installed; .ci/run installs it");
            return None;
        };
        let calendar = Self { library, dir: TempDir::new().expect("a temporary directory") };
        calendar.set("+0");
        Some(calendar)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("calendar")
    }

    /// Sets it, in the words of libfaketime.
    pub(crate) fn set(&self, time: &str) {
        // A file that is read while it is written would be half a time.
        let new = self.file().with_extension("new");
        fs::write(&new, format!("{time}\n")).expect("written");
        fs::rename(&new, self.file()).expect("renamed");
    }

    /// A peer that lives by it, in UTC.
    pub(crate) fn of(&self, peer: Builder) -> Builder {
        peer.env("TZ", "UTC")
            .env("LD_PRELOAD", self.library.to_str().expect("UTF-8"))
            .env("FAKETIME_TIMESTAMP_FILE", self.file().to_str().expect("UTF-8"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}
