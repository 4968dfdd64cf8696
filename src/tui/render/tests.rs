//! The words for each event.

use super::*;
use crate::core::{
    As, Decision, LeftOut, LeftOutContacts, Meeting, OpId, PeerInfo, PeerRequest, Pin, Policy, Unknown,
    Verification,
};
use crate::model::address::{Claimed, PeerAddr};
use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use crate::model::message::SendError;
use crate::model::name::PeerName;
use crate::model::session::ByeReason;
use crate::model::untrusted::Text;
use crate::tui::examples::{addr, key, on_terminal, peer};
use crate::tui::labels::{Labels, Standing};

mod trust;

fn bob() -> PeerInfo {
    peer("Bob", addr(5001).into())
}

fn told_in(event: &Event, full: bool) -> String {
    let mut labels = Labels::default();
    labels.meet(&bob(), |_| Standing::Stranger);
    let renderer = Renderer { full, rows: !full, stamp: "[14:03:07] ", ..on_terminal(&labels) };
    lines(event, &renderer).iter().map(Line::to_string).collect::<Vec<_>>().join("\n")
}

fn told(event: &Event) -> String {
    told_in(event, true)
}

/// The line on a terminal that Zoe, a contact with a key, is online.
fn zoe_is_online(verification: Verification) -> String {
    let zoe = PeerInfo { verification, ..peer("Zoe", key(1).into()) };
    let mut labels = Labels::default();
    labels.meet(&zoe, |_| Standing::Contact);
    let renderer = Renderer { stamp: "[14:03:07] ", ..on_terminal(&labels) };
    lines(&Event::Online(zoe), &renderer).iter().map(Line::to_string).collect()
}

fn said(text: &str) -> Event {
    said_by(bob(), text)
}

fn said_by(from: PeerInfo, text: &str) -> Event {
    Event::Message {
        from,
        text: Text::new(text),
        cut: false,
        sent: None,
        again: false,
        to_all: false,
        row: None,
    }
}

fn sent(status: DeliveryStatus, parts: (usize, usize)) -> String {
    let (who, text) = (bob(), "hi".into());
    told(&Event::Delivery { op: OpId(1), who, status, is_first: true, parts, total: 1, text })
}

#[test]
fn terminal_shows_the_address_once() {
    let bob = || PeerInfo { verification: Verification::Encrypted, ..bob() };
    assert_eq!(told_in(&said_by(bob(), "Hello"), false), "[14:03:07] Bob: Hello");
    let online = Event::Online(bob());
    assert_eq!(told_in(&online, true), "[14:03:07] * Bob (127.0.0.1:5001) is online");
    assert_eq!(zoe_is_online(Verification::Encrypted), "[14:03:07] * Zoe is online");
    for (why, words) in [
        (OfflineReason::SaidGoodbye, "left"),
        (OfflineReason::Refused, "is offline"),
        (OfflineReason::NoAnswer, "is unreachable"),
    ] {
        assert_eq!(told_in(&Event::Offline(bob(), why), false), format!("[14:03:07] * Bob {words}"));
        let full = format!("[14:03:07] * Bob (127.0.0.1:5001) {words}");
        assert_eq!(told_in(&Event::Offline(bob(), why), true), full);
    }
}

#[test]
fn terminal_marks_plain_and_verified_peers() {
    let plain = bob();
    let verified = PeerInfo { verification: Verification::Verified, ..bob() };
    assert_eq!(told_in(&said_by(plain.clone(), "Hello"), false), "[14:03:07] Bob (unencrypted): Hello");
    assert_eq!(told_in(&said_by(verified.clone(), "Hello"), false), "[14:03:07] Bob ✓: Hello");
    assert_eq!(told_in(&said_by(plain.clone(), "/me waves"), false), "[14:03:07] ** Bob (unencrypted) waves");
    let line = told_in(&Event::Online(plain.clone()), false);
    assert_eq!(line, "[14:03:07] * Bob is online at 127.0.0.1:5001 (unencrypted)");
    let line = told_in(&Event::Offline(plain, OfflineReason::SaidGoodbye), false);
    assert_eq!(line, "[14:03:07] * Bob left");
    assert_eq!(zoe_is_online(Verification::Verified), "[14:03:07] * Zoe ✓ is online");
}

