//! From the command line, and what it leaves to ask, to a node that listens.

use std::io::{self, BufRead, Write};

use anyhow::bail;

use super::Queue;
use crate::cli::{Cli, Misused, listening_port};
use crate::node::{Node, NodeConfig, StartError};
use crate::peer::Name;

/// Asks for what the command line does not say, and starts the node.
pub(super) fn start(
    cli: &Cli,
    peers: Vec<crate::chat::StaticPeer>,
    terminal: bool,
    queue: &Queue,
) -> anyhow::Result<(Name, Node)> {
    let name = match &cli.name {
        Some(name) => name.clone(),
        None if terminal => {
            question("Enter your name: ", |line| line.parse::<Name>().map_err(|e| e.to_string()))?
        }
        None => bail!(Misused::new("No name was given; add --name NAME, or set P2P_CHAT_NAME.")),
    };
    let mut asked = cli.port;
    loop {
        let port = match asked {
            Some(port) => port,
            None if terminal => question("Enter your port number (0 for any free one): ", |line| {
                listening_port(line)
                    .map_err(|error| format!("`{}` will not do: {error}", crate::escape::harmless(line)))
            })?,
            None => bail!(Misused::new(
                "No port was given; add --port PORT (0 for any that is free), or set P2P_CHAT_PORT."
            )),
        };
        let config = NodeConfig {
            name: name.clone(),
            bind: cli.bind.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED),
            port,
            advertise: cli.advertise,
            peers: peers.clone(),
        };
        match Node::start(config, queue) {
            Ok(node) => return Ok((name, node)),
            Err(error @ (StartError::PortInUse(_) | StartError::NotPermitted(_))) if cli.port.is_none() => {
                writeln!(io::stdout(), "{error}")?;
                asked = None;
            }
            Err(error @ StartError::NotOurs(_)) => bail!(Misused::new(error)),
            Err(error) => return Err(error.into()),
        }
    }
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
