//! The contacts of the profile: takes the changes of the core and the client, saves them in
//! contacts.toml, and passes what the user edits there to the core.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Node;
use super::store_writer::FileWrite;
use crate::core::{BlockTarget, Command, ContactChange, ContactRecord, Decision, Event, OpId, Pin};
use crate::model::address::SourcePrefix;
use crate::model::key::PublicKey;
use crate::model::name::{Name, PeerName, folded};
use crate::model::peer_id::{PeerId, Recipient};
use crate::profile::contacts::{Change, Contact, Contacts, ContactsError, Prepared, Written};
use crate::profile::{self, ProfileError};

/// Time between two writes of the file for what the core reports of contacts, of which hundreds may
/// come at once. A crash loses the changes of this time. What the user decides is written at once.
const SAVE_PAUSE: Duration = Duration::from_secs(1);

/// The same at most, on a machine where a write takes long.
const MAX_SAVE_PAUSE: Duration = Duration::from_secs(10);

/// How much longer than the last write the pause is at least, so that writing takes 2 % of the
/// time.
const PAUSE_PER_WRITE: u32 = 50;

/// How often the program looks at the file, and for an invitation that `p2p-chat add` leaves, while
/// nothing happens: the invitation is taken within a second. It is rare enough for an idle laptop.
pub(crate) const RELOAD_INTERVAL: Duration = Duration::from_millis(800);

/// How long a write that has failed waits before it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How long to wait after a write that took so long.
fn pause_after(write: Duration) -> Duration {
    write.saturating_mul(PAUSE_PER_WRITE).clamp(SAVE_PAUSE, MAX_SAVE_PAUSE)
}

/// What is to be changed in the entry of a contact.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Edit {
    /// The entry in the file was removed before, so nothing of it remains.
    is_new: bool,
    /// What the core has of the contact.
    pin: Option<Pin>,
    name: Option<PeerName>,
    alias: Option<Option<Name>>,
    muted: Option<bool>,
    /// Whether a legacy peer is blocked, and whether it is a stranger then. A pin says it of a key.
    blocked: Option<(bool, bool)>,
}

impl Edit {
    /// The entry after the change.
    fn applied(&self, id: PeerId, saved: Option<&Contact>) -> Contact {
        let saved = saved.filter(|_| !self.is_new);
        let mut contact = saved.cloned().unwrap_or_else(|| Contact::new(id));
        if let Some(pin) = &self.pin {
            contact.name = pin.name.clone().or(contact.name);
            // The date of a blocked contact stays in the file, for when it is unblocked there.
            contact.verified = if pin.blocked { contact.verified } else { pin.verified };
            (contact.blocked, contact.stranger) = (pin.blocked, pin.blocked && !pin.contact);
            contact.addrs.clone_from(&pin.given);
        }
        contact.name = self.name.clone().or(contact.name);
        contact.alias = self.alias.clone().unwrap_or(contact.alias);
        contact.muted = self.muted.unwrap_or(contact.muted);
        let blocked = self.blocked.unwrap_or((contact.blocked, contact.stranger));
        (contact.blocked, contact.stranger) = blocked;
        contact
    }
}

/// What else follows from a change of a contact.
pub(crate) enum Noted {
    Nothing,
    /// The peer has become a contact and may have another contact's name.
    New(PeerId, Option<PeerName>),
    /// A contact is removed, and with it perhaps an alias.
    Removed,
    /// The change has to be saved at once.
    Urgent,
}

/// A write that the thread of the store writer carries out.
enum WriteState {
    /// It has not begun.
    Waits(Box<Prepared>),
    /// It has ended; the file may have changed meanwhile (`None`).
    Ended(Box<Prepared>, Result<Option<Written>, ContactsError>),
    /// It is taken back, or its result is taken.
    Taken,
}

impl WriteState {
    /// Writes the file, unless the write was taken back.
    fn carry_out(&mut self) {
        match std::mem::replace(self, Self::Taken) {
            Self::Waits(prepared) => {
                let result = prepared.write();
                *self = Self::Ended(prepared, result);
            }
            other => *self = other,
        }
    }
}

