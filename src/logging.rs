//! Where the log goes, and what a panic leaves behind.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::path::Path;
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
pub fn start(settings: &Settings) -> Result<(), Misused> {
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
        let file = open(path, settings.log_messages)?;
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

/// Opens the log file, which only the user can access: it is created so, and an existing file of
/// the user loses its other rights.
fn open(path: &Path, log_messages: bool) -> Result<File, Misused> {
    let unusable = |error: io::Error| {
        Misused::new(format_args!("Cannot write the log file {}: {error}.", path.display()))
    };
    let file = files::private().create(true).append(true).open(path).map_err(unusable)?;
    let mut metadata = file.metadata().map_err(unusable)?;
    if files::close_to_others(&file, &metadata) {
        let _ = writeln!(
            io::stderr(),
            "Other users could access the log file {}. Now only you can (mode 600).",
            path.display()
        );
        metadata = file.metadata().map_err(unusable)?;
    }
    if log_messages && files::is_open_to_others(&metadata) {
        return Err(Misused::new(format_args!(
            "Other users can access the log file {}, so messages are not logged there; run `chmod 600` on it.",
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
            // It ends one connection, or discovery, which starts again, and not the program. Its
            // words may quote a message.
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
