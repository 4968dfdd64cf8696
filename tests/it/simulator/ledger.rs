//! What is on a person's disk and was on their screen, as seen from outside: nothing here comes
//! from the core.

use std::collections::{BTreeMap, BTreeSet};

use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::delivery::DeliveryStatus;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::stored::{RowId, StoreOp, StoreResult, Stored};

use super::peer::Pid;

/// The sender and the id of a message.
pub(super) type Text = (PublicKey, MessageId);

/// What is on a person's disk, and was on their screen in all runs.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    /// Outgoing messages with their stored status, and whether each was attempted.
    pub(super) said: BTreeMap<(Recipient, MessageId), (DeliveryStatus, bool)>,
    /// Messages of which something could not be written.
    pub(super) unwritten: BTreeSet<MessageId>,
    /// Received messages.
    pub(super) rows: BTreeMap<RowId, Text>,
    pub(super) taken: BTreeSet<Text>,
    /// Received messages that could not be written once.
    pub(super) untaken: BTreeSet<Text>,
    /// Rows that are stored as shown.
    pub(super) noted: BTreeSet<RowId>,
    /// The runs in which each was on the screen.
    pub(super) screens: BTreeMap<Text, Vec<Pid>>,
    /// Unencrypted messages that a run found in the middle of sending. Only the user may send them
    /// again.
    pub(super) cut_off: BTreeSet<(PeerAddr, MessageId)>,
}

impl Ledger {
    /// Notes what was written.
    pub(super) fn wrote(&mut self, write: &StoreOp, written: &StoreResult) {
        match (write, written) {
            (StoreOp::Outgoing { to, message, status, attempted, .. }, _) => {
                self.said.insert((*to, message.id), (status.clone(), *attempted));
            }
            (StoreOp::Status { to, id, status, attempted }, _) => {
                if let Some(known) = self.said.get_mut(&(*to, *id)) {
                    *known = (status.clone(), *attempted);
                }
            }
            (StoreOp::Move { id, from, to }, _) => {
                if let Some(status) = self.said.remove(&(*from, *id)) {
                    self.said.entry((*to, *id)).or_insert(status);
                }
            }
            (StoreOp::Incoming { from, messages, .. }, StoreResult::Incoming(each)) => {
                let stored = messages.iter().zip(each).filter(|(_, stored)| **stored != Stored::NoRoom);
                for (message, stored) in stored {
                    self.taken.insert((*from, message.id));
                    self.rows.extend(stored.row().map(|row| (row, (*from, message.id))));
                }
            }
            (StoreOp::MarkShown(rows), _) => self.noted.extend(rows),
            _ => {}
        }
    }

    /// Notes what could not be written.
    pub(super) fn failed(&mut self, write: &StoreOp) {
        match write {
            StoreOp::Outgoing { message, .. } => drop(self.unwritten.insert(message.id)),
            StoreOp::Status { id, .. } | StoreOp::Move { id, .. } => drop(self.unwritten.insert(*id)),
            StoreOp::Incoming { from, messages, .. } => {
                self.untaken.extend(messages.iter().map(|message| (*from, message.id)));
            }
            _ => {}
        }
    }

    /// Whether a message of ours is stored, or could not be, which the user was told.
    pub(super) fn is_stored(&self, id: MessageId) -> bool {
        self.unwritten.contains(&id) || self.said.keys().any(|(_, said)| *said == id)
    }

    /// The same for one recipient.
    pub(super) fn is_stored_for(&self, to: Recipient, id: MessageId) -> bool {
        self.unwritten.contains(&id) || self.said.contains_key(&(to, id))
    }

    /// Whether it is stored that it is being sent unencrypted.
    pub(super) fn is_being_sent(&self, id: MessageId) -> bool {
        let mut of_it = self.said.iter().filter(|((to, said), _)| to.public_key().is_none() && *said == id);
        self.unwritten.contains(&id) || of_it.any(|(_, (status, attempted))| *attempted && !status.is_final())
    }

    /// Returns what stays if the disk is gone: what its owner has seen.
    pub(super) fn without_disk(self) -> Self {
        Self { screens: self.screens, ..Self::default() }
    }
}
