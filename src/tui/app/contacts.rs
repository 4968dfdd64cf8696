//! The lines about contacts.toml, and the commands that change or list contacts.

mod changes;

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use super::handle_event::standing;
use super::{App, NodeDirectory, clock};
use crate::core::{Command, PresenceStatus, Row};
use crate::model::address::SourcePrefix;
use crate::model::name::{Name, PeerName, folded};
use crate::model::peer_id::{PeerId, Recipient};
use crate::profile::contacts::{Change, Contact, ContactsError};
use crate::runtime::{ContactBook, Noted, RELOAD_INTERVAL};
use crate::settings::ConfigError;
use crate::tui::commands::MAX_LISTED;
use crate::tui::{self, Ink, Line};

/// Contacts of which a line says what an edit by hand changed, at most; of more, one line says how
/// many they are.
const MAX_TOLD: usize = 5;

/// Whether an error is temporary, for example because no file descriptors are free.
fn is_of_the_machine(error: &ContactsError) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory, NotFound, PermissionDenied};

    let ContactsError::File(ConfigError::Unreadable(_, error)) = error else { return false };
    !matches!(error.kind(), NotFound | PermissionDenied | IsADirectory | InvalidData)
}

/// Says that a source is blocked, or no longer, as a sentence without its full stop.
fn source_sentence(source: SourcePrefix, blocked: bool) -> String {
    format!("{source} is {}", if blocked { "blocked" } else { "no longer blocked" })
}

impl App {
    /// Takes the changes of contacts from the core.
    pub(super) fn note_contacts(&mut self) {
        for change in self.node.take_contact_changes() {
            match self.contacts.note(change) {
                Noted::Nothing => {}
                Noted::New(id, name) => self.meet_again(id.into(), name),
                Noted::Removed => self.update_aliases(),
                Noted::Urgent => self.save_contacts(),
            }
        }
    }

    /// Writes what is not saved yet. If that fails, the user is told when they have decided
    /// something, and once otherwise.
    pub(super) fn save_contacts(&mut self) {
        self.save_with(|app| app.contacts.save());
    }

    /// Saves in one of the two ways, and tells the user if that fails.
    fn save_with(&mut self, save: impl FnMut(&mut Self) -> Result<(), ContactsError>) {
        let result = self.try_to_save(save);
        if result.is_ok() && self.contacts.is_writing() {
            // The result follows.
            return;
        }
        let is_decided = std::mem::take(&mut self.contacts.is_decided);
        let Err(error) = result else {
            self.tell_order();
            return;
        };
        let was_told = self.contacts.retry_later();
        if was_told && !is_decided {
            return;
        }
        if matches!(error, ContactsError::File(_)) {
            self.tell_fault(&error);
            self.say("Changes to contacts will be saved when contacts.toml can be read again.");
        } else {
            self.say(Line::of(Ink::Bad, format!("{error} p2p-chat will try again.")));
        }
    }

    fn try_to_save(
        &mut self,
        mut save: impl FnMut(&mut Self) -> Result<(), ContactsError>,
    ) -> Result<(), ContactsError> {
        loop {
            match save(self) {
                // The file has this name for another contact by now.
                Err(error) if self.contacts.take_back_alias(&error) => {
                    self.say(Line::of(Ink::Bad, error.to_string()));
                    self.update_aliases();
                }
                result => return result,
            }
        }
    }

