//! Starts the node from the settings, and asks the user for missing ones.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use parking_lot::Mutex;

use super::answer::{Answers, tell};
use super::choose::{ChosenProfile, ask_keys, ask_port, choose};
use super::{Queue, clock};
use crate::core::{Pin, StaticPeer};
use crate::model::key::PublicKey;
use crate::model::name::Name;
use crate::profile::contacts::Contacts;
use crate::profile::{self, AddressBook, Identity, ListeningPort, Profiles, TypedLines};
use crate::runtime::{Bound, ContactBook, Keeping, Node, NodeConfig, StartError};
use crate::settings::{Keep, Misused, Settings, TimeFormat, local_peers_file, zone_warning};
use crate::store::{HISTORY_FILE, Sqlite, StoreError, in_memory, open_or_set_aside};
use crate::tui;

/// Ports that are tried to find a free one: more than the programs on any one machine.
pub(super) const PORTS_TRIED: u16 = 100;

/// A started node, and what the application needs with it.
pub(super) struct Started {
    pub(super) name: Name,
    /// Locks the profile until it is dropped.
    pub(super) identity: Identity,
    pub(super) contacts: ContactBook,
    pub(super) node: Node,
    pub(super) own: ProfileFiles,
    /// What to tell the user about the start, in whole sentences.
    pub(super) told: Vec<String>,
}

/// The files of the profile that the application changes.
#[derive(Default)]
pub(super) struct ProfileFiles {
    /// The directory of the profile. `None` if nothing is stored.
    pub(super) folder: Option<PathBuf>,
    /// The typed lines. `None` if they are not stored.
    pub(super) typed: Option<TypedLines>,
    /// The typed lines of earlier runs, oldest first.
    pub(super) recalled: Vec<String>,
}

/// The listening sockets, and how their port was chosen.
struct Listening {
    bound: Bound,
    /// The port of the profile if it could not be used, with the reason as the beginning of a
    /// sentence.
    replaces: Option<(u16, String)>,
}

