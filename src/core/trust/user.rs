//! What the user decides about a key: `/add`, `/trust`, `/accept`, `/block`, `/unblock`, `/forget`,
//! `/verify`.

use super::{
    ContactRecord, MAX_CONTACTS, MAX_HINTS, MAX_STRANGERS, Meeting, PeerRequest, Pin, Policy, Trusted,
};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::name::{Name, PeerName, folded};
use crate::model::peer_id::PeerId;

/// How the user accepts a waiting key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum As {
    /// As the new key of this contact, whose old key is forgotten.
    NewKeyOf(PublicKey),
    /// As another contact, perhaps with the same name.
    Another,
}

/// Why a decision cannot be carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// No such key waits for a decision.
    Request,
    /// No such key is pinned, or the waiting key does not claim its name.
    Pin,
    /// There are [`MAX_CONTACTS`] contacts.
    NoRoom,
    /// There are `MAX_BLOCKED_SOURCES` blocked sources.
    TooManySources,
    /// The maximum number of peers is muted.
    TooManyMuted,
    /// The peer or source is not blocked.
    NotBlocked,
    /// It is our own key.
    Ourselves,
    /// Nothing is known that could be forgotten.
    Nothing,
}

impl Trusted {
    /// Finds waiting peers by their name, by the name or alias of a contact they claim to be, by at
    /// least four characters at the start of the key, or by the address of a legacy peer.
    pub fn requests_for(&self, word: &str) -> Vec<&PeerRequest> {
        let wanted = Wanted::new(word);
        let is_contact = |pin: &Pin| wanted.is_name(pin.name.as_ref(), self.alias(pin.key));
        let fits = |request: &&PeerRequest| {
            wanted.is_name(request.met.name.as_ref(), None)
                || request.met.id.key().is_some_and(|key| wanted.is_start_of(key))
                || request.against.iter().any(is_contact)
        };
        wanted
            .at_address(&self.requests, |request| &request.met)
            .unwrap_or_else(|| self.requests.iter().filter(fits).collect())
    }

    /// Finds refused strangers by their name, by at least four characters at the start of the key,
    /// or by the address of a legacy peer.
    pub fn refused_for(&self, word: &str) -> Vec<&Meeting> {
        let wanted = Wanted::new(word);
        let fits = |met: &&Meeting| {
            wanted.is_name(met.name.as_ref(), None) || met.id.key().is_some_and(|key| wanted.is_start_of(key))
        };
        wanted
            .at_address(&self.refused, |met| met)
            .unwrap_or_else(|| self.refused.iter().filter(fits).collect())
    }

    /// Finds pins, blocked ones too, by their name or alias, or by at least four characters at the
    /// start of the key. Sorted by key.
    pub fn pins_for(&self, word: &str) -> Vec<&Pin> {
        let wanted = Wanted::new(word);
        let fits = |pin: &&Pin| {
            wanted.is_name(pin.name.as_ref(), self.alias(pin.key)) || wanted.is_start_of(pin.key)
        };
        let mut pins: Vec<&Pin> = self.pins().filter(fits).collect();
        pins.sort_by_key(|pin| pin.key);
        pins
    }

    /// Pins a key that nothing is known of, as a contact for this run. It gets the name unless a
    /// contact has it. Changes nothing if there are [`MAX_CONTACTS`] already.
    pub(in crate::core) fn add_for_run(
        &mut self,
        key: PublicKey,
        name: Option<&PeerName>,
        mut addrs: Vec<PeerAddr>,
    ) {
        if key == self.me || self.pins.contains_key(&key) || self.has_no_room_for_contacts() {
            return;
        }
        let is_free = |name: &&PeerName| self.index.contacts_named(&folded(name.as_str())).next().is_none();
        let name = name.filter(is_free).cloned();
        addrs.truncate(MAX_HINTS);
        let (given, first_seen, verified) = (Vec::new(), 0, None);
        let pin = Pin { key, name, contact: true, addrs, given, first_seen, verified, blocked: false };
        self.insert(pin, false, None);
        self.change(key, |held| held.for_run = true);
    }

