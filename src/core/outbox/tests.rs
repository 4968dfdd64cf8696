mod random;
mod recipients;
mod storing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::entry::RECORD_BYTES;
use super::limits::{ENTRY_BYTES, MAX_OUTBOX_BYTES};
use super::*;
use crate::model::address::PeerAddr;
use crate::model::delivery::FailureReason;
use crate::model::message::{SendError, SendResult};
use crate::model::peer_id::PeerId;
use crate::model::stored::StoreError;
use crate::protocol::plain::peer_at;
use crate::protocol::session::{MAX_IDS, MAX_TEXT_BYTES, Record};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
const REFUSED: SendResult = SendResult::Failed(SendError::Refused);

fn key(n: u8) -> Recipient {
    Recipient::key(PublicKey::new([n; 32]))
}

fn addr(port: u16) -> PeerAddr {
    PeerAddr::new(Ipv4Addr::LOCALHOST, port).unwrap()
}

fn address(port: u16) -> Recipient {
    Recipient::Address(addr(port))
}

fn legacy(port: u16) -> Recipient {
    peer_at(addr(port).plain().unwrap()).into()
}

fn id(n: u32) -> MessageId {
    MessageId::new(u128::from(n).to_be_bytes())
}

fn at(ms: u64) -> Time {
    Time::at(Duration::from_millis(ms))
}

fn message(n: u32, bytes: usize) -> NewMessage {
    let message = Message { id: id(n), time: 0, body: "x".repeat(bytes).into(), again: false, to_all: false };
    NewMessage { op: OpId(n.into()), message, name: None, is_direct: true }
}

fn queued(reason: PendingReason) -> DeliveryStatus {
    DeliveryStatus::Queued(reason)
}

/// An outbox whose store takes everything at once, unless the test says otherwise.
struct Story {
    outbox: Outbox,
    now: Time,
    /// The writes whose results it waits for, and whether they mark a message as attempted.
    writes: Vec<(WriteId, bool)>,
    has_slow_store: bool,
    sent: Vec<(Recipient, MessageId)>,
    batches: Vec<(PublicKey, Vec<Message>)>,
    asked: Vec<Recipient>,
    statuses: Vec<(MessageId, DeliveryStatus)>,
}

impl Story {
    fn new() -> Self {
        Self {
            outbox: Outbox::new(WEEK, true),
            now: at(0),
            writes: Vec::new(),
            has_slow_store: false,
            sent: Vec::new(),
            batches: Vec::new(),
            asked: Vec::new(),
            statuses: Vec::new(),
        }
    }

    fn collect(&mut self) {
        for output in self.outbox.take_outputs() {
            match output {
                OutboxOutput::Store(
                    Some(write),
                    StoreOp::Outgoing { attempted, .. } | StoreOp::Status { attempted, .. },
                ) => {
                    self.writes.push((write, attempted));
                }
                OutboxOutput::Store(Some(write), _) => self.writes.push((write, false)),
                OutboxOutput::Ask(to) => self.asked.push(to),
                OutboxOutput::SendPlain { to, id, .. } => self.sent.push((to, id)),
                OutboxOutput::SendBatch { key, messages } => self.batches.push((key, messages)),
                OutboxOutput::Status(change) => self.statuses.push((change.id, change.status)),
                _ => {}
            }
        }
    }

