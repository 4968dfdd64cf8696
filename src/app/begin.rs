//! From the settings, and what they leave to ask, to a node that listens.

use std::env;
use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;

use super::contacts::ContactBook;
use super::{Queue, clock};
use crate::cli::{Cli, Misused, listening_port};
use crate::core::StaticPeer;
use crate::history::Keep;
use crate::model::name::{Name, NameError};
use crate::model::untrusted::harmless;
use crate::net;
use crate::node::{Bound, Keeping, Node, NodeConfig, StartError};
use crate::profile::{
    self, AddressBook, Found, Identity, Kept, Named, Places, Profile, Profiles, TypedLines,
};
use crate::store::{HISTORY_FILE, Sqlite, Store, StoreError, in_memory, open_or_set_aside};

/// The port that is offered first.
const FIRST_PORT: u16 = 5000;

/// Ports that are tried for a free one: more programs than anybody runs on one machine.
const PORTS_TRIED: u16 = 100;

/// What the application begins with.
pub(super) struct Begun {
    pub(super) name: Name,
    /// Until this is dropped nobody else may be who we are.
    pub(super) identity: Identity,
    pub(super) contacts: ContactBook,
    pub(super) node: Node,
    /// What was said, for reading.
    pub(super) history: Box<dyn Store>,
    pub(super) own: Own,
    /// What the user has to be told of what was found, in whole sentences.
    pub(super) told: Vec<String>,
}

/// What the application changes in its profile.
#[derive(Default)]
pub(super) struct Own {
    /// The directory of the profile; `None` if nothing is kept.
    pub(super) folder: Option<PathBuf>,
    /// Where typed lines are added; `None` if they are not remembered.
    pub(super) typed: Option<TypedLines>,
    /// Lines of earlier runs, the oldest first.
    pub(super) recalled: Vec<String>,
}

/// The profile to start as.
struct Chosen {
    profile: Profile,
    name: Name,
    /// The port of its last run.
    port: Option<u16>,
    /// A profile that this new one may be mistyped for.
    similar: Option<Name>,
}

impl Chosen {
    fn found(Found { profile, name, port, .. }: Found) -> Self {
        Self { profile, name, port, similar: None }
    }

    fn new(cli: &Cli, name: Name, similar: Option<Name>) -> Self {
        Self { profile: profile::new_profile(cli, &name), name, port: None, similar }
    }
}

/// Chooses the profile: as the settings say, the only one, or as the user says.
fn choose(cli: &Cli, profiles: &Profiles, terminal: bool) -> anyhow::Result<Chosen> {
    if let Some(profile) = &cli.profile {
        let found = profiles.at(profile, cli.name.as_ref())?;
        return Ok(match (found, cli.name.clone()) {
            (Some(found), None) => Chosen::found(found),
            (Some(found), Some(name)) => Chosen { name, ..Chosen::found(found) },
            (None, Some(name)) => Chosen::new(cli, name, None),
            (None, None) => Chosen::new(cli, asked_name(terminal)?, None),
        });
    }
    let name = match &cli.name {
        Some(name) => name.clone(),
        None if profiles.is_empty() => asked_name(terminal)?,
        None => match profiles.only()? {
            Some(found) => return Ok(Chosen::found(found)),
            None if !terminal => return Err(profiles.several().into()),
            None => match ask_profile(profiles)? {
                Some(found) => return Ok(Chosen::found(found)),
                None => asked_name(terminal)?,
            },
        },
    };
    Ok(match profiles.named(&name)? {
        Named::Known(found) => Chosen::found(found),
        Named::Unknown(similar) => Chosen::new(cli, name, similar),
    })
}

/// Asks which of several profiles is meant; `None` for a new one.
fn ask_profile(profiles: &Profiles) -> anyhow::Result<Option<Found>> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "Who are you?")?;
    let all = profiles.all();
    for (number, found) in (1..).zip(all) {
        writeln!(stdout, "  {number}  {}", found.label())?;
    }
    let new = all.len() + 1;
    writeln!(stdout, "  {new}  a new profile")?;
    for damaged in profiles.damaged() {
        writeln!(stdout, "{}", harmless(&damaged.why))?;
    }
    drop(stdout);
    question("Number or name: ", |line| match line.parse::<usize>() {
        Ok(number) if number == new => Ok(None),
        Ok(number) => {
            let found = number.checked_sub(1).and_then(|at| all.get(at));
            found.cloned().map(Some).ok_or_else(|| format!("Choose a number from 1 to {new}."))
        }
        Err(_) => {
            let name: Name = line.parse().map_err(|error: NameError| error.to_string())?;
            match profiles.named(&name).map_err(|error| error.to_string())? {
                Named::Known(found) => Ok(Some(found)),
                Named::Unknown(_) => {
                    Err(format!("No profile is called {name}. Choose {new} for a new profile."))
                }
            }
        }
    })
}

/// Asks for the name if there is somebody to ask.
fn asked_name(terminal: bool) -> anyhow::Result<Name> {
    if terminal {
        return ask_name();
    }
    bail!(Misused::new("No name was given; add --name NAME, or set P2P_CHAT_NAME."))
}

