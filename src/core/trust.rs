//! Trust in keys: which keys are pinned, what a proven key means, and what the user decided.
//!
//! A pin belongs to a contact or to a stranger. An unknown key that claims the name or alias of a
//! contact is a pending key change, a [`PeerRequest`]: the new key gets nothing until the user
//! decides, while messages for the contact's pinned key keep flowing. A stranger's name protects
//! nothing. The addresses of a pin are hints where to dial it. They identify no peer, and several
//! pins may share one.
//!
//! A legacy stranger has no pin. It is judged by the policy too, and may be a request or refused.
//!
//! Callers pass only keys that were proven in a handshake. [`Trusted::take_changes`] returns what
//! has to be saved.

mod blocks;
mod index;
mod judge;
mod pin;
mod user;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::{Name, PeerName, folded};
use crate::model::peer_id::{PeerId, Recipient};
use blocks::Blocks;
pub(crate) use blocks::{BlockTarget, MAX_BLOCKED_SOURCES};
use index::Index;
pub use pin::{ContactChange, Meeting, PeerRequest, Pin, Policy, Refused, Trust};
pub(crate) use pin::{ContactRecord, HeldMessage, Verdict};
pub use user::{As, Unknown};

/// Contacts at most, with all blocked keys.
pub const MAX_CONTACTS: usize = 10_000;

/// Strangers at most: more than a user meets in a run. One that only connected is kept in memory;
/// one that we dialed, or that a message passed with, is saved. Contacts have room of their own.
pub(crate) const MAX_STRANGERS: usize = 4_000;

/// Strangers of one source prefix at most: more than the machines behind one NAT, and too few for
/// a machine that makes up keys to push out the strangers of other networks.
pub(crate) const MAX_STRANGERS_PER_PREFIX: usize = 1_000;

/// Message requests at most: those of several crowds that meet the user on one day. With the held
/// messages they take less than 1 MiB.
pub(crate) const MAX_MESSAGE_REQUESTS: usize = 256;

/// Message requests of one source prefix at most: 50 people behind one NAT, and a quarter of all.
pub(crate) const MAX_MESSAGE_REQUESTS_OF_ONE: usize = 64;

/// Pending key changes at most: those of 16 sources, so that a few sources with invented keys leave
/// room for a contact's real one.
pub(crate) const MAX_KEY_CHANGES: usize = 64;

/// Pending key changes of one source prefix at most: more than one machine has users.
pub(crate) const MAX_KEY_CHANGES_OF_ONE: usize = 4;

/// Pending key changes of one contact at most: a choice that still fits one question.
pub(crate) const MAX_KEY_CHANGES_OF_CONTACT: usize = 8;

/// Pending key changes that a contact keeps if another one gives way.
const KEY_CHANGES_LEFT: usize = 2;

/// Peers that are counted at most for which there was no room among those that wait for the user. A
/// larger number says no more.
pub(crate) const MAX_NO_ROOM: usize = 1_000;

/// Refused strangers that are remembered at most: far more than a user adds one of. Beyond that the
/// oldest is forgotten, and told again if it comes back.
const MAX_REFUSED: usize = 1_000;

/// Hints of one pin at most: more addresses than one person's machines have.
pub const MAX_HINTS: usize = 8;

/// A pin, and what is known of its key in this run only.
#[derive(Clone, Debug)]
struct Held {
    pin: Pin,
    /// The pin is saved. That of a stranger who only connected is not.
    saved: bool,
    /// Counts the pins of this run: the order of pins of the same second.
    number: u64,
    /// Where a stranger first came from, if known.
    prefix: Option<SourcePrefix>,
    /// The user's own name for the peer, folded.
    alias: Option<String>,
    /// The contact whose name the key has taken, so that the user is told once.
    takes_name_of: Option<PublicKey>,
    /// It is a contact for this run, which is not saved.
    for_run: bool,
}

/// The pins, and the peers that wait for the user's decision.
#[derive(Debug)]
pub struct Trusted {
    me: PublicKey,
    policy: Policy,
    pins: HashMap<PublicKey, Held>,
    index: Index,
    last_number: u64,
    requests: Vec<PeerRequest>,
    /// The strangers that [`Policy::Strict`] refused, and the user was told of; the oldest first.
    refused: VecDeque<Meeting>,
    /// The peers for which there was no room among the requests, and that have not come again
    /// since.
    no_room_for: HashSet<PeerId>,
    changed: BTreeSet<PublicKey>,
    /// Legacy peers that became contacts, were blocked, or are no longer either; and sources.
    changed_legacy: Vec<ContactChange>,
    /// Nothing is sent or accepted unencrypted.
    require_encryption: bool,
    /// The peers and addresses that have an alias.
    aliased: HashSet<Recipient>,
    blocks: Blocks,
}

