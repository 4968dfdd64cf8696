//! `contacts.toml`: what the user decided about other people. docs/IDENTITY.md describes the format.
//!
//! The user may edit the file while p2p-chat runs. [`Contacts::reload`] takes over such edits, and
//! each write changes only the entry that it is about, in the file as it then is.

mod edit;
mod import;
mod parse;
mod version;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use crate::config::{ConfigError, mistake};
use crate::core::{MAX_CONTACTS, MAX_HINTS};
use crate::files;
use crate::model::address::PeerAddr;
use crate::model::name::{Name, PeerName, folded};
use crate::model::peer_id::{PeerId, Recipient};
pub use import::from_older;
use parse::{Document, MAX_VERIFIED};
use version::{SETTLE, Stat, Version};

/// The file, in the directory of the profile.
const CONTACTS_FILE: &str = "contacts.toml";

/// Bytes of one entry as we write it, at most, with some room for the user's comments.
const MAX_ENTRY_BYTES: u64 = 1_600;

/// Bytes of the file, at most. Any file that we write can be read again.
const MAX_CONTACTS_BYTES: u64 = MAX_CONTACTS as u64 * MAX_ENTRY_BYTES;

/// How often a write starts over because another program changed the file meanwhile, at most. An
/// editor saves once; a program that keeps writing is left alone.
const MAX_TRIES: usize = 5;

/// A peer that the user decided something about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// The key, or the address of a legacy peer.
    pub id: PeerId,
    /// The name the peer last gave itself when the user decided.
    pub name: Option<PeerName>,
    /// The user's own name for the peer. No other contact has it as alias or, unless that contact
    /// is blocked, as name.
    pub alias: Option<Name>,
    /// When the user verified the key, in seconds since 1970.
    pub verified: Option<u64>,
    /// Nothing is sent to the peer and nothing from it is shown, even if the key is verified.
    pub blocked: bool,
    /// The peer's messages are stored but not shown.
    pub muted: bool,
    /// Where to dial the peer, at most [`MAX_HINTS`].
    pub addrs: Vec<PeerAddr>,
}

impl Contact {
    /// A contact about which nothing else is known.
    pub fn new(id: PeerId) -> Self {
        Self { id, name: None, alias: None, verified: None, blocked: false, muted: false, addrs: Vec::new() }
    }

    /// The contact as the file can hold it: without an empty name, and within the limits.
    fn storable(mut self) -> Self {
        self.name = self.name.filter(|name| !name.as_str().trim().is_empty());
        // A legacy peer has no key to verify or to block.
        let has_key = self.id.key().is_some();
        self.verified = self.verified.filter(|_| has_key).map(|time| time.min(MAX_VERIFIED));
        self.blocked &= has_key;
        self.addrs.truncate(MAX_HINTS);
        self
    }

    /// `self` with the fields in which `after` differs from `before`.
    fn with_changes(&self, before: &Self, after: &Self) -> Self {
        fn pick<T: PartialEq + Clone>(now: &T, before: &T, after: &T) -> T {
            if before == after { now.clone() } else { after.clone() }
        }
        Self {
            id: self.id,
            name: pick(&self.name, &before.name, &after.name),
            alias: pick(&self.alias, &before.alias, &after.alias),
            verified: pick(&self.verified, &before.verified, &after.verified),
            blocked: pick(&self.blocked, &before.blocked, &after.blocked),
            muted: pick(&self.muted, &before.muted, &after.muted),
            addrs: pick(&self.addrs, &before.addrs, &after.addrs),
        }
    }
}

/// What another program, such as the user's editor, changed in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The contact is new or differs.
    Set(Contact),
    /// The contact is no longer in the file. Holds what was last in force.
    Removed(Contact),
}

/// Why the contacts cannot be read or saved. Displayed as a whole sentence.
#[derive(Debug)]
pub enum ContactsError {
    /// The file cannot be read, or holds a mistake.
    File(ConfigError),
    /// The file cannot be written.
    Unwritable(PathBuf, io::Error),
    /// The file would have more than this many bytes.
    TooLarge(PathBuf, u64),
    /// The file had contacts and is now missing or has none.
    Gone(PathBuf),
    /// Another program keeps changing the file.
    Busy(PathBuf),
    /// There are [`MAX_CONTACTS`] contacts already.
    TooMany,
    /// Another contact already has this alias, or has it as its name.
    Taken(Name, PeerId),
}

