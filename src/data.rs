//! The data directory: what the program keeps for the user from one run to the next, in one directory
//! for each [profile](crate::profile).

use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::cli::Cli;
use crate::config::FOLDER;

/// The directory: the one that the user named, or `p2p-chat` in the platform's place for data (`$XDG_DATA_HOME` or
/// `~/.local/share` on Linux). `None` where there is none, for want of a home.
pub fn folder(cli: &Cli) -> Option<PathBuf> {
    let usual = || Some(etcetera::base_strategy::choose_native_strategy().ok()?.data_dir().join(FOLDER));
    cli.data_dir.clone().or_else(usual)
}
