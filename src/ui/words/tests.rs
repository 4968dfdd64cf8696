//! The words for each event.

use super::*;
use crate::chat::{OpId, Proof};
use crate::escape::Text;
use crate::peer::{Claimed, PeerAddr, PeerName};

fn bob() -> Who {
    let addr: PeerAddr = "127.0.0.1:5001".parse().unwrap();
    Who { name: Some(PeerName::new("Bob")), addr, claimed: None, proof: Proof::Plain }
}

fn told_in(event: &Event, full: bool) -> String {
    let mut labels = Labels::default();
    labels.meet(&bob(), |_| true);
    let voice = Voice { labels: &labels, full, rows: !full, stamp: "[14:03:07] " };
    lines(event, &voice).iter().map(Line::to_string).collect::<Vec<_>>().join("\n")
}

fn told(event: &Event) -> String {
    told_in(event, true)
}

fn said(text: &str) -> Event {
    Event::Message { from: bob(), text: Text::new(text), cut: false, again: false }
}

fn sent(deed: Deed, fate: Fate, parts: (usize, usize)) -> String {
    told(&Event::Done { op: OpId(1), deed, who: bob(), fate, parts, total: 1 })
}

#[test]
fn a_message_names_when_who_from_where_and_what() {
    let event = Event::Message { from: bob(), text: Text::new("Hello"), cut: false, again: false };
    assert_eq!(told(&event), "[14:03:07] Bob (127.0.0.1:5001): Hello");
}

#[test]
fn on_a_terminal_the_name_is_enough_where_it_came_from_is_said_once() {
    assert_eq!(told_in(&said("Hello"), false), "[14:03:07] Bob: Hello");
    assert_eq!(told_in(&Event::Came(bob()), false), "[14:03:07] * Bob (127.0.0.1:5001) is here.");
    assert_eq!(told_in(&Event::Went(bob(), Why::SaidExit), false), "[14:03:07] * Bob has left.");
}

#[test]
fn what_somebody_does_is_told_so_that_it_cannot_pass_for_news() {
    assert_eq!(told(&said("/me has left.")), "[14:03:07] ** Bob (127.0.0.1:5001) has left.");
    assert_eq!(told(&said("/me ")), "[14:03:07] Bob (127.0.0.1:5001): /me ");
}

#[test]
fn a_text_of_several_lines_stands_behind_a_bar_and_on_one_line_for_a_pipe() {
    let text = said("one ⏎   two ⏎ [14:03:07] Carol: three");
    assert_eq!(told_in(&text, false), "[14:03:07] Bob: one\n  │   two\n  │ [14:03:07] Carol: three");
    assert_eq!(told(&text).lines().count(), 1);
    let many = said(&"x ⏎ ".repeat(MAX_ROWS_SHOWN));
    assert_eq!(told_in(&many, false).lines().count(), 1);
}

#[test]
fn an_address_that_is_only_claimed_is_said_to_be() {
    let claimed = Some(Claimed { ip: [127, 0, 1, 1].into(), port: 5001 });
    let event =
        Event::Message { from: Who { claimed, ..bob() }, text: Text::new("x"), cut: false, again: false };
    assert_eq!(told(&event), "[14:03:07] Bob (127.0.0.1:5001, calls itself 127.0.1.1:5001): x");
}

#[test]
fn every_fate_of_a_text_has_its_words() {
    let failed = |failure| Fate::Failed(failure);
    for (fate, parts, words) in [
        (Fate::Delivered, (1, 1), "Delivered to Bob (127.0.0.1:5001)."),
        (Fate::Delivered, (3, 3), "Delivered to Bob (127.0.0.1:5001), in 3 messages."),
        (Fate::HandedOver, (1, 1), "Handed over to Bob (127.0.0.1:5001), which gives no receipts."),
        (
            Fate::Unanswered,
            (0, 1),
            "Sent to Bob (127.0.0.1:5001), but no reaction within 1 s: whether it was read is unknown, and it is not sent again.",
        ),
        (
            failed(Failure::Refused),
            (0, 1),
            "Not sent to Bob (127.0.0.1:5001): refused, nobody listens there.",
        ),
        (
            failed(Failure::TimedOut),
            (1, 3),
            "Sent only 1 of 3 messages to Bob (127.0.0.1:5001): timed out, no answer within 3 s.",
        ),
        (
            Fate::Astray(PeerAddr::new([127, 0, 1, 1], 5001).unwrap()),
            (3, 3),
            "Not delivered to Bob (127.0.0.1:5001): it went to 127.0.1.1:5001 instead, where somebody else listens.",
        ),
    ] {
        assert_eq!(sent(Deed::Send, fate, parts), words);
    }
}

#[test]
fn a_sum_names_those_that_failed() {
    let refused = Fate::Failed(Failure::Refused);
    let event = Event::Sum { deed: Deed::Connect, total: 4, done: 3, failed: vec![(bob(), refused)] };
    assert_eq!(told(&event), "Connected 3 of 4; 127.0.0.1:5001 refused.");
}

#[test]
fn what_was_refused_is_summed_up_in_one_line() {
    let source = |last| Source::from(std::net::Ipv4Addr::new(127, 0, 0, last));
    let refused = |sources: &[(u8, u64)], others| {
        let sources = sources.iter().map(|(last, count)| (source(*last), *count)).collect();
        told(&Event::Refused { sources, others })
    };
    let end = "more came at once than can be taken. Nothing of it was acknowledged.";
    assert_eq!(refused(&[(9, 1)], 0), format!("[14:03:07] * 1 message from 127.0.0.9 was refused: {end}"));
    assert_eq!(
        refused(&[(9, 1204), (7, 1)], 12),
        format!(
            "[14:03:07] * 1204 messages from 127.0.0.9, 1 message from 127.0.0.7, 12 messages from others were refused: {end}"
        )
    );
}
