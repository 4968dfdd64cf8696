//! A contact that pastes thousands of lines, each of which is a message.

use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use crate::support::Peer;

/// How long 10,000 lines may take on a machine that is busy with other tests. On a pipe the next
/// line is read when the recipient has stored the one before.
const WITHIN: Duration = Duration::from_secs(300);

#[test]
fn pasted_lines_of_a_contact_all_arrive() {
    // More than may be in flight.
    println!("300 lines after {:?}", pastes(300));
}

#[test]
#[ignore = "takes a minute"]
fn ten_thousand_pasted_lines_all_arrive() {
    println!("10,000 lines after {:?}", pastes(10_000));
}

/// Pastes lines, and returns after which time the last was shown.
fn pastes(lines: usize) -> Duration {
    let mut alice = Peer::named("Alice").start();
    let mut bob = Peer::named("Bob").knows(alice.addr()).start();
    alice.types(&[&format!("@{} welcome.", bob.addr())]);
    bob.sees(": welcome.");
    let begun = Instant::now();
    bob.is_typed_by(|input| {
        let mut input = BufWriter::new(input);
        writeln!(input, "/chat alice")?;
        (0..lines).try_for_each(|number| writeln!(input, "line {number}."))?;
        // On a pipe, the answer to this comes when all before it is settled.
        writeln!(input, "/help pasted.")
    });
    alice.sees_within(&format!(": line {}.", lines - 1), WITHIN);
    let took = begun.elapsed();
    let printed = alice.printed();
    let mut shown = printed.iter().filter_map(|line| line.split_once(": line ")).map(|(_, number)| number);
    for number in 0..lines {
        assert_eq!(shown.next(), Some(&*format!("{number}.")));
    }
    assert_eq!(shown.next(), None);
    bob.sees_within("pasted.", WITHIN);
    let delivered = bob.printed().iter().filter(|line| line.contains("Delivered to Alice")).count();
    assert_eq!(delivered, lines);
    took
}
