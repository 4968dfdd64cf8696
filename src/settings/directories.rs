//! The directories of the user's files.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::cli::Cli;

/// Our directory in the user's configuration and data directories.
const FOLDER: &str = "p2p-chat";

/// Where the user's configuration of this program lies: `$XDG_CONFIG_HOME/p2p-chat` or `~/.config/p2p-chat` on Linux,
/// the platform's own place elsewhere.
pub fn configuration_directory() -> Option<PathBuf> {
    let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(strategy.config_dir().join(FOLDER))
}

/// The directory: the one that the user named, or `p2p-chat` in the platform's place for data (`$XDG_DATA_HOME` or
/// `~/.local/share` on Linux). `None` where there is none, for want of a home.
pub fn data_directory(cli: &Cli) -> Option<PathBuf> {
    let usual = || Some(etcetera::base_strategy::choose_native_strategy().ok()?.data_dir().join(FOLDER));
    cli.data_dir.clone().or_else(usual)
}
