//! A peer that is stopped for a while: it still accepts, and does nothing.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{MALLORY, Peer, dial_from};

/// A stopped peer is gone when its session has been silent for 45 s and a new one has not come
/// about in 15 s; the machine may be busy.
const GONE: Duration = Duration::from_secs(90);

/// The user is told after five seconds that no receipt has come; the rest is for a machine that is
/// busy with other tests.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn stopped_peer_later_shows_everything_once() {
    let mut bob = Peer::named("Bob").start();
    let mut carol = Peer::named("Carol").start();
    let mut alice = Peer::named("Alice").knows(bob.addr()).knows(carol.addr()).start();
    alice.sees("Both static peers are online.");
    alice.finds(bob.addr(), "connected");
    bob.is_stopped();
    // Bob comes first in the list, and nobody waits for him.
    let begun = Instant::now();
    alice.types(&["@all one of three."]);
    alice.sees(&format!("Delivered to {}.", carol.name()));
    alice.sees_queued();
    assert!(begun.elapsed() < TOLD_WITHIN, "it took {:?}", begun.elapsed());
    carol.sees(": one of three.");
    for text in ["two of three.", "three of three."] {
        alice.says(&bob.addr().to_string(), text);
        alice.sees_queued();
    }
    let mut waiting: Vec<_> = (0..20)
        .map(|number| {
            let mut stream = dial_from(MALLORY, bob.addr());
            stream.write_all(format!("127.0.0.66:9 Mallory number {number}.").as_bytes()).expect("room");
            stream.shutdown(Shutdown::Write).expect("it is open");
            stream
        })
        .collect();
    alice.finds(bob.addr(), "unreachable");
    bob.is_sent(Signal::CONT);
    alice.finds(bob.addr(), "connected");
    bob.finds(alice.addr(), "connected");
    let receipt = bob.receipt();
    for stream in &mut waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer, and the end");
        assert_eq!(answer, receipt);
    }
    // What waited was sent again, and arrived; what he was handed before that, he does not show
    // twice.
    let delivered = format!("Delivered to {}", bob.name());
    for number in ["one", "two", "three"] {
        alice.has_seen(&format!("{delivered}: \"{number} of three.\""));
    }
    let three = ["one", "two", "three"].map(|number| format!("{number} of three."));
    let expected: Vec<_> =
        three.into_iter().chain((0..20).map(|number| format!("number {number}."))).collect();
    // A receipt says that Bob's program has a message, and it is shown a moment later.
    for text in &expected {
        bob.has_seen(&format!(": {text}"));
    }
    // What would have been shown twice is shown before this.
    bob.still_answers();
    let printed = bob.printed();
    for text in expected {
        let times = printed.iter().filter(|line| line.ends_with(&format!(": {text}"))).count();
        assert_eq!(times, 1, "{text}");
    }
    // To Bob no time has passed in which others would have been silent.
    assert!(!printed.iter().any(|line| line.contains(" is offline")), "{printed:?}");
    assert!(
        !carol.printed().iter().any(|line| line.contains(&alice.shown()) && line.contains(" is offline"))
    );
}

#[test]
#[ignore = "a minute of silence; silent_session_is_over_after_three_pings simulates it"]
fn long_stopped_peer_is_gone_and_comes_back() {
    let mut bob = Peer::named("Bob").start();
    let mut alice = Peer::named("Alice").knows(bob.addr()).start();
    alice.finds(bob.addr(), "connected");
    bob.is_stopped();
    alice.says("Bob", "while you were away.");
    alice.sees_queued();
    alice.sees_within(&format!("* {} is unreachable", bob.shown()), GONE);
    bob.is_sent(Signal::CONT);
    alice.sees_within(&format!("* {} is online", bob.shown()), GONE);
    alice.has_seen(&format!("Delivered to {}: \"while you were away.\"", bob.name()));
    alice.finds(bob.addr(), "connected");
    bob.finds(alice.addr(), "connected");
    // It was sent more than a minute before, which the line says.
    let times = bob.printed().iter().filter(|line| line.contains(": while you were away. (sent ")).count();
    assert_eq!(times, 1);
}
