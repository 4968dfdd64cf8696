//! A machine that gets another address.

use std::time::{Duration, Instant};

use super::lab::{Lab, at};
use crate::support::{Peer, SOON, Terminal};

const PORT: u16 = 5000;

/// A message over a session whose address has gone arrives within this time. The user is told after
/// 5 s that no receipt has come, and then the program looks at its addresses.
const ARRIVES_WITHIN: Duration = Duration::from_secs(15);

/// Waits until the list of `peer` has one row. Until the other has proven its key at its address,
/// the address has a row of its own, and keeps it if that cannot be dialed any more.
fn is_alone(peer: &mut Peer) {
    let deadline = Instant::now() + SOON;
    loop {
        peer.types(&["2"]);
        let sum = peer.sees_sum();
        if sum.contains("1 peer, 1 online.") {
            return;
        }
        assert!(Instant::now() < deadline, "{sum}");
    }
}

#[test]
fn message_arrives_soon_after_a_change_of_address() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    lab.joins((&here, "10.77.0.1"), (&there, "10.77.0.2"));
    let mut alice = here.runs("Alice").port(PORT).start();
    let bob = Terminal::start(there.runs("Bob").port(PORT).knows(at("10.77.0.1", PORT)), 24, 80);
    alice.meets_at("Bob (10.77.0.2:5000)");
    bob.waits_for("── Bob 10.77.0.2:5000 · 1 online");
    is_alone(&mut alice);
    let cable = there.cable(&here);
    there.does(&format!("ip addr del 10.77.0.2/24 dev {cable}"));
    there.does(&format!("ip addr add 10.77.0.3/24 dev {cable}"));

    let began = Instant::now();
    bob.enters("@alice I have moved.");
    alice.sees_within("[encrypted]: I have moved.", ARRIVES_WITHIN);
    bob.waits_for("── Bob 10.77.0.3:5000 · 1 online");
    assert!(!bob.screen().contains("── Bob 10.77.0.2"), "{}", bob.screen());
    alice.types(&["/reply so I see."]);
    bob.waits_for("so I see.");
    assert!(began.elapsed() < ARRIVES_WITHIN, "it took {:?}", began.elapsed());
    alice.finds(at("10.77.0.3", PORT), "connected");
    assert_eq!(alice.lists(at("10.77.0.2", PORT)), None, "one row, which has moved along");
}

#[test]
fn moved_peer_is_dialed_at_its_new_address() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    lab.joins((&here, "10.77.0.1"), (&there, "10.77.0.2"));
    let mut alice = here.runs("Alice").port(PORT).start();
    let mut bob = there.runs("Bob").port(PORT).knows(at("10.77.0.1", PORT)).start();
    alice.meets_at(&format!("Bob (10.77.0.2:{PORT})"));
    bob.meets_at(&format!("Alice (10.77.0.1:{PORT})"));
    is_alone(&mut alice);
    let cable = there.cable(&here);
    there.does(&format!("ip addr del 10.77.0.2/24 dev {cable}"));
    there.does(&format!("ip addr add 10.77.0.3/24 dev {cable}"));

    // The connections of before lead nowhere any more, and that takes its time to be noticed.
    bob.types(&["@alice I have moved."]);
    alice.sees("[encrypted]: I have moved.");
    bob.sees("Delivered to Alice");
    // It is his key that she knows him by; where he is now she knows when he has proven it there.
    alice.types(&["/reply so I see."]);
    bob.sees(&format!("Alice (10.77.0.1:{PORT}) [encrypted]: so I see."));
    alice.sees("Delivered to Bob");
    alice.finds(at("10.77.0.3", PORT), "connected");
    assert_eq!(alice.lists(at("10.77.0.2", PORT)), None, "he has one row, which has moved along");

    // And back.
    there.does(&format!("ip addr del 10.77.0.3/24 dev {cable}"));
    there.does(&format!("ip addr add 10.77.0.2/24 dev {cable}"));
    bob.types(&["@alice I am back."]);
    alice.sees("[encrypted]: I am back.");
    alice.types(&["/reply welcome."]);
    bob.sees(&format!("Alice (10.77.0.1:{PORT}) [encrypted]: welcome."));
    alice.sees("Delivered to Bob");
    alice.finds(at("10.77.0.2", PORT), "connected");
    assert_eq!(alice.lists(at("10.77.0.3", PORT)), None);
    // Nothing was shown twice, and he was never reported as gone, new or another peer.
    for (peer, words) in
        [(&alice, "I have moved."), (&bob, ": so I see."), (&alice, "I am back."), (&bob, ": welcome.")]
    {
        let printed = peer.printed();
        assert_eq!(
            printed
                .iter()
                .filter(|line| line.contains("[encrypted]")
                    && line.contains(words)
                    && !line.contains("Delivered"))
                .count(),
            1,
            "{words}: {printed:?}"
        );
    }
    for words in ["is offline", "has changed"] {
        assert!(!alice.printed().iter().any(|line| line.contains(words)), "{:?}", alice.printed());
    }
    assert_eq!(alice.printed().iter().filter(|line| line.contains(" (new, key ")).count(), 1);
}
