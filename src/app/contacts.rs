//! The contacts in contacts.toml. Saves changes from the core and the prompt, and passes the user's
//! edits of the file to the core.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

use super::tell::standing;
use super::{App, People, clock};
use crate::config::ConfigError;
use crate::core::{Command, ContactChange, ContactRecord, PeerInfo, Pin, PresenceStatus, Row};
use crate::model::key::PublicKey;
use crate::model::name::{Name, PeerName, folded};
use crate::model::peer_id::{PeerId, Recipient};
use crate::profile;
use crate::profile::contacts::{Change, Contact, Contacts, ContactsError};
use crate::ui::{self, Ink, Line};

/// Least time between two writes for changes that the core reports, such as a new name. A crash
/// loses the changes of this time. New contacts and the user's own decisions are written at once.
const SAVE_PAUSE: Duration = Duration::from_secs(1);

/// How often the file is checked for edits: soon enough for a user who edits it in another window,
/// and rarely enough for an idle laptop.
const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// Contacts that `/contacts` lists, at most. The others are counted.
const MAX_LISTED: usize = 50;

/// The contacts of the profile, and changes that are not saved yet.
pub(super) struct ContactBook {
    pub(super) file: Contacts,
    /// The keys of contacts and strangers at the start.
    pub(super) pins: BTreeMap<PublicKey, Pin>,
    /// Changes that the core reported since the last write.
    unsaved: BTreeMap<PeerId, Option<Pin>>,
    saved_at: Option<Instant>,
    /// When to retry a failed write, which the user knows about.
    retry_at: Option<Instant>,
    looked_at: Instant,
}

impl ContactBook {
    /// Creates the book from the contacts in the file. Contacts that are only in `pins`, such as
    /// the keys in peers.toml, will be saved, so that they stay contacts without peers.toml.
    pub(super) fn new(file: Contacts, pins: BTreeMap<PublicKey, Pin>) -> Self {
        let is_unsaved = |pin: &&Pin| {
            pin.contact && file.get(PeerId::Key(pin.key)).is_none_or(|saved| saved.addrs != pin.given)
        };
        let unsaved = pins.values().filter(is_unsaved);
        let unsaved = unsaved.map(|pin| (PeerId::Key(pin.key), Some(pin.clone()))).collect();
        Self { file, pins, unsaved, saved_at: None, retry_at: None, looked_at: Instant::now() }
    }

    /// Returns when to write the unsaved changes, if there are any.
    fn save_due(&self) -> Option<Instant> {
        if self.retry_at.is_some() {
            return self.retry_at.filter(|_| !self.unsaved.is_empty());
        }
        let is_new = |id: &PeerId| self.file.get(*id).is_none();
        let due = match self.saved_at {
            Some(at) if !self.unsaved.keys().any(is_new) => at + SAVE_PAUSE,
            // A time in the past: at once.
            _ => self.looked_at,
        };
        (!self.unsaved.is_empty()).then_some(due)
    }

    /// Returns when [`App::tend_contacts`] is due.
    pub(super) fn due(&self) -> Instant {
        let look = self.looked_at + RELOAD_INTERVAL;
        self.save_due().map_or(look, |save| save.min(look))
    }

    /// Returns the entry of a contact, or a new one.
    fn entry(&self, id: PeerId) -> Contact {
        self.file.get(id).cloned().unwrap_or_else(|| Contact::new(id))
    }
}

/// Whether an error is temporary, for example because no file descriptors are free.
fn is_of_the_machine(error: &ContactsError) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory, NotFound, PermissionDenied};

    let ContactsError::File(ConfigError::Unreadable(_, error)) = error else { return false };
    !matches!(error.kind(), NotFound | PermissionDenied | IsADirectory | InvalidData)
}

impl App {
    /// Takes the changes of contacts from the core.
    pub(super) fn note_contacts(&mut self) {
        for change in self.node.take_contact_changes() {
            match change {
                ContactChange::Key(pin) => {
                    let id = PeerId::Key(pin.key);
                    if pin.contact {
                        if self.contacts.file.get(id).is_none() {
                            // The new contact may share its name with another contact.
                            self.meet_again(id.into(), pin.name.clone());
                        }
                        self.contacts.unsaved.insert(id, Some(pin));
                    }
                }
                ContactChange::Legacy(id, name) => {
                    let entry = self.contacts.entry(id);
                    let contact = Contact { name: name.or(entry.name.clone()), ..entry };
                    self.save_contact(contact);
                }
                ContactChange::Forgotten(id) => {
                    if self.contacts.file.get(id).is_some() {
                        self.contacts.unsaved.insert(id, None);
                        self.save_contacts();
                        self.muted.remove(&id.into());
                        self.update_aliases();
                    }
                }
            }
        }
    }

