//! The settings of a run, and the files that the user writes by hand.
//!
//! Out of scope: where a value comes from. [`cli`](crate::cli) reads options, the environment and
//! config.toml, and applies the defaults.

mod age;
mod directories;
pub mod file;
mod misused;
mod path;
pub mod peers;
mod profile;
mod size;
mod values;
mod zone;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

pub use age::expiry;
pub(crate) use age::{Age, Keep};
pub(crate) use directories::configuration_directory;
pub use file::ConfigError;
pub use misused::Misused;
pub(crate) use path::expanded;
pub(crate) use peers::local_peers_file;
pub use peers::{peers_file, static_peers};
pub(crate) use profile::Profile;
pub(crate) use size::HistorySize;
pub(crate) use values::{ColorWhen, NameSource, Notify, TimeFormat, listening_port};
pub(crate) use zone::zone_warning;

use crate::core::{DiscoveryMode, Policy};
use crate::model::host::Endpoint;
use crate::model::name::Name;

/// The settings of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The name of the user.
    pub name: Option<Name>,
    /// Where `name` is given.
    pub name_source: NameSource,
    /// The port to listen on; 0 is any free one.
    pub port: Option<u16>,
    /// The IP address to listen on, instead of all.
    pub bind: Option<IpAddr>,
    /// The IPv4 address that others should reply to.
    pub advertise: Option<Ipv4Addr>,
    /// The list of static peers, if the user chose one.
    pub peers: Option<PathBuf>,
    /// Addresses to dial besides those in the list.
    pub peer: Vec<Endpoint>,
    /// Do not read peers.toml.
    pub no_static: bool,
    /// The profile to use.
    pub profile: Option<Profile>,
    /// What strangers may do.
    pub policy: Policy,
    /// Send and accept no unencrypted messages.
    pub require_encryption: bool,
    /// Accept files that other users can access.
    pub insecure_permissions: bool,
    /// Who can discover us on the local network, if the user set it.
    pub discover: Option<DiscoveryMode>,
    /// Store no messages on disk.
    pub no_history: bool,
    /// How long a message stays queued.
    pub expire: Age,
    /// How long messages are stored.
    pub keep_history: Keep,
    /// How much space messages may take on disk.
    pub max_history: HistorySize,
    /// When to use colours.
    pub color: ColorWhen,
    /// The format of the local time.
    pub time_format: TimeFormat,
    /// Print one line per event, without control sequences.
    pub plain: bool,
    /// Show the status line.
    pub status: bool,
    /// Ring the bell for a message that arrives in the background.
    pub bell: bool,
    /// How to notify through the terminal.
    pub notify: Notify,
    /// Show the message in notifications.
    pub notify_text: bool,
    /// The data directory, if the user chose one.
    pub data_dir: Option<PathBuf>,
    /// The file for the log.
    pub log_file: Option<PathBuf>,
    /// Log the text of messages.
    pub log_messages: bool,
    /// How much to log: 1 events, 2 also every message and connection.
    pub verbose: u8,
}

impl Settings {
    /// Returns who can discover us on the local network. By default, a user who does not accept
    /// every stranger is visible only to contacts.
    pub fn discovery(&self) -> DiscoveryMode {
        self.discover.unwrap_or(match self.policy {
            Policy::AcceptNew => DiscoveryMode::On,
            Policy::Ask | Policy::Strict => DiscoveryMode::Contacts,
        })
    }
}
