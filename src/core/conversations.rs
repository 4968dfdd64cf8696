//! The user's conversations: which is open, who is muted, and how many messages are unread.
//!
//! The store records how far each conversation is read, so that this survives a restart.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use super::event::{Decision, Event};
use super::peers::MAX_PEERS;
use super::trust::{ContactChange, Unknown};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::StoreOp;

/// The maximum number of peers whose unread messages are counted. The status line names three.
const MAX_UNREAD: usize = 1_000;

/// The maximum number of muted peers: as many as the peer list can have.
const MAX_MUTED: usize = MAX_PEERS;

/// The state of the conversations in this run.
#[derive(Debug, Default)]
pub struct Conversations {
    /// The recipients of the open conversation; none if no conversation is open.
    open: Vec<Recipient>,
    muted: BTreeSet<Recipient>,
    /// The peers that wrote while a conversation with others was open, and how often.
    unread: BTreeMap<Recipient, usize>,
}

impl Conversations {
    /// The muted recipients.
    pub fn muted(&self) -> &BTreeSet<Recipient> {
        &self.muted
    }

    /// The peers that wrote while a conversation with others was open, and how often.
    pub fn unread(&self) -> &BTreeMap<Recipient, usize> {
        &self.unread
    }

    /// Handles an arriving message. Returns whether it is shown: unless its sender is muted, and no
    /// conversation with them is open.
    fn arrived(&mut self, from: Recipient) -> bool {
        if self.open.contains(&from) {
            return true;
        }
        if self.muted.contains(&from) {
            return false;
        }
        if !self.open.is_empty() && (self.unread.len() < MAX_UNREAD || self.unread.contains_key(&from)) {
            *self.unread.entry(from).or_insert(0) += 1;
        }
        true
    }

    /// Opens a conversation, or closes the open one. Returns the peers whose messages are now read:
    /// those of the previous conversation, whose messages were shown as they arrived, and those of
    /// the new one.
    fn open(&mut self, with: Vec<Recipient>) -> Vec<Recipient> {
        if with != self.open {
            self.unread.clear();
        }
        let before = std::mem::replace(&mut self.open, with);
        [&before, &self.open].into_iter().filter_map(|ids| only_recipient(ids)).collect()
    }

    /// Mutes a peer. Returns whether there was room.
    pub(super) fn mute(&mut self, id: Recipient) -> bool {
        let has_room = self.muted.len() < MAX_MUTED;
        if has_room {
            self.muted.insert(id);
        }
        has_room
    }

    /// Unmutes a peer. Returns whether it was muted.
    pub(super) fn unmute(&mut self, id: Recipient) -> bool {
        self.muted.remove(&id)
    }

    /// Moves what is recorded for a recipient to another one. Returns whether it was muted.
    fn move_to(&mut self, from: Recipient, to: Recipient) -> bool {
        self.open.iter_mut().filter(|id| **id == from).for_each(|id| *id = to);
        if let Some(count) = self.unread.remove(&from) {
            *self.unread.entry(to).or_insert(0) += count;
        }
        let was_muted = self.muted.remove(&from);
        if was_muted {
            self.muted.insert(to);
        }
        was_muted
    }
}

/// Returns the only recipient of a conversation. Several recipients have no common conversation in
/// the store.
fn only_recipient(ids: &[Recipient]) -> Option<Recipient> {
    if let [id] = ids { Some(*id) } else { None }
}

/// The stored conversations of a recipient: its own, and for a legacy peer also that of its address
/// from before the peer proved itself.
pub fn stored_conversations(id: Recipient) -> impl Iterator<Item = Recipient> {
    let unproven = match id {
        Recipient::Peer(PeerId::Legacy(legacy)) => Some(Recipient::Address(legacy.addr())),
        Recipient::Peer(PeerId::Key(_)) | Recipient::Address(_) => None,
    };
    [id].into_iter().chain(unproven)
}

impl State {
    /// Passes a message to the user, unless its sender is muted.
    pub(super) fn tell_message(&mut self, message: Event) {
        let Event::Message { from, row, .. } = &message else { return };
        if self.conversations.arrived(from.id) {
            return self.tell(message);
        }
        let (from, row) = (from.clone(), *row);
        // Otherwise the next run would show it.
        row.into_iter().for_each(|row| self.write(StoreOp::MarkShown(vec![row])));
        self.tell(Event::MutedMessage(from));
    }

