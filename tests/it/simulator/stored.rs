//! What has to hold of the store: nothing is sent, shown or acknowledged before it is stored;
//! nothing is lost with a process; nothing is shown twice without a remark.

use std::collections::BTreeSet;

use p2p_chat::model::delivery::DeliveryStatus;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::{PeerId, Recipient};
use p2p_chat::model::stored::{Direction, Query, RowId, StoreOp, StoredMessage};

use super::ledger::{Ledger, Text};
use super::peer::Pid;
use super::world::World;

impl World {
    fn ledger(&self, pid: Pid) -> &Ledger {
        &self.disk(pid).image.ledger
    }

    fn is_durable(&self, pid: Pid) -> bool {
        self.disk(pid).image.durable
    }

    /// Whether the disk could not write something of a message, which the user was told.
    pub(super) fn is_unwritten(&self, pid: Pid, id: MessageId) -> bool {
        self.disk(pid).image.ledger.unwritten.contains(&id)
    }

    /// The same in any run of its sender.
    pub(super) fn is_unwritten_by(&self, by: Pid, id: MessageId) -> bool {
        let key = self.key_of(by);
        (by..self.processes.len()).any(|pid| self.key_of(pid) == key && self.is_unwritten(pid, id))
    }

    /// A message is about to leave encrypted.
    pub(super) fn check_leaves(&self, pid: Pid, id: MessageId, key: PublicKey) {
        if !self.ledger(pid).is_stored_for(Recipient::Peer(PeerId::Key(key)), id) {
            self.fail(pid, format_args!("sends {id:?} to {key} before it is stored"));
        }
    }

    /// A message is about to leave unencrypted.
    pub(super) fn check_leaves_unencrypted(
        &self,
        pid: Pid,
        to: p2p_chat::model::address::PeerAddr,
        id: MessageId,
    ) {
        let ledger = self.ledger(pid);
        let meant = &self.typed[&id].meant;
        if !meant.iter().any(|meant| meant.is_for_plain(to)) {
            self.fail(pid, format_args!("sends {id:?} unencrypted to {to}, and it is for {meant:?}"));
        }
        if !ledger.is_being_sent(id) {
            self.fail(pid, format_args!("sends {id:?} unencrypted, and that is not stored"));
        }
        if ledger.cut_off.contains(&(to, id)) {
            self.fail(pid, format_args!("sends {id:?} to {to} again, which may have arrived in another run"));
        }
    }

    /// The user was told that a message waits or was delivered.
    pub(super) fn check_promised(&mut self, pid: Pid, id: MessageId) {
        if self.is_durable(pid) && !self.ledger(pid).is_stored(id) {
            self.fail(pid, format_args!("reports {id:?}, which is not stored"));
        }
        self.typed_mut(id).is_promised = true;
    }

    /// Receipts are about to leave.
    pub(super) fn check_receipts(&self, pid: Pid, key: PublicKey, receipts: &[MessageId]) {
        let ledger = self.ledger(pid);
        let is_open = !self.ours(pid).leaving;
        for id in receipts {
            if !ledger.taken.contains(&(key, *id)) {
                self.fail(pid, format_args!("acknowledges {id:?}, which is not stored"));
            }
            if is_open && !ledger.screens.contains_key(&(key, *id)) {
                self.fail(pid, format_args!("acknowledges {id:?} and never showed it"));
            }
        }
    }

    /// Something is about to be written.
    pub(super) fn check_write(&self, pid: Pid, write: &StoreOp) {
        let StoreOp::MarkShown(rows) = write else { return };
        let ledger = self.ledger(pid);
        for row in rows {
            if !ledger.rows.get(row).is_some_and(|text| ledger.screens.contains_key(text)) {
                self.fail(pid, format_args!("stores {row:?} as shown, which never was"));
            }
        }
    }

    /// A message that has just arrived is shown.
    pub(super) fn shown_live(&mut self, pid: Pid, text: Text, again: bool, row: Option<RowId>) {
        let durable = self.is_durable(pid);
        let ledger = self.ledger(pid);
        let matches_row = match row {
            Some(row) => ledger.rows.get(&row) == Some(&text),
            None => durable && ledger.untaken.contains(&text),
        };
        if !matches_row {
            self.fail(pid, format_args!("shows {text:?} as {row:?}, which is not what is stored"));
        }
        let before = ledger.screens.get(&text).cloned().unwrap_or_default();
        if before.contains(&pid) {
            self.fail(pid, format_args!("shows {text:?} twice"));
        }
        if !before.is_empty() {
            // Nothing is known of a message that the disk could not write. A person without history
            // takes one for new that is sent again behind later ones, because its sender wanted
            // that or could not note that it was delivered.
            let typed = &self.typed[&text.1];
            let is_resent = typed.is_resent || self.is_unwritten_by(typed.by, text.1);
            let is_known = if durable { ledger.untaken.contains(&text) } else { again || is_resent };
            if !is_known {
                self.fail(
                    pid,
                    format_args!("does not say that {text:?} may have been shown before its start"),
                );
            }
            self.count("message: shown again in another life");
        }
        self.count(if again { "message: shown again, with a remark" } else { "message: shown" });
        self.shown_in_order(pid, text, row);
    }