    fn route(to: Recipient) -> Route<'static> {
        match to {
            Recipient::Peer(PeerId::Key(_)) => Route::Session,
            Recipient::Peer(PeerId::Legacy(_)) => Route::Plain(&|_| None),
            Recipient::Address(_) => Route::Unknown,
        }
    }

    fn serve(&mut self, to: Recipient) {
        self.outbox.serve(to, Self::route(to), None, self.now);
        self.collect();
        while !self.has_slow_store && !self.writes.is_empty() {
            self.store_turns(true);
        }
    }

    /// The store takes, or fails to take, what it was asked to; then the due queues are served.
    fn store_turns(&mut self, is_stored: bool) {
        for (write, _) in std::mem::take(&mut self.writes) {
            let result = if is_stored { Ok(()) } else { Err(StoreError::Full) };
            self.outbox.stored(write, &result, self.now);
        }
        self.serve_due();
    }

    fn serve_due(&mut self) {
        self.outbox.expire(self.now);
        for to in self.outbox.due(self.now) {
            self.outbox.serve(to, Self::route(to), None, self.now);
        }
        self.collect();
    }

    fn puts(&mut self, to: Recipient, n: u32) {
        self.outbox.put(to, message(n, 5), self.now).expect("fits");
        self.serve(to);
    }

    fn later(&mut self, ms: u64) {
        self.now = self.now.plus(Duration::from_millis(ms));
        self.serve_due();
        while !self.has_slow_store && !self.writes.is_empty() {
            self.store_turns(true);
        }
    }

    /// The oldest batch ends.
    fn batch_ends(&mut self, sent: usize, receipts: &[u32], end: &BatchEnd) {
        let receipts: Vec<MessageId> = receipts.iter().map(|n| id(*n)).collect();
        let key = self.ends_batch(sent, &receipts, end);
        self.collect();
        self.serve(Recipient::key(key));
    }

    /// The receipts of the oldest batch arrive, as far as its messages were sent, and it ends.
    fn ends_batch(&mut self, sent: usize, receipts: &[MessageId], end: &BatchEnd) -> PublicKey {
        let (key, messages) = self.batches.remove(0);
        let was_unsent = |id: &MessageId| messages.iter().skip(sent).any(|message| message.id == *id);
        let receipts: Vec<MessageId> = receipts.iter().copied().filter(|id| !was_unsent(id)).collect();
        let has_receipt = |message: &&Message| receipts.contains(&message.id);
        let unanswered = sent.min(messages.len()) - messages.iter().filter(has_receipt).count();
        self.outbox.receipts(key, &receipts, self.now);
        self.outbox.batch_ended(key, unanswered, end, self.now, Jitter(0));
        key
    }

    /// The oldest unencrypted send ends.
    fn plain_ends(&mut self, result: SendResult, parts: usize) {
        let (to, id) = self.sent.remove(0);
        self.outbox.plain_sent(to, id, result, (parts, 1), self.now);
        self.collect();
        self.serve(to);
    }

    fn answers(&mut self, answer: RouteAnswer) {
        let to = self.asked.remove(0);
        self.outbox.answered(to, answer, self.now);
        self.collect();
        self.serve(to);
    }

    fn told(&mut self) -> Vec<(MessageId, DeliveryStatus)> {
        std::mem::take(&mut self.statuses)
    }

    fn batch(&self) -> Vec<(MessageId, bool)> {
        self.batches
            .iter()
            .flat_map(|(_, messages)| messages)
            .map(|message| (message.id, message.again))
            .collect()
    }
}

#[test]
fn receipt_alone_makes_message_delivered() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    assert_eq!(story.batch(), [(id(1), false)]);
    story.puts(key(1), 2);
    assert_eq!(story.batches.len(), 1, "one batch at a time");
    story.batch_ends(1, &[1], &BatchEnd::Answered);
    story.batch_ends(1, &[], &BatchEnd::Answered);
    assert_eq!(story.told(), [(id(1), DeliveryStatus::Delivered), (id(2), queued(PendingReason::NoReceipt))]);
    assert_eq!(story.outbox.count(key(1)), 1);
}

#[test]
fn message_behind_an_overdue_one_is_queued() {
    let mut story = Story::new();
    let told_of = |story: &mut Story| {
        story.later(5_000);
        story.outbox.tell_overdue(story.now, |_| PendingReason::NoReceipt);
        story.collect();
        story.told()
    };
    story.puts(key(1), 1);
    story.puts(key(1), 2);
    let behind = (id(2), queued(PendingReason::InLine));
    assert_eq!(told_of(&mut story), [(id(1), queued(PendingReason::NoReceipt)), behind]);
    // The first is in flight all the while, because its session stands.
    story.puts(key(1), 3);
    assert_eq!(told_of(&mut story), [(id(3), queued(PendingReason::InLine))]);
    assert_eq!(told_of(&mut story), []);
    assert_eq!(story.batch(), [(id(1), false)]);
}

