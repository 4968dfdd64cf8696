use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::entry::RECORD_BYTES;
use super::limits::ENTRY_BYTES;
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
        assert_eq!((story.outbox.bytes(), story.outbox.recipients()), (0, vec![]));
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
fn message_without_room_in_store_is_refused() {
    let refused = DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::NoMemory));
    for to in [key(1), legacy(1), address(1)] {
        let mut story = Story::new();
        story.has_slow_store = true;
        story.puts(to, 1);
        let (write, _) = story.writes.remove(0);
        assert!(story.outbox.stored(write, &Err(StoreError::NoRoom), story.now));
        story.serve_due();
        assert_eq!(story.statuses, [(id(1), refused.clone())]);
        assert_eq!((story.outbox.count(to), story.outbox.bytes()), (0, 0));
        assert_eq!((story.sent.len(), story.batches.len(), story.writes.len()), (0, 0, 0));
    }
}

#[test]
fn queued_message_is_not_refused_later() {
    let mut story = Story::new();
    story.puts(legacy(1), 1);
    story.plain_ends(REFUSED, 0);
    assert_eq!(story.statuses, [(id(1), queued(PendingReason::Unreachable))]);
    story.has_slow_store = true;
    story.outbox.met(legacy(1), story.now);
    story.later(1_000);
    for (write, _) in std::mem::take(&mut story.writes) {
        assert!(!story.outbox.stored(write, &Err(StoreError::NoRoom), story.now));
    }
    assert_eq!(story.outbox.count(legacy(1)), 1);
}

#[test]
fn text_to_several_recipients_counts_once() {
    let mut story = Story::new();
    for n in 1..=2 {
        story.outbox.put(key(n), message(1, 1_000), story.now).expect("fits");
    }
    assert_eq!(story.outbox.bytes(), 1_000 + 2 * ENTRY_BYTES);
    story.outbox.give_up(key(1), FailureReason::Blocked);
    assert_eq!(story.outbox.bytes(), 1_000 + ENTRY_BYTES);
}

#[test]
fn outbox_never_exceeds_its_limit() {
    let mut story = Story::new();
    let mut refused = 0;
    for n in 0..90 * 60u32 {
        let to = key(u8::try_from(n % 90).unwrap() + 1);
        refused += usize::from(story.outbox.put(to, message(n, 65_000), story.now).is_err());
        assert!(story.outbox.bytes() <= MAX_OUTBOX_BYTES);
    }
    assert!(refused > 0 && story.outbox.bytes() > MAX_OUTBOX_BYTES - 66_000);
}

#[test]
fn new_key_gets_messages_old_key_missed() {
    for sent in [0, 1] {
        let mut story = Story::new();
        for n in 1..=3 {
            story.puts(key(1), n);
        }
        story.outbox.succeed(key(1), key(2), story.now);
        story.collect();
        story.serve(key(2));
        story.batch_ends(sent, &[], &BatchEnd::Held(PendingReason::Unreachable));
        let failed = (id(1), DeliveryStatus::Failed(FailureReason::Replaced));
        assert_eq!(story.told().contains(&failed), sent == 1);
        assert_eq!(story.outbox.count(key(1)), 0);
        assert_eq!(story.outbox.count(key(2)), 3 - sent);
    }
}

#[test]
fn unsent_message_follows_two_key_changes() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    story.outbox.succeed(key(1), key(2), story.now);
    story.outbox.succeed(key(2), key(3), story.now);
    story.batch_ends(0, &[], &BatchEnd::Held(PendingReason::Unreachable));
    assert_eq!([1, 2, 3].map(|n| story.outbox.count(key(n))), [0, 0, 1]);
}

