//! `p2p-chat add`: adds a contact by invitation. If a process uses the profile, passes the
//! invitation to it.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::contacts::of_contact;
use crate::core::MAX_HINTS;
use crate::model::invitation::Invitation;
use crate::model::key::PublicKey;
use crate::model::name::{Name, PeerName};
use crate::model::peer_id::PeerId;
use crate::net::secure::{self, OwnKey, Tls};
use crate::net::sessions::STRANGER_VERSION;
use crate::profile::contacts::Contact;
use crate::profile::{self, AddressBook, Identity, ProfileError, Profiles};
use crate::protocol::session::Hello;
use crate::settings::{Misused, Settings};
use crate::store::in_memory;
use crate::tui::{Labels, beginning, inviter};

/// How long to wait until the running process reads the invitation. It checks every 0.8 s, and a
/// busy machine may take longer.
const TAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for an answer from the addresses of an invitation: as long as a user is willing
/// to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// How often to check whether the running process has read the invitation. No portable event
/// reports that a file is gone.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Add a contact by invitation, even while the chat runs
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Invitation from `p2p-chat id` or /invite, in quotes
    invitation: String,
}

/// Adds the contact of an invitation to a profile, and writes to `out` who it is. The inner result
/// is that of writing to `out`.
///
/// # Errors
/// If the text is not an invitation, or is the invitation of this profile or of a blocked contact.
/// If the profile does not exist, contacts.toml cannot be changed, or the process that uses the
/// profile does not take the invitation.
pub fn run(settings: &Settings, asked: &Asked, out: &mut impl Write) -> anyhow::Result<io::Result<()>> {
    let invitation: Invitation = asked.invitation.parse().map_err(Misused::new)?;
    let found = Profiles::read(settings)?.existing(settings)?;
    if profile::key_of(settings, &found.profile)? == invitation.key {
        return Err(Misused::new("That is your own invitation.").into());
    }
    let folder = profile::folder(settings, &found.profile).ok_or(ProfileError::NoFolder)?;
    let told = match Identity::open(settings, &found.profile) {
        // Holds the lock of the profile until the contact is saved and dialed.
        Ok(identity) => {
            let addition = Addition::new(&folder, &found.name, &invitation)?;
            let added = addition.save()?;
            let port = profile::port_of(settings, &found.profile);
            format!("{added} {}", dial(&identity, &found.name, port, &invitation))
        }
        Err(ProfileError::Running { name, .. }) => {
            let addition = Addition::new(&folder, &found.name, &invitation)?;
            let process = hand_over(&folder, &name, &invitation)?;
            match addition.is_new {
                true => format!(
                    "Added {} to {name}'s contacts; {name} is running{process}.",
                    inviter(&invitation)
                ),
                false => format!("{} {name} is running{process}.", addition.is_contact_already()),
            }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(writeln!(out, "{told}"))
}

/// What an invitation adds to the contacts of a profile.
struct Addition {
    book: AddressBook,
    key: PublicKey,
    /// The contact as it is to be saved.
    contact: Contact,
    is_new: bool,
    /// How many addresses of the invitation the contact did not have.
    new_addrs: usize,
}

impl Addition {
    /// Reads the contacts of a profile.
    ///
    /// # Errors
    /// If contacts.toml cannot be read, or if the contact is blocked.
    fn new(folder: &Path, own_name: &Name, invitation: &Invitation) -> anyhow::Result<Self> {
        let book = AddressBook::open(Some(folder), own_name, &mut in_memory()?).map_err(Misused::new)?;
        let id = PeerId::Key(invitation.key);
        let before = book.contacts.get(id).cloned();
        if before.as_ref().is_some_and(|contact| contact.blocked) {
            let key = beginning(invitation.key);
            let why =
                format!("The invitation is from a blocked key. /unblock {key} in the chat unblocks it.");
            return Err(Misused::new(why).into());
        }
        let is_new = before.is_none();
        let mut contact = before.unwrap_or_else(|| Contact::new(id));
        contact.name = contact.name.or_else(|| invitation.name.clone());
        let new = invitation.addrs.iter().filter(|addr| !contact.addrs.contains(addr));
        let mut addrs: Vec<_> = new.copied().collect();
        let new_addrs = addrs.len();
        addrs.append(&mut contact.addrs);
        addrs.truncate(MAX_HINTS);
        contact.addrs = addrs;
        Ok(Self { book, key: invitation.key, contact, is_new, new_addrs })
    }

    /// Saves the contact. Returns what to print.
    fn save(mut self) -> anyhow::Result<String> {
        self.book.contacts.set(self.contact.clone())?;
        Ok(match self.is_new {
            true => format!("Added {} to your contacts.", self.who()),
            false => self.is_contact_already(),
        })
    }

    fn is_contact_already(&self) -> String {
        let saved = match self.new_addrs {
            0 => "",
            1 => " The new address is saved.",
            _ => " The new addresses are saved.",
        };
        format!("{} is already a contact.{saved}", self.who())
    }

    /// Returns the label and the key of the saved contact.
    fn who(&self) -> String {
        let Self { book, key, contact, .. } = self;
        let labels = Labels::of_contacts(book.aliases(), book.known_contacts(0).into_iter().map(of_contact));
        let label = labels.label(contact.id.into(), contact.name.as_ref());
        format!("{label} (key {})", key.short())
    }
}

/// Dials the addresses of an invitation with its key expected, and returns what to print. It opens
/// no session, because only the chat exchanges messages.
fn dial(identity: &Identity, name: &Name, port: Option<u16>, invitation: &Invitation) -> String {
    if invitation.addrs.is_empty() {
        return "The invitation has no address, so p2p-chat waits until they connect.".to_owned();
    }
    // If our port is unknown, any port will do, because a probe never changes an address.
    let hello = Hello {
        version: STRANGER_VERSION.into(),
        ..Hello::new(PeerName::new(name.as_str()), port.unwrap_or(1))
    };
    let tls = OwnKey::from_seed(identity.seed()).and_then(|own| Tls::new(&own).ok()).map(Arc::new);
    let (key, addrs) = (invitation.key, &invitation.addrs);
    let answered = tls.and_then(|tls| secure::proven_at(&tls, key, addrs, &hello, ANSWER_TIMEOUT));
    match answered {
        Some(addr) => format!("They are online at {addr}. Start p2p-chat to chat with them."),
        None => "They did not answer. p2p-chat dials them when it starts.".to_owned(),
    }
}

/// Leaves the invitation for the process that uses the profile, and waits until it is taken.
/// Returns which process it is, in brackets.
fn hand_over(folder: &Path, name: &str, invitation: &Invitation) -> anyhow::Result<String> {
    let process =
        profile::process_of(folder).map_or_else(String::new, |process| format!(" (process {process})"));
    let busy = || {
        anyhow::anyhow!(
            "{name} is running{process}, but did not read the invitation. Type /add and the invitation there."
        )
    };
    let until = Instant::now() + TAKE_TIMEOUT;
    while let Err(error) = profile::leave_invitation(folder, invitation) {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return Err(
                anyhow::Error::from(error).context("Cannot pass the invitation to the running p2p-chat")
            );
        }
        // There is another invitation.
        if Instant::now() > until {
            return Err(busy());
        }
        thread::sleep(CHECK_INTERVAL);
    }
    while profile::is_invitation_left(folder) {
        // If the file is still there, the invitation was not taken.
        if Instant::now() > until && profile::withdraw_invitation(folder).is_ok() {
            return Err(busy());
        }
        thread::sleep(CHECK_INTERVAL);
    }
    Ok(process)
}
