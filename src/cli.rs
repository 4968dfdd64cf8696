//! The command line.

use std::env;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::peer::{Name, PeerAddr};

const EXAMPLES: &str = "\
Examples:
  Two terminals on one machine, which find each other by the peers.toml that comes with the program:
    p2p-chat --name Alice --port 5000
    p2p-chat --name Bob --port 5001

  Somebody on another machine:
    p2p-chat --name Alice --port 5000 --peer 192.168.1.20:5000

  From a script (the menu, line by line: 1 send, to all, the text, 0 exit):
    printf '1\\nall\\nlunch is ready\\n0\\n' | p2p-chat --name Cook --port 0";

/// Chat in a terminal between people who can reach each other, with no server in the middle.
#[derive(Parser, Debug, Clone)]
#[command(name = "p2p-chat", version, after_help = EXAMPLES)]
pub struct Cli {
    /// Your name: one word of at most 32 columns; asked for on a terminal if missing
    #[arg(long, env = "P2P_CHAT_NAME", value_name = "NAME")]
    pub name: Option<Name>,

    /// The TCP port to listen at, 0 for any that is free; asked for on a terminal if missing
    #[arg(long, env = "P2P_CHAT_PORT", value_name = "PORT", value_parser = listening_port)]
    pub port: Option<u16>,

    /// The IPv4 address to listen at [default: all of this machine's]
    #[arg(long, value_name = "IP", value_parser = listening_ip)]
    pub bind: Option<Ipv4Addr>,

    /// The IPv4 address that others are told to answer to [default: the one each connection is made from]
    #[arg(long, value_name = "IP", value_parser = advertised_ip)]
    pub advertise: Option<Ipv4Addr>,

    /// The file that lists static peers [default: ./peers.toml, then the one in the configuration directory]
    #[arg(long, env = "P2P_CHAT_PEERS", value_name = "FILE")]
    pub peers: Option<PathBuf>,

    /// A further peer to dial from the start; may be given several times
    #[arg(long, value_name = "IP:PORT")]
    pub peer: Vec<PeerAddr>,

    /// Do not read any peers.toml
    #[arg(long)]
    pub no_static: bool,

    /// Write the log to this file; needed to log at all while the terminal is in use
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// Log more: -v what happens, -vv every message and connection
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

impl Cli {
    /// Reads the command line and the environment. A variable that is set to nothing counts as not set.
    ///
    /// # Errors
    /// Those of clap, which include `--help` and `--version`.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let empty =
            |arg: &&clap::Arg| arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
        let ids: Vec<_> = command.get_arguments().filter(empty).map(|arg| arg.get_id().clone()).collect();
        for id in ids {
            command = command.mut_arg(id, |arg| arg.env(Resettable::Reset));
        }
        Self::from_arg_matches(&command.try_get_matches()?)
    }
}

/// The program was started with something missing or wrong. Its display is a whole sentence for a user.
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

fn listening_ip(text: &str) -> Result<Ipv4Addr, String> {
    let ip = ip(text)?;
    if ip.is_unspecified() || PeerAddr::new(ip, 1).is_some() {
        return Ok(ip);
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
    fn a_port_to_listen_at_may_be_zero_and_nothing_but_a_number() {
        assert_eq!(listening_port("0"), Ok(0));
        assert_eq!(listening_port("65535"), Ok(65535));
        for wrong in ["", "65536", "-1", "+5", "5 ", "five"] {
            assert!(listening_port(wrong).is_err(), "{wrong}");
        }
    }
}
