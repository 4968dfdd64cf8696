//! Blocks of what has no key: legacy peers and sources.

use std::collections::{BTreeMap, BTreeSet};

use super::{ContactChange, MAX_CONTACTS, Trusted, Unknown};
use crate::model::address::{PeerAddr, Source, SourcePrefix};
use crate::model::key::PublicKey;
use crate::model::name::{PeerName, folded};
use crate::model::peer_id::{PeerId, Recipient};
use crate::protocol::plain;

/// Blocked sources at most: more than a user types.
pub(crate) const MAX_BLOCKED_SOURCES: usize = 1_000;

/// What a user blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockTarget {
    /// A key, or the legacy peer at an address.
    Peer(Recipient),
    /// All connections from here, except those of contacts.
    Source(SourcePrefix),
}

impl From<PublicKey> for BlockTarget {
    fn from(key: PublicKey) -> Self {
        Self::Peer(key.into())
    }
}

impl From<Recipient> for BlockTarget {
    fn from(id: Recipient) -> Self {
        Self::Peer(id)
    }
}

impl From<SourcePrefix> for BlockTarget {
    fn from(source: SourcePrefix) -> Self {
        Self::Source(source)
    }
}

/// A blocked legacy peer.
#[derive(Clone, Debug)]
struct BlockedLegacy {
    id: PeerId,
    name: Option<PeerName>,
    /// It is a contact, and no stranger.
    contact: bool,
}

/// The blocked legacy peers and sources.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// The blocked legacy peers, by their addresses.
    legacy: BTreeMap<PeerAddr, BlockedLegacy>,
    /// How many of them have each folded name.
    names: BTreeMap<String, usize>,
    sources: BTreeSet<SourcePrefix>,
}

impl Blocks {
    /// Whether a blocked legacy peer has this folded name.
    pub(super) fn has_name(&self, folded: &str) -> bool {
        self.names.contains_key(folded)
    }

    /// Whether the legacy peer at an address is blocked.
    pub(super) fn is_legacy_at(&self, addr: PeerAddr) -> bool {
        self.legacy.contains_key(&addr)
    }
}

impl Trusted {
    /// Blocks a legacy peer, a contact or a stranger: unencrypted messages from its address, or
    /// under its name.
    ///
    /// # Errors
    /// If it has a key, or if there is no room. Nothing changes then.
    pub(in crate::core) fn block_legacy(
        &mut self,
        id: PeerId,
        name: Option<PeerName>,
        contact: bool,
    ) -> Result<(), Unknown> {
        self.load_blocked_legacy(id, name.clone(), contact)?;
        self.legacy_changed(ContactChange::BlockedLegacy { id, name, contact });
        Ok(())
    }

    /// The same for a block that is saved already.
    ///
    /// # Errors
    /// The same.
    pub(in crate::core) fn load_blocked_legacy(
        &mut self,
        id: PeerId,
        name: Option<PeerName>,
        contact: bool,
    ) -> Result<(), Unknown> {
        let addr = id.legacy_addr().ok_or(Unknown::Nothing)?;
        if self.blocks.legacy.len() >= MAX_CONTACTS && !self.blocks.legacy.contains_key(&addr) {
            return Err(Unknown::NoRoom);
        }
        self.lift_legacy(id);
        if let Some(name) = &name {
            *self.blocks.names.entry(folded(name.as_str())).or_default() += 1;
        }
        self.blocks.legacy.insert(addr, BlockedLegacy { id, name, contact });
        self.withdraw(id);
        Ok(())
    }

    /// Lifts the block of a legacy peer. A contact is one again, and a stranger is a stranger.
    /// Returns its name, and whether it is a contact.
    ///
    /// # Errors
    /// If it is not blocked.
    pub(in crate::core) fn unblock_legacy(
        &mut self,
        id: PeerId,
    ) -> Result<(Option<PeerName>, bool), Unknown> {
        let (name, contact) = self.lift_legacy(id).ok_or(Unknown::NotBlocked)?;
        self.legacy_changed(match contact {
            true => ContactChange::Legacy(id, name.clone()),
            false => ContactChange::Forgotten(id),
        });
        Ok((name, contact))
    }

    /// Lifts the block of a legacy peer, and saves nothing. If it was blocked, returns its name,
    /// and whether it is a contact.
    pub(in crate::core) fn lift_legacy(&mut self, id: PeerId) -> Option<(Option<PeerName>, bool)> {
        let BlockedLegacy { name, contact, .. } = self.blocks.legacy.remove(&id.legacy_addr()?)?;
        if let Some(name) = name.as_ref().map(|name| folded(name.as_str()))
            && let Some(count) = self.blocks.names.get_mut(&name)
        {
            *count -= 1;
            if *count == 0 {
                self.blocks.names.remove(&name);
            }
        }
        Some((name, contact))
    }

    /// Whether a recipient is a blocked legacy peer, or an address that is known only as that of
    /// one.
    pub fn is_blocked_legacy(&self, id: Recipient) -> bool {
        let legacy = match id {
            Recipient::Peer(id) => Some(id),
            Recipient::Address(addr) => addr.plain().map(plain::peer_at),
        };
        let addr = legacy.and_then(PeerId::legacy_addr);
        addr.is_some_and(|addr| self.blocks.is_legacy_at(addr))
    }

    /// The blocked legacy peers, sorted by address.
    pub fn blocked_legacy(&self) -> impl Iterator<Item = (PeerId, Option<&PeerName>)> {
        self.blocks.legacy.values().map(|blocked| (blocked.id, blocked.name.as_ref()))
    }

    /// Blocks a source. Waiting peers that were met there wait no longer.
    ///
    /// # Errors
    /// If there are [`MAX_BLOCKED_SOURCES`] already.
    pub(in crate::core) fn block_source(&mut self, source: SourcePrefix) -> Result<(), Unknown> {
        self.load_blocked_source(source)?;
        self.requests.retain(|request| request.met.source.share() != source);
        self.legacy_changed(ContactChange::Source { source, blocked: true });
        Ok(())
    }

    /// Blocks a source that was blocked in an earlier run.
    ///
    /// # Errors
    /// If there are [`MAX_BLOCKED_SOURCES`] already.
    pub(in crate::core) fn load_blocked_source(&mut self, source: SourcePrefix) -> Result<(), Unknown> {
        if self.blocks.sources.len() >= MAX_BLOCKED_SOURCES && !self.blocks.sources.contains(&source) {
            return Err(Unknown::TooManySources);
        }
        self.blocks.sources.insert(source);
        Ok(())
    }

    /// Lifts the block of a source.
    ///
    /// # Errors
    /// If it is not blocked.
    pub(in crate::core) fn unblock_source(&mut self, source: SourcePrefix) -> Result<(), Unknown> {
        if !self.blocks.sources.remove(&source) {
            return Err(Unknown::NotBlocked);
        }
        self.legacy_changed(ContactChange::Source { source, blocked: false });
        Ok(())
    }

    /// Whether a source is blocked. Contacts there are not covered.
    pub(in crate::core) fn is_blocked_source(&self, source: Source) -> bool {
        self.blocks.sources.contains(&source.share())
    }

    /// The blocked sources, sorted.
    pub fn blocked_sources(&self) -> impl Iterator<Item = SourcePrefix> {
        self.blocks.sources.iter().copied()
    }
}
