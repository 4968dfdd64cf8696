//! What has to hold of what is written down: nothing is said, shown or receipted before it is;
//! nothing is lost with a process; nothing is shown twice unless it says so.

use std::collections::BTreeSet;

use p2p_chat::model::delivery::DeliveryStatus;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::{PeerId, Recipient};
use p2p_chat::model::stored::{Direction, Query, RowId, StoreOp, StoredMessage};
use p2p_chat::store::Store;

use super::ledger::{Ledger, Text};
use super::peer::Pid;
use super::world::World;

impl World {
    fn ledger(&self, pid: Pid) -> &Ledger {
        &self.disk(pid).kept.ledger
    }

    fn is_durable(&self, pid: Pid) -> bool {
        self.disk(pid).kept.durable
    }

    /// Whether the disk could not take something of a text, which the user was told.
    pub(super) fn is_unwritten(&self, pid: Pid, id: MessageId) -> bool {
        self.disk(pid).kept.ledger.unwritten.contains(&id)
    }

    /// Whether it is so in any life of somebody.
    pub(super) fn is_unwritten_by(&self, by: Pid, id: MessageId) -> bool {
        let key = self.key_of(by);
        (by..self.processes.len()).any(|pid| self.key_of(pid) == key && self.is_unwritten(pid, id))
    }

    /// A text is about to leave in encryption.
    pub(super) fn check_leaves(&self, pid: Pid, id: MessageId, key: PublicKey) {
        if !self.ledger(pid).is_kept_for(Recipient::Peer(PeerId::Key(key)), id) {
            self.fail(pid, format_args!("says {id:?} to {key} before it is written down"));
        }
    }

    /// A text is about to leave in plain.
    pub(super) fn check_leaves_in_plain(
        &self,
        pid: Pid,
        to: p2p_chat::model::address::PeerAddr,
        id: MessageId,
    ) {
        let ledger = self.ledger(pid);
        let meant = &self.penned[&id].meant;
        if !meant.iter().any(|meant| meant.is_for_plain(to)) {
            self.fail(pid, format_args!("says {id:?} in plain to {to}, and it is for {meant:?}"));
        }
        if !ledger.is_being_sent(id) {
            self.fail(pid, format_args!("says {id:?} in plain, and it is not written down that it does"));
        }
        if ledger.cut_off.contains(&(to, id)) {
            self.fail(pid, format_args!("says {id:?} to {to} again, which may have arrived in another life"));
        }
    }

    /// The user was told that a text waits or was delivered.
    pub(super) fn check_promised(&mut self, pid: Pid, id: MessageId) {
        if self.is_durable(pid) && !self.ledger(pid).is_kept(id) {
            self.fail(pid, format_args!("tells of {id:?}, which is not written down"));
        }
        self.penned.get_mut(&id).expect("somebody has written it").is_promised = true;
    }

    /// Receipts are about to leave.
    pub(super) fn check_receipts(&self, pid: Pid, key: PublicKey, receipts: &[MessageId]) {
        let ledger = self.ledger(pid);
        let is_open = !self.ours(pid).leaving;
        for id in receipts {
            if !ledger.taken.contains(&(key, *id)) {
                self.fail(pid, format_args!("has taken {id:?}, which is not written down"));
            }
            if is_open && !ledger.screens.contains_key(&(key, *id)) {
                self.fail(pid, format_args!("has taken {id:?} and never showed it"));
            }
        }
    }

    /// Something is about to be written.
    pub(super) fn check_write(&self, pid: Pid, write: &StoreOp) {
        let StoreOp::MarkShown(rows) = write else { return };
        let ledger = self.ledger(pid);
        for row in rows {
            if !ledger.rows.get(row).is_some_and(|text| ledger.screens.contains_key(text)) {
                self.fail(pid, format_args!("notes {row:?} as shown, which never was"));
            }
        }
    }