/// Listens on the port from the settings, else on that of the profile, else on one that the user
/// types.
fn bind(settings: &Settings, own: Option<u16>, terminal: bool) -> anyhow::Result<Listening> {
    let ip = settings.bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    if let (None, Some(own)) = (settings.port, own) {
        let why = match Bound::new(ip, own) {
            Err(StartError::PortInUse(_)) => format!("Another program uses port {own}"),
            Err(StartError::NotPermitted(_)) => format!("Listening on port {own} is not permitted"),
            bound => return Ok(Listening { bound: bound?, replaces: None }),
        };
        return Ok(Listening { bound: next_free(ip, own)?, replaces: Some((own, why)) });
    }
    let mut asked = settings.port;
    loop {
        let port = match asked {
            Some(port) => port,
            None if terminal => ask_port(Answers::new(settings), ip)?,
            None => bail!(Misused::new(
                "No port was given; add --port PORT (0 for any free port), or set P2P_CHAT_PORT."
            )),
        };
        match Bound::new(ip, port) {
            Ok(bound) => return Ok(Listening { bound, replaces: None }),
            Err(error @ (StartError::PortInUse(_) | StartError::NotPermitted(_)))
                if settings.port.is_none() =>
            {
                tell(&error.to_string())?;
                asked = None;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Listens on the first free port after this one, or on any free one.
fn next_free(ip: IpAddr, port: u16) -> Result<Bound, StartError> {
    let next = (port..=port.saturating_add(PORTS_TRIED)).skip(1);
    next.map(|port| Bound::new(ip, port)).find_map(Result::ok).map_or_else(|| Bound::new(ip, 0), Ok)
}

/// Adds the lines about a new profile, with a similar existing one that the user may have meant.
fn announce(chosen: &ChosenProfile, identity: &Identity, told: &mut Vec<String>) {
    if !identity.is_new() || identity.folder().is_none() {
        return;
    }
    told.push(format!("Created the profile {}. Others know it by this key:", chosen.name));
    told.push(format!("  {}", identity.key().grouped()));
    if let Some(similar) = &chosen.similar {
        told.push(format!("If you meant {similar}, leave and start with --name {similar}."));
    }
}

/// Opens the typed lines of earlier runs. Returns none with `--no-history` or `--plain`. While the
/// clock is doubtful, no line is too old.
fn recall(
    settings: &Settings,
    folder: &Path,
    is_doubtful: bool,
    told: &mut Vec<String>,
) -> (Option<TypedLines>, Vec<String>) {
    if settings.no_history || settings.plain {
        return (None, Vec::new());
    }
    let since = match settings.keep_history {
        Keep::For(age) if !is_doubtful => Some(clock::millis().saturating_sub(age.millis())),
        Keep::Forever | Keep::For(_) => None,
    };
    let (typed, recalled, damaged) = TypedLines::open(folder, since);
    told.extend(damaged);
    (Some(typed), recalled)
}

/// Checks that a new name of the profile is no alias. What is wrong with its contacts.toml is told
/// later.
fn check_no_alias(folder: &Path, name: &Name) -> Result<(), Misused> {
    let Ok(contacts) = Contacts::open(Some(folder), None) else { return Ok(()) };
    let Some(contact) = contacts.with_alias(name).and_then(|id| contacts.get(id)) else { return Ok(()) };
    let at = tui::place(contact.id.into(), contact.addrs.first().copied());
    Err(Misused::new(format!("{name} is your alias for a contact ({at}); choose another name.")))
}

/// Lets the user decide about the keys in `./peers.toml` that they do not know, which can be
/// another person's file. Without a yes the entries with these keys are left out: their addresses
/// without the keys would get unencrypted messages.
fn decide_about_keys(
    peers: &mut Vec<StaticPeer>,
    pins: &BTreeMap<PublicKey, Pin>,
    me: PublicKey,
    answers: Option<Answers>,
) -> anyhow::Result<()> {
    let undecided: Vec<(String, PublicKey)> = profile::undecided(pins, peers, me)
        .map(|(peer, key)| {
            (peer.name.as_ref().map_or_else(|| peer.addr.to_string(), ToString::to_string), key)
        })
        .collect();
    if undecided.is_empty() {
        return Ok(());
    }
    let file = local_peers_file();
    if let Some(answers) = answers {
        if ask_keys(answers, &file, &undecided)? {
            return Ok(());
        }
    } else {
        let entries = undecided.len();
        let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
        writeln!(
            io::stderr(),
            "Ignored {entries} with unknown keys in {file}; add --peers peers.toml if you trust that file."
        )?;
    }
    let keys: BTreeSet<PublicKey> = undecided.into_iter().map(|(_, key)| key).collect();
    peers.retain(|peer| peer.key.is_none_or(|key| !keys.contains(&key)));
    Ok(())
}

/// Chooses and opens the profile, reads its contacts, and starts the node. Asks on the terminal for
/// missing settings.
pub(super) fn start(
    settings: &Settings,
    mut peers: Vec<StaticPeer>,
    terminal: bool,
    queue: &Queue,
) -> anyhow::Result<Started> {
    let chosen = choose(settings, &Profiles::read(settings)?, terminal)?;
    // A new profile is created only once its port is open, not if the user leaves at that question.
    let listening = if chosen.is_new { Some(bind(settings, None, terminal)?) } else { None };
    // Locks the profile before anything is sent with its key.
    let identity = Identity::open(settings, &chosen.profile)?;
    let shows_times = settings.time_format != TimeFormat::Off;
    let mut told: Vec<String> = zone_warning().filter(|_| shows_times).into_iter().collect();
    announce(&chosen, &identity, &mut told);
    if let Err(error) = chosen.name.check_clear() {
        // A profile of an earlier version may have such a name.
        told.push(format!("Others can mistake your name for another. {error} Change it with /name NAME."));
    }
    let folder = identity.folder();
    // A clock before 1970 is treated as 1970.
    let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (keeping, is_doubtful) = keep(settings, folder, &mut told)?;
    if let Some(folder) = folder.filter(|_| chosen.is_renamed) {
        check_no_alias(folder, &chosen.name)?;
    }
    let name = chosen.name;
    let mut book = AddressBook::open(folder, &name, &mut keeping.store.lock()).map_err(Misused::new)?;
    // Only after contacts.toml was read: it refuses a name that is the alias of a contact.
    if let Some(folder) = folder {
        told.extend(profile::save_name(folder, &name).err().map(|error| error.to_string()));
    }
    let answers = terminal.then(|| Answers::new(settings));
    decide_about_keys(&mut peers, &book.pins, identity.key(), answers)?;
    told.extend(profile::configure(&mut book.pins, &mut peers, identity.key(), date));
    let (introductions, set_aside) = folder
        .map(|folder| profile::read_introductions(folder, (!is_doubtful).then_some(date)))
        .unwrap_or_default();
    told.extend(set_aside);
    let config = NodeConfig {
        name: name.clone(),
        advertise: settings.advertise,
        peers,
        seed: identity.seed().clone(),
        pins: book.pins.values().cloned().collect(),
        contacts: book.known_contacts(clock::millis()),
        policy: settings.policy,
        blocked_sources: book.contacts.blocked_sources().iter().copied().collect(),
        require_encryption: settings.require_encryption,
        discovery: settings.discovery(),
        introductions,
    };
    let Listening { bound, replaces } = match listening {
        Some(listening) => listening,
        None => bind(settings, chosen.port, terminal)?,
    };
    let node = Node::start(bound, config, keeping, queue)?;
    let port = node.addr().port();
    let saved_port = match replaces {
        None => ListeningPort::Own(port),
        Some((own, why)) => {
            told.push(format!("{why}, so this run listens on port {port}. The next run tries {own} again."));
            ListeningPort::Replacement(port)
        }
    };
    let mut own = ProfileFiles::default();
    if let Some(folder) = folder {
        let saved = profile::save_port(folder, saved_port, settings.bind);
        told.extend(saved.err().map(|error| error.to_string()));
        own.folder = Some(folder.to_owned());
        if terminal {
            (own.typed, own.recalled) = recall(settings, folder, is_doubtful, &mut told);
        }
    }
    let contacts = ContactBook::new(book.contacts, book.pins);
    Ok(Started { name, identity, contacts, node, own, told })
}

/// The error for a history that opens but cannot be read.
fn unreadable(error: StoreError) -> Misused {
    Misused::new(format!("Cannot read the history: {error}. Start with --no-history to store no messages."))
}

/// Opens the store, once for writing and once for reading. Also returns whether the clock may be
/// wrong.
fn keep(
    settings: &Settings,
    folder: Option<&Path>,
    told: &mut Vec<String>,
) -> anyhow::Result<(Keeping, bool)> {
    let expire = settings.expire.duration();
    let retention = match settings.keep_history {
        Keep::Forever => None,
        Keep::For(age) => Some(age.duration()),
    };
    let Some(folder) = folder.filter(|_| !settings.no_history) else {
        let store = Arc::new(Mutex::new(in_memory().map_err(unreadable)?));
        let reader = Arc::clone(&store);
        return Ok((Keeping { store, reader, durable: false, expire, retention: None }, false));
    };
    let path = folder.join(HISTORY_FILE);
    let unusable = |error: StoreError| {
        Misused::new(format!(
            "Cannot use {}: {error}. Start with --no-history to store no messages, or with another --data-dir.",
            path.display()
        ))
    };
    let (store, set_aside) = open_or_set_aside(&path).map_err(unusable)?;
    told.extend(set_aside);
    let mut store = store.with_max_history(settings.max_history.bytes());
    let is_doubtful = store.doubt(clock::millis()).map_err(unusable)?.is_some();
    let reader = Sqlite::reader(&path).map_err(unusable)?;
    let [store, reader] = [store, reader].map(|store| Arc::new(Mutex::new(store)));
    Ok((Keeping { store, reader, durable: true, expire, retention }, is_doubtful))
}
