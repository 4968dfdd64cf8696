//! What a meeting means: whether the peer is known, becomes a stranger, waits for the user or is
//! refused.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{
    HeldMessage, KEY_CHANGES_LEFT, MAX_HINTS, MAX_KEY_CHANGES, MAX_KEY_CHANGES_OF_CONTACT,
    MAX_KEY_CHANGES_OF_ONE, MAX_MESSAGE_REQUESTS, MAX_MESSAGE_REQUESTS_OF_ONE, MAX_NO_ROOM, MAX_REFUSED,
    MAX_STRANGERS, MAX_STRANGERS_PER_PREFIX, Meeting, PeerRequest, Pin, Policy, Refused, Trust, Trusted,
    Verdict,
};
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::key::PublicKey;
use crate::model::message::{Body, Plain};
use crate::model::name::{PeerName, folded};
use crate::model::peer_id::PeerId;
use crate::model::session::{MAX_REQUEST_BYTES, Message};

impl Trusted {
    /// Judges a peer that has proven a key, or an unlisted legacy peer that is no contact. A
    /// stranger with a live connection never makes room for a new one.
    pub fn met(&mut self, meeting: Meeting, is_live: &dyn Fn(PublicKey) -> bool) -> Verdict {
        let Some(key) = meeting.id.key() else { return self.met_legacy(meeting) };
        if key == self.me {
            return Verdict::Refused(Refused::Ourselves);
        }
        match self.trust(key) {
            Trust::Blocked => Verdict::Refused(Refused::Blocked),
            Trust::Pinned | Trust::Verified => {
                Verdict::Known { takes_name_of: self.met_again(key, &meeting) }
            }
            Trust::Unpinned => self.met_first(key, meeting, is_live),
        }
    }

    fn met_legacy(&mut self, meeting: Meeting) -> Verdict {
        match self.policy {
            _ if self.is_requested(meeting.id) => Verdict::Refused(Refused::Undecided),
            Policy::Strict => Verdict::Refused(Refused::Strict),
            Policy::Ask => self.ask(meeting, Vec::new()),
            Policy::AcceptNew => Verdict::Known { takes_name_of: None },
        }
    }

    fn met_first(
        &mut self,
        key: PublicKey,
        meeting: Meeting,
        is_live: &dyn Fn(PublicKey) -> bool,
    ) -> Verdict {
        if self.is_requested(meeting.id) {
            // Another name does not help a key that waits: only the user's decision does.
            return Verdict::Refused(Refused::Undecided);
        }
        let claims = meeting.name.as_ref().map(|name| folded(name.as_str()));
        let claimed = claims.iter().flat_map(|name| self.index.contacts_named(name));
        let against: Vec<Pin> = claimed.filter_map(|key| self.pin(key).cloned()).collect();
        if !against.is_empty() {
            return self.ask(meeting, against);
        }
        match self.policy {
            Policy::Strict => Verdict::Refused(Refused::Strict),
            // It may be the contact with a new key. Only its name can tell.
            _ if meeting.name.is_none() && self.hinted_at(meeting.addr).next().is_some() => {
                Verdict::Refused(Refused::Undecided)
            }
            Policy::Ask => self.ask(meeting, against),
            // The owner of a blocked key may have made another one, and a legacy peer its first
            // one.
            Policy::AcceptNew if claims.is_some_and(|name| self.is_blocked_name(&name)) => {
                self.ask(meeting, against)
            }
            Policy::AcceptNew => {
                let prefix = meeting.source.share();
                if !self.make_room(prefix, is_live) {
                    return Verdict::Refused(Refused::NoRoom);
                }
                self.insert(Pin::of(key, &meeting), false, Some(prefix));
                Verdict::Pinned
            }
        }
    }