impl fmt::Display for ContactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Unwritable(path, error) => {
                write!(f, "Cannot write {}: {error}; the contacts stay as they were.", path.display())
            }
            Self::TooLarge(path, max) => write!(
                f,
                "{} would have more than {max} bytes; shorten its comments. The contacts stay as they were.",
                path.display()
            ),
            Self::Gone(path) => write!(
                f,
                "{} is missing or empty, so nothing is saved to it; try again in a moment.",
                path.display()
            ),
            Self::Busy(path) => write!(
                f,
                "Another program is changing {}, so nothing is saved to it; try again in a moment.",
                path.display()
            ),
            Self::TooMany => {
                write!(f, "There are {MAX_CONTACTS} contacts already; remove one with /forget first.")
            }
            Self::Taken(alias, other) => {
                write!(f, "{} is called {alias} already; choose another alias.", Recipient::from(*other))
            }
        }
    }
}

impl std::error::Error for ContactsError {}

/// Two contacts that the user could not tell apart.
struct Clash {
    /// The contact with the alias; if both have it, the later one.
    id: PeerId,
    alias: Name,
    /// The contact that has the alias too, or has it as its name.
    other: PeerId,
}

/// The folded aliases, each with the last contact that has it.
fn aliases_of<'a>(contacts: impl Iterator<Item = &'a Contact>) -> HashMap<String, PeerId> {
    let alias = |contact: &Contact| Some((folded(contact.alias.as_ref()?.as_str()), contact.id));
    contacts.filter_map(alias).collect()
}

/// The first clash among contacts: two with one alias, or an alias that is the name of a contact
/// that is not blocked. Names may occur twice: peers choose them.
fn clash<'a>(contacts: impl Iterator<Item = &'a Contact> + Clone) -> Option<Clash> {
    let mut holders: HashMap<String, &Contact> = HashMap::new();
    for contact in contacts.clone() {
        let Some(alias) = &contact.alias else { continue };
        if let Some(first) = holders.insert(folded(alias.as_str()), contact) {
            return Some(Clash { id: contact.id, alias: alias.clone(), other: first.id });
        }
    }
    if holders.is_empty() {
        return None;
    }
    let mut named = contacts.filter(|contact| !contact.blocked);
    named.find_map(|other| {
        let holder = holders.get(&folded(other.name.as_ref()?.as_str()))?;
        let alias = holder.alias.clone().filter(|_| holder.id != other.id)?;
        Some(Clash { id: holder.id, alias, other: other.id })
    })
}

/// The contacts of a profile.
#[derive(Debug)]
pub struct Contacts {
    /// `None` if nothing is read or saved.
    path: Option<PathBuf>,
    all: BTreeMap<PeerId, Contact>,
    was_missing: bool,
    /// The version of the file that was last read or written, good or bad.
    version: Version,
    /// The last look found no contacts in the file, while there are contacts in force.
    emptied: bool,
    /// What the caller does not know yet: edits by other programs.
    unreported: BTreeMap<PeerId, Change>,
}

/// Contacts to set, and those to remove (`None`).
type Edits = BTreeMap<PeerId, Option<Contact>>;

impl Contacts {
    /// Reads the file in `folder`, which has to exist by the first write. Without a folder nothing
    /// is read or saved.
    ///
    /// # Errors
    /// If the file exists and cannot be read, or contains a mistake.
    pub fn open(folder: Option<&Path>) -> Result<Self, ContactsError> {
        let path = folder.map(|folder| folder.join(CONTACTS_FILE));
        let (version, all) = match &path {
            Some(path) => {
                let (version, text) = version::read(path).map_err(ContactsError::File)?;
                (version, parsed(path, &text)?.into_contacts())
            }
            None => (Version::missing(), BTreeMap::new()),
        };
        let was_missing = version.stat == Stat::Missing;
        Ok(Self { path, all, was_missing, version, emptied: false, unreported: BTreeMap::new() })
    }

