//! One fault at a time between two of ours.

use std::thread;
use std::time::Duration;

use super::{Outcome, Pair, here, outcomes, says_at, shown_times};
use crate::support::{Fault, Peer};

/// Short enough for every receipt to come in the second that we wait for it.
const SHORT: Duration = Duration::from_millis(100);

/// Longer than we wait for a receipt, and shorter than a receiver grants a connection.
const TOO_LONG: Duration = Duration::from_millis(1_600);

/// What stands behind a text that may not be whole.
const CUT: &str = " [cut: longer than 8192 bytes, too slow, or broken off]";

/// Alice says something to Bob while this goes wrong. What she was told, and how often he was shown it.
fn under(fault: Fault, text: &str) -> (Outcome, usize) {
    let mut pair = Pair::new();
    pair.to_bob.does_to(text, fault);
    let outcome = pair.alice_says(text);
    let shown = pair.bob_was_shown(text);
    assert_eq!(pair.to_bob.did_to(text), [fault], "it was sent once");
    (outcome, shown)
}

#[test]
fn a_text_that_comes_byte_by_byte_is_one_text_and_is_delivered() {
    assert_eq!(under(Fault::SingleBytes, "Grüße in einzelnen Bytes 你好."), (Outcome::Delivered, 1));
}

#[test]
fn a_short_delay_of_the_connection_the_bytes_or_the_answer_changes_nothing() {
    delays(SHORT, (Outcome::Delivered, 1));
}

#[test]
fn a_text_that_comes_when_nobody_waits_for_its_receipt_any_more_is_of_unknown_fate_and_shown_once() {
    delays(TOO_LONG, (Outcome::Unknown, 1));
}

/// Delays each step of a connection, in three networks at the same time.
fn delays(time: Duration, expected: (Outcome, usize)) {
    thread::scope(|scope| {
        for delay in [Fault::DelayConnection, Fault::DelayBytes, Fault::DelayAnswer] {
            scope.spawn(move || assert_eq!(under(delay(time), "a little late."), expected));
        }
    });
}

#[test]
fn a_connection_that_is_reset_in_the_middle_leaves_the_fate_of_its_text_unknown() {
    let text = "what is whole is shown whole.";
    let header = |pair: &Pair| format!("{} Alice ", pair.to_alice.addr()).len();
    for bytes in [0, 5, 20] {
        let (outcome, shown) = under(Fault::ResetAfter(bytes), text);
        assert_eq!((outcome, shown), (Outcome::Unknown, 0), "after {bytes} bytes");
    }
    for missing in [text.len() - 1, 1, 0] {
        let mut pair = Pair::new();
        let before = pair.bob.printed().len();
        let bytes = header(&pair) + text.len() - missing;
        pair.to_bob.does_to(text, Fault::ResetAfter(bytes));
        assert_eq!(pair.alice_says(text), Outcome::Unknown);
        // Nobody can tell whether it was whole.
        assert_eq!(pair.bob_was_shown(text), 0, "{missing} bytes are missing");
        // What came is shown, and nothing that did not.
        let beginning = format!("): {}{CUT}", &text[..text.len() - missing]);
        let lines = pair.bob.printed().split_off(before);
        let said: Vec<_> =
            lines.iter().filter(|line| line.contains("): ") && !line.contains("): last-")).collect();
        assert!(matches!(said[..], [line] if line.ends_with(&beginning)), "{lines:?}");
    }
}

#[test]
fn a_connection_that_is_reset_before_the_receipt_gets_back_leaves_the_fate_unknown_and_the_text_shown_once() {
    assert_eq!(under(Fault::ResetBeforeReceipt, "taken, and nobody learns it."), (Outcome::Unknown, 1));
}

#[test]
fn a_text_into_a_black_hole_is_of_unknown_fate_and_never_shown() {
    assert_eq!(under(Fault::BlackHole, "into the dark."), (Outcome::Unknown, 0));
}

