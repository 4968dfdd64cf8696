//! The end without Exit: signals, and a standard output that is closed.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Peer, SOON, Unread, send_raw, v4};

/// The two seconds that leaving may take, and one for a machine that is busy with other tests.
const LEAVING: Duration = Duration::from_secs(3);

/// A peer that does not answer is not given up earlier than this, unless the user is impatient.
const PATIENCE: Duration = Duration::from_millis(900);

#[test]
fn signal_ends_with_goodbyes_and_shell_status() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let mut alice = Peer::named("Alice").start();
        let mut bob = Peer::named("Bob").knows(alice.addr()).start();
        alice.meets(&bob);
        bob.meets(&alice);
        bob.is_sent(signal);
        assert_eq!(bob.ends_within(LEAVING).code(), Some(code));
        bob.has_seen("Disconnecting from 1 peer.");
        assert_eq!(bob.errors(), "");
        alice.sees(&format!("* {} left", bob.shown()));
    }
}

#[test]
fn a_signal_ends_a_program_that_knows_nobody() {
    let mut alice = Peer::named("Alice").start();
    alice.is_sent(Signal::TERM);
    assert_eq!(alice.ends_within(LEAVING).code(), Some(143));
}

/// Alice, who knows a program that accepts and never closes, and this program.
fn alice_and_a_stuck_peer() -> (Peer, TcpListener) {
    let mut alice = Peer::named("Alice").start();
    let stuck = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = v4(stuck.local_addr().expect("bound"));
    send_raw(alice.addr(), format!("{addr} Stuck hello").as_bytes());
    alice.sees(": hello");
    (alice, stuck)
}

#[test]
fn signal_waits_for_no_silent_peer() {
    let (mut alice, _stuck) = alice_and_a_stuck_peer();
    alice.is_sent(Signal::TERM);
    assert_eq!(alice.ends_within(LEAVING).code(), Some(143));
}

#[test]
fn a_second_signal_ends_the_goodbyes_at_once() {
    let (mut alice, _stuck) = alice_and_a_stuck_peer();
    alice.types(&["0"]);
    alice.sees("Disconnecting from 1 peer.");
    let begun = Instant::now();
    alice.is_sent(Signal::INT);
    alice.ends();
    assert!(begun.elapsed() < PATIENCE, "it took {:?}", begun.elapsed());
}

#[test]
fn hang_up_cuts_no_goodbye_short() {
    let (mut alice, _stuck) = alice_and_a_stuck_peer();
    let begun = Instant::now();
    // A window that closes is the end of the input and sends the signal; either may be noticed
    // first.
    alice.ends_input();
    alice.sees("Disconnecting from 1 peer.");
    alice.is_sent(Signal::HUP);
    assert_eq!(alice.ends_within(LEAVING).code(), Some(0));
    assert!(begun.elapsed() >= PATIENCE, "it gave up after {:?}", begun.elapsed());
}

#[test]
fn initially_closed_output_ends_the_program() {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let mut bob = Unread::start(&Peer::named("Bob"), writer.into());
    assert!(!bob.status_within(SOON).expect("it ends by itself").success());
}

#[test]
fn output_closed_later_ends_with_goodbyes() {
    let mut alice = Peer::named("Alice").start();
    let mut bob = Unread::start(&Peer::named("Bob").knows(alice.addr()), Stdio::piped());
    alice.sees("Bob (");
    // Bob has printed everything that he prints by himself, so a message shows him that his output
    // is not read.
    bob.prints("Choice [0-6]:");
    bob.closes_output();
    alice.says("bob", "is anybody reading?");
    alice.sees("left");
    assert!(!bob.status_within(SOON).expect("it ends by itself").success());
}

#[test]
fn peer_with_full_output_still_says_goodbye() {
    let mut alice = Peer::named("Alice").start();
    for _ in 0..10 {
        let full = File::create("/dev/full").expect("Linux has it");
        let mut bob = Unread::start(&Peer::named("Bob").knows(alice.addr()), full.into());
        assert!(!bob.status_within(SOON).expect("it ends by itself").success());
    }
    alice.still_answers();
    let printed = alice.printed();
    let who = |words: &str| -> HashSet<String> {
        let lines = printed.iter().filter_map(|line| line.split_once(words));
        // He may have been met in plain and have said goodbye in encryption.
        lines.map(|(who, _)| who[11..].replace(" [encrypted]", "")).collect()
    };
    assert_eq!(who(" is online"), who(" left"));
}

#[test]
fn two_signals_end_a_program_with_blocked_output() {
    let mut bob = Unread::start(&Peer::named("Bob"), Stdio::piped());
    let addr = bob.listens();
    // Far more than the buffer of a pipe that is not read.
    let text = format!("127.0.0.1:9 Carol {}", "x".repeat(8_000));
    for _ in 0..40 {
        let answer = send_raw(addr, text.as_bytes());
        assert!(answer.starts_with(b"[ACK] "), "{answer:?}");
    }
    bob.is_sent(Signal::TERM);
    let status = bob.status_within(LEAVING).or_else(|| {
        // A user who has asked once and sees nothing happen asks again.
        bob.is_sent(Signal::TERM);
        bob.status_within(LEAVING)
    });
    assert_eq!(status.expect("it ends").code(), Some(143));
}
