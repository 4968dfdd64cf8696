//! A clock that is set back and forward: what is said keeps its order, arrives, and does not expire
//! before its time.

use super::{Home, times};
use crate::support::Calendar;

/// Times as libfaketime understands them: back, far back, and far forward.
const JUMPS: [&str; 4] =
    ["@2020-02-29 10:00:00", "@1970-01-01 00:00:05", "@2400-06-01 12:00:00", "@2031-01-19 03:14:07"];

#[test]
fn clock_jumps_keep_messages_once_and_in_order() {
    let Some(calendar) = Calendar::new() else { return };
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let mut him = bob.start();
    let mut her = calendar.of(alice.builder().knows(bob.addr)).start();
    her.meets(&him);
    let mut said = Vec::new();
    for (number, time) in JUMPS.into_iter().enumerate() {
        calendar.set(time);
        let (there, back) = (format!("there {number}."), format!("back {number}."));
        her.says("bob", &there);
        him.sees(&format!(": {there}"));
        her.sees("Delivered to Bob");
        him.says("alice", &back);
        her.sees(&format!(": {back}"));
        him.sees("Delivered to Alice");
        said.extend([there, back]);
        // A new life in another century knows what it has, too.
        if number % 2 == 1 {
            her.crashes();
            her = calendar.of(alice.builder().knows(bob.addr)).start();
            her.sees("The static peer is online.");
        }
    }
    for home in [&alice, &bob] {
        let kept = super::kept_of(home.name, home.data.path());
        let texts: Vec<&str> = kept.iter().map(|entry| &*entry.body).collect();
        assert_eq!(texts, said, "{}", home.name);
    }
    for text in &said {
        assert!(times(&him, text) <= 1 && times(&her, text) <= 1);
    }
}
