//! The user is told the truth about encrypted messages and keys, and the end of each message.

use std::collections::BTreeSet;
use std::time::Duration;

use p2p_chat::core::{
    ContactChange, Event as Told, GONE_AFTER, OfflineReason, OpId, PresenceStatus, Row, Verification,
    WaitingMessage,
};
use p2p_chat::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::{PeerId, Recipient};
use p2p_chat::net::sessions::SILENCE;

use super::keyed::Sent;
use super::peer::Pid;
use super::world::World;

/// The list shows the end of a program this much later than [`SILENCE`].
const NOTICED: Duration = Duration::from_secs(2);

impl World {
    /// The user is told something.
    pub(super) fn check_told_keyed(&mut self, pid: Pid, event: &Told) {
        let now = self.now;
        let ours = self.ours(pid);
        let keyed = &ours.keyed;
        match event {
            Told::Delivery { op, who, status, is_first: true, .. } => {
                let Some(sent) = keyed.messages.get(op) else { return };
                let id = sent.id;
                match status {
                    DeliveryStatus::Delivered if who.verification != Verification::Plain => {
                        self.check_taken(pid, id, who.id.public_key());
                        self.check_promised(pid, id);
                    }
                    DeliveryStatus::Queued(reason) => {
                        let what = format!("message: waits: {reason:?}");
                        self.count(what);
                        self.message_mut(pid, *op).waiting += 1;
                        self.check_promised(pid, id);
                    }
                    status if is_given_up(status) => {
                        let what = format!("message: lost at once: {status:?}");
                        self.count(what);
                        self.note_given_up(id);
                    }
                    _ => {}
                }
            }
            Told::Delivery { op, who, status, .. } => {
                let Some(sent) = keyed.messages.get(op) else {
                    self.fail(pid, format_args!("is told of an unknown message: {event:?}"));
                };
                let id = sent.id;
                let is_told = sent.ended < sent.waiting;
                if !is_told {
                    self.fail(pid, format_args!("is told of the end of what does not wait: {event:?}"));
                }
                if *status == DeliveryStatus::Delivered && who.verification != Verification::Plain {
                    self.check_taken(pid, id, who.id.public_key());
                    self.count("message: delivered later");
                }
                if is_given_up(status) {
                    self.note_given_up(id);
                }
                if status.is_final() {
                    self.message_mut(pid, *op).ended += 1;
                    let what = format!("message: later {status:?}");
                    self.count(what);
                }
            }
            Told::Offline(who, why) => {
                let sign = who.id.public_key().and_then(|key| keyed.signs.get(&key)).copied();
                let since = sign.map(|sign| now.saturating_sub(sign));
                if *why == OfflineReason::NoAnswer && since.is_some_and(|since| since < GONE_AFTER) {
                    self.fail(pid, format_args!("{who:?} went, {since:?} after it was there"));
                }
                let what = format!("went: {why:?}");
                self.count(what);
            }
            Told::ContactsChanged => {
                let changes = self.ours_mut(pid).machine.take_contact_changes();
                let keyed = self.keyed_mut(pid);
                for change in changes {
                    match change {
                        ContactChange::Key(pin) => drop(keyed.pins.insert(pin.key, pin)),
                        ContactChange::Forgotten(PeerId::Key(key)) => drop(keyed.pins.remove(&key)),
                        ContactChange::Legacy(..)
                        | ContactChange::BlockedLegacy { .. }
                        | ContactChange::Source { .. }
                        | ContactChange::Muted(..)
                        | ContactChange::Forgotten(PeerId::Legacy(_)) => {}
                    }
                }
            }
            Told::ProvenAt(..) => self.count("told: proven"),
            Told::Unproven { .. } => self.count("told: unproven"),
            Told::PeerRequest(_) => self.count("told: key requests"),
            Told::Misled { addr, .. } => {
                self.ours_mut(pid).misled.insert(*addr);
                self.count("told: misled");
            }
            Told::Pinned { .. } => self.count("told: pinned"),
            Told::IdentityInUse(_) => self.count(format!("told: in use: {pid}")),
            Told::TurnedAway(..) => self.count("told: turned away"),
            _ => {}
        }
    }

    /// No process lists a key as online if its last program ended so long ago that any session with
    /// it is over. A peer that refuses us has no session, and the list says so.
    pub(super) fn check_dead(&self, pid: Pid) {
        let ours = self.ours(pid);
        let since = ours.keyed.sessions.continued_at;
        let is_wrong = |row: &Row| {
            let died = row.id.public_key().and_then(|key| self.died.get(&key));
            matches!(row.state, PresenceStatus::Connected | PresenceStatus::Online)
                && row.refuses.is_none()
                && died.is_some_and(|died| (*died).max(since) + SILENCE + NOTICED < self.now)
        };
        if let Some(row) = self.rows(pid).into_iter().find(is_wrong) {
            let died = row.id.public_key().and_then(|key| self.died.get(&key));
            self.fail(pid, format_args!("lists {row:?}, whose program ended at {died:?}"));
        }
    }

