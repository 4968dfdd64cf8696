//! Two machines that both have the address of a Docker bridge, each for itself.

use super::lab::{Lab, Machine};

const PORT: u16 = 5000;
const HERE: &str = "10.82.0.1";
const THERE: &str = "10.82.0.2";
const BRIDGE: &str = "172.17.0.1";

/// Makes a bridge as Docker does. Returns whether the system can.
fn has_bridge(machine: &Machine) -> bool {
    let is_made = machine.can("ip link add docker0 type bridge");
    if is_made {
        machine.does(&format!("ip addr add {BRIDGE}/16 dev docker0"));
        machine.does("ip link set docker0 up");
        machine.counts(&format!("ip daddr {BRIDGE} tcp dport {PORT}"));
    }
    is_made
}

#[test]
fn shared_bridge_address_is_never_dialed() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    lab.joins((&here, HERE), (&there, THERE));
    if !has_bridge(&here) || !has_bridge(&there) {
        return;
    }
    let mut bob = there.runs("Bob").port(PORT).start();
    let mut alice = here.runs("Alice").port(PORT).start();
    alice.types(&[&format!("@{THERE}:{PORT} by the cable")]);
    bob.sees("[encrypted]: by the cable");
    bob.types(&["/reply and back"]);
    alice.sees("[encrypted]: and back");
    // No program listens at Bob's own address now, and the other one that he announced is also
    // hers.
    bob.crashes();
    alice.types(&["@bob while you were away"]);
    let shown = format!("Bob ({THERE}:{PORT})");
    alice.sees("Bob is offline; will deliver when they are back.");
    alice.sees(&format!("* {shown} is offline"));
    let mut bob = bob.goes_on_as(there.runs("Bob"));
    bob.sees("[encrypted]: while you were away");
    alice.sees("Delivered to Bob: \"while you were away\"");
    for peer in [&alice, &bob] {
        let printed = peer.printed();
        for words in ["nother key", "your own", "yourself", "cannot be dialed"] {
            assert!(!printed.iter().any(|line| line.contains(words)), "{words}: {printed:?}");
        }
    }
    assert_eq!((here.counted(), there.counted()), (0, 0), "packets to one's own bridge");
}
