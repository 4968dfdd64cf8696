//! The command line: its arguments, and one module for each subcommand.

pub mod add;
pub mod chat;
pub mod completions;
pub mod config;
pub mod contacts;
pub mod history;
pub mod id;
mod json;
pub mod man;
pub mod sources;
pub mod wrap;

use std::env;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, PathBufValueParser, PossibleValue, Resettable, TypedValueParser};
use clap::{ArgAction, Command, CommandFactory, Parser, ValueEnum};
use sources::Sources;

use crate::core::{DiscoveryMode, Policy};
use crate::interfaces;
use crate::model::address::PeerAddr;
use crate::model::host::Endpoint;
use crate::model::name::Name;
use crate::settings::{
    Age, ColorWhen, HistorySize, Keep, NameSource, Notify, Profile, Settings, TimeFormat, expanded, expiry,
    listening_port,
};

/// What `--help` starts with, and the manual page has at its end.
pub(crate) const EXAMPLES: &str = "\
Two terminals:
  p2p-chat --name Alice --port 5000
  p2p-chat --name Bob --port 5001 --peer 127.0.0.1:5000

Two machines, the first one with the address 192.168.1.20:
  p2p-chat --name Alice --port 5000
  p2p-chat --name Bob --port 5000 --peer 192.168.1.20:5000";

/// What both helps end with.
const MORE: &str = "Type /help in the chat for its commands; `p2p-chat man` prints the manual.";

/// What `--help` has besides.
const SWITCHES: &str =
    "A switch also takes =true or =false, so that it can override the environment and config.toml.";

/// The help, with the examples before the options.
const TEMPLATE: &str = "{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The options that `-h` shows.
const FIRST_OPTIONS: [&str; 3] = ["name", "port", "peer"];

/// Chat in the terminal without a server
#[derive(Parser, Debug, Clone)]
#[command(name = "p2p-chat", version, help_template = TEMPLATE)]
#[command(before_long_help = EXAMPLES, after_help = MORE, after_long_help = format!("{SWITCHES}\n\n{MORE}"))]
pub struct Cli {
    /// Your name, which also selects the profile [default: your only profile]
    #[arg(long, global = true, env = "P2P_CHAT_NAME", value_name = "NAME")]
    pub name: Option<Name>,

    /// TCP port to listen on; 0 picks a free one [default: the port of the profile]
    #[arg(long, env = "P2P_CHAT_PORT", value_name = "PORT", value_parser = listening_port)]
    pub port: Option<u16>,

    /// Peer to dial; can be repeated
    #[arg(long, env = "P2P_CHAT_PEER", value_name = "HOST:PORT", value_delimiter = ',', value_parser = interfaces::parse_endpoint)]
    pub peer: Vec<Endpoint>,

    /// IP address to listen on [default: all addresses of this machine]
    #[arg(long, env = "P2P_CHAT_BIND", value_name = "IP", value_parser = listening_ip, help_heading = NETWORK)]
    pub bind: Option<IpAddr>,

    /// IPv4 address that others should reply to [default: the address that each connection comes
    /// from]
    #[arg(long, env = "P2P_CHAT_ADVERTISE", value_name = "IP", value_parser = advertised_ip, help_heading = NETWORK)]
    pub advertise: Option<Ipv4Addr>,

    /// File that lists peers to dial at the start [default: ./peers.toml, then the one in the
    /// configuration directory]
    #[arg(long, env = "P2P_CHAT_PEERS", value_name = "FILE", value_parser = path(), help_heading = NETWORK)]
    pub peers: Option<PathBuf>,

    /// Do not read peers.toml
    #[arg(long, env = "P2P_CHAT_NO_STATIC", help_heading = NETWORK)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub no_static: bool,

    /// Who can discover you on the local network [default: on with the policy accept-new, else
    /// contacts]
    #[arg(long, env = "P2P_CHAT_DISCOVER", value_name = "WHO", help_heading = NETWORK)]
    pub discover: Option<DiscoveryMode>,

    /// Profile to use; --name then renames it [default: the profile with your name]
    #[arg(long, global = true, env = "P2P_CHAT_PROFILE", value_name = "NAME", help_heading = KEYS)]
    pub profile: Option<Profile>,

    /// How to treat strangers, encrypted or not
    #[arg(long, env = "P2P_CHAT_POLICY", value_name = "WHAT", default_value = "accept-new", help_heading = KEYS)]
    pub policy: Policy,

    /// Refuse unencrypted messages and send none
    #[arg(long, env = "P2P_CHAT_REQUIRE_ENCRYPTION", help_heading = KEYS)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub require_encryption: bool,