/// A write under way, and what it writes.
struct Writing {
    /// Locked while the file is written.
    write: Arc<Mutex<WriteState>>,
    edits: BTreeMap<PeerId, Option<Edit>>,
    sources: BTreeMap<SourcePrefix, bool>,
}

/// The contacts of the profile, and what is not saved yet.
pub(crate) struct ContactBook {
    /// The file, and what of it is in force.
    pub(crate) file: Contacts,
    /// Keys of contacts and strangers at the start.
    pub(crate) pins: BTreeMap<PublicKey, Pin>,
    /// The changes since the last write, one for each peer; `None` removes the entry.
    unsaved: BTreeMap<PeerId, Option<Edit>>,
    /// The sources that were blocked (`true`) or unblocked since the last write.
    unsaved_sources: BTreeMap<SourcePrefix, bool>,
    /// The write under way. What it writes is unsaved until it has ended.
    writing: Option<Writing>,
    saved_at: Option<Instant>,
    /// The pause after the last write.
    pause: Duration,
    /// The last write failed, which the user was told; it is tried again then.
    retry_at: Option<Instant>,
    pub(crate) looked_at: Instant,
    /// The mistake in the file that the user was told last, until it is corrected.
    pub(crate) told: Option<String>,
    /// The user has decided something since the last write.
    pub(crate) is_decided: bool,
    /// The commands that take over edits by hand, until they are settled.
    by_hand: BTreeMap<OpId, Recipient>,
    /// The same for blocks of sources.
    sources_by_hand: BTreeMap<OpId, SourcePrefix>,
}

impl ContactBook {
    /// The contacts in the file. Those that are only in `pins`, such as the keys in peers.toml, are
    /// saved too, so that they stay contacts without peers.toml.
    pub(crate) fn new(file: Contacts, pins: BTreeMap<PublicKey, Pin>) -> Self {
        let is_unsaved = |pin: &&Pin| {
            pin.contact && file.get(PeerId::Key(pin.key)).is_none_or(|saved| saved.addrs != pin.given)
        };
        let unsaved: Vec<Pin> = pins.values().filter(is_unsaved).cloned().collect();
        let mut book = Self {
            file,
            pins,
            unsaved: BTreeMap::new(),
            unsaved_sources: BTreeMap::new(),
            writing: None,
            saved_at: None,
            pause: SAVE_PAUSE,
            retry_at: None,
            looked_at: Instant::now(),
            told: None,
            is_decided: false,
            by_hand: BTreeMap::new(),
            sources_by_hand: BTreeMap::new(),
        };
        unsaved.into_iter().for_each(|pin| book.set_pin(pin));
        book
    }

    /// When to write what is not saved.
    pub(crate) fn save_due(&self) -> Option<Instant> {
        if self.writing.is_some() {
            return None;
        }
        if self.retry_at.is_some() {
            return self.retry_at.filter(|_| !self.unsaved.is_empty() || !self.unsaved_sources.is_empty());
        }
        if !self.unsaved_sources.is_empty() {
            // At once, as what the user decides about a peer.
            return Some(self.looked_at);
        }
        // The first write is due at once.
        let due = self.saved_at.map_or(self.looked_at, |at| at + self.pause);
        (!self.unsaved.is_empty()).then_some(due)
    }

    /// When something is to be done at the latest.
    pub(crate) fn due(&self) -> Instant {
        let look = self.looked_at + RELOAD_INTERVAL;
        self.save_due().map_or(look, |save| save.min(look))
    }

    /// A contact, with what is not saved yet.
    pub(crate) fn get(&self, id: PeerId) -> Option<Contact> {
        let saved = self.file.get(id);
        match self.unsaved.get(&id) {
            Some(edit) => edit.as_ref().map(|edit| edit.applied(id, saved)),
            None => saved.cloned(),
        }
    }