    /// Whether there was no file when the contacts were opened, so that those of older files are to
    /// be imported. [`Contacts::set_many`] makes the file, even with no contacts.
    pub fn was_missing(&self) -> bool {
        self.was_missing
    }

    /// All contacts, sorted by id.
    pub fn all(&self) -> impl Iterator<Item = &Contact> {
        self.all.values()
    }

    /// The contact with this id.
    pub fn get(&self, id: PeerId) -> Option<&Contact> {
        self.all.get(&id)
    }

    /// Adds or changes a contact, in force and in the file. If the user has edited its entry since
    /// the last [`Contacts::reload`], only the fields are written that differ from those in force.
    ///
    /// A name that is another contact's alias is left out: the peer chose the name, and the user
    /// chose the alias.
    ///
    /// # Errors
    /// If the file holds a mistake or cannot be read or written, if there are too many contacts, or
    /// if another contact has the alias. Nothing changes then.
    pub fn set(&mut self, contact: Contact) -> Result<(), ContactsError> {
        self.set_many(vec![contact])
    }

    /// Does the same for several contacts, in one write. The last of several with one id counts.
    ///
    /// # Errors
    /// As [`Contacts::set`]. Nothing changes then.
    pub fn set_many(&mut self, contacts: Vec<Contact>) -> Result<(), ContactsError> {
        self.write(contacts.into_iter().map(|contact| (contact.id, Some(contact.storable()))).collect())
    }

    /// Removes a contact, in force and from the file. Returns whether there was one in force.
    ///
    /// # Errors
    /// As [`Contacts::set`]. Nothing changes then.
    pub fn remove(&mut self, id: PeerId) -> Result<bool, ContactsError> {
        let existed = self.all.contains_key(&id);
        self.write(BTreeMap::from([(id, None)]))?;
        Ok(existed)
    }

    /// Takes over what other programs changed in the file, and returns what the caller does not
    /// know yet. To be called about once a second. If nothing changed, it only looks at the
    /// metadata of the file.
    ///
    /// A version that may still be being written is taken over at a later call. A file without
    /// contacts, or a missing one, is taken over at the second call that finds it so.
    ///
    /// # Errors
    /// If the file cannot be read or holds a mistake, once for each version of the file. The
    /// contacts in force stay in force.
    pub fn reload(&mut self) -> Result<Vec<Change>, ContactsError> {
        if let Some(path) = self.path.clone() {
            self.look(&path)?;
        }
        Ok(std::mem::take(&mut self.unreported).into_values().collect())
    }

    /// Takes over the file if it is a new version.
    fn look(&mut self, path: &Path) -> Result<(), ContactsError> {
        let was_emptied = std::mem::take(&mut self.emptied);
        let stat = Stat::of(path);
        if self.version.is(&stat) {
            return Ok(());
        }
        let (version, text) = match version::read(path) {
            Ok(read) => read,
            Err(error) => {
                let version = Version::unreadable(stat, &error);
                let is_known = std::mem::replace(&mut self.version, version).is_unreadable_at(&stat);
                return if is_known { Ok(()) } else { Err(ContactsError::File(error)) };
            }
        };
        if version.has_content_of(&self.version) {
            self.version = version;
            return Ok(());
        }
        if !version.stat.is_settled() {
            return Ok(());
        }
        let contacts = parsed(path, &text).map(Document::into_contacts);
        if !was_emptied && contacts.as_ref().is_ok_and(BTreeMap::is_empty) && !self.all.is_empty() {
            self.emptied = true;
            return Ok(());
        }
        self.version = version;
        self.take_over(contacts?);
        Ok(())
    }

    /// Puts the contacts of the file in force and notes what differs.
    fn take_over(&mut self, contacts: BTreeMap<PeerId, Contact>) {
        let before = std::mem::replace(&mut self.all, contacts);
        for (id, contact) in &self.all {
            if before.get(id) != Some(contact) {
                self.unreported.insert(*id, Change::Set(contact.clone()));
            }
        }
        for (id, contact) in before {
            if !self.all.contains_key(&id) {
                self.unreported.insert(id, Change::Removed(contact));
            }
        }
    }