    /// Handles that the user has opened a conversation, or has closed the open one.
    pub(super) fn open(&mut self, with: Vec<Recipient>) {
        self.conversations.open(with).into_iter().for_each(|id| self.read(id));
    }

    /// Handles that the user has read all messages of a peer.
    pub(super) fn read(&mut self, id: Recipient) {
        self.conversations.unread.remove(&id);
        stored_conversations(id).for_each(|id| self.write(StoreOp::MarkRead(id)));
    }

    pub(super) fn set_muted(&mut self, id: Recipient, muted: bool) -> Result<Decision, Unknown> {
        let decision = if muted {
            if !self.conversations.mute(id) {
                return Err(Unknown::TooManyMuted);
            }
            Decision::Muted(self.book().who(id))
        } else {
            Decision::Unmuted(self.book().who(id), self.conversations.unmute(id))
        };
        self.save_muted(id, muted);
        Ok(decision)
    }

    /// Moves the conversation state of one recipient to the recipient that replaces it.
    pub(super) fn move_conversation(&mut self, from: Recipient, to: Recipient) {
        if self.conversations.move_to(from, to) {
            self.save_muted(to, true);
        }
    }

    /// Saves whether a contact is muted. A stranger is muted in this run only.
    fn save_muted(&mut self, id: Recipient, muted: bool) {
        if let Recipient::Peer(peer) = id
            && self.book().is_lasting_contact(id)
        {
            self.trust.legacy_changed(ContactChange::Muted(peer, muted));
        }
    }

    /// Returns who is muted and what is unread.
    pub fn conversations(&self) -> &Conversations {
        &self.conversations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::PublicKey;

    fn peer(n: u8) -> Recipient {
        PublicKey::new([n; 32]).into()
    }

    #[test]
    fn messages_of_others_are_unread_during_a_conversation() {
        let mut all = Conversations::default();
        assert!(all.arrived(peer(2)));
        assert!(all.unread.is_empty(), "no conversation is open");
        assert_eq!(all.open(vec![peer(1)]), [peer(1)]);
        assert_eq!([1, 2, 3, 2].map(|n| all.arrived(peer(n))), [true; 4]);
        assert_eq!(all.unread, BTreeMap::from([(peer(2), 2), (peer(3), 1)]));
        all.open(vec![peer(1)]);
        assert_eq!(all.unread.len(), 2, "it is the same conversation");
        assert_eq!(all.open(vec![peer(2)]), [peer(1), peer(2)]);
        assert!(all.unread.is_empty());
        assert_eq!(all.open(vec![peer(2), peer(3)]), [peer(2)]);
        assert_eq!(all.open(Vec::new()), []);
    }

    #[test]
    fn muted_messages_are_held() {
        let mut all = Conversations::default();
        all.open(vec![peer(1)]);
        assert!(all.mute(peer(1)) && all.mute(peer(2)));
        // In its own conversation, a peer is shown although it is muted.
        assert_eq!([1, 2, 3].map(|n| all.arrived(peer(n))), [true, false, true]);
        assert_eq!(all.unread, BTreeMap::from([(peer(3), 1)]));
        assert_eq!([1, 2, 3].map(|n| all.unmute(peer(n))), [true, true, false]);
        assert!(all.arrived(peer(2)));
    }

    #[test]
    fn conversation_follows_its_peer_to_a_key() {
        let mut all = Conversations::default();
        all.open(vec![peer(1)]);
        all.arrived(peer(2));
        all.mute(peer(3));
        all.arrived(peer(3));
        assert_eq!([1, 2, 3].map(|n| all.move_to(peer(n), peer(n + 10))), [false, false, true]);
        all.arrived(peer(11));
        assert_eq!(all.unread, BTreeMap::from([(peer(12), 1)]));
        assert_eq!(all.muted, BTreeSet::from([peer(13)]));
    }

    #[test]
    fn counts_of_peers_are_bounded() {
        let mut all = Conversations::default();
        all.open(vec![peer(1)]);
        let at = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            Recipient::from(PublicKey::new(bytes))
        };
        assert!((0..=MAX_UNREAD).all(|n| all.arrived(at(n))));
        assert_eq!(all.unread.len(), MAX_UNREAD);
        assert!((0..MAX_MUTED).all(|n| all.mute(at(n))));
        assert!(!all.mute(at(MAX_MUTED)));
    }
}
