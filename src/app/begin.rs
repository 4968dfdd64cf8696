//! From the settings, and what they leave to ask, to a node that listens.

use std::env;
use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;

use super::Queue;
use crate::cli::{Cli, Misused, listening_port};
use crate::core::StaticPeer;
use crate::history::Keep;
use crate::known::KnownPeers;
use crate::model::name::Name;
use crate::model::untrusted::harmless;
use crate::net;
use crate::node::{Bound, Keeping, Node, NodeConfig, StartError};
use crate::profile::{Identity, Kept, Profile};
use crate::store::{HISTORY_FILE, Sqlite, Store, StoreError, in_memory, open_or_set_aside};

/// The port that is offered first.
const FIRST_PORT: u16 = 5000;

/// Ports that are tried for one to offer: more programs than anybody runs on one machine.
const PORTS_TRIED: u16 = 100;

/// What the application begins with.
pub(super) struct Begun {
    pub(super) name: Name,
    /// Until this is dropped nobody else may be who we are.
    pub(super) identity: Identity,
    pub(super) known: KnownPeers,
    pub(super) node: Node,
    /// What was said, for reading.
    pub(super) history: Box<dyn Store>,
    /// What the user has to be told of what was found, in whole sentences.
    pub(super) told: Vec<String>,
}

/// Asks for what the settings do not say, takes on who we are, reads what is remembered of others, and starts the node.
pub(super) fn start(
    cli: &Cli,
    mut peers: Vec<StaticPeer>,
    terminal: bool,
    queue: &Queue,
) -> anyhow::Result<Begun> {
    let name = match &cli.name {
        Some(name) => name.clone(),
        None if terminal => ask_name()?,
        None => bail!(Misused::new("No name was given; add --name NAME, or set P2P_CHAT_NAME.")),
    };
    // Before anything is said to anybody: not more than one process may be heard as this one.
    let identity = Identity::open(cli, &cli.profile.clone().unwrap_or_else(|| Profile::from(&name)))?;
    let folder = match identity.kept() {
        Kept::In(folder) => Some(folder.as_path()),
        Kept::Nowhere(_) => None,
    };
    let mut known = KnownPeers::open(folder).map_err(Misused::new)?;
    // A clock before 1970 is as wrong as one in 1970.
    let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut told = Vec::new();
    let (keeping, mut history) = keep(cli, folder, &mut told)?;
    // Before peers.toml is read: a key in it gets no name of a contact.
    known.mark_contacts(history.written_to().map_err(unreadable)?);
    told.extend(known.configure(&mut peers, identity.key(), date));
    let bind = cli.bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let config = NodeConfig {
        name: name.clone(),
        advertise: cli.advertise,
        peers,
        seed: *identity.seed(),
        pins: known.pins().cloned().collect(),
        policy: cli.policy,
        require_encryption: cli.require_encryption,
    };
    let mut asked = cli.port;
    let bound = loop {
        let port = match asked {
            Some(port) => port,
            None if terminal => ask_port(bind)?,
            None => bail!(Misused::new(
                "No port was given; add --port PORT (0 for any that is free), or set P2P_CHAT_PORT."
            )),
        };
        match Bound::new(bind, port) {
            Ok(bound) => break bound,
            Err(error @ (StartError::PortInUse(_) | StartError::NotPermitted(_))) if cli.port.is_none() => {
                writeln!(io::stdout(), "{error}")?;
                asked = None;
            }
            Err(error) => return Err(error.into()),
        }
    };
    let node = Node::start(bound, config, keeping, queue)?;
    Ok(Begun { name, identity, known, node, history, told })
}

/// The error for a history that opens but cannot be read.
fn unreadable(error: StoreError) -> Misused {
    Misused::new(format!("Cannot read the history: {error}. Start with --no-history to keep nothing."))
}

/// Where what is said is kept: written by the node, and read here.
fn keep(
    cli: &Cli,
    folder: Option<&Path>,
    told: &mut Vec<String>,
) -> anyhow::Result<(Keeping, Box<dyn Store>)> {
    let expire = cli.expire.duration();
    let retention = match cli.keep_history {
        Keep::Forever => None,
        Keep::For(age) => Some(age.duration()),
    };
    let Some(folder) = folder.filter(|_| !cli.no_history) else {
        let store = in_memory().map_err(unreadable)?;
        let keeping = Keeping { store: Box::new(store.clone()), durable: false, expire, retention: None };
        return Ok((keeping, Box::new(store)));
    };
    let path = folder.join(HISTORY_FILE);
    let unusable = |error: StoreError| {
        Misused::new(format!(
            "Cannot use {}: {error}. Start with --no-history to keep nothing, or with another --data-dir.",
            path.display()
        ))
    };
    let (store, set_aside) = open_or_set_aside(&path).map_err(unusable)?;
    told.extend(set_aside);
    let reader = Sqlite::reader(&path).map_err(unusable)?;
    Ok((Keeping { store: Box::new(store), durable: true, expire, retention }, Box::new(reader)))
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