#[test]
fn words_replace_signs_where_needed() {
    let mut labels = Labels::default();
    labels.meet(&bob(), |_| Standing::Stranger);
    let renderer = Renderer { rows: false, ..on_terminal(&labels) };
    let named = |verification| renderer.named(&PeerInfo { verification, ..bob() });
    assert_eq!(named(Verification::Verified), "Bob (verified)");
    assert_eq!(named(Verification::Encrypted), "Bob");
    assert_eq!(named(Verification::Plain), "Bob (unencrypted)");
}

#[test]
fn pipe_marks_only_encrypted_lines() {
    let line = |verification| told(&said_by(PeerInfo { verification, ..bob() }, "Hello"));
    assert_eq!(line(Verification::Plain), "[14:03:07] Bob (127.0.0.1:5001): Hello");
    assert_eq!(line(Verification::Encrypted), "[14:03:07] Bob (127.0.0.1:5001) [encrypted]: Hello");
    assert_eq!(line(Verification::Verified), "[14:03:07] Bob (127.0.0.1:5001) [verified]: Hello");
    let addr: PeerAddr = "127.0.0.1:9".parse().unwrap();
    let (id, verification) = (addr.into(), Verification::Encrypted);
    let nameless = PeerInfo { id, name: None, addr: Some(addr), claimed: None, verification };
    assert_eq!(told(&Event::Online(nameless)), "[14:03:07] * 127.0.0.1:9 is online");
}

#[test]
fn encrypted_multiline_message_keeps_its_rows() {
    let text = "one\n  two\n[14:03:07] Carol: three ⏎ four";
    let event = said_by(PeerInfo { verification: Verification::Encrypted, ..bob() }, text);
    assert_eq!(
        told(&event),
        "[14:03:07] Bob (127.0.0.1:5001) [encrypted]: one\n  │   two\n  │ [14:03:07] Carol: three ⏎ four"
    );
    assert_eq!(told_in(&event, false), "[14:03:07] Bob: one\n  │   two\n  │ [14:03:07] Carol: three ⏎ four");
}

#[test]
fn multiline_text_controls_nothing() {
    let event =
        said_by(PeerInfo { verification: Verification::Verified, ..bob() }, "a\x1b[2J\r\n\u{202e}b\u{2028}c");
    assert_eq!(told_in(&event, false), "[14:03:07] Bob ✓: a\\x1b[2J\\r\n  │ \\u{202e}b\\u{2028}c");
}

#[test]
fn repeated_message_has_a_remark() {
    let from = PeerInfo { verification: Verification::Encrypted, ..bob() };
    let mut event = said_by(from, "hi");
    if let Event::Message { again, .. } = &mut event {
        *again = true;
    }
    assert_eq!(told_in(&event, false), "[14:03:07] Bob: hi [may have been shown before]");
}

#[test]
fn message_that_came_late_says_when_sent() {
    let labels = Labels::default();
    let renderer = Renderer { late: "Mon 14:03", ..on_terminal(&labels) };
    let shown: Vec<Line> = renderer.message(&bob(), &Text::new("one ⏎ two"), false, false, true);
    assert!(shown[0].to_string().ends_with(": one"), "{shown:?}");
    assert_eq!(shown[1].to_string(), "  │ two [may have been shown before] (sent Mon 14:03)");
}

#[test]
fn action_line_cannot_look_like_a_notice() {
    assert_eq!(told(&said("/me has left.")), "[14:03:07] ** Bob (127.0.0.1:5001) has left.");
    assert_eq!(told(&said("/me ")), "[14:03:07] Bob (127.0.0.1:5001): /me ");
}

#[test]
fn multiline_text_has_a_bar_on_terminals_only() {
    let text = said("one ⏎   two ⏎ [14:03:07] Carol: three");
    assert_eq!(
        told_in(&text, false),
        "[14:03:07] Bob (unencrypted): one\n  │   two\n  │ [14:03:07] Carol: three"
    );
    assert_eq!(told(&text).lines().count(), 1);
}

#[test]
fn claimed_address_is_marked_as_claimed() {
    let claimed = Some(Claimed { ip: [127, 0, 1, 1].into(), port: 5001 });
    let event = said_by(PeerInfo { claimed, ..bob() }, "x");
    assert_eq!(told(&event), "[14:03:07] Bob (127.0.0.1:5001, claims to be 127.0.1.1:5001): x");
}

