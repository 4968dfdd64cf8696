//! What a profile knows of other peers at the start: contacts.toml has what the user decided, the
//! store what was seen.
//!
//! The first start with this version takes over known_peers.toml and aliases.toml.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::aliases::Aliases;
use super::contacts::{Contact, Contacts, ContactsError, from_older};
use super::known_peers;
use crate::core::{KnownContact, MAX_HINTS, MAX_STRANGERS, Pin};
use crate::model::key::PublicKey;
use crate::model::name::{self, Name, folded};
use crate::model::peer_id::{LegacyId, PeerId, Recipient};
use crate::model::stored::{SeenPeer, StoreOp};
use crate::store::Store;

/// Contacts, and strangers that messages were exchanged with.
#[derive(Debug)]
pub struct AddressBook {
    /// What the user decided.
    pub contacts: Contacts,
    /// What is known of keys: of contacts and of strangers.
    pub pins: BTreeMap<PublicKey, Pin>,
    seen: BTreeMap<PeerId, SeenPeer>,
}

/// Where an [`AddressBook`] is read from.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The directory of the profile; `None` if nothing is kept.
    pub folder: Option<&'a Path>,
    /// The data directory, where earlier versions kept the aliases of all profiles.
    pub data: Option<&'a Path>,
    /// What the user is called.
    pub own_name: &'a Name,
    /// Whether what is taken over from earlier versions is saved.
    pub saves: bool,
}

impl AddressBook {
    /// Reads contacts.toml and what `store` has seen. If there is no contacts.toml, what earlier
    /// versions kept is taken over. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// If one of the files cannot be read or holds a mistake, or contacts.toml cannot be written.
    /// What the store cannot read is left out.
    pub fn open(places: Places<'_>, store: &mut dyn Store, now: u64) -> Result<Self, ContactsError> {
        let mut contacts = Contacts::open(places.folder, Some(places.own_name))?;
        if contacts.was_missing()
            && let Some(folder) = places.folder
        {
            contacts = import(contacts, folder, places, store, now)?;
        }
        let seen: BTreeMap<PeerId, SeenPeer> =
            store.seen().unwrap_or_default().into_iter().map(|seen| (seen.id, seen)).collect();
        let pins = pins(&contacts, &seen);
        Ok(Self { contacts, pins, seen })
    }

    /// The contacts as the core starts with them. `now` is in milliseconds since 1970.
    pub fn known_contacts(&self, now: u64) -> Vec<KnownContact> {
        let known = |contact: &Contact| {
            let seen = self.seen.get(&contact.id);
            KnownContact {
                id: contact.id,
                name: name_of(contact, seen),
                last_seen: seen.map(|seen| Duration::from_millis(now.saturating_sub(seen.last_seen))),
            }
        };
        self.contacts.all().map(known).collect()
    }

    /// What was seen of a peer, if anything.
    pub fn seen(&self, id: PeerId) -> Option<&SeenPeer> {
        self.seen.get(&id)
    }

    /// The user's own names for peers.
    pub fn aliases(&self) -> BTreeMap<Recipient, Name> {
        aliases(&self.contacts)
    }
}

/// The user's own names for contacts.
pub fn aliases(contacts: &Contacts) -> BTreeMap<Recipient, Name> {
    let named = contacts.all().filter_map(|contact| Some((contact.id.into(), contact.alias.clone()?)));
    named.collect()
}

/// The peer that an alias or a mark of the user is saved for: at an address where no peer has proven
/// itself it is the legacy peer there.
pub fn saved_for(id: Recipient) -> Option<PeerId> {
    match id {
        Recipient::Peer(id) => Some(id),
        Recipient::Address(addr) => addr.plain().map(|addr| PeerId::Legacy(LegacyId::saved_as(addr))),
    }
}

/// The name of a contact. The file has the one that the user knows the contact by.
fn name_of(contact: &Contact, seen: Option<&SeenPeer>) -> Option<name::PeerName> {
    contact.name.clone().or_else(|| seen?.name.clone())
}

/// The pins of contacts with keys, and of the strangers that were seen last.
fn pins(contacts: &Contacts, seen: &BTreeMap<PeerId, SeenPeer>) -> BTreeMap<PublicKey, Pin> {
    let mut pins = BTreeMap::new();
    for contact in contacts.all() {
        let Some(key) = contact.id.key() else { continue };
        let seen = seen.get(&contact.id);
        let mut addrs = seen.map(|seen| seen.addrs.clone()).unwrap_or_default();
        addrs.retain(|addr| !contact.addrs.contains(addr));
        addrs.truncate(MAX_HINTS.saturating_sub(contact.addrs.len()));
        addrs.extend(&contact.addrs);
        let pin = Pin {
            key,
            name: name_of(contact, seen),
            contact: true,
            addrs,
            given: contact.addrs.clone(),
            first_seen: 0,
            verified: contact.verified.filter(|_| !contact.blocked),
            blocked: contact.blocked,
        };
        pins.insert(key, pin);
    }
    let mut strangers: Vec<&SeenPeer> =
        seen.values().filter(|seen| contacts.get(seen.id).is_none()).collect();
    strangers.sort_by_key(|seen| std::cmp::Reverse(seen.last_seen));
    for seen in strangers.into_iter().take(MAX_STRANGERS) {
        let Some(key) = seen.id.key() else { continue };
        let pin = Pin {
            key,
            name: seen.name.clone(),
            contact: false,
            addrs: seen.addrs.iter().copied().take(MAX_HINTS).collect(),
            given: Vec::new(),
            first_seen: seen.last_seen / 1_000,
            verified: None,
            blocked: false,
        };
        pins.insert(key, pin);
    }
    pins
}

/// Takes over what earlier versions kept.
fn import(
    contacts: Contacts,
    folder: &Path,
    places: Places<'_>,
    store: &mut dyn Store,
    now: u64,
) -> Result<Contacts, ContactsError> {
    let written_to = store.written_to().unwrap_or_default();
    let mut pins = known_peers::read(folder).map_err(ContactsError::File)?;
    for pin in pins.values_mut() {
        pin.contact |= written_to.binary_search(&pin.key).is_ok();
    }
    let all = Aliases::open(places.data).map_err(ContactsError::File)?;
    let aliases = all.by_peer(pins.values().filter(|pin| !pin.blocked).map(|pin| (pin.key, &*pin.addrs)));
    let pins: Vec<Pin> = pins.into_values().collect();
    let mut older = from_older(&pins, &aliases);
    // Earlier versions took aliases that this one refuses.
    let own_name = folded(places.own_name.as_str());
    let is_refused =
        |alias: &mut Name| name::alias(alias.as_str()).is_err() || folded(alias.as_str()) == own_name;
    older.iter_mut().for_each(|contact| drop(contact.alias.take_if(is_refused)));
    let mut contacts = if places.saves { contacts } else { Contacts::open(None, Some(places.own_name))? };
    contacts.set_many(older)?;
    if places.saves {
        let seen = pins.into_iter().map(|pin| StoreOp::Seen {
            peer: PeerId::Key(pin.key),
            contact: contacts.get(PeerId::Key(pin.key)).is_some(),
            name: pin.name,
            addrs: pin.addrs,
        });
        let seen: Vec<StoreOp> = seen.collect();
        if !seen.is_empty()
            && let Err(error) = store.apply(&seen, now)
        {
            log::error!("the addresses in known_peers.toml could not be taken over: {error}");
        }
        known_peers::set_aside(folder);
    }
    Ok(contacts)
}

#[cfg(test)]
mod tests;
