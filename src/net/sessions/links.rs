//! The connections, found by number and by the key that is proven on them.

use std::collections::BTreeMap;

use super::LinkId;
use super::link::Link;
use crate::model::key::PublicKey;

/// All connections, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Links {
    all: BTreeMap<LinkId, Link>,
    /// The connections on which each key is proven, in the order in which it was.
    of_key: BTreeMap<PublicKey, Vec<LinkId>>,
    /// Dialed connections, among them all that are still opening.
    dialed: Vec<LinkId>,
}

impl Links {
    /// Returns whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.all.get_mut(&id)
    }

    /// Adds a connection on which no key is proven yet.
    pub(super) fn insert(&mut self, id: LinkId, link: Link) {
        self.dialed.extend(link.dialed.map(|_| id));
        self.all.insert(id, link);
    }

    /// Records that the peer of a connection has proven its key, and returns the connection.
    pub(super) fn proves(&mut self, id: LinkId, key: PublicKey) -> Option<&mut Link> {
        let link = self.all.get_mut(&id)?;
        if link.key.is_none() {
            link.key = Some(key);
            self.of_key.entry(key).or_default().push(id);
        }
        Some(link)
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let link = self.all.remove(&id)?;
        if let Some(key) = link.key
            && let Some(others) = self.of_key.get_mut(&key)
        {
            others.retain(|other| *other != id);
            if others.is_empty() {
                self.of_key.remove(&key);
            }
        }
        Some(link)
    }

    /// Returns the connections in their order. There may be a thousand: work for one peer uses
    /// [`Links::of`].
    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.all.iter().map(|(id, link)| (*id, link))
    }

    /// Returns the connections on which a key is proven.
    pub(super) fn of(&self, key: PublicKey) -> impl DoubleEndedIterator<Item = (LinkId, &Link)> {
        let of_key = self.of_key.get(&key).into_iter().flatten();
        of_key.filter_map(|id| Some((*id, self.all.get(id)?)))
    }

    /// Returns the dialed connections that are still opening.
    pub(super) fn opening(&mut self) -> impl Iterator<Item = &Link> {
        self.dialed.retain(|id| self.all.get(id).is_some_and(Link::is_opening));
        self.dialed.iter().filter_map(|id| self.all.get(id))
    }
}
