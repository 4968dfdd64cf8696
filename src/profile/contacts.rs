//! `contacts.toml`: the user's decisions about other people. docs/SECURITY.md describes the format.
//!
//! The user may edit the file while p2p-chat runs. [`Contacts::reload`] reads such edits. A write
//! reads the file again and changes only its own entry.

mod contact;
mod edit;
mod error;
mod parse;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;

use crate::core::MAX_CONTACTS;
use crate::files;
use crate::model::address::SourcePrefix;
use crate::model::name::{Name, folded};
use crate::model::peer_id::PeerId;
use crate::settings::file;
pub(crate) use contact::Contact;
use contact::{Clash, aliases_of, clash};
pub(crate) use error::ContactsError;
use parse::Document;
use version::{SETTLE, Stat, Version};

/// The file, in the directory of the profile.
const CONTACTS_FILE: &str = "contacts.toml";

/// Bytes of an entry that p2p-chat writes, at most, with some room for the user's comments.
const MAX_ENTRY_BYTES: u64 = 1_600;

/// Bytes of the file, at most. It has room for [`MAX_CONTACTS`].
const MAX_CONTACTS_BYTES: u64 = MAX_CONTACTS as u64 * MAX_ENTRY_BYTES;

/// How often a write is tried if another program changes the file meanwhile, at most. An editor
/// saves once; against a program that keeps writing, the write fails.
const MAX_TRIES: usize = 5;

/// What another program, such as the user's editor, changed in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// The contact is new or differs.
    Set(Contact),
    /// The contact is no longer in the file. Holds what was last in force.
    Removed(Contact),
    /// A source is blocked now (`true`), or no longer.
    Source(SourcePrefix, bool),
}

/// The contacts of a profile.
#[derive(Debug)]
pub(crate) struct Contacts {
    /// The file. `None` if the contacts are for this run only.
    path: Option<PathBuf>,
    /// The user's name, which no alias may be.
    own_name: Option<Name>,
    all: BTreeMap<PeerId, Contact>,
    /// The blocked sources.
    sources: BTreeSet<SourcePrefix>,
    /// The version of the file that was last read or written, with or without mistakes.
    version: Version,
    /// Whether the last check found no contacts in the file, while there are contacts in force.
    emptied: bool,
    /// Edits by other programs that `reload` has not returned yet.
    unreported: BTreeMap<PeerId, Change>,
    /// Blocks of sources that another program has set or lifted, and `reload` has not returned yet.
    unreported_sources: BTreeMap<SourcePrefix, bool>,
    /// The contacts in place of which these edits were taken over.
    replaced: BTreeMap<PeerId, Option<Contact>>,
    /// The file could not be read when it was last looked at, or held a mistake.
    is_faulty: bool,
}

/// Contacts to set, and those to remove (`None`).
type ContactEdits = BTreeMap<PeerId, Option<Contact>>;

/// What a write changes.
#[derive(Clone)]
struct Edits {
    contacts: ContactEdits,
    /// Sources to block (`true`), and those to unblock.
    sources: BTreeMap<SourcePrefix, bool>,
}

/// A write of the file, and what follows from it.
pub(crate) struct Prepared {
    path: PathBuf,
    /// The version of the file that it changes.
    version: Version,
    /// The new text, unless nothing changes.
    new: Option<String>,
    /// What this version has.
    saved: BTreeMap<PeerId, Contact>,
    saved_sources: BTreeSet<SourcePrefix>,
    /// All contacts after the write.
    all: BTreeMap<PeerId, Contact>,
    edits: Edits,
    /// The edits as they were merged into this version.
    done: ContactEdits,
    own_name: Option<Name>,
}

/// The file after a write.
pub(crate) struct Written {
    version: Version,
    /// The contacts in it, unless nothing has changed.
    all: Option<BTreeMap<PeerId, Contact>>,
}