    /// Writes the unsaved changes.
    pub(super) fn save_contacts(&mut self) {
        let unsaved = std::mem::take(&mut self.contacts.unsaved);
        let mut changed = Vec::new();
        let mut result = Ok(());
        for (id, pin) in unsaved.clone() {
            let Some(pin) = pin else {
                result = result.and(self.contacts.file.remove(id).map(drop));
                continue;
            };
            let entry = self.contacts.entry(id);
            let contact = Contact {
                name: pin.name.or(entry.name.clone()),
                // A blocked contact keeps its date in the file, and has it again if the user
                // removes `blocked` there.
                verified: if pin.blocked { entry.verified } else { pin.verified },
                blocked: pin.blocked,
                addrs: pin.given,
                ..entry
            };
            if self.contacts.file.get(id) != Some(&contact) {
                changed.push(contact);
            }
        }
        if !changed.is_empty() {
            result = result.and(self.contacts.file.set_many(changed));
        }
        self.contacts.saved_at = Some(Instant::now());
        if result.is_ok() {
            self.contacts.retry_at = None;
            return;
        }
        // A change that was reported meanwhile is newer.
        for (id, pin) in unsaved {
            self.contacts.unsaved.entry(id).or_insert(pin);
        }
        let was_told = self.contacts.retry_at.replace(Instant::now() + RELOAD_INTERVAL).is_some();
        if !was_told {
            self.saved(result);
            self.say("The change will be saved when the file can be written.");
        }
    }

    /// Saves a contact, or shows why that failed. Returns whether it was saved.
    fn save_contact(&mut self, contact: Contact) -> bool {
        let saved = self.contacts.file.set(contact);
        let is_saved = saved.is_ok();
        self.saved(saved);
        is_saved
    }

    /// Shows the error of a failed save.
    fn saved(&mut self, result: Result<(), ContactsError>) {
        if let Err(error) = result {
            self.say(Line::of(Ink::Bad, error.to_string()));
        }
    }

    /// Writes the unsaved changes and reloads the file, each if it is due.
    pub(super) fn tend_contacts(&mut self) {
        let now = Instant::now();
        if self.contacts.save_due().is_some_and(|due| due <= now) {
            self.save_contacts();
        }
        if now.duration_since(self.contacts.looked_at) >= RELOAD_INTERVAL {
            self.contacts.looked_at = now;
            self.reload_contacts();
        }
    }

    fn reload_contacts(&mut self) {
        match self.contacts.file.reload() {
            Ok(changes) if changes.is_empty() => {}
            Ok(changes) => {
                for change in changes {
                    match change {
                        Change::Set(contact) => self.take_edited(contact),
                        Change::Removed(contact) => self.take_removed(&contact),
                    }
                }
                self.update_aliases();
            }
            Err(error) if is_of_the_machine(&error) => log::warn!("{error}"),
            Err(error) => self.say(Line::of(Ink::Bad, error.to_string())),
        }
    }

    /// Passes an entry that the user edited to the core.
    fn take_edited(&mut self, contact: Contact) {
        let id = Recipient::from(contact.id);
        self.set_muted(id, contact.muted);
        let is_same = match (contact.id, self.node.pin_of(id)) {
            (PeerId::Key(_), Some(pin)) => {
                pin.contact
                    && pin.blocked == contact.blocked
                    && pin.verified == contact.verified.filter(|_| !contact.blocked)
                    && pin.given == contact.addrs
                    && (contact.name.is_none() || pin.name == contact.name)
            }
            (PeerId::Key(_), None) => false,
            (PeerId::Legacy(_), _) => self.node.is_contact(id),
        };
        if !is_same {
            let Contact { id, name, verified, blocked, addrs, .. } = contact;
            let contact = ContactRecord { id, name, verified, blocked, addrs };
            self.node.command(Command::SetContact { contact, date: clock::seconds() });
        }
    }

    fn take_removed(&mut self, contact: &Contact) {
        let id = Recipient::from(contact.id);
        self.set_muted(id, false);
        if self.node.is_contact(id) {
            self.node.command(Command::Forget(id));
        }
    }

    fn set_muted(&mut self, id: Recipient, muted: bool) {
        if muted {
            self.muted.entry(id).or_insert(0);
        } else {
            self.muted.remove(&id);
        }
    }

    /// Mutes the contacts that were muted in an earlier run.
    pub(super) fn mute_contacts(&mut self) {
        let muted = self.contacts.file.all().filter(|contact| contact.muted);
        let ids: BTreeSet<Recipient> = muted.map(|contact| contact.id.into()).collect();
        self.muted.extend(ids.into_iter().map(|id| (id, 0)));
    }

