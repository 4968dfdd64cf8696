//! The connection to a verified, online peer is redirected, as by ARP spoofing.

use crate::support::{Builder, Meddler, Peer};

use super::*;

const SECRET: &str = "for Bob alone";

/// Carol, started with these options, verifies Bob. Then every connection to him leads to Dave, her
/// other contact.
fn is_for_bob_alone(start: impl FnOnce(Builder, &str) -> Builder) {
    let (to_bob, bob) = Meddler::in_the_only_way_to(Peer::named("Bob"));
    let (to_carol, carol) = Meddler::in_the_only_way_to(Peer::named("Carol"));
    let (mut bob, dave) = (bob.start(), Peer::named("Dave").start());
    let known = listed("Bob", to_bob.addr(), &bob.key()) + &listed("Dave", dave.addr(), &dave.key());
    let mut carol = start(carol, &known).start();
    carol.types(&[&format!("@{} hello Bob", to_bob.addr())]);
    bob.has_seen(": hello Bob");
    befriends(&mut carol, &dave);
    verifies(&mut carol, "Bob");
    // Nor does anything of Bob's reach her.
    to_carol.redirects_to(nobody());
    to_bob.redirects_to(dave.addr());
    let mark = sends(&mut carol, &[&format!("@bob {SECRET}")]);
    carol.sees_line("what became of it", |line| line.contains("Bob") || line.contains("Dave"));
    carol.types(&["@bob and a second one"]);
    carol.types(&["/outbox again all", "@dave for Dave alone"]);
    reaches_only(&carol, "for Dave alone", &dave, &[&bob]);
    never_got(&dave, SECRET);
    never_got(&dave, "and a second one");
    carol.says_it_waits(mark, "Bob");
    to_bob.restores();
    to_carol.restores();
    bob.says(&to_carol.addr().to_string(), "what happened?");
    reaches_only(&carol, SECRET, &bob, &[&dave]);
    reaches_only(&carol, "and a second one", &bob, &[&dave]);
    carol.types(&["@dave again for Dave alone"]);
    reaches_only(&carol, "again for Dave alone", &dave, &[&bob]);
    never_got(&dave, SECRET);
}

#[test]
fn redirected_connection_to_a_verified_person_gets_nothing() {
    is_for_bob_alone(|carol, _| carol);
}

#[test]
fn redirected_connection_gets_nothing_under_strict_policy() {
    is_for_bob_alone(|carol, known| {
        carol.saved_peers(known).arg("--policy").arg("strict").arg("--require-encryption")
    });
}
