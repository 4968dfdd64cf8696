//! `p2p-chat completions`: prints a completion script.

use std::io::{self, Write};

use clap::CommandFactory;

use super::Cli;

/// Writes the completion script for `shell`.
///
/// # Errors
/// If `out` cannot be written to.
pub fn print(shell: clap_complete::Shell, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "p2p-chat", &mut text);
    out.write_all(&text)
}