#[test]
fn only_sent_messages_are_marked_as_sent_before() {
    let mut story = Story::new();
    story.has_slow_store = true;
    story.puts(key(1), 1);
    story.puts(key(1), 2);
    assert_eq!(story.batches.len(), 0, "nothing is sent before it is stored");
    story.store_turns(true);
    assert_eq!(story.batch(), [(id(1), false), (id(2), false)]);
    story.batch_ends(1, &[], &BatchEnd::Held(PendingReason::Unreachable));
    story.later(1_000);
    assert_eq!(story.batch(), [(id(1), true), (id(2), false)]);
}

#[test]
fn receipt_for_unsent_message_counts_for_nothing() {
    let mut story = Story::new();
    story.has_slow_store = true;
    story.puts(key(1), 1);
    story.puts(key(1), 2);
    story.store_turns(true);
    story.batch_ends(1, &[1, 2, 3], &BatchEnd::Answered);
    assert_eq!(story.told(), [(id(1), DeliveryStatus::Delivered), (id(2), queued(PendingReason::NoReceipt))]);
}

#[test]
fn waits_double_to_a_minute_less_jitter() {
    for (jitter, waits) in [
        (0, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]),
        (255, [750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000]),
    ] {
        let mut story = Story::new();
        story.puts(key(1), 1);
        for wait in waits {
            let (key, _) = story.batches.remove(0);
            let end = BatchEnd::Held(PendingReason::NoRoom);
            story.outbox.batch_ended(key, 0, &end, story.now, Jitter(jitter));
            story.later(wait - 1);
            assert_eq!(story.batches.len(), 0);
            story.later(1);
            assert_eq!(story.batches.len(), 1, "after {wait} ms");
        }
    }
}

#[test]
fn returned_peer_is_tried_within_a_second() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    for _ in 0..5 {
        story.batch_ends(0, &[], &BatchEnd::Held(PendingReason::NoRoom));
        story.later(60_000);
    }
    story.batch_ends(0, &[], &BatchEnd::Held(PendingReason::NoRoom));
    story.outbox.met(key(1), story.now);
    story.later(999);
    assert_eq!(story.batches.len(), 0);
    story.later(1);
    assert_eq!(story.batches.len(), 1);
}

#[test]
fn new_message_has_its_queue_tried_at_once() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    for _ in 0..5 {
        story.batch_ends(0, &[], &BatchEnd::Held(PendingReason::Unreachable));
        story.later(60_000);
    }
    story.batch_ends(0, &[], &BatchEnd::Held(PendingReason::Unreachable));
    story.later(2_000);
    assert_eq!(story.batches.len(), 0);
    story.puts(key(1), 2);
    assert_eq!(story.batches.len(), 1);
}

#[test]
fn another_program_is_tried_every_ten_minutes() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    for _ in 0..MAX_NO_SESSION {
        story.batch_ends(0, &[], &BatchEnd::Held(PendingReason::NoSession));
        story.later(60_000);
    }
    assert_eq!(story.batches.len(), 0);
    story.later(540_000);
    assert_eq!(story.batches.len(), 1);
}

#[test]
fn each_reason_is_told_once() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    for reason in [PendingReason::Unreachable, PendingReason::Unreachable, PendingReason::NoSession] {
        story.batch_ends(0, &[], &BatchEnd::Held(reason));
        story.later(60_000);
    }
    let told = [PendingReason::Unreachable, PendingReason::NoSession].map(|reason| (id(1), queued(reason)));
    assert_eq!(story.told(), told);
}