    /// Makes a pinned stranger a contact for this run. Returns whether the key is a contact now.
    pub(in crate::core) fn make_contact_for_run(&mut self, key: PublicKey) -> bool {
        let Some(held) = self.pins.get_mut(&key) else { return false };
        if held.pin.contact || held.pin.blocked {
            return true;
        }
        if self.index.contacts >= MAX_CONTACTS {
            return false;
        }
        // Nothing has to be saved, so not `change`.
        self.index.remove(held);
        (held.pin.contact, held.for_run) = (true, true);
        self.index.add(held);
        true
    }

    /// Makes a pinned key a contact and keeps its pin. Returns whether it is a contact now: false
    /// if the key is not pinned, or if there are [`MAX_CONTACTS`] already.
    pub fn make_contact(&mut self, key: PublicKey) -> bool {
        let Some(held) = self.pins.get(&key) else { return false };
        if held.for_run {
            self.change(key, |held| {
                if !held.saved {
                    // The next run finds it without the entry.
                    held.pin.given.clone_from(&held.pin.addrs);
                }
                (held.saved, held.for_run) = (true, false);
            });
            self.changed.insert(key);
            return true;
        }
        if held.pin.contact {
            return true;
        }
        if self.has_no_room_for_contacts() {
            self.keep(key);
            return false;
        }
        self.change(key, |held| (held.pin.contact, held.saved) = (true, true));
        true
    }

    /// Sets or removes the user's own name for a pinned key, which an alias makes a contact. A key
    /// that claims the alias counts as one that claims the contact's name. Not saved here.
    pub fn set_alias(&mut self, key: PublicKey, alias: Option<&Name>) {
        let alias = alias.map(|alias| folded(alias.as_str()));
        if alias.is_some() {
            self.make_contact(key);
        }
        self.change(key, |held| held.alias = alias);
    }

    /// Makes the pin of a key what the user has of it. Returns the pin as it was.
    ///
    /// # Errors
    /// If there is no room, or the key is our own. Nothing changes then.
    pub fn set_contact(
        &mut self,
        key: PublicKey,
        record: ContactRecord,
        date: u64,
    ) -> Result<Option<Pin>, Unknown> {
        let before = self.pins.get(&key).map(|held| held.pin.clone());
        let is_counted = before.as_ref().is_some_and(|pin| pin.contact || pin.blocked);
        if key == self.me {
            return Err(Unknown::Ourselves);
        }
        if !is_counted && self.has_no_room_for_contacts() {
            return Err(Unknown::NoRoom);
        }
        let ContactRecord { id: _, name, verified, blocked, stranger, addrs } = record;
        let contact = !(blocked && stranger);
        self.withdraw(PeerId::Key(key));
        if before.is_none() {
            let (given, addrs) = (Vec::new(), Vec::new());
            let pin = Pin { key, name: None, contact, addrs, given, first_seen: date, verified, blocked };
            self.insert(pin, true, None);
        }
        self.change(key, |held| {
            let pin = &mut held.pin;
            let learned = pin.addrs.iter().filter(|addr| !pin.given.contains(addr) && !addrs.contains(addr));
            let mut hints: Vec<PeerAddr> = learned.copied().collect();
            hints.truncate(MAX_HINTS.saturating_sub(addrs.len()));
            hints.extend(&addrs);
            hints.truncate(MAX_HINTS);
            (pin.addrs, pin.given) = (hints, addrs);
            pin.name = name.or(pin.name.take());
            (pin.contact, pin.verified, pin.blocked) = (contact, verified.filter(|_| !blocked), blocked);
            (held.saved, held.for_run) = (true, false);
        });
        self.changed.insert(key);
        Ok(before)
    }