impl Trusted {
    /// Starts without pins; `me` is our own key.
    pub fn new(me: PublicKey, policy: Policy) -> Self {
        Self {
            me,
            policy,
            pins: HashMap::new(),
            index: Index::default(),
            last_number: 0,
            requests: Vec::new(),
            refused: VecDeque::new(),
            no_room_for: HashSet::new(),
            changed: BTreeSet::new(),
            changed_legacy: Vec::new(),
            require_encryption: false,
            aliased: HashSet::new(),
            blocks: Blocks::default(),
        }
    }

    pub(super) fn me(&self) -> PublicKey {
        self.me
    }

    /// Sets whether nothing is sent or accepted unencrypted.
    pub fn with_required_encryption(self, require_encryption: bool) -> Self {
        Self { require_encryption, ..self }
    }

    /// Whether nothing is sent or accepted unencrypted.
    pub fn requires_encryption(&self) -> bool {
        self.require_encryption
    }

    /// Whether a recipient may never be written to unencrypted.
    pub(super) fn is_only_encrypted(&self, id: Recipient) -> bool {
        let is_plain = |addr: PeerAddr| addr.plain().is_some();
        self.require_encryption || !id.addr().is_some_and(is_plain)
    }

    /// Records or removes the alias that the user gave a peer, and that of its pin.
    pub(super) fn set_alias_of(&mut self, id: Recipient, alias: Option<&Name>) {
        if let Some(key) = id.public_key() {
            self.set_alias(key, alias);
        }
        match alias {
            Some(_) => self.aliased.insert(id),
            None => self.aliased.remove(&id),
        };
    }

    /// Whether the user gave this peer an alias.
    pub(super) fn has_alias(&self, id: Recipient) -> bool {
        self.aliased.contains(&id)
    }

    /// Adds a saved or configured pin. Returns false if there is no room, or if the key is pinned
    /// already or our own.
    pub fn load(&mut self, mut pin: Pin) -> bool {
        pin.contact |= pin.verified.is_some();
        let is_full = if pin.contact || pin.blocked {
            self.index.contacts >= MAX_CONTACTS
        } else {
            self.index.strangers >= MAX_STRANGERS
        };
        if pin.key == self.me || self.pins.contains_key(&pin.key) || is_full {
            return false;
        }
        pin.addrs.truncate(MAX_HINTS);
        let prefix = pin.addrs.first().map(|addr| addr.share());
        self.insert(pin, true, prefix);
        true
    }

    /// What happens to strangers.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Changes what happens to strangers. Those that are known or wait stay what they are; refused
    /// ones are new again.
    pub fn set_policy(&mut self, policy: Policy) {
        self.refused.clear();
        self.policy = policy;
    }

    /// The state of a key.
    pub fn trust(&self, key: PublicKey) -> Trust {
        self.pins.get(&key).map_or(Trust::Unpinned, |held| held.pin.trust())
    }

    /// Whether a key is neither pinned nor waits for the user's decision: it was never met, or is
    /// forgotten.
    pub(super) fn is_unknown(&self, key: PublicKey) -> bool {
        !self.pins.contains_key(&key) && !self.is_requested(PeerId::Key(key))
    }

    /// The pin of a key.
    pub fn pin(&self, key: PublicKey) -> Option<&Pin> {
        self.pins.get(&key).map(|held| &held.pin)
    }

    /// The pin of a recipient that has a key.
    pub fn pin_of(&self, id: Recipient) -> Option<&Pin> {
        self.pin(id.public_key()?)
    }

    /// Whether a peer may be given a row because of something that was under way: not if the user
    /// has blocked or forgotten its key meanwhile.
    pub(super) fn may_be_listed(&self, id: Recipient) -> bool {
        id.public_key().is_none() || self.pin_of(id).is_some_and(|pin| !pin.blocked)
    }

    /// The pins of the blocked keys.
    pub fn blocked_pins(&self) -> Vec<Pin> {
        self.pins().filter(|pin| pin.blocked).cloned().collect()
    }

    /// The keys of all contacts that are not blocked, sorted.
    pub fn contact_keys(&self) -> Vec<PublicKey> {
        let mut keys: Vec<PublicKey> =
            self.contacts().filter(|pin| !pin.blocked).map(|pin| pin.key).collect();
        keys.sort_unstable();
        keys
    }

    /// Whether the user gave this address to a contact with another key, or its key was the first
    /// at this address of peers.toml.
    pub(super) fn is_of_another(&self, addr: PeerAddr, key: PublicKey) -> bool {
        self.contacts().any(|pin| pin.key != key && pin.given.contains(&addr))
    }

    /// All pins, in no order.
    pub fn pins(&self) -> impl Iterator<Item = &Pin> {
        self.pins.values().map(|held| &held.pin)
    }

    /// The pins of all contacts, blocked ones included, in no order.
    pub fn contacts(&self) -> impl Iterator<Item = &Pin> {
        self.pins().filter(|pin| pin.contact)
    }