#[test]
fn a_half_open_connection_leaves_the_fate_unknown_and_the_text_shown_once() {
    assert_eq!(under(Fault::HalfOpen, "heard, and no word comes back."), (Outcome::Unknown, 1));
}

#[test]
fn a_text_that_is_swallowed_by_whoever_closes_in_good_order_is_never_called_delivered() {
    // A plain program that has read a text closes in the same way, but this one gives receipts.
    assert_eq!(under(Fault::Swallow, "read by nobody who would show it."), (Outcome::Unknown, 0));
}

#[test]
fn texts_whose_connections_overtake_each_other_are_each_shown_once() {
    let mut pair = Pair::new();
    let mut carol = Peer::named("Carol").knows(pair.to_bob.addr()).start();
    carol.sees(&here("Bob", pair.to_bob.addr()));
    pair.to_bob.does_to("first", Fault::HoldForNext);
    pair.alice.types(&[&format!("@{} first.", pair.to_bob.addr())]);
    pair.to_bob.has_met("first");
    assert_eq!(says_at(&mut carol, pair.to_bob.addr(), "second."), Outcome::Delivered);
    pair.bob.sees("): second.");
    pair.bob.sees("): first.");
    assert_eq!(pair.bob_was_shown("first."), 1);
    assert_eq!(shown_times(&pair.bob.printed(), "second."), 1);
    // How long the first was held depends on how soon the second was sent.
    let told = outcomes(&pair.alice, pair.to_bob.addr());
    assert!(matches!(told[..], [Outcome::Delivered | Outcome::Unknown, Outcome::Delivered]), "{told:?}");
}

#[test]
fn a_peer_that_hangs_delays_no_text_to_another() {
    let mut pair = Pair::new();
    let mut carol = Peer::named("Carol").knows(pair.to_alice.addr()).start();
    // Bob was there before her, so what is said to all is said to him first.
    pair.alice.sees(&here("Carol", carol.addr()));
    for fault in [Fault::BlackHole, Fault::HalfOpen, Fault::DelayBytes(TOO_LONG)] {
        pair.to_bob.does_to("to both", fault);
        pair.alice.types(&["@all to both."]);
        pair.alice.sees(&format!("Delivered to {}.", carol.shown()));
        pair.alice.sees(&format!("Sent to Bob ({}), but no reaction within 1 s", pair.to_bob.addr()));
        carol.sees("): to both.");
    }
}

#[test]
fn peers_that_hung_or_broke_every_connection_until_they_were_gone_find_each_other_again() {
    thread::scope(|scope| {
        for fault in [Fault::BlackHole, Fault::ResetAfter(0)] {
            scope.spawn(move || find_each_other_after(fault));
        }
    });
}

fn find_each_other_after(fault: Fault) {
    let mut pair = Pair::new();
    pair.to_alice.does(fault);
    pair.to_bob.does(fault);
    assert_eq!(pair.alice_says("anybody?"), Outcome::Unknown);
    let (alice, bob) = (pair.to_alice.addr(), pair.to_bob.addr());
    assert!(pair.alice.lists(bob).expect("static").contains("quiet"));
    // Looking is what makes him notice: nothing of hers has reached him for him to answer.
    assert!(pair.bob.lists(alice).expect("static").contains("quiet"));
    pair.alice.sees(&format!("* Bob ({bob}) is gone: no answer for 10 s."));
    pair.bob.sees(&format!("* Alice ({alice}) is gone: no answer for 10 s."));
    assert!(pair.alice.lists(bob).expect("static").contains("gone"));
    pair.to_alice.heals();
    pair.to_bob.heals();
    pair.alice.sees(&here("Bob", bob));
    pair.bob.sees(&here("Alice", alice));
    assert_eq!(pair.alice_says("there you are."), Outcome::Delivered);
    assert_eq!(says_at(&mut pair.bob, alice, "and you."), Outcome::Delivered);
    assert_eq!(pair.bob_was_shown("anybody?"), 0);
}
