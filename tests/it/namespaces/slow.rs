//! A line of 4 KB per second, and one on which everything takes seconds.

use std::time::{Duration, Instant};

use super::lab::{Lab, Machine};
use crate::support::{Peer, SOON, until};

const PORT: u16 = 5000;
const HERE: &str = "10.84.0.1";
const THERE: &str = "10.84.0.2";

/// The bytes of a message that takes 8 s on the slow line.
const LENGTH: usize = 32_000;

fn two(lab: &mut Lab) -> (Machine, Machine) {
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    lab.joins((&here, HERE), (&there, THERE));
    (here, there)
}

fn both_meet(here: &Machine, there: &Machine) -> (Peer, Peer) {
    let mut bob = there.runs("Bob").port(PORT).start();
    let mut alice = here.runs("Alice").port(PORT).start();
    alice.types(&[&format!("@{THERE}:{PORT} Is this line slow?")]);
    bob.sees("[encrypted]: Is this line slow?");
    alice.has_seen("Delivered to Bob");
    (alice, bob)
}

#[test]
fn long_message_crosses_four_kilobytes_per_second_once() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = two(&mut lab);
    if !here.sends_slowly(&there, 4_000) || !there.sends_slowly(&here, 4_000) {
        return;
    }
    let (mut alice, mut bob) = both_meet(&here, &there);
    let before = here.bytes_sent(&there);
    let began = Instant::now();
    alice.types(&[&format!("@bob {}", "x".repeat(LENGTH)), "@bob and a short one"]);
    // Bob's answers go the other way meanwhile.
    bob.types(&["@alice I am reading."]);
    alice.sees("[encrypted]: I am reading.");
    assert!(began.elapsed() < Duration::from_secs(6), "it took {:?}", began.elapsed());
    bob.sees("[encrypted]: and a short one");
    // Whether a line said before that it is queued depends on the machine.
    let delivered =
        |alice: &Peer| alice.printed().iter().filter(|line| line.contains("Delivered to Bob")).count();
    until(SOON, "three receipts", || delivered(&alice) == 3);
    let sent = here.bytes_sent(&there) - before;
    // The packets have headers, and Bob dials her when she becomes his contact.
    assert!(sent < 3 * LENGTH as u64 / 2, "{sent} bytes for a message of {LENGTH}");
    let times = |words: &str| bob.printed().iter().filter(|line| line.contains(words)).count();
    assert_eq!((times(&"x".repeat(1_000)), times(": and a short one")), (1, 1));
    for peer in [&alice, &bob] {
        assert!(!peer.printed().iter().any(|line| line.contains("is offline")), "{:?}", peer.printed());
    }
}

#[test]
#[ignore = "takes 60 s; messages_cross_a_link_with_seconds_of_delay simulates it"]
fn message_crosses_line_with_three_seconds_delay() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = two(&mut lab);
    for (machine, far) in [(&here, &there), (&there, &here)] {
        if !machine.can(&format!("tc qdisc add dev {} root netem delay 1500ms", machine.cable(far))) {
            return;
        }
    }
    let (mut alice, mut bob) = both_meet(&here, &there);
    bob.types(&["/reply Three seconds."]);
    alice.sees("[encrypted]: Three seconds.");
    bob.has_seen("Delivered to Alice");
    for peer in [&alice, &bob] {
        assert!(!peer.printed().iter().any(|line| line.contains("is offline")), "{:?}", peer.printed());
    }
}