    /// Saves in contacts.toml whether a contact is muted. A stranger is muted for this run only.
    /// Returns `false` after an error, which the user was shown.
    pub(super) fn save_muted(&mut self, id: Recipient, muted: bool) -> bool {
        let Recipient::Peer(peer) = id else { return true };
        if !self.node.is_contact(id) && self.contacts.file.get(peer).is_none() {
            return true;
        }
        let contact = Contact { muted, ..self.contacts.entry(peer) };
        self.save_contact(contact)
    }

    /// Gives a peer an alias, or removes it.
    pub(super) fn set_alias(&mut self, id: Recipient, label: &str, name: Option<Name>) {
        let at = self.place_of(id);
        if name.is_none() && self.labels.nickname(id).is_none() {
            self.say(format!("{label} has no alias; /alias {label} NAME gives one."));
            return;
        }
        let people = People { node: &self.node, labels: &self.labels };
        if let Some(name) = &name
            && let Some(other) = ui::contact_called(name, id, &people)
        {
            let at = self.place_of(other);
            let line = format!("{name} is the name of another contact ({at}); choose another alias.");
            self.say(Line::of(Ink::Bad, line));
            return;
        }
        let Some(peer) = profile::saved_for(id) else {
            self.say(Line::of(
                Ink::Bad,
                "Connect first: no peer has answered there yet, and an alias belongs to a peer.",
            ));
            return;
        };
        let is_unproven = name.is_some() && matches!(id, Recipient::Address(_));
        // Saves pending changes first: the entry may be new.
        self.note_contacts();
        self.save_contacts();
        let entry = self.contacts.entry(peer);
        let known = entry.name.clone().or_else(|| self.node.pin_of(id).and_then(|pin| pin.name));
        let given = name.clone();
        match self.contacts.file.set(Contact { alias: name, name: known.clone(), ..entry }) {
            Err(error) => self.say(Line::of(Ink::Bad, error.to_string())),
            Ok(()) => {
                if is_unproven {
                    self.named_unproven.insert(id);
                }
                let others = self.take_nicknames();
                let now = self.labels.label(id, known.as_ref());
                self.menu.relabel(id, &now);
                self.say(match given {
                    Some(name) => format!("{label} ({at}) is called {name} here, also the next time."),
                    None => format!("{label} ({at}) no longer has an alias and is shown as {now}."),
                });
                others.into_iter().for_each(|line| self.say(line));
                self.drop_needless_suffixes();
            }
        }
    }

    /// Moves an alias from one recipient to another that has none.
    pub(super) fn move_nickname(&mut self, from: Recipient, to: Recipient) {
        let (Some(old), Some(new)) = (profile::saved_for(from), profile::saved_for(to)) else { return };
        let Some(alias) = self.contacts.file.get(old).and_then(|contact| contact.alias.clone()) else {
            return;
        };
        if old == new {
            return;
        }
        let taken = self.contacts.file.set(Contact { alias: None, ..self.contacts.entry(old) });
        self.saved(taken);
        let entry = self.contacts.entry(new);
        if entry.alias.is_none() {
            let given = self.contacts.file.set(Contact { alias: Some(alias), ..entry });
            self.saved(given);
        }
        if matches!(from, Recipient::Address(_)) && to.public_key().is_some() {
            // The entry was for the address only.
            let removed = self.contacts.file.remove(old).map(drop);
            self.saved(removed);
        }
        self.update_aliases();
    }

    /// Passes the aliases to the labels and the node, and says which peers have another label.
    pub(super) fn update_aliases(&mut self) {
        let lines = self.take_nicknames();
        lines.into_iter().for_each(|line| self.say(line));
    }

    /// Passes the aliases to the labels and the node. Returns what to say of peers that had the name
    /// that is an alias of another now.
    fn take_nicknames(&mut self) -> Vec<String> {
        let all = profile::aliases(&self.contacts.file);
        for (id, _) in self.labels.nicknames().filter(|(id, _)| !all.contains_key(id)) {
            self.node.set_alias(id, None);
        }
        for (id, name) in all.iter().filter(|(id, name)| self.labels.nickname(**id) != Some(name)) {
            self.node.set_alias(*id, Some(name.clone()));
        }
        if all.iter().map(|(id, name)| (*id, name)).eq(self.labels.nicknames()) {
            return Vec::new();
        }
        let peers = self.labeled_peers();
        let without_nickname = peers.iter().filter(|(id, _)| self.labels.nickname(*id).is_none());
        let before: BTreeMap<Recipient, String> =
            without_nickname.filter_map(|(id, _)| Some((*id, self.labels.known(*id)?))).collect();
        self.labels.set_nicknames(all);
        // Peers whose label is now the alias of another have none.
        let mut lines = Vec::new();
        for (id, name) in self.labeled_peers() {
            if self.labels.known(id).is_none() {
                self.meet_again(id, name);
                if let (Some(before), Some(now)) = (before.get(&id), self.labels.known(id))
                    && *before != now
                {
                    lines.push(format!("The other {before} is shown as {now}."));
                }
            }
        }
        lines
    }