    /// All contacts, with what is not saved yet.
    pub(crate) fn all(&self) -> impl Iterator<Item = Contact> {
        let new = self.unsaved.keys().copied().filter(|id| self.file.get(*id).is_none());
        self.file.all().map(|contact| contact.id).chain(new).filter_map(|id| self.get(id))
    }

    /// The user's own names for contacts.
    pub(crate) fn aliases(&self) -> BTreeMap<Recipient, Name> {
        let given = |id: PeerId, alias: &Option<Name>| Some((id.into(), alias.clone()?));
        let is_saved = |contact: &&Contact| !self.unsaved.contains_key(&contact.id);
        let saved = self.file.all().filter(is_saved);
        let saved = saved.filter_map(|contact| given(contact.id, &contact.alias));
        let unsaved = self.unsaved.keys().filter_map(|id| given(*id, &self.get(*id)?.alias));
        saved.chain(unsaved).collect()
    }

    /// The contact with this alias.
    pub(crate) fn with_alias(&self, name: &Name) -> Option<Recipient> {
        let wanted = folded(name.as_str());
        self.aliases().into_iter().find(|(_, alias)| folded(alias.as_str()) == wanted).map(|(id, _)| id)
    }

    /// Stores the user's new name in the profile, which is in `folder` if it is stored at all.
    pub(crate) fn rename(&mut self, folder: Option<&Path>, name: &Name) -> Result<(), ProfileError> {
        if let Some(folder) = folder {
            profile::rename(folder, name)?;
        }
        self.file.set_own_name(name.clone());
        Ok(())
    }

    /// Returns the peer whose entry has the alias of a recipient; an IPv6 address has none.
    pub(crate) fn saved_for(id: Recipient) -> Option<PeerId> {
        profile::saved_for(id)
    }

    /// Takes a change from the core.
    pub(crate) fn note(&mut self, change: ContactChange) -> Noted {
        match change {
            ContactChange::Key(pin) if pin.contact || pin.blocked => {
                let id = PeerId::Key(pin.key);
                let (is_new, name) = (self.get(id).is_none(), pin.name.clone());
                self.set_pin(pin);
                return if is_new { Noted::New(id, name) } else { Noted::Nothing };
            }
            // A blocked stranger.
            ContactChange::Key(Pin { key, .. }) if self.remove(PeerId::Key(key)) => return Noted::Removed,
            ContactChange::Forgotten(id) if self.remove(id) => return Noted::Removed,
            ContactChange::Key(_) | ContactChange::Forgotten(_) => return Noted::Nothing,
            ContactChange::Legacy(id, name) => {
                self.set_name(id, name);
                self.edit(id).blocked = Some((false, false));
                return Noted::Nothing;
            }
            ContactChange::BlockedLegacy { id, name, contact } => {
                self.set_name(id, name);
                self.edit(id).blocked = Some((true, !contact));
            }
            ContactChange::Source { source, blocked } => {
                self.unsaved_sources.insert(source, blocked);
            }
            // A contact that the user removed from the file stays removed.
            ContactChange::Muted(id, false) if self.get(id).is_none() => return Noted::Nothing,
            ContactChange::Muted(id, muted) => self.set_muted(id, muted),
        }
        Noted::Urgent
    }

    /// Passes an edit of the file to the core. `date` is the clock, in seconds since 1970.
    pub(crate) fn take_edit(&mut self, change: Change, node: &Node, date: u64) {
        match change {
            // A newer decision in the program wins, and is saved next.
            Change::Set(contact) => {
                if let Some(contact) = self.get(contact.id) {
                    self.take_edited(contact, node, date);
                }
            }
            Change::Removed(contact) if self.get(contact.id).is_none() => {
                let id = Recipient::from(contact.id);
                self.take_muted(id, false, node);
                if node.is_contact(id) {
                    self.by_hand.insert(node.command(Command::Forget(id)), id);
                }
            }
            Change::Removed(_) => {}
            Change::Source(source, blocked) if node.blocked_sources().contains(&source) != blocked => {
                let target = BlockTarget::Source(source);
                let command = if blocked { Command::Block(target) } else { Command::Unblock(target) };
                self.sources_by_hand.insert(node.command(command), source);
            }
            Change::Source(..) => {}
        }
    }