    /// Makes edits in force and in the file.
    fn write(&mut self, edits: Edits) -> Result<(), ContactsError> {
        let Some(path) = self.path.clone() else {
            let (done, all) = self.merged(&self.all, &edits)?;
            self.all = all;
            self.note_written(edits, done);
            return Ok(());
        };
        for _ in 0..MAX_TRIES {
            let (version, text) = version::read(&path).map_err(ContactsError::File)?;
            if !version.has_content_of(&self.version) && !version.stat.is_settled() {
                // The system does not say when another program is done with a file.
                thread::sleep(SETTLE);
                continue;
            }
            if self.write_into(&path, version, &text, &edits)? {
                return Ok(());
            }
        }
        Err(ContactsError::Busy(path))
    }

    /// Makes edits in a version of the file, and in force. Returns false, and changes nothing, if
    /// the file has changed again.
    fn write_into(
        &mut self,
        path: &Path,
        mut version: Version,
        text: &str,
        edits: &Edits,
    ) -> Result<bool, ContactsError> {
        let document = parsed(path, text)?;
        let saved = document.contacts();
        if saved.is_empty() && !self.all.is_empty() {
            return Err(ContactsError::Gone(path.to_owned()));
        }
        let (done, mut all) = self.merged(&saved, edits)?;
        let is_new = version.stat == Stat::Missing && edits.values().all(Option::is_some);
        let new = edit::edited(&document, &done, is_new);
        if new.len() as u64 > MAX_CONTACTS_BYTES {
            return Err(ContactsError::TooLarge(path.to_owned(), MAX_CONTACTS_BYTES));
        }
        if new != text {
            // What is in force is what the next start reads.
            all = parsed(path, &new)?.into_contacts();
            if Stat::of(path) != version.stat {
                return Ok(false);
            }
            files::replace(path, new.as_bytes())
                .map_err(|error| ContactsError::Unwritable(path.to_owned(), error))?;
            version = Version::written(path, &new);
        }
        (self.version, self.emptied) = (version, false);
        self.take_over(saved);
        self.all = all;
        self.note_written(edits.clone(), done);
        Ok(true)
    }

    /// The edits as they are made on `saved`, and the contacts after them.
    fn merged(
        &self,
        saved: &BTreeMap<PeerId, Contact>,
        edits: &Edits,
    ) -> Result<(Edits, BTreeMap<PeerId, Contact>), ContactsError> {
        let (mut done, mut all) = (edits.clone(), saved.clone());
        for (id, edit) in &mut done {
            let Some(contact) = edit else {
                all.remove(id);
                continue;
            };
            if let (Some(now), Some(before)) = (saved.get(id), self.all.get(id)) {
                *contact = now.with_changes(before, contact);
            }
            all.insert(*id, contact.clone());
        }
        if all.len() > MAX_CONTACTS {
            return Err(ContactsError::TooMany);
        }
        let aliases = aliases_of(all.values());
        for contact in done.values_mut().flatten().filter(|contact| !contact.blocked) {
            let name = contact.name.as_ref().map(|name| folded(name.as_str()));
            let holder = name.and_then(|name| aliases.get(&name));
            if holder.is_some_and(|holder| *holder != contact.id) {
                contact.name = None;
                all.insert(contact.id, contact.clone());
            }
        }
        if let Some(clash) = clash(all.values()) {
            let is_asked = done.contains_key(&clash.id);
            return Err(ContactsError::Taken(clash.alias, if is_asked { clash.other } else { clash.id }));
        }
        Ok((done, all))
    }

    /// Notes edits that were made, and of which the caller therefore knows, except where they were
    /// made otherwise.
    fn note_written(&mut self, asked: Edits, done: Edits) {
        for ((id, asked), done) in asked.into_iter().zip(done.into_values()) {
            match done {
                Some(contact) if asked.as_ref() != Some(&contact) => {
                    self.unreported.insert(id, Change::Set(contact));
                }
                _ => drop(self.unreported.remove(&id)),
            }
        }
    }
}

/// The document in the text of a file.
fn parsed<'t>(path: &Path, text: &'t str) -> Result<Document<'t>, ContactsError> {
    parse::parse(text).map_err(|(at, what)| ContactsError::File(mistake(path, text.as_bytes(), at, &what)))
}

#[cfg(test)]
mod tests;
