//! Where the log goes, and what a panic leaves behind.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::thread;

use env_logger::{Builder, Target};
use log::LevelFilter;

use crate::files;
use crate::model::message::LOG_TARGET;
use crate::model::untrusted::harmless;
use crate::net::{DIALER, MDNS, WORKER};
use crate::settings::{Misused, Settings};
use crate::tui::restore_terminal;

/// Starts logging as the command line says: to the named file, else to standard error if that is
/// not the terminal of the chat, else nowhere. Also lets a panic restore the terminal before it is
/// reported.
///
/// # Errors
/// If the file cannot be opened, or if messages are to be logged in a file that others can read.
pub(crate) fn start(settings: &Settings) -> Result<(), Misused> {
    let level = match settings.verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    let mut builder = Builder::new();
    builder.filter_level(level);
    if !settings.log_messages {
        builder.filter_module(LOG_TARGET, LevelFilter::Off);
    }
    if let Some(path) = &settings.log_file {
        let file = LogFile::open(path, settings.log_messages && !settings.insecure_permissions)?;
        builder.target(Target::Pipe(Box::new(file))).init();
    } else if !io::stderr().is_terminal() {
        builder.init();
    } else if settings.verbose > 0 {
        let _ = writeln!(
            io::stderr(),
            "The log would write over the chat, so nothing is logged; add --log-file FILE."
        );
    }
    restore_terminal_on_panic();
    Ok(())
}

/// The log file. If its path leads to another file or to none, as after a rotation, the next line
/// opens the path again.
struct LogFile {
    path: PathBuf,
    /// Only the user may read it.
    private: bool,
    file: File,
}

impl LogFile {
    fn open(path: &Path, private: bool) -> Result<Self, Misused> {
        let file = open(path, private)?;
        // An absolute path does not depend on later changes of the working directory.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { path, private, file })
    }

    /// Opens the path again if it leads to another file. If that fails, the former file stays open.
    fn follow(&mut self) {
        if files::is_at(&self.file, &self.path) {
            return;
        }
        if let Ok(file) = open(&self.path, self.private) {
            self.file = file;
        }
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.follow();
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Opens the log file, which only the user can access: it is created so, and an existing file of
/// the user loses its other rights. If that fails, a file that has to be `private` is refused.
fn open(path: &Path, private: bool) -> Result<File, Misused> {
    let unusable = |error: io::Error| {
        Misused::new(format_args!("Cannot write the log file {}: {error}.", path.display()))
    };
    let file = files::private().create(true).append(true).open(path).map_err(unusable)?;
    let mut metadata = file.metadata().map_err(unusable)?;
    let was_open = files::is_open_to_others(&metadata);
    if files::close_to_others(&file, &metadata) {
        metadata = file.metadata().map_err(unusable)?;
    }
    let is_open = files::is_open_to_others(&metadata);
    if was_open && !is_open {
        let _ = writeln!(
            io::stderr(),
            "Other users could access the log file {}. Now only you can (mode 600).",
            path.display()
        );
    }
    if private && is_open {
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let remedy = match files::keeps_permissions(folder) {
            true => "run `chmod 600` on it",
            false => "choose a file on another file system, or add --insecure-permissions",
        };
        return Err(Misused::new(format_args!(
            "Other users can access the log file {}, so messages are not logged there; {remedy}.",
            path.display()
        )));
    }
    Ok(file)
}

fn restore_terminal_on_panic() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let name = thread::current().name().map(str::to_owned);
        if matches!(name.as_deref(), Some(WORKER | DIALER | MDNS)) {
            // The panic ends only one connection, or discovery, which starts again. Its message may
            // quote a chat message.
            let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
            log::error!("a thread panicked{place}");
            log::error!(target: LOG_TARGET, "{}", harmless(&info.to_string()));
            return;
        }
        restore_terminal();
        usual(info);
        if name.as_deref() != Some("main") {
            // Nobody else does what this thread did, so the program cannot go on. The status is
            // that of a panic.
            std::process::exit(101);
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    #[cfg(unix)]
    fn renamed_or_removed_log_is_opened_again() {
        let dir = TempDir::new().unwrap();
        let (path, rotated) = (dir.path().join("log"), dir.path().join("log.1"));
        let mut log = LogFile::open(&path, false).unwrap();
        log.write_all(b"one\n").unwrap();
        fs::rename(&path, &rotated).unwrap();
        log.write_all(b"two\n").unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!((read(&rotated), read(&path)), ("one\n".into(), "two\n".into()));
        fs::remove_file(&path).unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!(read(&path), "three\n");
        // If the path cannot be opened, the line goes to the former file.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        log.write_all(b"four\n").unwrap();
    }
}
