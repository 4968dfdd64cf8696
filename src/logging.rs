//! Where the log goes, and what a panic leaves behind.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::thread;

use env_logger::{Builder, Target};
use log::LevelFilter;

use crate::cli::{Cli, Misused};
use crate::net::{DIALER, WORKER};
use crate::ui::restore_terminal;

/// Starts logging as the command line says: to the file named, else to standard error if that is not the terminal that
/// the chat is on, else nowhere. Also lets a panic restore the terminal before it is reported.
///
/// # Errors
/// Where the file cannot be opened.
pub fn start(cli: &Cli) -> Result<(), Misused> {
    let level = match cli.verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    if let Some(path) = &cli.log_file {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| {
            Misused::new(format_args!("Cannot write the log file {}: {error}.", path.display()))
        })?;
        Builder::new().filter_level(level).target(Target::Pipe(Box::new(file))).init();
    } else if !io::stderr().is_terminal() {
        Builder::new().filter_level(level).init();
    } else if cli.verbose > 0 {
        let _ = writeln!(
            io::stderr(),
            "The log would write over the chat, so nothing is logged; add --log-file FILE."
        );
    }
    restore_terminal_on_panic();
    Ok(())
}

fn restore_terminal_on_panic() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let name = thread::current().name().map(str::to_owned);
        if matches!(name.as_deref(), Some(WORKER | DIALER)) {
            // It ends one connection, not the program; whoever catches it says so.
            log::error!("{}", crate::model::untrusted::harmless(&info.to_string()));
            return;
        }
        restore_terminal();
        usual(info);
        if name.as_deref() != Some("main") {
            // Nobody else does what this thread did, so the program cannot go on. The status is that of a panic.
            std::process::exit(101);
        }
    }));
}
