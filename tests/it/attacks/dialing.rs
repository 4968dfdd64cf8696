//! The program that answers, or a man in the middle, breaks the protocol. The message stays queued,
//! nothing of it is sent unencrypted, and it arrives once when the fault ends.

use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::model::session::ByeReason;
use p2p_chat::protocol::session::Record;
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};

use super::{alice_who_trusts, never_saw};
use crate::support::meddler::{CommandKind, Piece, cut_at, without_ok};
use crate::support::secure::{key_of, new_id, with_lines};
use crate::support::{Manner, Meddler, SOON, SecurePeer, Way, is_queued};

const SECRET: &str = "what nobody else may read";

/// Alice says something to Bob, who does not behave, until he does. What he had received before, of
/// which nothing is the text in plain.
fn is_held_while(manner: Manner, why: &str) -> crate::support::secure::Got {
    is_told_while(manner, &|line: &str| is_queued(line) && line.contains(why))
}

/// The same, and the line about the message is as `is_it` says.
fn is_told_while(manner: Manner, is_it: &dyn Fn(&str) -> bool) -> crate::support::secure::Got {
    let bob = SecurePeer::named("Bob", b'B');
    bob.behaves(manner);
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    alice.says("Bob", SECRET);
    let line = alice.sees_line("that it is queued", is_it);
    assert!(line.contains("Bob"), "{line}");
    let before = bob.got();
    never_saw(&alice, "Delivered to");
    bob.behaves(Manner::Good);
    // A session on which nothing arrives lasts 45 s.
    alice.sees_within(&format!("Delivered to {}: \"{SECRET}\"", bob.name()), 2 * SOON);
    let got = bob.hears(SECRET);
    assert_eq!(got.bodies(), [SECRET], "once");
    assert_eq!(got.said_plainly(), [""; 0]);
    alice.still_answers();
    before
}

#[test]
fn wrong_answer_gets_only_the_opening_line() {
    thread::scope(|scope| {
        for answer in ["P2P-CHAT/2 ok\n", "P2P-CHAT/1 no\n", "[ACK] Message received from 5000"] {
            scope.spawn(move || {
                let why = "No encrypted session with ";
                let before = is_held_while(Manner::Says(answer.into()), why);
                assert!(before.behind.iter().all(Vec::is_empty), "{answer:?}: {:?}", before.behind);
            });
        }
    });
}

#[test]
#[ignore = "15 to 45 s of silence; the tests of the session pool simulate them"]
fn silence_after_ok_gets_no_message() {
    thread::scope(|scope| {
        for silent in [Manner::Says(OK_LINE.to_vec()), Manner::SilentBehindHandshake] {
            scope.spawn(|| assert_eq!(is_held_while(silent, "").bodies(), [""; 0]));
        }
        // Silent only then, it has the text, and is said it again when its session is over.
        scope.spawn(|| assert_eq!(is_held_while(Manner::SilentBehindHello, "").bodies(), [SECRET]));
    });
}

#[test]
fn withheld_ok_gets_only_the_opening_line() {
    let bob = SecurePeer::named("Bob", b'B');
    let meddler = Meddler::before(bob.addr());
    meddler.does(without_ok);
    let mut alice = alice_who_trusts(&[("Bob", meddler.addr(), bob.key())]).start();
    alice.says("Bob", SECRET);
    alice.sees_queued();
    // She waits for the ok as long as a slow line needs.
    meddler.has_carried(1);
    let why = "queued: no encrypted session yet";
    let deadline = Instant::now() + SOON;
    while !alice.sees_in_time(why, Duration::from_millis(500)) {
        assert!(Instant::now() < deadline, "{:#?}", alice.printed());
        alice.types(&["/outbox"]);
    }
    for wire in meddler.wires() {
        // The last one may just have been made.
        assert!(DIAL_LINE.starts_with(&wire.up), "{:?}", String::from_utf8_lossy(&wire.up));
    }
    meddler.does(|_| CommandKind::Pass);
    alice.sees(&format!("Delivered to Bob: \"{SECRET}\""));
    assert_eq!(bob.got().bodies(), [SECRET]);
    assert_eq!(bob.got().said_plainly(), [""; 0]);
}

