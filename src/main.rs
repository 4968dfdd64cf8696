//! Parse arguments, start logging, run the library, print what went wrong, exit.

use std::env;
use std::io::{self, ErrorKind, Write};
use std::process::{self, ExitCode};

use clap::CommandFactory;
use p2p_chat::cli::{Cli, Instead, Misused};
use p2p_chat::exit::{OutputGone, status_of};
use p2p_chat::model::untrusted::harmless;
use p2p_chat::settings::{Settings, SettingsError};
use p2p_chat::{app, history, logging, manual, memory};

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        let stop = if format!("{error:#}").ends_with(['.', '?']) { "" } else { "." };
        // If standard error is gone too, the exit status has to do.
        let _ = writeln!(io::stderr(), "p2p-chat: {error:#}{stop}");
        ExitCode::from(status_of(&error))
    })
}

fn run() -> anyhow::Result<ExitCode> {
    // A system that refuses this still runs the program. A debug build can be debugged.
    if !cfg!(debug_assertions) {
        let _ = memory::protect();
    }
    let settings = Settings::read().map_err(|error| match error {
        SettingsError::Command(error) => usage(&error),
        SettingsError::File(error) => Misused::new(error),
    })?;
    let mut stdout = io::stdout().lock();
    let printed = match &settings.cli.instead {
        None => {
            drop(stdout);
            logging::start(&settings.cli)?;
            return app::run(&settings.cli);
        }
        Some(Instead::Completions { shell }) => manual::completions(*shell, &mut stdout),
        Some(Instead::Man) => manual::man(&mut stdout),
        Some(Instead::Config) => manual::config(&settings, &mut stdout),
        Some(Instead::History(asked)) => history::run(&settings.cli, asked, &mut stdout)?,
        Some(Instead::Contacts { json }) => app::contacts(&settings.cli, *json, &mut stdout)?,
        Some(Instead::Id { list: true, .. }) => app::id_list(&settings.cli, &mut stdout)?,
        Some(Instead::Id { new, .. }) => stdout.write_all(app::id(&settings.cli, *new)?.as_bytes()),
    };
    match printed.and_then(|()| stdout.flush()) {
        // Whoever reads only the beginning has what they want.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::from(error).context(OutputGone))
        }
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Says what clap says about the command line, and ends with its status.
fn usage(error: &clap::Error) -> ! {
    let _ = error.print();
    if error.kind() == clap::error::ErrorKind::ValueValidation {
        name_environment();
    }
    process::exit(error.exit_code())
}

/// Says which variables stand for flags, for clap blames the flag whichever of them was wrong.
fn name_environment() {
    for name in Cli::command().get_arguments().filter_map(|arg| arg.get_env()) {
        if let Some(value) = env::var_os(name) {
            let value = harmless(&value.to_string_lossy());
            let _ = writeln!(io::stderr(), "The environment has {}={value}.", name.to_string_lossy());
        }
    }
}
