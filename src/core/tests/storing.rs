//! Messages that are stored, that wait for the disk, and that wait for offline peers.

mod queued;

use super::keys::{BOBS, key, message, met};
use super::*;
use crate::model::session::{Message, Request, RequestEnd};
use crate::model::stored::{RowId, StoreError, Stored};

pub(super) const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

impl Story {
    /// Starts a story whose writes end only when the story says so.
    pub(super) fn storing() -> Self {
        Self::storing_with(super::keys::alice())
    }

    fn storing_with(config: CoreConfig) -> Self {
        let config = CoreConfig { durable: true, expire: WEEK, ..config };
        Self { holds_writes: true, ..Self::with(config) }
    }

    /// Ends all writes with `result` and returns them.
    pub(super) fn stores_all(&mut self, result: Result<(), StoreError>) -> Vec<StoreOp> {
        let mut written = Vec::new();
        while !self.writes.is_empty() {
            let (id, write) = self.writes.remove(0);
            if let Some(id) = id {
                self.feeds(|state, now| state.stored(id, result.clone(), now));
            }
            written.push(write);
        }
        written
    }

    /// Ends one awaited write after the other with these results.
    fn stores_each(&mut self, results: &[Result<(), StoreError>]) {
        for result in results {
            // The core waits only for writes with an id.
            let waits = self.writes.iter().position(|(id, _)| id.is_some()).expect("an awaited write");
            let id = self.writes.drain(..=waits).next_back().and_then(|(id, _)| id).unwrap();
            self.feeds(|state, now| state.stored(id, result.clone(), now));
        }
    }

    /// Returns the messages that are being sent in sessions.
    pub(super) fn messages_in_flight(&self) -> Vec<Message> {
        let messages = |request: &SessionRequest| match &request.say {
            Request::Messages(messages) => messages.clone(),
            _ => Vec::new(),
        };
        self.session_requests.iter().flat_map(messages).collect()
    }

    /// Returns the number of unencrypted messages that are being sent.
    pub(super) fn plain_in_flight(&self, port: u16) -> usize {
        self.dials(port).iter().filter(|outgoing| matches!(outgoing, Outgoing::Text(_))).count()
    }

    /// Sends a message to a legacy peer that refuses it, and stores that it is queued.
    pub(super) fn writes_while_offline(&mut self, port: u16, n: u8) {
        self.writes(port, n);
        self.stores_all(Ok(()));
        self.refused_message(port);
        self.stores_all(Ok(()));
    }

    /// The peer refuses the unencrypted messages that are being sent.
    pub(super) fn refused_message(&mut self, port: u16) {
        self.ends_after(port, &SendResult::Failed(SendError::Refused), (0, 1));
    }

    fn pins(&mut self) -> Vec<Pin> {
        let changes = self.state.take_contact_changes();
        let pin = |change| if let ContactChange::Key(pin) = change { Some(pin) } else { None };
        changes.into_iter().filter_map(pin).collect()
    }

    pub(super) fn knows_plain(&mut self, port: u16) {
        self.gets(port, text("hello"));
        self.does(Command::Connect(these(port)));
        self.ends(port, &SendResult::HandedOver);
        assert_eq!(self.verification(port), Some(Verification::Plain));
        self.stores_all(Ok(()));
        self.told();
    }
}

/// A stored status, and whether the message may have been sent.
type StoredStatus = (DeliveryStatus, bool);

/// A message that was not sent yet.
pub(super) const QUEUED: StoredStatus = (DeliveryStatus::Queued(PendingReason::InLine), false);

/// A message that may have been sent.
pub(super) const ATTEMPTED: StoredStatus = (DeliveryStatus::Queued(PendingReason::InLine), true);

/// A message whose status is final.
pub(super) fn done(status: DeliveryStatus) -> StoredStatus {
    (status, false)
}

