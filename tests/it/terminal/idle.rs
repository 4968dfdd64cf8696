//! A terminal at which nothing happens gets no bytes: a laptop sleeps, and a selection stays.

use std::time::{Duration, Instant};

use super::*;
use crate::support::SOON;

/// A pause in the output after which a start has settled.
const SETTLED: Duration = Duration::from_secs(1);

/// How long the terminal is observed: more than twice the time after which the program looks at its
/// files.
const OBSERVED: Duration = Duration::from_secs(5);

/// Waits until the program prints nothing any more, and makes sure that it stays so.
fn stays_quiet(terminal: &Terminal) {
    let deadline = Instant::now() + SOON;
    while !terminal.prints_within(SETTLED).is_empty() {
        assert!(Instant::now() < deadline, "it never settled:\n{}", terminal.screen());
    }
    let printed = terminal.prints_within(OBSERVED);
    assert!(printed.is_empty(), "{:?}", String::from_utf8_lossy(&printed));
}

#[test]
fn idle_terminal_gets_no_bytes() {
    let alice = Terminal::start(Peer::named("Alice"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    stays_quiet(&alice);
    // It still listens.
    alice.keys("hello");
    line_stands(&alice, CHOICE, "hello", "");
    stays_quiet(&alice);
}

#[test]
fn idle_conversation_gets_no_bytes() {
    let (alice, _bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    alice.enters("/chat bob");
    line_stands(&alice, "to Bob> ", "", "");
    stays_quiet(&alice);
}