#[test]
fn pipe_outcome_names_a_clear_contact_without_address() {
    let outcome = |who: &PeerInfo, labels: &Labels| {
        let renderer = Renderer { full: true, rows: false, ..on_terminal(labels) };
        let (who, text) = (who.clone(), "hi".into());
        let (status, parts) = (DeliveryStatus::Delivered, (1, 1));
        let event = Event::Delivery { op: OpId(1), who, status, is_first: true, parts, total: 1, text };
        lines(&event, &renderer).iter().map(Line::to_string).collect::<String>()
    };
    let keyed = |byte| PeerInfo { id: key(byte).into(), verification: Verification::Encrypted, ..bob() };
    let mut labels = Labels::default();
    labels.meet(&keyed(1), |_| Standing::Contact);
    assert_eq!(outcome(&keyed(1), &labels), "Delivered to Bob.");
    assert_eq!(outcome(&keyed(2), &labels), "Delivered to Bob (127.0.0.1:5001).", "another Bob");
    assert_eq!(outcome(&bob(), &labels), "Delivered to Bob (127.0.0.1:5001).", "a legacy Bob");
}

#[test]
fn each_status_has_its_words() {
    let failed = |failure| DeliveryStatus::Failed(FailureReason::NotSent(failure));
    for (status, parts, words) in [
        (DeliveryStatus::Delivered, (1, 1), "Delivered to Bob (127.0.0.1:5001)."),
        (DeliveryStatus::Delivered, (3, 3), "Delivered to Bob (127.0.0.1:5001) in 3 messages."),
        (DeliveryStatus::Sent, (1, 1), "Sent to Bob (127.0.0.1:5001); no receipt expected."),
        (
            DeliveryStatus::Unknown,
            (0, 1),
            "Sent to Bob (127.0.0.1:5001), but delivery is unconfirmed; not retried.",
        ),
        (failed(SendError::Refused), (0, 1), "Not sent to Bob (127.0.0.1:5001): connection refused."),
        (
            failed(SendError::TimedOut),
            (1, 3),
            "Sent only 1 of 3 messages to Bob (127.0.0.1:5001): connection timed out after 3 s.",
        ),
        (
            DeliveryStatus::Queued(PendingReason::Unreachable),
            (0, 1),
            "Bob (127.0.0.1:5001) is offline; will deliver when they are back.",
        ),
        (
            DeliveryStatus::Queued(PendingReason::NoSession),
            (0, 1),
            "No encrypted session with Bob (127.0.0.1:5001) yet; retrying.",
        ),
        (
            DeliveryStatus::Failed(FailureReason::NotAccepted),
            (0, 1),
            "Not sent to Bob (127.0.0.1:5001): they do not accept messages from you.",
        ),
        (
            DeliveryStatus::Failed(FailureReason::ReachedAnother(PeerAddr::new([127, 0, 1, 1], 5001))),
            (3, 3),
            "Not delivered to Bob (127.0.0.1:5001): another peer at 127.0.1.1:5001 received it.",
        ),
    ] {
        assert_eq!(sent(status, parts), words);
    }
}

#[test]
fn message_queued_without_history_waits_until_quit() {
    let (who, text) = (peer("Bob", key(1).into()), "hi".into());
    let status = DeliveryStatus::Queued(PendingReason::Unreachable);
    let event = Event::Delivery { op: OpId(1), who, status, is_first: true, parts: (0, 1), total: 1, text };
    let labels = Labels::default();
    for (durable, words) in [
        (true, "is offline; will deliver when they are back."),
        (false, "is offline; will deliver when they are back, until you quit."),
    ] {
        let line = lines(&event, &Renderer { durable, ..on_terminal(&labels) })[0].to_string();
        assert!(line.ends_with(words), "{line}");
    }
}

#[test]
fn a_sum_names_those_that_failed() {
    let refused = DeliveryStatus::Failed(FailureReason::NotSent(SendError::Refused));
    let (kind, failed) = (CommandKind::Connect, vec![(bob(), refused)]);
    let event = Event::Sum { kind, total: 4, done: 3, failed, left_out: LeftOut::default() };
    assert_eq!(told(&event), "Connected to 3 of 4 (Bob refused the connection).");
    let sum = |status| {
        let failed = vec![(bob(), DeliveryStatus::Failed(status))];
        told_in(
            &Event::Sum { kind: CommandKind::Send, total: 2, done: 1, failed, left_out: LeftOut::default() },
            false,
        )
    };
    let line = sum(FailureReason::NotAccepted);
    assert!(
        line.starts_with("Sent to 1 of 2 (Bob") && line.ends_with(": they do not accept messages from you)."),
        "{line}"
    );
}