    /// Saves contacts for the last time, and says what could not be saved.
    pub(super) fn save_contacts_at_last(&mut self) {
        let Err(error) = self.try_to_save(|app| app.contacts.save()) else { return };
        self.tell_fault(&error);
        let changes = self.contacts.changes();
        let sentence = |(id, (saved, wanted)): (&PeerId, &(Option<&Contact>, Option<Contact>))| {
            let name = wanted.as_ref().or(*saved).and_then(|contact| contact.name.as_ref());
            let label = self.labels.label((*id).into(), name);
            changes::sentence(&label, *saved, wanted.as_ref())
        };
        let sources = self.contacts.source_changes();
        let sources = sources.iter().map(|(source, blocked)| source_sentence(*source, *blocked));
        let lost: Vec<String> = changes.iter().filter_map(sentence).chain(sources).collect();
        let more = lost.len().saturating_sub(MAX_TOLD);
        let more = if more > 0 { format!("; and {more} more changes") } else { String::new() };
        let lost = lost.iter().take(MAX_TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
        self.say(Line::of(
            Ink::Bad,
            format!("These changes could not be saved in contacts.toml and are lost: {lost}{more}."),
        ));
    }

    /// Says why contacts.toml cannot be read or written, once for each mistake.
    fn tell_fault(&mut self, error: &ContactsError) {
        let ContactsError::File(of_the_file) = error else {
            self.say(Line::of(Ink::Bad, error.to_string()));
            return;
        };
        let mut line = error.to_string();
        if self.contacts.told.as_ref() == Some(&line) {
            return;
        }
        self.contacts.told = Some(line.clone());
        let until = match of_the_file {
            ConfigError::Mistake { .. } => "the line is corrected",
            ConfigError::Unreadable(..) | ConfigError::TooLarge(..) | ConfigError::Foreign(..) => {
                "the file can be read"
            }
        };
        line += &format!(" The last good version stays in use, and nothing is saved until {until}.");
        self.say(Line::of(Ink::Bad, line));
    }

    /// Says that contacts.toml can be read again, if the user was told that it could not.
    fn tell_order(&mut self) {
        if !self.contacts.file.is_faulty() && self.contacts.told.take().is_some() {
            self.say("contacts.toml can be read again.");
        }
    }

    /// Writes the unsaved changes and reloads the file, each if it is due. What the user has
    /// decided is in the file before they read the answer.
    pub(super) fn tend_contacts(&mut self) {
        let now = Instant::now();
        if self.contacts.is_decided {
            self.note_contacts();
            self.save_contacts();
        }
        if self.contacts.is_writing() {
            self.save_with(|app| app.contacts.take_written());
        }
        if self.contacts.save_due().is_some_and(|due| due <= now) {
            self.save_with(|app| app.contacts.save_in_background(|write| app.node.write_file(write)));
        }
        if now.duration_since(self.contacts.looked_at) >= RELOAD_INTERVAL {
            self.contacts.looked_at = now;
            // A write of the program is no edit by hand.
            if !self.contacts.is_writing() {
                self.reload_contacts();
            }
            self.take_left_invitation();
        }
    }

    fn reload_contacts(&mut self) {
        match self.contacts.file.reload() {
            Ok(changes) if changes.is_empty() => self.tell_order(),
            Ok(changes) => {
                self.tell_order();
                self.tell_edits(&changes);
                for change in changes {
                    self.contacts.take_edit(change, &self.node, clock::seconds());
                }
                self.update_aliases();
            }
            Err(error) if is_of_the_machine(&error) => log::warn!("{error}"),
            Err(error) => self.tell_fault(&error),
        }
    }

    /// Says what the user changed in the file, under the names that the screen uses until then.
    fn tell_edits(&mut self, changes: &[Change]) {
        let replaced = self.contacts.file.take_replaced();
        let sentence = |change: &Change| {
            let (id, name, after) = match change {
                Change::Set(contact) => (contact.id, &contact.name, Some(contact)),
                Change::Removed(contact) => (contact.id, &contact.name, None),
                Change::Source(source, blocked) => return Some(source_sentence(*source, *blocked)),
            };
            // Without a contact that it replaces, it is a write of ours that was made otherwise.
            let before = replaced.get(&id)?.as_ref();
            // A contact that was never met has no label yet.
            let label = self.labels.known(id.into()).or_else(|| name.as_ref().map(ToString::to_string));
            let label = label.unwrap_or_else(|| self.labels.label(id.into(), None));
            changes::sentence(&label, before, after)
        };
        let sentences: Vec<String> = changes.iter().filter_map(sentence).collect();
        if sentences.len() > MAX_TOLD {
            self.say(format!("contacts.toml: {} contacts have changed.", sentences.len()));
            return;
        }
        sentences.into_iter().for_each(|sentence| self.say(format!("contacts.toml: {sentence}.")));
    }

    /// Gives a peer an alias, or removes it.
    pub(super) fn set_alias(&mut self, id: Recipient, label: &str, name: Option<Name>) {
        let at = self.place_of(id);
        if name.is_none() && self.labels.alias(id).is_none() {
            self.say(format!("{label} has no alias; /alias {label} NAME gives one."));
            return;
        }
        let people = NodeDirectory { node: &self.node, labels: &self.labels, verifying: &self.verifying };
        if let Some(name) = &name
            && let Some(other) = tui::contact_called(name.as_str(), id, &people)
        {
            let at = self.place_of(other);
            self.refuse(format!("{name} is the name of another contact ({at}); choose another alias."));
            return;
        }
        let Some(peer) = ContactBook::saved_for(id) else {
            self.refuse("Connect first: no peer has answered there yet, and an alias belongs to a peer.");
            return;
        };
        if let Some(name) =
            name.as_ref().filter(|name| folded(name.as_str()) == folded(self.node.name().as_str()))
        {
            self.refuse(ContactsError::OwnName(name.clone()).to_string());
            return;
        }
        let is_unproven = name.is_some() && matches!(id, Recipient::Address(_));
        // Saves pending changes first: the entry may be new.
        self.note_contacts();
        let known = self.contacts.get(peer).and_then(|contact| contact.name);
        let known = known.or_else(|| self.node.pin_of(id).and_then(|pin| pin.name));
        self.contacts.set_name(peer, known.clone());
        self.contacts.set_alias(peer, name.clone());
        let told = self.out.len();
        self.contacts.is_decided = true;
        self.save_contacts();
        if self.contacts.get(peer).is_none_or(|contact| contact.alias != name) {
            // The user was told why it is refused.
            return;
        }
        if is_unproven {
            self.named_unproven.insert(id);
        }
        let others = self.take_aliases();
        let now = self.labels.label(id, known.as_ref());
        self.menu.relabel(id, &now);
        let line = match name {
            Some(name) => format!("{label} ({at}) is now called {name}."),
            None => format!("{label} ({at}) no longer has an alias and is shown as {now}."),
        };
        // Before the remark that it is not saved yet.
        let lines = [line].into_iter().chain(others).map(Line::from);
        let told = told.min(self.out.len());
        drop(self.out.splice(told..told, lines));
        self.drop_needless_suffixes();
    }

    /// Moves an alias from one recipient to another that has none.
    pub(super) fn move_alias(&mut self, from: Recipient, to: Recipient) {
        let saved = (ContactBook::saved_for(from), ContactBook::saved_for(to));
        let (Some(old), Some(new)) = saved else { return };
        let Some(alias) = self.contacts.get(old).and_then(|contact| contact.alias) else { return };
        if old == new {
            return;
        }
        self.contacts.set_alias(old, None);
        if self.contacts.get(new).is_none_or(|contact| contact.alias.is_none()) {
            self.contacts.set_alias(new, Some(alias));
        }
        if matches!(from, Recipient::Address(_)) && to.public_key().is_some() {
            // The entry stood for the peer at the address, whichever it is.
            self.contacts.remove(old);
        }
        self.save_contacts();
        self.update_aliases();
    }

    /// Passes the aliases to the labels and the node, and says which peers have another label.
    pub(super) fn update_aliases(&mut self) {
        let lines = self.take_aliases();
        lines.into_iter().for_each(|line| self.say(line));
    }

    /// Passes the aliases to the labels and the node. Returns what to say of peers that had the
    /// name that is an alias of another now.
    fn take_aliases(&mut self) -> Vec<String> {
        let all = self.contacts.aliases();
        for (id, _) in self.labels.aliases().filter(|(id, _)| !all.contains_key(id)) {
            self.node.command(Command::SetAlias(id, None));
        }
        for (id, name) in all.iter().filter(|(id, name)| self.labels.alias(**id) != Some(name)) {
            self.node.command(Command::SetAlias(*id, Some(name.clone())));
        }
        if all.iter().map(|(id, name)| (*id, name)).eq(self.labels.aliases()) {
            return Vec::new();
        }
        let peers = self.labeled_peers();
        let without_alias = peers.iter().filter(|(id, _)| self.labels.alias(*id).is_none());
        let before: BTreeMap<Recipient, String> =
            without_alias.filter_map(|(id, _)| Some((*id, self.labels.known(*id)?))).collect();
        self.labels.set_aliases(all);
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

    /// Gives each contact with a suffix the label that it should have now: its namesake may be
    /// gone.
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
        let legacy = self.node.blocked_legacy().into_iter().map(|who| (who.id, who.name));
        let unlisted = unlisted.chain(legacy);
        let rows = contacts.into_iter().chain(strangers).map(|row| (row.id, row.name));
        unlisted.chain(rows).collect()
    }

    /// Gives all peers known at startup their aliases and labels.
    pub(super) fn label_all_peers(&mut self) {
        self.update_aliases();
        for (id, name) in self.labeled_peers() {
            let (who, node) = (self.info(id, name), &self.node);
            self.labels.meet(&who, |id| standing(node, id));
        }
    }

    /// Whether a contact is in contacts.toml or will be written to it.
    pub(super) fn is_saved_contact(&mut self, id: PeerId) -> bool {
        self.note_contacts();
        self.contacts.get(id).is_some()
    }

    pub(in crate::tui) fn list_contacts(&mut self) {
        // The list includes changes that are not saved yet.
        self.note_contacts();
        self.save_contacts();
        self.drop_needless_suffixes();
        let rows: BTreeMap<Recipient, Row> = self.node.rows().into_iter().map(|row| (row.id, row)).collect();
        let line = |contact: Contact| {
            let id = Recipient::from(contact.id);
            let label = self.labels.label(id, contact.name.as_ref());
            let row = rows.get(&id);
            let state = match row.map(|row| (row.state, row.refuses, row.last_heard)) {
                Some((PresenceStatus::Connected | PresenceStatus::Online, refuses, _)) => {
                    tui::refusal(refuses).unwrap_or("online").to_owned()
                }
                Some((PresenceStatus::Unreachable, ..)) => "unreachable".to_owned(),
                Some((PresenceStatus::Offline, _, Some(ago))) => format!("last seen {}", tui::ago(ago)),
                Some((PresenceStatus::Offline, _, None)) => "not seen yet".to_owned(),
                None if contact.blocked => "not dialed".to_owned(),
                None => "no known address".to_owned(),
            };
            let marks = [
                (contact.verified.is_some() && !contact.blocked, "verified"),
                (contact.muted, "muted"),
                (contact.blocked, "blocked"),
                (self.contacts.get(contact.id).is_none(), "configured, not saved"),
            ];
            let marks = marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark.to_owned());
            let like = self.labels.looks_like(id, contact.name.as_ref());
            let like = like.map(|other| format!("looks like {other}"));
            let marks: Vec<String> = like.into_iter().chain(marks).collect();
            let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
            let place = match contact.id {
                PeerId::Key(key) => format!("key {}", tui::beginning(key)),
                PeerId::Legacy(legacy) => format!("{}, unencrypted", legacy.addr()),
            };
            (folded(&label), format!("{label}{marks}: {state}, {place}"))
        };
        let unsaved = rows.values().filter(|row| row.contact).filter_map(|row| match row.id {
            Recipient::Peer(id) if self.contacts.get(id).is_none() => Some(Contact {
                name: row.name.clone(),
                muted: self.node.is_muted(row.id),
                ..Contact::new(id)
            }),
            _ => None,
        });
        let mut lines: Vec<(String, String)> = self.contacts.all().chain(unsaved).map(line).collect();
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
