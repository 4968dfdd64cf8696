//! The names and addresses of the pins, for lookups, and the counts of contacts and strangers.

use std::collections::{BTreeSet, HashMap};

use super::Held;
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::folded;

/// Sorts contacts before strangers, so that many strangers of one name do not slow down a lookup
/// of contacts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    Contact,
    Stranger,
}

type Entries<T> = BTreeSet<(T, Rank, PublicKey)>;

/// What [`super::Trusted`] would otherwise find by looking at all pins. A blocked pin holds neither
/// a name nor an address: others that use them are covered by the block.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Index {
    /// Folded names and aliases.
    names: Entries<String>,
    addrs: Entries<PeerAddr>,
    /// Folded names and aliases of blocked pins.
    blocked_names: BTreeSet<(String, PublicKey)>,
    blocked_addrs: BTreeSet<(PeerAddr, PublicKey)>,
    /// The number of contacts and of blocked keys.
    pub(super) contacts: usize,
    /// The number of strangers that are not blocked.
    pub(super) strangers: usize,
    strangers_of: HashMap<SourcePrefix, usize>,
}

impl Index {
    /// Contacts with this folded name or alias.
    pub(super) fn contacts_named(&self, folded: &str) -> impl Iterator<Item = PublicKey> {
        range(&self.names, folded.to_owned(), Rank::Contact)
    }

    /// Contacts with this folded name or alias, then strangers.
    pub(super) fn named(&self, folded: &str) -> impl Iterator<Item = PublicKey> {
        range(&self.names, folded.to_owned(), Rank::Stranger)
    }

    /// Contacts that have this address as a hint.
    pub(super) fn contacts_at(&self, addr: PeerAddr) -> impl Iterator<Item = PublicKey> {
        range(&self.addrs, addr, Rank::Contact)
    }

    /// Contacts that have this address as a hint, then strangers.
    pub(super) fn at(&self, addr: PeerAddr) -> impl Iterator<Item = PublicKey> {
        range(&self.addrs, addr, Rank::Stranger)
    }

    /// A blocked key with this folded name or alias.
    pub(super) fn blocked_named(&self, folded: &str) -> Option<PublicKey> {
        first_of(&self.blocked_names, folded.to_owned())
    }

    /// A blocked key that has this address as a hint.
    pub(super) fn blocked_at(&self, addr: PeerAddr) -> Option<PublicKey> {
        first_of(&self.blocked_addrs, addr)
    }

    /// The number of strangers that first came from a source prefix.
    pub(super) fn strangers_of(&self, prefix: SourcePrefix) -> usize {
        self.strangers_of.get(&prefix).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, held: &Held) {
        let (key, rank) = (held.pin.key, rank(held));
        if held.pin.blocked {
            self.blocked_names.extend(names(held).map(|name| (name, key)));
            self.blocked_addrs.extend(held.pin.addrs.iter().map(|addr| (*addr, key)));
        } else {
            self.names.extend(names(held).map(|name| (name, rank, key)));
            self.addrs.extend(held.pin.addrs.iter().map(|addr| (*addr, rank, key)));
        }
        if held.pin.contact || held.pin.blocked {
            self.contacts += 1;
            return;
        }
        self.strangers += 1;
        if let Some(prefix) = held.prefix {
            *self.strangers_of.entry(prefix).or_default() += 1;
        }
    }

    /// Removes what [`Index::add`] added. `held` must not have changed since.
    pub(super) fn remove(&mut self, held: &Held) {
        let (key, rank) = (held.pin.key, rank(held));
        for name in names(held) {
            self.blocked_names.remove(&(name.clone(), key));
            self.names.remove(&(name, rank, key));
        }
        for addr in &held.pin.addrs {
            self.blocked_addrs.remove(&(*addr, key));
            self.addrs.remove(&(*addr, rank, key));
        }
        if held.pin.contact || held.pin.blocked {
            self.contacts -= 1;
            return;
        }
        self.strangers -= 1;
        if let Some(prefix) = held.prefix
            && let Some(count) = self.strangers_of.get_mut(&prefix)
        {
            *count -= 1;
            if *count == 0 {
                self.strangers_of.remove(&prefix);
            }
        }
    }
}

fn rank(held: &Held) -> Rank {
    if held.pin.contact { Rank::Contact } else { Rank::Stranger }
}

/// The folded name and alias of a pin.
fn names(held: &Held) -> impl Iterator<Item = String> {
    let name = held.pin.name.iter().map(|name| folded(name.as_str()));
    name.chain(held.alias.clone())
}

fn first_of<T: Ord + Clone>(entries: &BTreeSet<(T, PublicKey)>, entry: T) -> Option<PublicKey> {
    let (first, last) = (PublicKey::new([0; KEY_BYTES]), PublicKey::new([0xff; KEY_BYTES]));
    entries.range((entry.clone(), first)..=(entry, last)).next().map(|(_, key)| *key)
}

/// The keys with `entry`, up to the rank `last`.
fn range<T: Ord + Clone>(entries: &Entries<T>, entry: T, last: Rank) -> impl Iterator<Item = PublicKey> {
    let from = (entry.clone(), Rank::Contact, PublicKey::new([0; KEY_BYTES]));
    let to = (entry, last, PublicKey::new([0xff; KEY_BYTES]));
    entries.range(from..=to).map(|(_, _, key)| *key)
}