#[test]
fn cancelled_message_in_flight_ends_with_its_batch() {
    let blocked = DeliveryStatus::Failed(FailureReason::Blocked);
    for (receipts, last) in [(&[1][..], DeliveryStatus::Delivered), (&[], blocked.clone())] {
        let mut story = Story::new();
        story.puts(key(1), 1);
        story.puts(key(1), 2);
        story.outbox.give_up(key(1), FailureReason::Blocked);
        story.collect();
        assert_eq!(story.told(), [(id(2), blocked.clone())]);
        story.batch_ends(1, receipts, &BatchEnd::Held(PendingReason::Unreachable));
        assert_eq!(story.told(), [(id(1), last)]);
        assert_eq!((story.outbox.bytes, story.outbox.recipients()), (0, vec![]));
    }
}

#[test]
fn batch_fits_what_the_other_side_takes() {
    assert_eq!(MAX_BATCH_MESSAGES, MAX_IDS);
    let record = Record::Text { id: id(1), time: 0, again: true, to_all: false, body: "x".into() };
    assert!(record.encode().len() <= 1 + RECORD_BYTES);
    let mut story = Story::new();
    story.has_slow_store = true;
    for n in 0..5 {
        story.outbox.put(key(1), message(n, MAX_TEXT_BYTES), story.now).expect("fits");
    }
    story.serve(key(1));
    story.store_turns(true);
    assert_eq!(story.batch().len(), 3);
    let too_long = message(9, MAX_BATCH_BYTES);
    assert_eq!(story.outbox.put(key(1), too_long, story.now), Err(RejectReason::TooLongForLegacy));
}

#[test]
fn outbox_never_exceeds_its_limit() {
    let mut story = Story::new();
    let mut refused = Vec::new();
    for n in 0..90 * 60u32 {
        let to = key(u8::try_from(n % 90).unwrap() + 1);
        refused.extend(story.outbox.put(to, message(n, 65_000), story.now).err());
        assert!(story.outbox.bytes <= MAX_OUTBOX_BYTES);
    }
    assert!(!refused.is_empty() && story.outbox.bytes > MAX_OUTBOX_BYTES - 66_000);
    assert!(refused.iter().all(|why| *why == RejectReason::OutboxFull), "no queue is full");
    let restored = story.outbox.restore(key(1), message(1, 65_000), story.now.plus(WEEK));
    assert_eq!(restored, Err(RejectReason::OutboxFull));
}

#[test]
fn legacy_peer_gets_one_message_at_a_time() {
    let mut story = Story::new();
    for n in 1..=3 {
        story.puts(legacy(5001), n);
    }
    assert_eq!(story.sent, [(legacy(5001), id(1))]);
    story.plain_ends(SendResult::HandedOver, 1);
    assert_eq!(story.told(), [(id(1), DeliveryStatus::Sent)]);
    assert_eq!(story.sent, [(legacy(5001), id(2))]);
}

#[test]
fn unsent_message_waits_and_asks_first() {
    let mut story = Story::new();
    story.puts(legacy(5001), 1);
    story.plain_ends(REFUSED, 0);
    assert_eq!(story.told(), [(id(1), queued(PendingReason::Unreachable))]);
    story.later(1_000);
    assert_eq!((&story.asked[..], &story.sent[..]), (&[legacy(5001)][..], &[][..]));
    story.answers(RouteAnswer::Plain);
    assert_eq!(story.sent, [(legacy(5001), id(1))]);
    story.plain_ends(SendResult::Broken, 1);
    assert_eq!(story.told(), [(id(1), DeliveryStatus::Unknown)]);
    assert_eq!(story.outbox.recipients(), []);
}

#[test]
fn expired_message_in_flight_keeps_its_true_status() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    story.now = at(0).plus(WEEK);
    story.puts(key(1), 2);
    story.serve_due();
    assert_eq!(story.told(), []);
    story.batch_ends(1, &[1], &BatchEnd::Answered);
    assert_eq!(story.told(), [(id(1), DeliveryStatus::Delivered)]);
}
