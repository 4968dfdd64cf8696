//! `/outbox`: lists, cancels, retries and resends messages.

use super::State;
use super::event::{CommandKind, Event};
use super::ids::OpId;
use super::outbox::{NewMessage, WaitingMessage};
use super::time::Time;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::Message;
use crate::model::stored::StoreOp;

impl State {
    /// All messages that wait, by recipient, and for each in the order in which they were entered.
    pub fn waiting(&self, now: Time) -> Vec<WaitingMessage> {
        self.outbox.waiting(|to| self.book().who(to), now)
    }

    /// The recipient of messages that were listed as those for `to`: a peer may have proven itself
    /// at an address since.
    fn queued_for(&self, to: Recipient) -> Recipient {
        if self.outbox.count(to) > 0 { to } else { self.book().meant(to) }
    }

    /// Cancels a message that waits.
    pub(super) fn cancel(&mut self, to: Recipient, id: MessageId, now: Time) {
        let to = self.queued_for(to);
        if !self.outbox.cancel(to, id) {
            self.tell(Event::NotWaiting);
        }
        self.carry_out(now);
    }

    /// Tries the messages that wait for a recipient. This one may go to a legacy peer that has
    /// changed its name.
    pub(super) fn try_now(&mut self, to: Recipient, id: MessageId, now: Time) {
        let to = self.queued_for(to);
        self.outbox.confirm(to, id, now);
        self.serve_due(now);
    }

    /// Sends a message again whose status was final.
    pub(super) fn send_again(
        &mut self,
        listed: Recipient,
        message: Message,
        name: Option<PeerName>,
        now: Time,
    ) -> OpId {
        let to = self.queued_for(listed);
        if to.public_key().is_none() && self.outbox.has(to, message.id) {
            // A legacy peer could not tell a second copy.
            return self.settle_at_once(|state| state.try_now(to, message.id, now));
        }
        let op = self.spread(CommandKind::Send, false, &[to]);
        if to != listed {
            // One row in the history, not one for each.
            self.write(StoreOp::Move { id: message.id, from: listed, to });
        }
        let name = name.or_else(|| self.book().known_name(to));
        let new = NewMessage { op, message: Message { again: true, ..message }, name, is_direct: true };
        self.send_to(to, new, now);
        self.settle(op);
        op
    }
}