    /// Whether a command sends this message.
    pub(super) fn is_of(&self, pid: Pid, op: OpId, message: MessageId) -> bool {
        self.ours(pid).keyed.messages.get(&op).is_some_and(|sent| sent.id == message)
    }

    /// Whether the user was told that a message waits, and not yet of its end.
    pub(super) fn is_known_to_wait(&self, pid: Pid, message: MessageId) -> bool {
        let ours = self.ours(pid);
        let mut sent = ours.keyed.messages.values();
        let is_told = sent.any(|sent| sent.id == message && sent.ended < sent.waiting);
        // It is told once it is stored.
        let will_be =
            || ours.state().waiting(ours.time(self.now)).iter().any(|waiting| waiting.message.id == message);
        is_told || will_be()
    }

    fn message_mut(&mut self, pid: Pid, op: OpId) -> &mut Sent {
        self.keyed_mut(pid).messages.get_mut(&op).expect("it was sent")
    }

    fn note_given_up(&mut self, id: MessageId) {
        self.typed_mut(id).is_given_up = true;
    }

    fn check_taken(&self, pid: Pid, id: MessageId, key: Option<PublicKey>) {
        let taken = &self.typed[&id].taken;
        if taken.is_empty() || key.is_some_and(|key| !taken.contains(&key)) {
            self.fail(
                pid,
                format_args!("{id:?} is reported as delivered to {key:?}, and only {taken:?} have it"),
            );
        }
    }

    /// When all has healed, messages wait only for peers that are gone; after leaving, none waits.
    pub(super) fn check_messages(&mut self, pid: Pid, after_leaving: bool) {
        let keyed = &self.ours(pid).keyed;
        let open: Vec<(OpId, MessageId)> = keyed
            .messages
            .iter()
            .filter(|(_, sent)| sent.ended < sent.waiting)
            .map(|(op, sent)| (*op, sent.id))
            .collect();
        if after_leaving {
            // Stored messages wait for the next run.
            let store = &keyed.disk.image.store;
            let on_disk: BTreeSet<MessageId> = match keyed.disk.image.durable {
                true => store
                    .lock()
                    .queued()
                    .expect("memory can be read")
                    .into_iter()
                    .map(|open| open.message.id)
                    .collect(),
                false => BTreeSet::new(),
            };
            let unwritten = &keyed.disk.image.ledger.unwritten;
            // A peer that was chosen by two addresses has one message and one outcome.
            let is_one = |id: &MessageId| {
                let typed = &self.typed[id];
                typed.meant.len() != 1 && !typed.taken.is_empty()
            };
            let is_lost = |(_, id): &&(OpId, MessageId)| {
                !on_disk.contains(id) && !unwritten.contains(id) && !is_one(id)
            };
            if let Some(lost) = open.iter().find(is_lost) {
                self.fail(pid, format_args!("has left, and the status of {lost:?} is unknown"));
            }
            return;
        }
        let waiting = self.ours(pid).state().waiting(self.ours(pid).time(self.now));
        for WaitingMessage { to, message, reason, .. } in waiting {
            self.count("message: still waits at the end");
            // One whose user has not decided refuses each session.
            let stands = |key: &PublicKey| self.wires_between(pid, *key) > 0 && !self.is_refused(pid, *key);
            if let Some(key) = to.public_key().filter(stands) {
                self.fail(pid, format_args!("{:?} waits for {key}, with which a session stands", message.id));
            }
            let there = match to {
                Recipient::Peer(PeerId::Key(key)) if self.is_refused(pid, key) => None,
                Recipient::Peer(PeerId::Key(key)) => {
                    let pin = self.ours(pid).state().trusted().pin_of(to);
                    let mut addrs = pin.into_iter().flat_map(|pin| pin.addrs.iter().copied());
                    addrs.find(|addr| {
                        self.reached_at(pid, *addr).is_some_and(|other| self.key_of(other) == Some(key))
                    })
                }
                // Otherwise the peer there was asked, and is not the recipient.
                Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => to.addr().filter(|addr| {
                    reason == PendingReason::Unreachable && self.reached_at(pid, *addr).is_some()
                }),
            };
            if let Some(addr) = there {
                self.fail(
                    pid,
                    format_args!("{:?} waits for {to:?}, {reason:?}, who is at {addr}", message.id),
                );
            }
        }
    }
}

/// Whether a message is given up although another attempt might have helped.
fn is_given_up(status: &DeliveryStatus) -> bool {
    match status {
        DeliveryStatus::Expired | DeliveryStatus::Cancelled => true,
        DeliveryStatus::Failed(reason) => !matches!(
            reason,
            FailureReason::NotSent(_) | FailureReason::ReachedAnother(_) | FailureReason::Rejected(_)
        ),
        _ => false,
    }
}