#[test]
fn stranger_is_marked_new_at_their_message() {
    let labels = Labels::default();
    let words = |is_new, full, event| {
        let renderer = Renderer { full, rows: !full, is_new, ..on_terminal(&labels) };
        lines(&event, &renderer).iter().map(Line::to_string).collect::<String>()
    };
    let plain = said_by(PeerInfo { verification: Verification::Plain, ..bob() }, "hi");
    let encrypted = || said_by(PeerInfo { verification: Verification::Encrypted, ..bob() }, "hi");
    assert!(words(true, false, plain).contains(" (unencrypted, new): hi"));
    assert!(words(true, false, encrypted()).contains(" (new): hi"));
    assert!(!words(false, false, encrypted()).contains("new"));
    assert!(!words(true, true, encrypted()).contains("new"), "a pipe shows what scripts know");
}

#[test]
fn sum_offers_to_include_unencrypted_strangers() {
    let words = |total, strangers, full| {
        let left_out = LeftOut { strangers, ..LeftOut::default() };
        let sum = Event::Sum { kind: CommandKind::Send, total, done: total, failed: Vec::new(), left_out };
        told_in(&sum, full)
    };
    let two = "2 unencrypted strangers left out; /all-plain MESSAGE includes them.";
    assert_eq!(words(3, 2, false), format!("Sent to 3 of 3. {two}"));
    assert_eq!(words(1, 2, false), two);
    // A pipe has no offer.
    assert_eq!(words(1, 2, true), "Sent to 1 of 1. 2 unencrypted strangers left out.");
    assert_eq!(words(0, 2, true), "2 unencrypted strangers left out.");
    assert_eq!(words(1, 0, false), "");
    let one = "1 unencrypted stranger left out; /all-plain MESSAGE includes them.";
    assert_eq!(words(0, 1, false), one);
}

#[test]
fn sum_names_the_contacts_that_are_left_out() {
    let contact = |last: u8| peer(&format!("Contact{last}"), key(last).into());
    let contacts =
        |count: usize| LeftOutContacts { first: (1..=3).take(count).map(contact).collect(), count };
    let words = |offline, refusing| {
        let left_out = LeftOut { offline: contacts(offline), refusing: contacts(refusing), strangers: 0 };
        let kind = CommandKind::Send;
        told_in(&Event::Sum { kind, total: 1, done: 1, failed: Vec::new(), left_out }, false)
    };
    let (one, two, three) = ("Contact1·aeaq", "Contact2·aiba", "Contact3·ambq");
    assert_eq!(words(1, 0), format!("Sent to 1 of 2 ({one} is offline, not sent)."));
    assert_eq!(words(2, 0), format!("Sent to 1 of 3 ({one} and {two} are offline, not sent)."));
    assert_eq!(words(3, 0), format!("Sent to 1 of 4 ({one}, {two} and {three} are offline, not sent)."));
    assert_eq!(
        words(50, 0),
        format!("Sent to 1 of 51 ({one}, {two}, {three} and 47 more are offline, not sent).")
    );
    assert_eq!(words(0, 1), format!("Sent to 1 of 2 ({one} does not accept messages from you)."));
    let both = format!(
        "Sent to 1 of 4 ({one} is offline, not sent; {one} and {two} do not accept messages from you)."
    );
    assert_eq!(words(1, 2), both);
}

#[test]
fn refusals_are_summed_up_in_one_line() {
    let source = |last| Source::from(std::net::Ipv4Addr::new(127, 0, 0, last));
    let refused = |sources: &[(u8, u64)], others| {
        let sources = sources.iter().map(|(last, count)| (source(*last), *count)).collect();
        told(&Event::Refused { sources, others })
    };
    let end = "too many at once. None was acknowledged.";
    assert_eq!(refused(&[(9, 1)], 0), format!("[14:03:07] * Refused 1 message from 127.0.0.9: {end}"));
    assert_eq!(
        refused(&[(9, 1204), (7, 1)], 12),
        format!(
            "[14:03:07] * Refused 1204 messages from 127.0.0.9, 1 message from 127.0.0.7, 12 messages from others: {end}"
        )
    );
}