    /// Makes an unknown key a contact, whatever the policy: the user has asked to connect to this
    /// peer. If the policy accepts strangers anyway, if the name is that of a contact or of a
    /// blocked peer, or if there is no room, it changes nothing, and [`Trusted::met`] judges.
    /// Returns whether the key is a contact now.
    pub(in crate::core) fn welcome(&mut self, met: &Meeting) -> bool {
        let unknown = met.id.key().filter(|key| *key != self.me && self.is_unknown(*key));
        let Some(key) = unknown else { return false };
        let is_taken = met.name.as_ref().is_some_and(|name| {
            let name = folded(name.as_str());
            self.index.contacts_named(&name).next().is_some() || self.is_blocked_name(&name)
        });
        if self.policy == Policy::AcceptNew || is_taken || self.has_no_room_for_contacts() {
            return false;
        }
        self.withdraw(met.id);
        self.insert(Pin { contact: true, ..Pin::of(key, met) }, true, None);
        self.changed.insert(key);
        true
    }

    /// Whether the policy has refused a stranger, and the user was told of it.
    pub(in crate::core) fn is_refused(&self, id: PeerId) -> bool {
        self.refused.iter().any(|met| met.id == id)
    }

    /// Whether a peer waits for the user's decision.
    pub(in crate::core) fn is_requested(&self, id: PeerId) -> bool {
        self.request_of(id).is_some()
    }

    /// Remembers a stranger that the policy refused, and its name once it is known. Returns whether
    /// the stranger was not remembered.
    pub(in crate::core) fn remember_refused(&mut self, met: &Meeting) -> bool {
        if let Some(known) = self.refused.iter_mut().find(|known| known.id == met.id) {
            known.name = met.name.clone().or(known.name.take());
            return false;
        }
        if self.refused.len() >= MAX_REFUSED {
            self.refused.pop_front();
        }
        self.refused.push_back(met.clone());
        true
    }

    /// Lets a peer wait for the user's decision, if there is room.
    fn ask(&mut self, met: Meeting, against: Vec<Pin>) -> Verdict {
        let request = PeerRequest { met, against, held: None, is_old_key_online: false };
        let is_full = self.has_no_room_for(&request);
        if is_full {
            let Some(at) = self.replaced_by(&request) else {
                self.finds_no_room(request.met.id);
                return Verdict::Refused(Refused::NoRoom);
            };
            let replaced = self.requests.remove(at);
            self.finds_no_room(replaced.met.id);
        }
        self.no_room_for.remove(&request.met.id);
        // Those at a contact's own address come first, then the newest.
        let at = if is_at_own_address(&request) { 0 } else { self.count_at_own_addresses() };
        self.requests.insert(at, request.clone());
        if is_full { Verdict::Replaced(request) } else { Verdict::Requested(request) }
    }

    /// Counts a peer for which there is no room, if it is not counted yet.
    fn finds_no_room(&mut self, id: PeerId) {
        if self.no_room_for.len() < MAX_NO_ROOM {
            self.no_room_for.insert(id);
        }
    }

    /// Returns whether a limit is reached. Key changes and message requests take no room from each
    /// other.
    fn has_no_room_for(&self, request: &PeerRequest) -> bool {
        let waiting = self.requests.iter().filter(|other| is_change(other) == is_change(request)).count();
        if is_change(request) {
            return waiting >= MAX_KEY_CHANGES
                || self.is_source_full(request)
                || request.against.iter().any(|pin| self.is_full(pin));
        }
        // A source may have as many as are free, so that there is always room for another source.
        let free = MAX_MESSAGE_REQUESTS.saturating_sub(waiting);
        self.waiting_of_source(request) >= free.min(MAX_MESSAGE_REQUESTS_OF_ONE)
    }

    /// Whether as many key changes wait of this source as may.
    fn is_source_full(&self, change: &PeerRequest) -> bool {
        self.waiting_of_source(change) >= MAX_KEY_CHANGES_OF_ONE
    }

    /// How many requests of this kind wait that came from the same source.
    fn waiting_of_source(&self, request: &PeerRequest) -> usize {
        let is_alike =
            |other: &&PeerRequest| is_change(other) == is_change(request) && has_same_source(other, request);
        self.requests.iter().filter(is_alike).count()
    }

