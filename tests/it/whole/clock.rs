//! A calendar that jumps. What is shown has the new time; who is there is decided by a clock that
//! cannot be set.

use crate::support::{Calendar, MALLORY, Peer, send_raw_from};

/// Settings of the calendar as libfaketime understands them, and what a line shows of them. The
/// machine's own year is not among them.
const JUMPS: [(&str, &str); 6] = [
    ("@2400-06-01 12:00:00", "2400-06-01"),
    ("@1970-01-01 00:00:05", "1970-01-01"),
    ("@1900-03-04 05:06:07", "1900-03-04"),
    ("@2099-12-31 10:00:00", "2099-12-31"),
    ("@2020-02-29 10:00:00", "2020-02-29"),
    ("@2038-01-19 03:14:07", "2038-01-19"),
];

#[test]
fn clock_jump_of_centuries_changes_no_presence() {
    let Some(calendar) = Calendar::new() else { return };
    let mut bob = Peer::named("Bob").start();
    let alice = Peer::named("Alice").knows(bob.addr()).arg("--time-format=%Y-%m-%d");
    let mut alice = calendar.of(alice).start();
    alice.meets(&bob);
    alice.finds(bob.addr(), "connected");
    let mut before = None;
    for (time, day) in JUMPS {
        calendar.set(time);
        let text = format!("in {}", &day[..4]);
        bob.says("alice", &text);
        // A line tells that another day has begun, and stands before the first that has its date.
        let line = alice.sees("--- ");
        let year = &day[..4];
        assert!(line.ends_with(&format!(" {year} ---")), "{line}");
        let line = alice.sees(&format!(": {text}"));
        assert!(line.starts_with(&format!("[{day}] Bob (")), "{line}");
        bob.sees("Delivered to Alice");
        // To the list, no time has passed.
        let row = alice.lists(bob.addr()).expect("static peers stay listed");
        let seconds: u64 = row
            .split_once(" s ago ")
            .and_then(|(row, _)| row.rsplit(' ').next())
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or_else(|| panic!("in {day}: {row}"));
        assert!(row.contains("connected") && seconds < 15, "in {day}: {row}");
        // The same day begins only once.
        let days = alice.printed().iter().filter(|line| line.ends_with(&format!(" {year} ---"))).count();
        assert_eq!(days, 1, "{day} after {before:?}");
        before = Some(day);
    }
    // A new peer is shown with the same date.
    send_raw_from(MALLORY, alice.addr(), b"127.0.0.66:9 Mallory what day is it?");
    let line = alice.sees(": what day is it?");
    assert!(before.is_some_and(|day| line.starts_with(&format!("[{day}] Mallory ("))), "{line}");
    for peer in [&alice, &bob] {
        let printed = peer.printed();
        assert!(!printed.iter().any(|line| line.contains(" is offline")), "{printed:#?}");
        assert_eq!(
            printed.iter().filter(|line| line.contains("] * ") && line.contains(" is online")).count(),
            1,
            "{printed:#?}"
        );
        assert_eq!(peer.errors(), "");
    }
    alice.leaves();
}
