//! The command line.

pub mod contacts;
pub mod history;
pub mod id;
pub mod man;
pub mod sources;

use std::env;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{BoolishValueParser, PossibleValue, Resettable};
use clap::{ArgAction, Command, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use unicode_width::UnicodeWidthStr;

pub use history::Asked;

use crate::core::Policy;
use crate::model::address::PeerAddr;
use crate::model::name::Name;
use crate::net;
use crate::profile::Profile;
use crate::settings::{Age, HistorySize, Keep, expiry};

/// What `--help` starts with, and the manual page has at its end.
pub(crate) const EXAMPLES: &str = "\
Two terminals:
  p2p-chat --name Alice --port 5000
  p2p-chat --name Bob --port 5001 --peer 127.0.0.1:5000

Two machines, the first one with the address 192.168.1.20:
  p2p-chat --name Alice --port 5000
  p2p-chat --name Bob --port 5000 --peer 192.168.1.20:5000";

/// What both helps end with.
const MORE: &str = "Type /help in the chat to list its commands; `p2p-chat man | man -l -` is the manual.";

/// What `--help` has besides.
const SWITCHES: &str =
    "A switch also takes =true or =false, so that it can override the environment and config.toml.";

/// The help, with the examples before the options.
const TEMPLATE: &str = "{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The options that `-h` shows.
const FIRST_OPTIONS: [&str; 3] = ["name", "port", "peer"];

/// Where the settings give the name of the user.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum NameSource {
    /// In `--name`, or in an answer on the terminal.
    #[default]
    Flag,
    /// In `P2P_CHAT_NAME`.
    Variable,
    /// In this config.toml.
    File(PathBuf),
}

/// Chat in the terminal without a server
#[derive(Parser, Debug, Clone)]
#[command(name = "p2p-chat", version, help_template = TEMPLATE)]
#[command(before_long_help = EXAMPLES, after_help = MORE, after_long_help = format!("{SWITCHES}\n\n{MORE}"))]
pub struct Cli {
    /// Your name, one word; the profile with this name is used or created [default: your only
    /// profile]
    #[arg(long, global = true, env = "P2P_CHAT_NAME", value_name = "NAME")]
    pub name: Option<Name>,

    /// Where the name is given.
    #[arg(skip)]
    pub name_source: NameSource,

    /// TCP port to listen on; 0 picks a free one [default: the port of the profile]
    #[arg(long, env = "P2P_CHAT_PORT", value_name = "PORT", value_parser = listening_port)]
    pub port: Option<u16>,

    /// Address of a peer to dial at the start; repeat the option for several peers
    #[arg(long, env = "P2P_CHAT_PEER", value_name = "IP:PORT", value_delimiter = ',', value_parser = net::parse_addr)]
    pub peer: Vec<PeerAddr>,

    /// IP address to listen on [default: all addresses of this machine]
    #[arg(long, env = "P2P_CHAT_BIND", value_name = "IP", value_parser = listening_ip, help_heading = NETWORK)]
    pub bind: Option<IpAddr>,

    /// IPv4 address that others should reply to [default: the address that each connection comes
    /// from]
    #[arg(long, env = "P2P_CHAT_ADVERTISE", value_name = "IP", value_parser = advertised_ip, help_heading = NETWORK)]
    pub advertise: Option<Ipv4Addr>,

    /// File that lists peers to dial at the start [default: ./peers.toml, then the one in the
    /// configuration directory]
    #[arg(long, env = "P2P_CHAT_PEERS", value_name = "FILE", help_heading = NETWORK)]
    pub peers: Option<PathBuf>,

    /// Do not read peers.toml
    #[arg(long, env = "P2P_CHAT_NO_STATIC", help_heading = NETWORK)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub no_static: bool,

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

    /// Store no messages on disk; queued messages are lost when the program ends
    #[arg(long, env = "P2P_CHAT_NO_HISTORY", help_heading = MESSAGES)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub no_history: bool,

    /// How long a message stays queued, such as 45s, 30m, 12h, 7d or 2w; at most 365d
    #[arg(long, env = "P2P_CHAT_EXPIRE", value_name = "AGE", default_value = "7d", value_parser = expiry, help_heading = MESSAGES)]
    pub expire: Age,

    /// How long to keep messages, such as 90d or forever
    #[arg(long, env = "P2P_CHAT_KEEP_HISTORY", value_name = "AGE", default_value = "forever", help_heading = MESSAGES)]
    pub keep_history: Keep,

    /// Approximate disk space for messages, such as 500MiB or 4GiB
    #[arg(long, env = "P2P_CHAT_MAX_HISTORY", value_name = "SIZE", default_value = "4GiB", help_heading = MESSAGES)]
    pub max_history: HistorySize,

    /// When to use colors
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
    #[arg(long, global = true, env = "P2P_CHAT_CONFIG", value_name = "FILE", help_heading = FILES)]
    pub config: Option<PathBuf>,

    /// Directory for keys, messages and contacts [default: p2p-chat in the data directory of the
    /// system]
    #[arg(long, global = true, env = "P2P_CHAT_DATA_DIR", value_name = "DIR", help_heading = FILES)]
    pub data_dir: Option<PathBuf>,

    /// Write the log to this file; without it, nothing is logged on a terminal
    #[arg(long, env = "P2P_CHAT_LOG_FILE", value_name = "FILE", help_heading = FILES)]
    pub log_file: Option<PathBuf>,