    fn take_edited(&mut self, contact: Contact, node: &Node, date: u64) {
        let id = Recipient::from(contact.id);
        self.take_muted(id, contact.muted, node);
        let is_same = match (contact.id, node.pin_of(id)) {
            (PeerId::Key(_), Some(pin)) => {
                node.is_lasting_contact(id)
                    && pin.blocked == contact.blocked
                    && pin.verified == contact.verified.filter(|_| !contact.blocked)
                    && pin.given == contact.addrs
                    && (contact.name.is_none() || pin.name == contact.name)
            }
            (PeerId::Key(_), None) => false,
            (PeerId::Legacy(_), _) => {
                node.is_lasting_contact(id) && node.is_blocked_legacy(id) == contact.blocked
            }
        };
        if !is_same {
            let Contact { id, name, verified, blocked, stranger, addrs, .. } = contact;
            let contact = ContactRecord { id, name, verified, blocked, stranger, addrs };
            self.by_hand.insert(node.command(Command::SetContact { contact, date }), id.into());
        }
    }

    fn take_muted(&mut self, id: Recipient, muted: bool, node: &Node) {
        if node.is_muted(id) != muted {
            self.by_hand.insert(node.command(Command::SetMuted(id, muted)), id);
        }
    }

    /// Returns whether an event reports the effect of an edit, which the user has already been
    /// told.
    pub(crate) fn reports_edit(&self, event: &Event) -> bool {
        let id = match event {
            Event::Decided(
                Decision::Added(who, _)
                | Decision::Forgotten(who, _)
                | Decision::Muted(who)
                | Decision::Unmuted(who, _),
            ) => who.id,
            Event::Decided(Decision::Blocked(pin)) => pin.key.into(),
            Event::Decided(Decision::BlockedLegacy(who)) => who.id,
            Event::Decided(Decision::BlockedSource(source) | Decision::UnblockedSource(source)) => {
                return self.sources_by_hand.values().any(|by_hand| by_hand == source);
            }
            _ => return false,
        };
        self.by_hand.values().any(|by_hand| *by_hand == id)
    }

    /// A command is done.
    pub(crate) fn settled(&mut self, op: OpId) {
        self.by_hand.remove(&op);
        self.sources_by_hand.remove(&op);
    }

    fn edit(&mut self, id: PeerId) -> &mut Edit {
        let edit = self.unsaved.entry(id).or_insert_with(|| Some(Edit::default()));
        edit.get_or_insert_with(|| Edit { is_new: true, ..Edit::default() })
    }

    /// Takes what the core has of a contact.
    fn set_pin(&mut self, pin: Pin) {
        let id = PeerId::Key(pin.key);
        self.edit(id).pin = Some(pin);
    }

    /// Makes a contact of a peer, under this name if it has one.
    pub(crate) fn set_name(&mut self, id: PeerId, name: Option<PeerName>) {
        let edit = self.edit(id);
        edit.name = name.or(edit.name.take());
    }

    /// Gives a contact an alias, or takes it away.
    pub(crate) fn set_alias(&mut self, id: PeerId, alias: Option<Name>) {
        self.edit(id).alias = Some(alias);
    }

    /// Mutes a contact, or unmutes it.
    fn set_muted(&mut self, id: PeerId, muted: bool) {
        self.edit(id).muted = Some(muted);
    }

    /// The blocks of sources that a write would set (`true`) or lift.
    pub(crate) fn source_changes(&self) -> BTreeMap<SourcePrefix, bool> {
        let saved = self.file.blocked_sources();
        let all = self.unsaved_sources.iter().map(|(source, blocked)| (*source, *blocked));
        all.filter(|(source, blocked)| saved.contains(source) != *blocked).collect()
    }