#[test]
fn unsent_message_stays_with_key_trusted_again() {
    let mut story = Story::new();
    story.puts(key(1), 1);
    story.outbox.succeed(key(1), key(2), story.now);
    story.outbox.succeed(key(2), key(1), story.now);
    story.batch_ends(0, &[], &BatchEnd::Held(PendingReason::Unreachable));
    assert_eq!([1, 2].map(|n| story.outbox.count(key(n))), [1, 0]);
    assert_eq!(story.told(), [(id(1), queued(PendingReason::Unreachable))]);
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
fn attempt_is_stored_before_it_is_made() {
    let mut story = Story::new();
    story.has_slow_store = true;
    story.puts(legacy(5001), 1);
    assert_eq!(story.writes.iter().map(|(_, attempted)| *attempted).collect::<Vec<_>>(), [true]);
    assert_eq!(story.sent, []);
    story.store_turns(true);
    assert_eq!(story.sent, [(legacy(5001), id(1))]);
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
fn queued_legacy_message_that_cannot_be_committed_waits() {
    let mut story = Story::new();
    story.puts(legacy(5001), 1);
    story.plain_ends(REFUSED, 0);
    story.has_slow_store = true;
    story.later(1_000);
    story.answers(RouteAnswer::Plain);
    story.store_turns(false);
    assert_eq!(story.sent, []);
    let waiting: Vec<PendingReason> = story.outbox.waiting().map(|waiting| waiting.reason).collect();
    assert_eq!(waiting, [PendingReason::NotStored]);
}

#[test]
fn message_entered_again_waits_for_its_own_write() {
    let mut story = Story::new();
    story.has_slow_store = true;
    story.puts(key(1), 1);
    let (first, _) = story.writes.remove(0);
    story.outbox.cancel(key(1), id(1));
    story.puts(key(1), 1);
    story.outbox.stored(first, &Ok(()), story.now);
    story.serve_due();
    assert_eq!(story.batch(), []);
    story.store_turns(true);
    assert_eq!(story.batch(), [(id(1), false)]);
}

#[test]
fn message_that_was_never_stored_is_sent_anyway() {
    let mut story = Story::new();
    story.has_slow_store = true;
    story.puts(legacy(5001), 1);
    story.store_turns(false);
    assert_eq!(story.sent, [(legacy(5001), id(1))]);
    story.puts(key(1), 2);
    story.store_turns(false);
    assert_eq!(story.batch(), [(id(2), false)]);
}

#[test]
fn messages_for_address_go_to_key_proven_there() {
    let mut story = Story::new();
    story.puts(address(5001), 1);
    story.puts(address(5001), 2);
    assert_eq!(story.asked, [address(5001)]);
    let moved = story.outbox.rebind(address(5001), key(1), None, story.now);
    assert_eq!(moved, Moved { count: 2, is_direct: true });
    story.collect();
    story.serve(key(1));
    story.answers(RouteAnswer::Failed(SendResult::Broken));
    assert_eq!(story.batch(), [(id(1), false), (id(2), false)]);
}

#[test]
fn late_write_of_a_cancelled_entry_changes_nothing() {
    let (peer, its_address) = (legacy(5001), address(5001));
    let mut story = Story::new();
    story.has_slow_store = true;
    // One message waits until it is known which peer is at the address.
    story.puts(its_address, 1);
    // The store is asked to note that another is about to be sent to the peer; it is given up
    // first.
    story.puts(peer, 2);
    story.outbox.give_up(peer, FailureReason::Blocked);
    // The user enters it again, for the address, where the peer answers.
    story.puts(its_address, 2);
    story.asked.clear();
    story.outbox.answered(its_address, RouteAnswer::Plain, story.now);
    story.outbox.rebind(its_address, peer, None, story.now);
    story.serve(peer);
    // The store answers all of it: only the first message goes out.
    story.store_turns(true);
    story.store_turns(true);
    assert_eq!(story.sent, [(peer, id(1))]);
    story.plain_ends(SendResult::Delivered, 1);
    story.store_turns(true);
    assert_eq!(story.sent, [(peer, id(2))]);
}

#[test]
fn message_addressed_twice_keeps_one_row() {
    let mut story = Story::new();
    story.puts(legacy(2), 1);
    story.puts(address(1), 1);
    story.answers(RouteAnswer::Failed(REFUSED));
    story.outbox.rebind(address(1), legacy(2), None, story.now);
    let outputs = story.outbox.take_outputs();
    let drops = StoreOp::Move { id: id(1), from: address(1), to: legacy(2) };
    assert!(outputs.contains(&OutboxOutput::Store(None, drops)), "{outputs:?}");
    let ends = |output: &OutboxOutput| matches!(output, OutboxOutput::Duplicate(_));
    assert!(!outputs.iter().any(ends), "its command ended with its first status: {outputs:?}");
    assert_eq!(story.outbox.count(legacy(2)), 1);
}

#[test]
fn message_addressed_twice_stays_in_flight() {
    let mut story = Story::new();
    story.puts(legacy(2), 9);
    story.puts(legacy(2), 1);
    story.outbox.put(address(1), message(1, 5), story.now).expect("fits");
    story.outbox.serve(address(1), Route::Plain(&|_| None), None, story.now);
    story.collect();
    let (write, _) = story.writes.remove(0);
    story.outbox.stored(write, &Ok(()), story.now);
    story.outbox.serve(address(1), Route::Plain(&|_| None), None, story.now);
    story.collect();
    assert_eq!(story.sent, [(legacy(2), id(9)), (address(1), id(1))]);
    story.outbox.rebind(address(1), legacy(2), None, story.now);
    story.outbox.plain_sent(legacy(2), id(1), SendResult::HandedOver, (1, 1), story.now);
    story.collect();
    assert_eq!(story.told(), [(id(1), DeliveryStatus::Sent)]);
    assert!(!story.outbox.has(legacy(2), id(1)), "it would be sent twice");
}

#[test]
fn message_to_another_name_waits_for_the_user() {
    let (bob, eve) = (PeerName::new("Bob"), PeerName::new("Eve"));
    let mut story = Story::new();
    let new = NewMessage { name: Some(bob.clone()), ..message(1, 5) };
    let to = legacy(5001);
    story.outbox.put(to, new, story.now).expect("fits");
    let plain = Route::Plain(&|_| None);
    story.outbox.serve(to, plain, Some(&eve), story.now);
    story.collect();
    story.store_turns(true);
    assert_eq!(story.told(), [(id(1), queued(PendingReason::AnotherPeer))]);
    assert_eq!(story.sent, []);
    story.outbox.spoke(to, Some(&eve), story.now);
    assert_eq!(story.outbox.due(story.now.plus(FIRST_WAIT)), []);
    story.outbox.spoke(to, Some(&bob), story.now);
    assert_eq!(story.outbox.due(story.now.plus(FIRST_WAIT)), [to]);
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

#[test]
fn leaving_keeps_what_is_stored() {
    for durable in [false, true] {
        let mut story = Story { outbox: Outbox::new(WEEK, durable), ..Story::new() };
        story.puts(key(1), 1);
        story.puts(key(1), 2);
        story.outbox.abandon();
        let outputs = story.outbox.take_outputs();
        assert_eq!(outputs.contains(&OutboxOutput::StaysQueued(key(1), 2)), durable);
        assert_eq!(story.outbox.count(key(1)), if durable { 2 } else { 0 });
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u32),
    StoreTurns(Result<(), StoreError>),
    BatchEnds { sent: usize, receipts: Vec<u32>, end: u8 },
    PlainEnds(u8),
    Answers(bool),
    Rebind(u8),
    Succeed(bool),
    GiveUp(u8),
    Cancel(u8, u32),
    Met(u8),
    Later(u64),
}

fn recipient(n: u8) -> Recipient {
    match n {
        0 => key(1),
        1 => key(2),
        2 => legacy(5001),
        3 => address(5001),
        _ => address(5002),
    }
}

fn store_result() -> impl Strategy<Value = Result<(), StoreError>> {
    prop_oneof![
        18 => Just(Ok(())),
        1 => Just(Err(StoreError::Full)),
        1 => Just(Err(StoreError::NoRoom)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let to = || 0u8..5;
    prop_oneof![
        6 => (to(), 0u32..60).prop_map(|(to, n)| Step::Put(to, n)),
        6 => store_result().prop_map(Step::StoreTurns),
        5 => (0usize..70, prop::collection::vec(0u32..60, 0..40), 0u8..6)
            .prop_map(|(sent, receipts, end)| Step::BatchEnds { sent, receipts, end }),
        4 => (0u8..5).prop_map(Step::PlainEnds),
        3 => any::<bool>().prop_map(Step::Answers),
        1 => to().prop_map(Step::Rebind),
        1 => (any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(is_back, it)| if it { Step::Succeed(is_back) } else { Step::Later(1) }),
        1 => (to(), prop::bool::weighted(0.2)).prop_map(|(n, it)| if it { Step::GiveUp(n) } else { Step::Met(n) }),
        1 => (to(), 0u32..60).prop_map(|(to, n)| Step::Cancel(to, n)),
        4 => prop_oneof![0u64..900, 0u64..90_000].prop_map(Step::Later),
    ]
}

/// What every story has to hold after each step.
fn check(
    story: &mut Story,
    ended: &mut BTreeMap<(u64, MessageId), DeliveryStatus>,
    open: &mut BTreeMap<u64, MessageId>,
) {
    for output in story.outbox.outputs.clone() {
        match output {
            OutboxOutput::Status(change) => {
                let is_after = ended.contains_key(&(change.op.0, change.id));
                assert!(!is_after, "{change:?} after its end");
                if change.status.is_final() {
                    ended.insert((change.op.0, change.id), change.status);
                    open.remove(&change.op.0);
                }
            }
            OutboxOutput::Duplicate(op) => drop(open.remove(&op.0)),
            _ => {}
        }
    }
    story.collect();
    let entries = || story.outbox.queues.values().flat_map(|queue| &queue.entries);
    let queued: BTreeSet<u64> = entries().map(|entry| entry.op.0).collect();
    assert!(queued.is_subset(&open.keys().copied().collect()), "a message is kept after its end");
    // Two queues became one, and both had the message.
    let is_elsewhere = |id: MessageId| entries().any(|entry| entry.id() == id);
    open.retain(|op, id| queued.contains(op) || !is_elsewhere(*id));
    assert_eq!(queued, open.keys().copied().collect(), "a message is lost");
    let bytes: usize = story.outbox.queues.values().map(|queue| queue.entries.len() * ENTRY_BYTES).sum();
    assert!(story.outbox.bytes() >= bytes);
    for (to, queue) in &story.outbox.queues {
        assert_eq!(queue.bytes, queue.entries.iter().map(OutboxEntry::bytes).sum::<usize>());
        let in_flight = queue.entries.iter().filter(|entry| !entry.is_waiting()).count();
        assert!(to.public_key().is_some() || in_flight <= 1, "two at once to {to:?}");
        assert!(!queue.entries.is_empty() || queue.asking, "an empty queue is kept");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_message_has_exactly_one_end(steps in prop::collection::vec(step(), 0..120)) {
        let mut story = Story::new();
        story.has_slow_store = true;
        let (mut ended, mut open, mut op) = (BTreeMap::new(), BTreeMap::new(), 0);
        for step in steps {
            match step {
                Step::Put(n, m) => {
                    op += 1;
                    let new = NewMessage { op: OpId(op), ..message(m, 5) };
                    if story.outbox.put(recipient(n), new, story.now).is_ok() {
                        open.insert(op, id(m));
                    }
                    check(&mut story, &mut ended, &mut open);
                    story.outbox.serve(recipient(n), Story::route(recipient(n)), None, story.now);
                }
                Step::StoreTurns(result) => {
                    for (write, _) in std::mem::take(&mut story.writes) {
                        story.outbox.stored(write, &result, story.now);
                        check(&mut story, &mut ended, &mut open);
                    }
                }
                Step::BatchEnds { sent, receipts, end } if !story.batches.is_empty() => {
                    let receipts: Vec<_> = receipts.into_iter().map(id).collect();
                    let end = match end {
                        0..=2 => BatchEnd::Answered,
                        3 => BatchEnd::Held(PendingReason::Unreachable),
                        4 => BatchEnd::Held(PendingReason::NoSession),
                        _ => BatchEnd::Refused(FailureReason::NotAccepted),
                    };
                    story.ends_batch(sent, &receipts, &end);
                }
                Step::PlainEnds(n) if !story.sent.is_empty() => {
                    let (to, id) = story.sent.remove(0);
                    let (result, parts) = match n {
                        0 => (REFUSED, 0),
                        1 => (SendResult::HandedOver, 1),
                        2 => (SendResult::Broken, 1),
                        3 => (SendResult::Failed(SendError::NotTrusted(Box::new(PublicKey::new([9; 32])))), 0),
                        _ => (SendResult::Delivered, 1),
                    };
                    story.outbox.plain_sent(to, id, result, (parts, 1), story.now);
                }
                Step::Answers(is_plain) if !story.asked.is_empty() => {
                    let to = story.asked.remove(0);
                    let answer = if is_plain { RouteAnswer::Plain } else { RouteAnswer::Failed(SendResult::Broken) };
                    story.outbox.answered(to, answer, story.now);
                    if is_plain && matches!(to, Recipient::Address(_)) {
                        let peer = legacy(to.addr().map_or(0, |addr| addr.port()));
                        story.asked.iter_mut().filter(|asked| **asked == to).for_each(|asked| *asked = peer);
                        story.outbox.rebind(to, peer, None, story.now);
                    }
                }
                Step::Rebind(n) if n > 2 => {
                    story.outbox.rebind(recipient(n), key(1), None, story.now);
                    story.asked.retain(|asked| *asked != recipient(n));
                }
                Step::Succeed(false) => story.outbox.succeed(key(1), key(2), story.now),
                Step::Succeed(true) => story.outbox.succeed(key(2), key(1), story.now),
                Step::GiveUp(n) => story.outbox.give_up(recipient(n), FailureReason::Blocked),
                Step::Cancel(n, m) => drop(story.outbox.cancel(recipient(n), id(m))),
                Step::Met(n) => story.outbox.met(recipient(n), story.now),
                Step::Later(ms) => {
                    story.now = story.now.plus(Duration::from_millis(ms));
                    story.outbox.expire(story.now);
                }
                _ => {}
            }
            check(&mut story, &mut ended, &mut open);
            for to in story.outbox.due(story.now) {
                story.outbox.serve(to, Story::route(to), None, story.now);
            }
            check(&mut story, &mut ended, &mut open);
        }
        // Whatever was before: once everything works, every message ends.
        for _ in 0..400 {
            for (write, _) in std::mem::take(&mut story.writes) {
                story.outbox.stored(write, &Ok(()), story.now);
            }
            for to in std::mem::take(&mut story.asked) {
                story.outbox.rebind(to, key(2), None, story.now);
                check(&mut story, &mut ended, &mut open);
                story.outbox.answered(to, RouteAnswer::Plain, story.now);
            }
            for (to, id) in std::mem::take(&mut story.sent) {
                story.outbox.plain_sent(to, id, SendResult::Delivered, (1, 1), story.now);
            }
            while let Some((_, messages)) = story.batches.first() {
                let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
                story.ends_batch(ids.len(), &ids, &BatchEnd::Answered);
            }
            check(&mut story, &mut ended, &mut open);
            story.now = story.now.plus(LONG_WAIT);
            for to in story.outbox.due(story.now) {
                story.outbox.serve(to, Story::route(to), None, story.now);
            }
            check(&mut story, &mut ended, &mut open);
        }
        prop_assert_eq!(story.outbox.recipients(), vec![], "messages are stuck");
        prop_assert_eq!(story.outbox.bytes(), 0);
    }
}