    /// Gives each contact with a suffix the label that it should have now: its namesake may be gone.
    fn drop_needless_suffixes(&mut self) {
        for (id, name) in self.labeled_peers() {
            if self.node.is_contact(id) && self.labels.suffixed_label(id).is_some() {
                self.meet_again(id, name);
            }
        }
    }

    /// Returns all peers that have a label, with their names: contacts before strangers.
    pub(super) fn labeled_peers(&self) -> Vec<(Recipient, Option<PeerName>)> {
        let (contacts, strangers): (Vec<Row>, Vec<Row>) =
            self.node.rows().into_iter().partition(|row| row.contact);
        let unlisted = self.node.unlisted_contacts().into_iter().chain(self.node.blocked_contacts());
        let unlisted = unlisted.map(|pin| (pin.key.into(), pin.name));
        let rows = contacts.into_iter().chain(strangers).map(|row| (row.id, row.name));
        unlisted.chain(rows).collect()
    }

    /// Gives all peers known at startup their aliases and labels.
    pub(super) fn label_all_peers(&mut self) {
        self.update_aliases();
        for (id, name) in self.labeled_peers() {
            let (addr, verification) = (self.node.dialed_at(id), self.node.verification_of(id));
            let node = &self.node;
            let who = PeerInfo { id, name, addr, claimed: None, verification };
            self.labels.meet(&who, |id| standing(node, id));
        }
    }

    /// Whether a contact is in contacts.toml or will be written to it.
    pub(super) fn is_saved_contact(&mut self, id: PeerId) -> bool {
        self.note_contacts();
        self.contacts.file.get(id).is_some() || matches!(self.contacts.unsaved.get(&id), Some(Some(_)))
    }

    /// Lists the contacts, by name.
    pub(super) fn list_contacts(&mut self) {
        // The list includes changes that are not saved yet.
        self.note_contacts();
        self.save_contacts();
        self.drop_needless_suffixes();
        let rows: BTreeMap<Recipient, Row> = self.node.rows().into_iter().map(|row| (row.id, row)).collect();
        let line = |contact: &Contact| {
            let id = Recipient::from(contact.id);
            let label = self.labels.label(id, contact.name.as_ref());
            let row = rows.get(&id);
            let state = match row.map(|row| (row.state, row.refuses, row.last_heard)) {
                Some((PresenceStatus::Connected | PresenceStatus::Online, refuses, _)) => {
                    ui::refusal(refuses).unwrap_or("online").to_owned()
                }
                Some((PresenceStatus::Unreachable, ..)) => "unreachable".to_owned(),
                Some((PresenceStatus::Offline, _, Some(ago))) => format!("last seen {}", ui::ago(ago)),
                Some((PresenceStatus::Offline, _, None)) => "not seen yet".to_owned(),
                None if contact.blocked => "not dialed".to_owned(),
                None => "no known address".to_owned(),
            };
            let marks = [
                (contact.verified.is_some() && !contact.blocked, "verified"),
                (contact.muted, "muted"),
                (contact.blocked, "blocked"),
            ];
            let marks: Vec<&str> =
                marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark).collect();
            let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
            let place = match contact.id {
                PeerId::Key(key) => format!("key {}", ui::beginning(key)),
                PeerId::Legacy(legacy) => format!("{}, unencrypted", legacy.addr()),
            };
            (folded(&label), format!("{label}{marks}: {state}, {place}"))
        };
        let mut lines: Vec<(String, String)> = self.contacts.file.all().map(line).collect();
        if lines.is_empty() {
            self.say(
                "You have no contacts yet. A peer that you write to becomes one; /add WHOM adds a peer.",
            );
        }
        lines.sort();
        let more = lines.len().saturating_sub(MAX_LISTED);
        lines.truncate(MAX_LISTED);
        lines.into_iter().for_each(|(_, line)| self.say(line));
        if more > 0 {
            self.say(format!("And {more} more; `p2p-chat contacts` lists all."));
        }
    }
}