    /// Removes a contact. Returns whether there was one.
    pub(crate) fn remove(&mut self, id: PeerId) -> bool {
        let was_there = self.get(id).is_some();
        if self.file.get(id).is_some() || self.writing.is_some() {
            self.unsaved.insert(id, None);
        } else {
            self.unsaved.remove(&id);
        }
        was_there
    }

    /// Each contact that a write would change: as it is in the file, and as it would be.
    pub(crate) fn changes(&self) -> BTreeMap<PeerId, (Option<&Contact>, Option<Contact>)> {
        let change = |id: &PeerId| (*id, (self.file.get(*id), self.get(*id)));
        let all = self.unsaved.keys().map(change);
        all.filter(|(_, (saved, wanted))| *saved != wanted.as_ref()).collect()
    }

    /// What a write would change.
    fn edits(&self) -> (BTreeMap<PeerId, Option<Contact>>, BTreeMap<SourcePrefix, bool>) {
        let contacts = self.changes().into_iter().map(|(id, (_, wanted))| (id, wanted)).collect();
        (contacts, self.source_changes())
    }

    /// Writes what is not saved, and waits for the disk: what the user decides is saved when they
    /// see the answer.
    pub(crate) fn save(&mut self) -> Result<(), ContactsError> {
        if let Some(Writing { write, .. }) = &self.writing {
            let mut write = write.lock();
            if matches!(*write, WriteState::Waits(_)) {
                *write = WriteState::Taken;
            }
        }
        // What was taken back, or has failed, is among the edits.
        let _ = self.take_written();
        self.writing = None;
        let (contacts, sources) = self.edits();
        let begun = Instant::now();
        self.saved_at = Some(begun);
        if !contacts.is_empty() || !sources.is_empty() {
            self.file.change_many(contacts, sources)?;
        }
        self.pause = pause_after(begun.elapsed());
        self.unsaved.clear();
        self.unsaved_sources.clear();
        self.retry_at = None;
        Ok(())
    }

    /// Has the thread of the store writer write what is not saved. [`ContactBook::take_written`]
    /// takes the result, after an [`Event::ContactsChanged`].
    pub(crate) fn save_in_background(&mut self, queue: impl FnOnce(FileWrite)) -> Result<(), ContactsError> {
        let (contacts, sources) = self.edits();
        if contacts.is_empty() && sources.is_empty() || !self.file.has_file() {
            return self.save();
        }
        self.saved_at = Some(Instant::now());
        // If another program is writing the file, the next pause is long enough for it.
        let Some(prepared) = self.file.prepare(contacts, sources)? else { return Ok(()) };
        let write = Arc::new(Mutex::new(WriteState::Waits(Box::new(prepared))));
        let (edits, sources) = (self.unsaved.clone(), self.unsaved_sources.clone());
        self.writing = Some(Writing { write: Arc::clone(&write), edits, sources });
        queue(Box::new(move || write.lock().carry_out()));
        Ok(())
    }

    /// Whether a write is under way.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Takes the result of the write under way, if it has ended.
    pub(crate) fn take_written(&mut self) -> Result<(), ContactsError> {
        let ended = self.writing.take_if(|writing| {
            let write = writing.write.try_lock();
            write.is_some_and(|write| !matches!(*write, WriteState::Waits(_)))
        });
        let Some(Writing { write, edits, sources }) = ended else { return Ok(()) };
        let ended = std::mem::replace(&mut *write.lock(), WriteState::Taken);
        let WriteState::Ended(prepared, result) = ended else { return Ok(()) };
        // If the file has changed, the next write is of the new version.
        let Some(version) = result? else { return Ok(()) };
        self.file.written(*prepared, version);
        self.unsaved.retain(|id, edit| edits.get(id) != Some(edit));
        self.unsaved_sources.retain(|source, blocked| sources.get(source) != Some(blocked));
        if let Some(begun) = self.saved_at {
            self.pause = pause_after(begun.elapsed());
        }
        self.retry_at = None;
        Ok(())
    }