    /// Whether a key may be written to: it is pinned and not blocked. A pending key change does not
    /// take that away.
    pub fn is_writable(&self, key: PublicKey) -> bool {
        matches!(self.trust(key), Trust::Pinned | Trust::Verified)
    }

    /// The writable key with this name or alias, a contact's if there is one. An unencrypted
    /// message in its name is unproven.
    pub fn claimed_name(&self, name: &PeerName) -> Option<PublicKey> {
        if self.pins.is_empty() {
            // Every unencrypted message asks this, and users of legacy peers have no pins.
            return None;
        }
        self.index.named(&folded(name.as_str())).next()
    }

    /// The writable contacts that have this address as a hint.
    pub fn hinted_at(&self, addr: PeerAddr) -> impl Iterator<Item = PublicKey> {
        self.index.contacts_at(addr)
    }

    /// The writable keys that have this address as a hint, contacts before strangers.
    pub fn proven_at(&self, addr: PeerAddr) -> impl Iterator<Item = PublicKey> {
        self.index.at(addr)
    }

    /// The waiting peers, and how many more there was no room for. Those at a contact's own address
    /// come first, then the newest.
    pub fn requests(&self) -> (&[PeerRequest], usize) {
        (&self.requests, self.no_room_for.len())
    }

    /// Saves the pin of a key from now on: we dialed it, or a message passed.
    ///
    /// A contact for this run is not saved.
    ///
    /// Returns whether it was not saved before.
    pub fn keep(&mut self, key: PublicKey) -> bool {
        let is_new = self.pins.get(&key).is_some_and(|held| !held.saved && !held.for_run);
        if is_new {
            self.change(key, |held| held.saved = true);
        }
        is_new
    }

    /// Whether the pin of a key is saved.
    pub(super) fn is_saved(&self, key: PublicKey) -> bool {
        self.pins.get(&key).is_some_and(|held| held.saved)
    }

    /// Whether a key is that of a contact for this run only.
    pub(super) fn is_for_run(&self, key: PublicKey) -> bool {
        self.pins.get(&key).is_some_and(|held| held.for_run)
    }

    /// Whether something has to be saved.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty() || !self.changed_legacy.is_empty()
    }

    /// What has to be saved since the last call, each peer once.
    pub fn take_changes(&mut self) -> Vec<ContactChange> {
        let change = |key| match self.pins.get(&key) {
            Some(held) if held.saved => {
                let contact = held.pin.contact && !held.for_run;
                ContactChange::Key(Pin { contact, ..held.pin.clone() })
            }
            // Forgotten, even if it has connected again since.
            _ => ContactChange::Forgotten(PeerId::Key(key)),
        };
        let keys = std::mem::take(&mut self.changed).into_iter().map(change);
        keys.chain(std::mem::take(&mut self.changed_legacy)).collect()
    }

    /// Records a change that is not about a pin and has to be saved.
    pub(super) fn legacy_changed(&mut self, change: ContactChange) {
        self.changed_legacy.push(change);
    }

    /// Adds an address that the user gave to the hints of a pinned key.
    pub(super) fn give_addr(&mut self, key: PublicKey, addr: PeerAddr) {
        self.change(key, |held| {
            for addrs in [&mut held.pin.given, &mut held.pin.addrs] {
                if !addrs.contains(&addr) {
                    addrs.insert(0, addr);
                    addrs.truncate(MAX_HINTS);
                }
            }
        });
    }

    fn insert(&mut self, pin: Pin, saved: bool, prefix: Option<SourcePrefix>) {
        self.last_number += 1;
        let (key, number) = (pin.key, self.last_number);
        let held = Held { pin, saved, number, prefix, alias: None, takes_name_of: None, for_run: false };
        self.index.add(&held);
        self.pins.insert(key, held);
    }

    fn remove(&mut self, key: PublicKey) -> Option<Pin> {
        let held = self.pins.remove(&key)?;
        self.index.remove(&held);
        if held.saved {
            self.changed.insert(key);
        }
        Some(held.pin)
    }

    /// Changes a pin, updates the index, and marks the pin if it has to be saved.
    fn change(&mut self, key: PublicKey, change: impl FnOnce(&mut Held)) {
        let Some(held) = self.pins.get_mut(&key) else { return };
        let before = (held.saved, held.pin.clone());
        self.index.remove(held);
        change(held);
        self.index.add(held);
        if held.saved && before != (true, held.pin.clone()) {
            self.changed.insert(key);
        }
    }
}

/// The input of the short code of two keys: the smaller key, then the larger one, so that both
/// sides compute the same.
pub(crate) fn code_input(one: PublicKey, other: PublicKey) -> [u8; 2 * KEY_BYTES] {
    let mut input = [0; 2 * KEY_BYTES];
    input[..KEY_BYTES].copy_from_slice(one.min(other).as_bytes());
    input[KEY_BYTES..].copy_from_slice(one.max(other).as_bytes());
    input
}

#[cfg(test)]
mod tests;