impl Prepared {
    /// Writes the file, and waits for the disk. Returns `None` and writes nothing if the file has
    /// changed meanwhile.
    pub(crate) fn write(&self) -> Result<Option<Written>, ContactsError> {
        let Some(new) = &self.new else {
            return Ok(Some(Written { version: self.version.clone(), all: None }));
        };
        // Parsed, so that the contacts in force are those that the next start reads.
        let all = parsed(&self.path, new, self.own_name.as_ref())?.into_contacts();
        if Stat::of(&self.path) != self.version.stat {
            return Ok(None);
        }
        files::replace(&self.path, new.as_bytes())
            .map_err(|error| ContactsError::Unwritable(self.path.clone(), error))?;
        Ok(Some(Written { version: Version::written(&self.path, new), all: Some(all) }))
    }
}

impl Contacts {
    /// Reads the file in `folder`, which has to exist by the first write. Without a folder, the
    /// contacts are for this run only. No alias may be `own_name`.
    ///
    /// # Errors
    /// If the file exists and cannot be read, or contains a mistake.
    pub(crate) fn open(folder: Option<&Path>, own_name: Option<&Name>) -> Result<Self, ContactsError> {
        let path = folder.map(|folder| folder.join(CONTACTS_FILE));
        let (version, sources, all) = match &path {
            Some(path) => {
                let (version, text) = version::read(path).map_err(ContactsError::File)?;
                let document = parsed(path, &text, own_name)?;
                (version, document.sources(), document.into_contacts())
            }
            None => (Version::missing(), BTreeSet::new(), BTreeMap::new()),
        };
        let (own_name, unreported) = (own_name.cloned(), BTreeMap::new());
        let replaced = BTreeMap::new();
        Ok(Self {
            path,
            own_name,
            all,
            sources,
            version,
            emptied: false,
            unreported,
            unreported_sources: BTreeMap::new(),
            replaced,
            is_faulty: false,
        })
    }

    /// Changes the user's name, which must not be the alias of a contact.
    pub(crate) fn set_own_name(&mut self, name: Name) {
        self.own_name = Some(name);
    }

    /// Returns the contact with this alias.
    pub(crate) fn with_alias(&self, name: &Name) -> Option<PeerId> {
        aliases_of(self.all()).get(&folded(name.as_str())).copied()
    }