    /// Takes back the aliases that this error is about. Returns whether there are any.
    pub(crate) fn take_back_alias(&mut self, error: &ContactsError) -> bool {
        let (ContactsError::Taken(alias, _) | ContactsError::OwnName(alias)) = error else { return false };
        let is_it = |edit: &&mut Edit| edit.alias.as_ref().is_some_and(|given| given.as_ref() == Some(alias));
        let edits: Vec<&mut Edit> = self.unsaved.values_mut().flatten().filter(is_it).collect();
        let any = !edits.is_empty();
        edits.into_iter().for_each(|edit| edit.alias = None);
        any
    }

    /// A write has failed, and is tried again in a while. Returns whether the one before it failed
    /// too.
    pub(crate) fn retry_later(&mut self) -> bool {
        self.retry_at.replace(Instant::now() + RETRY_AFTER).is_some()
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn slow_writes_are_further_apart() {
        let pauses = [1, 40, 5_000].map(|write| pause_after(Duration::from_millis(write)).as_secs());
        assert_eq!(pauses, [1, 2, 10]);
    }

    fn id(n: u8) -> PeerId {
        PeerId::Key(PublicKey::new([n; 32]))
    }

    fn pin(n: u8) -> Pin {
        Pin {
            key: PublicKey::new([n; 32]),
            name: Some(PeerName::new("Bob")),
            contact: true,
            addrs: Vec::new(),
            given: Vec::new(),
            first_seen: 0,
            verified: None,
            blocked: false,
        }
    }

    /// A book whose file has one muted contact with an alias, and then a mistake.
    fn damaged() -> (TempDir, ContactBook, String) {
        let folder = TempDir::new().unwrap();
        let mut file = Contacts::open(Some(folder.path()), None).unwrap();
        let alias = Some("Boss".parse().unwrap());
        file.set(Contact { alias, muted: true, ..Contact::new(id(1)) }).unwrap();
        let path = folder.path().join("contacts.toml");
        let good = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{good}x = [")).unwrap();
        (folder, ContactBook::new(file, BTreeMap::new()), good)
    }

    /// The contacts in the file after it is mended and what is not saved is written.
    fn mended(folder: &TempDir, mut book: ContactBook, good: &str) -> Vec<Contact> {
        assert!(book.save().is_err(), "the file has a mistake");
        std::fs::write(folder.path().join("contacts.toml"), good).unwrap();
        book.save().unwrap();
        Contacts::open(Some(folder.path()), None).unwrap().all().cloned().collect()
    }

    #[test]
    fn last_decision_about_each_contact_is_saved() {
        let (folder, mut book, good) = damaged();
        book.set_pin(pin(2));
        assert!(book.remove(id(2)));
        book.remove(id(1));
        book.set_pin(Pin { blocked: true, ..pin(3) });
        book.set_pin(pin(3));
        assert_eq!(book.all().map(|contact| contact.id).collect::<Vec<_>>(), [id(3)]);
        let saved = mended(&folder, book, &good);
        assert_eq!(saved, [Contact { name: Some(PeerName::new("Bob")), ..Contact::new(id(3)) }]);
    }

    #[test]
    fn contact_added_after_its_removal_is_new() {
        let (folder, mut book, good) = damaged();
        book.remove(id(1));
        book.set_pin(pin(1));
        let wanted = Contact { name: Some(PeerName::new("Bob")), ..Contact::new(id(1)) };
        assert_eq!(book.get(id(1)), Some(wanted.clone()));
        assert_eq!(mended(&folder, book, &good), [wanted]);
    }

    #[test]
    fn mute_and_alias_are_saved_to_mended_file() {
        let (folder, mut book, good) = damaged();
        book.set_muted(id(1), false);
        book.set_alias(id(1), Some("Chief".parse().unwrap()));
        assert_eq!(book.with_alias(&"chief".parse().unwrap()), Some(id(1).into()));
        assert_eq!(book.with_alias(&"Boss".parse().unwrap()), None);
        let alias = Some("Chief".parse().unwrap());
        assert_eq!(mended(&folder, book, &good), [Contact { alias, ..Contact::new(id(1)) }]);
    }

    #[test]
    fn decision_taken_back_leaves_nothing_to_save() {
        let (_folder, mut book, _) = damaged();
        book.set_muted(id(1), false);
        assert_eq!(book.changes().len(), 1);
        book.set_muted(id(1), true);
        assert!(book.changes().is_empty());
        assert!(book.save().is_ok());
    }

    /// A book with a file of its own, and a contact that is not saved.
    fn unsaved() -> (TempDir, ContactBook) {
        let folder = TempDir::new().unwrap();
        let file = Contacts::open(Some(folder.path()), None).unwrap();
        let mut book = ContactBook::new(file, BTreeMap::new());
        book.set_pin(pin(1));
        (folder, book)
    }

    fn in_file(folder: &TempDir) -> Vec<PeerId> {
        Contacts::open(Some(folder.path()), None).unwrap().all().map(|contact| contact.id).collect()
    }

    #[test]
    fn background_write_leaves_later_changes_unsaved() {
        let (folder, mut book) = unsaved();
        let mut queued = None;
        book.save_in_background(|write| queued = Some(write)).unwrap();
        book.take_written().unwrap();
        assert!(book.is_writing() && book.save_due().is_none());
        book.set_pin(pin(2));
        assert!(book.remove(id(1)));
        queued.unwrap()();
        assert_eq!(in_file(&folder), [id(1)]);
        book.take_written().unwrap();
        assert!(!book.is_writing() && book.file.get(id(1)).is_some());
        assert_eq!(book.changes().into_keys().collect::<Vec<_>>(), [id(1), id(2)]);
        book.save().unwrap();
        assert_eq!(in_file(&folder), [id(2)]);
    }

    #[test]
    fn decision_takes_back_a_queued_write() {
        let (folder, mut book) = unsaved();
        let mut queued = None;
        book.save_in_background(|write| queued = Some(write)).unwrap();
        book.set_pin(pin(2));
        book.save().unwrap();
        assert_eq!(in_file(&folder), [id(1), id(2)]);
        book.remove(id(2));
        book.save().unwrap();
        queued.unwrap()();
        assert_eq!(in_file(&folder), [id(1)]);
        assert!(!book.is_writing() && book.changes().is_empty());
    }

    #[test]
    fn background_write_spares_an_edit_by_hand() {
        let (folder, mut book) = unsaved();
        let mut queued = None;
        book.save_in_background(|write| queued = Some(write)).unwrap();
        let edited = "# by hand\n";
        std::fs::write(folder.path().join("contacts.toml"), edited).unwrap();
        queued.unwrap()();
        book.take_written().unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("contacts.toml")).unwrap(), edited);
        assert_eq!(book.changes().len(), 1, "it is written later");
    }

