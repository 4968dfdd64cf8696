//! Parse arguments, start logging, run the library, print what went wrong, exit.

use std::env;
use std::io::{self, Write};
use std::process::{self, ExitCode};

use clap::CommandFactory;
use clap::error::ErrorKind;
use p2p_chat::app;
use p2p_chat::cli::{Cli, Misused};
use p2p_chat::escape::harmless;
use p2p_chat::logging;

/// Exit status where the arguments or a configuration file will not do, as clap has it for usage errors.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::read().unwrap_or_else(|error| {
        let _ = error.print();
        if error.kind() == ErrorKind::ValueValidation {
            name_environment();
        }
        process::exit(error.exit_code())
    });
    let ran = logging::start(&cli).map_err(Into::into).and_then(|()| app::run(&cli));
    ran.unwrap_or_else(|error| {
        let stop = if format!("{error:#}").ends_with(['.', '?']) { "" } else { "." };
        // If standard error is gone too, the exit status has to do.
        let _ = writeln!(io::stderr(), "p2p-chat: {error:#}{stop}");
        if error.is::<Misused>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
    })
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