#[test]
fn wrong_hello_ends_session_before_the_message() {
    thread::scope(|scope| {
        let hello = SecurePeer::named("Bob", b'B').hello();
        let other = with_lines(hello, b"P2P-CHAT/2\n", b"P2P-CHAT/1 ok\n");
        for bytes in [other, Record::Ping(1).encode(), b"\x01\xff\xff\xff".to_vec()] {
            scope.spawn(|| {
                let before = is_held_while(Manner::InsteadOfHello(bytes), "");
                assert_eq!(before.bodies(), [""; 0]);
            });
        }
    });
}

#[test]
fn wrong_receipt_does_not_mark_message_delivered() {
    let foreign = Record::Receipt(vec![new_id()]).encode();
    thread::scope(|scope| {
        for bytes in [foreign, Record::Pong(1).encode(), Vec::new(), vec![0xff; 5]] {
            scope.spawn(|| {
                let before = is_held_while(Manner::InsteadOfReceipts(bytes), "");
                // It had the text, so the real one comes marked as sent before, with the same id,
                // and is known as one.
                assert_eq!(before.bodies(), [SECRET]);
            });
        }
        scope.spawn(|| is_held_while(Manner::CutsBehindTexts, ""));
        scope.spawn(|| is_held_while(Manner::Endless(Record::Pong(7).encode()), ""));
        scope.spawn(|| is_held_while(Manner::SaysBye(ByeReason::NoRoom), "have no room"));
        let is_it = |line: &str| line.ends_with(" has not accepted you yet; your message waits.");
        scope.spawn(move || is_told_while(Manner::SaysBye(ByeReason::NotDecided), &is_it));
    });
}

#[test]
fn other_key_gets_nothing_and_learns_nothing() {
    let bob = key_of(b'B').public();
    let mallory = SecurePeer::named("Bob", b'M');
    let mut alice = alice_who_trusts(&[("Bob", mallory.addr(), bob)]).start();
    alice.says("Bob", SECRET);
    alice.sees("Your message waits for Bob.");
    alice.has_seen(&format!("Another key ({}) answers at {}", mallory.key().short(), mallory.addr()));
    let got = mallory.waits("a refusal", |got| !got.ends.is_empty());
    assert!(got.met.is_empty() && got.texts.is_empty(), "{got:?}");
    assert!(got.ends.iter().all(|end| end.contains("AlertReceived")), "{:?}", got.ends);
    assert_eq!(got.said_plainly(), [""; 0]);
}

#[test]
fn exchanged_addresses_give_no_key_the_others_message() {
    let (bob, carol) = (SecurePeer::named("Bob", b'B'), SecurePeer::named("Carol", b'C'));
    // Each answers where the other is known to be.
    let known = [("Bob", carol.addr(), bob.key()), ("Carol", bob.addr(), carol.key())];
    let mut alice = alice_who_trusts(&known).start();
    for (addr, other, whom) in [(carol.addr(), "Carol", "Bob"), (bob.addr(), "Bob", "Carol")] {
        alice.has_seen(&format!("* {other}, not {whom}, is at {addr} now."));
        alice.says(whom, &format!("for {whom} alone"));
        alice.sees(&format!("Your message waits for {whom}."));
    }
    assert_eq!([bob.got().bodies(), carol.got().bodies()], [[""; 0], [""; 0]]);
    assert_eq!([bob.got().said_plainly(), carol.got().said_plainly()], [[""; 0], [""; 0]]);
}