    /// Also log the text of messages, which -v and -vv leave out
    #[arg(long, env = "P2P_CHAT_LOG_MESSAGES", help_heading = FILES)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub log_messages: bool,

    /// Log more: -v logs events, -vv also every message and connection
    #[arg(short, long, action = ArgAction::Count, help_heading = FILES)]
    pub verbose: u8,

    /// What to do instead of chatting.
    #[command(subcommand)]
    pub instead: Option<Instead>,
}

const NETWORK: &str = "Network";
const KEYS: &str = "Keys and encryption";
const MESSAGES: &str = "History";
const LOOKS: &str = "Display";
const FILES: &str = "Files and log";

/// What the program can do instead of chatting.
#[derive(Subcommand, Clone, Debug)]
pub enum Instead {
    /// Print a completion script for a shell
    Completions {
        /// Shell that reads the script
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Print the settings in effect and where each comes from
    Config,
    /// Print your key, on a terminal with a QR code
    Id {
        /// Create the profile for --name and print its key
        #[arg(long, conflicts_with = "list")]
        new: bool,

        /// List all profiles with their keys
        #[arg(long)]
        list: bool,
    },
    /// Print, search, export or delete messages, even during a chat
    History(Asked),
    /// Print your contacts, one per line, even during a chat
    Contacts {
        /// Print JSON, one object per line
        #[arg(long)]
        json: bool,
    },
}

impl ValueEnum for Policy {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::AcceptNew, Self::Ask, Self::Strict]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::AcceptNew => ("accept-new", "Show their messages and remember their keys"),
            Self::Ask => ("ask", "Ask you to accept or block each one"),
            Self::Strict => ("strict", "Refuse them; /add lets one in"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// When to write in colours.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColorWhen {
    /// On a terminal with colors, unless NO_COLOR is set.
    Auto,
    /// Even in a file or a pipe.
    Always,
    /// Never.
    Never,
}

/// How to have the terminal notify.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notify {
    /// With the sequence that the terminal is known to support, if any.
    Auto,
    /// With the escape sequence OSC 9.
    Osc9,
    /// With the escape sequence OSC 777.
    Osc777,
    /// Never.
    Off,
}

/// How to write the time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimeFormat {
    /// Not at all.
    Off,
    /// In this format of strftime, which is known to work.
    Strftime(String),
}

/// Columns that a time may take: as much as a date with the time of day and the zone.
const MAX_TIME_COLUMNS: usize = 40;

impl FromStr for TimeFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        let example = "write one like %H:%M or %Y-%m-%d %H:%M:%S, or off.";
        if text.trim().is_empty() {
            return Err(format!("a time format cannot be empty; {example}"));
        }
        let shown = jiff::fmt::strtime::format(text, &jiff::Zoned::now()).map_err(|error| {
            format!("{}; {example}", crate::model::untrusted::harmless(&error.to_string()))
        })?;
        if !crate::model::untrusted::is_harmless(&shown) {
            return Err(format!("the time would contain control or invisible characters; {example}"));
        }
        if shown.width() > MAX_TIME_COLUMNS {
            return Err(format!("the time would take more than {MAX_TIME_COLUMNS} columns; {example}"));
        }
        Ok(Self::Strftime(text.to_owned()))
    }
}

/// Returns the command line as clap has it. Empty environment variables count as not set.
pub fn command() -> Command {
    Cli::command().mut_args(|arg| {
        let is_first = FIRST_OPTIONS.contains(&arg.get_id().as_str());
        let arg = arg.hide_env_values(true).hide_short_help(!is_first);
        let is_empty = arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
        if is_empty { arg.env(Resettable::Reset) } else { arg }
    })
}

/// The program was started with something missing or wrong. Its display is a whole sentence for a
/// user.
#[derive(Debug)]
pub struct Misused(String);

impl fmt::Display for Misused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misused {}

impl Misused {
    /// Takes the sentence that says what is wrong and what would be right.
    pub fn new(sentence: impl fmt::Display) -> Self {
        Self(sentence.to_string())
    }
}

/// Reads a port to listen at, 0 included.
///
/// # Errors
/// A sentence that says what is expected.
pub fn listening_port(text: &str) -> Result<u16, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| digits);
    port.ok_or_else(|| "a port is a number from 1 to 65535, or 0 for a free one.".to_owned())
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

    #[test]
    fn a_time_format_is_one_that_can_be_printed() {
        assert_eq!("off".parse(), Ok(TimeFormat::Off));
        assert_eq!("%H:%M".parse(), Ok(TimeFormat::Strftime("%H:%M".into())));
        for wrong in ["", " ", "%", "%!", "%H%n%M", "\u{1b}[31m%H", &"x".repeat(41)] {
            let sentence = wrong.parse::<TimeFormat>().unwrap_err();
            assert!(sentence.ends_with("or off."), "{wrong:?}: {sentence}");
        }
    }

    #[test]
    fn a_port_to_listen_at_may_be_zero_and_nothing_but_a_number() {
        assert_eq!(listening_port("0"), Ok(0));
        assert_eq!(listening_port("65535"), Ok(65535));
        for wrong in ["", "65536", "-1", "+5", "5 ", "five"] {
            assert!(listening_port(wrong).is_err(), "{wrong}");
        }
    }
}
