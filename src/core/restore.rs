//! Restores the messages of an earlier run that still wait, for their stored recipients.

use std::time::Duration;

use super::State;
use super::event::{Event, Output};
use super::outbox::NewMessage;
use super::time::Time;
use crate::model::delivery::{DeliveryStatus, FailureReason, RejectReason};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Message;
use crate::model::stored::StoreOp;

/// A message of an earlier run that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The recipient.
    pub to: Recipient,
    /// The message.
    pub message: Message,
    /// It was being sent unencrypted when the run ended.
    pub cut_off: bool,
    /// How long it still waits.
    pub left: Duration,
    /// The recipient's name when the message was entered.
    pub name: Option<PeerName>,
}

impl State {
    /// Takes the messages of an earlier run that wait, in the order in which they were entered.
    /// Returns how many of them have no room in the outbox and stay in the store.
    pub fn restore(&mut self, messages: Vec<Restored>, now: Time) -> (usize, Vec<Output>) {
        let mut skipped = 0;
        for message in messages {
            skipped += usize::from(self.restore_one(message, now).is_err());
        }
        self.outbox.hurry_all(now);
        self.serve_due(now);
        (skipped, self.done())
    }

    fn restore_one(&mut self, message: Restored, now: Time) -> Result<(), RejectReason> {
        let Restored { to, message, cut_off, left, name } = message;
        let op = self.operations.next_id();
        let (id, expires) = (message.id, now.plus(left));
        let status = match to {
            Recipient::Peer(PeerId::Key(key)) if self.trust.is_writable(key) => None,
            // The user has blocked the key, and knows.
            Recipient::Peer(PeerId::Key(key)) if self.trust.pin(key).is_some() => {
                Some(DeliveryStatus::Failed(FailureReason::Blocked))
            }
            // The key is not known, so its name is not either. Until it is met, the message waits.
            Recipient::Peer(PeerId::Key(_)) => (expires <= now).then_some(DeliveryStatus::Expired),
            Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) if cut_off => {
                let (who, text) = (self.book().who(to), message.body.clone());
                let (status, is_first, parts, total) = (DeliveryStatus::Unknown, false, (0, 1), 1);
                self.tell(Event::Delivery { op, who, status, is_first, parts, total, text });
                Some(DeliveryStatus::Unknown)
            }
            Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => None,
        };
        match status {
            Some(status) => {
                self.write(StoreOp::Status { to, id, status, attempted: false });
                Ok(())
            }
            None => {
                // Messages to all go to peers; one for an address was written to it.
                let is_direct = matches!(to, Recipient::Address(_));
                let new = NewMessage { op, message, name, is_direct };
                self.outbox.restore(to, new, expires)
            }
        }
    }

    /// A key is met. If messages of an earlier run wait for it, the user wrote to it then, although
    /// it was not remembered. A stranger that was remembered is one that only got messages to all.
    pub(super) fn remembers(&mut self, key: PublicKey) {
        let to = Recipient::key(key);
        if self.outbox.has_restored(to) && !self.trust.is_saved(key) && !self.trust.is_for_run(key) {
            self.trust.make_contact(key);
        }
    }
}