#[test]
fn message_cut_at_any_phase_arrives_once() {
    // A few places of each phase: the line, the hello of TLS with some 1,200 bytes of key exchange,
    // the rest of the handshake, the hello, the message or its receipt.
    let places: Vec<(Way, usize)> = [0, 5, 11, 40, 800, 1424, 1484, 1604, 1684]
        .into_iter()
        .map(|at| (Way::Up, at))
        .chain([0, 7, 14, 60, 800, 1238, 1408, 1488, 1568].into_iter().map(|at| (Way::Down, at)))
        .collect();
    let messages = b'a'..;
    let others: Vec<_> = places
        .into_iter()
        .zip(messages)
        .map(|((way, at), message)| {
            let bob = SecurePeer::named(&format!("Bob{}", message - b'a'), message);
            let meddler = Meddler::before(bob.addr());
            meddler.does(cut_at(way, at));
            (bob, meddler)
        })
        .collect();
    let names: Vec<String> = (0..others.len()).map(|number| format!("Bob{number}")).collect();
    let known: Vec<_> = names
        .iter()
        .zip(&others)
        .map(|(name, (bob, meddler))| (name.as_str(), meddler.addr(), bob.key()))
        .collect();
    let mut alice = alice_who_trusts(&known).start();
    for name in &names {
        alice.says(name, SECRET);
    }
    for name in &names {
        alice.has_seen_line(name, |line| is_queued(line) && line.contains(name));
    }
    for (_, meddler) in &others {
        meddler.does(|_| CommandKind::Pass);
    }
    for (name, (bob, _)) in names.iter().zip(&others) {
        alice.has_seen(&format!("Delivered to {name}"));
        assert_eq!(bob.hears(SECRET).bodies(), [SECRET], "{name}");
        assert_eq!(bob.got().said_plainly(), [""; 0], "{name}");
    }
}

#[test]
fn lost_receipt_resends_message_with_same_id() {
    let bob = SecurePeer::named("Bob", b'B');
    bob.behaves(Manner::CutsBehindTexts);
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    alice.says("Bob", SECRET);
    alice.sees_queued();
    bob.behaves(Manner::Good);
    alice.sees("Delivered to Bob");
    let texts = bob.got().texts;
    assert!(texts.len() >= 2, "{texts:?}");
    assert!(!texts[0].again && texts[1..].iter().all(|text| text.again), "{texts:?}");
    assert!(texts.iter().all(|text| text.id == texts[0].id), "{texts:?}");
}

#[test]
fn our_key_at_another_address_is_us() {
    let bob = key_of(b'B').public();
    let mut alice = alice_who_trusts(&[]).start();
    let mirror = Meddler::before(alice.addr());
    // Everything that she says there comes back to her.
    alice.says(&mirror.addr().to_string(), SECRET);
    let line = alice.sees(&mirror.addr().to_string());
    assert!(!line.contains("Delivered"), "{line}");
    never_saw(&alice, &format!(": {SECRET}"));
    alice.still_answers();
    drop(mirror);

    // The same where another key is expected.
    let mut alice = alice_who_trusts(&[("Bob", crate::support::nobody(), bob)]).start();
    let mirror = Meddler::before(alice.addr());
    alice.types(&[&format!("/connect {}", mirror.addr())]);
    alice.says("Bob", SECRET);
    alice.sees_queued();
    never_saw(&alice, &format!(": {SECRET}"));
}

/// A man in the middle that passes everything on is a cable.
#[test]
fn relay_reads_and_changes_nothing() {
    let bob = SecurePeer::named("Bob", b'B');
    let meddler = Meddler::before(bob.addr());
    meddler.does(
        |piece: &Piece<'_>| if piece.opened { CommandKind::Pass } else { panic!("it is spoken to in plain") },
    );
    let mut alice = alice_who_trusts(&[("Bob", meddler.addr(), bob.key())]).start();
    alice.sees("The static peer is online.");
    alice.says("Bob", SECRET);
    alice.sees("Delivered to Bob.");
    for wire in meddler.opened() {
        let sealed_up = crate::support::sealed("up", &wire.up[DIAL_LINE.len()..]);
        assert!(!sealed_up.is_empty());
        assert!(!wire.up.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    }
}