#[test]
fn every_reason_not_to_send_has_its_sentence() {
    let unsent = |why| sent(DeliveryStatus::Failed(FailureReason::Rejected(why)), (0, 1));
    for (why, rest) in [
        (
            RejectReason::TooLongForLegacy,
            "an unencrypted message has at most 16 parts of 1024 bytes. Divide it.",
        ),
        (RejectReason::OnlyEncrypted, "they use no encryption, and --require-encryption is on."),
        (RejectReason::NotTrusted, "they are blocked or wait for your decision. See /blocked and /requests."),
        (RejectReason::Forgotten, "you have forgotten their key."),
        (
            RejectReason::NoMemory,
            "the memory for messages is full (64 MiB queued, 80 MiB in all). /outbox can cancel queued messages.",
        ),
    ] {
        assert_eq!(unsent(why), format!("Not sent to Bob (127.0.0.1:5001): {rest}"));
    }
    let full = "The outbox is full (64 MB). /outbox can cancel messages.";
    assert_eq!(unsent(RejectReason::OutboxFull), full);
}

#[test]
fn doubtful_clock_names_both_days_and_the_command() {
    let event = Event::ClockDoubted { clock: 1_827_000_000, noted: 1_795_270_980 };
    let line = told(&event);
    assert!(line.starts_with("[14:03:07] ! The clock of this machine shows "), "{line}");
    assert!(line.ends_with("If it is right, run `p2p-chat history --prune`."), "{line}");
}

#[test]
fn full_memory_and_full_disk_have_different_lines() {
    let incoming = "Incoming messages are shown but not acknowledged, so they are sent again.";
    assert_eq!(
        told(&Event::NotStored(StoreError::NoRoom)),
        format!(
            "[14:03:07] ! Messages cannot be stored: the memory for messages is full (64 MiB queued, 80 MiB in \
             all). You cannot send. {incoming}"
        )
    );
    assert_eq!(
        told(&Event::NotStored(StoreError::Full)),
        format!(
            "[14:03:07] ! The history cannot be written: the disk is full. A message that you send is lost if \
             you leave before it is delivered. {incoming}"
        )
    );
}

#[test]
fn later_status_quotes_the_message() {
    let labels = Labels::default();
    let renderer = Renderer { full: true, rows: false, ..on_terminal(&labels) };
    let who = PeerInfo { verification: Verification::Encrypted, ..bob() };
    let said = |status, text: &str| later(&who, &status, text, &renderer).map(|line| line.to_string());
    let bob = "Bob (127.0.0.1:5001)";
    assert_eq!(
        said(DeliveryStatus::Delivered, "see you at 5"),
        Some(format!("Delivered to {bob}: \"see you at 5\""))
    );
    assert_eq!(said(DeliveryStatus::Sent, "hi"), Some(format!("Sent to {bob}; no receipt expected: \"hi\"")));
    let long = format!("one\ntwo {}", "x".repeat(100));
    let beginning = format!("\"one ⏎ two {}…\"", "x".repeat(29));
    assert_eq!(said(DeliveryStatus::Delivered, &long), Some(format!("Delivered to {bob}: {beginning}")));
    for (hold, sentence) in [
        (PendingReason::WrongKey, "Your message waits for Bob."),
        (
            PendingReason::AnotherPeer,
            "Another peer answers at Bob's address 127.0.0.1:5001. Your message waits for Bob.",
        ),
    ] {
        let status = DeliveryStatus::Queued(hold);
        assert_eq!(sent(status.clone(), (1, 1)), sentence);
        assert_eq!(said(status, "hi"), Some(format!("{sentence} /outbox can cancel it: \"hi\"")));
    }
    for (status, words) in [
        (
            DeliveryStatus::Failed(FailureReason::Forgotten),
            format!("Not delivered to {bob} (you have forgotten them): \"hi\""),
        ),
        (DeliveryStatus::Expired, format!("Not delivered to {bob} (expired): \"hi\"")),
        (DeliveryStatus::Cancelled, format!("Cancelled the message to {bob}: \"hi\"")),
        (
            DeliveryStatus::Failed(FailureReason::Ended { attempted: true }),
            format!("No receipt came from {bob} before you left; this message may not have arrived: \"hi\""),
        ),
        (DeliveryStatus::Unknown, format!("Sent to {bob}, but delivery is unconfirmed; not retried: \"hi\"")),
    ] {
        assert_eq!(said(status, "hi"), Some(words));
    }
    assert_eq!(said(DeliveryStatus::Queued(PendingReason::InLine), "hi"), None);
}
