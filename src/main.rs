//! Parse arguments, start logging, run the library, print what went wrong, exit.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use p2p_chat::app::{self, Misused};
use p2p_chat::{cli::Cli, logging};

/// Exit status where the arguments or a configuration file will not do, as clap has it for usage errors.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ran = logging::start(&cli).and_then(|()| app::run(&cli));
    ran.unwrap_or_else(|error| {
        // If standard error is gone too, the exit status has to do.
        let _ = writeln!(io::stderr(), "p2p-chat: {error:#}");
        if error.is::<Misused>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
    })
}