    /// Returns all contacts, sorted by id.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Contact> {
        self.all.values()
    }

    pub(crate) fn blocked_sources(&self) -> &BTreeSet<SourcePrefix> {
        &self.sources
    }

    pub(crate) fn get(&self, id: PeerId) -> Option<&Contact> {
        self.all.get(&id)
    }

    /// Adds or changes a contact, in force and in the file. Only the fields that differ from those
    /// in force are written, so an edit by the user since the last [`Contacts::reload`] stays.
    ///
    /// A name that is another contact's alias is left out, because the peer chose the name and the
    /// user the alias.
    ///
    /// # Errors
    /// If the file contains a mistake or cannot be read or written, if there are too many contacts,
    /// or if the alias is another contact's or the user's own name. Nothing changes then.
    pub(crate) fn set(&mut self, contact: Contact) -> Result<(), ContactsError> {
        self.change_many(BTreeMap::from([(contact.id, Some(contact))]), BTreeMap::new())
    }

    /// Sets several contacts and removes others (`None`), and blocks sources (`true`) or unblocks
    /// them, in one write.
    ///
    /// # Errors
    /// As [`Contacts::set`]. Nothing changes then.
    pub(crate) fn change_many(
        &mut self,
        contacts: BTreeMap<PeerId, Option<Contact>>,
        sources: BTreeMap<SourcePrefix, bool>,
    ) -> Result<(), ContactsError> {
        let contacts = contacts.into_iter().map(|(id, edit)| (id, edit.map(Contact::storable))).collect();
        self.write(Edits { contacts, sources })
    }

    /// Whether the file could not be read when it was last looked at, or held a mistake.
    pub(crate) fn is_faulty(&self) -> bool {
        self.is_faulty
    }

    /// The contacts in place of which the last edits that [`Contacts::reload`] returned were taken
    /// over; `None` for those that are new.
    pub(crate) fn take_replaced(&mut self) -> BTreeMap<PeerId, Option<Contact>> {
        std::mem::take(&mut self.replaced)
    }

    /// Reads the file if another program changed it, and returns the changes that the caller does
    /// not know yet. If nothing changed, it reads only the metadata, so it can be called every
    /// second.
    ///
    /// A file that another program may still be writing is read at a later call. A missing file, or
    /// one without contacts, counts only if two calls in a row find it so.
    ///
    /// # Errors
    /// If the file cannot be read or contains a mistake, once for each version of the file. The
    /// contacts in force do not change then.
    pub(crate) fn reload(&mut self) -> Result<Vec<Change>, ContactsError> {
        if let Some(path) = self.path.clone() {
            self.check(&path)?;
        }
        let sources = std::mem::take(&mut self.unreported_sources);
        let sources = sources.into_iter().map(|(source, blocked)| Change::Source(source, blocked));
        Ok(std::mem::take(&mut self.unreported).into_values().chain(sources).collect())
    }

    /// Reads the file if it is a new version.
    fn check(&mut self, path: &Path) -> Result<(), ContactsError> {
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
                self.is_faulty = true;
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
        let document = parsed(path, &text, self.own_name.as_ref());
        if !was_emptied && document.as_ref().is_ok_and(Document::is_empty) && !self.is_empty() {
            self.emptied = true;
            return Ok(());
        }
        self.version = version;
        self.is_faulty = document.is_err();
        let document = document?;
        let sources = document.sources();
        self.put_in_force(document.into_contacts(), sources);
        Ok(())
    }

    /// Whether nothing is in force.
    fn is_empty(&self) -> bool {
        self.all.is_empty() && self.sources.is_empty()
    }

    /// Puts the contacts and blocked sources of the file in force and records the changes as
    /// unreported.
    fn put_in_force(&mut self, contacts: BTreeMap<PeerId, Contact>, sources: BTreeSet<SourcePrefix>) {
        for source in self.sources.symmetric_difference(&sources) {
            self.unreported_sources.insert(*source, sources.contains(source));
        }
        self.sources = sources;
        let before = std::mem::replace(&mut self.all, contacts);
        for (id, contact) in &self.all {
            if before.get(id) != Some(contact) {
                self.replaced.entry(*id).or_insert_with(|| before.get(id).cloned());
                self.unreported.insert(*id, Change::Set(contact.clone()));
            }
        }
        for (id, contact) in before {
            if !self.all.contains_key(&id) {
                self.replaced.entry(id).or_insert_with(|| Some(contact.clone()));
                self.unreported.insert(id, Change::Removed(contact));
            }
        }
    }

    /// Applies edits in force and in the file.
    fn write(&mut self, edits: Edits) -> Result<(), ContactsError> {
        let Some(path) = self.path.clone() else {
            let (done, all) = self.merged(&self.all, &edits.contacts)?;
            self.all = all;
            self.sources = with_edits(&self.sources, &edits.sources);
            self.update_unreported(edits, done);
            return Ok(());
        };
        for _ in 0..MAX_TRIES {
            let (version, text) = self.read(&path)?;
            if !version.has_content_of(&self.version) && !version.stat.is_settled() {
                // Another program may still be writing: there is no event for the end of it.
                thread::sleep(SETTLE);
                continue;
            }
            let prepared = self.prepared(path.clone(), version, &text, edits.clone())?;
            if let Some(written) = prepared.write()? {
                self.written(prepared, written);
                return Ok(());
            }
        }
        Err(ContactsError::Busy(path))
    }

    /// Prepares a write as that of [`Contacts::change_many`]; [`Prepared::write`] may be called on
    /// another thread, and [`Contacts::written`] takes its result. Until then, nothing else may be
    /// read or written here. Returns `None` if another program may be writing the file.
    pub(crate) fn prepare(
        &mut self,
        contacts: BTreeMap<PeerId, Option<Contact>>,
        sources: BTreeMap<SourcePrefix, bool>,
    ) -> Result<Option<Prepared>, ContactsError> {
        let Some(path) = self.path.clone() else { return Ok(None) };
        let contacts = contacts.into_iter().map(|(id, edit)| (id, edit.map(Contact::storable))).collect();
        let (version, text) = self.read(&path)?;
        if !version.has_content_of(&self.version) && !version.stat.is_settled() {
            return Ok(None);
        }
        self.prepared(path, version, &text, Edits { contacts, sources }).map(Some)
    }

    /// Whether the contacts are in a file.
    pub(crate) fn has_file(&self) -> bool {
        self.path.is_some()
    }

    /// Reads the file for a write.
    fn read(&mut self, path: &Path) -> Result<(Version, String), ContactsError> {
        let stat = Stat::of(path);
        version::read(path).map_err(|error| {
            self.is_faulty = true;
            self.version = Version::unreadable(stat, &error);
            ContactsError::File(error)
        })
    }

    /// Applies edits to a version of the file.
    fn prepared(
        &mut self,
        path: PathBuf,
        version: Version,
        text: &str,
        edits: Edits,
    ) -> Result<Prepared, ContactsError> {
        let document = match parsed(&path, text, self.own_name.as_ref()) {
            Ok(document) => document,
            Err(error) => {
                // The caller tells this mistake; the next look need not.
                (self.version, self.is_faulty) = (version, true);
                return Err(error);
            }
        };
        let (saved, saved_sources) = (document.contacts(), document.sources());
        if document.is_empty() && !self.is_empty() {
            return Err(ContactsError::Gone(path));
        }
        let (done, all) = self.merged(&saved, &edits.contacts)?;
        let is_new = version.stat == Stat::Missing && edits.contacts.values().all(Option::is_some);
        let new = edit::edited(&document, &done, &edits.sources, is_new);
        if new.len() as u64 > MAX_CONTACTS_BYTES {
            return Err(ContactsError::TooLarge(path, MAX_CONTACTS_BYTES));
        }
        let new = Some(new).filter(|new| new != text);
        let own_name = self.own_name.clone();
        Ok(Prepared { path, version, new, saved, saved_sources, all, edits, done, own_name })
    }

    /// Puts a write that is done in force.
    pub(crate) fn written(&mut self, prepared: Prepared, written: Written) {
        let Prepared { saved, saved_sources, all, edits, done, .. } = prepared;
        (self.version, self.emptied, self.is_faulty) = (written.version, false, false);
        let sources = with_edits(&saved_sources, &edits.sources);
        self.put_in_force(saved, saved_sources);
        (self.all, self.sources) = (written.all.unwrap_or(all), sources);
        self.update_unreported(edits, done);
    }

    /// Merges edits into `saved`, the contacts in the file. Returns the merged edits, and all
    /// contacts after them.
    fn merged(
        &self,
        saved: &BTreeMap<PeerId, Contact>,
        edits: &ContactEdits,
    ) -> Result<(ContactEdits, BTreeMap<PeerId, Contact>), ContactsError> {
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
        if let Some(Clash { id, alias, other }) = clash(all.values(), self.own_name.as_ref()) {
            let other = if done.contains_key(&id) { other } else { other.and(Some(id)) };
            return Err(Clash { id, alias, other }.into());
        }
        Ok((done, all))
    }

    /// Drops unreported changes that the caller overwrote. An edit that was merged into something
    /// else becomes an unreported change.
    fn update_unreported(&mut self, asked: Edits, done: ContactEdits) {
        self.unreported_sources.retain(|source, _| !asked.sources.contains_key(source));
        for ((id, asked), done) in asked.contacts.into_iter().zip(done.into_values()) {
            match done {
                Some(contact) if asked.as_ref() != Some(&contact) => {
                    self.unreported.insert(id, Change::Set(contact));
                }
                _ => drop(self.unreported.remove(&id)),
            }
        }
    }
}

/// Returns the sources after some are blocked and others unblocked.
fn with_edits(
    sources: &BTreeSet<SourcePrefix>,
    edits: &BTreeMap<SourcePrefix, bool>,
) -> BTreeSet<SourcePrefix> {
    let kept = sources.iter().filter(|source| !edits.contains_key(source));
    let blocked = edits.iter().filter(|(_, blocked)| **blocked).map(|(source, _)| source);
    kept.chain(blocked).copied().collect()
}

/// Parses the text of a file. `path` is for errors only.
fn parsed<'t>(path: &Path, text: &'t str, own_name: Option<&Name>) -> Result<Document<'t>, ContactsError> {
    file::parsed(path, text, |text| parse::parse(text, own_name)).map_err(ContactsError::File)
}

#[cfg(test)]
mod tests;
