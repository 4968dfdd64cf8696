//! The command line.

mod asked;

use std::env;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{BoolishValueParser, PossibleValue, Resettable};
use clap::{ArgAction, Command, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use unicode_width::UnicodeWidthStr;

pub use asked::Asked;

use crate::core::Policy;
use crate::history::{Age, HistorySize, Keep, expiry};
use crate::model::address::PeerAddr;
use crate::model::host::Endpoint;
use crate::model::name::Name;
use crate::net;
use crate::profile::Profile;

pub(crate) const EXAMPLES: &str = "\
Examples:
  Two terminals on one machine, which find each other by the peers.toml that comes with the program:
    p2p-chat --name Alice --port 5000
    p2p-chat --name Bob --port 5001

  Somebody on another machine:
    p2p-chat --name Alice --port 5000 --peer 192.168.1.20:5000

  From a script (the menu, line by line: 1 send, to all, the text, 0 exit):
    printf '1\\nall\\nlunch is ready\\n0\\n' | p2p-chat --name Cook --port 0";

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

/// Chat in a terminal between people who can reach each other, with no server in the middle.
#[derive(Parser, Debug, Clone)]
#[command(name = "p2p-chat", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    /// Your name: one word of at most 32 columns. The profile of that name is used, or created
    /// [default: your only profile; asked for on a terminal if there is none or more than one]
    #[arg(long, global = true, env = "P2P_CHAT_NAME", value_name = "NAME")]
    pub name: Option<Name>,

    /// Where the name is given.
    #[arg(skip)]
    pub name_source: NameSource,

    /// The TCP port to listen at, 0 for any that is free [default: that of the profile; asked for
    /// on a terminal if it has none yet]
    #[arg(long, env = "P2P_CHAT_PORT", value_name = "PORT", value_parser = listening_port)]
    pub port: Option<u16>,

    /// The IPv4 or IPv6 address to listen at [default: all of this machine's]
    #[arg(long, env = "P2P_CHAT_BIND", value_name = "IP", value_parser = listening_ip, help_heading = NETWORK)]
    pub bind: Option<IpAddr>,

    /// The IPv4 address that others are told to answer to [default: the one each connection is made
    /// from]
    #[arg(long, env = "P2P_CHAT_ADVERTISE", value_name = "IP", value_parser = advertised_ip, help_heading = NETWORK)]
    pub advertise: Option<Ipv4Addr>,

    /// The file that lists static peers [default: ./peers.toml, whose contacts are for that run
    /// only, then the one in the configuration directory]
    #[arg(long, env = "P2P_CHAT_PEERS", value_name = "FILE", help_heading = NETWORK)]
    pub peers: Option<PathBuf>,

    /// A further peer to dial from the start, by IP or host name; may be given several times
    #[arg(long, env = "P2P_CHAT_PEER", value_name = "HOST:PORT", value_delimiter = ',', value_parser = net::parse_endpoint,
          help_heading = NETWORK)]
    pub peer: Vec<Endpoint>,

    /// Do not read any peers.toml
    #[arg(long, env = "P2P_CHAT_NO_STATIC", help_heading = NETWORK)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub no_static: bool,

    /// The profile, whatever it is called; with --name it gets that name [default: the one with
    /// your name]
    #[arg(long, global = true, env = "P2P_CHAT_PROFILE", value_name = "NAME", help_heading = KEYS)]
    pub profile: Option<Profile>,

    /// What to do with strangers, encrypted or not: show what they write, let you decide, or refuse them
    #[arg(long, env = "P2P_CHAT_POLICY", value_name = "WHAT", default_value = "accept-new", help_heading = KEYS)]
    pub policy: Policy,

    /// Send nothing unencrypted, and refuse unencrypted messages
    #[arg(long, env = "P2P_CHAT_REQUIRE_ENCRYPTION", help_heading = KEYS)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub require_encryption: bool,

    /// Keep no messages on the disk: what waits is lost when the program ends, and nothing can be
    /// found again
    #[arg(long, env = "P2P_CHAT_NO_HISTORY", help_heading = MESSAGES)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub no_history: bool,

    /// How long a text waits for its recipient, like 45s, 30m, 12h, 7d or 2w; at most 365d
    #[arg(long, env = "P2P_CHAT_EXPIRE", value_name = "AGE", default_value = "7d", value_parser = expiry, help_heading = MESSAGES)]
    pub expire: Age,

    /// How long messages are kept, like 90d, or forever
    #[arg(long, env = "P2P_CHAT_KEEP_HISTORY", value_name = "AGE", default_value = "forever", help_heading = MESSAGES)]
    pub keep_history: Keep,

    /// How much room messages take on the disk, about, like 500MiB or 4GiB
    #[arg(long, env = "P2P_CHAT_MAX_HISTORY", value_name = "SIZE", default_value = "4GiB", help_heading = MESSAGES)]
    pub max_history: HistorySize,

    /// When to write in colours: auto is on a terminal that has them, unless NO_COLOR is set
    #[arg(long, global = true, env = "P2P_CHAT_COLOR", value_name = "WHEN", default_value = "auto", help_heading = LOOKS)]
    pub color: ColorWhen,

    /// How to write the local time, as strftime has it, or off
    #[arg(long, env = "P2P_CHAT_TIME_FORMAT", value_name = "FORMAT", default_value = "%H:%M:%S", help_heading = LOOKS)]
    pub time_format: TimeFormat,

    /// Be kind to screen readers: redraw nothing, write one line per event and no control sequences
    #[arg(long, global = true, env = "P2P_CHAT_PLAIN", help_heading = LOOKS)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub plain: bool,

    /// Show the status line above the prompt
    #[arg(long, env = "P2P_CHAT_STATUS", help_heading = LOOKS)]
    #[arg(value_name = "BOOL", default_value = "true", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub status: bool,

    /// Ring the bell when a message comes while the window is not looked at
    #[arg(long, env = "P2P_CHAT_BELL", help_heading = LOOKS)]
    #[arg(value_name = "BOOL", default_value = "true", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub bell: bool,

    /// How to have the terminal notify then: auto is the way that it is known to understand, if any
    #[arg(long, env = "P2P_CHAT_NOTIFY", value_name = "HOW", default_value = "auto", help_heading = LOOKS)]
    pub notify: Notify,

    /// Let notifications say what was said, not only by whom
    #[arg(long, env = "P2P_CHAT_NOTIFY_TEXT", help_heading = LOOKS)]
    #[arg(value_name = "BOOL", default_value = "true", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub notify_text: bool,

    /// The configuration file [default: config.toml in the configuration directory, if it is there]
    #[arg(long, global = true, env = "P2P_CHAT_CONFIG", value_name = "FILE", help_heading = FILES)]
    pub config: Option<PathBuf>,

    /// Where keys, messages and nicknames are kept [default: p2p-chat in the data directory of the
    /// system]
    #[arg(long, global = true, env = "P2P_CHAT_DATA_DIR", value_name = "DIR", help_heading = FILES)]
    pub data_dir: Option<PathBuf>,

    /// Write the log to this file; needed to log at all while the terminal is in use
    #[arg(long, env = "P2P_CHAT_LOG_FILE", value_name = "FILE", help_heading = FILES)]
    pub log_file: Option<PathBuf>,

    /// Log the text of messages too. Without it, -v and -vv leave out all text that people write
    #[arg(long, env = "P2P_CHAT_LOG_MESSAGES", help_heading = FILES)]
    #[arg(value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1)]
    #[arg(require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new(), hide_possible_values = true, hide_default_value = true)]
    pub log_messages: bool,

    /// Log more: -v what happens, -vv every message and connection
    #[arg(short, long, action = ArgAction::Count, help_heading = FILES)]
    pub verbose: u8,

    /// What to do instead of chatting.
    #[command(subcommand)]
    pub instead: Option<Instead>,
}

