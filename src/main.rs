//! Parse arguments, start logging, run the library, print what went wrong, exit.

use std::env;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::{self, ExitCode};

use clap::error::{ContextKind, ContextValue};
use p2p_chat::cli::sources::{SettingsError, Sources};
use p2p_chat::cli::wrap::wrapped;
use p2p_chat::cli::{self, chat};
use p2p_chat::exit::{FAILURE, OutputGone, status_of};
use p2p_chat::memory;
use p2p_chat::settings::Misused;
use p2p_chat::tui;

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        let stop = if format!("{error:#}").ends_with(['.', '?']) { "" } else { "." };
        complain(&format!("p2p-chat: {error:#}{stop}\n"));
        ExitCode::from(status_of(&error))
    })
}

fn run() -> anyhow::Result<ExitCode> {
    // A system that refuses this still runs the program. A debug build can be debugged.
    if !cfg!(debug_assertions) {
        let _ = memory::protect();
    }
    let sources = Sources::read().map_err(|error| match error {
        SettingsError::Command(error) => usage(&error),
        SettingsError::File(error) => Misused::new(error),
    })?;
    let Some(subcommand) = &sources.subcommand else { return chat::run(&sources.settings) };
    let mut stdout = io::stdout().lock();
    let printed = subcommand.run(&sources, &mut stdout)?;
    match printed.and_then(|found| stdout.flush().map(|()| found)) {
        // The reader wanted only the beginning.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::from(error).context(OutputGone))
        }
        Ok(false) => Ok(ExitCode::from(FAILURE)),
        Ok(true) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Prints an error. A terminal would break its rows anywhere.
fn complain(text: &str) {
    let is_terminal = io::stderr().is_terminal();
    let text = if is_terminal { wrapped(text, tui::columns()) } else { text.to_owned() };
    // If standard error is gone too, the exit status has to do.
    let _ = write!(io::stderr(), "{text}");
}

/// Says what clap says about the command line, and ends with its status.
fn usage(error: &clap::Error) -> ! {
    if error.use_stderr() {
        complain(&error.render().to_string());
    } else {
        let _ = error.print();
    }
    name_variable(error);
    process::exit(error.exit_code())
}

/// Names the environment variable that holds the invalid value, because clap names only the option.
fn name_variable(error: &clap::Error) {
    let (Some(ContextValue::String(option)), Some(ContextValue::String(invalid))) =
        (error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidValue))
    else {
        return;
    };
    let mut command = cli::command();
    // Only a built command can print its arguments.
    command.build();
    let arg = command.get_arguments().find(|arg| arg.to_string() == *option);
    let variable = arg.and_then(|arg| arg.get_env()).unwrap_or_default();
    // A list in a variable contains the invalid value.
    if env::var_os(variable).is_some_and(|value| value.to_string_lossy().contains(invalid.as_str())) {
        let _ =
            writeln!(io::stderr(), "The value comes from {} in the environment.", variable.to_string_lossy());
    }
}
