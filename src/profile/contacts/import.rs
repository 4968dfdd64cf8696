//! Imports contacts from known_peers.toml and aliases.toml, which contacts.toml replaces.

use std::collections::{BTreeMap, BTreeSet};

use super::Contact;
use crate::core::{MAX_CONTACTS, Pin};
use crate::model::name::{Name, folded};
use crate::model::peer_id::{LegacyId, PeerId, Recipient};

/// Returns the contacts in the older files: the pinned keys of contacts, and every key or legacy
/// peer with an alias. Returns at most [`MAX_CONTACTS`], pinned keys first. An IPv6 address with an
/// alias is left out, because it identifies no peer.
///
/// A contact loses its alias if that is an earlier contact's alias or another contact's name.
pub(crate) fn from_older(pins: &[Pin], aliases: &BTreeMap<Recipient, Name>) -> Vec<Contact> {
    let alias_of = |id: PeerId| -> Option<Name> {
        let address = match id {
            PeerId::Key(_) => None,
            PeerId::Legacy(legacy) => aliases.get(&Recipient::Address(legacy.addr())),
        };
        aliases.get(&Recipient::Peer(id)).or(address).cloned()
    };
    let mut contacts: BTreeMap<PeerId, Contact> = BTreeMap::new();
    let mut ids = Vec::new();
    let has_alias = |pin: &&Pin| !pin.contact && aliases.contains_key(&Recipient::key(pin.key));
    for pin in pins.iter().filter(|pin| pin.contact).chain(pins.iter().filter(has_alias)) {
        let id = PeerId::Key(pin.key);
        let contact = Contact {
            id,
            name: pin.name.clone(),
            alias: alias_of(id),
            verified: pin.verified,
            blocked: pin.blocked,
            stranger: false,
            muted: false,
            addrs: pin.addrs.clone(),
        };
        if contacts.insert(id, contact).is_none() {
            ids.push(id);
        }
    }
    for recipient in aliases.keys() {
        let id = match *recipient {
            Recipient::Peer(id) => Some(id),
            Recipient::Address(addr) => addr.plain().map(|addr| PeerId::Legacy(LegacyId::saved_as(addr))),
        };
        if let Some(id) = id.filter(|id| !contacts.contains_key(id)) {
            contacts.insert(id, Contact { alias: alias_of(id), ..Contact::new(id) });
            ids.push(id);
        }
    }
    ids.truncate(MAX_CONTACTS);
    let mut contacts: Vec<Contact> = ids.iter().filter_map(|id| contacts.remove(id)).collect();
    let mut names: BTreeMap<String, BTreeSet<PeerId>> = BTreeMap::new();
    for contact in contacts.iter().filter(|contact| !contact.blocked) {
        if let Some(name) = &contact.name {
            names.entry(folded(name.as_str())).or_default().insert(contact.id);
        }
    }
    let mut taken = BTreeSet::new();
    for contact in &mut contacts {
        let id = contact.id;
        contact.alias = contact.alias.take().filter(|alias| {
            let alias = folded(alias.as_str());
            let is_name = names.get(&alias).is_some_and(|ids| ids.iter().any(|other| *other != id));
            !is_name && taken.insert(alias)
        });
    }
    contacts
}