    #[test]
    fn failed_background_write_is_reported_and_retried() {
        let (folder, mut book) = unsaved();
        let mut queued = None;
        book.save_in_background(|write| queued = Some(write)).unwrap();
        let away = folder.path().with_extension("away");
        std::fs::rename(folder.path(), &away).unwrap();
        queued.unwrap()();
        std::fs::rename(&away, folder.path()).unwrap();
        assert!(matches!(book.take_written(), Err(ContactsError::Unwritable(..))));
        assert!(!book.retry_later() && book.save_due().is_some());
        book.save().unwrap();
        assert_eq!(in_file(&folder), [id(1)]);
    }

    #[test]
    fn refused_alias_leaves_the_rest_saved() {
        let folder = TempDir::new().unwrap();
        let own_name = "Alice".parse().unwrap();
        let file = Contacts::open(Some(folder.path()), Some(&own_name)).unwrap();
        let mut book = ContactBook::new(file, BTreeMap::new());
        book.set_pin(pin(1));
        book.set_alias(id(1), Some(own_name));
        let error = book.save().unwrap_err();
        assert!(book.take_back_alias(&error));
        assert!(!book.take_back_alias(&error));
        book.save().unwrap();
        assert!(book.file.get(id(1)).is_some_and(|contact| contact.alias.is_none()));
    }
}
