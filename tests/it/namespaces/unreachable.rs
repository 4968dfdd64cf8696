//! Two machines whose firewalls let nobody in.

use super::lab::{Lab, Machine, at};
use crate::support::Peer;

const PORT: u16 = 5000;
const HERE: &str = "10.83.0.1";
const THERE: &str = "10.83.0.2";

/// Alice here and Bob there, neither of whom can be dialed.
fn walled() -> Option<(Lab, Machine, Machine, Peer, Peer)> {
    let mut lab = Lab::new()?;
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    lab.joins((&here, HERE), (&there, THERE));
    [&here, &there].into_iter().for_each(Machine::refuses_connections);
    let alice = here.runs("Alice").port(PORT).knows(at(THERE, PORT)).start();
    let bob = there.runs("Bob").port(PORT).knows(at(HERE, PORT)).start();
    Some((lab, here, there, alice, bob))
}

#[test]
fn peers_that_cannot_connect_both_say_so() {
    let Some((_lab, _here, there, mut alice, mut bob)) = walled() else { return };
    for (peer, to) in [(&mut alice, THERE), (&mut bob, HERE)] {
        peer.sees("The static peer is offline; retrying in the background.");
        peer.types(&[&format!("@{to}:{PORT} Can you hear me?")]);
        let queued = format!("{to}:{PORT} is offline; will deliver when they are back.");
        peer.sees(&queued);
        let row = peer.lists(at(to, PORT)).expect("listed");
        assert!(row.contains("  offline  "), "{row}");
        peer.has_seen("1 peer, 0 online.");
    }
    // One of them lets connections in: the other's message arrives, and is answered in its session.
    there.filters_nothing();
    bob.sees("[encrypted]: Can you hear me?");
    alice.has_seen("Delivered to Bob: \"Can you hear me?\"");
    bob.types(&["/reply Now I can."]);
    alice.sees("[encrypted]: Now I can.");
    // What he wrote to her address waits for the peer that can be dialed there.
    assert!(!bob.printed().iter().any(|line| line.ends_with("\"Can you hear me?\"")));
    for peer in [&alice, &bob] {
        let printed = peer.printed();
        assert!(!printed.iter().any(|line| line.contains("nother key")), "{printed:?}");
    }
}