/// Listens at the port of the settings, at that of the last run, or where the user says.
fn bind(cli: &Cli, last: Option<u16>, terminal: bool, told: &mut Vec<String>) -> anyhow::Result<Bound> {
    let ip = cli.bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    if let (None, Some(last)) = (cli.port, last) {
        return match Bound::new(ip, last) {
            Err(StartError::PortInUse(_) | StartError::NotPermitted(_)) => {
                told.push(format!("Another program uses port {last}, where you listened last."));
                Ok(next_free(ip, last)?)
            }
            bound => Ok(bound?),
        };
    }
    let mut asked = cli.port;
    loop {
        let port = match asked {
            Some(port) => port,
            None if terminal => ask_port(ip)?,
            None => bail!(Misused::new(
                "No port was given; add --port PORT (0 for any that is free), or set P2P_CHAT_PORT."
            )),
        };
        match Bound::new(ip, port) {
            Ok(bound) => return Ok(bound),
            Err(error @ (StartError::PortInUse(_) | StartError::NotPermitted(_))) if cli.port.is_none() => {
                writeln!(io::stdout(), "{error}")?;
                asked = None;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Listens at the first free port after this one, or at any.
fn next_free(ip: IpAddr, port: u16) -> Result<Bound, StartError> {
    let next = (port..=port.saturating_add(PORTS_TRIED)).skip(1);
    next.map(|port| Bound::new(ip, port)).find_map(Result::ok).map_or_else(|| Bound::new(ip, 0), Ok)
}

/// Says that a profile was created, and which other one it may be mistyped for.
fn announce(chosen: &Chosen, identity: &Identity, told: &mut Vec<String>) {
    if !identity.is_new() || matches!(identity.kept(), Kept::Nowhere(_)) {
        return;
    }
    told.push(format!("Created the profile {}. Others know it by this key:", chosen.name));
    told.push(format!("  {}", identity.key().grouped()));
    if let Some(similar) = &chosen.similar {
        told.push(format!("Did you mean {similar}? Leave, and start with --name {similar}."));
    }
}

/// Opens what was typed in earlier runs, if lines are edited here and may be kept.
fn recall(cli: &Cli, folder: &Path, told: &mut Vec<String>) -> (Option<TypedLines>, Vec<String>) {
    if cli.no_history || cli.plain {
        return (None, Vec::new());
    }
    let since = match cli.keep_history {
        Keep::Forever => None,
        Keep::For(age) => {
            let age = u64::try_from(age.duration().as_millis()).unwrap_or(u64::MAX);
            Some(clock::millis().saturating_sub(age))
        }
    };
    let (typed, recalled, damaged) = TypedLines::open(folder, since);
    told.extend(damaged);
    (Some(typed), recalled)
}

/// Asks for what the settings do not say, takes on who we are, reads what is remembered of others, and starts the node.
pub(super) fn start(
    cli: &Cli,
    mut peers: Vec<StaticPeer>,
    terminal: bool,
    queue: &Queue,
) -> anyhow::Result<Begun> {
    let chosen = choose(cli, &Profiles::read(cli)?, terminal)?;
    // One process only may use the key, so this comes before anything is sent.
    let identity = Identity::open(cli, &chosen.profile)?;
    let mut told = Vec::new();
    announce(&chosen, &identity, &mut told);
    let name = chosen.name;
    let folder = match identity.kept() {
        Kept::In(folder) => Some(folder.as_path()),
        Kept::Nowhere(_) => None,
    };
    if let Some(folder) = folder {
        told.extend(profile::save_name(folder, &name).err().map(|error| error.to_string()));
    }
    // A clock before 1970 is as wrong as one in 1970.
    let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (mut keeping, history) = keep(cli, folder, &mut told)?;
    let data = crate::data::folder(cli);
    let places = Places { folder, data: data.as_deref(), saves: true };
    let mut book = AddressBook::open(places, &mut *keeping.store, clock::millis()).map_err(Misused::new)?;
    told.extend(profile::configure(&mut book.pins, &mut peers, identity.key(), date));
    let config = NodeConfig {
        name: name.clone(),
        advertise: cli.advertise,
        peers,
        seed: *identity.seed(),
        pins: book.pins.values().cloned().collect(),
        contacts: book.known_contacts(clock::millis()),
        policy: cli.policy,
        require_encryption: cli.require_encryption,
    };
    let bound = bind(cli, chosen.port, terminal, &mut told)?;
    let node = Node::start(bound, config, keeping, queue)?;
    let mut own = Own::default();
    if let Some(folder) = folder {
        let saved = profile::save_port(folder, node.addr().port());
        told.extend(saved.err().map(|error| error.to_string()));
        own.folder = Some(folder.to_owned());
        if terminal {
            (own.typed, own.recalled) = recall(cli, folder, &mut told);
        }
    }
    let contacts = ContactBook::new(book.contacts, book.pins);
    Ok(Begun { name, identity, contacts, node, history, own, told })
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
