//! The commands of `/outbox`, as src/tui/app/past.rs gives them.

use p2p_chat::core::{Command, OpId};
use p2p_chat::model::delivery::{DeliveryStatus, FailureReason};
use p2p_chat::model::message::MessageId;
use p2p_chat::model::session::Message;
use p2p_chat::model::stored::{Direction, Query};
use p2p_chat::protocol::plain;

use super::keyed::Sent;
use super::peer::Pid;
use super::script::SETTLED_WITHIN;
use super::world::World;

/// Messages that are searched for undelivered ones.
const SEARCHED: usize = 500;

impl World {
    /// The user cancels a message, tries one now, or sends one again.
    pub(super) fn tends_outbox(&mut self, pid: Pid) {
        let waiting = self.ours(pid).state().waiting(self.ours(pid).time(self.now));
        let waiting: Vec<_> = waiting.into_iter().map(|text| (text.to, text.message.id)).collect();
        match (self.random.below(4), self.random.one(&waiting)) {
            (0, Some((to, id))) => {
                self.count("user: cancel");
                self.commands(pid, Command::Cancel(to, id), "taking back", SETTLED_WITHIN);
            }
            (1, Some((to, id))) => {
                self.count("user: try now");
                self.note_confirmed(id);
                self.commands(pid, Command::TryNow(to, id), "trying at once", SETTLED_WITHIN);
            }
            (2 | 3, _) => self.sends_again(pid),
            _ => {}
        }
    }

    fn sends_again(&mut self, pid: Pid) {
        let query = Query { limit: SEARCHED, ..Query::default() };
        let entries = self.disk_mut(pid).image.store.lock().messages(&query).expect("memory can be read");
        let is_over = |direction: &Direction| match direction {
            Direction::Outgoing { status: DeliveryStatus::Failed(reason), .. } => {
                !matches!(reason, FailureReason::ReachedAnother(_))
            }
            Direction::Outgoing { status, .. } => {
                matches!(status, DeliveryStatus::Expired | DeliveryStatus::Unknown)
            }
            Direction::Incoming { .. } => false,
        };
        let over: Vec<usize> = (0..entries.len()).filter(|at| is_over(&entries[*at].direction)).collect();
        let Some(at) = self.random.one(&over) else { return };
        let entry = &entries[at];
        let Some(id) = entry.id else { return };
        let parts = plain::messages_for(&entry.body, &self.ours(pid).name).unwrap_or_default();
        let message =
            Message { id, time: self.clock(), again: true, to_all: false, body: entry.body.clone() };
        let op = OpId(self.ours(pid).ops + 1);
        let keyed = self.keyed_mut(pid);
        keyed.messages.insert(op, Sent { id, waiting: 0, ended: 0 });
        self.note_meant_again(pid, id, entry.peer);
        self.resent(pid, id, &parts);
        self.count("user: send again");
        let name = entry.name.clone();
        let again = Command::SendAgain { to: entry.peer, message, name };
        self.commands(pid, again, "sending again", SETTLED_WITHIN);
    }

    /// From now on a message may arrive behind later ones, and twice if it was sent unencrypted.
    fn resent(&mut self, pid: Pid, id: MessageId, parts: &[String]) {
        self.typed_mut(id).is_resent = true;
        self.disk_mut(pid).image.ledger.cut_off.retain(|(_, cut_off)| *cut_off != id);
        for part in parts {
            if let Some(said) = self.said.get_mut(part) {
                said.connected.clear();
            }
        }
    }
}
