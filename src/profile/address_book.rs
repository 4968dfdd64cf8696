//! The peers that a profile knows at the start. contacts.toml holds the user's decisions, the store
//! what was seen.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use super::contacts::{Contact, Contacts, ContactsError};
use crate::core::{KnownContact, MAX_HINTS, MAX_STRANGERS, MAX_STRANGERS_PER_PREFIX, Pin};
use crate::model::address::SourcePrefix;
use crate::model::key::PublicKey;
use crate::model::name::{Name, PeerName};
use crate::model::peer_id::{LegacyId, PeerId, Recipient};
use crate::model::stored::SeenPeer;
use crate::store::Sqlite;

/// The contacts, and strangers that exchanged messages with the user.
#[derive(Debug)]
pub(crate) struct AddressBook {
    /// The user's decisions.
    pub contacts: Contacts,
    /// The keys of contacts and strangers.
    pub pins: BTreeMap<PublicKey, Pin>,
    seen: BTreeMap<PeerId, SeenPeer>,
}

impl AddressBook {
    /// Reads contacts.toml in `folder` (without one, nothing is stored), and the seen peers from
    /// `store`. No alias may be `own_name`.
    ///
    /// # Errors
    /// If contacts.toml exists and cannot be read, or contains a mistake. If the store cannot be
    /// read, no peer counts as seen.
    pub(crate) fn open(
        folder: Option<&Path>,
        own_name: &Name,
        store: &mut Sqlite,
    ) -> Result<Self, ContactsError> {
        let contacts = Contacts::open(folder, Some(own_name))?;
        let seen: BTreeMap<PeerId, SeenPeer> =
            store.seen().unwrap_or_default().into_iter().map(|seen| (seen.id, seen)).collect();
        let pins = pins(&contacts, &seen);
        Ok(Self { contacts, pins, seen })
    }

    /// Returns the contacts in the form that the core starts with. `now` is in milliseconds since
    /// 1970.
    pub(crate) fn known_contacts(&self, now: u64) -> Vec<KnownContact> {
        let known = |contact: &Contact| {
            let seen = self.seen.get(&contact.id);
            KnownContact {
                id: contact.id,
                name: name_of(contact, seen),
                last_seen: seen.map(|seen| Duration::from_millis(now.saturating_sub(seen.last_seen))),
                blocked: contact.blocked,
                stranger: contact.stranger,
                muted: contact.muted,
            }
        };
        self.contacts.all().map(known).collect()
    }

    /// Returns when and where a peer was last seen, if it was.
    pub(crate) fn seen(&self, id: PeerId) -> Option<&SeenPeer> {
        self.seen.get(&id)
    }

    /// Returns the aliases of the contacts.
    pub(crate) fn aliases(&self) -> BTreeMap<Recipient, Name> {
        let alias = |contact: &Contact| Some((contact.id.into(), contact.alias.clone()?));
        self.contacts.all().filter_map(alias).collect()
    }
}

/// Returns the peer whose entry in contacts.toml holds the alias or the mute of a recipient. For an
/// IPv4 address, that is the legacy peer there; an IPv6 address has none.
pub(crate) fn saved_for(id: Recipient) -> Option<PeerId> {
    match id {
        Recipient::Peer(id) => Some(id),
        Recipient::Address(addr) => addr.plain().map(|addr| PeerId::Legacy(LegacyId::saved_as(addr))),
    }
}

/// Returns the name of a contact: the saved one, which the user knows, or else the last seen one.
fn name_of(contact: &Contact, seen: Option<&SeenPeer>) -> Option<PeerName> {
    contact.name.clone().or_else(|| seen?.name.clone())
}

/// Returns the pins of the contacts with keys, and of the strangers seen last: [`MAX_STRANGERS`],
/// and of each source prefix [`MAX_STRANGERS_PER_PREFIX`].
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
            contact: !(contact.blocked && contact.stranger),
            addrs,
            given: contact.addrs.clone(),
            first_seen: 0,
            verified: contact.verified.filter(|_| !contact.blocked),
            blocked: contact.blocked,
        };
        pins.insert(key, pin);
    }
    let mut strangers: Vec<&SeenPeer> =
        seen.values().filter(|seen| seen.id.key().is_some() && contacts.get(seen.id).is_none()).collect();
    strangers.sort_by_key(|seen| std::cmp::Reverse(seen.last_seen));
    let mut of_prefix: HashMap<SourcePrefix, usize> = HashMap::new();
    let has_room = |seen: &&SeenPeer| {
        let Some(addr) = seen.addrs.first() else { return true };
        let count = of_prefix.entry(addr.share()).or_default();
        *count += 1;
        *count <= MAX_STRANGERS_PER_PREFIX
    };
    for seen in strangers.into_iter().filter(has_room).take(MAX_STRANGERS) {
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

#[cfg(test)]
mod tests;