/// Returns the statuses in these writes.
pub(super) fn stored_statuses(writes: &[StoreOp]) -> Vec<StoredStatus> {
    let status = |write: &StoreOp| match write {
        StoreOp::Outgoing { status, attempted, .. } | StoreOp::Status { status, attempted, .. } => {
            Some((status.clone(), *attempted))
        }
        _ => None,
    };
    writes.iter().filter_map(status).collect()
}

#[test]
fn message_to_key_is_sent_once_stored() {
    let mut story = Story::storing();
    story.knows_bob(5001);
    story.stores_all(Ok(()));
    story.writes(5001, 1);
    story.writes(5001, 2);
    assert_eq!(story.messages_in_flight(), []);
    let writes = story.stores_all(Ok(()));
    assert_eq!(stored_statuses(&writes), [QUEUED, QUEUED]);
    assert_eq!(story.messages_in_flight(), [message(1)], "the message stored later is in the next batch");
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [done(DeliveryStatus::Delivered)]);
    assert_eq!(story.messages_in_flight(), [message(2)]);
}

#[test]
fn plain_message_is_sent_once_attempt_is_stored() {
    let mut story = Story::storing();
    story.knows_plain(5001);
    story.writes(5001, 1);
    assert_eq!(story.plain_in_flight(5001), 0);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [ATTEMPTED]);
    assert_eq!(story.plain_in_flight(5001), 1);
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [done(DeliveryStatus::Sent)]);
}

#[test]
fn full_disk_is_reported_once_and_stops_nothing() {
    let mut story = Story::storing();
    story.knows_bob(5001);
    story.stores_all(Ok(()));
    story.told();
    for n in 1..=2 {
        story.writes(5001, n);
        story.stores_all(Err(StoreError::Full));
    }
    assert_eq!(story.messages_in_flight(), [message(1)]);
    let told = story.told();
    let not_stored: Vec<&Event> =
        told.iter().filter(|event| matches!(event, Event::NotStored(StoreError::Full))).collect();
    assert_eq!(not_stored.len(), 1, "{told:?}");
}

#[test]
fn received_message_is_shown_and_receipted_once_stored() {
    let mut story = Story::storing();
    story.knows_bob(5001);
    story.told();
    let (staged, actions) = story.state.messages_received(key(BOBS), vec![message(7)], story.now);
    story.perform(actions);
    let staged = staged.expect("accepted");
    assert_eq!((&staged.receipts[..], &staged.messages[..]), (&[][..], &[message(7)][..]));
    assert_eq!(story.told(), []);
    let (receipts, actions) =
        story.state.messages_stored(key(BOBS), staged.messages, Ok(vec![Stored::New(RowId(3))]), story.now);
    story.perform(actions);
    assert_eq!(receipts, [message(7).id]);
    assert!(matches!(story.told()[..], [Event::Message { row: Some(RowId(3)), again: false, .. }]));
    // A message that the store has from an earlier run gets its receipt, and is not shown again.
    let (receipts, actions) =
        story.state.messages_stored(key(BOBS), vec![message(8)], Ok(vec![Stored::Duplicate]), story.now);
    story.perform(actions);
    assert_eq!((receipts, story.told()), (vec![message(8).id], vec![]));
}

#[test]
fn unstored_message_is_shown_once_and_receipted_later() {
    let mut story = Story::storing();
    story.knows_bob(5001);
    story.told();
    let mut comes = |result: Result<Vec<Stored>, StoreError>| {
        let again = Message { again: true, ..message(7) };
        let (staged, actions) = story.state.messages_received(key(BOBS), vec![again], story.now);
        story.perform(actions);
        let staged = staged.expect("accepted");
        assert_eq!(staged.messages.len(), 1, "the message has to be stored");
        let (receipts, actions) = story.state.messages_stored(key(BOBS), staged.messages, result, story.now);
        story.perform(actions);
        let shown = story.told().iter().filter(|event| matches!(event, Event::Message { .. })).count();
        (receipts.len(), shown)
    };
    assert_eq!(comes(Err(StoreError::Full)), (0, 1));
    assert_eq!(comes(Err(StoreError::Full)), (0, 0));
    assert_eq!(comes(Ok(vec![Stored::New(RowId(1))])), (1, 0));
    let writes: Vec<StoreOp> = story.writes.drain(..).map(|(_, write)| write).collect();
    assert!(writes.contains(&StoreOp::MarkShown(vec![RowId(1)])), "{writes:?}");
}

