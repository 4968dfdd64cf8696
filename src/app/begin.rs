//! From the settings, and what they leave to ask, to a node that listens.

use std::env;
use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr};

use anyhow::bail;

use super::Queue;
use crate::chat::StaticPeer;
use crate::cli::{Cli, Misused, listening_port};
use crate::escape::harmless;
use crate::identity::{Identity, Profile};
use crate::net;
use crate::node::{Node, NodeConfig, StartError};
use crate::peer::Name;

/// The port that is offered first.
const FIRST_PORT: u16 = 5000;

/// Ports that are tried for one to offer: more programs than anybody runs on one machine.
const PORTS_TRIED: u16 = 100;

/// Asks for what the settings do not say, takes on who we are, and starts the node.
pub(super) fn start(
    cli: &Cli,
    peers: Vec<StaticPeer>,
    terminal: bool,
    queue: &Queue,
) -> anyhow::Result<(Name, Identity, Node)> {
    let name = match &cli.name {
        Some(name) => name.clone(),
        None if terminal => ask_name()?,
        None => bail!(Misused::new("No name was given; add --name NAME, or set P2P_CHAT_NAME.")),
    };
    // Before anything is said to anybody: not more than one process may be heard as this one.
    let identity = Identity::open(cli, &cli.profile.clone().unwrap_or_else(|| Profile::from(&name)))?;
    let bind = cli.bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let mut asked = cli.port;
    loop {
        let port = match asked {
            Some(port) => port,
            None if terminal => ask_port(bind)?,
            None => bail!(Misused::new(
                "No port was given; add --port PORT (0 for any that is free), or set P2P_CHAT_PORT."
            )),
        };
        let config =
            NodeConfig { name: name.clone(), bind, port, advertise: cli.advertise, peers: peers.clone() };
        match Node::start(config, queue) {
            Ok(node) => return Ok((name, identity, node)),
            Err(error @ (StartError::PortInUse(_) | StartError::NotPermitted(_))) if cli.port.is_none() => {
                writeln!(io::stdout(), "{error}")?;
                asked = None;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks for the name, and offers the one that the user has logged in under if it will do.
fn ask_name() -> anyhow::Result<Name> {
    let login = ["USER", "USERNAME"].into_iter().find_map(|variable| env::var(variable).ok());
    let offered: Option<Name> = login.and_then(|login| login.parse().ok());
    let prompt = match &offered {
        Some(name) => format!("Enter your name [{name}]: "),
        None => "Enter your name: ".into(),
    };
    question(&prompt, |line| match (line, &offered) {
        ("", Some(name)) => Ok(name.clone()),
        (line, _) => line.parse::<Name>().map_err(|error| error.to_string()),
    })
}

/// Asks for the port, and offers the first that is free from [`FIRST_PORT`] on.
fn ask_port(bind: IpAddr) -> anyhow::Result<u16> {
    let is_free = |port: &u16| net::bind(bind, *port).is_ok();
    let offered = (FIRST_PORT..FIRST_PORT + PORTS_TRIED).find(is_free).unwrap_or(0);
    let prompt = format!("Enter your port number [{offered}], 0 for any free one: ");
    question(&prompt, |line| match line {
        "" => Ok(offered),
        line => listening_port(line).map_err(|error| format!("`{}` will not do: {error}", harmless(line))),
    })
}

/// Asks on the terminal until the answer is valid.
fn question<T>(prompt: &str, read: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<T> {
    loop {
        let mut stdout = io::stdout().lock();
        write!(stdout, "{prompt}")?;
        stdout.flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            writeln!(stdout)?;
            bail!("The program was left before it started.");
        }
        match read(line.trim()) {
            Ok(answer) => return Ok(answer),
            Err(sentence) => writeln!(stdout, "{sentence}")?,
        }
    }
}
