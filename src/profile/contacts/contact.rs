//! A contact, and the check that no two contacts have the same name for the user.

use std::collections::HashMap;

use super::parse::MAX_VERIFIED;
use crate::core::MAX_HINTS;
use crate::model::address::PeerAddr;
use crate::model::name::{Name, PeerName, folded};
use crate::model::peer_id::PeerId;

/// A peer that the user knows: an entry of contacts.toml.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Contact {
    /// The key, or the address of a legacy peer.
    pub id: PeerId,
    /// The name that the peer had when the entry was last saved.
    pub name: Option<PeerName>,
    /// The user's own name for the peer. It is no other contact's alias, and no other unblocked
    /// contact's name.
    pub alias: Option<Name>,
    /// When the user verified the key, in seconds since 1970.
    pub verified: Option<u64>,
    /// Whether nothing is sent to the peer or shown from it, even if the key is verified.
    pub blocked: bool,
    /// Whether a blocked peer is a stranger again when it is unblocked.
    pub stranger: bool,
    /// Whether the peer's messages are stored but not shown.
    pub muted: bool,
    /// Addresses to dial, at most [`MAX_HINTS`].
    pub addrs: Vec<PeerAddr>,
}

impl Contact {
    /// Returns a contact without any details.
    pub(crate) fn new(id: PeerId) -> Self {
        Self {
            id,
            name: None,
            alias: None,
            verified: None,
            blocked: false,
            stranger: false,
            muted: false,
            addrs: Vec::new(),
        }
    }

    /// Returns the contact in a form that the file can hold: without an empty name, and within the
    /// limits.
    pub(super) fn storable(mut self) -> Self {
        self.name = self.name.filter(|name| !name.as_str().trim().is_empty());
        // A legacy peer has no key to verify.
        let has_key = self.id.key().is_some();
        self.verified = self.verified.filter(|_| has_key).map(|time| time.min(MAX_VERIFIED));
        self.addrs.truncate(MAX_HINTS);
        self
    }

    /// Returns `self` with the fields of `after` that differ from `before`.
    pub(super) fn with_changes(&self, before: &Self, after: &Self) -> Self {
        fn pick<T: PartialEq + Clone>(now: &T, before: &T, after: &T) -> T {
            if before == after { now.clone() } else { after.clone() }
        }
        Self {
            id: self.id,
            name: pick(&self.name, &before.name, &after.name),
            alias: pick(&self.alias, &before.alias, &after.alias),
            verified: pick(&self.verified, &before.verified, &after.verified),
            blocked: pick(&self.blocked, &before.blocked, &after.blocked),
            stranger: pick(&self.stranger, &before.stranger, &after.stranger),
            muted: pick(&self.muted, &before.muted, &after.muted),
            addrs: pick(&self.addrs, &before.addrs, &after.addrs),
        }
    }
}

/// An alias that is also the name or alias of another contact, or the user's own name.
pub(super) struct Clash {
    /// The contact with the alias. If two have it, the later one.
    pub(super) id: PeerId,
    pub(super) alias: Name,
    /// The other contact. `None` if the alias is the user's own name.
    pub(super) other: Option<PeerId>,
}

/// Returns the folded aliases, each with the last contact that has it.
pub(super) fn aliases_of<'a>(contacts: impl Iterator<Item = &'a Contact>) -> HashMap<String, PeerId> {
    let alias = |contact: &Contact| Some((folded(contact.alias.as_ref()?.as_str()), contact.id));
    contacts.filter_map(alias).collect()
}

/// Returns the first clash among contacts. Two contacts may have the same name, because peers
/// choose their names. The names of blocked contacts do not count.
pub(super) fn clash<'a>(
    contacts: impl Iterator<Item = &'a Contact> + Clone,
    own_name: Option<&Name>,
) -> Option<Clash> {
    let own_name = own_name.map(|name| folded(name.as_str()));
    let mut holders: HashMap<String, &Contact> = HashMap::new();
    for contact in contacts.clone() {
        let Some(alias) = &contact.alias else { continue };
        let name = folded(alias.as_str());
        let clash = |other| Some(Clash { id: contact.id, alias: alias.clone(), other });
        if Some(&name) == own_name.as_ref() {
            return clash(None);
        }
        if let Some(first) = holders.insert(name, contact) {
            return clash(Some(first.id));
        }
    }
    if holders.is_empty() {
        return None;
    }
    let mut named = contacts.filter(|contact| !contact.blocked);
    named.find_map(|other| {
        let holder = holders.get(&folded(other.name.as_ref()?.as_str()))?;
        let alias = holder.alias.clone().filter(|_| holder.id != other.id)?;
        Some(Clash { id: holder.id, alias, other: Some(other.id) })
    })
}