#[test]
fn possibly_delivered_plain_message_is_not_resent() {
    for result in [SendResult::Unanswered, SendResult::Broken, SendResult::NoReceipt] {
        let mut story = Story::storing();
        story.knows_plain(5001);
        story.writes(5001, 1);
        story.stores_all(Ok(()));
        story.ends(5001, &result);
        assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [done(DeliveryStatus::Unknown)]);
        assert_eq!(story.outcomes(), [DeliveryStatus::Unknown]);
        assert_eq!(story.state.waiting(story.now), []);
    }
}

#[test]
fn cancelled_message_in_flight_can_still_be_delivered() {
    let mut story = Story::storing();
    story.knows_bob(5001);
    for n in 1..=2 {
        story.writes(5001, n);
        story.stores_all(Ok(()));
    }
    let bob = Recipient::Peer(PeerId::Key(key(BOBS)));
    story.told();
    story.does(Command::Cancel(bob, message(2).id));
    story.does(Command::Cancel(bob, message(1).id));
    story.does(Command::Cancel(bob, message(9).id));
    let told = story.told();
    let (by_op, none): (Vec<&Event>, Vec<&Event>) =
        told.iter().partition(|event| matches!(event, Event::Delivery { .. }));
    assert!(matches!(by_op[..], [Event::Delivery { status: DeliveryStatus::Cancelled, .. }]), "{by_op:?}");
    assert!(none.contains(&&Event::NotWaiting));
    // The first message was in flight, and its receipt says that it has arrived.
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(
        stored_statuses(&story.stores_all(Ok(()))),
        [done(DeliveryStatus::Cancelled), done(DeliveryStatus::Delivered)]
    );
}

#[test]
fn goodbye_waits_for_the_disk_within_limits() {
    for stopped in [false, true] {
        let mut story = Story::storing();
        story.knows_bob(5001);
        story.stores_all(Ok(()));
        story.writes(5001, 1);
        story.does(Command::Leave);
        assert_eq!(story.session_requests, []);
        if stopped {
            story.later(seconds(1));
        } else {
            story.stores_all(Ok(()));
            assert_eq!(story.messages_in_flight(), [message(1)]);
        }
        assert_eq!(story.session_requests.last().map(|request| &request.say), Some(&Request::Bye));
    }
}

#[test]
fn message_for_address_moves_to_its_key() {
    let mut story = Story::storing();
    story.writes(5001, 1);
    assert_eq!(stored_statuses(&story.stores_all(Ok(()))), [QUEUED]);
    story.refused(5001);
    story.stores_all(Ok(()));
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
    story.later(seconds(1));
    story.promises(BOBS);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let writes = story.stores_all(Ok(()));
    let moved = StoreOp::Move {
        id: message(1).id,
        from: Recipient::Address(at(5001)),
        to: Recipient::Peer(PeerId::Key(key(BOBS))),
    };
    assert!(writes.contains(&moved), "{writes:?}");
    assert_eq!(story.messages_in_flight(), [message(1)]);
}

#[test]
fn plain_message_in_flight_is_not_resent() {
    let mut story = Story::storing();
    story.knows_plain(5001);
    let again = || Command::SendAgain { to: Recipient::Address(at(5001)), message: message(1), name: None };
    story.writes(5001, 1);
    story.stores_all(Ok(()));
    story.does(again());
    story.stores_all(Ok(()));
    assert_eq!(story.plain_in_flight(5001), 1);
    story.ends(5001, &SendResult::Broken);
    story.stores_all(Ok(()));
    // Once its status is unknown, the user may resend it.
    story.does(again());
    story.does(again());
    story.stores_all(Ok(()));
    assert_eq!(story.plain_in_flight(5001), 1);
}
