//! A firewall that lets connections out and none in.

use super::lab::{Lab, Machine, at, lists_until};
use crate::support::Peer;

const PORT: u16 = 5000;

/// Alice here, whose firewall lets no connection in, and Bob there. She has written to him.
fn walled() -> Option<(Lab, Machine, Machine, Peer, Peer)> {
    let mut lab = Lab::new()?;
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    lab.joins((&here, "10.79.0.1"), (&there, "10.79.0.2"));
    here.refuses_connections();
    let mut bob = there.runs("Bob").port(PORT).start();
    let mut alice = here.runs("Alice").port(PORT).start();
    alice.types(&[&format!("@10.79.0.2:{PORT} Can you hear me?")]);
    bob.sees("[encrypted]: Can you hear me?");
    Some((lab, here, there, alice, bob))
}

#[test]
fn peer_behind_one_way_firewall_gets_its_answer() {
    let Some((_lab, here, there, mut alice, mut bob)) = walled() else { return };
    alice.sees("Delivered to Bob");
    bob.types(&["/reply Loud and clear."]);
    alice.sees("[encrypted]: Loud and clear.");
    bob.sees("Delivered to Alice");
    bob.types(&["/connect alice"]);
    bob.sees("Connected to Alice");
    assert_eq!(here.established(at("10.79.0.2", PORT)), 1, "one connection carries both ways");
    assert_eq!(there.established(at("10.79.0.1", PORT)), 0, "and Alice's port was never reached");
}

#[test]
#[ignore = "takes 16 s; stranger_that_becomes_a_contact_is_checked_once simulates it"]
fn list_says_that_firewalled_peer_cannot_be_dialed() {
    let Some((_lab, _here, _there, mut alice, mut bob)) = walled() else { return };
    // Bob dials her when she becomes his contact.
    bob.types(&["/reply Loud and clear."]);
    alice.sees("[encrypted]: Loud and clear.");
    lists_until(
        &mut bob,
        "Alice cannot be dialed from here; messages go over the session that Alice opened.",
    );
    bob.finds(at("10.79.0.1", PORT), "connected");
}
