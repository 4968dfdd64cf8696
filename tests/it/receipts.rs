//! The promise of a receipt: an acknowledged message is shown, even by a peer that is leaving or
//! whose output is not read.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddrV4};
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;

use crate::support::{MALLORY, Peer, Unread, try_dial_from};

/// The maximum number of messages that can wait for a peer whose output is not read, plus those
/// that it holds to print.
const MOST_HELD: usize = 2 * 8_192 + 1_000;

/// What is acknowledged while a peer leaves, it shows before it ends.
fn leaves_while_everybody_talks(leave: impl FnOnce(&mut Peer)) {
    let mut alice = Peer::named("Alice").start();
    let addr = alice.addr();
    let (acknowledged, _) = thread::scope(|scope| {
        let speakers: Vec<_> = (0..8)
            .map(|speaker| {
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    for number in 0..10_000 {
                        let text = format!("{speaker}-{number}.");
                        let Some(answered) = try_send(addr, &text) else { break };
                        if answered.starts_with(b"[ACK]") {
                            acknowledged.push(text);
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        alice.has_seen(": 0-50.");
        leave(&mut alice);
        let ended = alice.ends();
        (
            speakers.into_iter().flat_map(|speaker| speaker.join().expect("no panic")).collect::<Vec<_>>(),
            ended,
        )
    });
    let printed = alice.printed();
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|text| !printed.iter().any(|line| line.ends_with(&format!(": {text}"))))
        .collect();
    assert!(lost.is_empty(), "{} acknowledged, and never shown: {lost:?}", acknowledged.len());
}

/// As `send_raw`, where the other side may be gone.
fn try_send(addr: SocketAddrV4, text: &str) -> Option<Vec<u8>> {
    let mut stream = try_dial_from(MALLORY, addr).ok()?;
    stream.write_all(format!("127.0.0.66:9 Mallory {text}").as_bytes()).ok()?;
    let _ = stream.shutdown(Shutdown::Write);
    let mut answered = Vec::new();
    let _ = stream.read_to_end(&mut answered);
    Some(answered)
}

#[test]
fn what_is_acknowledged_while_leaving_is_shown() {
    leaves_while_everybody_talks(|alice| alice.types(&["0"]));
}

#[test]
fn message_acknowledged_during_a_signal_is_shown() {
    leaves_while_everybody_talks(|alice| alice.is_sent(Signal::TERM));
}

#[test]
fn unread_output_refuses_messages_but_loses_none() {
    let mut bob = Unread::start(&Peer::named("Bob"), Stdio::piped());
    let addr = bob.listens();
    let sent = thread::scope(|scope| {
        let speakers: Vec<_> = (0..8)
            .map(|speaker| {
                scope.spawn(move || {
                    let texts = (0..MOST_HELD / 8).map(|number| format!("{speaker}-{number}."));
                    texts.take_while(|text| acknowledges(addr, text)).collect::<Vec<_>>()
                })
            })
            .collect();
        speakers.into_iter().flat_map(|speaker| speaker.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert!(sent.len() < MOST_HELD, "{} texts were taken that nobody reads", sent.len());
    // Reads the output from here on, up to a message that is accepted after all the others.
    let reader = thread::spawn(move || {
        let mut shown = HashSet::new();
        loop {
            let line = bob.prints("[");
            let text = line.rsplit(' ').next().expect("a word").to_owned();
            if text == "last." {
                return (bob, shown);
            }
            shown.insert(text);
        }
    });
    assert!(acknowledges(addr, "last."), "there was no room although the output is read");
    let (_bob, shown) = reader.join().expect("no panic");
    let lost: Vec<_> = sent.iter().filter(|text| !shown.contains(*text)).collect();
    assert!(lost.is_empty(), "of {} acknowledged, never shown: {lost:?}", sent.len());
}

fn acknowledges(addr: SocketAddrV4, text: &str) -> bool {
    try_send(addr, text).expect("it accepts").starts_with(b"[ACK] ")
}
