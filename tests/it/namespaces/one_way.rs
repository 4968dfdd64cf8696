//! A firewall that lets connections out and none in.

use super::lab::{Lab, at};

const PORT: u16 = 5000;

#[test]
fn peer_behind_a_one_way_firewall_gets_its_answer() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    lab.joins((&here, "10.79.0.1"), (&there, "10.79.0.2"));
    here.refuses_connections();
    let mut bob = there.runs("Bob").port(PORT).start();
    let mut alice = here.runs("Alice").port(PORT).start();
    alice.types(&[&format!("@10.79.0.2:{PORT} Can you hear me?")]);
    bob.sees("[encrypted]: Can you hear me?");
    alice.sees("Delivered to Bob");
    bob.types(&["/reply Loud and clear."]);
    alice.sees("[encrypted]: Loud and clear.");
    bob.sees("Delivered to Alice");
    assert_eq!(here.established(at("10.79.0.2", PORT)), 1, "one connection carries both ways");
    assert_eq!(there.established(at("10.79.0.1", PORT)), 0, "and Alice's port was never reached");
}