    /// Accept files that other users can read, for file systems without permissions (FAT)
    #[arg(long, global = true, env = "P2P_CHAT_INSECURE_PERMISSIONS", help_heading = FILES, hide_short_help = true)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub insecure_permissions: bool,

    /// Store no messages on disk; queued messages are lost when the program ends
    #[arg(long, env = "P2P_CHAT_NO_HISTORY", help_heading = MESSAGES)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub no_history: bool,

    /// How long a message stays queued, such as 45s, 30m, 12h, 7d or 2w; at most 365d
    #[arg(long, env = "P2P_CHAT_EXPIRE", value_name = "AGE", default_value = "7d", value_parser = expiry, help_heading = MESSAGES)]
    pub expire: Age,

    /// How long to keep messages, such as 90d or forever
    #[arg(long, global = true, env = "P2P_CHAT_KEEP_HISTORY", value_name = "AGE", default_value = "forever", help_heading = MESSAGES)]
    pub keep_history: Keep,

    /// Approximate disk space for messages, such as 500MiB or 4GiB
    #[arg(long, env = "P2P_CHAT_MAX_HISTORY", value_name = "SIZE", default_value = "4GiB", help_heading = MESSAGES)]
    pub max_history: HistorySize,

    /// When to use colours
    #[arg(long, global = true, env = "P2P_CHAT_COLOR", value_name = "WHEN", default_value = "auto", help_heading = LOOKS)]
    pub color: ColorWhen,

    /// Format of the local time, as in strftime, or off
    #[arg(long, env = "P2P_CHAT_TIME_FORMAT", value_name = "FORMAT", default_value = "%H:%M:%S", help_heading = LOOKS)]
    pub time_format: TimeFormat,

    /// Print one line per event without control sequences, for screen readers
    #[arg(long, global = true, env = "P2P_CHAT_PLAIN", help_heading = LOOKS)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub plain: bool,

    /// Show the status line above the prompt
    #[arg(long, env = "P2P_CHAT_STATUS", help_heading = LOOKS)]
    #[arg(value_name = "BOOL", default_value = "true", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub status: bool,

    /// Ring the bell when a message arrives while the window has no focus
    #[arg(long, env = "P2P_CHAT_BELL", help_heading = LOOKS)]
    #[arg(value_name = "BOOL", default_value = "true", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub bell: bool,

    /// How to send notifications through the terminal
    #[arg(long, env = "P2P_CHAT_NOTIFY", value_name = "HOW", default_value = "auto", help_heading = LOOKS)]
    pub notify: Notify,

    /// Show the message in notifications, not only the sender
    #[arg(long, env = "P2P_CHAT_NOTIFY_TEXT", help_heading = LOOKS)]
    #[arg(value_name = "BOOL", default_value = "true", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub notify_text: bool,

    /// Configuration file [default: config.toml in the configuration directory]
    #[arg(long, global = true, env = "P2P_CHAT_CONFIG", value_name = "FILE", value_parser = path(), help_heading = FILES)]
    pub config: Option<PathBuf>,

    /// Directory for keys, messages and contacts [default: p2p-chat in the data directory of the
    /// system]
    #[arg(long, global = true, env = "P2P_CHAT_DATA_DIR", value_name = "DIR", value_parser = path(), help_heading = FILES)]
    pub data_dir: Option<PathBuf>,

    /// Write the log to this file; without it, nothing is logged on a terminal
    #[arg(long, env = "P2P_CHAT_LOG_FILE", value_name = "FILE", value_parser = path(), help_heading = FILES)]
    pub log_file: Option<PathBuf>,

    /// Also log the text of messages, which -v and -vv leave out
    #[arg(long, env = "P2P_CHAT_LOG_MESSAGES", help_heading = FILES)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub log_messages: bool,

    /// Log more: -v logs events, -vv also every message and connection
    #[arg(short, long, action = ArgAction::Count, help_heading = FILES)]
    pub verbose: u8,

    /// The subcommand. `None` starts a chat.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,
}

const NETWORK: &str = "Network";
const KEYS: &str = "Keys and encryption";
const MESSAGES: &str = "History";
const LOOKS: &str = "Display";
const FILES: &str = "Files and log";

/// A task that prints something and ends, instead of a chat.
#[derive(clap::Subcommand, Clone, Debug)]
#[expect(missing_docs, reason = "a variant takes its help from its arguments")]
pub enum Subcommand {
    Completions(completions::Asked),
    /// Print the manual page
    Man,
    /// Print the settings in effect and where each comes from
    Config,
    Id(id::Asked),
    Add(add::Asked),
    History(history::Asked),
    Contacts(contacts::Asked),
}

