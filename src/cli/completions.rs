//! `p2p-chat completions`: prints a completion script.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Print a completion script for a shell
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Shell that reads the script
    shell: Shell,
}

/// Writes the completion script for a shell.
pub fn print(asked: &Asked, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(asked.shell, &mut Cli::command(), "p2p-chat", &mut text);
    out.write_all(&text)
}
