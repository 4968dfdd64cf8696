//! `/outbox`: queued and failed messages.

use std::sync::Arc;

use super::{App, clock};
use crate::core::{Command, OpId, WaitingMessage};
use crate::model::delivery::{DeliveryStatus, FailureReason};
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::Message;
use crate::model::stored::{Direction, Query, StoredMessage};
use crate::tui::{Ink, Line, Outbox, hold_words, quoted, state};

/// The latest messages that are searched for failed ones.
const SEARCHED_FOR_FAILED: usize = 500;

/// Messages that `/outbox` lists, at most. The others are counted.
const MAX_LISTED: usize = 100;

#[derive(Clone)]
pub(super) enum OutboxLine {
    Waiting(Recipient, Message),
    /// A message that was not delivered and is not retried.
    Failed(Recipient, Message, Option<PeerName>),
    /// A failed message that the user has sent again since.
    SentAgain,
}

impl App {
    pub(super) fn outbox(&mut self, what: Outbox) -> Option<OpId> {
        match what {
            Outbox::Show => {
                self.list_outbox();
                None
            }
            Outbox::Cancel(which) => self.each_listed(which, false),
            Outbox::Again(which) => self.each_listed(which, true),
        }
    }

    /// Cancels an entry of the list, or sends it `again`.
    fn on_listed(&mut self, listed: OutboxLine, again: bool) -> Option<OpId> {
        let sentence = match (listed, again) {
            (OutboxLine::Waiting(to, message), false) => {
                return Some(self.node.command(Command::Cancel(to, message.id)));
            }
            (OutboxLine::Waiting(to, message), true) => {
                let label = self.labels.label(to, None);
                self.say(format!("Trying {label} again: {}", quoted(&message.body)));
                return Some(self.node.command(Command::TryNow(to, message.id)));
            }
            (OutboxLine::Failed(to, message, name), true) => {
                let message = Message { time: clock::millis(), ..message };
                return Some(self.node.command(Command::SendAgain { to, message, name }));
            }
            (OutboxLine::Failed(..), false) => "That message is no longer queued, so it cannot be cancelled.",
            (OutboxLine::SentAgain, _) => "That message was already sent again; /outbox shows its status.",
        };
        self.refuse(sentence);
        None
    }

    /// Applies this to one entry of the list, or to all queued ones. A failed message that is sent
    /// `again` leaves the list.
    fn each_listed(&mut self, which: Option<usize>, again: bool) -> Option<OpId> {
        if self.outbox.is_empty() {
            self.fill_outbox();
        }
        let mut listed = std::mem::take(&mut self.outbox);
        match which {
            None => {
                listed.retain(|listed| matches!(listed, OutboxLine::Waiting(..)));
                if listed.is_empty() {
                    self.say("No messages are queued.");
                }
                let mut last = None;
                for listed in listed {
                    last = self.on_listed(listed, again).or(last);
                }
                last
            }
            Some(number) if (1..=listed.len()).contains(&number) => {
                // The numbers stay valid until the list is shown again.
                let chosen = listed[number - 1].clone();
                if again && matches!(chosen, OutboxLine::Failed(..)) {
                    listed[number - 1] = OutboxLine::SentAgain;
                }
                self.outbox = listed;
                self.on_listed(chosen, again)
            }
            Some(number) => {
                self.outbox = listed;
                self.refuse(format!("There is no queued message {number}. /outbox lists them."));
                None
            }
        }
    }

    fn fill_outbox(&mut self) -> (Vec<WaitingMessage>, Vec<StoredMessage>) {
        let waiting = self.node.waiting();
        let query = Query { limit: SEARCHED_FOR_FAILED, ..Query::default() };
        let failed: Vec<StoredMessage> =
            self.node.messages(&query).unwrap_or_default().into_iter().filter(did_not_arrive).collect();
        let waits = waiting.iter().map(|waiting| OutboxLine::Waiting(waiting.to, waiting.message.clone()));
        let failures = failed.iter().filter_map(|entry| {
            let message = Message {
                id: entry.id?,
                time: entry.time,
                again: true,
                to_all: entry.to_all,
                body: Arc::clone(&entry.body),
            };
            Some(OutboxLine::Failed(entry.peer, message, entry.name.clone()))
        });
        self.outbox = waits.chain(failures).take(MAX_LISTED).collect();
        (waiting, failed)
    }

    fn list_outbox(&mut self) {
        let (waiting, failed) = self.fill_outbox();
        if waiting.is_empty() && failed.is_empty() {
            self.say("No messages are queued.");
            return;
        }
        let people = self.people();
        let renderer = self.renderer("");
        let mut lines = Vec::new();
        let mut number = 0;
        for waiting in waiting.iter().take(MAX_LISTED) {
            number += 1;
            let state = match (waiting.in_flight, waiting.is_sent) {
                (true, _) => "on its way".to_owned(),
                (false, true) => format!("sent; {}", hold_words(waiting.reason)),
                (false, false) => format!("queued: {}", hold_words(waiting.reason)),
            };
            lines.push(Line::from(format!(
                "{number:>3}  to {}, {state}; expires in {}: {}",
                renderer.named(&waiting.who),
                clock::span(waiting.left),
                quoted(&waiting.message.body)
            )));
        }
        if !failed.is_empty() && number < MAX_LISTED {
            lines.push(Line::of(Ink::Faint, "     Not delivered, and no longer queued:"));
            for entry in failed.iter().take(MAX_LISTED - number) {
                number += 1;
                let Direction::Outgoing { status, attempted, .. } = &entry.direction else { continue };
                lines.push(Line::of(
                    Ink::Bad,
                    format!(
                        "{number:>3}  to {}, {}: {}",
                        people.called(entry.peer, entry.name.as_ref()),
                        state(status, *attempted),
                        quoted(&entry.body)
                    ),
                ));
            }
        }
        let more = (waiting.len() + failed.len()).saturating_sub(number);
        if more > 0 {
            lines.push(format!("     And {more} more.").into());
        }
        lines
            .push(Line::of(Ink::Faint, "     /outbox cancel N cancels one; /outbox again N retries it now."));
        self.out.extend(lines);
    }
}

/// Whether a message is an outgoing one that is not known to be delivered.
fn did_not_arrive(entry: &StoredMessage) -> bool {
    let Direction::Outgoing { status, .. } = &entry.direction else { return false };
    match status {
        DeliveryStatus::Failed(reason) => !matches!(reason, FailureReason::ReachedAnother(_)),
        DeliveryStatus::Expired | DeliveryStatus::Unknown => true,
        _ => false,
    }
}