    /// Takes a waiting key as a contact, which is not verified. As the new key of a contact it gets
    /// that contact's name, alias and hints, and the old key is forgotten.
    ///
    /// # Errors
    /// If the key does not wait, if it does not claim the name of that contact, or if there is no
    /// room. Nothing changes then.
    pub fn take(&mut self, key: PublicKey, whom: As) -> Result<(), Unknown> {
        let request = self.request_of(PeerId::Key(key)).ok_or(Unknown::Request)?;
        let mut pin = Pin { contact: true, ..Pin::of(key, &request.met) };
        let mut alias = None;
        match whom {
            As::NewKeyOf(old) => {
                let is_against = request.against.iter().any(|pin| pin.key == old);
                let contact = self.pins.get(&old).filter(|held| is_against && !held.pin.blocked);
                let contact = contact.ok_or(Unknown::Pin)?;
                alias = contact.alias.clone();
                pin.name = contact.pin.name.clone().or(pin.name);
                let proven = pin.addrs.clone();
                pin.addrs.extend(contact.pin.addrs.iter().filter(|addr| !proven.contains(addr)));
                pin.addrs.truncate(MAX_HINTS);
                pin.given = contact.pin.given.clone();
                self.remove(old);
                // Other keys that claim the name now claim it from the new key.
                let others = self.requests.iter_mut().flat_map(|request| &mut request.against);
                others.filter(|against| against.key == old).for_each(|against| *against = pin.clone());
            }
            As::Another if self.has_no_room_for_contacts() => return Err(Unknown::NoRoom),
            As::Another => {}
        }
        self.withdraw(PeerId::Key(key));
        self.insert(pin, true, None);
        self.change(key, |held| held.alias = alias);
        self.changed.insert(key);
        Ok(())
    }

    /// Blocks a waiting or pinned key. No other pin changes. A stranger becomes no contact by it,
    /// but takes the room of one, so that it is remembered.
    ///
    /// # Errors
    /// If the key neither waits nor is pinned, or if there is no room. Nothing changes then.
    pub fn block(&mut self, key: PublicKey) -> Result<(), Unknown> {
        if let Some(request) = self.request_of(PeerId::Key(key)) {
            let pin = Pin { blocked: true, ..Pin::of(key, &request.met) };
            if self.has_no_room_for_contacts() {
                return Err(Unknown::NoRoom);
            }
            self.withdraw(PeerId::Key(key));
            self.insert(pin, true, None);
        } else {
            let pin = self.pin(key).ok_or(Unknown::Pin)?;
            if pin.contact {
                // It stays one in the next run.
                self.make_contact(key);
            } else if !pin.blocked && self.has_no_room_for_contacts() {
                return Err(Unknown::NoRoom);
            }
            self.change(key, |held| {
                (held.pin.blocked, held.pin.verified, held.saved) = (true, None, true);
            });
        }
        self.changed.insert(key);
        Ok(())
    }

    /// Adds the address where a blocked key was met, from which the block covers unencrypted
    /// messages.
    pub(in crate::core) fn block_at(&mut self, key: PublicKey, addr: PeerAddr) {
        self.change(key, |held| {
            if held.pin.blocked && !held.pin.addrs.contains(&addr) {
                held.pin.addrs.insert(0, addr);
                held.pin.addrs.truncate(MAX_HINTS);
            }
        });
    }

    /// Unblocks a key. A contact is one again, and a stranger is a stranger. Returns its pin.
    ///
    /// A stranger that would have to wait for the user's decision is forgotten, so that it does.
    ///
    /// # Errors
    /// If the key is not blocked.
    pub fn unblock(&mut self, key: PublicKey) -> Result<Pin, Unknown> {
        let pin = self.pin(key).filter(|pin| pin.blocked).cloned().ok_or(Unknown::NotBlocked)?;
        self.change(key, |held| held.pin.blocked = false);
        let name = pin.name.as_ref().map(|name| folded(name.as_str()));
        let is_taken = name.is_some_and(|name| {
            self.is_blocked_name(&name) || self.index.contacts_named(&name).next().is_some()
        });
        let is_full = self.index.strangers > MAX_STRANGERS;
        if !pin.contact && (is_taken || is_full || self.policy != Policy::AcceptNew) {
            self.remove(key);
        }
        Ok(Pin { blocked: false, ..pin })
    }

