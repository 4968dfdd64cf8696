//! Machines behind a router that gives their packets the router's own address.

use super::lab::{Lab, Machine, at, lists_until};
use crate::support::Peer;

const PORT: u16 = 5000;
const ALICE: &str = "192.168.7.2";
const INSIDE: &str = "192.168.7.1";
const OUTSIDE: &str = "10.80.0.1";
const BOB: &str = "10.80.0.2";

/// Returns a machine behind the router, and Bob's outside; `None` if the system cannot do it.
fn behind_router(lab: &mut Lab) -> Option<(Machine, Machine)> {
    let [inside, router, his] = ["inside", "router", "his"].map(|name| lab.machine(name));
    lab.joins((&inside, ALICE), (&router, INSIDE));
    lab.joins((&router, OUTSIDE), (&his, BOB));
    inside.does(&format!("ip route add default via {INSIDE}"));
    router.masquerades(&his).then_some((inside, his))
}

#[test]
fn peer_behind_nat_is_answered_in_its_session() {
    let Some(mut lab) = Lab::new() else { return };
    let Some((hers, his)) = behind_router(&mut lab) else { return };
    let mut bob = his.runs("Bob").port(PORT).start();
    let mut alice = hers.runs("Alice").port(PORT).start();
    alice.types(&[&format!("@{BOB}:{PORT} Can you hear me?")]);
    // Bob sees her at the router's address, where nobody listens.
    let shown = format!("Alice ({OUTSIDE}:{PORT})");
    bob.sees(&format!("{shown} [encrypted]: Can you hear me?"));
    alice.sees("Delivered to Bob");
    bob.types(&["/reply Loud and clear."]);
    alice.sees("[encrypted]: Loud and clear.");
    bob.sees("Delivered to Alice.");
    // She is his contact since he has answered, so he has tried to dial her.
    let one_way = "Alice cannot be dialed from here; messages go over the session that Alice opened.";
    lists_until(&mut bob, one_way);
    bob.finds(at(OUTSIDE, PORT), "connected");
    assert_eq!(his.established(OUTSIDE), 1, "one connection carries both ways");
    for peer in [&alice, &bob] {
        let printed = peer.printed();
        assert!(!printed.iter().any(|line| line.contains("nother key")), "{printed:?}");
    }
}

/// People behind the router. To others all of them have one address.
const PEOPLE: u16 = 50;

#[test]
fn fifty_behind_one_nat_meet_and_talk() {
    let Some(mut lab) = Lab::new() else { return };
    let Some((theirs, his)) = behind_router(&mut lab) else { return };
    let mut bob = his.runs("Bob").port(PORT).start();
    let start = |number: u16| {
        let person = theirs.runs(&format!("P{number:02}")).port(PORT + number).arg("--no-history");
        person.knows(at(BOB, PORT)).start_without_waiting()
    };
    let mut people: Vec<Peer> = (0..PEOPLE).map(start).collect();
    for (number, person) in people.iter_mut().enumerate() {
        person.types(&[&format!("@{BOB}:{PORT} hello from {number:02}.")]);
    }
    for number in 0..PEOPLE {
        bob.has_seen(&format!(": hello from {number:02}."));
    }
    bob.types(&["@all good morning."]);
    for person in &people {
        person.has_seen(": good morning.");
    }
}