impl Subcommand {
    /// Runs the subcommand, which prints to `out`. The inner result is that of writing to `out`,
    /// and says whether something was found.
    ///
    /// # Errors
    /// Why it cannot run. Each error chain reads as sentences for the user.
    pub fn run(&self, sources: &Sources, out: &mut impl Write) -> anyhow::Result<io::Result<bool>> {
        let settings = &sources.settings;
        let printed = match self {
            Self::Completions(asked) => completions::print(asked, out),
            Self::Man => man::print(out),
            Self::Config => config::print(sources, out),
            Self::Id(asked) => id::print(settings, asked, out)?,
            Self::Add(asked) => add::run(settings, asked, out)?,
            Self::History(asked) => return history::run(settings, asked, out),
            Self::Contacts(asked) => contacts::print(settings, asked, out)?,
        };
        Ok(printed.map(|()| true))
    }
}

impl Cli {
    /// Returns the settings. `name_source` is where the name is given.
    pub(crate) fn into_settings(self, name_source: NameSource) -> Settings {
        Settings {
            name: self.name,
            name_source,
            port: self.port,
            bind: self.bind,
            advertise: self.advertise,
            peers: self.peers,
            peer: self.peer,
            no_static: self.no_static,
            profile: self.profile,
            policy: self.policy,
            require_encryption: self.require_encryption,
            insecure_permissions: self.insecure_permissions,
            discover: self.discover,
            no_history: self.no_history,
            expire: self.expire,
            keep_history: self.keep_history,
            max_history: self.max_history,
            color: self.color,
            time_format: self.time_format,
            plain: self.plain,
            status: self.status,
            bell: self.bell,
            notify: self.notify,
            notify_text: self.notify_text,
            data_dir: self.data_dir,
            log_file: self.log_file,
            log_messages: self.log_messages,
            verbose: self.verbose,
        }
    }
}

/// Implements clap's `ValueEnum` for an enum of the settings: the word and the help of each value.
macro_rules! words {
    ($type:ident { $($value:ident => $word:literal, $help:literal;)* }) => {
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$value),*]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $(Self::$value => PossibleValue::new($word).help($help),)*
                })
            }
        }
    };
}

words!(Policy {
    AcceptNew => "accept-new", "Show their messages and remember their keys";
    Ask => "ask", "Ask you to accept or block each one";
    Strict => "strict", "Refuse them; /add lets one in";
});

words!(DiscoveryMode {
    On => "on", "Everyone on the network; with accept-new, also connect to strangers";
    Contacts => "contacts", "Those who know your key; connect only to contacts";
    Off => "off", "No one; do not look for peers either";
});

words!(ColorWhen {
    Auto => "auto", "On a terminal with colours, unless NO_COLOR is set";
    Always => "always", "Even in a file or a pipe";
    Never => "never", "Never";
});

words!(Notify {
    Auto => "auto", "With the sequence that the terminal is known to support, if any";
    Osc9 => "osc9", "With the escape sequence OSC 9";
    Osc777 => "osc777", "With the escape sequence OSC 777";
    Off => "off", "Never";
});

/// Returns the command line as clap has it. Empty environment variables count as not set.
pub fn command() -> Command {
    Cli::command().mut_args(|arg| {
        let is_first = FIRST_OPTIONS.contains(&arg.get_id().as_str());
        let arg = arg.hide_env_values(true).hide_short_help(!is_first);
        let is_empty = arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
        if is_empty { arg.env(Resettable::Reset) } else { arg }
    })
}

/// Parses a path in which `~` is the home directory.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(expanded)
}

fn ip(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| "an IPv4 address is four numbers from 0 to 255, like 192.168.1.20.".to_owned())
}

fn advertised_ip(text: &str) -> Result<Ipv4Addr, String> {
    let ip = ip(text)?;
    match PeerAddr::new(ip, 1) {
        Some(_) => Ok(ip),
        None => Err("others cannot reply to that address; give the address of a single machine.".to_owned()),
    }
}

fn listening_ip(text: &str) -> Result<IpAddr, String> {
    let ip: IpAddr = text.parse().map_err(|_| {
        "write an IPv4 address like 192.168.1.20 or an IPv6 address like 2001:db8::7.".to_owned()
    })?;
    if ip.is_unspecified() || PeerAddr::new(ip, 1).is_some() {
        return Ok(ip.to_canonical());
    }
    Err("a program cannot listen there; give an address of this machine, or 0.0.0.0 for all of them."
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