    /// A text that has just come is shown.
    pub(super) fn shown_live(&mut self, pid: Pid, text: Text, again: bool, row: Option<RowId>) {
        let durable = self.is_durable(pid);
        let ledger = self.ledger(pid);
        let is_written = match row {
            Some(row) => ledger.rows.get(&row) == Some(&text),
            None => durable && ledger.untaken.contains(&text),
        };
        if !is_written {
            self.fail(pid, format_args!("shows {text:?} as {row:?}, which is not what is written down"));
        }
        let before = ledger.screens.get(&text).cloned().unwrap_or_default();
        if before.contains(&pid) {
            self.fail(pid, format_args!("shows {text:?} twice"));
        }
        if !before.is_empty() {
            // Where the disk has failed, nothing is known of it any more; and who has none takes
            // for new what is sent again behind later texts: because the sender's user wants it, or
            // because the sender's disk could not take note that it was delivered.
            let penned = &self.penned[&text.1];
            let is_resent = penned.is_resent || self.is_unwritten_by(penned.by, text.1);
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

    /// A text is shown when a life begins, for it is not certain that it was before.
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
        let penned = &self.penned[&id];
        let (by, number) = (self.key_of(penned.by), penned.number);
        let queue = self.key_of(pid).and_then(|own| penned.queue_of(own));
        if by != Some(from) {
            self.fail(pid, format_args!("shows {id:?}, written by {by:?}, as {from}'s"));
        }
        if !penned.is_resent && !penned.is_given_up && !self.is_unwritten_by(penned.by, id) {
            let last = self.last_shown.insert((from, pid, queue), number);
            if last.is_some_and(|last| last > number) {
                self.fail(pid, format_args!("shows text {number} of {from} after {last:?}"));
            }
        }
        self.disk_mut(pid).kept.ledger.screens.entry(text).or_default().push(pid);
        if let Some(row) = row {
            self.on_screen(pid, row);
        }
    }

    /// When nothing is under way any more: what is on the disks of two people is the same, and what
    /// the rules know.
    pub(super) fn check_disks(&self) {
        for (pid, process) in self.processes.iter().enumerate() {
            if process.alive && self.key_of(pid).is_some() {
                self.check_disk(pid);
            }
        }
    }

    fn check_disk(&self, pid: Pid) {
        let disk = self.disk(pid);
        if !disk.kept.durable {
            return;
        }
        if !disk.is_idle() {
            self.fail(pid, format_args!("has things to write when all is over"));
        }
        let everything = Query { limit: usize::MAX, ..Query::default() };
        let mut store = disk.kept.store.clone();
        let entries = store.messages(&everything).expect("memory can be read");
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
        // What the user was told to wait or to be delivered is there, in whatever condition.
        for (id, penned) in &self.penned {
            let is_lost = penned.is_promised && self.key_of(penned.by) == Some(own) && !ours.contains(id);
            if is_lost && !disk.kept.ledger.unwritten.contains(id) {
                self.fail(pid, format_args!("was told of {id:?}, of which nothing is left"));
            }
        }
        let waiting = self.ours(pid).state().waiting(self.ours(pid).time(self.now));
        let waiting: BTreeSet<MessageId> = waiting.into_iter().map(|text| text.message.id).collect();
        let open = store.queued().expect("memory can be read");
        let open: BTreeSet<MessageId> = open.into_iter().map(|open| open.message.id).collect();
        let differ = waiting.symmetric_difference(&open);
        let odd: Vec<&MessageId> = differ.filter(|id| !disk.kept.ledger.unwritten.contains(*id)).collect();
        if !odd.is_empty() && !self.ours(pid).leaving {
            self.fail(pid, format_args!("waits with {waiting:?}, and on its disk wait {open:?}: {odd:?}"));
        }
    }

    /// A message that came was on the screen, or is at the next start.
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

    /// What was told as delivered is there: on the screen, and on the disk of who has one.
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
                format_args!("was told that {text:?} was delivered to process {other}, which has it not"),
            );
        }
    }
}