    /// A message is shown at the start, because it is not certain that it was before.
    pub(super) fn shown_in_doubt(&mut self, pid: Pid, text: Text, row: RowId) {
        let ledger = self.ledger(pid);
        if ledger.rows.get(&row) != Some(&text) || ledger.noted.contains(&row) {
            self.fail(pid, format_args!("shows {text:?} in doubt, {row:?}, which was noted as shown"));
        }
        let was_shown = ledger.screens.contains_key(&text);
        self.count(if was_shown { "message: shown again in doubt" } else { "message: shown in doubt first" });
        self.shown_in_order(pid, text, Some(row));
    }

    fn shown_in_order(&mut self, pid: Pid, text: Text, row: Option<RowId>) {
        let (from, id) = text;
        let typed = &self.typed[&id];
        let (by, number) = (self.key_of(typed.by), typed.number);
        let queue = self.key_of(pid).and_then(|own| typed.queue_of(own));
        if by != Some(from) {
            self.fail(pid, format_args!("shows {id:?}, written by {by:?}, as {from}'s"));
        }
        if !typed.is_resent && !typed.is_given_up && !self.is_unwritten_by(typed.by, id) {
            let last = self.last_shown.insert((from, pid, queue), number);
            if last.is_some_and(|last| last > number) {
                self.fail(pid, format_args!("shows text {number} of {from} after {last:?}"));
            }
        }
        self.disk_mut(pid).image.ledger.screens.entry(text).or_default().push(pid);
        if let Some(row) = row {
            self.on_screen(pid, row);
        }
    }

    /// When nothing is under way, the disks of two people and the core agree.
    pub(super) fn check_disks(&self) {
        for (pid, process) in self.processes.iter().enumerate() {
            if process.alive && self.key_of(pid).is_some() {
                self.check_disk(pid);
            }
        }
    }

    fn check_disk(&self, pid: Pid) {
        let disk = self.disk(pid);
        if !disk.image.durable {
            return;
        }
        if !disk.is_idle() {
            self.fail(pid, format_args!("has things to write when all is over"));
        }
        let everything = Query { limit: usize::MAX, ..Query::default() };
        let store = disk.image.store.clone();
        let entries = store.lock().messages(&everything).expect("memory can be read");
        let own = self.key_of(pid).expect("it has a disk");
        let mut ours = BTreeSet::new();
        for StoredMessage { peer, direction, id, row, .. } in &entries {
            let (Some(id), Direction::Outgoing { status, .. }) = (*id, direction) else {
                self.check_came(pid, *peer, *id, *row, direction);
                continue;
            };
            ours.insert(id);
            if let (Recipient::Peer(PeerId::Key(key)), DeliveryStatus::Delivered) = (*peer, status) {
                self.check_has(pid, key, (own, id));
            }
        }
        // A message that was reported to wait or to be delivered is there.
        for (id, typed) in &self.typed {
            let is_lost = typed.is_promised && self.key_of(typed.by) == Some(own) && !ours.contains(id);
            if is_lost && !disk.image.ledger.unwritten.contains(id) {
                self.fail(pid, format_args!("was told of {id:?}, of which nothing is left"));
            }
        }
        let waiting = self.ours(pid).state().waiting(self.ours(pid).time(self.now));
        let waiting: BTreeSet<MessageId> = waiting.into_iter().map(|text| text.message.id).collect();
        let open = store.lock().queued().expect("memory can be read");
        let open: BTreeSet<MessageId> = open.into_iter().map(|open| open.message.id).collect();
        let differ = waiting.symmetric_difference(&open);
        let odd: Vec<&MessageId> = differ.filter(|id| !disk.image.ledger.unwritten.contains(*id)).collect();
        if !odd.is_empty() && !self.ours(pid).leaving {
            self.fail(pid, format_args!("has {waiting:?} waiting, and {open:?} on its disk: {odd:?}"));
        }
    }

    /// A received message was on the screen, or is shown at the next start.
    fn check_came(
        &self,
        pid: Pid,
        peer: Recipient,
        id: Option<MessageId>,
        row: RowId,
        direction: &Direction,
    ) {
        let (Recipient::Peer(PeerId::Key(key)), Some(id), Direction::Incoming { unshown, .. }) =
            (peer, id, direction)
        else {
            return;
        };
        if !unshown && !self.ledger(pid).screens.contains_key(&(key, id)) {
            self.fail(pid, format_args!("has {id:?} of {key} as {row:?}, and never showed it"));
        }
    }

    /// A delivered message is on the screen, and on the disk of a person with history.
    fn check_has(&self, pid: Pid, key: PublicKey, text: Text) {
        let last = (0..self.processes.len()).rev().find(|other| self.key_of(*other) == Some(key));
        let Some(other) = last else { return };
        let ledger = self.ledger(other);
        let is_there = match self.is_durable(other) {
            true => ledger.taken.contains(&text),
            false => ledger.screens.contains_key(&text),
        };
        if !is_there {
            self.fail(
                pid,
                format_args!(
                    "was told that {text:?} was delivered to process {other}, which does not have it"
                ),
            );
        }
    }
}
