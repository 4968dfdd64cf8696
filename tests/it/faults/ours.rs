//! One fault at a time between two of ours, who talk in encryption: a text is shown once, whatever
//! happens, and who wrote it learns so; what breaks off is queued and comes again.

use std::thread;
use std::time::Duration;

use super::{Outcome, Pair, arrived_later, says_at, shown_times};
use crate::support::meddler::{CommandKind, Piece, cut_at};
use crate::support::{Fault, Meddler, Peer, Way, is_queued};

/// A line on which each step takes this long is slow, and no reason to give up.
const SLOW: Duration = Duration::from_millis(1_600);

/// Longer than the user waits for a receipt without being told.
const TOO_LONG: Duration = Duration::from_secs(8);

/// Alice says something to Bob while this goes wrong, which then ends. What she was told first, and
/// how often he was shown it in the end.
fn under(fault: Fault, text: &str) -> (Outcome, usize) {
    let mut pair = Pair::new();
    pair.suffers(fault);
    let outcome = pair.alice_says(text);
    if outcome == Outcome::Queued {
        assert_eq!(arrived_later(&pair.alice, text), 0, "{fault:?}");
    }
    let shown = pair.bob_was_shown(text);
    if outcome == Outcome::Queued {
        pair.alice.has_seen(&format!(": \"{text}\""));
    }
    let later = usize::from(outcome == Outcome::Queued);
    assert_eq!(arrived_later(&pair.alice, text), later, "{fault:?}: told once");
    assert!(!pair.to_bob.did_to(text).iter().any(|_| true), "it went out in plain");
    (outcome, shown)
}

#[test]
fn session_byte_by_byte_delivers_its_message() {
    assert_eq!(under(Fault::SingleBytes, "Grüße in Bytes 你好."), (Outcome::Delivered, 1));
}

#[test]
fn message_over_a_slow_line_is_delivered() {
    thread::scope(|scope| {
        for delay in [Fault::DelayConnection, Fault::DelayBytes, Fault::DelayAnswer] {
            scope.spawn(move || {
                assert_eq!(under(delay(SLOW), "a little late."), (Outcome::Delivered, 1));
            });
        }
    });
}

#[test]
fn message_of_a_reset_session_arrives_once() {
    // In the line, behind it, in the handshake, in what it ends with, and about where the text
    // stands.
    thread::scope(|scope| {
        for bytes in [0, 5, 11, 100, 260, 400, 480] {
            scope.spawn(move || {
                let came = under(Fault::ResetAfter(bytes), "again and again.");
                assert_eq!(came, (Outcome::Queued, 1), "after {bytes} bytes");
            });
        }
    });
}

#[test]
fn swallowed_message_stays_queued_and_arrives_once() {
    thread::scope(|scope| {
        for fault in [Fault::BlackHole, Fault::Swallow, Fault::HalfOpen, Fault::ResetBeforeReceipt] {
            scope.spawn(move || {
                assert_eq!(under(fault, "into the dark."), (Outcome::Queued, 1), "{fault:?}");
            });
        }
    });
}

#[test]
fn message_whose_receipt_is_lost_is_shown_once() {
    let (meddler, bob) = Meddler::in_the_only_way_to(Peer::named("Bob"));
    let (to_alice, alice) = Meddler::in_the_only_way_to(Peer::named("Alice"));
    let mut bob = bob.start();
    // Bob cannot dial her, so every session goes by the meddler.
    to_alice.does(cut_at(Way::Up, 0));
    // What comes back behind the handshake and the hello is held back; the connection stays as it
    // is.
    meddler.does(|piece: &Piece<'_>| {
        let receipt = piece.opened && piece.way == Way::Down && piece.number > 4;
        if receipt { CommandKind::Instead(Vec::new()) } else { CommandKind::Pass }
    });
    let mut alice = alice.knows(meddler.addr()).start();
    alice.sees(" (new, key ");
    assert_eq!(says_at(&mut alice, meddler.addr(), "heard, and no word."), Outcome::Queued);
    bob.sees("[encrypted]: heard, and no word.");
    meddler.does(|_| CommandKind::Pass);
    alice.sees(": \"heard, and no word.\"");
    // The session may be replaced at this moment, and the message wait for the new one.
    alice.types(&[&format!("@{} well.", meddler.addr())]);
    bob.sees("[encrypted]: well.");
    assert_eq!(shown_times(&bob.printed(), "heard, and no word."), 1);
}

#[test]
fn hanging_peer_delays_no_message_to_another() {
    let mut pair = Pair::new();
    let mut carol = Peer::named("Carol").knows(pair.to_alice.addr()).start();
    // Bob was there before her, so what is said to all is said to him first.
    pair.alice.meets_at(&carol.shown());
    carol.has_seen(" (new, key ");
    for (number, fault) in
        [Fault::BlackHole, Fault::HalfOpen, Fault::DelayBytes(TOO_LONG)].into_iter().enumerate()
    {
        let text = format!("to both, {number}.");
        pair.suffers(fault);
        // What was said of the texts before is passed by then.
        pair.alice.lists_all();
        pair.alice.types(&[&format!("@all {text}")]);
        let delivered = format!("Delivered to {}.", carol.name());
        // What has to wait behind others is said at once.
        pair.alice.sees_all_of(&[&|line| line.contains(&delivered), &|line| {
            is_queued(line) && line.contains("Bob")
        }]);
        carol.sees(&format!("[encrypted] → all: {text}"));
        assert_eq!(pair.bob_was_shown(&text), 1, "{fault:?}");
    }
}

#[test]
fn peers_find_each_other_after_hanging_or_breaking() {
    thread::scope(|scope| {
        for fault in [Fault::BlackHole, Fault::ResetAfter(0)] {
            scope.spawn(move || find_each_other_after(fault));
        }
    });
}

fn find_each_other_after(fault: Fault) {
    let mut pair = Pair::new();
    let (alice, bob) = (pair.to_alice.addr(), pair.to_bob.addr());
    let encrypted = |name: &str, addr| format!("* {name} ({addr})");
    pair.suffers(fault);
    assert_eq!(pair.alice_says("anybody?"), Outcome::Queued);
    assert!(pair.alice.lists(bob).expect("static").contains("unreachable"));
    // Looking is what makes him notice: nothing of hers has reached him for him to answer.
    assert!(pair.bob.lists(alice).expect("static").contains("unreachable"));
    pair.alice.sees(&format!("{} is unreachable", encrypted("Bob", bob)));
    pair.bob.sees(&format!("{} is unreachable", encrypted("Alice", alice)));
    let row = pair.alice.lists(bob).expect("static");
    assert!(row.contains("last seen"), "{row}\n{:#?}", pair.alice.printed());
    pair.to_alice.heals();
    pair.to_bob.heals();
    pair.alice.sees(&format!("{} is online", encrypted("Bob", bob)));
    pair.bob.sees(&format!("{} is online", encrypted("Alice", alice)));
    pair.alice.has_seen(": \"anybody?\"");
    let outcome = pair.alice_says("there you are.");
    assert_eq!(outcome, Outcome::Delivered, "{:#?}", pair.alice.printed());
    let outcome = says_at(&mut pair.bob, alice, "and you.");
    assert_eq!(outcome, Outcome::Delivered, "{:#?}", pair.bob.printed());
    assert_eq!(pair.bob_was_shown("anybody?"), 1, "it was not forgotten");
}