    /// Whether as many keys wait for a contact as may.
    fn is_full(&self, contact: &Pin) -> bool {
        self.changes_of(contact.key) >= MAX_KEY_CHANGES_OF_CONTACT
    }

    /// Returns which key change gives way to this one: the oldest of the source that has most, so
    /// that each source keeps its newest. One at a contact's own address gives way only to another
    /// there. A message request neither gives way nor replaces anything.
    ///
    /// Two others still wait for a contact that loses one. So the user has to name the key that
    /// they trust, and no other can take its place unseen.
    fn replaced_by(&self, request: &PeerRequest) -> Option<usize> {
        let is_source_full = self.is_source_full(request);
        let may_go = |other: &PeerRequest| {
            is_change(other)
                && is_change(request)
                && (!is_source_full || has_same_source(other, request))
                && request.against.iter().all(|pin| !self.is_full(pin) || claims_to_be(other, pin.key))
                && (!is_at_own_address(other) || is_at_own_address(request))
                && other.against.iter().all(|pin| self.changes_of(pin.key) > KEY_CHANGES_LEFT)
        };
        let candidates = || self.requests.iter().enumerate().filter(|(_, other)| may_go(other));
        let count = |of: &PeerRequest| {
            let same = candidates().filter(|(_, other)| has_same_source(other, of)).count();
            // The new one counts too, so that a source replaces its own before those of others.
            same + usize::from(has_same_source(of, request))
        };
        candidates().max_by_key(|(at, other)| (count(other), *at)).map(|(at, _)| at)
    }

    fn count_at_own_addresses(&self) -> usize {
        self.requests.iter().filter(|request| is_at_own_address(request)).count()
    }

    /// Whether a blocked key or legacy peer has this folded name.
    pub(super) fn is_blocked_name(&self, folded: &str) -> bool {
        self.index.blocked_named(folded).is_some() || self.blocks.has_name(folded)
    }

    /// Whether a block covers an unencrypted message from this address or under this name, which
    /// are those of a blocked key or legacy peer. The name or address of another contact is never
    /// covered.
    pub(in crate::core) fn is_blocked_plain(&self, addr: PeerAddr, name: Option<&PeerName>) -> bool {
        let is_blocked_as =
            |name: String| self.is_blocked_name(&name) && self.index.contacts_named(&name).next().is_none();
        self.is_blocked_at(addr) || name.is_some_and(|name| is_blocked_as(folded(name.as_str())))
    }

    /// Whether an address is that of a blocked key or legacy peer, and of no other contact.
    pub(in crate::core) fn is_blocked_at(&self, addr: PeerAddr) -> bool {
        let is_blocked = self.index.blocked_at(addr).is_some() || self.blocks.is_legacy_at(addr);
        is_blocked && self.index.contacts_at(addr).next().is_none()
    }

    /// Holds the first of these messages if the key is a message request that holds none yet, and
    /// if the message is short enough. The sender keeps all of them, because none gets a receipt.
    pub(in crate::core) fn hold(&mut self, key: PublicKey, messages: &[Message]) {
        if let Some(message) = messages.first() {
            let held = || HeldMessage::Encrypted(message.clone());
            self.hold_message(PeerId::Key(key), message.body.len(), held);
        }
    }

    /// Holds a message of a legacy peer if the peer is a message request that holds none yet, and
    /// if the message is short enough.
    pub(in crate::core) fn hold_plain(&mut self, id: PeerId, message: Plain, cut: bool) {
        let bytes = match &message.body {
            Body::Text(text) | Body::Greeting(text) => text.raw().len(),
            Body::Connect | Body::ConnectAck | Body::ConnectRequest | Body::Exit | Body::Ping => return,
        };
        self.hold_message(id, bytes, || HeldMessage::Plain { message, cut });
    }

    fn hold_message(&mut self, id: PeerId, bytes: usize, held: impl FnOnce() -> HeldMessage) {
        let request = self.requests.iter_mut().find(|request| request.met.id == id);
        if let Some(request) = request
            && request.against.is_empty()
            && request.held.is_none()
            && bytes <= MAX_REQUEST_BYTES
        {
            request.held = Some(held());
        }
    }

