//! The chat itself, which runs without a subcommand.

use std::process::ExitCode;

use crate::logging;
use crate::settings::Settings;
use crate::tui::app;

/// Starts logging and runs the chat to its end.
///
/// # Errors
/// If the log file or the chat cannot be used. Each error chain reads as sentences for the user.
pub fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    logging::start(settings)?;
    app::run(settings)
}