    /// Marks a pinned key as verified at `date`, in seconds since 1970.
    ///
    /// # Errors
    /// If the key is not pinned or is blocked, or if there is no room for another contact.
    pub fn verify(&mut self, key: PublicKey, date: u64) -> Result<(), Unknown> {
        if !self.is_writable(key) {
            return Err(Unknown::Pin);
        }
        if !self.make_contact(key) {
            return Err(Unknown::NoRoom);
        }
        self.change(key, |held| held.pin.verified = Some(date));
        Ok(())
    }

    /// Forgets a pinned key, also a blocked one.
    ///
    /// # Errors
    /// If the key is not pinned.
    pub fn forget(&mut self, key: PublicKey) -> Result<Pin, Unknown> {
        let pin = self.remove(key).ok_or(Unknown::Pin)?;
        // Keys that claim its name are judged again at their next session.
        self.requests.retain(|request| !request.against.iter().any(|against| against.key == key));
        Ok(pin)
    }

    pub(super) fn has_no_room_for_contacts(&self) -> bool {
        self.index.contacts >= MAX_CONTACTS
    }

    /// The request of a peer that waits.
    pub(in crate::core) fn request_of(&self, id: PeerId) -> Option<&PeerRequest> {
        self.requests.iter().find(|request| request.met.id == id)
    }

    /// Where a stranger that waits or was refused was met. That may be only a claim.
    pub(in crate::core) fn met_at(&self, id: PeerId) -> Option<PeerAddr> {
        let waiting = self.requests.iter().map(|request| &request.met);
        waiting.chain(&self.refused).find(|met| met.id == id).map(|met| met.addr)
    }

    /// Removes a peer from those that wait, found no room or are refused: the user has decided.
    pub(in crate::core) fn withdraw(&mut self, id: PeerId) {
        self.requests.retain(|request| request.met.id != id);
        self.refused.retain(|met| met.id != id);
        self.no_room_for.remove(&id);
    }

    /// The folded alias of a pinned key.
    fn alias(&self, key: PublicKey) -> Option<&str> {
        self.pins.get(&key)?.alias.as_deref()
    }
}

/// A word the user typed for a peer.
struct Wanted {
    folded: String,
    /// The start of a key; `None` if the word is too short for one.
    start: Option<String>,
    /// The address that the word is, if it is one.
    addr: Option<PeerAddr>,
}

/// Characters of a key that name it, at least.
const MIN_KEY_CHARS: usize = 4;

impl Wanted {
    fn new(word: &str) -> Self {
        let start = (word.len() >= MIN_KEY_CHARS).then(|| word.to_ascii_lowercase());
        // Names of peers are made harmless before they are kept.
        Self { folded: folded(PeerName::new(word).as_str()), start, addr: word.parse().ok() }
    }

    fn is_name(&self, name: Option<&PeerName>, alias: Option<&str>) -> bool {
        name.is_some_and(|name| folded(name.as_str()) == self.folded)
            || alias.is_some_and(|alias| alias == self.folded)
    }

    /// Returns the legacy peer at the address that the word is. The name of another peer may be
    /// that address, too.
    fn at_address<'a, T>(
        &self,
        among: impl IntoIterator<Item = &'a T>,
        met: impl Fn(&T) -> &Meeting,
    ) -> Option<Vec<&'a T>> {
        let addr = self.addr?;
        let is_there = |one: &&T| met(one).id.legacy_addr() == Some(addr);
        Some(vec![among.into_iter().find(is_there)?])
    }

    fn is_start_of(&self, key: PublicKey) -> bool {
        self.start.as_ref().is_some_and(|start| key.to_string().starts_with(start))
    }
}