const NETWORK: &str = "Network";
const KEYS: &str = "Keys and encryption";
const MESSAGES: &str = "Messages that are kept";
const LOOKS: &str = "What is shown, and how";
const FILES: &str = "Configuration, data and log";

/// What the program can do instead of chatting.
#[derive(Subcommand, Clone, Debug)]
pub enum Instead {
    /// Print what a shell needs to complete the command line
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Print the manual page, for man to show: p2p-chat man | man -l -
    Man,
    /// Print the values in effect, and where each comes from
    Config,
    /// Print the key that others know you by; on a terminal also as a QR code
    Id {
        /// Create the profile that --name says, and print its key
        #[arg(long, conflicts_with = "list")]
        new: bool,

        /// List all profiles with their keys
        #[arg(long)]
        list: bool,
    },
    /// Print what was said, search in it, or forget it; also while the program is running
    History(Asked),
    /// Print the contacts, one on each line; also while the program is running
    Contacts {
        /// As lines of JSON, for scripts
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
            Self::AcceptNew => ("accept-new", "They can write to you, and their keys are remembered"),
            Self::Ask => ("ask", "They wait until you accept or block them"),
            Self::Strict => ("strict", "They are refused, and /add lets one in"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// When to write in colours.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColorWhen {
    /// On a terminal that has them, unless the environment says otherwise.
    Auto,
    /// Wherever the output goes.
    Always,
    /// Nowhere.
    Never,
}

/// How to have the terminal notify.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notify {
    /// As the terminal is known to understand, if it is.
    Auto,
    /// With OSC 9.
    Osc9,
    /// With OSC 777.
    Osc777,
    /// Not at all.
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
            return Err(format!("a time format is not empty; {example}"));
        }
        let shown = jiff::fmt::strtime::format(text, &jiff::Zoned::now()).map_err(|error| {
            format!("{}; {example}", crate::model::untrusted::harmless(&error.to_string()))
        })?;
        if !crate::model::untrusted::is_harmless(&shown) {
            return Err(format!("the time would hold control or invisible characters; {example}"));
        }
        if shown.width() > MAX_TIME_COLUMNS {
            return Err(format!("the time would take more than {MAX_TIME_COLUMNS} columns; {example}"));
        }
        Ok(Self::Strftime(text.to_owned()))
    }
}

/// The command line as clap has it, reading the environment but for variables that are set to
/// nothing: those count as not set.
pub fn command() -> Command {
    Cli::command().mut_args(|arg| {
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
    port.ok_or_else(|| "a port is a number from 1 to 65535, or 0 for any that is free.".to_owned())
}

fn ip(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| "an IPv4 address is four numbers from 0 to 255, like 192.168.1.20.".to_owned())
}

fn advertised_ip(text: &str) -> Result<Ipv4Addr, String> {
    let ip = ip(text)?;
    match PeerAddr::new(ip, 1) {
        Some(_) => Ok(ip),
        None => Err("others cannot answer to that; give an address of a single machine.".to_owned()),
    }
}

fn listening_ip(text: &str) -> Result<IpAddr, String> {
    let ip: IpAddr = text.parse().map_err(|_| {
        "an IP address is one of IPv4, like 192.168.1.20, or of IPv6, like 2001:db8::7.".to_owned()
    })?;
    if ip.is_unspecified() || PeerAddr::new(ip, 1).is_some() {
        return Ok(ip.to_canonical());
    }
    Err("nobody can listen there; give an address of this machine, or 0.0.0.0 for all of them.".to_owned())
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
