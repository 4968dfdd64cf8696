//! What a run finds of those before: messages that wait, and messages that may not have been shown.

use std::sync::Arc;
use std::time::Duration;

use p2p_chat::core::{OpId, Restored};
use p2p_chat::model::peer_id::{PeerId, Recipient};
use p2p_chat::model::stored::{Direction, StoredMessage};
use p2p_chat::runtime::waiting_in;
use p2p_chat::store::{Sqlite, in_memory};
use parking_lot::Mutex;

use super::disk::Image;
use super::keyed::Sent;
use super::ledger::Ledger;
use super::peer::{Pid, Program};
use super::world::World;

/// Messages that are shown at the start at most, as in src/tui/app/past.rs.
const MAX_UNSHOWN: usize = 32_768;

/// How long messages wait, usually and with a short expiry, in seconds.
const A_WEEK: u64 = 7 * 24 * 3_600;
const HASTY: (usize, usize) = (10, 60);

fn empty_store() -> Arc<Mutex<Sqlite>> {
    Arc::new(Mutex::new(in_memory().expect("a store")))
}

impl Image {
    /// Returns what the next run finds.
    pub(super) fn next_life(self) -> Self {
        if self.durable {
            return self;
        }
        Self { store: empty_store(), ledger: self.ledger.without_disk(), ..self }
    }
}

impl World {
    /// Returns the disk of a new person.
    pub(super) fn new_disk(&mut self) -> Image {
        let durable = !self.random.in_thousand(self.plan.forgetful);
        let is_hasty = self.random.in_thousand(self.plan.hasty);
        let expire = Duration::from_secs(A_WEEK);
        let expire = if is_hasty { self.random.ms(HASTY.0 * 1_000, HASTY.1 * 1_000) } else { expire };
        Image { store: empty_store(), durable, expire, ledger: Ledger::default() }
    }

    /// Returns the messages that wait since the last run.
    pub(super) fn restores(&mut self, pid: Pid) -> Vec<Restored> {
        let clock = self.clock();
        let image = &mut self.disk_mut(pid).image;
        let restored = waiting_in(&mut image.store.lock(), image.expire, clock).expect("memory can be read");
        for Restored { to, message, cut_off, left, .. } in &restored {
            let op = OpId(self.ours(pid).ops + 1);
            self.ours_mut(pid).ops += 1;
            if let Some(addr) = to.addr() {
                self.ours_mut(pid).may_dial.insert(addr);
                if *to == Recipient::Address(addr) {
                    self.typed_mut(message.id).unbind(addr);
                }
                if *cut_off {
                    self.disk_mut(pid).image.ledger.cut_off.insert((addr, message.id));
                    self.count("message: cut off");
                }
            }
            let keyed = self.keyed_mut(pid);
            // A message waits for a key that was forgotten, until that key is met. If it has
            // expired, no recipient is named.
            let is_named = |key| keyed.pins.contains_key(&key) || !left.is_zero();
            let is_told = if let Recipient::Peer(PeerId::Key(key)) = to { is_named(*key) } else { true };
            keyed.messages.insert(op, Sent { id: message.id, waiting: usize::from(is_told), ended: 0 });
            self.count("message: restored");
        }
        restored
    }

    /// `catch_up` of src/tui/app/past.rs.
    pub(super) fn catches_up(&mut self, pid: Pid) {
        let unshown = self.disk_mut(pid).image.store.lock().unshown(MAX_UNSHOWN).expect("memory can be read");
        for StoredMessage { row, peer, direction, id, .. } in unshown {
            let (Recipient::Peer(PeerId::Key(key)), Some(id), Direction::Incoming { .. }) =
                (peer, id, direction)
            else {
                self.fail(pid, format_args!("{row:?} of {peer:?} is no text of a key"));
            };
            self.shown_in_doubt(pid, (key, id), row);
        }
    }

    /// Starts every person again whose program has ended.
    pub(super) fn everybody_returns(&mut self) {
        for pid in 0..self.processes.len() {
            let key = self.key_of(pid);
            let is_last = !(pid + 1..self.processes.len()).any(|later| self.key_of(later) == key);
            if key.is_none() || !is_last || self.processes[pid].alive {
                continue;
            }
            let Program::Ours(ours) = &self.processes[pid].program else { continue };
            let (past, host, port) = (ours.past(), self.processes[pid].host, self.processes[pid].port);
            let is_taken = self.listening.contains_key(&(host, port));
            let port = if is_taken { self.new_port() } else { port };
            self.launch(host, port, Some(past));
        }
    }
}
