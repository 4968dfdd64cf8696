//! What is on somebody's disk, and what was on their screen, as whoever applied and saw it knows:
//! nothing here is asked of the rules.

use std::collections::{BTreeMap, BTreeSet};

use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::delivery::DeliveryStatus;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::stored::{RowId, StoreOp, StoreResult, Stored};

use super::peer::Pid;

/// A text of somebody: by whom, and which.
pub(super) type Text = (PublicKey, MessageId);

/// What is on one person's disk, and what was on their screen in all their lives.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    /// Outgoing messages with their stored status, and whether each was attempted.
    pub(super) said: BTreeMap<(Recipient, MessageId), (DeliveryStatus, bool)>,
    /// Those of which something could not be written.
    pub(super) unwritten: BTreeSet<MessageId>,
    /// Texts that came.
    pub(super) rows: BTreeMap<RowId, Text>,
    pub(super) taken: BTreeSet<Text>,
    /// Those that could not be written once.
    pub(super) untaken: BTreeSet<Text>,
    /// What is noted as shown.
    pub(super) noted: BTreeSet<RowId>,
    /// In which lives each was on the screen.
    pub(super) screens: BTreeMap<Text, Vec<Pid>>,
    /// Texts that were found as being sent in plain when a life began; only the user may have them
    /// sent again.
    pub(super) cut_off: BTreeSet<(PeerAddr, MessageId)>,
}

impl Ledger {
    /// Something is on the disk.
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

    /// Something could not be written.
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

    /// Whether a text of ours is on the disk, or could not be written, which the user was told.
    pub(super) fn is_kept(&self, id: MessageId) -> bool {
        self.unwritten.contains(&id) || self.said.keys().any(|(_, said)| *said == id)
    }

    /// Whether it is so for this party.
    pub(super) fn is_kept_for(&self, to: Recipient, id: MessageId) -> bool {
        self.unwritten.contains(&id) || self.said.contains_key(&(to, id))
    }

    /// Whether it is on the disk that it is being sent in plain.
    pub(super) fn is_being_sent(&self, id: MessageId) -> bool {
        let mut of_it = self.said.iter().filter(|((to, said), _)| to.public_key().is_none() && *said == id);
        self.unwritten.contains(&id) || of_it.any(|(_, (status, attempted))| *attempted && !status.is_final())
    }

    /// What the next life has of this, if the disk is gone: its owner remembers.
    pub(super) fn without_disk(self) -> Self {
        Self { screens: self.screens, ..Self::default() }
    }
}