    /// How many keys wait that claim to be this contact.
    fn changes_of(&self, contact: PublicKey) -> usize {
        self.requests.iter().filter(|request| claims_to_be(request, contact)).count()
    }

    /// Updates the name and the hints of a known key. Returns the contact whose name it now takes,
    /// if it did not take that name before.
    fn met_again(&mut self, key: PublicKey, meeting: &Meeting) -> Option<PublicKey> {
        let held = self.pins.get(&key)?;
        let before = held.takes_name_of;
        let (mut taken, mut is_blocked_name) = (None, false);
        if let Some(name) = meeting.name.as_ref().map(|name| folded(name.as_str())) {
            let known = held.pin.name.as_ref().map(|name| folded(name.as_str()));
            let contacts = || self.index.contacts_named(&name).find(|other| *other != key);
            let blocked = || self.index.blocked_named(&name).filter(|_| !held.pin.contact);
            let others = || contacts().or_else(blocked);
            let is_new = known.as_ref() != Some(&name);
            taken = if is_new { others() } else { None };
            is_blocked_name = is_new && !held.pin.contact && self.blocks.has_name(&name);
        }
        let name = meeting.name.clone().filter(|_| taken.is_none() && !is_blocked_name);
        self.change(key, |held| {
            held.takes_name_of = taken;
            held.pin.name = name.or(held.pin.name.take());
            if meeting.dialed {
                held.pin.addrs.retain(|addr| *addr != meeting.addr);
                held.pin.addrs.insert(0, meeting.addr);
                held.pin.addrs.truncate(MAX_HINTS);
            }
        });
        taken.filter(|_| taken != before)
    }

    /// Makes room for one more stranger from a source prefix: evicts the prefix's own oldest
    /// stranger if the prefix is full, the oldest of all if there are too many. Returns false if
    /// all are live.
    fn make_room(&mut self, prefix: SourcePrefix, is_live: &dyn Fn(PublicKey) -> bool) -> bool {
        let of_prefix = self.index.strangers_of(prefix);
        let is_full = of_prefix >= MAX_STRANGERS_PER_PREFIX;
        let (count, limit) = match is_full {
            true => (of_prefix, MAX_STRANGERS_PER_PREFIX),
            false => (self.index.strangers, MAX_STRANGERS),
        };
        // More than one if the user has unblocked strangers.
        let excess = (count + 1).saturating_sub(limit);
        if excess == 0 {
            return true;
        }
        let strangers = self.pins.values().filter(|held| !held.pin.contact && !held.pin.blocked);
        let of_scope = strangers.filter(|held| !is_full || held.prefix == Some(prefix));
        let ages = of_scope.map(|held| Reverse((held.pin.first_seen, held.number, held.pin.key)));
        let mut oldest: BinaryHeap<_> = ages.collect();
        let in_order = std::iter::from_fn(|| oldest.pop()).map(|Reverse((_, _, key))| key);
        let gone: Vec<PublicKey> = in_order.filter(|key| !is_live(*key)).take(excess).collect();
        for key in &gone {
            self.remove(*key);
        }
        gone.len() == excess
    }
}

/// Whether a waiting key is a key change, and no message request.
fn is_change(request: &PeerRequest) -> bool {
    !request.against.is_empty()
}

/// Whether a key claims to be this contact.
fn claims_to_be(request: &PeerRequest, contact: PublicKey) -> bool {
    request.against.iter().any(|pin| pin.key == contact)
}

/// Whether two peers came from one source.
fn has_same_source(one: &PeerRequest, other: &PeerRequest) -> bool {
    one.met.source.share() == other.met.source.share()
}

/// Whether a key that claims to be a contact was met at an address of that contact.
fn is_at_own_address(request: &PeerRequest) -> bool {
    request.against.iter().any(|pin| pin.addrs.contains(&request.met.addr))
}
