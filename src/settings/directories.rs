//! The directories of the user's files.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use super::Settings;

/// Our directory in the user's configuration and data directories.
const FOLDER: &str = "p2p-chat";

/// Where the user's configuration of this program lies: `$XDG_CONFIG_HOME/p2p-chat` or
/// `~/.config/p2p-chat` on Linux, the platform's own place elsewhere.
pub(crate) fn configuration_directory() -> Option<PathBuf> {
    let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(strategy.config_dir().join(FOLDER))
}

impl Settings {
    /// Returns the directory with the data of all profiles: the one that the user chose, or
    /// `p2p-chat` in the system's data directory (`$XDG_DATA_HOME` or `~/.local/share` on Linux).
    /// `None` if the user chose none and has no home directory.
    pub fn data_directory(&self) -> Option<PathBuf> {
        let usual = || Some(etcetera::base_strategy::choose_native_strategy().ok()?.data_dir().join(FOLDER));
        self.data_dir.clone().or_else(usual)
    }
}
